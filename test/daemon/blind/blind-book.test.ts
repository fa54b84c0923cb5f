import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { DeviceId, WriterId } from '../../../src/core/ids.js'
import type { PieceInfo } from '../../../src/core/piece.js'
import type { PublicPart } from '../../../src/core/record.js'
import { KEEP_ALL, type Retention } from '../../../src/core/retention.js'
import { BlindBook } from '../../../src/daemon/blind/blind-book.js'
import { BlindIndex } from '../../../src/store/blind-index.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import { patternBytes } from '../../core/piece-pattern.js'

const A = 'a1a1a1a1a1a1a1a1' as WriterId
const B = 'b2b2b2b2b2b2b2b2' as WriterId
const HOUR = 3_600_000
const NOW = 1_760_000_000_000

function piece(n: number): PieceInfo {
  return { id: patternBytes(32, n), length: 100 + n }
}

interface Made {
  readonly index: BlindIndex
  readonly book: BlindBook
  readonly held: Map<string, number>
  /** Takes over the next record of a feed: pieces under numbers. */
  say(writer: WriterId, announced: readonly [number: number, piece: number][], more?: More): void
  store(...pieces: number[]): void
}

interface More {
  readonly atMs?: number
  readonly kind?: 'delta' | 'checkpoint'
  readonly checkpoint?: number
}

function make(
  policy: Retention = KEEP_ALL,
  nowMs: () => number = () => NOW,
  database = new MemoryDatabase(),
): Made {
  const index = new BlindIndex(database, 'x:')
  const held = new Map<string, number>()
  const vault = {
    has: (id: Buffer) => held.has(id.toString('hex')),
    lengthOf: (id: Buffer) => held.get(id.toString('hex')),
  }
  const book = new BlindBook({
    index,
    vault,
    policy: () => policy,
    nowMs,
    breathe: async () => {},
    chunksATurn: 1,
  })
  const rowOf = (writer: WriterId) => {
    const key = Buffer.alloc(32)
    const device = 'ab'.repeat(32) as DeviceId
    return index.feeds.add({
      writer,
      key,
      device,
      deviceName: writer,
      epoch: 0,
      certificate: Buffer.alloc(0),
    })
  }
  return {
    index,
    book,
    held,
    say(writer, announced, { atMs = NOW, kind = 'delta', checkpoint } = {}) {
      const feed = rowOf(writer)
      const part: PublicPart = {
        header: { kind, timeMs: atMs, view: [], checkpoint },
        announcements: announced.map(([first, n]) => ({ first, pieces: [piece(n)] })),
      }
      book.takeOver(feed, feed.next, part)
    },
    store(...pieces) {
      for (const n of pieces) held.set(piece(n).id.toString('hex'), piece(n).length)
      book.stored(pieces.map(piece))
    },
  }
}

const numbersOf = ({ book }: Made): string => {
  const { live, missing, past, missingPast } = book.counts
  return [live, missing, past, missingPast].map(({ pieces }) => pieces).join(' ')
}

