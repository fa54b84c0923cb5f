// Padded lengths: what they add, and that little is left of the length in them.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { MAX_PLAINTEXT_BYTES } from '../../src/core/chunker.js'
import { MIN_PADDED_BYTES, paddedBytesOf, padme } from '../../src/core/padme.js'

const lengths = fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: MAX_PLAINTEXT_BYTES }))

/** The paper's algorithm 1, word by word. */
function ofThePaper(length: number): number {
  const e = Math.floor(Math.log2(length))
  const s = Math.floor(Math.log2(e)) + 1
  const last = e - s
  const mask = 2 ** last - 1
  return Math.floor((length + mask) / (mask + 1)) * (mask + 1)
}

describe('padmé', () => {
  it('is what the paper says', () => {
    for (let length = 2; length < 70_000; length++) assert.equal(padme(length), ofThePaper(length))
    assert.deepEqual(
      [1, 9, 100, 300, 14_500, 65_537, 1_048_577].map(padme),
      [1, 10, 104, 304, 14_848, 67_584, 1_081_344],
    )
    fc.assert(
      fc.property(
        lengths,
        (length) => void assert.equal(padme(Math.max(2, length)), ofThePaper(Math.max(2, length))),
      ),
    )
  })

  it('never shortens, ascends, adds at most 12 %, and pads what is padded no further', () => {
    fc.assert(
      fc.property(lengths, fc.nat(100_000), (length, more) => {
        const padded = padme(length)
        assert.ok(padded >= length && padded <= length * 1.12)
        if (length >= 65_536) assert.ok(padded - length <= length / 32)
        assert.equal(padme(padded), padded)
        assert.ok(padme(length + more) >= padded)
      }),
    )
  })

  it('leaves few lengths that can be told from each other, and the longest plaintext as it is', () => {
    const told = new Set<number>()
    for (let length = 1; length <= 65_536; length++) told.add(paddedBytesOf(length))
    assert.equal(told.size, 129)
    assert.equal(paddedBytesOf(1), MIN_PADDED_BYTES)
    assert.equal(paddedBytesOf(MIN_PADDED_BYTES), MIN_PADDED_BYTES)
    assert.equal(padme(MIN_PADDED_BYTES), MIN_PADDED_BYTES)
    assert.equal(paddedBytesOf(MAX_PLAINTEXT_BYTES), MAX_PLAINTEXT_BYTES)
  })
})
