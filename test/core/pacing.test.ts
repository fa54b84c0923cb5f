import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Lane, Pacing, ShareRate } from '../../src/core/pacing.js'
import { BURST_MS, TokenBucket } from '../../src/core/token-bucket.js'

const RATE = 200_000
const WINDOW_MS = 10_000

/** A lane with bytes to move in units that it cannot cut. */
interface Model extends Lane {
  readonly share: number
  readonly unitBytes: number
  isSmall: boolean
  left: number
  moved: number
}

interface Moved {
  readonly atMs: number
  readonly bytes: number
  readonly lane: Model | undefined
}

/** Lanes that take their turns in small steps of time; `control` is charged without a turn. */
class World {
  readonly pacing: Pacing<Model>
  readonly rates: ShareRate[]
  readonly moves: Moved[] = []
  nowMs = 0

  constructor(rate: number, shareRates: readonly number[]) {
    this.pacing = new Pacing(rate)
    this.rates = shareRates.map((bytesPerSecond) => {
      const share = new ShareRate()
      share.bucket.bytesPerSecond = bytesPerSecond
      return share
    })
  }

  lane(share: number, unitBytes: number, left: number, isSmall = false): Model {
    const lane: Model = { share, unitBytes, left, isSmall, moved: 0 }
    this.pacing.want(lane, this.rates[share]!)
    return lane
  }

  control(bytes: number): void {
    this.pacing.charge(bytes, undefined, this.nowMs)
    this.moves.push({ atMs: this.nowMs, bytes, lane: undefined })
  }

  run(forMs: number, stepMs = 5): void {
    for (const end = this.nowMs + forMs; this.nowMs < end; this.nowMs += stepMs) this.#turns()
  }

  /** Bytes in a window of time. */
  within(fromMs: number, toMs: number): number {
    return this.moves
      .filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
      .reduce((sum, { bytes }) => sum + bytes, 0)
  }

  #turns(): void {
    for (let lane = this.pacing.next(this.nowMs); lane !== undefined; lane = this.pacing.next(this.nowMs)) {
      const bytes = Math.min(lane.unitBytes, lane.left)
      if (bytes === 0) {
        this.pacing.rest(lane)
        continue
      }
      const { isSmall } = lane
      lane.left -= bytes
      lane.moved += bytes
      this.moves.push({ atMs: this.nowMs, bytes, lane })
      this.pacing.moved(lane, bytes, isSmall, this.nowMs)
    }
  }
}

test('X4: over any time a bucket lets through its rate, a burst, and what overdrew it last', () => {
  const take = fc.record({ bytes: fc.integer({ min: 1, max: 5000 }), waitMs: fc.nat(50) })
  fc.assert(
    fc.property(
      fc.integer({ min: 1000, max: 1e6 }),
      fc.array(take, { maxLength: 300, size: 'max' }),
      (rate, takes) => {
        const bucket = new TokenBucket(rate)
        let nowMs = 0
        let passed = 0
        for (const { bytes, waitMs } of takes) {
          nowMs += waitMs
          assert.equal(bucket.isOpen(nowMs), bucket.waitMs(nowMs) === 0)
          if (!bucket.isOpen(nowMs)) continue
          bucket.charge(bytes, nowMs)
          passed += bytes
          assert.ok(passed <= (rate * (nowMs + BURST_MS)) / 1000 + 5000)
        }
        assert.ok(bucket.isOpen(nowMs + bucket.waitMs(nowMs)))
      },
    ),
  )
})

test('X4: whatever arrives, any ten seconds of a line that is never idle carry the rate within 5 %', () => {
  const lane = fc.record({
    share: fc.nat(2),
    unit: fc.constantFrom(1024, 4096, 4000),
    left: fc.constantFrom(30_000, 300_000, 1e9),
    atMs: fc.nat(20_000),
    isSmall: fc.boolean(),
  })
  const control = fc.record({ atMs: fc.nat(30_000), bytes: fc.integer({ min: 1, max: 3000 }) })
  fc.assert(
    fc.property(
      fc.array(lane, { maxLength: 12 }),
      fc.array(control, { maxLength: 200 }),
      (lanes, controls) => {
        const world = new World(RATE, [0, 0, 0])
        world.lane(0, 4096, 1e9)
        const events = [
          ...lanes.map((each) => ({
            ...each,
            go: () => world.lane(each.share, each.unit, each.left, each.isSmall),
          })),
          ...controls.map((each) => ({ ...each, go: () => world.control(each.bytes) })),
        ].sort((a, b) => a.atMs - b.atMs)
        for (const { atMs, go } of events) {
          world.run(Math.max(0, atMs - world.nowMs))
          go()
        }
        world.run(30_000 + WINDOW_MS - world.nowMs)
        for (let from = 0; from + WINDOW_MS <= 40_000; from += 730) {
          const carried = world.within(from, from + WINDOW_MS)
          const off = carried / ((RATE * WINDOW_MS) / 1000) - 1
          assert.ok(Math.abs(off) < 0.05, `${carried} bytes from ${from} ms on: ${(100 * off).toFixed(1)} %`)
        }
      },
    ),
    { numRuns: 25 },
  )
})

