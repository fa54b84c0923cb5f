// A bounded reader and a growing writer for our binary formats. Integers are unsigned LEB128 varints of at most 53
// bits unless said otherwise; byte strings and texts are length-prefixed. The reader never allocates more than the
// bytes it was given hold (F7), and refuses varints that are not in their shortest form, so that what decodes
// re-encodes to the same bytes.
import { Malformed } from './violation.js'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads a buffer from front to back; throws Malformed (see violation.ts) for anything that is not there. */
export class ByteReader {
  #at = 0
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at
  }

  u8(): number {
    if (this.left < 1) throw new Malformed('truncated', 'expected one more byte')
    return this.#bytes[this.#at++]!
  }

  /** An unsigned varint, 0 to 2^53 - 1. */
  uint(): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (byte === 0 && i > 0) throw new Malformed('not-canonical', 'varint has a useless byte')
        if (!Number.isSafeInteger(value)) throw new Malformed('too-large', 'integer above 2^53 - 1')
        return value
      }
      scale *= 128
    }
    throw new Malformed('too-large', 'varint of more than 8 bytes')
  }

  /** An unsigned varint that must not exceed `max`. */
  uintUpTo(max: number, what: string): number {
    const value = this.uint()
    if (value > max) throw new Malformed('too-large', `${what} is ${value}, at most ${max} is allowed`)
    return value
  }

  /** A signed integer, zigzag in a varint. */
  int(): number {
    const value = this.uint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** A count of things that take at least `bytesEach` bytes, so never more than could be there. */
  count(bytesEach: number, what: string): number {
    return this.uintUpTo(Math.floor(this.left / bytesEach), `count of ${what}`)
  }

  /** Exactly `length` bytes, a view of the input. */
  take(length: number): Buffer {
    if (length > this.left)
      throw new Malformed('truncated', `expected ${length} bytes, ${this.left} are left`)
    const bytes = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return bytes
  }

  /** Whether these bytes come next; then they are read. */
  skip(expected: Buffer): boolean {
    const end = this.#at + expected.length
    if (end > this.#bytes.length || this.#bytes.compare(expected, 0, expected.length, this.#at, end) !== 0)
      return false
    this.#at = end
    return true
  }

  /** What was read since so many bytes were left, a view of the input. */
  readSince(left: number): Buffer {
    return this.#bytes.subarray(this.#bytes.length - left, this.#at)
  }

  /** A length-prefixed byte string of at most `max` bytes, a view of the input. */
  bytes(max: number, what: string): Buffer {
    return this.take(this.uintUpTo(max, `length of ${what}`))
  }

  /** A length-prefixed, strictly valid UTF-8 text of at most `max` bytes. */
  text(max: number, what: string): string {
    return decodeUtf8(this.bytes(max, what), what)
  }

  /** Demands that nothing is left. */
  end(): void {
    if (this.left > 0) throw new Malformed('trailing', `${this.left} bytes after the end`)
  }
}

/** Decodes UTF-8 strictly; Malformed if the bytes are not valid. */
export function decodeUtf8(bytes: Uint8Array, what: string): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new Malformed('bad-utf8', `${what} is not valid UTF-8`)
  }
}

/** Collects bytes; grows by doubling. */
export class ByteWriter {
  #bytes: Buffer
  #at = 0

  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity)
  }

  get length(): number {
    return this.#at
  }

  u8(value: number): this {
    this.#room(1)
    this.#bytes[this.#at++] = value
    return this
  }

  uint(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not an unsigned integer: ${value}`)
    this.#room(8)
    let left = value
    while (left >= 0x80) {
      this.#bytes[this.#at++] = (left % 128) | 0x80
      left = Math.floor(left / 128)
    }
    this.#bytes[this.#at++] = left
    return this
  }

  /** Zigzag; |value| below 2^52. */
  int(value: number): this {
    return this.uint(value >= 0 ? value * 2 : -value * 2 - 1)
  }

  raw(bytes: Uint8Array): this {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
    return this
  }

  /** Length-prefixed. */
  bytes(bytes: Uint8Array): this {
    return this.uint(bytes.length).raw(bytes)
  }

  /** Length-prefixed UTF-8. */
  text(text: string): this {
    const length = Buffer.byteLength(text)
    this.uint(length).#room(length)
    this.#at += this.#bytes.write(text, this.#at, 'utf8')
    return this
  }

  /** The bytes written so far, a view that holds until something else is written. */
  written(): Buffer {
    return this.#bytes.subarray(0, this.#at)
  }

  /** Begins anew in the same room. */
  clear(): this {
    this.#at = 0
    return this
  }

  /** The bytes written so far, a copy that the caller owns. */
  finish(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#at))
  }

  #room(more: number): void {
    const need = this.#at + more
    if (need <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(need, this.#bytes.length * 2))
    this.#bytes.copy(grown, 0, 0, this.#at)
    this.#bytes = grown
  }
}
