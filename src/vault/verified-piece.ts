// A piece whose bytes were hashed and are what its id says (P1): who holds one need not hash them again. There is no other way to
// get one than to have them hashed, and what only looks like one is none.
import { blake3 } from '../core/hash.js'
import type { StoredPiece } from './stored.js'

export class VerifiedPiece implements StoredPiece {
  readonly id: Buffer
  /** Nobody changes them any more. */
  readonly bytes: Buffer
  /** Nothing outside of this class can make a field of this name. */
  readonly #isHashed = true

  private constructor(id: Buffer, bytes: Buffer) {
    this.id = id
    this.bytes = bytes
  }

  /** Hashes the bytes; undefined if they are another piece than this. */
  static of(id: Buffer, bytes: Buffer): VerifiedPiece | undefined {
    return blake3(bytes).equals(id) ? new VerifiedPiece(id, bytes) : undefined
  }

  static is(piece: StoredPiece): piece is VerifiedPiece {
    return #isHashed in piece && piece.#isHashed
  }
}
