import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  AVERAGE_BYTES,
  type ChunkPlan,
  chunkPlanFor,
  MAX_AVERAGE_BYTES,
  MAX_PLAINTEXT_BYTES,
  nextCut,
  PIECES_PER_FILE,
  planOf,
} from '../../src/core/chunker.js'
import { blake3, deriveKey } from '../../src/core/hash.js'
import { readFixture } from '../support/repository.js'
import { patternBytes } from './piece-pattern.js'

const small = planOf(128)

describe('chunk plan', () => {
  it('keeps a quarter and four times around the average', () => {
    for (const sizeBytes of [0, 1, 65_536, 65_537, 1e6, 1e9, 1e12, 1e15]) {
      const { min, average, max } = chunkPlanFor(sizeBytes)
      assert.equal(min * 4, average)
      assert.equal(average * 4, max)
      assert.ok(max <= MAX_PLAINTEXT_BYTES)
    }
  })

  it('doubles the average so that no file has more than 16,384 pieces, up to 256 GiB', () => {
    const edge = AVERAGE_BYTES * PIECES_PER_FILE
    assert.equal(chunkPlanFor(edge).average, AVERAGE_BYTES)
    assert.equal(chunkPlanFor(edge + 1).average, AVERAGE_BYTES * 2)
    assert.equal(chunkPlanFor(MAX_AVERAGE_BYTES * PIECES_PER_FILE * 10).average, MAX_AVERAGE_BYTES)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_AVERAGE_BYTES * PIECES_PER_FILE }), (sizeBytes) => {
        assert.ok(sizeBytes / chunkPlanFor(sizeBytes).average <= PIECES_PER_FILE)
      }),
    )
  })

  it('refuses averages it was not made for', () => {
    for (const average of [0, 64, 100, 3 * 1024, MAX_AVERAGE_BYTES * 2, Number.NaN])
      assert.throws(() => planOf(average), RangeError)
  })
})

describe('cutting', () => {
  it('is frozen', () => {
    const fixture = readFixture('piece-cuts.json') as { cuts: { average: number; lengths: number[] }[] }
    const bytes = patternBytes(1 << 20, 7)
    for (const { average, lengths } of fixture.cuts)
      assert.deepEqual(cutAll(bytes, planOf(average)), lengths, `average ${average}`)
  })

  it('leaves a file up to the minimum in one piece, and makes none of an empty one', () => {
    assert.deepEqual(cutAll(Buffer.alloc(0), small), [])
    assert.deepEqual(cutAll(Buffer.alloc(1), small), [1])
    assert.deepEqual(cutAll(patternBytes(small.min, 1), small), [small.min])
    const plan = chunkPlanFor(65_536)
    assert.equal(nextCut(patternBytes(65_536, 2), 0, 65_536, plan), 65_536)
  })

  it('covers the file in pieces within the bounds, as the slow definition says', () => {
    fc.assert(
      fc.property(fc.nat(20_000), fc.integer(), fc.constantFrom(128, 256, 1024), (length, seed, average) => {
        const bytes = patternBytes(length, seed)
        const plan = planOf(average)
        const lengths = cutAll(bytes, plan)
        assert.equal(
          lengths.reduce((sum, one) => sum + one, 0),
          length,
        )
        for (const one of lengths.slice(0, -1)) assert.ok(one > plan.min && one <= plan.max)
        assert.ok((lengths.at(-1) ?? 1) >= 1 && (lengths.at(-1) ?? 1) <= plan.max)
        assert.deepEqual(lengths, slowCuts(bytes, plan))
      }),
      { numRuns: 60 },
    )
  })

  it('cuts what never matches at the maximum', () => {
    const lengths = cutAll(Buffer.alloc(small.max * 3 + 5), small)
    assert.deepEqual(lengths, [small.max, small.max, small.max, 5])
  })

  it('does not depend on how the caller windows the file', () => {
    const bytes = patternBytes(300_000, 11)
    const whole = cutAll(bytes, planOf(1024))
    fc.assert(
      fc.property(fc.integer({ min: 1024 * 4, max: 50_000 }), fc.nat(100), (windowBytes, shift) => {
        assert.deepEqual(cutStreamed(bytes, planOf(1024), windowBytes, shift), whole)
      }),
      { numRuns: 40 },
    )
  })

  it('makes pieces of about the average', () => {
    const lengths = cutAll(patternBytes(4 << 20, 3), planOf(4096))
    const mean = (4 << 20) / lengths.length
    assert.ok(mean > 4096 * 0.8 && mean < 4096 * 1.6, `mean ${mean}`)
  })

  it('leaves most pieces alone when something is inserted, removed or replaced in the middle', () => {
    const bytes = patternBytes(1 << 20, 5)
    const plan = planOf(4096)
    const before = new Set(pieceNames(bytes, plan))
    fc.assert(
      fc.property(fc.nat(bytes.length), fc.nat(100), fc.nat(100), (at, removed, inserted) => {
        const edited = Buffer.concat([
          bytes.subarray(0, at),
          patternBytes(inserted, 99),
          bytes.subarray(at + removed),
        ])
        const after = pieceNames(edited, plan)
        const kept = after.filter((name) => before.has(name)).length
        // Old and new cuts meet again with each piece by chance: of 2,500 edits 96 in 100 changed one piece, none more than 8; the
        // example changes 11.
        assert.ok(kept >= after.length - 32, `${after.length - kept} of ${after.length} pieces changed`)
      }),
      { numRuns: 20, examples: [[296_579, 0, 11]] },
    )
  })
})

