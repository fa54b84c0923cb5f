// Reads a pack from its start to its end, frame by frame, and proves each. What does not hold is told and passed over to
// the next frame that does: damage costs what it hit.
import { blake3 } from '../core/hash.js'
import {
  FRAME,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  frameKey,
  MAX_PAYLOAD_BYTES,
  nextMagic,
  type PackIdentity,
  readFrameHeader,
} from './frame.js'
import type { PackStorage } from './pack-storage.js'
import { isBadMedium } from './storage-error.js'

/** Found at `offset`, `bytes` long in all. */
export type Found =
  | {
      readonly type: 'frame'
      readonly offset: number
      readonly bytes: number
      readonly key: Buffer
      /** Valid until the next is asked for. */
      readonly payload: Buffer
    }
  | { readonly type: 'contents'; readonly offset: number; readonly bytes: number }
  | {
      readonly type: 'damaged'
      readonly offset: number
      readonly bytes: number
      /** What was there, where that can still be told. */
      readonly key: Buffer | undefined
    }

/** Reads are this large. */
const WINDOW_BYTES = 4 * 2 ** 20
/** Where a large read meets a bad spot, it is read again in these. */
const SMALL_BYTES = 64 * 1024

/** What stands in a pack from `from` (the start of a frame) to `to`, without gaps. Rejects as PackStorage.read does. */
export async function* scanPack(
  storage: PackStorage,
  name: string,
  pack: PackIdentity,
  from: number,
  to: number,
): AsyncGenerator<Found> {
  const window = new Window(storage, name, to)
  for (let offset = from; offset < to; ) {
    const header = readFrameHeader(pack, offset, await window.bytes(offset, FRAME_HEADER_BYTES))
    const bytes = FRAME_HEADER_BYTES + (header?.length ?? 0)
    if (header === undefined || offset + bytes > to) {
      const next = await nextFrame(window, pack, offset + 1, to)
      yield { type: 'damaged', offset, bytes: next - offset, key: undefined }
      offset = next
      continue
    }
    const payload = (await window.bytes(offset, bytes)).subarray(FRAME_HEADER_BYTES)
    yield { offset, bytes, ...judged(header, payload) }
    offset += bytes
  }
}

function judged(
  header: FrameHeader,
  payload: Buffer,
):
  | { type: 'frame'; key: Buffer; payload: Buffer }
  | { type: 'contents' }
  | { type: 'damaged'; key: Buffer | undefined } {
  const isWhole = blake3(payload).equals(header.digest)
  if (isWhole && header.type === FRAME.contents) return { type: 'contents' }
  // Of a piece and a certificate, the header says which it was.
  const isNamed = header.type === FRAME.piece || header.type === FRAME.certificate
  const key = isWhole || isNamed ? frameKey(header, payload) : undefined
  return isWhole && key !== undefined ? { type: 'frame', key, payload } : { type: 'damaged', key }
}

/** Where the next frame that holds begins, or `to`. */
async function nextFrame(window: Window, pack: PackIdentity, from: number, to: number): Promise<number> {
  for (let offset = from; offset + FRAME_HEADER_BYTES <= to; ) {
    const bytes = await window.bytes(offset, Math.min(SMALL_BYTES, to - offset))
    const at = nextMagic(bytes, 0)
    if (at < 0) {
      // One may begin with the last bytes of these.
      offset += Math.max(1, bytes.length - 3)
      continue
    }
    const header = readFrameHeader(pack, offset + at, await window.bytes(offset + at, FRAME_HEADER_BYTES))
    if (header !== undefined && offset + at + FRAME_HEADER_BYTES + header.length <= to) return offset + at
    offset += at + 1
  }
  return to
}

/** The pack as if it were in memory, read in large pieces. */
class Window {
  readonly #storage: PackStorage
  readonly #name: string
  readonly #end: number
  #start = 0
  #bytes: Buffer = Buffer.alloc(0)

  constructor(storage: PackStorage, name: string, end: number) {
    this.#storage = storage
    this.#name = name
    this.#end = end
  }

  /** Up to `length` bytes from `offset`: fewer at the end of the pack. */
  async bytes(offset: number, length: number): Promise<Buffer> {
    const until = Math.min(offset + length, this.#end)
    if (offset < this.#start || until > this.#start + this.#bytes.length) {
      const wanted = Math.max(until - offset, Math.min(WINDOW_BYTES, this.#end - offset))
      this.#bytes = await this.#read(offset, Math.min(wanted, MAX_PAYLOAD_BYTES + FRAME_HEADER_BYTES))
      this.#start = offset
    }
    return this.#bytes.subarray(offset - this.#start, until - this.#start)
  }

  async #read(offset: number, length: number): Promise<Buffer> {
    try {
      return await this.#storage.read(this.#name, offset, length)
    } catch (thrown) {
      if (!isBadMedium(thrown)) throw thrown
    }
    const parts: Buffer[] = []
    for (let at = 0; at < length; at += SMALL_BYTES) {
      const part = Math.min(SMALL_BYTES, length - at)
      parts.push(await this.#readOrNothing(offset + at, part))
    }
    return Buffer.concat(parts)
  }

  /** Zeros for what the medium does not give: no frame holds there. */
  async #readOrNothing(offset: number, length: number): Promise<Buffer> {
    try {
      return await this.#storage.read(this.#name, offset, length)
    } catch (thrown) {
      if (isBadMedium(thrown)) return Buffer.alloc(length)
      throw thrown
    }
  }
}
