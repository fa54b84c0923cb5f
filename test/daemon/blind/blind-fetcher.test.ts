import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, it } from 'node:test'
import { blake3 } from '../../../src/core/hash.js'
import type { DeviceId, WriterId } from '../../../src/core/ids.js'
import { BlindFetcher } from '../../../src/daemon/blind/blind-fetcher.js'
import { BlindIndex } from '../../../src/store/blind-index.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import type { StoredPiece } from '../../../src/vault/stored.js'
import { until } from '../../support/until.js'

const WRITER = 'a1a1a1a1a1a1a1a1' as WriterId
const LIAR = 'b2b2b2b2b2b2b2b2' as WriterId
const PEER = 'ab'.repeat(32) as DeviceId

class FakeExchange extends EventEmitter {
  readonly wanted = new Map<string, Buffer>()
  readonly asked: number[] = []
  readonly wrongs: string[] = []
  available = new Set<number>()

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
  const deliver = (...numbers: number[]): void => {
    const batch = numbers.map((n) => ({ id: pieces[n]!.id, bytes: bytes[n]!, from: PEER }))
    exchange.emit('pieces', batch)
  }
  return { index, exchange, fetcher, stored, deliver, pieces, bytes }
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
