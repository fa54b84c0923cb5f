import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Bitfield } from '../../src/core/bitfield.js'
import { availabilityOf, countHoldings, type FeedHoldings } from '../../src/core/holdings.js'
import type { DeviceId, WriterId } from '../../src/core/ids.js'

const [A, B] = ['aa', 'bb'] as DeviceId[]

function feed(
  pieces: number,
  own: readonly number[],
  peers: Readonly<Record<string, readonly number[]>>,
  wanted: readonly number[] = [],
): FeedHoldings {
  const bits = (indices: readonly number[]): Uint8Array => Bitfield.of(indices).toWire(pieces)
  const entries = Object.entries(peers).map(([device, held]) => [device as DeviceId, bits(held)] as const)
  return { writer: 'f0' as WriterId, own: bits(own), peers: new Map(entries), wanted }
}

test('counts are of pieces that somebody holds or this node wants; numbers that nobody needs do not count', () => {
  const feeds = [feed(20, [0, 1, 9], { aa: [0, 1], bb: [10] }, [12]), feed(3, [], { aa: [2] })]
  const { pieces, held, peers } = countHoldings(feeds)
  assert.deepEqual([pieces, held, peers.get(A!), peers.get(B!)], [6, 3, 3, 1])
})

test('what keepers alone hold and nobody here wants is not in play: old versions', () => {
  // B keeps 7 to 9, of which 7 is wanted here, and so one that nobody else has.
  const feeds = [feed(10, [0, 1], { aa: [0, 1, 2], bb: [0, 1, 2, 7, 8, 9] }, [7])]
  const keepers = new Set([B!])
  const { pieces, held, peers } = countHoldings(feeds, keepers)
  assert.deepEqual([pieces, held, peers.get(A!), peers.get(B!)], [4, 2, 3, 4])
  const map = availabilityOf(feeds, 4, keepers)
  assert.deepEqual([map.pieces, map.rarestCopies, map.rarestPieces], [4, 1, 1])
})

test('availability: pieces in order, feed after feed, the rarest told', () => {
  const feeds = [feed(20, [0, 1, 9], { aa: [0, 1], bb: [1, 10] }, [12]), feed(3, [], { aa: [2] })]
  assert.deepEqual(availabilityOf(feeds, 3), {
    ...{ pieces: 6, held: 3, rarestCopies: 0, rarestPieces: 1 },
    buckets: [
      { pieces: 2, held: 2, minCopies: 2, maxCopies: 3 },
      { pieces: 2, held: 1, minCopies: 1, maxCopies: 1 },
      { pieces: 2, held: 0, minCopies: 0, maxCopies: 1 },
    ],
  })
  assert.equal(availabilityOf(feeds, 100).buckets.length, 6)
  assert.deepEqual(availabilityOf([feed(8, [], {})], 5), {
    ...{ pieces: 0, held: 0, rarestCopies: 0, rarestPieces: 0, buckets: [] },
  })
})

test('availability: whatever is held, the buckets add up and differ in size by one at most', () => {
  const indices = fc.uniqueArray(fc.nat(99), { maxLength: 60 })
  fc.assert(
    fc.property(indices, indices, indices, fc.integer({ min: 1, max: 70 }), (own, first, second, width) => {
      const feeds = [feed(100, own, { aa: first, bb: second })]
      const { pieces, held, buckets, rarestCopies } = availabilityOf(feeds, width)
      const sum = (of: (bucket: (typeof buckets)[number]) => number): number =>
        buckets.reduce((total, bucket) => total + of(bucket), 0)
      assert.equal(pieces, new Set([...own, ...first, ...second]).size)
      assert.deepEqual([sum((bucket) => bucket.pieces), sum((bucket) => bucket.held)], [pieces, held])
      assert.equal(buckets.length, Math.min(width, pieces))
      const sizes = buckets.map((bucket) => bucket.pieces)
      assert.ok(pieces === 0 || Math.max(...sizes) - Math.min(...sizes) <= 1)
      if (pieces > 0) assert.equal(rarestCopies, Math.min(...buckets.map(({ minCopies }) => minCopies)))
    }),
  )
})
