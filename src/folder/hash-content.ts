// Reads a file from its first byte to its last and cuts it into pieces; nothing but one window of it is in memory, unless it
// is one piece. Whether it stays the same meanwhile is for hash.ts to know.
import { type ChunkPlan, chunkPlanFor, type Gear, keyedGear, nextCut } from '../core/chunker.js'
import {
  contentIdOfPacked,
  type PieceKeys,
  packedLengthOf,
  pieceIdOf,
  sealedBytesOf,
  sealPieceInto,
} from '../core/piece.js'
import { type DiskStat, sameStat } from '../core/stat.js'
import type { FileToRead } from './read.js'

/** What a file holds. */
export interface ReadContent {
  /** Content id, 32 bytes. */
  readonly content: Buffer
  /** Ids of the pieces in file order, 32 bytes each; none for an empty file. */
  readonly pieces: Buffer
  /** Packed length of each piece (packedLengthOf in core/piece.ts). */
  readonly lengths: Uint32Array
}

/** Read from large files at a time beyond the longest piece. Fewer bytes mean more moving of what is left over. */
const READ_AHEAD_BYTES = 4 << 20
/** A buffer up to this size is kept for the next file. Files up to 4 GiB need no larger one. */
const KEPT_BYTES = 8 << 20
/** A large file's stat is looked at this often, so that one that is being written is given up early. */
const LOOK_BYTES = 64 << 20

let kept: Buffer = Buffer.alloc(0)

/** Undefined if the file is shorter than it was, or was seen to change. `before` is its stat. */
export function readContent(
  file: FileToRead,
  keys: PieceKeys,
  before: DiskStat,
  isPadded: boolean,
): ReadContent | undefined {
  const plan = chunkPlanFor(before.size)
  const read =
    before.size <= plan.min
      ? readOnePiece(file, keys, before.size, isPadded)
      : readPieces(file, keys, before, plan, isPadded)
  if (read === undefined) return undefined
  const pieces = read.ids.length === 1 ? read.ids[0]! : Buffer.concat(read.ids)
  return { content: contentIdOfPacked(pieces), pieces, lengths: Uint32Array.from(read.lengths) }
}

interface Pieces {
  readonly ids: Buffer[]
  /** Packed. */
  readonly lengths: number[]
}

/** Undefined if the file is shorter than it was. */
function readOnePiece(
  file: FileToRead,
  keys: PieceKeys,
  size: number,
  isPadded: boolean,
): Pieces | undefined {
  if (size === 0) return { ids: [], lengths: [] }
  const bytes = takeBuffer(size + sealedBytesOf(size, isPadded))
  const plaintext = bytes.subarray(0, size)
  if (file.readFully(plaintext, 0) < size) return undefined
  const pieces: Pieces = { ids: [], lengths: [] }
  addPiece(pieces, keys, plaintext, bytes.subarray(size), isPadded)
  return pieces
}

/** Undefined if the file is shorter than it was, or was seen to change. */
function readPieces(
  file: FileToRead,
  keys: PieceKeys,
  before: DiskStat,
  plan: ChunkPlan,
  isPadded: boolean,
): Pieces | undefined {
  const { size } = before
  const windowBytes = Math.min(size, plan.max + READ_AHEAD_BYTES)
  const bytes = takeBuffer(windowBytes + sealedBytesOf(plan.max, isPadded))
  const window = bytes.subarray(0, windowBytes)
  const sealing = bytes.subarray(windowBytes)
  const pieces: Pieces = { ids: [], lengths: [] }
  const gear = isPadded ? gearFor(keys) : undefined
  let position = 0
  let lookAt = LOOK_BYTES
  let start = 0
  let end = 0
  while (position < size) {
    window.copyWithin(0, start, end)
    end -= start
    start = 0
    const target = window.subarray(end, Math.min(windowBytes, end + size - position))
    if (file.readFully(target, position) < target.length) return undefined
    end += target.length
    position += target.length
    while (start < end && (position === size || end - start >= plan.max)) {
      const length = nextCut(window, start, end, plan, gear)
      addPiece(pieces, keys, window.subarray(start, start + length), sealing, isPadded)
      start += length
    }
    if (position >= lookAt) {
      if (!sameStat(before, file.stat())) return undefined
      lookAt = position + LOOK_BYTES
    }
  }
  return pieces
}

/** Seals a plaintext at the front of `room`. */
function addPiece(pieces: Pieces, keys: PieceKeys, plaintext: Buffer, room: Buffer, isPadded: boolean): void {
  const length = sealedBytesOf(plaintext.length, isPadded)
  const sealed = room.subarray(0, length)
  sealPieceInto(keys, plaintext, sealed, isPadded)
  pieces.ids.push(pieceIdOf(sealed))
  pieces.lengths.push(packedLengthOf(isPadded ? { length, plain: plaintext.length } : { length }))
}

/** Of the share that was read last: making one takes half a millisecond. */
let lastGear: { readonly key: Buffer; readonly gear: Gear } | undefined

function gearFor({ sivKey }: PieceKeys): Gear {
  if (lastGear === undefined || !lastGear.key.equals(sivKey))
    lastGear = { key: sivKey, gear: keyedGear(sivKey) }
  return lastGear.gear
}

/** A buffer of at least this many bytes, often the same as last time: only one may be in use. */
function takeBuffer(bytes: number): Buffer {
  if (kept.length >= bytes) return kept
  const fresh = Buffer.allocUnsafeSlow(Math.max(bytes, 256 * 1024))
  if (bytes <= KEPT_BYTES) kept = fresh
  return fresh
}
