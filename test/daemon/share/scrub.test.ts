// Looking for damage, around an index in memory and a disk that a test makes: what is called damage, what becomes of it in the
// index, and that passes come when they are due and go on where they were.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { EventFact } from '../../../src/control/schema-events.js'
import type { Fact } from '../../../src/core/fact.js'
import type { RelPath } from '../../../src/core/path.js'
import type { DiskStat } from '../../../src/core/stat.js'
import { Scrub, type ScrubOptions } from '../../../src/daemon/scrub/scrub.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import type { CheckJob, CheckResult } from '../../../src/folder/check-content.js'
import type { HashJob, HashResult } from '../../../src/folder/hash.js'
import { silentLog } from '../../../src/ports/log.js'
import { isDamaged } from '../../../src/store/due.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import { packLayout, unpackLayout } from '../../../src/store/pieces.js'
import type { ShareIndex } from '../../../src/store/share-index.js'
import { contentOf } from '../../sim/contents.js'
import { at, fileFact, ME, newIndex } from './support.js'

const DAY_MS = 86_400_000

interface Bed {
  readonly index: ShareIndex
  readonly problems: ProblemBook
  readonly scrub: Scrub
  readonly events: EventFact[]
  readonly rescans: string[]
  /** Paths read, in order; again: with a mark. */
  readonly read: string[]
  /** What a path really holds; others hold what the index says. */
  readonly held: Map<string, readonly number[]>
  /** Answers to checks of a path, one after the other, before what it holds counts. */
  readonly answers: Map<string, CheckResult[]>
  /** Awaited before a batch is read. */
  beforeRead: () => Promise<void> | void
  nowMs: number
  haltReason: string | undefined
}

function bed(
  names: readonly string[],
  over: Partial<ScrubOptions> = {},
  database = new MemoryDatabase(),
): Bed {
  const index = newIndex()
  const problems = new ProblemBook(() => bench.nowMs)
  const known = new Map<string, readonly number[]>()
  index.transaction(() => {
    for (const [i, name] of names.entries()) {
      known.set(name, [i + 1])
      const fact = fileFact([i + 1])
      const applied = { version: [[ME, i + 1]] as const, fact }
      index.setDisk(at(name), { applied, stat: statOf(i, fact), drift: undefined }, layoutOf([i + 1]))
    }
  })
  const check = (job: CheckJob, again: boolean): CheckResult => {
    bench.read.push(again ? `${job.path} again` : job.path)
    const answer = bench.answers.get(job.path)?.shift()
    if (answer !== undefined) return answer
    return bench.held.has(job.path) ? { status: 'damaged', bad: [0], unreadable: false } : { status: 'good' }
  }
  const hash = ({ path }: HashJob): HashResult => {
    const chunks = bench.held.get(path) ?? known.get(path)!
    const { id } = contentOf(chunks)
    const pieces = unpackLayout(layoutOf(chunks))
    return {
      status: 'ok',
      stat: index.disk(at(path))!.stat!,
      content: id,
      pieces: Buffer.concat(pieces.map((piece) => piece.id)),
      lengths: Uint32Array.from(pieces.map(({ length }) => length)),
    }
  }
  const pool = {
    async checkContent(_root: string, _keys: unknown, jobs: readonly CheckJob[], again: boolean) {
      await bench.beforeRead()
      return jobs.map((job) => check(job, again))
    },
    hash: async (_root: string, _keys: unknown, jobs: readonly HashJob[]) => jobs.map(hash),
  }
  const context = {
    ...{ root: '/share', index, pool, problems, log: silentLog, pieceKeys: {} },
    checkRoot: async () => undefined,
    haltReason: () => bench.haltReason,
    fail: (thrown: unknown) => {
      throw thrown
    },
  } as unknown as ScrubOptions['context']
  const bench: Bed = {
    ...{ index, problems, read: [], events: [], rescans: [], held: new Map(), answers: new Map() },
    ...{ nowMs: 10 * DAY_MS, haltReason: undefined, beforeRead: () => undefined },
    scrub: new Scrub({
      ...{ context, database, prefix: 's:', nowMs: () => bench.nowMs, everyMs: 0 },
      note: (fact) => bench.events.push(fact),
      rescan: (directories) => bench.rescans.push(...directories),
      onDamage: () => undefined,
      onChange: () => undefined,
      mustRun: () => {
        if (bench.haltReason !== undefined) throw new Error(bench.haltReason)
      },
      ...over,
    }),
  }
  return bench
}

function statOf(ino: number, fact: Fact & { type: 'file' }): DiskStat {
  return {
    ...{
      type: 'file',
      mode: fact.mode,
      size: fact.size,
      mtimeMs: fact.mtimeUs / 1000,
      ctimeMs: 5,
      ino: ino + 1,
    },
    ...{ dev: 1, nlink: 1, uid: 0, gid: 0 },
  }
}

function layoutOf(chunks: readonly number[]): Buffer {
  const { pieces } = contentOf(chunks)
  return packLayout(pieces)
}

const rowOf = ({ index }: Bed, name: string) => index.disk(name as RelPath)!

