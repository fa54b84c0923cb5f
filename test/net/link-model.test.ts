import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Direction, type Shape, seededRandom } from './link-model.js'

function direction(shape: Shape, seed = 1): Direction {
  return new Direction(shape, seededRandom(seed))
}

describe('link model', () => {
  it('lets everything pass at once where nothing is said', () => {
    assert.equal(direction({}).offer(5, 1500), 5)
  })

  it('delays, and keeps the order whatever the jitter', () => {
    assert.equal(direction({ delayMs: 75 }).offer(1_000, 100), 76_000)
    const shaky = direction({ delayMs: 10, jitterMs: 50 })
    const arrivals = Array.from({ length: 200 }, (_, i) => shaky.offer(i * 100, 100)!)
    assert.deepEqual(
      arrivals,
      arrivals.toSorted((a, b) => a - b),
    )
    assert.ok(arrivals.every((atUs, i) => atUs >= i * 100 + 10_000 && atUs <= 200 * 100 + 60_000))
  })

  it('sends one after the other at its rate', () => {
    const slow = direction({ rateBitsPerSecond: 1e6, queueMs: 1000 })
    assert.deepEqual([slow.offer(0, 1250), slow.offer(0, 1250), slow.offer(50_000, 1250)], [1e4, 2e4, 6e4])
  })

  it('loses what would wait too long, and never allows less than two packets to wait', () => {
    const slow = direction({ rateBitsPerSecond: 1e6, queueMs: 100 })
    const passed = Array.from({ length: 100 }, () => slow.offer(0, 1250)).filter((at) => at !== undefined)
    assert.equal(passed.length, 11)
    assert.equal(slow.counts.overflowed, 89)
    const modem = direction({ rateBitsPerSecond: 9600, queueMs: 0 })
    assert.notEqual(modem.offer(0, 1500), undefined)
    assert.notEqual(modem.offer(0, 1500), undefined)
    assert.notEqual(modem.offer(0, 1500), undefined)
    assert.equal(modem.offer(0, 1500), undefined)
  })

  it('loses the share it is told, the same packets for the same seed', () => {
    const lost = (seed: number): number[] => {
      const bad = direction({ loss: 0.05 }, seed)
      return Array.from({ length: 10_000 }, (_, i) => i).filter((i) => bad.offer(i, 100) === undefined)
    }
    assert.ok(lost(1).length > 420 && lost(1).length < 580, String(lost(1).length))
    assert.deepEqual(lost(1), lost(1))
    assert.notDeepEqual(lost(1), lost(2))
  })

  it('swallows what is too long, and everything when it is cut, until it is healed', () => {
    const hole = direction({ largestBytes: 1400 })
    assert.equal(hole.offer(0, 1401), undefined)
    assert.equal(hole.offer(0, 1400), 0)
    hole.set({ isCut: true })
    assert.equal(hole.offer(0, 100), undefined)
    hole.set({ isCut: false })
    assert.equal(hole.offer(0, 100), 0)
    assert.deepEqual(hole.counts, {
      passed: 2,
      passedBytes: 1500,
      lost: 0,
      overflowed: 0,
      tooLong: 1,
      cut: 1,
    })
  })
})
