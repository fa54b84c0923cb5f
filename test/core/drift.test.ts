import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DRIFT_KINDS, type DriftKind, driftKinds, driftState } from '../../src/core/drift.js'
import type { Extra } from '../../src/core/entry.js'
import { ABSENT, type Fact, factOf } from '../../src/core/fact.js'
import { directory, file, path, symlink } from '../support/arbitraries.js'

const extra = (...tags: [number, string][]): { extra: Extra } => ({
  extra: tags.map(([tag, text]) => [tag, Buffer.from(text)] as const),
})
const one = factOf(file({ 1: 1 }, 'one'))
const two = factOf(file({ 1: 1 }, 'two', { mtimeUs: 2000 }))
const touched = factOf(file({ 1: 1 }, 'one', { mtimeUs: 2000 }))
const locked = factOf(file({ 1: 1 }, 'one', { mode: 0o600 }))
const folder = factOf(directory({ 1: 1 }))
const folderTouched = factOf(directory({ 1: 1 }, { mtimeUs: 2000 }))
const folderLocked = factOf(directory({ 1: 1 }, { mtimeUs: 2000, mode: 0o500 }))
const link = factOf(symlink({ 1: 1 }, 'there'))
const elsewhere = factOf(symlink({ 1: 1 }, 'elsewhere'))
const dressed = (...tags: [number, string][]): Fact => ({ ...one, ...extra(...tags) }) as Fact

const cases: readonly [name: string, observed: Fact, expected: Fact, kinds: readonly DriftKind[]][] = [
  ['nothing at both', ABSENT, ABSENT, []],
  ['the same', one, one, []],
  ['gone', ABSENT, one, ['missing']],
  ['made here', one, ABSENT, ['extra']],
  ['another type is all that is said', link, one, ['type']],
  ['a folder instead of a file', folder, one, ['type']],
  ['a new content has a new time', two, one, ['content']],
  ['touched', touched, one, ['mtime']],
  ['chmod', locked, one, ['mode']],
  ['content and mode', { ...two, mode: 0o600 } as Fact, one, ['content', 'mode']],
  ['mode and time', { ...touched, mode: 0o600 } as Fact, one, ['mode', 'mtime']],
  ['a link that leads elsewhere', elsewhere, link, ['content']],
  ['times of a folder move with what is in it', folderTouched, folder, []],
  ['mode of a folder', folderLocked, folder, ['mode']],
  ['owner', dressed([1, 'me']), dressed([1, 'you']), ['owner']],
  ['ACL', dressed([2, 'me']), dressed([2, '']), ['acl']],
  ['xattr', dressed([3, '']), dressed([3, 'a=b']), ['xattr']],
  ['hard link', dressed([4, 'a']), dressed([4, 'b']), ['link']],
  [
    'all at once, in the order of the list',
    { ...two, mode: 0o600, ...extra([1, 'me'], [2, 'me'], [3, 'me'], [4, 'me']) } as Fact,
    dressed([1, ''], [2, ''], [3, ''], [4, '']),
    ['content', 'mode', 'owner', 'acl', 'xattr', 'link'],
  ],
  ['what the share has not stated', dressed([1, 'me'], [3, 'a']), dressed([3, 'a']), []],
  ['what this disk does not show', one, dressed([1, 'me'], [2, 'x']), []],
  ['a tag of a later format', dressed([99, 'a']), dressed([99, 'b']), []],
]

describe('kinds of drift', () => {
  for (const [name, observed, expected, kinds] of cases) {
    it(name, () => assert.deepEqual(driftKinds(observed, expected), kinds))
  }

  it('are numbered by their place, for ever', () => {
    assert.deepEqual(DRIFT_KINDS.slice(0, 10), [
      ...['content', 'mode', 'owner', 'acl', 'xattr', 'extra', 'missing', 'type', 'mtime', 'link'],
    ])
  })
})

describe('a drifted state', () => {
  const f = path('f')
  const state = (observed: Fact, expected: Fact, at = f): string =>
    driftState(at, observed, expected).toString('hex')

  it('is that of one path, one content here and one there', () => {
    const states = [
      state(two, one),
      state(two, one, path('g')),
      state(one, two),
      state(ABSENT, one),
      state(ABSENT, two),
      state(one, ABSENT),
      state(touched, one),
      state(locked, one),
      state(dressed([1, 'me']), dressed([1, 'you'])),
      state(folderLocked, folder),
      state(folder, one),
    ]
    assert.equal(new Set(states).size, states.length)
    assert.equal(state(two, one), state({ ...two }, { ...one }))
  })

  it('does not move with the times of a folder', () => {
    assert.equal(state(folderLocked, folder), state({ ...folderLocked, mtimeUs: 7 } as Fact, folderTouched))
  })
})
