// Pieces (docs/design.md, "Pieces"): a chunk of a file, sealed. Sealing is deterministic, so that equal content is one
// piece wherever it occurs in a share and can be sealed again from the file when a peer asks (P2):
//   siv (24) = keyed BLAKE3 of the plaintext under sivKey, cut to 24 bytes
//   piece    = siv || XChaCha20(plaintext) under pieceKey with the siv as nonce; id = BLAKE3(piece)
// The nonce is a function of the plaintext, so no two plaintexts share a keystream; opening recomputes it, which is what
// authenticates. The plaintext of a piece whose siv does not match never leaves this file.
import sodium from 'sodium-native'
import { MAX_PLAINTEXT_BYTES } from './chunker.js'
import { blake3, blake3Parts, keyedBlake3 } from './hash.js'

/** Bytes that sealing adds. */
export const SIV_BYTES = 24
/** No piece is longer, sealed. */
export const MAX_PIECE_BYTES: number = MAX_PLAINTEXT_BYTES + SIV_BYTES
/** No piece is shorter, sealed: an empty file has no pieces. */
export const MIN_PIECE_BYTES: number = SIV_BYTES + 1

/** What a feed announces of one piece. */
export interface PieceInfo {
  /** BLAKE3 of the sealed piece, 32 bytes. */
  readonly id: Buffer
  /** Sealed bytes: plaintext + SIV_BYTES. */
  readonly length: number
}

/** Two of the keys that the read grade derives, 32 bytes each. */
export interface PieceKeys {
  readonly sivKey: Buffer
  readonly pieceKey: Buffer
}

/** Seals a chunk; a new buffer of plaintext + SIV_BYTES. */
export function sealPiece(keys: PieceKeys, plaintext: Buffer): Buffer {
  const sealed = Buffer.allocUnsafe(plaintext.length + SIV_BYTES)
  sealPieceInto(keys, plaintext, sealed)
  return sealed
}

/** Seals a chunk into `target`, exactly plaintext + SIV_BYTES long and not overlapping it. */
export function sealPieceInto(keys: PieceKeys, plaintext: Buffer, target: Buffer): void {
  if (target.length !== plaintext.length + SIV_BYTES)
    throw new RangeError(`target of ${target.length} bytes for a plaintext of ${plaintext.length}`)
  const siv = target.subarray(0, SIV_BYTES)
  siv.set(sivOf(keys, plaintext))
  sodium.crypto_stream_xchacha20_xor(target.subarray(SIV_BYTES), plaintext, siv, keys.pieceKey)
}

/** The plaintext, a new buffer; undefined if these bytes were not sealed with these keys. */
export function openPiece(keys: PieceKeys, sealed: Buffer): Buffer | undefined {
  if (sealed.length < SIV_BYTES) return undefined
  return openPieceInto(keys, sealed, Buffer.allocUnsafe(sealed.length - SIV_BYTES))
}

/** The same into a buffer of the plaintext's length; undefined, and the buffer wiped, if they were not. */
export function openPieceInto(keys: PieceKeys, sealed: Buffer, plaintext: Buffer): Buffer | undefined {
  if (plaintext.length !== sealed.length - SIV_BYTES) return undefined
  const siv = sealed.subarray(0, SIV_BYTES)
  sodium.crypto_stream_xchacha20_xor(plaintext, sealed.subarray(SIV_BYTES), siv, keys.pieceKey)
  if (sodium.sodium_memcmp(sivOf(keys, plaintext), siv)) return plaintext
  sodium.sodium_memzero(plaintext)
  return undefined
}

function sivOf(keys: PieceKeys, plaintext: Buffer): Buffer {
  return keyedBlake3(keys.sivKey, [plaintext]).subarray(0, SIV_BYTES)
}

/** The name of a sealed piece (P1), 32 bytes. */
export function pieceIdOf(sealed: Uint8Array): Buffer {
  return blake3(sealed)
}

/** Identity of a file's content, 32 bytes: BLAKE3 over the ids of its pieces in file order. Empty file: of nothing. */
export function contentIdOf(pieceIds: readonly Buffer[]): Buffer {
  const only = pieceIds[0]
  return pieceIds.length === 1 && only !== undefined ? blake3(only) : blake3Parts(pieceIds)
}

/** The same over ids that already stand one after the other. */
export function contentIdOfPacked(pieceIds: Uint8Array): Buffer {
  return blake3(pieceIds)
}
