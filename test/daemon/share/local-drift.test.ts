// What is done about a reader's changes, on an index in memory and a clock that the test moves.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { openAcknowledgement } from '../../../src/core/acknowledgement.js'
import { deviceKeysOf } from '../../../src/core/device.js'
import { driftKinds } from '../../../src/core/drift.js'
import { type DriftRule, RESTORE_ALL } from '../../../src/core/drift-rules.js'
import { ABSENT, type Fact } from '../../../src/core/fact.js'
import { shareIdFromBytes } from '../../../src/core/ids.js'
import { NOTHING_APPLIED } from '../../../src/core/local.js'
import type { RelPath } from '../../../src/core/path.js'
import { NO_VERSION } from '../../../src/core/version.js'
import { LocalDrift } from '../../../src/daemon/share/local-drift.js'
import { silentLog } from '../../../src/ports/log.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import type { DiskRow } from '../../../src/store/rows.js'
import { ShareIndex } from '../../../src/store/share-index.js'
import { at, fileFact } from './support.js'

const START = 1_760_000_000_000
const HOUR = 3_600_000
const DAY = 24 * HOUR
const SHARE = shareIdFromBytes(Buffer.alloc(32, 1))
const DEVICE = deviceKeysOf(Buffer.alloc(32, 2))
const STAT = {
  type: 'file',
  mode: 0o644,
  size: 1,
  mtimeMs: 1,
  ctimeMs: 1,
  ino: 1,
  dev: 1,
  nlink: 1,
} as DiskRow['stat']

interface Bench {
  readonly drift: LocalDrift
  readonly index: ShareIndex
  readonly changes: () => number
  /** The disk is found to hold this where the share has nothing. */
  find(path: string, fact: Fact): DiskRow
  /** What was found is put back, as a commit does. */
  undo(path: string, archived?: string): void
  step(path: string): string
  pass(ms: number): void
  again(rules?: readonly DriftRule[], device?: typeof DEVICE): Bench
}

function newBench(t: TestContext, rules: readonly DriftRule[]): Bench {
  t.mock.timers.enable({ apis: ['setTimeout', 'setImmediate', 'Date'], now: START })
  return benchOn(t, new MemoryDatabase(), rules)
}

function benchOn(
  t: TestContext,
  database: MemoryDatabase,
  rules: readonly DriftRule[],
  device: typeof DEVICE = DEVICE,
): Bench {
  let changes = 0
  const drift: LocalDrift = new LocalDrift({
    ...{ database, prefix: 's:', shareId: SHARE, device, rules, log: silentLog },
    nowMs: () => Date.now(),
    onChange: () => changes++,
    mustRun: () => undefined,
  })
  const index = new ShareIndex(database, 's:', {
    overwriteDrift: (path, row) => drift.isToBeUndone(path, row),
    isIgnored: () => false,
  })
  drift.start(index)
  t.after(() => drift.stop())
  const put = (path: RelPath, row: DiskRow): void =>
    index.transaction(() => index.setDisk(path, row, undefined))
  return {
    drift,
    index,
    changes: () => changes,
    find: (path, fact) => {
      const before = index.disk(at(path))
      const kinds = driftKinds(fact, ABSENT)
      const sinceMs = before?.drift?.sinceMs ?? Date.now()
      const row: DiskRow = { applied: NOTHING_APPLIED, stat: STAT, drift: { kinds, sinceMs, fact } }
      put(at(path), row)
      return row
    },
    undo: (path, archived) => {
      const row = index.disk(at(path))!
      index.transaction(() => {
        const applied = { version: NO_VERSION, fact: ABSENT }
        index.setDisk(at(path), { applied, stat: undefined, drift: undefined }, undefined)
        drift.noteEnded({ path: at(path), row, isRestore: true, archived })
      })
    },
    step: (path) => index.step(at(path)).type,
    pass: (ms) => {
      // What was put off to the next turn comes first, and may set a timer.
      t.mock.timers.tick(1)
      t.mock.timers.tick(ms - 1)
    },
    again: (now = rules, other = device) => {
      drift.stop()
      return benchOn(t, database, now, other)
    },
  }
}

test('a change is undone at once, and when it comes again, after a pause; the index hears of its end', (t) => {
  const bench = newBench(t, RESTORE_ALL)
  bench.find('f', fileFact([1]))
  assert.equal(bench.step('f'), 'remove')
  bench.undo('f')
  bench.find('f', fileFact([1]))
  assert.equal(bench.step('f'), 'none')
  assert.equal(bench.index.isWanted(at('f')), false)
  const item = bench.drift.item(at('f'))!
  assert.deepEqual([item.restores, item.notBeforeMs], [1, START + 1000])
  assert.deepEqual(
    [bench.drift.summary().waiting, bench.drift.summary().nextRestoreMs, bench.drift.summary().restored],
    [1, START + 1000, 1],
  )
  bench.pass(999)
  assert.equal(bench.step('f'), 'none')
  const before = bench.changes()
  bench.pass(60)
  assert.equal(bench.step('f'), 'remove')
  assert.ok(bench.index.isWanted(at('f')) && bench.changes() > before)
})

