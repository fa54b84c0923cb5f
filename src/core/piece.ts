// Pieces (docs/design.md, "Pieces"): a chunk of a file, sealed. Sealing is deterministic, so that equal content is one
// piece wherever it occurs in a share and can be sealed again from the file when a peer asks (P2):
//   siv (24) = keyed BLAKE3 of the plaintext under sivKey, cut to 24 bytes
//   piece    = siv || XChaCha20(plaintext) under pieceKey with the siv as nonce; id = BLAKE3(piece)
// The nonce is a function of the plaintext, so no two plaintexts share a keystream; opening recomputes it, which is what
// authenticates. The plaintext of a piece whose siv does not match never leaves this file.
//
// A padded piece (`padding: "padme"`) is sealed with zeros after its plaintext, up to a Padmé length (padme.ts). Its siv is
// that of the plaintext alone, under a key of its own, and how long the plaintext is stands in the sealed part of the record
// that announces it: so a padded piece has the id of no unpadded one, nor of one with more or fewer zeros at its end.
import sodium from 'sodium-native'
import { MAX_PLAINTEXT_BYTES } from './chunker.js'
import { blake3, blake3Parts, deriveKey, keyedBlake3 } from './hash.js'
import { paddedBytesOf } from './padme.js'

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
  /** Sealed bytes: plaintext + SIV_BYTES, or of a padded piece the padded length of its plaintext + SIV_BYTES. */
  readonly length: number
  /** Of a padded piece, bytes of its plaintext; there only if it is padded, and never known to a blind node. */
  readonly plain?: number
}

/** Two of the keys that the read grade derives, 32 bytes each. */
export interface PieceKeys {
  readonly sivKey: Buffer
  readonly pieceKey: Buffer
}

/** Bytes of a piece's plaintext. */
export function plainBytesOf({ length, plain }: Pick<PieceInfo, 'length' | 'plain'>): number {
  return plain ?? length - SIV_BYTES
}

/** Bytes of a piece of so many plaintext bytes, sealed. */
export function sealedBytesOf(plainBytes: number, isPadded: boolean): number {
  return (isPadded ? paddedBytesOf(plainBytes) : plainBytes) + SIV_BYTES
}

const PADDED_BIT = 0x8000_0000

/** Both lengths of a piece in 32 bits: the sealed one, or if it is padded that of the plaintext and the highest bit. */
export function packedLengthOf({ length, plain }: Pick<PieceInfo, 'length' | 'plain'>): number {
  return plain === undefined ? length : PADDED_BIT + plain
}

/** The inverse. */
export function unpackedLength(packed: number): Pick<PieceInfo, 'length' | 'plain'> {
  if (packed < PADDED_BIT) return { length: packed }
  const plain = packed - PADDED_BIT
  return { length: sealedBytesOf(plain, true), plain }
}

/** A piece of an id and a packed length. */
export function pieceOf(id: Buffer, packed: number): PieceInfo {
  if (packed < PADDED_BIT) return { id, length: packed }
  const { length, plain } = unpackedLength(packed)
  return { id, length, plain: plain! }
}

/** Seals a chunk; a new buffer of sealedBytesOf it. */
export function sealPiece(keys: PieceKeys, plaintext: Buffer, isPadded = false): Buffer {
  const sealed = Buffer.allocUnsafe(sealedBytesOf(plaintext.length, isPadded))
  sealPieceInto(keys, plaintext, sealed, isPadded)
  return sealed
}

/** Seals a chunk into `target`, exactly sealedBytesOf it long and not overlapping it. */
export function sealPieceInto(keys: PieceKeys, plaintext: Buffer, target: Buffer, isPadded = false): void {
  if (target.length !== sealedBytesOf(plaintext.length, isPadded))
    throw new RangeError(`target of ${target.length} bytes for a plaintext of ${plaintext.length}`)
  const siv = target.subarray(0, SIV_BYTES)
  siv.set(sivOf(keys, plaintext, isPadded))
  const body = target.subarray(SIV_BYTES)
  if (!isPadded) {
    sodium.crypto_stream_xchacha20_xor(body, plaintext, siv, keys.pieceKey)
    return
  }
  body.set(plaintext)
  body.fill(0, plaintext.length)
  sodium.crypto_stream_xchacha20_xor(body, body, siv, keys.pieceKey)
}

/**
 * The plaintext, a new buffer; undefined if these bytes were not sealed with these keys, as a padded piece of `plain` bytes
 * where that is given.
 */
export function openPiece(keys: PieceKeys, sealed: Buffer, plain?: number): Buffer | undefined {
  if (sealed.length < SIV_BYTES) return undefined
  return openPieceInto(keys, sealed, Buffer.allocUnsafe(sealed.length - SIV_BYTES), plain)
}

/**
 * The same with a buffer of exactly the length between siv and end, of which the plaintext is the beginning or all;
 * undefined, and the buffer wiped, if they were not.
 */
export function openPieceInto(
  keys: PieceKeys,
  sealed: Buffer,
  room: Buffer,
  plain?: number,
): Buffer | undefined {
  if (room.length !== sealed.length - SIV_BYTES) return undefined
  if (plain !== undefined && (plain < 1 || sealed.length !== sealedBytesOf(plain, true))) return undefined
  const siv = sealed.subarray(0, SIV_BYTES)
  sodium.crypto_stream_xchacha20_xor(room, sealed.subarray(SIV_BYTES), siv, keys.pieceKey)
  const plaintext = plain === undefined ? room : room.subarray(0, plain)
  if (
    sodium.sodium_memcmp(sivOf(keys, plaintext, plain !== undefined), siv) &&
    (plain === undefined || sodium.sodium_is_zero(room.subarray(plain)))
  )
    return plaintext
  sodium.sodium_memzero(room)
  return undefined
}

function sivOf(keys: PieceKeys, plaintext: Buffer, isPadded: boolean): Buffer {
  return keyedBlake3(isPadded ? paddedSivKey(keys) : keys.sivKey, [plaintext]).subarray(0, SIV_BYTES)
}

const paddedSivKeys = new WeakMap<PieceKeys, Buffer>()

function paddedSivKey(keys: PieceKeys): Buffer {
  let key = paddedSivKeys.get(keys)
  if (key === undefined) {
    key = deriveKey('shoal 2026-11 v1 padded piece siv key', keys.sivKey)
    paddedSivKeys.set(keys, key)
  }
  return key
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
