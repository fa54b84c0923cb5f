// Unpacks what a hashing worker sends: piece ids in one buffer, packed lengths in an array beside it.
import { type PieceInfo, pieceOf } from '../../core/piece.js'

const ID_BYTES = 32

/** The pieces in file order; ids are views of the packed buffer. */
export function splitPieces(ids: Uint8Array, lengths: Uint32Array): PieceInfo[] {
  const bytes = Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength)
  const pieces: PieceInfo[] = []
  for (let i = 0; i < lengths.length; i++)
    pieces.push(pieceOf(bytes.subarray(i * ID_BYTES, (i + 1) * ID_BYTES), lengths[i]!))
  return pieces
}
