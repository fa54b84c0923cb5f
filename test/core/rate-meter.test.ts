import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RateMeter } from '../../src/core/rate-meter.js'

test('a steady flow is told as it is, whenever it is asked for', () => {
  const meter = new RateMeter()
  for (let nowMs = 10_000; nowMs < 20_000; nowMs += 10) {
    meter.add(1000, nowMs)
    const rate = meter.rate(nowMs)
    if (nowMs > 10_500) assert.ok(rate > 90_000 && rate < 110_000, `${rate} at ${nowMs}`)
  }
})

test('a flow that has just begun is neither nothing nor beyond all measure', () => {
  const meter = new RateMeter()
  assert.equal(meter.rate(5000), 0)
  meter.add(1000, 5000)
  assert.equal(meter.rate(5000), 2000)
  meter.add(1000, 5400)
  assert.equal(meter.rate(5400), 4000)
})

test('a flow that has ended fades within three seconds and is over then', () => {
  const meter = new RateMeter()
  for (let nowMs = 0; nowMs < 5000; nowMs += 100) meter.add(10_000, nowMs)
  const rates = [5000, 6000, 7000, 8000].map((nowMs) => meter.rate(nowMs))
  assert.ok(rates[0]! > 90_000)
  for (let at = 1; at < rates.length; at++) assert.ok(rates[at]! < rates[at - 1]!, rates.join())
  assert.equal(rates[3], 0)
  // After a pause it begins anew, and the pause does not count.
  meter.add(1000, 60_000)
  assert.equal(meter.rate(60_000), 2000)
})
