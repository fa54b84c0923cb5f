// Under which numbers feeds announced each piece, whatever was announced in which order: also after a new start, after a
// transaction that failed, and from what an older version has written.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { DeviceId, WriterId } from '../../src/core/ids.js'
import type { PublicPart } from '../../src/core/record.js'
import { BlindIndex, type TakenOver } from '../../src/store/blind-index.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import type { PieceRef } from '../../src/store/pieces.js'
import { pairKey } from '../../src/store/tables.js'
import { patternBytes } from '../core/piece-pattern.js'

const WRITERS = ['a1a1a1a1a1a1a1a1', 'b2b2b2b2b2b2b2b2', 'c3c3c3c3c3c3c3c3'] as WriterId[]
/** Rows of 64 numbers that an older version's tables are made anew from in one slice. */
const OLD_CHUNKS_A_TURN = 16

class FailingDatabase extends MemoryDatabase {
  isFailing = false

  override transaction<T>(body: () => T): T {
    return super.transaction(() => {
      const result = body()
      if (this.isFailing) throw new Error('the disk is full')
      return result
    })
  }
}

type Said = readonly [number: number, piece: number]

function idOf(n: number): Buffer {
  return patternBytes(32, n)
}

function opened(database: MemoryDatabase): BlindIndex {
  const index = new BlindIndex(database, 'x:')
  for (const writer of WRITERS)
    index.feeds.add({
      ...{ writer, key: Buffer.alloc(32), device: 'ab'.repeat(32) as DeviceId, deviceName: writer, epoch: 0 },
      certificate: Buffer.alloc(0),
    })
  return index
}

function say(index: BlindIndex, feed: number, said: readonly Said[]): TakenOver {
  const row = index.feeds.byNumber(feed)!
  const part: PublicPart = {
    header: { kind: 'delta', timeMs: 1, view: [], checkpoint: undefined },
    announcements: said.map(([first, n]) => ({ first, pieces: [{ id: idOf(n), length: 100 + n }] })),
  }
  return index.takeOver(row, row.next, part)
}

const said = fc
  .uniqueArray(
    fc.tuple(fc.oneof(fc.nat(5), fc.integer({ min: 60, max: 70 }), fc.constant(9000)), fc.nat(12)),
    {
      selector: ([number]) => number,
      maxLength: 6,
    },
  )
  .map((list) => [...list].sort(([a], [b]) => a - b))
const records = fc.array(fc.record({ feed: fc.integer({ min: 1, max: 3 }), said }), { maxLength: 12 })

