// A directory's ctime moves with our own work in it: its stat alone does not tell what a user has changed meanwhile.
import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { packShown } from '../../../src/core/shown.js'
import type { DiskStat } from '../../../src/core/stat.js'
import { lookAgain, noteTimes } from '../../../src/daemon/share/directory-times.js'
import type { CommitResult } from '../../../src/folder/commit-job.js'
import type { DiskRow } from '../../../src/store/rows.js'
import { packed } from '../../folder/attribute-kit.js'
import { at, type Bench, newBench } from './support.js'

const SCOPE = { acls: true, xattrs: ['user.*'] }
const BEFORE = packed({ 'user.a': 'one' })
const OTHER = packed({ 'user.a': 'two' })

/** A bench whose index knows a directory, perhaps without a stat. */
function having(over: Partial<DiskRow>): { readonly bench: Bench; readonly known: DiskStat } {
  const bench = newBench({})
  bench.disk.directory('d', { mtimeMs: 5 })
  const known = bench.disk.stat('d')
  const fact = { type: 'directory', mode: known.mode, mtimeUs: 5000, extra: [] } as const
  const row: DiskRow = { applied: { version: [], fact }, stat: known, drift: undefined, ...over }
  bench.index.transaction(() => bench.index.setDisk(at('d'), row, undefined))
  return { bench, known }
}

/** What is known of its stat after its time was set, when it showed these attributes and had this owner. */
function noted(
  bench: Bench,
  known: DiskStat,
  attributes: Buffer | undefined,
  uid = known.uid,
): DiskStat | undefined {
  const stat = { ...known, uid, ctimeMs: known.ctimeMs + 7 }
  const shown = attributes === undefined ? {} : { shown: { undressed: [], attributes } }
  const result: CommitResult = { status: 'done', stat, ...shown }
  bench.index.transaction(() => noteTimes(bench.index, [at('d')], [result]))
  const after = bench.index.disk(at('d'))?.stat
  return after?.ctimeMs === stat.ctimeMs ? after : undefined
}

describe('A9: the stat of a directory whose time was put back is known', () => {
  const raw = [['user.a', Buffer.from('one')] as const]

  it('if it shows the attributes that it showed before, or none are carried', () => {
    for (const attributes of [BEFORE, undefined]) {
      const { bench, known } = having({ shown: packShown(raw, SCOPE)! })
      assert.notEqual(noted(bench, known, attributes), undefined)
    }
  })

  it('but not if a user has changed them meanwhile: the next look is to see that', () => {
    const { bench, known } = having({ shown: packShown(raw, SCOPE)! })
    assert.equal(noted(bench, known, OTHER), undefined)
  })

  it('nor if what we had just made there was changed before we could look at it, be it only its owner', () => {
    const { bench, known } = having({ stat: undefined })
    assert.equal(noted(bench, known, undefined, 12345), undefined)
    assert.equal(bench.index.disk(at('d'))?.stat, undefined)
  })
})

describe('a directory that shows other attributes than its row says', () => {
  it('has a stat afterwards that none ever has, so that every look sees it', () => {
    const { bench, known } = having({})
    bench.index.transaction(() => lookAgain(bench.index, at('d')))
    assert.deepEqual(bench.index.disk(at('d'))?.stat, { ...known, ctimeMs: 0 })
    // And is not noted again: that would have it tried again at once, for ever, if it is not there.
    const row = bench.index.disk(at('d'))
    const noted = mock.method(bench.index, 'setDisk')
    lookAgain(bench.index, at('d'))
    assert.equal(noted.mock.callCount(), 0)
    assert.deepEqual(bench.index.disk(at('d')), row)
  })
})
