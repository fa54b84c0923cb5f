import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, it } from 'node:test'
import { blake3 } from '../../../src/core/hash.js'
import type { DeviceId, WriterId } from '../../../src/core/ids.js'
import { BlindFetcher } from '../../../src/daemon/blind/blind-fetcher.js'
import type { WantedRun } from '../../../src/exchange/exchange.js'
import { BlindIndex } from '../../../src/store/blind-index.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import type { StoredPiece } from '../../../src/vault/stored.js'
import { until } from '../../support/until.js'

const WRITER = 'a1a1a1a1a1a1a1a1' as WriterId
const LIAR = 'b2b2b2b2b2b2b2b2' as WriterId
const PEER = 'ab'.repeat(32) as DeviceId

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i)
}

class FakeExchange extends EventEmitter {
  readonly wanted = new Map<string, Buffer>()
  readonly asked: number[] = []
  readonly wrongs: string[] = []
  available = new Set<number>()
  /** Numbers that are served in runs. */
  inRuns = new Set<number>()
  runsWanted: WantedRun[] = []
  readonly runs = {
    want: (runs: readonly WantedRun[]) => this.runsWanted.push(...runs),
    holds: (_writer: WriterId, index: number) => this.inRuns.has(index),
    canServe: ({ first, count }: WantedRun) => range(first, count).every((n) => this.inRuns.has(n)),
    longestBytes: 1000,
    takeUnserved: () => {
      const unserved = this.runsWanted.filter((run) => !this.runs.canServe(run))
      this.runsWanted = this.runsWanted.filter((run) => !unserved.includes(run))
      return unserved
    },
  }

  get hasSources(): boolean {
    return this.available.size > 0
  }

  want(
    pieces: readonly { id: Buffer; length: number; refs: readonly { writer: WriterId; index: number }[] }[],
  ): void {
    for (const { id, refs } of pieces) {
      this.wanted.set(id.toString('hex'), id)
      this.asked.push(refs[0]!.index)
    }
  }
  unwant(pieces: readonly { id: Buffer; length: number }[]): void {
    for (const { id } of pieces) this.wanted.delete(id.toString('hex'))
  }
  wrong({ id }: { id: Buffer }): boolean {
    this.wrongs.push(id.toString('hex'))
    return true
  }
  stats() {
    return { inFlightBytes: 0 }
  }
  isAvailable(refs: readonly { index: number }[]): boolean {
    return refs.some(({ index }) => this.available.has(index))
  }
}

function make() {
  const index = new BlindIndex(new MemoryDatabase(), 'x:')
  const bytes = Array.from({ length: 2000 }, (_, i) => Buffer.alloc(100, `piece ${i} `))
  const pieces = bytes.map((each) => ({ id: blake3(each), length: each.length }))
  const feed = index.feeds.add({
    ...{
      writer: WRITER,
      key: Buffer.alloc(32),
      device: PEER,
      deviceName: 'a',
      epoch: 0,
      certificate: Buffer.alloc(0),
    },
  })
  const header = { kind: 'delta' as const, timeMs: 1, view: [], checkpoint: undefined }
  index.takeOver(feed, 0, { header, announcements: [{ first: 0, pieces }] })
  index.transaction(() => {
    for (const number of pieces.keys()) index.setMissing({ feed: 1, index: number })
  })
  const exchange = new FakeExchange()
  const stored: StoredPiece[][] = []
  const fetcher = new BlindFetcher({
    index,
    exchange: exchange as never,
    store: async (batch) => {
      stored.push([...batch])
      return new Map()
    },
    onStored: (batch) => {
      for (const { id } of batch) index.transaction(() => index.clearMissing(index.refsOf(id)[0]!))
    },
    fail: (thrown) => assert.fail(String(thrown)),
  })
  /** What a peer answers, its pieces but for those that are said to be others. */
  const deliverRun = (run: WantedRun, wrong: readonly number[] = []): void => {
    const parts = range(run.first, run.count).map((n) => bytes[wrong.includes(n) ? 0 : n]!)
    const room = { enter: assert.fail, leave: () => left.push(run.first) }
    exchange.runsWanted = exchange.runsWanted.filter((each) => each !== run)
    exchange.emit('runs', [{ run, bytes: Buffer.concat(parts), from: PEER, room }], [])
  }
  /** First numbers of runs whose memory may be used again. */
  const left: number[] = []
  const deliver = (...numbers: number[]): void => {
    const batch = numbers.map((n) => ({ id: pieces[n]!.id, bytes: bytes[n]!, from: PEER }))
    exchange.emit('pieces', batch)
  }
  return { index, exchange, fetcher, stored, deliver, deliverRun, left, pieces, bytes }
}

