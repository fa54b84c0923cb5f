// The incremental digest of a live tree (section 10): the sum modulo 2^256 of the fingerprints of all its paths, so that
// order does not matter and a change costs one subtraction and one addition (an additive multiset hash, Clarke et al.
// 2003). It detects difference between honest members; a holder of the write secret could build collisions, but can
// change the tree anyway.
const WORDS = 8
const BASE = 0x1_0000_0000

/** A running digest. Mutable, because one change of half a million paths must not copy anything. */
export class TreeDigest {
  readonly #words = new Uint32Array(WORDS)

  /** Adds a fingerprint (32 bytes). */
  add(fingerprint: Buffer): void {
    let carry = 0
    for (let i = 0; i < WORDS; i++) {
      const sum = this.#words[i]! + fingerprint.readUInt32LE(i * 4) + carry
      this.#words[i] = sum % BASE
      carry = sum >= BASE ? 1 : 0
    }
  }

  /** Takes a fingerprint away that was added before. */
  remove(fingerprint: Buffer): void {
    let borrow = 0
    for (let i = 0; i < WORDS; i++) {
      const difference = this.#words[i]! - fingerprint.readUInt32LE(i * 4) - borrow
      this.#words[i] = difference < 0 ? difference + BASE : difference
      borrow = difference < 0 ? 1 : 0
    }
  }

  /** The digest now, 32 bytes; all zero for the empty tree. */
  value(): Buffer {
    const bytes = Buffer.alloc(WORDS * 4)
    for (let i = 0; i < WORDS; i++) bytes.writeUInt32LE(this.#words[i]!, i * 4)
    return bytes
  }
}