describe('a blind index', () => {
  it('knows every number of a piece in the order in which they came, and which was the first', () => {
    fc.assert(
      fc.property(records, (list) => {
        const database = new MemoryDatabase()
        const index = opened(database)
        const model = new Map<number, PieceRef[]>()
        const numbers = new Map<string, number>()
        for (const each of list) {
          const { said: taken, contradictions } = say(index, each.feed, each.said)
          let refused = 0
          const expected: unknown[] = []
          for (const [number, n] of each.said) {
            const before = numbers.get(`${each.feed}/${number}`)
            if (before !== undefined && before !== n) {
              refused++
              continue
            }
            numbers.set(`${each.feed}/${number}`, n)
            const refs = model.get(n) ?? []
            const isFresh = refs.length === 0
            if (before === undefined) refs.push({ feed: each.feed, index: number })
            model.set(n, refs)
            expected.push({ number, first: refs[0], isFresh })
          }
          assert.deepEqual(
            taken.map(({ number, first, isFresh }) => ({ number, first, isFresh })),
            expected,
          )
          assert.equal(contradictions, refused)
        }
        for (const one of [index, new BlindIndex(database, 'x:')]) {
          for (let n = 0; n <= 12; n++) assert.deepEqual(one.refsOf(idOf(n)), model.get(n) ?? [])
          checkPieces(one, model, numbers)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('is loaded in slices, and asked in between', async () => {
    const database = new MemoryDatabase()
    const index = opened(database)
    for (let block = 0; block < 100; block++)
      say(
        index,
        1,
        Array.from({ length: 100 }, (_, i) => [100 * block + i, 100 * block + i]),
      )
    let turns = 0
    const again = new BlindIndex(database, 'x:')
    await again.load(async () => {
      turns++
      if (turns === 1) assert.deepEqual(again.refsOf(idOf(9999)), [{ feed: 1, index: 9999 }])
    })
    assert.ok(turns >= 1)
    assert.deepEqual(again.refsOf(idOf(1)), [{ feed: 1, index: 1 }])

    const stopped = new BlindIndex(database, 'x:')
    await assert.rejects(
      stopped.load(() => Promise.reject(new Error('the share stops'))),
      /the share stops/,
    )
    assert.deepEqual(stopped.refsOf(idOf(5)), [{ feed: 1, index: 5 }])
    await stopped.load(async () => undefined)
  })

  for (const when of ['before it is written', 'when it is written'] as const)
    it(`forgets what was announced in a transaction that failed ${when}`, () => {
      const database = new FailingDatabase()
      const index = opened(database)
      say(index, 1, [[0, 0]])
      assert.throws(() =>
        index.transaction(() => {
          say(index, 1, [
            [1, 1],
            [2, 0],
          ])
          assert.equal(index.refsOf(idOf(0)).length, 2)
          database.isFailing = when === 'when it is written'
          if (!database.isFailing) throw new Error('the disk is full')
        }),
      )
      database.isFailing = false
      assert.deepEqual(index.refsOf(idOf(0)), [{ feed: 1, index: 0 }])
      assert.deepEqual(index.refsOf(idOf(1)), [])
      assert.equal(index.at(1, 1), undefined)
      const firsts = say(index, 2, [[7, 1]]).said.map(({ first, isFresh }) => ({ first, isFresh }))
      assert.deepEqual(firsts, [{ first: { feed: 2, index: 7 }, isFresh: true }])
      say(index, 1, [[1, 1]])
      assert.deepEqual(index.refsOf(idOf(1)), [
        { feed: 2, index: 7 },
        { feed: 1, index: 1 },
      ])
    })

  it('takes over what an older version has written where the first to ask is a record that is taken over', () => {
    const database = new MemoryDatabase()
    writeOld(database, 64)
    const index = new BlindIndex(database, 'x:')
    const [said] = say(index, 3, [[0, 4]]).said
    assert.deepEqual([said?.isFresh, said?.first], [false, { feed: 1, index: 4 }])
    assert.deepEqual(index.refsOf(idOf(4)), [
      { feed: 1, index: 4 },
      { feed: 3, index: 0 },
    ])
    assert.equal(index.refsOf(idOf(3)).length, 2)
  })

  it('takes over what an older version has written, after the record that was the first to ask failed', () => {
    const database = new MemoryDatabase()
    writeOld(database, 64)
    const index = new BlindIndex(database, 'x:')
    const fails = (): void =>
      index.transaction(() => {
        say(index, 3, [[0, 4]])
        throw new Error('the disk is full')
      })
    assert.throws(fails, /the disk is full/)
    assert.deepEqual(index.refsOf(idOf(3)), [
      { feed: 2, index: 3 },
      { feed: 1, index: 3 },
    ])
    const [said] = say(index, 3, [[0, 4]]).said
    assert.deepEqual([said?.isFresh, said?.first], [false, { feed: 1, index: 4 }])
    assert.deepEqual(new BlindIndex(database, 'x:').refsOf(idOf(4)), [
      { feed: 1, index: 4 },
      { feed: 3, index: 0 },
    ])
  })

  it('knows of its feeds and their lives what it did before a transaction that failed', () => {
    const database = new FailingDatabase()
    const index = opened(database)
    say(index, 1, [[0, 0]])
    const before = [index.feeds.byNumber(1), index.life(1)]
    database.isFailing = true
    assert.throws(() => say(index, 1, [[1, 1]]), /the disk is full/)
    assert.throws(() => index.transaction(() => index.setStoredBlocks(1, 7)), /the disk is full/)
    database.isFailing = false
    assert.deepEqual([index.feeds.byNumber(1), index.life(1)], before)
    assert.equal(index.storedBlocks(1), 0)
    assert.deepEqual(
      say(index, 1, [[1, 1]]).said.map(({ number }) => number),
      [1],
    )
    assert.deepEqual(new BlindIndex(database, 'x:').feeds.byNumber(1), index.feeds.byNumber(1))
  })

  it('takes over what an older version has written, also when that is interrupted', async () => {
    // So many that it takes several slices.
    const count = 64 * (3 * OLD_CHUNKS_A_TURN)
    for (const slices of [1, 2, 3, 4, 1000]) {
      const database = new MemoryDatabase()
      writeOld(database, count)
      let left = slices
      await new BlindIndex(database, 'x:')
        .load(() => (--left === 0 ? Promise.reject(new Error('the share stops')) : Promise.resolve()))
        .catch((thrown: Error) => assert.equal(thrown.message, 'the share stops'))
      const index = new BlindIndex(database, 'x:')
      await index.load(async () => undefined)
      assert.deepEqual(index.refsOf(idOf(3)), [
        { feed: 2, index: 3 },
        { feed: 1, index: 3 },
      ])
      assert.deepEqual(index.refsOf(idOf(4)), [{ feed: 1, index: 4 }])
      assert.deepEqual(index.refsOf(idOf(count - 1)), [{ feed: 1, index: count - 1 }])
      assert.deepEqual(index.refsOf(idOf(count)), [])
      assert.deepEqual(index.at(1, 4), {
        ...{ number: 4, id: idOf(4), length: 104, firstBlock: 6, lastBlock: 8, isFirst: true, isOnly: true },
      })
      assert.deepEqual(
        [index.at(1, 3)!.isFirst, index.at(2, 3)!.isFirst, index.at(2, 3)!.isOnly],
        [false, true, false],
      )
      assert.deepEqual(database.table('x:refs').range(Buffer.alloc(0), Buffer.alloc(16, 0xff)), [])
      // And goes on from there.
      const [again] = say(index, 3, [[0, 3]]).said.map(({ first }) => first)
      assert.deepEqual(again, { feed: 2, index: 3 })
      assert.equal(index.refsOf(idOf(3)).length, 3)
    }
  })
})

function checkPieces(
  index: BlindIndex,
  model: ReadonlyMap<number, readonly PieceRef[]>,
  numbers: ReadonlyMap<string, number>,
): void {
  let seen = 0
  for (const feed of [1, 2, 3])
    for (const { pieces } of index.piecesOf(feed))
      for (const piece of pieces) {
        seen++
        const n = numbers.get(`${feed}/${piece.number}`)!
        const refs = model.get(n)!
        assert.deepEqual(piece.id, idOf(n))
        assert.equal(piece.length, 100 + n)
        assert.equal(piece.isFirst, refs[0]!.feed === feed && refs[0]!.index === piece.number)
        assert.equal(piece.isOnly, refs.length === 1)
        assert.deepEqual(index.refsOfPiece(feed, piece), refs)
      }
  assert.equal(seen, numbers.size)
}

/** Tables as they were when each piece had a row of refs: feed 1 announces so many pieces, feed 2 one of them, and before that. */
function writeOld(database: MemoryDatabase, count: number): void {
  opened(database)
  const announced = database.table<Buffer>('x:announced')
  const refs = database.table<Buffer>('x:refs')
  const slot = (n: number): Buffer => {
    const bytes = Buffer.alloc(44)
    idOf(n).copy(bytes)
    bytes.writeUInt32LE(100 + n, 32)
    bytes.writeUInt32LE(6, 36)
    bytes.writeUInt32LE(8, 40)
    return bytes
  }
  const none = Buffer.alloc(44)
  for (let at = 0; at < count / 64; at++)
    announced.put(pairKey(1, at), Buffer.concat(Array.from({ length: 64 }, (_, i) => slot(64 * at + i))))
  announced.put(
    pairKey(2, 0),
    Buffer.concat(Array.from({ length: 64 }, (_, i) => (i === 3 ? slot(3) : none))),
  )
  for (let n = 0; n < count; n++) {
    const row = Buffer.alloc(n === 3 ? 16 : 8)
    row.writeUInt32LE(n === 3 ? 2 : 1, 0)
    row.writeUInt32LE(n, 4)
    if (n === 3) {
      row.writeUInt32LE(1, 8)
      row.writeUInt32LE(n, 12)
    }
    refs.put(idOf(n), row)
  }
}