describe('what a blind node should hold', () => {
  it('counts a piece once, whoever announces it, and misses it until it is stored', () => {
    const made = make()
    made.say(A, [
      [0, 1],
      [1, 2],
    ])
    made.say(B, [
      [0, 2],
      [1, 3],
    ])
    assert.equal(numbersOf(made), '3 3 0 0')
    made.store(2)
    assert.equal(numbersOf(made), '3 2 0 0')
    assert.deepEqual(
      made.index.missingAfter(undefined, 10).refs.map(({ feed, index }) => `${feed}.${index}`),
      ['1.0', '2.1'],
    )
    assert.equal(made.book.counts.missing.bytes, 101 + 103)
  })

  it('keeps what a checkpoint leaves out for as long as the policy does', async () => {
    const day: Retention = { ...KEEP_ALL, keepMs: 24 * HOUR }
    const made = make(day)
    const old = { atMs: NOW - 100 * HOUR }
    made.say(
      A,
      [
        [0, 1],
        [1, 2],
        [2, 3],
      ],
      old,
    )
    made.store(1, 2, 3)
    made.say(A, [[1, 2]], { ...old, kind: 'checkpoint' })
    // Not whole yet: nothing is of the past.
    await made.book.survey()
    assert.equal(numbersOf(made), '3 0 0 0')
    made.say(A, [[3, 4]], { atMs: NOW - 50 * HOUR, checkpoint: 1 })
    assert.equal(made.book.isStale, true)
    const { dead } = await made.book.survey()
    // Over for longer than the policy keeps: its two pieces may go, the restated one and the new one are live.
    assert.deepEqual(
      dead.map(({ id }) => id.toString('hex')).sort(),
      [1, 3].map((n) => piece(n).id.toString('hex')).sort(),
    )
    assert.equal(numbersOf(made), '2 1 0 0')
    // Said again before it is dropped, it stays; said again after, it is fetched again.
    made.say(A, [[4, 1]], { checkpoint: 1 })
    assert.deepEqual(
      made.book.stillDead(dead).map(({ id }) => id),
      [piece(3).id],
    )
    made.held.delete(piece(3).id.toString('hex'))
    made.held.delete(piece(1).id.toString('hex'))
    made.book.recheck(dead)
    await made.book.survey()
    assert.equal(numbersOf(made), '3 2 0 0')
  })

  it('keeps the past within max_size, the oldest goes first, and does not fetch it again', async () => {
    const made = make({ ...KEEP_ALL, maxBytes: 250 })
    for (let generation = 0; generation < 4; generation++) {
      const atMs = NOW - (100 - generation * 20) * HOUR
      const block = made.index.feeds.byWriter(A)?.next ?? 0
      made.say(A, [[generation, generation]], { atMs, kind: generation === 0 ? 'delta' : 'checkpoint' })
      made.say(A, [], { atMs, ...(generation === 0 ? {} : { checkpoint: block }) })
      made.store(generation)
    }
    const { dead } = await made.book.survey()
    assert.deepEqual(
      dead.map(({ id }) => id),
      [piece(0).id],
    )
    assert.equal(numbersOf(made), '1 0 2 0')
    made.held.delete(piece(0).id.toString('hex'))
    const again = await made.book.survey()
    assert.deepEqual(again.dead, [])
    assert.equal(numbersOf(made), '1 0 2 0')
    assert.equal(made.index.missingAfter(undefined, 10).refs.length, 0)
  })

  it('announcements of what nobody has push nothing out of max_size', async () => {
    const made = make({ ...KEEP_ALL, maxBytes: 250 })
    made.say(A, [[0, 1]], { atMs: NOW - 50 * HOUR })
    made.store(1)
    // Somebody who may write announces a good deal that is nowhere to be had, and takes all of it back.
    made.say(B, [[0, 5000]], { atMs: NOW - 9 * HOUR })
    for (const writer of [A, B]) {
      const block = made.index.feeds.byWriter(writer)!.next
      made.say(writer, [], { atMs: NOW - 8 * HOUR, kind: 'checkpoint' })
      made.say(writer, [], { atMs: NOW - 8 * HOUR, checkpoint: block })
    }
    const { dead } = await made.book.survey()
    assert.deepEqual(dead, [])
    assert.equal(numbersOf(made), '0 0 1 1')
    assert.deepEqual((await made.book.survey()).dead, [])
  })

  it('keeps what stood until now, whatever time a checkpoint bears that leaves it out', async () => {
    let nowMs = NOW - 200 * HOUR
    const made = make({ ...KEEP_ALL, keepMs: 24 * HOUR }, () => nowMs)
    made.say(A, [[0, 1]], { atMs: nowMs })
    made.store(1)
    // It stands for a week in which nothing is said.
    nowMs = NOW - HOUR
    await made.book.survey()
    made.book.noteStanding()
    nowMs = NOW
    const long = { atMs: NOW - 199 * HOUR }
    made.say(A, [], { ...long, kind: 'checkpoint' })
    made.say(A, [], { ...long, checkpoint: 1 })
    assert.deepEqual((await made.book.survey()).dead, [])
    assert.equal(numbersOf(made), '0 0 1 0')
    nowMs = NOW + 30 * HOUR
    assert.equal((await made.book.survey()).dead.length, 1, 'it goes in its time')
  })

  it('a life does not grow with checkpoints of the past; what is needed stays the same', async () => {
    // Twelve checkpoints a day for 25 days, of which one day and the ends of ten more are kept.
    const COUNT = 300
    const policy = { ...KEEP_ALL, keepMs: 24 * HOUR, daily: 10 }
    const [plain, made] = [make(policy), make(policy)]
    const keptOf = async ({ book, index }: Made): Promise<readonly number[]> => {
      const { dead } = await book.survey()
      const gone = new Set(dead.map(({ id }) => id.toString('hex')))
      return [...Array(COUNT).keys()].filter(
        (n) => index.refsOf(piece(n).id).length > 0 && !gone.has(piece(n).id.toString('hex')),
      )
    }
    let most = 0
    for (let n = 0; n < COUNT; n++) {
      for (const each of [plain, made]) {
        const atMs = NOW - (COUNT - n) * 2 * HOUR
        const block = each.index.feeds.byWriter(A)?.next ?? 0
        // Each piece stands for two checkpoints, and every 25th for good.
        const stands = [n - 1, n, ...Array(Math.ceil(n / 25)).keys()].filter((m) => m >= 0)
        const numbers = stands.map((m, i): [number, number] => (i < 2 ? [m, m] : [m * 25, m * 25]))
        each.say(A, numbers, n === 0 ? { atMs } : { atMs, kind: 'checkpoint', checkpoint: block })
        if (!each.held.has(piece(n).id.toString('hex'))) each.store(n)
      }
      if (n % 40 === 39) {
        await made.book.survey()
        made.book.condense()
      }
      most = Math.max(most, made.index.life(1).generations.length)
    }
    assert.equal(plain.index.life(1).generations.length, COUNT)
    assert.ok(most < 130, `${most} generations at most`)
    assert.deepEqual(await keptOf(made), await keptOf(plain))
    assert.equal(numbersOf(made), numbersOf(plain))
  })

  it('a clock that was ahead leaves nothing behind', async () => {
    let nowMs = NOW + 10_000 * HOUR
    const made = make({ ...KEEP_ALL, keepMs: 24 * HOUR }, () => nowMs)
    made.say(A, [[0, 1]], { atMs: NOW })
    made.store(1)
    made.book.noteStanding()
    nowMs = NOW
    assert.equal(made.book.silenceMs, 0)
    made.book.noteStanding()
    made.say(A, [], { kind: 'checkpoint' })
    made.say(A, [], { checkpoint: 1 })
    nowMs = NOW + 30 * HOUR
    assert.equal((await made.book.survey()).dead.length, 1)
  })

  it('counts anew where what was noted was not kept, however far the try had come', async () => {
    for (const fault of ['before its end', 'when all was noted', undefined]) {
      const database = new MemoryDatabase()
      const made = make(KEEP_ALL, () => NOW, database)
      made.say(A, [
        [0, 1],
        [1, 2],
      ])
      await made.book.survey()
      let isFailing = fault !== undefined
      const pieces = {
        *[Symbol.iterator]() {
          yield piece(1)
          if (isFailing && fault === 'before its end') throw new Error('the disk fails')
          yield piece(2)
        },
      } as unknown as PieceInfo[]
      const note = made.book.storing(pieces)
      const tried = (): unknown =>
        database.transaction(() => {
          note()
          if (isFailing) throw new Error('the disk fails')
        })
      if (isFailing) assert.throws(tried, /the disk fails/)
      isFailing = false
      tried()
      assert.equal(made.book.isStale, fault !== undefined, fault)
      for (const n of [1, 2]) made.held.set(piece(n).id.toString('hex'), piece(n).length)
      await made.book.survey()
      assert.equal(numbersOf(made), '2 0 0 0')
    }
  })

  it('wants what is lost again', async () => {
    const made = make()
    made.say(A, [
      [0, 1],
      [5, 1],
      [6, 2],
    ])
    made.store(1, 2)
    made.held.delete(piece(1).id.toString('hex'))
    assert.deepEqual(made.book.lost([piece(1).id]).get(A), [0, 5])
    assert.equal(numbersOf(made), '2 1 0 0')
    assert.equal(made.book.lost([piece(1).id]).size, 0)
  })

  it('counts anew what was lost in a transaction that came to nothing', async (t) => {
    const made = make()
    made.say(A, [
      [0, 1],
      [1, 2],
    ])
    made.store(1, 2)
    await made.book.survey()
    assert.equal(made.book.isStale, false)
    made.held.clear()
    const real = made.index.setMissing.bind(made.index)
    let calls = 0
    const broken = t.mock.method(made.index, 'setMissing', (...args: Parameters<typeof real>) => {
      if (++calls === 2) throw new Error('the disk is full')
      return real(...args)
    })
    const ids = [1, 2].map((n) => piece(n).id)
    assert.throws(() => made.book.lost(ids), /the disk is full/)
    broken.mock.restore()
    assert.equal(made.book.isStale, true)
    await made.book.survey()
    assert.equal(made.book.lost(ids).size, 0, 'the survey has found it missing')
    assert.equal(numbersOf(made), '2 2 0 0')
  })

  it('lets the first announcement of a number stand', () => {
    const made = make()
    made.say(A, [[0, 1]])
    const feed = made.index.feeds.byWriter(A)!
    const header = { kind: 'delta' as const, timeMs: NOW, view: [], checkpoint: undefined }
    const { contradictions } = made.book.takeOver(feed, 1, {
      header,
      announcements: [{ first: 0, pieces: [piece(9)] }],
    })
    assert.equal(contradictions, 1)
    assert.deepEqual(made.index.at(feed.number, 0)?.id, piece(1).id)
  })

  it('knows nothing of what was announced in a transaction that came to nothing', () => {
    const made = make()
    made.say(A, [[0, 1]])
    const refsNow = (): unknown[] => [1, 2].map((n) => made.index.refsOf(piece(n).id))
    const before = refsNow()
    assert.throws(() =>
      made.index.transaction(() => {
        made.say(B, [
          [0, 1],
          [1, 2],
        ])
        assert.deepEqual(
          refsNow().map((refs) => (refs as unknown[]).length),
          [2, 1],
        )
        throw new Error('the disk is full')
      }),
    )
    assert.deepEqual(refsNow(), before)
  })

  it('counts alike step by step and in a survey, also in one under way meanwhile', async () => {
    const step = fc.oneof(
      fc.record({
        type: fc.constant('say' as const),
        writer: fc.constantFrom(A, B),
        pieces: fc.array(fc.nat(30), { maxLength: 5 }),
        isCheckpoint: fc.boolean(),
      }),
      fc.record({ type: fc.constant('store' as const), pieces: fc.array(fc.nat(30), { maxLength: 8 }) }),
      fc.record({ type: fc.constant('lose' as const), piece: fc.nat(30) }),
      fc.record({ type: fc.constant('survey' as const), steps: fc.nat(3) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const made = make({ ...KEEP_ALL, keepMs: 10 * HOUR })
        const numbers = new Map<WriterId, number>()
        let atMs = NOW - 60 * HOUR
        let underway: Promise<unknown> = Promise.resolve()
        for (const each of steps) {
          if (each.type === 'survey') {
            await underway
            underway = made.book.survey()
            for (let i = 0; i < each.steps; i++) await Promise.resolve()
          } else if (each.type === 'store') {
            const known = each.pieces.filter((n) => made.index.refsOf(piece(n).id).length > 0)
            made.store(...new Set(known))
          } else if (each.type === 'lose') {
            if (!made.held.delete(piece(each.piece).id.toString('hex'))) continue
            made.book.lost([piece(each.piece).id])
          } else {
            const { writer, pieces, isCheckpoint } = each
            const first = numbers.get(writer) ?? 0
            numbers.set(writer, first + pieces.length)
            const block = made.index.feeds.byWriter(writer)?.next ?? 0
            atMs += 3 * HOUR
            const announced = pieces.map((n, i): [number, number] => [(first + i) * 40, n])
            const kind = isCheckpoint ? 'checkpoint' : 'delta'
            made.say(writer, announced, { atMs, kind })
            if (isCheckpoint && block > 0) made.say(writer, [], { atMs, checkpoint: block })
          }
        }
        await underway
        while (made.book.isStale) await made.book.survey()
        const counted = numbersOf(made)
        await made.book.survey()
        assert.equal(numbersOf(made), counted)
        const { missing, missingPast } = made.book.counts
        const { refs } = made.index.missingAfter(undefined, 1000)
        assert.equal(refs.length, missing.pieces + missingPast.pieces)
      }),
      { numRuns: 150 },
    )
  })

  it('writes nothing in a survey that finds all as it was noted', async () => {
    const database = new MemoryDatabase()
    const { book, say, store, held } = make(KEEP_ALL, () => NOW, database)
    say(A, [
      [0, 1],
      [1, 2],
    ])
    store(1)
    let transactions = 0
    const transaction = database.transaction.bind(database)
    database.transaction = (body) => {
      transactions++
      return transaction(body)
    }
    await book.survey()
    assert.equal(transactions, 0)
    assert.equal(book.counts.missing.pieces, 1)
    // One was lost and nobody said so: that is noted.
    held.clear()
    await book.survey()
    assert.equal(transactions, 1)
    assert.equal(book.counts.missing.pieces, 2)
  })
})