describe('a pass', () => {
  it('reads all, and notes what is damaged as something to be undone, whatever the policy', async () => {
    const bench = bed(['a', 'b', 'c'])
    bench.held.set('b', [77])
    const ended = await bench.scrub.verify()
    assert.deepEqual([ended.files, ended.damaged, ended.changed, ended.unread], [2, 1, 0, 0])
    assert.deepEqual(bench.read, ['a', 'b', 'c', 'b again'])
    const row = rowOf(bench, 'b')
    assert.deepEqual(row.drift?.kinds, ['damage'])
    assert.ok(row.drift?.fact.type === 'file' && row.drift.fact.content.equals(contentOf([77]).id))
    assert.deepEqual(bench.index.layout(at('b')), layoutOf([77]))
    assert.equal(rowOf(bench, 'a').drift, undefined)
    assert.deepEqual(
      bench.problems.list().map(({ path, code }) => [path, code]),
      [['b', 'DAMAGED']],
    )
    assert.deepEqual(bench.events.at(-1), { type: 'verified', files: 2, bytes: ended.bytes, damaged: 1 })
    assert.deepEqual(bench.scrub.section.open, 1)
    // Damaged already: not found twice.
    assert.equal((await bench.scrub.verify()).damaged, 0)
    assert.deepEqual([bench.scrub.summary.found, bench.scrub.summary.repaired], [1, 0])
  })

  it('believes no first reading, and leaves what changed, is written or cannot be read to others', async () => {
    const bench = bed(['d/changed', 'd/busy', 'd/failed', 'd/later', 'd/flicker', 'd/fine'])
    const damaged: CheckResult = { status: 'damaged', bad: [0], unreadable: false }
    bench.answers.set('d/changed', [{ status: 'changed' }])
    bench.answers.set('d/busy', [damaged, { status: 'busy' }])
    bench.answers.set('d/failed', [{ status: 'failed', code: 'EACCES', detail: 'no' }])
    bench.answers.set('d/later', [damaged, { status: 'changed' }])
    bench.answers.set('d/flicker', [damaged, { status: 'good' }])
    const ended = await bench.scrub.verify()
    assert.deepEqual([ended.files, ended.damaged, ended.changed, ended.unread], [2, 0, 3, 1])
    assert.equal(bench.problems.size, 0)
    assert.deepEqual([...new Set(bench.rescans)], ['d'])
    for (const { row } of bench.index.diskRows()) assert.equal(row.drift, undefined)
  })

  it('says nothing of a row that has become another while it was read', async () => {
    const bench = bed(['a'])
    bench.held.set('a', [77])
    let reads = 0
    bench.beforeRead = () => {
      if (++reads < 2) return
      // A user's edit was published between the two readings.
      bench.index.transaction(() => {
        const fact = fileFact([9])
        const applied = { version: [[ME, 9]] as const, fact }
        bench.index.setDisk(at('a'), { applied, stat: statOf(40, fact), drift: undefined }, layoutOf([9]))
      })
    }
    const ended = await bench.scrub.verify()
    assert.deepEqual([ended.damaged, ended.changed], [0, 1])
    assert.equal(rowOf(bench, 'a').drift, undefined)
  })

  it('hears that a whole copy took its place, or that a user put one there', async () => {
    const bench = bed(['a', 'b'])
    bench.held.set('a', [77]).set('b', [78])
    await bench.scrub.verify()
    const row = rowOf(bench, 'a')
    assert.ok(isDamaged(row))
    bench.index.transaction(() => {
      bench.index.setDisk(at('a'), { ...row, drift: undefined }, layoutOf([1]))
      assert.ok(bench.scrub.noteEnded({ path: at('a'), row, isRestore: true, archived: '2026-11-22/a' }))
    })
    const { drift: _, ...healed } = rowOf(bench, 'b')
    bench.index.transaction(() =>
      bench.index.setDisk(at('b'), { ...healed, drift: undefined }, layoutOf([2])),
    )
    assert.deepEqual(bench.scrub.summary.open, [])
    assert.deepEqual([bench.scrub.summary.found, bench.scrub.summary.repaired], [2, 1])
    assert.equal(bench.problems.size, 0)
    assert.ok(
      !bench.scrub.noteEnded({ path: at('b'), row: rowOf(bench, 'b'), isRestore: true, archived: undefined }),
    )
  })

  it('ends when it is stopped, and goes on there in the next run', async () => {
    const names = Array.from({ length: 600 }, (_, i) => `f${String(i).padStart(3, '0')}`)
    const database = new MemoryDatabase()
    const first = bed(names, {}, database)
    let batches = 0
    first.beforeRead = () => {
      if (++batches === 2) void first.scrub.stop()
    }
    await assert.rejects(first.scrub.verify(), { code: 'SHARE_HALTED' })
    assert.ok(first.read.length < 600, `${first.read.length}`)
    const second = bed(names, {}, database)
    const ended = await second.scrub.verify()
    assert.equal(ended.files, 600)
    assert.ok(second.read.length < 600, 'what the first run had read is not read again')
    assert.equal(second.scrub.summary.pass, undefined)
    assert.equal((await second.scrub.verify()).files, 600)
  })

  it('does nothing while the share is halted', async () => {
    const bench = bed(['a'])
    bench.haltReason = 'the marker is gone'
    await assert.rejects(bench.scrub.verify(), /marker/)
    assert.deepEqual(bench.read, [])
  })
})

describe('the schedule', () => {
  it('has a pass begin when one is due', async () => {
    let ended: () => void = () => undefined
    const bench = bed(['a'], { everyMs: 7 * DAY_MS, tickMs: 1, note: () => ended() })
    bench.scrub.start()
    assert.equal(bench.scrub.summary.dueMs, 17 * DAY_MS)
    const done = new Promise<void>((resolve) => {
      ended = resolve
    })
    // The timer that looks whether a pass is due keeps no process alive.
    const alive = setInterval(() => undefined, 1000)
    bench.nowMs = 17 * DAY_MS
    await done
    clearInterval(alive)
    assert.deepEqual(bench.read, ['a'])
    assert.equal(bench.scrub.summary.dueMs, 24 * DAY_MS)
    bench.scrub.everyMs = 0
    assert.equal(bench.scrub.summary.dueMs, undefined)
    await bench.scrub.stop()
  })
})
