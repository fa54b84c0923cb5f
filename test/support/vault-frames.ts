// The frames of a vault in a folder, as its packs have them, for tests that damage one of them.
import fs from 'node:fs'
import path from 'node:path'

export interface FrameIn {
  readonly pack: string
  /** Of the frame in the pack. */
  readonly offset: number
  /** With its header. */
  readonly bytes: number
  readonly type: number
  /** Of a block, a head or leaves. */
  readonly writer: string
  /** Of a block or leaves. */
  readonly index: number
}

const PACK_HEADER = 64
const FRAME_HEADER = 48

export function framesIn(vault: string): FrameIn[] {
  const packs = path.join(vault, 'packs')
  return fs
    .readdirSync(packs)
    .sort()
    .flatMap((name) => {
      const pack = path.join(packs, name)
      const bytes = fs.readFileSync(pack)
      const frames: FrameIn[] = []
      for (let offset = PACK_HEADER; offset < bytes.length; ) {
        const length = FRAME_HEADER + bytes.readUInt32LE(offset + 8)
        const payload = bytes.subarray(offset + FRAME_HEADER, offset + length)
        const isNumbered = payload.length >= 16
        frames.push({
          ...{ pack, offset, bytes: length, type: bytes[offset + 4]! },
          writer: payload.toString('hex', 0, 8),
          index: isNumbered ? Number(payload.readBigUInt64LE(8) & 0xffffffffffffn) : -1,
        })
        offset += length
      }
      return frames
    })
}

/** Another bit, so far into the frame (its header counts). */
export function flip({ pack, offset }: FrameIn, at: number, bit = 0): void {
  const file = fs.openSync(pack, 'r+')
  const byte = Buffer.alloc(1)
  fs.readSync(file, byte, 0, 1, offset + at)
  byte[0]! ^= 1 << bit
  fs.writeSync(file, byte, 0, 1, offset + at)
  fs.closeSync(file)
}