it('wants what is missing once more where another feed names it, for somebody may hold it by that number alone', async () => {
  const { book, index, say, store } = make()
  say(A, [])
  say(B, [])
  const tell = (writer: WriterId, n: number): boolean => {
    const feed = index.feeds.byWriter(writer)!
    const header = { kind: 'delta' as const, timeMs: NOW, view: [], checkpoint: undefined }
    const announcements = [{ first: feed.pieceCount, pieces: [piece(n)] }]
    return book.takeOver(feed, feed.next, { header, announcements }).wants
  }
  await book.survey()
  assert.deepEqual([tell(A, 1), tell(B, 1), book.counts.missing.pieces], [true, true, 1])
  store(1)
  assert.equal(tell(B, 1), false)
})

it('offers a piece under the numbers that say its length, and counts it by what its first one says', async () => {
  for (const order of [
    [A, B],
    [B, A],
  ] as const) {
    const { book, index, say, held } = make()
    say(A, [])
    say(B, [])
    const { id, length } = piece(1)
    const tell = (writer: WriterId) => {
      const feed = index.feeds.byWriter(writer)!
      const header = { kind: 'delta' as const, timeMs: NOW, view: [], checkpoint: undefined }
      const said = { id, length: writer === A ? length : 7 }
      return book.takeOver(feed, feed.next, { header, announcements: [{ first: 0, pieces: [said] }] }).held
    }
    await book.survey()
    tell(order[0])
    tell(order[1])
    const counted = order[0] === A ? length : 7
    assert.deepEqual(book.counts.missing, { pieces: 1, bytes: counted })
    held.set(id.toString('hex'), length)
    assert.deepEqual([...book.stored([{ id, length }])], [[A, [0]]])
    assert.deepEqual([book.counts.missing, book.counts.live.bytes], [{ pieces: 0, bytes: 0 }, counted])
    const offered: number[] = []
    await book.survey((feed) => offered.push(feed))
    assert.deepEqual([offered, book.counts.live.bytes], [[index.feeds.byWriter(A)!.number], counted])
    // Heard of once the piece is here.
    const later = (writer: WriterId, said: number) => {
      const feed = index.feeds.byWriter(writer)!
      const header = { kind: 'delta' as const, timeMs: NOW, view: [], checkpoint: undefined }
      return book.takeOver(feed, feed.next, {
        header,
        announcements: [{ first: 1, pieces: [{ id, length: said }] }],
      })
    }
    assert.deepEqual([later(B, 8).held, later(A, length).held], [[], [1]])
  }
})
