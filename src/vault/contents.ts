// The contents of a sealed pack, its last frame: what stands where in it, so that a lost index, and somebody who opens a
// copied vault, read a few kilobytes of each pack and not all of it. The pack is as good without it, only slower to read.
//
//   each frame: key (33; shorter ones with zeros after them), offset u32, payload length u32
//   then        offset of this frame u32, "SHVE" (4): the last bytes of the pack
import { blake3 } from '../core/hash.js'
import {
  FRAME,
  FRAME_HEADER_BYTES,
  isFrameType,
  MAX_PAYLOAD_BYTES,
  type NewFrame,
  PACK_HEADER_BYTES,
  type PackIdentity,
  readFrameHeader,
} from './frame.js'
import type { PackStorage } from './pack-storage.js'

/** A frame in its pack. */
export interface FrameAt {
  readonly key: Buffer
  /** Of the frame. */
  readonly offset: number
  /** Of the payload. */
  readonly length: number
}

/** A pack is sealed when it holds so many: its contents stay below 3 MiB. */
export const MAX_FRAMES = 65_536
const ROW_BYTES = 41
const ROW_KEY_BYTES = 33
const END_BYTES = 8
/** Room for so many at first. */
const FIRST_ROWS = 64
const END_MAGIC = Buffer.from('SHVE', 'latin1')
/** One read gets the contents of a pack of usual pieces. */
const READ_BYTES = 256 * 1024
/** Bytes of a key by its type. */
const KEY_BYTES: Readonly<Record<number, number>> = {
  [FRAME.piece]: 33,
  [FRAME.certificate]: 33,
  [FRAME.block]: 17,
  [FRAME.head]: 9,
  [FRAME.leaves]: 17,
}

/** Bytes that the contents of so many frames take in a pack. */
export function contentsBytes(frames: number): number {
  return FRAME_HEADER_BYTES + frames * ROW_BYTES + END_BYTES
}

export function contentsFrame(frames: readonly FrameAt[], offset: number): NewFrame {
  const contents = new ContentsDraft()
  for (const frame of frames) contents.add(frame.key, frame)
  return contents.frame(offset)
}

/** The contents of a pack that is being written: as bytes, of which the frames themselves would take six times as many. */
export class ContentsDraft {
  /** Frames. */
  count = 0
  #rows: Buffer = Buffer.alloc(0)

  /** The next one. Its key is copied. */
  add(key: Buffer, { offset, length }: Omit<FrameAt, 'key'>): void {
    const at = this.count * ROW_BYTES
    if (at === this.#rows.length) {
      const larger = Buffer.alloc(Math.max(2 * at, FIRST_ROWS * ROW_BYTES))
      this.#rows.copy(larger)
      this.#rows = larger
    }
    key.copy(this.#rows, at)
    this.#rows.writeUInt32LE(offset, at + ROW_KEY_BYTES)
    this.#rows.writeUInt32LE(length, at + ROW_KEY_BYTES + 4)
    this.count++
  }

  /** The frame that ends the pack at this offset. */
  frame(offset: number): NewFrame {
    const payload = Buffer.alloc(this.count * ROW_BYTES + END_BYTES)
    this.#rows.copy(payload, 0, 0, this.count * ROW_BYTES)
    payload.writeUInt32LE(offset, payload.length - END_BYTES)
    END_MAGIC.copy(payload, payload.length - 4)
    return { type: FRAME.contents, key: Buffer.of(FRAME.contents), digest: blake3(payload), payload }
  }
}

/** The contents of a pack of so many bytes; undefined: it has none, or they do not hold. Rejects as PackStorage.read does. */
export async function readContents(
  storage: PackStorage,
  name: string,
  pack: PackIdentity,
  packBytes: number,
): Promise<PackContents | undefined> {
  const from = Math.max(0, packBytes - READ_BYTES)
  let bytes = await storage.read(name, from, packBytes - from)
  const start = contentsStart(bytes, packBytes)
  if (start === undefined) return undefined
  // Nothing of ours is that long: what a stranger made of a pack is not to fill the memory.
  if (packBytes - start > FRAME_HEADER_BYTES + MAX_PAYLOAD_BYTES) return undefined
  if (start < from) bytes = await storage.read(name, start, packBytes - start)
  else bytes = bytes.subarray(start - from)
  const header = readFrameHeader(pack, start, bytes)
  if (header?.type !== FRAME.contents) return undefined
  const payload = bytes.subarray(FRAME_HEADER_BYTES)
  if (payload.length !== header.length || !blake3(payload).equals(header.digest)) return undefined
  return areRows(payload, start) ? new PackContents(payload) : undefined
}

/** The frames of a pack in the order they stand, made as they are asked for: all at once they take ten times their bytes. */
export class PackContents implements Iterable<FrameAt> {
  readonly #payload: Buffer

  constructor(payload: Buffer) {
    this.#payload = payload
  }

  /** Keys share memory with all the others: whoever keeps one copies it. */
  *[Symbol.iterator](): Generator<FrameAt> {
    const payload = this.#payload
    for (let at = 0; at < payload.length - END_BYTES; at += ROW_BYTES)
      yield {
        key: payload.subarray(at, at + KEY_BYTES[payload[at]!]!),
        offset: payload.readUInt32LE(at + ROW_KEY_BYTES),
        length: payload.readUInt32LE(at + ROW_KEY_BYTES + 4),
      }
  }
}

function contentsStart(end: Buffer, packBytes: number): number | undefined {
  if (end.length < END_BYTES || !end.subarray(-4).equals(END_MAGIC)) return undefined
  const start = end.readUInt32LE(end.length - END_BYTES)
  const isInside = start >= PACK_HEADER_BYTES && start + FRAME_HEADER_BYTES + END_BYTES <= packBytes
  return isInside ? start : undefined
}

/** Whether these are frames before `end`. */
function areRows(payload: Buffer, end: number): boolean {
  if ((payload.length - END_BYTES) % ROW_BYTES !== 0) return false
  for (let at = 0; at < payload.length - END_BYTES; at += ROW_BYTES) {
    const type = payload[at]!
    const offset = payload.readUInt32LE(at + ROW_KEY_BYTES)
    const length = payload.readUInt32LE(at + ROW_KEY_BYTES + 4)
    const isInside = length <= MAX_PAYLOAD_BYTES && offset + FRAME_HEADER_BYTES + length <= end
    if (!isFrameType(type) || KEY_BYTES[type] === undefined || !isInside) return false
  }
  return true
}
