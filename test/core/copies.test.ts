// Counting copies against the plainest way to do it: piece by piece, holder by holder.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Bitfield } from '../../src/core/bitfield.js'
import { countCopies, countingCopies, type Holder, MAX_EXAMPLES } from '../../src/core/copies.js'
import type { WriterId } from '../../src/core/ids.js'
import { type LivePieces, LivePiecesMaker, NO_LIVE_PIECES } from '../../src/core/live-pieces.js'

const FEEDS = ['aa', 'bb'] as WriterId[]

/** An id that is told apart by all of its first bytes. */
function idOf(number: number): Buffer {
  const id = Buffer.alloc(32, number & 0xff)
  id.writeUInt32LE((number * 0x9e3779b1) >>> 0)
  id.writeUInt32LE((number * 0x85ebca6b) >>> 0, 4)
  return id
}

/** Live pieces with so many bytes as their number and 100. */
function liveOf(numbers: Readonly<Record<string, readonly number[]>>): LivePieces {
  const maker = new LivePiecesMaker()
  for (const [feed, indices] of Object.entries(numbers)) {
    for (const index of indices) maker.mark(feed as WriterId, index, 1)
  }
  for (const { writer, end } of maker.marked)
    for (let index = 0; index < end; index++)
      maker.learn(writer, index, idOf(FEEDS.indexOf(writer) * 1_000_000 + index), 100 + index)
  return maker.finish()
}

function holder(isOffsite: boolean, held: Readonly<Record<string, readonly number[]>>): Holder {
  const bits = Object.entries(held).map(
    ([feed, indices]) =>
      [feed as WriterId, Bitfield.of(indices).toWire(Math.max(-1, ...indices) + 1)] as const,
  )
  return { isOffsite, feeds: new Map(bits) }
}

test('whatever is held by whom, pieces are counted as one would by hand', () => {
  const numbers = fc.uniqueArray(fc.nat(70), { maxLength: 50 })
  const perFeed = fc.record({ aa: numbers, bb: numbers }, { noNullPrototype: true })
  const holders = fc.array(fc.tuple(fc.boolean(), perFeed), { maxLength: 9 })
  const promise = fc.record(
    { min: fc.integer({ min: 1, max: 9 }), offsite: fc.nat(5) },
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(
      perFeed,
      holders,
      promise,
      fc.option(perFeed),
      (liveNumbers, who, { min, offsite }, within) => {
        const live = liveOf(liveNumbers)
        const counts = countCopies(
          live,
          who.map(([isOffsite, held]) => holder(isOffsite, held)),
          { min, offsite },
          within === null ? undefined : holder(false, within).feeds,
        )
        const sums = { total: 0, short: 0, belowMin: 0, belowOffsite: 0, none: 0 }
        const bytes = { ...sums }
        let fewest: number | undefined
        for (const feed of ['aa', 'bb'] as const)
          for (const index of liveNumbers[feed]) {
            if (within !== null && !within[feed].includes(index)) continue
            const having = who.filter(([, held]) => held[feed].includes(index))
            const away = having.filter(([isOffsite]) => isOffsite).length
            const is = {
              total: true,
              short: having.length < min || away < offsite,
              belowMin: having.length < min,
              belowOffsite: away < offsite,
              none: having.length === 0,
            }
            for (const kind of Object.keys(sums) as (keyof typeof sums)[]) {
              if (!is[kind]) continue
              sums[kind]++
              bytes[kind] += 100 + index
            }
            if (is.short) fewest = Math.min(fewest ?? 99, having.length)
          }
        for (const kind of Object.keys(sums) as (keyof typeof sums)[])
          assert.deepEqual(counts[kind], { pieces: sums[kind], bytes: bytes[kind] }, kind)
        assert.equal(counts.fewest, fewest)
        assert.equal(counts.examples.length, Math.min(MAX_EXAMPLES, sums.short))
        for (const { writer, index } of counts.examples)
          assert.ok(liveNumbers[writer as 'aa' | 'bb'].includes(index))
      },
    ),
  )
})

test('more holders than fit a byte are counted, too', () => {
  const live = liveOf({ aa: [0, 5] })
  const many = Array.from({ length: 300 }, (_, i) => holder(i % 2 === 0, { aa: i < 299 ? [0, 5] : [0] }))
  const { short, fewest } = countCopies(live, many, { min: 300, offsite: 150 })
  assert.deepEqual([short.pieces, fewest], [1, 299])
  assert.equal(countCopies(live, many, { min: 299, offsite: 150 }).short.pieces, 0)
})

test('long counts pause on the way', () => {
  const live: LivePieces = {
    feeds: new Map([[FEEDS[0]!, { bits: new Uint8Array(300_000), lengths: new Uint32Array(2_400_000) }]]),
    pieces: 0,
    bytes: 0,
  }
  let pauses = 0
  for (const _ of countingCopies(live, [], { min: 1, offsite: 0 })) pauses++
  assert.ok(pauses >= 4, `${pauses} pauses`)
})

test('a piece that several feeds announced, or one twice, counts once; what is not live does not', () => {
  const maker = new LivePiecesMaker()
  maker.mark(FEEDS[0]!, 3, 2)
  maker.mark(FEEDS[1]!, 0, 2)
  // Many, so that the set of ids grows.
  maker.mark(FEEDS[1]!, 10, 5000)
  assert.deepEqual(
    maker.marked.map(({ end }) => end),
    [5, 5010],
  )
  for (let index = 0; index < 5; index++) maker.learn(FEEDS[0]!, index, idOf(index), 10)
  maker.learn(FEEDS[1]!, 0, idOf(4), 10)
  maker.learn(FEEDS[1]!, 1, idOf(77), 30)
  for (let index = 10; index < 5010; index++) maker.learn(FEEDS[1]!, index, idOf(1000 + (index >> 1)), 1)
  const { feeds, pieces, bytes } = maker.finish()
  assert.deepEqual([pieces, bytes], [2503, 10 + 10 + 30 + 2500])
  assert.deepEqual([...fieldOf(feeds.get(FEEDS[0]!)!.bits)], [3, 4])
  assert.deepEqual([...fieldOf(feeds.get(FEEDS[1]!)!.bits)].slice(0, 3), [1, 10, 12])
  assert.deepEqual(new LivePiecesMaker().finish(), NO_LIVE_PIECES)
})

function fieldOf(bits: Uint8Array): Bitfield {
  const read = Bitfield.fromWire(bits)
  assert.equal(read.type, 'ok')
  return read.value as Bitfield
}