test('T1: shares have equal parts however many peers they have, and peers of one share too', () => {
  const world = new World(RATE, [0, 0])
  const first = [1, 2, 3, 4].map(() => world.lane(0, 4096, 1e9))
  const second = world.lane(1, 1000, 1e9)
  world.run(60_000)
  const of = (lanes: readonly Model[]): number => lanes.reduce((sum, { moved }) => sum + moved, 0)
  assert.ok(Math.abs(of(first) - second.moved) <= 4 * 4096, `${of(first)} and ${second.moved}`)
  const each = first.map(({ moved }) => moved)
  assert.ok(Math.max(...each) - Math.min(...each) <= 2 * 4096, each.join())
})

test('T1: who was idle has saved nothing up, and who comes late is not behind', () => {
  const world = new World(RATE, [0, 0])
  const early = world.lane(0, 4096, 1e9)
  world.run(60_000)
  const before = early.moved
  const late = world.lane(1, 4096, 1e9)
  world.run(20_000)
  assert.ok(
    Math.abs(late.moved - (early.moved - before)) <= 2 * 4096,
    `${late.moved}, ${early.moved - before}`,
  )
})

test('T2: something small goes at once, however much bulk waits', () => {
  const world = new World(RATE, [0, 0])
  for (let at = 0; at < 20; at++) world.lane(at % 2, 4096, 1e9)
  world.run(5000)
  const small = world.lane(1, 500, 500, true)
  const asked = world.nowMs
  world.run(1000)
  const sent = world.moves.find(({ lane }) => lane === small)!
  assert.ok(sent.atMs - asked <= 50, `after ${sent.atMs - asked} ms`)
})

test('T1, T2: nobody who waits starves: each has had a turn within a bounded number of bytes', () => {
  const lane = fc.record({ share: fc.nat(3), unit: fc.integer({ min: 1, max: 8192 }), isSmall: fc.boolean() })
  fc.assert(
    fc.property(fc.array(lane, { minLength: 2, maxLength: 12 }), (lanes) => {
      const world = new World(1_000_000, [0, 0, 0, 0])
      const models = lanes.map(({ share, unit, isSmall }) => world.lane(share, unit, 1e12, isSmall))
      world.run(20_000)
      for (const kind of [true, false]) {
        const same = models.filter(({ isSmall }) => isSmall === kind)
        const shares = new Set(same.map(({ share }) => share))
        const total = same.reduce((sum, { moved }) => sum + moved, 0)
        // What is left to bulk beside small is a quarter, and the other way what is left is three quarters.
        const part = same.length === models.length ? 1 : kind ? 0.7 : 0.2
        if (same.length > 0) assert.ok(total >= part * 19_000_000, `${kind ? 'small' : 'bulk'} ${total}`)
        for (const model of same) {
          const peers = same.filter(({ share }) => share === model.share).length
          const due = total / shares.size / peers
          assert.ok(model.moved >= due - 3 * 8192 * models.length, `${model.moved} of ${due}`)
        }
      }
    }),
    { numRuns: 8 },
  )
})

test('T3: a share over its own limit holds up nobody else, and its limit is kept', () => {
  const world = new World(RATE, [20_000, 0])
  const slow = world.lane(0, 1024, 1e9)
  const fast = world.lane(1, 4096, 1e9)
  world.run(20_000)
  assert.ok(Math.abs(slow.moved / (20 * 20_000) - 1) < 0.05, String(slow.moved))
  assert.ok(Math.abs((slow.moved + fast.moved) / (20 * RATE) - 1) < 0.05)
  world.rates[0]!.bucket.bytesPerSecond = 0
  const [was, had] = [slow.moved, fast.moved]
  world.run(10_000)
  const ratio = (slow.moved - was) / (fast.moved - had)
  assert.ok(ratio > 0.9 && ratio < 1.1, `no debt is collected: ${ratio}`)
})

test('T4: what cannot wait is charged, and then the rest waits; after a flood not for ever', () => {
  const world = new World(RATE, [0])
  world.lane(0, 4096, 1e9)
  world.run(1000)
  world.control(RATE)
  const from = world.nowMs
  world.run(900)
  assert.equal(world.within(from, world.nowMs), RATE, 'only the control message')
  world.control(1e9)
  world.run(6000)
  assert.ok(world.within(world.nowMs - 500, world.nowMs) > 0)
})

test('X4: a unit that takes minutes is paid for to the end', () => {
  const world = new World(10, [0])
  const lane = world.lane(0, 4096, 1e9)
  world.run(400_000, 100)
  assert.equal(lane.moved, 4096)
  world.run(20_000, 100)
  assert.equal(lane.moved, 2 * 4096)
})

test('a lane that is gone, or has nothing, gets no turn', () => {
  const world = new World(RATE, [0])
  const lane = world.lane(0, 1000, 1e9)
  world.pacing.drop(lane)
  world.run(1000)
  assert.equal(lane.moved, 0)
  assert.equal(world.pacing.waitMs(world.nowMs), undefined)
})
