// What of the past a policy keeps: which instants, that nothing let go is asked for again, and what a size limit takes.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  CLOCK_SLACK_MS,
  HistoryBudget,
  KEEP_ALL,
  keeperOf,
  keptGenerations,
  type Retention,
  snapshotTimes,
} from '../../src/core/retention.js'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const NONE: Retention = { ...KEEP_ALL, keepMs: 0 }

function times(policy: Partial<Retention>, now: string, oldest = '2020-01-01T00:00Z'): string[] {
  return snapshotTimes({ ...NONE, ...policy }, Date.parse(now), Date.parse(oldest)).map((time) =>
    new Date(time).toISOString().slice(0, 16),
  )
}

const policies: fc.Arbitrary<Retention> = fc.record({
  keepMs: fc.integer({ min: 0, max: 90 * DAY }),
  hourly: fc.integer({ min: 0, max: 60 }),
  daily: fc.integer({ min: 0, max: 40 }),
  weekly: fc.integer({ min: 0, max: 30 }),
  monthly: fc.integer({ min: 0, max: 30 }),
  maxBytes: fc.constant(undefined),
})
const instants = fc.integer({ min: Date.UTC(2024, 0), max: Date.UTC(2028, 0) })

describe('snapshots', () => {
  it('are the ends of the last full hours, days, weeks from Monday on, and months', () => {
    const now = '2026-03-04T15:20Z'
    assert.deepEqual(times({ hourly: 2 }, now), ['2026-03-04T14:00', '2026-03-04T15:00'])
    assert.deepEqual(times({ daily: 2 }, now), ['2026-03-03T00:00', '2026-03-04T00:00'])
    assert.deepEqual(times({ weekly: 2 }, now), ['2026-02-23T00:00', '2026-03-02T00:00'])
    assert.deepEqual(times({ monthly: 4 }, now), [
      '2025-12-01T00:00',
      '2026-01-01T00:00',
      '2026-02-01T00:00',
      '2026-03-01T00:00',
    ])
  })

  it('are named once each, and none from before anything was there', () => {
    assert.deepEqual(times({ hourly: 1, daily: 3, monthly: 2 }, '2026-03-01T00:00Z', '2026-02-27T08:00Z'), [
      '2026-02-28T00:00',
      '2026-03-01T00:00',
    ])
  })

  it('never come back once they are gone', () => {
    fc.assert(
      fc.property(policies, instants, instants, instants, (policy, a, b, oldest) => {
        const [before, after] = a < b ? [a, b] : [b, a]
        const then = new Set(snapshotTimes(policy, before, oldest))
        for (const time of snapshotTimes(policy, after, oldest)) if (time <= before) assert.ok(then.has(time))
      }),
    )
  })
})

describe('what is kept', () => {
  const at = (atMs: number) => ({ atMs, earliestMs: atMs, latestMs: atMs })

  it('is what stood within the last while, whole', () => {
    const now = Date.UTC(2026, 5, 1)
    const generations = [at(now - 9 * DAY), at(now - 5 * DAY), at(now - 2 * DAY)]
    assert.deepEqual(keptGenerations(generations, { ...NONE, keepMs: 3 * DAY }, now), [false, true, true])
    assert.deepEqual(keptGenerations(generations, { ...NONE, keepMs: 6 * DAY }, now), [true, true, true])
    assert.deepEqual(keptGenerations(generations, NONE, now), [false, false, true])
    assert.deepEqual(keptGenerations(generations, KEEP_ALL, now), [true, true, true])
  })

  it('is what stood at a snapshot', () => {
    const now = Date.UTC(2026, 5, 1, 12)
    const generations = [
      at(now - 80 * DAY),
      at(now - 33 * DAY),
      at(now - 32 * DAY),
      at(now - 31 * DAY),
      at(now - 2 * DAY),
    ]
    // The 1st of May, 0 h, is 31.5 days before; the 1st of June half a day.
    assert.deepEqual(keptGenerations(generations, { ...NONE, monthly: 2 }, now), [
      false,
      false,
      true,
      false,
      true,
    ])
  })

  it('is what stood a little before, too: clocks of writers differ', () => {
    const now = Date.UTC(2026, 5, 1)
    const ended = (beforeMs: number) => [at(now - DAY), at(now - beforeMs), at(now)]
    assert.deepEqual(keptGenerations(ended(CLOCK_SLACK_MS), NONE, now), [false, true, true])
    assert.deepEqual(keptGenerations(ended(CLOCK_SLACK_MS - 1), NONE, now), [true, true, true])
  })

  it('always is the newest generation, wherever the clocks stand', () => {
    fc.assert(
      fc.property(policies, instants, fc.array(instants, { minLength: 1 }), (policy, now, all) => {
        assert.equal(keptGenerations(all.map(at), policy, now).at(-1), true)
      }),
    )
  })

  it('covers every instant that is kept, whatever the clock of the writer did', () => {
    fc.assert(
      fc.property(
        policies,
        instants,
        fc.array(instants, { minLength: 1, maxLength: 8 }),
        (policy, now, all) => {
          const generations = all.map(at)
          const kept = keptGenerations(generations, policy, now)
          for (const time of snapshotTimes(policy, now, Math.min(now, ...all))) {
            // Who reads the records up to a time finds the checkpoint that is the last of those not after it.
            const current = all.findLastIndex((begin) => begin <= time)
            if (current >= 0) assert.ok(kept[current], `${new Date(time).toISOString()} is not covered`)
          }
        },
      ),
    )
  })

  it('is never asked for again once it went', () => {
    const span = fc
      .tuple(instants, instants)
      .map(([a, b]) => ({ fromMs: Math.min(a, b), untilMs: Math.max(a, b) }))
    fc.assert(
      fc.property(policies, instants, instants, span, (policy, a, b, one) => {
        const [before, after] = a < b ? [a, b] : [b, a]
        // What goes was known by then.
        if (one.untilMs > before) return
        if (keeperOf(policy, after, one.fromMs)(one)) assert.ok(keeperOf(policy, before, one.fromMs)(one))
      }),
    )
  })
})

describe('a limit of size', () => {
  it('takes the oldest history first, and nothing that is live', () => {
    const budget = new HistoryBudget()
    budget.add(Number.POSITIVE_INFINITY, 1000)
    budget.add(30, 5)
    budget.add(10, 7)
    budget.add(20, 6)
    budget.add(10, 1)
    assert.equal(budget.total, 19)
    assert.equal(budget.horizonMs(undefined), Number.NEGATIVE_INFINITY)
    assert.equal(budget.horizonMs(19), Number.NEGATIVE_INFINITY)
    assert.equal(budget.horizonMs(18), 10)
    assert.equal(budget.horizonMs(11), 10)
    assert.equal(budget.horizonMs(10), 20)
    assert.equal(budget.horizonMs(0), 30)
  })
})
