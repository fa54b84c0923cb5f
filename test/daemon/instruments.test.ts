import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Durations, Instruments, MAX_ORIGINS, OTHER_ORIGINS } from '../../src/daemon/instruments.js'
import { LoopDelay } from '../../src/daemon/loop-delay.js'
import { until } from '../support/until.js'

test('durations are counted in the first bucket that they fit', () => {
  const durations = new Durations([0.1, 1])
  for (const ms of [0, 100, 101, 1000, 1001, -5]) durations.add(ms)
  assert.deepEqual(durations.counts, [3, 2, 1])
  assert.deepEqual([durations.count, durations.sumS], [6, 2.202])
})

test('origins are bounded: of more, all are put together', () => {
  const instruments = new Instruments()
  for (let at = 0; at < MAX_ORIGINS + 10; at++) instruments.changeApplied(`n${at}`, 1)
  instruments.changeApplied('n0', 1)
  assert.equal(instruments.changeToApplied.size, MAX_ORIGINS + 1)
  assert.equal(instruments.changeToApplied.get('n0')!.count, 2)
  assert.equal(instruments.changeToApplied.get(OTHER_ORIGINS)!.count, 10)
})

test('the event loop is measured once it was asked for, a window at a time, and not when nobody asks', async (t) => {
  let nowMs = 0
  const delay = new LoopDelay(() => nowMs, 20)
  t.after(() => delay.stop())
  assert.equal(delay.isMeasuring, false)
  assert.equal(delay.worstMs(), undefined)
  nowMs = 500
  assert.equal(delay.worstMs(), undefined)
  nowMs = 1500
  const worst = delay.worstMs()
  assert.ok(worst !== undefined && worst >= 0, `${worst}`)
  // The same until the next window is over.
  nowMs = 2000
  assert.equal(delay.worstMs(), worst)
  await until('nobody measures', () => !delay.isMeasuring)
})
