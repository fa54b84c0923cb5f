import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { blake3 } from '../../src/core/hash.js'
import {
  contentIdOf,
  contentIdOfPacked,
  openPiece,
  pieceIdOf,
  SIV_BYTES,
  sealPiece,
  sealPieceInto,
} from '../../src/core/piece.js'
import { readFixture } from '../support/repository.js'
import { patternBytes } from './piece-pattern.js'

interface PieceFixture {
  readonly pieces: readonly { readonly plaintext: string; readonly sealed: string; readonly id: string }[]
  readonly content: string
  readonly emptyContent: string
}

const keys = { sivKey: patternBytes(32, 1), pieceKey: patternBytes(32, 2) }
const plaintexts = fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes))

describe('piece', () => {
  it('is frozen', () => {
    const fixture = readFixture('piece.json') as PieceFixture
    for (const { plaintext, sealed, id } of fixture.pieces) {
      assert.equal(sealPiece(keys, Buffer.from(plaintext, 'hex')).toString('hex'), sealed)
      assert.equal(pieceIdOf(Buffer.from(sealed, 'hex')).toString('hex'), id)
      assert.equal(openPiece(keys, Buffer.from(sealed, 'hex'))?.toString('hex'), plaintext)
    }
    const ids = fixture.pieces.map(({ id }) => Buffer.from(id, 'hex'))
    assert.equal(contentIdOf(ids).toString('hex'), fixture.content)
    assert.equal(contentIdOf([]).toString('hex'), fixture.emptyContent)
  })

  it('opens to what was sealed, and seals alike every time (P2)', () => {
    fc.assert(
      fc.property(plaintexts, (plaintext) => {
        const sealed = sealPiece(keys, plaintext)
        assert.equal(sealed.length, plaintext.length + SIV_BYTES)
        assert.deepEqual(openPiece(keys, sealed), plaintext)
        const again = Buffer.alloc(sealed.length)
        sealPieceInto(keys, plaintext, again)
        assert.deepEqual(again, sealed)
      }),
    )
  })

  it('does not open once any bit is changed, or with another key (P1)', () => {
    fc.assert(
      fc.property(plaintexts, fc.nat(), fc.nat(7), (plaintext, position, bit) => {
        const sealed = sealPiece(keys, plaintext)
        sealed[position % sealed.length]! ^= 1 << bit
        assert.equal(openPiece(keys, sealed), undefined)
      }),
    )
    const sealed = sealPiece(keys, Buffer.from('text'))
    assert.equal(openPiece({ ...keys, sivKey: Buffer.alloc(32) }, sealed), undefined)
    assert.equal(openPiece({ ...keys, pieceKey: Buffer.alloc(32) }, sealed), undefined)
  })

  it('does not open any bytes whatever', () => {
    fc.assert(fc.property(plaintexts, (bytes) => assert.equal(openPiece(keys, bytes), undefined)))
  })

  it('leaves its input as it was, and refuses a target of another length', () => {
    const plaintext = patternBytes(1000, 3)
    const sealed = sealPiece(keys, plaintext)
    assert.deepEqual(plaintext, patternBytes(1000, 3))
    const copy = Buffer.from(sealed)
    openPiece(keys, sealed)
    assert.deepEqual(sealed, copy)
    assert.throws(() => sealPieceInto(keys, plaintext, Buffer.alloc(1000)), RangeError)
  })
})

describe('content id', () => {
  it('is BLAKE3 over the ids in file order, packed or not', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { maxLength: 20 }), (all) => {
        const ids = all.map((id) => Buffer.from(id))
        assert.deepEqual(contentIdOf(ids), blake3(Buffer.concat(ids)))
        assert.deepEqual(contentIdOfPacked(Buffer.concat(ids)), contentIdOf(ids))
      }),
    )
  })
})
