import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Fifo } from '../../src/exchange/fifo.js'
import {
  type Asked,
  FIRST_TARGET_BYTES,
  MAX_TARGET_BYTES,
  MIN_TARGET_BYTES,
  Pace,
} from '../../src/exchange/pace.js'
import { PieceCache } from '../../src/exchange/piece-cache.js'
import { REMEMBERED, Recent } from '../../src/exchange/recent.js'

/** A link of a rate and a round trip, kept as full as the pace says, in simulated time. */
class Line {
  readonly pace = new Pace()
  readonly #bytesPerMs: number
  roundTripMs: number
  /** Bytes per ms over the last run. */
  rate = 0
  /** The highest target of the last run; probes are below all others. */
  target = 0
  readonly #blocks: { readonly asked: Asked; readonly arrivesAtMs: number }[] = []
  #nowMs = 0
  #freeAtMs = 0

  constructor(bytesPerMs: number, roundTripMs: number) {
    this.#bytesPerMs = bytesPerMs
    this.roundTripMs = roundTripMs
  }

  run(forMs: number): void {
    const block = 16 * 1024
    const startMs = this.#nowMs
    let bytes = 0
    this.target = 0
    while (this.#nowMs < startMs + forMs) {
      while (this.#blocks.length * block < this.pace.targetBytes) {
        this.#freeAtMs = Math.max(this.#freeAtMs, this.#nowMs + this.roundTripMs) + block / this.#bytesPerMs
        const asked = this.pace.ask(this.#blocks.length * block, this.#nowMs)
        this.#blocks.push({ asked, arrivesAtMs: this.#freeAtMs })
      }
      const { asked, arrivesAtMs } = this.#blocks.shift()!
      this.#nowMs = arrivesAtMs
      bytes += block
      this.target = Math.max(this.target, this.pace.targetBytes)
      this.pace.block(block, asked, this.#nowMs)
    }
    this.rate = bytes / (this.#nowMs - startMs)
  }
}

test('X3: the target covers the bandwidth-delay product, within its bounds', () => {
  assert.equal(new Pace().targetBytes, FIRST_TARGET_BYTES)
  for (const [bytesPerMs, roundTripMs] of [
    [10, 20],
    [1000, 5],
    [12_500, 50],
    [5000, 200],
    [100_000, 1],
  ] as const) {
    const line = new Line(bytesPerMs, roundTripMs)
    line.run(40_000)
    line.run(90_000)
    const product = bytesPerMs * roundTripMs
    const expected = Math.min(MAX_TARGET_BYTES, Math.max(MIN_TARGET_BYTES, product))
    const name = `${bytesPerMs} B/ms at ${roundTripMs} ms`
    assert.ok(line.target >= expected, `${name}: ${line.target} below ${expected}`)
    assert.ok(
      line.target <=
        Math.min(MAX_TARGET_BYTES, Math.max(3 * MIN_TARGET_BYTES, 4 * product + 200 * bytesPerMs)),
      `${name}: ${line.target} is far above ${expected}`,
    )
  }
})

test('pace: idle time says nothing about the rate', () => {
  const line = new Line(1000, 5)
  line.run(2000)
  const { pace } = line
  const before = pace.rateBytesPerSecond
  pace.starved(0)
  for (let at = 1; at <= 100; at++) pace.block(2000, pace.ask(0, 1e6 + 2 * at - 2), 1e6 + 2 * at)
  assert.ok(Math.abs(pace.rateBytesPerSecond - before) < before / 2)
})

test('pace: a link that delivers all that it is asked for in no time is asked for more', () => {
  const pace = new Pace()
  let nowMs = 0
  // Bursts of the target, each there after 8 ms, and 20 ms in which the other end looks for more: never 100 ms at a stretch.
  for (let burst = 0; burst < 200; burst++) {
    const target = pace.targetBytes
    const asked = pace.ask(0, nowMs)
    for (let block = 1; block <= 8; block++) pace.block(target / 8, asked, nowMs + block)
    nowMs += 28
  }
  assert.equal(pace.targetBytes, MAX_TARGET_BYTES)
})

test('pace: a first small file that takes long does not hold up what comes behind it', () => {
  const pace = new Pace()
  // As many blocks as the first target allows go out with it; it comes after 1.5 s in which a daemon was busy.
  const first = pace.ask(0, 0)
  pace.block(1024, first, 1500)
  assert.ok(pace.targetBytes >= FIRST_TARGET_BYTES, `${pace.targetBytes} are asked for`)
  const line = new Line(2500, 300)
  line.pace.block(1024, line.pace.ask(0, 0), 1500)
  line.run(4_000)
  line.run(4_000)
  assert.ok(line.rate > 2250, `${line.rate} of 2500 B/ms`)
})

test('pace: a slow link is not kept full of what it was asked for at first', () => {
  // 64 kbit/s.
  const line = new Line(8, 100)
  line.run(5_000)
  line.run(5_000)
  assert.ok(line.target <= MIN_TARGET_BYTES, `${line.target} are asked for`)
})

test('pace: what was held up and comes all at once is not taken for the link', () => {
  const pace = new Pace()
  const blocks: { asked: Asked; atMs: number }[] = []
  let asked = 0
  let highest = 0
  // 1 MB/s at 1 ms; every 200 ms the process stands still for 150 and then finds all in its socket.
  for (let nowMs = 0; nowMs < 30_000; nowMs++) {
    const isAwake = nowMs % 200 >= 150
    while (isAwake && asked + 16_000 <= pace.targetBytes) {
      const before = blocks.at(-1)?.atMs ?? 0
      blocks.push({ asked: pace.ask(asked, nowMs), atMs: Math.max(before, nowMs + 1) + 16 })
      asked += 16_000
    }
    while (isAwake && blocks[0] !== undefined && blocks[0].atMs <= nowMs) {
      pace.block(16_000, blocks.shift()!.asked, nowMs)
      asked -= 16_000
    }
    highest = Math.max(highest, nowMs > 1000 ? pace.rateBytesPerSecond : 0)
  }
  assert.ok(highest > 900_000 && highest < 2_000_000, `${highest} of 1,000,000 B/s`)
})

test('pace: a trickle, because there is no more to fetch, is not taken for the link', () => {
  const pace = new Pace()
  let nowMs = 0
  const trickle = (): void => {
    for (let at = 0; at < 50; at++) {
      pace.starved(0)
      pace.block(1000, pace.ask(0, nowMs), nowMs + 20)
      nowMs += 40
    }
  }
  trickle()
  assert.equal(pace.targetBytes, FIRST_TARGET_BYTES)
  assert.ok(pace.rateBytesPerSecond > 0)
  let asked = pace.ask(0, nowMs)
  for (let at = 0; at < 500; at++) {
    nowMs += 5
    pace.block(100_000, asked, nowMs)
    asked = pace.ask(100_000, nowMs)
  }
  const before = pace.targetBytes
  trickle()
  assert.ok(pace.targetBytes >= before, `${pace.targetBytes} after ${before}`)
})

test('pace: a full line is measured again without its own queue, and a longer route is learnt', () => {
  const line = new Line(5000, 50)
  line.run(60_000)
  assert.ok(line.pace.latencyMs < 70, `${line.pace.latencyMs} ms`)
  assert.ok(line.rate > 4500, 'the probes cost little')
  line.roundTripMs = 300
  line.run(30_000)
  assert.ok(line.pace.latencyMs >= 300 && line.pace.latencyMs < 330, `${line.pace.latencyMs} ms`)
  line.run(10_000)
  assert.ok(line.rate > 4500, `${line.rate} B/ms`)
})

test('fifo: keeps order through pushes, shifts and filters', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.nat(), fc.constantFrom('shift' as const, 'filter' as const)), {
        maxLength: 3000,
        size: 'max',
      }),
      (steps) => {
        const fifo = new Fifo<number>()
        let model: number[] = []
        for (const step of steps) {
          if (step === 'shift') assert.equal(fifo.shift(), model.shift())
          else if (step === 'filter') {
            fifo.filter((item) => item % 3 !== 0)
            model = model.filter((item) => item % 3 !== 0)
          } else {
            fifo.push(step)
            model.push(step)
          }
          assert.equal(fifo.length, model.length)
          assert.equal(fifo.peek(), model[0])
        }
      },
    ),
    { numRuns: 50 },
  )
  const long = new Fifo<number>()
  for (let at = 0; at < 5000; at++) long.push(at)
  for (let at = 0; at < 4000; at++) assert.equal(long.shift(), at)
  long.push(5000)
  assert.equal(long.length, 1001)
  long.clear()
  assert.equal(long.shift(), undefined)
})

test('piece cache: drops what was used longest ago, keeps the newest whatever its size', () => {
  const cache = new PieceCache(100)
  cache.put('a', Buffer.alloc(40))
  cache.put('b', Buffer.alloc(40))
  assert.ok(cache.get('a'))
  cache.put('c', Buffer.alloc(40))
  assert.equal(cache.get('b'), undefined)
  assert.ok(cache.get('a') && cache.get('c'))
  cache.put('d', Buffer.alloc(500))
  assert.ok(cache.get('d'))
  assert.equal(cache.get('a') ?? cache.get('c'), undefined)
  cache.put('a', Buffer.alloc(10))
  assert.equal(cache.get('d'), undefined)
})

test('recent: remembers at least as many as it says, and not more than twice that', () => {
  const recent = new Recent<number>()
  for (let at = 0; at < 3 * REMEMBERED; at++) recent.set(String(at), at)
  for (let at = 2 * REMEMBERED; at < 3 * REMEMBERED; at++) assert.equal(recent.get(String(at)), at)
  assert.equal(recent.get('0'), undefined)
  recent.delete(String(3 * REMEMBERED - 1))
  assert.equal(recent.get(String(3 * REMEMBERED - 1)), undefined)
})
