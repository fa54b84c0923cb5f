// What was added is found by its id, and nothing else is; chains that somebody else would make one stay apart.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FirstRefs, halfSipHash } from '../../src/store/first-refs.js'
import type { PieceRef } from '../../src/store/pieces.js'
import { patternBytes } from '../core/piece-pattern.js'

const KEY = Buffer.from([0, 1, 2, 3, 4, 5, 6, 7])

test('the hash is HalfSipHash-1-3: of the bytes 0 to 31 under the key 0 to 7', () => {
  const bytes = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
  assert.equal(halfSipHash(KEY.readInt32LE(0), KEY.readInt32LE(4), bytes), 0xbc6dda8d)
})

test('as a map of ids would', () => {
  const added = fc.record({ feed: fc.integer({ min: 1, max: 2 ** 20 }), index: fc.nat(2 ** 31 - 1) })
  fc.assert(
    fc.property(fc.array(added, { maxLength: 2000, size: 'max' }), (refs) => {
      const firsts = new FirstRefs(KEY)
      const model = new Map<string, PieceRef>()
      refs.forEach((ref, n) => {
        const id = patternBytes(32, n)
        firsts.add(id, ref.feed, ref.index)
        model.set(id.toString('hex'), ref)
      })
      // Places that share a hash with what is asked for are told apart by whoever asks.
      const isIt = (ref: PieceRef, id: Buffer): boolean => {
        const known = model.get(id.toString('hex'))
        return known?.feed === ref.feed && known.index === ref.index
      }
      for (let n = 0; n < refs.length + 10; n++) {
        const found = firsts.find(patternBytes(32, n), isIt)
        assert.deepEqual(found, n < refs.length ? { ...refs[n] } : undefined)
      }
    }),
    { numRuns: 20 },
  )
})

test('numbers in a row, of feeds by turns', () => {
  const firsts = new FirstRefs(KEY)
  for (let n = 0; n < 50_000; n++) firsts.add(patternBytes(32, n), 1 + (n % 3), Math.floor(n / 3))
  for (let n = 0; n < 50_000; n++)
    assert.deepEqual(
      firsts.find(patternBytes(32, n), ({ feed, index }) => 3 * index + feed - 1 === n),
      { feed: 1 + (n % 3), index: Math.floor(n / 3) },
    )
})
