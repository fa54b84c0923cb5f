import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Entry } from '../../src/core/entry.js'
import { ABSENT, type Fact } from '../../src/core/fact.js'
import { DEFAULT_DIRECTORY, entryOf, settle } from '../../src/core/tree.js'
import { advance, type Version } from '../../src/core/version.js'
import { wasOnDisk } from '../../src/store/own-tail.js'
import { path, writer } from '../support/arbitraries.js'

const [OWN, OTHER] = [writer(1), writer(2)]
const LINK: Fact = { type: 'symlink', target: 'there', mtimeUs: 7, extra: [] }
const MADE: Fact = { ...DEFAULT_DIRECTORY, mtimeUs: 8 }

function said(fact: Fact, base: Version, counter: number): Entry {
  const draft = { path: path('a'), base, fact, origin: undefined, was: undefined }
  return entryOf(draft, { author: OWN, version: advance(base, OWN, counter), pieces: [], nowUs: 9 })
}

describe('what the own tail says of a directory in the place of something else', () => {
  it('A4 it was on the disk if nobody else ever spoke of the path and it is not as settling makes it', () => {
    const version: Version = [[OWN, 3]]
    assert.equal(wasOnDisk(said(MADE, version, 4), { version, fact: LINK }), true)
    // Settling has nothing to remember one by here.
    const context = { headsAt: () => [], labelOf: () => 'box' }
    const settled = settle(path('a'), [said(LINK, [], 3)], true, context).at(-1)!
    assert.deepEqual(settled.base, version)
    assert.equal(wasOnDisk(said(settled.fact, settled.base, 4), { version, fact: LINK }), false)
  })

  it('A4 it may be a settlement where it may be made as a deleted one was', () => {
    const version: Version = [[OWN, 3]]
    assert.equal(wasOnDisk(said(MADE, version, 4), { version, fact: ABSENT }), false)
    // Another's deletion that lost may have remembered it.
    const joined: Version = [
      [OWN, 3],
      [OTHER, 1],
    ].sort() as unknown as Version
    assert.equal(wasOnDisk(said(MADE, joined, 4), { version: joined, fact: LINK }), false)
  })

  it('A4 a directory that another device said last was settled, whatever the disk had of it by then', () => {
    const base: Version = [[OTHER, 1]]
    const link = said(LINK, [], 3)
    const theirs = entryOf(
      {
        path: path('a'),
        base: [],
        fact: { ...DEFAULT_DIRECTORY, mtimeUs: 5 },
        origin: undefined,
        was: undefined,
      },
      { author: OTHER, version: base, pieces: [], nowUs: 9 },
    )
    const context = { headsAt: () => [], labelOf: () => 'box' }
    const settled = settle(path('a'), [theirs, link], false, context).at(-1)!
    assert.deepEqual([settled.path, settled.fact.type, settled.origin], ['a', 'directory', OTHER])
    const version = advance(settled.base, OWN, 4)
    const entry = entryOf(settled, { author: OWN, version, pieces: [], nowUs: 9 })
    const applied = { version: settled.base, fact: MADE }
    assert.equal(wasOnDisk(entry, applied), false)
    assert.equal(
      wasOnDisk(said({ ...MADE, mtimeUs: 10 }, settled.base, 4), applied),
      true,
      'as a look says it',
    )
  })
})
