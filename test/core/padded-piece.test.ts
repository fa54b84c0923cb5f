// Padded pieces: they open to what was sealed and to nothing else, and no id stands for two contents.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import sodium from 'sodium-native'
import { chunkPlanFor, keyedGear, nextCut, planOf } from '../../src/core/chunker.js'
import { deriveKey, keyedBlake3 } from '../../src/core/hash.js'
import { paddedBytesOf } from '../../src/core/padme.js'
import {
  openPiece,
  packedLengthOf,
  pieceIdOf,
  plainBytesOf,
  SIV_BYTES,
  sealedBytesOf,
  sealPiece,
  unpackedLength,
} from '../../src/core/piece.js'
import { patternBytes } from './piece-pattern.js'

const keys = { sivKey: patternBytes(32, 1), pieceKey: patternBytes(32, 2) }
const plaintexts = fc.uint8Array({ minLength: 1, maxLength: 3000 }).map((bytes) => Buffer.from(bytes))

/** What a member that breaks the rules may seal: any plaintext, any padding. */
function forge(plaintext: Buffer, padding: Buffer): Buffer {
  const siv = keyedBlake3(deriveKey('shoal 2026-11 v1 padded piece siv key', keys.sivKey), [
    plaintext,
  ]).subarray(0, SIV_BYTES)
  const body = Buffer.concat([plaintext, padding])
  sodium.crypto_stream_xchacha20_xor(body, body, siv, keys.pieceKey)
  return Buffer.concat([siv, body])
}

describe('padded piece', () => {
  it('is frozen', () => {
    const sealed = sealPiece(keys, Buffer.from('shoal'), true)
    assert.equal(sealed.length, 280)
    assert.equal(
      pieceIdOf(sealed).toString('hex'),
      '408b538d81b3a8dded38cfb701ca5e1760be36540c9123a43aa7e05cddade2ac',
    )
    assert.deepEqual(forge(Buffer.from('shoal'), Buffer.alloc(251)), sealed)
  })

  it('opens to what was sealed, with its length alone, and seals alike every time (P2)', () => {
    fc.assert(
      fc.property(plaintexts, fc.integer({ min: -300, max: 3500 }), (plaintext, other) => {
        const sealed = sealPiece(keys, plaintext, true)
        assert.equal(sealed.length, paddedBytesOf(plaintext.length) + SIV_BYTES)
        assert.deepEqual(sealPiece(keys, plaintext, true), sealed)
        assert.deepEqual(openPiece(keys, sealed, plaintext.length), plaintext)
        assert.equal(openPiece(keys, sealed), undefined, 'it is no unpadded piece')
        if (other !== plaintext.length) assert.equal(openPiece(keys, sealed, other), undefined)
        assert.equal(openPiece(keys, sealPiece(keys, plaintext), plaintext.length), undefined)
      }),
    )
  })

  it('does not open once any bit is changed, padding included (P1)', () => {
    fc.assert(
      fc.property(plaintexts, fc.nat(), fc.nat(7), (plaintext, position, bit) => {
        const sealed = sealPiece(keys, plaintext, true)
        sealed[position % sealed.length]! ^= 1 << bit
        assert.equal(openPiece(keys, sealed, plaintext.length), undefined)
      }),
    )
  })

  it('is refused with padding that is not zeros, or makes no Padmé length, whoever sealed it', () => {
    fc.assert(
      fc.property(plaintexts, fc.uint8Array({ maxLength: 400 }), (plaintext, padding) => {
        const forged = forge(plaintext, Buffer.from(padding))
        const isRight =
          padding.every((byte) => byte === 0) &&
          plaintext.length + padding.length === paddedBytesOf(plaintext.length)
        assert.equal(openPiece(keys, forged, plaintext.length) !== undefined, isRight)
      }),
      { numRuns: 300 },
    )
  })

  it('has an id of its own: not that of the padded bytes as content, nor of content with more zeros', () => {
    fc.assert(
      fc.property(plaintexts, fc.integer({ min: 1, max: 300 }), (plaintext, zeros) => {
        const padded = Buffer.concat([
          plaintext,
          Buffer.alloc(paddedBytesOf(plaintext.length) - plaintext.length),
        ])
        const longer = Buffer.concat([plaintext, Buffer.alloc(zeros)])
        const ids = [
          sealPiece(keys, plaintext, true),
          sealPiece(keys, plaintext),
          sealPiece(keys, padded),
          sealPiece(keys, longer),
          sealPiece(keys, longer, true),
          ...(padded.equals(plaintext) || padded.equals(longer) ? [] : [sealPiece(keys, padded, true)]),
        ].map((sealed) => pieceIdOf(sealed).toString('hex'))
        // `padded` and `longer` unpadded may be the very same bytes.
        assert.equal(
          new Set(ids).size,
          padded.equals(longer) || padded.equals(plaintext) ? ids.length - 1 : ids.length,
        )
      }),
    )
  })

  it('keeps both lengths in 32 bits', () => {
    for (const isPadded of [true, false])
      for (const plain of [1, 255, 256, 257, 65_536, 2 ** 26]) {
        const length = sealedBytesOf(plain, isPadded)
        const piece = isPadded ? { length, plain } : { length }
        assert.deepEqual(unpackedLength(packedLengthOf(piece)), piece)
        assert.ok(packedLengthOf(piece) < 2 ** 32)
        assert.equal(plainBytesOf(piece), plain)
      }
  })
})

describe('cuts of padded content', () => {
  const gear = keyedGear(keys.sivKey)
  const cutsOf = (bytes: Buffer, table: Int32Array | undefined): number[] => {
    const plan = planOf(1024)
    const cuts: number[] = []
    for (let at = 0; at < bytes.length; ) {
      at += nextCut(bytes, at, bytes.length, plan, table)
      cuts.push(at)
    }
    return cuts
  }

  it('depend on the key', () => {
    const bytes = patternBytes(200_000, 5)
    assert.deepEqual(cutsOf(bytes, gear), cutsOf(bytes, keyedGear(keys.sivKey)))
    assert.notDeepEqual(cutsOf(bytes, gear), cutsOf(bytes, undefined))
    assert.notDeepEqual(cutsOf(bytes, gear), cutsOf(bytes, keyedGear(keys.pieceKey)))
    assert.equal(chunkPlanFor(65_536).min, 65_536)
  })

  it('are found again after an insertion', () => {
    const bytes = patternBytes(200_000, 5)
    const grown = Buffer.concat([bytes.subarray(0, 50_001), Buffer.from('x'), bytes.subarray(50_001)])
    const before = new Set(cutsOf(bytes, gear).map((cut) => (cut > 50_001 ? cut + 1 : cut)))
    const after = cutsOf(grown, gear)
    assert.ok(after.filter((cut) => !before.has(cut)).length <= 6)
  })
})
