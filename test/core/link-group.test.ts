// Link groups: what a look at the disk says of one, as cases, and how it stands in an entry.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LINK_TAG } from '../../src/core/attributes.js'
import { NO_EXTRA } from '../../src/core/entry.js'
import { ABSENT, type Fact, type FileFact } from '../../src/core/fact.js'
import {
  groupOf,
  inGroup,
  LINK_GROUP_BYTES,
  type LinkLook,
  leastGroup,
  NO_GROUP,
  newGroup,
  observedGroup,
  sameButGroup,
  statedGroup,
  withGroup,
} from '../../src/core/link-group.js'
import { path } from '../support/arbitraries.js'

const G: Buffer = Buffer.alloc(LINK_GROUP_BYTES, 7)
const H: Buffer = Buffer.alloc(LINK_GROUP_BYTES, 9)
const FILE: FileFact = {
  type: 'file',
  mode: 0o644,
  mtimeUs: 1,
  size: 3,
  content: Buffer.alloc(32, 1),
  extra: NO_EXTRA,
}
const EDITED: FileFact = { ...FILE, content: Buffer.alloc(32, 2), mtimeUs: 2 }
const FRESH: Buffer = newGroup(path('a'), 5, FILE.content)

/** A file with one name that this disk had before, in a group; what differs is said. */
function look(over: Partial<LinkLook>): LinkLook {
  return {
    path: path('a'),
    observed: FILE,
    ino: 5,
    nlink: 1,
    held: inGroup(FILE, G),
    isSameInode: true,
    intents: [],
    share: inGroup(FILE, G),
    siblings: [],
    wasLinked: false,
    states: true,
    ...over,
  }
}

const another: Partial<LinkLook> = { isSameInode: false }
const isNew: Partial<LinkLook> = { isSameInode: false, held: ABSENT, share: ABSENT }

const CASES: readonly { name: string; look: Partial<LinkLook>; expect: Buffer | undefined }[] = [
  { name: 'a file that is in none, and has one name', look: { held: FILE, share: FILE }, expect: undefined },
  { name: 'a new file with one name', look: isNew, expect: undefined },
  { name: 'a new name of a file with others, none in a group', look: { ...isNew, nlink: 2 }, expect: FRESH },
  {
    name: 'a new name of a file whose other names are in groups: the least',
    look: { ...isNew, nlink: 4, siblings: [H, undefined, G] },
    expect: G,
  },
  {
    name: 'a file got a second name elsewhere in the share',
    look: { held: FILE, share: FILE, nlink: 2, siblings: [undefined] },
    expect: FRESH,
  },
  {
    name: 'a file got a second name outside',
    look: { held: FILE, share: FILE, nlink: 2 },
    expect: undefined,
  },
  { name: 'its other names have gone: alone is as good as none', look: {}, expect: G },
  { name: 'this disk never had the link', look: { ...another }, expect: G },
  {
    name: 'it had it, and the name is another file now',
    look: { ...another, wasLinked: true },
    expect: NO_GROUP,
  },
  {
    name: 'it had it, and the name was saved anew',
    look: { ...another, wasLinked: true, observed: EDITED },
    expect: NO_GROUP,
  },
  {
    name: 'written to in place',
    look: { observed: EDITED, nlink: 2, siblings: [G] },
    expect: G,
  },
  {
    name: 'linked to a file of another group',
    look: { ...another, wasLinked: true, nlink: 3, siblings: [H] },
    expect: H,
  },
  {
    name: 'linked anew to a name of its own group',
    look: { ...another, nlink: 2, siblings: [H, G] },
    expect: G,
  },
  {
    name: 'linked again after it was said to be linked to nothing',
    look: { held: inGroup(FILE, NO_GROUP), share: inGroup(FILE, NO_GROUP), nlink: 2, siblings: [undefined] },
    expect: FRESH,
  },
  {
    name: 'linked to nothing in the share, although it has other names',
    look: { held: inGroup(FILE, NO_GROUP), share: inGroup(FILE, NO_GROUP), nlink: 2 },
    expect: NO_GROUP,
  },
  {
    name: 'what an apply that was cut off was to put there (A4)',
    look: { ...another, wasLinked: true, observed: EDITED, intents: [inGroup(EDITED, H)] },
    expect: H,
  },
  {
    name: 'a tree that was there before the share was heard of',
    look: { ...isNew, nlink: 2, siblings: [undefined], share: inGroup(FILE, H) },
    expect: H,
  },
  {
    name: 'the version that the share has by now, copied here by other means',
    look: { ...another, held: EDITED, share: inGroup(FILE, H) },
    expect: H,
  },
  {
    name: 'a reader says nothing of its own',
    look: { ...isNew, nlink: 2, states: false },
    expect: undefined,
  },
  {
    name: 'a reader passes on what was said',
    look: { ...another, wasLinked: true, nlink: 2, states: false },
    expect: G,
  },
  {
    name: 'a reader whose disk holds what the share says',
    look: { ...isNew, states: false, share: inGroup(FILE, G) },
    expect: G,
  },
]

for (const { name, look: over, expect } of CASES)
  test(`a look at ${name}`, () => {
    assert.deepEqual(observedGroup(look(over)), expect)
  })

test('a group stands among other attributes in the order of tags, and takes nothing from them', () => {
  const other = [3, Buffer.from('xattrs')] as const
  const later = [9, Buffer.from('later')] as const
  const extra = withGroup([other, later], G)
  assert.deepEqual(extra, [other, [LINK_TAG, G], later])
  assert.deepEqual(statedGroup(extra), G)
  assert.deepEqual(withGroup(extra, H), [other, [LINK_TAG, H], later])
  assert.deepEqual(withGroup(extra, undefined), [other, later])
  assert.equal(withGroup(NO_EXTRA, undefined), NO_EXTRA)
})

test('an id is what has its length; all else is passed on and means nothing', () => {
  assert.deepEqual(groupOf(inGroup(FILE, G)), G)
  for (const value of [NO_GROUP, Buffer.alloc(15, 1), Buffer.alloc(17, 1)])
    assert.equal(groupOf(inGroup(FILE, value)), undefined)
  const directory: Fact = { type: 'directory', mode: 0o755, mtimeUs: 0, extra: withGroup(NO_EXTRA, G) }
  assert.equal(groupOf(directory), undefined)
  assert.equal(groupOf(ABSENT), undefined)
})

test('files that differ in their groups alone', () => {
  assert.ok(sameButGroup(inGroup(FILE, G), inGroup(FILE, H)))
  assert.ok(sameButGroup(FILE, inGroup(FILE, NO_GROUP)))
  assert.equal(sameButGroup(FILE, EDITED), false)
  assert.equal(sameButGroup(FILE, { ...FILE, extra: [[1, Buffer.of(1)]] }), false)
  assert.deepEqual(inGroup(inGroup(FILE, G), undefined), FILE)
})

test('new ids: the same for the same file, another for another name, inode or content; the least of many', () => {
  assert.equal(FRESH.length, LINK_GROUP_BYTES)
  assert.deepEqual(newGroup(path('a'), 5, FILE.content), FRESH)
  for (const other of [
    newGroup(path('b'), 5, FILE.content),
    newGroup(path('a'), 6, FILE.content),
    newGroup(path('a'), 5, EDITED.content),
  ])
    assert.notDeepEqual(other, FRESH)
  assert.deepEqual(leastGroup([H, G, H]), G)
  assert.equal(leastGroup([]), undefined)
})