function cutAll(bytes: Buffer, plan: ChunkPlan): number[] {
  const lengths: number[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = nextCut(bytes, at, bytes.length, plan)
    lengths.push(length)
    at += length
  }
  return lengths
}

/** Reads through a window that begins `shift` bytes into its buffer, refilled when less than the maximum is in it. */
function cutStreamed(bytes: Buffer, plan: ChunkPlan, windowBytes: number, shift: number): number[] {
  const window = Buffer.alloc(shift + Math.max(windowBytes, plan.max))
  const lengths: number[] = []
  let read = 0
  let start = shift
  let end = shift
  for (;;) {
    if (end - start < plan.max && read < bytes.length) {
      window.copyWithin(shift, start, end)
      end = shift + end - start
      start = shift
      const more = bytes.copy(window, end, read, Math.min(bytes.length, read + window.length - end))
      read += more
      end += more
      continue
    }
    if (start === end) return lengths
    const length = nextCut(window, start, end, plan)
    lengths.push(length)
    start += length
  }
}

/** The definition, one position at a time and with nothing clever: what nextCut must equal. */
function slowCuts(bytes: Buffer, plan: ChunkPlan): number[] {
  const gear = Array.from({ length: 256 }, (_, byte) =>
    BigInt(deriveKey('shoal 2025 chunker gear table v1', Uint8Array.of(byte)).readInt32LE(0)),
  )
  const isCut = (position: number, bits: number): boolean => {
    let hash = 0n
    for (let i = position - 32; i < position; i++) hash = BigInt.asUintN(32, hash * 2n + gear[bytes[i]!]!)
    return hash >> BigInt(32 - bits) === 0n
  }
  const bits = Math.log2(plan.average)
  const lengths: number[] = []
  for (let start = 0; start < bytes.length; ) {
    const left = bytes.length - start
    let length = Math.min(left, plan.max)
    for (let candidate = plan.min + 1; candidate < length; candidate++)
      if (isCut(start + candidate, candidate <= plan.average ? bits + 2 : bits - 2)) length = candidate
    lengths.push(length)
    start += length
  }
  return lengths
}

function pieceNames(bytes: Buffer, plan: ChunkPlan): string[] {
  let at = 0
  return cutAll(bytes, plan).map((length) => {
    at += length
    return blake3(bytes.subarray(at - length, at)).toString('hex')
  })
}