test('a pace is kept over a restart from the second time on, and ends with a quiet time', (t) => {
  const bench = newBench(t, RESTORE_ALL)
  for (const pauseMs of [1000, 2000, 4000]) {
    bench.find('f', fileFact([1]))
    bench.undo('f')
    bench.pass(pauseMs + 1)
  }
  bench.undo('f')
  const after = bench.again()
  after.find('f', fileFact([1]))
  assert.deepEqual([after.step('f'), after.drift.item(at('f'))?.restores], ['none', 4])
  assert.equal(after.drift.summary().restored, 4)
  after.pass(8000)
  after.undo('f')
  after.pass(HOUR)
  after.find('f', fileFact([1]))
  assert.deepEqual([after.step('f'), after.drift.item(at('f'))?.restores], ['remove', 0])
})

test('other rules hold for what is there already', (t) => {
  const bench = newBench(t, [])
  bench.find('f', fileFact([1]))
  bench.find('tmp/f', fileFact([2]))
  assert.deepEqual([bench.step('f'), bench.step('tmp/f')], ['none', 'none'])
  bench.drift.setRules([{ match: ['tmp/'], policy: 'restore' }])
  assert.deepEqual([bench.step('f'), bench.step('tmp/f')], ['none', 'remove'])
  assert.deepEqual([...bench.drift.items()].map(({ path, policy }) => [path, policy]).sort(), [
    ['f', 'report'],
    ['tmp/f', 'restore'],
  ])
  // As after a restart with another configuration.
  const after = bench.again(RESTORE_ALL)
  assert.deepEqual([after.step('f'), after.step('tmp/f')], ['remove', 'remove'])
  assert.deepEqual(after.index.wantedAfter(undefined, 9), ['f', 'tmp/f'])
})

test('an acknowledgement holds for one state, until its time is up, over a restart, and for this device alone', (t) => {
  const bench = newBench(t, RESTORE_ALL)
  bench.find('f', fileFact([1]))
  assert.throws(() => bench.drift.acknowledge(at('g'), 'why', DAY), { code: 'NOT_FOUND' })
  assert.throws(() => bench.drift.acknowledge(at('f'), 'two\nlines', DAY), { code: 'USAGE' })
  assert.throws(() => bench.drift.acknowledge(at('f'), 'why', 400 * DAY), { code: 'USAGE' })
  const { acknowledgement } = bench.drift.acknowledge(at('f'), 'why', DAY)
  assert.equal(openAcknowledgement(acknowledgement!.bytes, at('f'), SHARE).type, 'ok')
  assert.deepEqual([bench.step('f'), bench.drift.open, bench.drift.summary().acknowledged], ['none', 0, 1])
  bench.find('f', fileFact([2]))
  assert.deepEqual([bench.step('f'), bench.drift.open], ['remove', 1])
  // The very state that was meant comes back.
  bench.find('f', fileFact([1]))
  assert.equal(bench.drift.open, 0)
  const after = bench.again()
  assert.deepEqual([after.step('f'), after.drift.open], ['none', 0])
  after.pass(DAY - 1)
  assert.equal(after.drift.open, 0)
  after.pass(60)
  assert.deepEqual([after.step('f'), after.drift.open, after.drift.summary().acknowledged], ['remove', 1, 0])
  assert.throws(() => after.drift.withdraw(at('f')), { code: 'NOT_FOUND' })
})

test('what another identity of this device has said is not its word (F4)', (t) => {
  const bench = newBench(t, RESTORE_ALL)
  bench.find('f', fileFact([1]))
  bench.drift.acknowledge(at('f'), 'why', DAY)
  const other = bench.again(RESTORE_ALL, deviceKeysOf(Buffer.alloc(32, 3)))
  assert.deepEqual([other.step('f'), other.drift.open], ['remove', 1])
  assert.equal(other.again(RESTORE_ALL, DEVICE).drift.open, 1)
})

test('extra files are told to go as they are: one that is changed meanwhile is left', async (t) => {
  const bench = newBench(t, [])
  for (const name of ['changed', 'failed', 'gone', 'meant', 'd/in']) bench.find(name, fileFact([1]))
  bench.drift.acknowledge(at('meant'), 'why', DAY)
  const all = bench.drift.archiveExtras(undefined)
  await Promise.resolve()
  assert.deepEqual(
    ['changed', 'gone', 'd/in', 'meant'].map((name) => bench.step(name)),
    ['remove', 'remove', 'remove', 'none'],
  )
  bench.undo('gone', '2025-10-09/gone')
  bench.find('changed', fileFact([2]))
  assert.equal(bench.step('changed'), 'none')
  bench.drift.noteFailed(at('failed'), 'EACCES', 'permission denied')
  // Nothing comes of the last one.
  bench.pass(15_001)
  assert.deepEqual(await all, {
    moved: [{ path: 'gone', to: '2025-10-09/gone' }],
    left: [
      { path: 'changed', code: 'CHANGED', detail: 'it was changed meanwhile' },
      { path: 'failed', code: 'EACCES', detail: 'permission denied' },
      { path: 'd/in', code: 'BUSY', detail: 'it is still waited for' },
    ],
  })
  assert.deepEqual(
    ['changed', 'failed', 'd/in'].map((name) => bench.step(name)),
    ['none', 'none', 'none'],
  )
  // Not counted as put back: somebody asked for it.
  assert.equal(bench.drift.summary().restored, 0)
})
