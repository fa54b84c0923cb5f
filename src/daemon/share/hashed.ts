// Unpacks what a hashing worker sends: piece ids in one buffer, packed lengths in an array beside it.
import { type PieceInfo, unpackedLength } from '../../core/piece.js'

const ID_BYTES = 32

/** The pieces in file order; ids are views of the packed buffer. */
export function splitPieces(ids: Uint8Array, lengths: Uint32Array): PieceInfo[] {
  const bytes = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength)
  return Array.from(lengths, (packed, i) => ({
    id: bytes.subarray(i * ID_BYTES, (i + 1) * ID_BYTES),
    ...unpackedLength(packed),
  }))
}
