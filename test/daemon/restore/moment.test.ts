// Which records of a feed make up a moment.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spanAt, type TimedFeed } from '../../../src/daemon/restore/moment.js'

interface Made extends TimedFeed {
  readonly asked: number[]
}

/** A feed whose records have these times; `gone`: so many of the oldest are not kept; `checkpoint` begins at that block. */
function feedOf(times: readonly number[], gone = 0, checkpoint?: number): Made {
  const asked: number[] = []
  return {
    name: 'box',
    asked,
    length: times.length,
    header: async (index) => {
      asked.push(index)
      if (index < gone) return undefined
      const newest = checkpoint !== undefined && index > checkpoint ? checkpoint : undefined
      return { kind: 'delta', timeMs: times[index]!, view: [], checkpoint: newest }
    },
    has: async (from) => from >= gone,
  }
}

test('all records up to the moment, the moment included', async () => {
  const times = [10, 20, 20, 30, 50]
  for (let atMs = 0; atMs < 60; atMs++) {
    const to = times.filter((time) => time <= atMs).length
    assert.deepEqual(await spanAt(feedOf(times), atMs), { from: 0, to }, `at ${atMs}`)
  }
  assert.deepEqual(await spanAt(feedOf(times), undefined), { from: 0, to: 5 })
  assert.deepEqual(await spanAt(feedOf([]), undefined), { from: 0, to: 0 })
})

test('a long feed costs few records', async () => {
  const feed = feedOf(Array.from({ length: 100_000 }, (_, i) => i))
  assert.deepEqual(await spanAt(feed, 77_777), { from: 0, to: 77_778 })
  assert.ok(feed.asked.length < 20, `${feed.asked.length}`)
})

test('F3: where the oldest are gone it begins at the checkpoint of that time', async () => {
  const times = Array.from({ length: 20 }, (_, i) => i)
  assert.deepEqual(await spanAt(feedOf(times, 8, 8), 15), { from: 8, to: 16 })
  assert.deepEqual(await spanAt(feedOf(times, 8, 8), undefined), { from: 8, to: 20 })
})

test('a moment of which the records are gone is refused, and it says since when there are any', async () => {
  const times = Array.from({ length: 20 }, (_, i) => Date.UTC(2026, 0, 1 + i))
  await assert.rejects(spanAt(feedOf(times, 8, 8), Date.UTC(2026, 0, 3)), {
    code: 'NOT_FOUND',
    message: /box had written of 2026-01-03T.* not kept here any more; it begins at 2026-01-09/,
  })
})

test('a record that cannot be read is in the span, where it may be of that time: who gets there says so', async () => {
  for (const asksNobody of [true, false])
    for (const bad of [0, 2, 4]) {
      const feed = feedOf([0, 10, 20, 30, 40])
      const header = async (index: number): ReturnType<Made['header']> =>
        index === bad ? undefined : feed.header(index)
      for (const [atMs, count] of [
        [bad * 10 - 1, bad],
        [bad * 10 + 5, bad + 1],
        [100, 5],
      ] as const) {
        if (count === 0) continue
        const { to } = await spanAt({ ...feed, header, asksNobody }, atMs)
        assert.ok(to >= count && to <= Math.max(count, bad + 1), `${bad} at ${atMs}: ${to}`)
      }
    }
})
