// Which pieces of a feed somebody holds: one bit a piece number, growing with the feed. The byte form is BEP 3's
// `bitfield` message: piece 0 is the highest bit of the first byte, spare bits at the end are zero.
// Promises: the number of set bits is always known, reading past the end answers false, and what comes from a peer is
// bounded before it is copied (F7). A mutable value object: whoever is given one owns it, unless its maker says otherwise.
import { type Decoded, decoding, Malformed } from './violation.js'

/** No feed announces more pieces than this: 16.7 million, a bitfield of 2 MiB. Doubling it doubles that memory per peer. */
export const MAX_PIECES: number = 1 << 24

const ONES_OF: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  let ones = 0
  for (let left = byte; left > 0; left >>= 1) ones += left & 1
  return ones
})

/** How many bits are set. */
export function onesIn(bytes: Uint8Array): number {
  let ones = 0
  for (const byte of bytes) ones += ONES_OF[byte]!
  return ones
}

export class Bitfield implements Iterable<number> {
  #bytes: Uint8Array
  #count = 0

  /** Empty; `capacity` is how many pieces it holds before it has to grow. */
  constructor(capacity = 0) {
    this.#bytes = new Uint8Array((capacity + 7) >> 3)
  }

  /** With these bits set. */
  static of(indices: Iterable<number>): Bitfield {
    const field = new Bitfield()
    for (const index of indices) field.set(index)
    return field
  }

  /** Reads BEP 3's form, a copy. A violation if it speaks of more than `maxPieces` pieces (spare bits aside). */
  static fromWire(bytes: Uint8Array, maxPieces: number = MAX_PIECES): Decoded<Bitfield> {
    return decoding(() => {
      if (bytes.length > (maxPieces + 7) >> 3)
        throw new Malformed('too-large', `bitfield of ${bytes.length} bytes for at most ${maxPieces} pieces`)
      const field = new Bitfield()
      field.#bytes = Uint8Array.from(bytes)
      field.#count = onesIn(bytes)
      return field
    })
  }

  /** How many bits are set. */
  get count(): number {
    return this.#count
  }

  get(index: number): boolean {
    const byte = this.#bytes[index >> 3]
    return byte !== undefined && (byte & (0x80 >> (index & 7))) !== 0
  }

  /** Whether all of `count` bits from `first` on are set; of none, they are. */
  hasAll(first: number, count: number): boolean {
    const end = first + count
    let index = first
    while (index < end && (index & 7) !== 0) if (!this.get(index++)) return false
    for (; index + 8 <= end; index += 8) if (this.#bytes[index >> 3] !== 0xff) return false
    while (index < end) if (!this.get(index++)) return false
    return true
  }

  /** Whether the bit changed. Grows as needed; RangeError for what no feed can have. */
  set(index: number): boolean {
    if (!(index >= 0 && index < MAX_PIECES)) throw new RangeError(`no such piece number: ${index}`)
    const at = index >> 3
    if (at >= this.#bytes.length) this.#grow(at + 1)
    const bit = 0x80 >> (index & 7)
    if ((this.#bytes[at]! & bit) !== 0) return false
    this.#bytes[at]! |= bit
    this.#count++
    return true
  }

  /** Whether the bit changed. */
  clear(index: number): boolean {
    if (!this.get(index)) return false
    this.#bytes[index >> 3]! &= ~(0x80 >> (index & 7))
    this.#count--
    return true
  }

  /** BEP 3's form for a feed of `pieceCount` pieces, a new buffer; bits beyond the feed's end are left out. */
  toWire(pieceCount: number): Buffer {
    const wire = Buffer.alloc((pieceCount + 7) >> 3)
    wire.set(this.#bytes.subarray(0, wire.length))
    const spare = (8 - (pieceCount & 7)) & 7
    if (spare > 0) wire[wire.length - 1]! &= 0xff << spare
    return wire
  }

  /** Takes over what the other holds, which must not be used any more. */
  assign(other: Bitfield): void {
    this.#bytes = other.#bytes
    this.#count = other.#count
  }

  copy(): Bitfield {
    const field = new Bitfield()
    field.#bytes = this.#bytes.slice()
    field.#count = this.#count
    return field
  }

  /** What either holds, a new bitfield. */
  union(other: Bitfield): Bitfield {
    const [longer, shorter] = this.#bytes.length >= other.#bytes.length ? [this, other] : [other, this]
    const field = longer.copy()
    let added = 0
    for (let at = 0; at < shorter.#bytes.length; at++) {
      const before = field.#bytes[at]!
      const after = before | shorter.#bytes[at]!
      added += ONES_OF[after]! - ONES_OF[before]!
      field.#bytes[at] = after
    }
    field.#count += added
    return field
  }

  /** The set bits, ascending. Changing the field while iterating is not supported. */
  *[Symbol.iterator](): Generator<number> {
    for (let at = 0; at < this.#bytes.length; at++) {
      const byte = this.#bytes[at]!
      if (byte === 0) continue
      for (let bit = 0; bit < 8; bit++) if ((byte & (0x80 >> bit)) !== 0) yield at * 8 + bit
    }
  }

  #grow(need: number): void {
    // By half, so that a feed that grows piece by piece is not copied each time.
    const grown = new Uint8Array(Math.max(need, this.#bytes.length + (this.#bytes.length >> 1)))
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}