describe('what a blind node fetches', () => {
  it('is what is missing and somebody holds, in the order of announcement, and stored before it counts', async () => {
    const { index, exchange, fetcher, stored, deliver } = make()
    exchange.available = new Set([1990, 3, 5])
    fetcher.look()
    await until('it is asked for', () => exchange.asked.length === 3)
    assert.deepEqual(exchange.asked, [3, 5, 1990])
    deliver(5, 3)
    await until('it is stored', () => stored.length === 1)
    await until('it is noted', () => !index.isMissing({ feed: 1, index: 3 }))
    assert.ok(index.isMissing({ feed: 1, index: 1990 }))
    // What can be had later is asked for then.
    exchange.available.add(7)
    exchange.emit('availability')
    await until('it is asked for the new one', () => exchange.asked.includes(7))
    await fetcher.stop()
  })

  it('is checked before it is stored (P1)', async () => {
    const { exchange, fetcher, stored, deliver, pieces, bytes } = make()
    exchange.available = new Set([1, 2])
    fetcher.look()
    await until('it is asked for', () => exchange.asked.length === 2)
    exchange.emit('pieces', [{ id: pieces[1]!.id, bytes: bytes[2]!, from: PEER }])
    deliver(2)
    await until('it is stored', () => stored.length === 1)
    assert.deepEqual(
      stored[0]!.map(({ id }) => id),
      [pieces[2]!.id],
    )
    assert.deepEqual(exchange.wrongs, [pieces[1]!.id.toString('hex')])
    await fetcher.stop()
  })

  it('is looked for anew where it came wrong and the exchange knows nothing of it any more', async () => {
    const { index, exchange, fetcher, pieces, bytes } = make()
    let rounds = 0
    const missingAfter = index.missingAfter.bind(index)
    index.missingAfter = (...args) => {
      const found = missingAfter(...args)
      if (found.isEnd) rounds++
      return found
    }
    exchange.available = new Set([1])
    exchange.wrong = () => false
    fetcher.look()
    await until('it is asked for, and there is no more to look at', () => rounds === 2)
    exchange.emit('pieces', [{ id: pieces[1]!.id, bytes: bytes[2]!, from: PEER }])
    await until('it is asked for again', () => exchange.asked.length === 2)
    await fetcher.stop()
  })

  it('is written together while more is on its way, and at once when nothing is', async () => {
    const { exchange, fetcher, stored, deliver } = make()
    exchange.available = new Set([1, 2, 3, 4])
    fetcher.look()
    await until('it is asked for', () => exchange.asked.length === 4)
    deliver(1)
    deliver(2)
    deliver(3)
    assert.equal(stored.length, 0)
    deliver(4)
    assert.deepEqual(
      stored.map(({ length }) => length),
      [4],
    )
    await fetcher.stop()
  })

  it('does not keep what has arrived waiting for what never comes', async () => {
    const { exchange, fetcher, stored, deliver } = make()
    exchange.available = new Set([1, 2])
    fetcher.look()
    await until('it is asked for', () => exchange.asked.length === 2)
    deliver(1)
    await until('it is stored', () => stored.length === 1)
    await fetcher.stop()
  })

  it('is not looked through before somebody holds anything, and then at once', async () => {
    const { index, exchange, fetcher } = make()
    let looks = 0
    const missingAfter = index.missingAfter.bind(index)
    index.missingAfter = (...args) => {
      looks++
      return missingAfter(...args)
    }
    fetcher.look()
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(looks, 0)
    exchange.available = new Set([3])
    exchange.emit('availability')
    await until('it is asked for', () => exchange.asked.length === 1)
    await fetcher.stop()
  })

  it('comes in runs where somebody serves them, and piece by piece where not', async () => {
    const { index, exchange, fetcher, stored, deliverRun, left } = make()
    exchange.inRuns = new Set(range(100, 25))
    exchange.available = new Set([...range(100, 25), 7])
    fetcher.look()
    await until('the runs are asked for', () => exchange.runsWanted.length > 0)
    // Ten pieces of a hundred bytes at most.
    const asked = exchange.runsWanted.map(({ first, count, bytes }) => [first, count, bytes])
    assert.deepEqual(asked, [
      [100, 10, 1000],
      [110, 10, 1000],
      [120, 5, 500],
    ])
    assert.deepEqual(exchange.asked, [7])
    for (const run of exchange.runsWanted) deliverRun(run)
    await until('they are stored', () => stored.flat().length === 25)
    await until('they are noted', () => !index.isMissing({ feed: 1, index: 124 }))
    assert.deepEqual(left, [100, 110, 120])
    assert.equal(fetcher.isIdle, false, 'one is on its way')
    await fetcher.stop()
  })

  it('goes piece by piece where a run is refused', async () => {
    const { exchange, fetcher } = make()
    exchange.inRuns = exchange.available = new Set(range(100, 10))
    fetcher.look()
    await until('the run is asked for', () => exchange.runsWanted.length === 1)
    exchange.emit('runs', [], exchange.runsWanted.splice(0))
    await until('its pieces are asked for', () => exchange.asked.length === 10)
    assert.deepEqual(exchange.runsWanted, [])
    await fetcher.stop()
  })

  it('is checked in a run, too (P1): what is wrong is asked for by itself, the rest stored', async () => {
    const { index, exchange, fetcher, stored, deliver, deliverRun, pieces } = make()
    exchange.inRuns = exchange.available = new Set(range(100, 10))
    fetcher.look()
    await until('the run is asked for', () => exchange.runsWanted.length === 1)
    deliverRun(exchange.runsWanted[0]!, [103])
    assert.deepEqual(exchange.wrongs, [pieces[103]!.id.toString('hex')])
    await until('it is asked for by itself', () => exchange.asked.length > 0)
    assert.deepEqual(exchange.asked, [103])
    await until('the others are stored', () => stored.flat().length === 9)
    assert.ok(index.isMissing({ feed: 1, index: 103 }))
    deliver(103)
    await until('it is stored', () => stored.flat().length === 10)
    await until('nothing is under way', () => fetcher.isIdle)
    await fetcher.stop()
  })

  it('is in no run once it came wrong, though it could not be had for a while', async () => {
    const { exchange, fetcher, stored, deliver, deliverRun } = make()
    exchange.inRuns = exchange.available = new Set(range(100, 3))
    fetcher.look()
    await until('the run is asked for', () => exchange.runsWanted.length === 1)
    deliverRun(exchange.runsWanted[0]!, [101, 102])
    await until('both are asked for by themselves', () => exchange.asked.length === 2)
    // Whoever sent it was dropped, and nobody else holds it.
    exchange.inRuns = exchange.available = new Set()
    await until('they are given up', () => fetcher.isIdle, 10_000)
    exchange.inRuns = exchange.available = new Set(range(90, 20))
    exchange.emit('availability')
    await until('the others are asked for', () => exchange.runsWanted.length === 2)
    const asked = exchange.runsWanted.map(({ first, count }) => [first, count])
    assert.deepEqual(asked, [
      [90, 10],
      [103, 7],
    ])
    assert.deepEqual(exchange.asked, [101, 102, 101, 102])
    deliver(101, 102)
    for (const run of exchange.runsWanted) deliverRun(run)
    await until('all are stored', () => stored.flat().length === 20)
    await fetcher.stop()
  })

  it('leaves the memory of a run of which nothing is right, and asks for each piece by itself', async () => {
    const { exchange, fetcher, stored, deliverRun, left } = make()
    exchange.inRuns = exchange.available = new Set(range(100, 10))
    fetcher.look()
    await until('the run is asked for', () => exchange.runsWanted.length === 1)
    deliverRun(exchange.runsWanted[0]!, range(100, 10))
    assert.deepEqual(left, [100])
    await until('its pieces are asked for', () => exchange.asked.length === 10)
    assert.deepEqual(stored, [])
    await fetcher.stop()
  })

  it('asks for the pieces of a run that nobody serves any more', async () => {
    const { exchange, fetcher } = make()
    exchange.inRuns = exchange.available = new Set(range(100, 10))
    fetcher.look()
    await until('the run is asked for', () => exchange.runsWanted.length === 1)
    exchange.inRuns = new Set()
    exchange.available = new Set(range(100, 3))
    await until('what is there is asked for', () => exchange.asked.length === 3, 10_000)
    assert.deepEqual(exchange.asked, [100, 101, 102])
    await fetcher.stop()
  })

  it('is asked for with each length that feeds announce it with, of the numbers that say so, and of no others once it is here', async () => {
    const { index, exchange, fetcher, stored, deliver, pieces } = make()
    const row = {
      key: Buffer.alloc(32),
      device: PEER,
      deviceName: 'liar',
      epoch: 0,
      certificate: Buffer.alloc(0),
    }
    const lie = (number: number, length: number): void => {
      const header = { kind: 'delta' as const, timeMs: 1, view: [], checkpoint: undefined }
      const feed = index.feeds.byWriter(LIAR) ?? index.feeds.add({ ...row, writer: LIAR })
      const announced = [{ first: number, pieces: [{ id: pieces[5]!.id, length }] }]
      index.takeOver(feed, feed.next, { header, announcements: announced })
    }
    const asked: string[] = []
    const want = exchange.want.bind(exchange)
    exchange.want = (list) => {
      want(list)
      for (const { length, refs } of list)
        asked.push(
          `${length}: ${refs.map(({ writer, index: at }) => `${writer === LIAR ? 'liar' : 'other'} ${at}`)}`,
        )
    }
    lie(0, 7)
    exchange.available = new Set([5])
    fetcher.look()
    await until('it is asked for', () => asked.length > 0)
    assert.deepEqual(asked.splice(0), ['100: other 5', '7: liar 0'])
    // One that is heard of meanwhile is asked for as well, and whoever says the same makes it no other piece.
    lie(1, 8)
    lie(2, 100)
    exchange.emit('availability')
    await until('it is asked for again', () => asked.length > 0)
    assert.deepEqual(asked, ['100: other 5,liar 2', '7: liar 0', '8: liar 1'])
    const before: number[] = []
    exchange.unwant = (list) => before.push(...list.map(({ length }) => length))
    deliver(5)
    await until('it is stored', () => stored.length === 1)
    assert.deepEqual([before, exchange.wrongs], [[100, 7, 8], []])
    await fetcher.stop()
  })
})
