import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type MissingRun, RunGatherer } from '../../../src/daemon/blind/missing-runs.js'
import type { AnnouncedPiece } from '../../../src/store/blind-index.js'

const LIMITS = { maxBytes: 1000, maxPieces: 5 }

interface Missing {
  readonly feed: number
  readonly number: number
  readonly length: number
  readonly isAlone: boolean
}

/** Ascending by feed and number. */
const missing = fc
  .uniqueArray(
    fc.record({
      feed: fc.integer({ min: 1, max: 2 }),
      number: fc.nat(30),
      length: fc.integer({ min: 1, max: 600 }),
      isAlone: fc.boolean(),
    }),
    { selector: ({ feed, number }) => feed * 100 + number },
  )
  .map((all) => all.sort((a, b) => a.feed - b.feed || a.number - b.number))

function gather(all: readonly Missing[]): MissingRun[] {
  const runs: MissingRun[] = []
  const gatherer = new RunGatherer(LIMITS, (run) => runs.push(run))
  for (const { feed, number, length, isAlone } of all)
    gatherer.add(feed, { number, length } as AnnouncedPiece, isAlone)
  gatherer.end()
  return runs
}

test('runs of what is missing: each piece is in one, in order, and none is longer than it may be', () => {
  fc.assert(
    fc.property(missing, (all) => {
      const runs = gather(all)
      const gathered = runs.flatMap(({ feed, pieces }) => pieces.map(({ number }) => [feed, number]))
      assert.deepEqual(
        gathered,
        all.map(({ feed, number }) => [feed, number]),
      )
      for (const { first, pieces, bytes } of runs) {
        assert.deepEqual(
          pieces.map(({ number }) => number),
          pieces.map((_, i) => first + i),
        )
        assert.equal(
          bytes,
          pieces.reduce((sum, { length }) => sum + length, 0),
        )
        assert.ok(pieces.length <= LIMITS.maxPieces)
        assert.ok(pieces.length === 1 || bytes <= LIMITS.maxBytes)
      }
    }),
  )
})

test('runs of what is missing: none is shorter than it need be, and what is to be alone is', () => {
  fc.assert(
    fc.property(missing, (all) => {
      const runs = gather(all)
      const isAlone = (feed: number, number: number): boolean =>
        all.some((each) => each.feed === feed && each.number === number && each.isAlone)
      for (const { feed, pieces } of runs)
        if (pieces.length > 1) for (const { number } of pieces) assert.ok(!isAlone(feed, number))
      for (const [i, run] of runs.entries()) {
        const next = runs[i + 1]
        if (next === undefined || next.feed !== run.feed) continue
        if (next.first !== run.first + run.pieces.length) continue
        if (isAlone(run.feed, run.first) || isAlone(next.feed, next.first)) continue
        const fits = run.bytes + next.pieces[0]!.length <= LIMITS.maxBytes
        assert.ok(!fits || run.pieces.length === LIMITS.maxPieces)
      }
    }),
  )
})
