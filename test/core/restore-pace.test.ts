import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isOver, paceAfter, type RestorePace, restoreAtMs } from '../../src/core/restore-pace.js'

const SECOND = 1000
const MINUTE = 60_000
const HOUR = 3_600_000
const START = 1_760_000_000_000

/** When a job that changes a path every `everyMs` is undone, within `spanMs`. */
function restores(
  everyMs: number,
  spanMs: number,
): { readonly at: number[]; readonly pace: RestorePace | undefined } {
  const at: number[] = []
  let pace: RestorePace | undefined
  let freeMs = START
  for (let changed = START; changed < START + spanMs; changed += everyMs) {
    // Changed again while it still waits to be put back.
    if (changed < freeMs) continue
    freeMs = restoreAtMs(pace, changed)
    pace = paceAfter(pace, freeMs)
    at.push(freeMs - START)
  }
  return { at, pace }
}

test('the first change is undone at once, the next after pauses that double up to an hour', () => {
  const { at } = restores(1, 5 * HOUR)
  const pauses = at.slice(1).map((ms, i) => ms - at[i]!)
  assert.equal(at[0], 0)
  assert.deepEqual(
    pauses.slice(0, 14),
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600].map((s) => s * SECOND),
  )
})

test('a job of every minute is undone ever more seldom, and not for ever every minute', () => {
  const { at, pace } = restores(MINUTE, 24 * HOUR)
  assert.ok(at.length < 40, `${at.length} restores a day`)
  assert.equal(pace!.times, at.length)
})

test('after a quiet time it begins anew', () => {
  const first = paceAfter(undefined, START)
  assert.equal(isOver(first, START + 10 * MINUTE - 1), false)
  assert.equal(isOver(first, START + 10 * MINUTE), true)
  assert.deepEqual(paceAfter(first, START + 10 * MINUTE), { times: 1, lastMs: START + 10 * MINUTE })
  const often: RestorePace = { times: 20, lastMs: START }
  assert.equal(restoreAtMs(often, START + 1), START + HOUR)
  assert.equal(isOver(often, START + 2 * HOUR - 1), false)
  assert.equal(restoreAtMs(often, START + 2 * HOUR), START + 2 * HOUR)
})

test('a clock that is put back makes nobody wait for it to come again', () => {
  const pace: RestorePace = { times: 3, lastMs: START }
  assert.equal(restoreAtMs(pace, START - 10 * HOUR), START - 10 * HOUR + 4 * SECOND)
})
