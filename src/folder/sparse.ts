// Writing a file without its zeros: what is a hole or beyond the end of a file reads as zeros anyway, so that blocks of
// nothing but zeros need not take room on the disk, whichever way they came here.
import fs from 'node:fs'
import { trimSync } from 'fs-native-extensions'
import { isUnsupported } from './safefs.js'

/** What file systems allocate at least; a hole that begins or ends inside a block saves nothing of that block. */
const BLOCK_BYTES = 4096
const ZEROS: Buffer = Buffer.alloc(BLOCK_BYTES)

/** Whether there is nothing but zeros in it. */
export function isZeros(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const end = Math.min(at + BLOCK_BYTES, bytes.length)
    if (bytes.compare(ZEROS, 0, end - at, at, end) !== 0) return false
  }
  return true
}

/** A file that parts are written to, in any order, each once. */
export class SparseFile {
  readonly #fd: number
  readonly #isFresh: boolean
  readonly #isSparse: boolean
  #size: number

  /**
   * `isFresh`: nothing was written to it by anybody else, so that what was not written is a hole. `isSparse`: whether to
   * leave holes at all. Throws what fstat(2) says.
   */
  constructor(fd: number, isFresh: boolean, isSparse: boolean) {
    this.#fd = fd
    this.#isFresh = isFresh
    this.#isSparse = isSparse
    this.#size = isFresh ? 0 : fs.fstatSync(fd).size
  }

  /** Writes; afterwards the file is at least as long as these bytes reach. Throws what write(2) says. */
  write(bytes: Buffer, offset: number): void {
    if (!this.#isSparse) {
      this.#write(bytes, 0, bytes.length, offset)
      return
    }
    let at = 0
    while (at < bytes.length) {
      const zerosEnd = endOfRun(bytes, at, offset, true)
      if (zerosEnd > at) this.#leave(offset + at, offset + zerosEnd)
      at = endOfRun(bytes, zerosEnd, offset, false)
      if (at > zerosEnd) this.#write(bytes, zerosEnd, at, offset)
    }
    this.#reach(offset + bytes.length)
  }

  /** The same for so many zeros; only of a file that is to have holes. */
  writeZeros(length: number, offset: number): void {
    this.#leave(offset, offset + length)
    this.#reach(offset + length)
  }

  #write(bytes: Buffer, from: number, to: number, offset: number): void {
    for (let done = from; done < to; ) done += fs.writeSync(this.#fd, bytes, done, to - done, offset + done)
    this.#size = Math.max(this.#size, offset + to)
  }

  /** Zeros from here to there need not be written, unless something else may be there: from a crash, say. */
  #leave(from: number, to: number): void {
    const end = Math.min(to, this.#size)
    if (this.#isFresh || end <= from) return
    try {
      trimSync(this.#fd, from, end - from)
    } catch (thrown) {
      if (!isUnsupported(thrown)) throw thrown
      for (let at = from; at < end; at += BLOCK_BYTES)
        this.#write(ZEROS, 0, Math.min(BLOCK_BYTES, end - at), at)
    }
  }

  #reach(size: number): void {
    if (size <= this.#size) return
    fs.ftruncateSync(this.#fd, size)
    this.#size = size
  }
}

/** Where the blocks of the file that are all zeros, or are not, end that begin at `from`; `offset` is that of bytes[0]. */
function endOfRun(bytes: Buffer, from: number, offset: number, zeros: boolean): number {
  let at = from
  while (at < bytes.length) {
    const end = Math.min(at + BLOCK_BYTES - ((offset + at) % BLOCK_BYTES), bytes.length)
    // Most blocks are told by their first byte.
    const isZero = bytes[at] === 0 && bytes.compare(ZEROS, 0, end - at, at, end) === 0
    if (isZero !== zeros) return at
    at = end
  }
  return at
}
