// Reads pieces again for peers (P2): the range of a file that is still the one indexed, sealed anew. Promises: what comes
// back is the sealed range of a file whose stat was the indexed one before and after reading; where an id is given it
// also is that very piece, so that a disk that rots does not make us a peer that lies. Anything else is null.
import { type PieceKeys, pieceIdOf, sealedBytesOf, sealPieceInto } from '../core/piece.js'
import { type DiskStat, packStat, STAT_FIELDS, sameStat, unpackStat } from '../core/stat.js'
import { type FileToRead, openToRead } from './read.js'
import { SafeRoot, type Ways } from './safefs.js'

export interface ReadPieceJob {
  /** Relative to the root; `.shoal/archive/...` is allowed. */
  readonly path: string
  /** The file as it was when it was hashed. */
  readonly stat: DiskStat
  /** Of the plaintext, bytes. */
  readonly offset: number
  readonly length: number
  /** Whether the piece is a padded one; it is not unless told. */
  readonly isPadded?: boolean
  /** The piece's id, 32 bytes; if given, only that piece is returned. */
  readonly id?: Uint8Array
}

export interface ReadPiecesPayload {
  readonly root: string
  readonly sivKey: Uint8Array
  readonly pieceKey: Uint8Array
  /** Of the files, one for each, NAME_END between them: a message with an object for each costs more than to read it. */
  readonly paths: string
  /** Likewise, packed (core/stat.ts). */
  readonly stats: Float64Array<ArrayBuffer>
  /** Five numbers a piece: its file, offset, length, 1 if an id is given for it, and 1 if it is padded. */
  readonly ranges: Float64Array<ArrayBuffer>
  /** 32 bytes a piece, zeros where there is none. */
  readonly ids: Uint8Array<ArrayBuffer>
  /** Where the pieces are put, one after the other, absent ones taking their room too: sealedBytes() long at least. */
  readonly room: ArrayBuffer | SharedArrayBuffer
}

/** No path has it. */
const NAME_END = '\0'
const RANGE_FIELDS = 5
const ID_BYTES = 32

/** Bytes that the pieces of a batch take, sealed. */
export function sealedBytes(jobs: readonly ReadPieceJob[]): number {
  let bytes = 0
  for (const { length, isPadded = false } of jobs) bytes += sealedBytesOf(length, isPadded)
  return bytes
}

/** Prepares a batch for the worker; pieces of one file are read with one opening of it. */
export function packReadJobs(
  root: string,
  keys: PieceKeys,
  jobs: readonly ReadPieceJob[],
  room: ArrayBuffer | SharedArrayBuffer,
): ReadPiecesPayload {
  const files: { path: string; stat: DiskStat }[] = []
  const known = new Map<string, number[]>()
  const ranges = new Float64Array(jobs.length * RANGE_FIELDS)
  const ids = new Uint8Array(jobs.length * ID_BYTES)
  for (const [index, job] of jobs.entries()) {
    const candidates = known.get(job.path)
    let file = candidates?.find((each) => sameStat(files[each]!.stat, job.stat))
    if (file === undefined) {
      file = files.push({ path: job.path, stat: job.stat }) - 1
      if (candidates === undefined) known.set(job.path, [file])
      else candidates.push(file)
    }
    const { offset, length, id, isPadded = false } = job
    ranges.set([file, offset, length, id === undefined ? 0 : 1, isPadded ? 1 : 0], index * RANGE_FIELDS)
    if (id !== undefined) ids.set(id, index * ID_BYTES)
  }
  const stats = new Float64Array(files.length * STAT_FIELDS)
  for (const [index, { stat }] of files.entries()) packStat(stats, index, stat)
  return {
    root,
    sivKey: Uint8Array.from(keys.sivKey),
    pieceKey: Uint8Array.from(keys.pieceKey),
    paths: files.map(({ path }) => path).join(NAME_END),
    stats,
    ranges,
    ids,
    room,
  }
}

/** One buffer or null a job, in order; views of the room. `present`: what reading the batch came to. */
export function unpackPieces(payload: ReadPiecesPayload, present: Uint8Array): (Buffer | null)[] {
  let at = 0
  return Array.from(present, (there, index) => {
    const length = sealedLength(payload.ranges, index)
    at += length
    return there === 1 ? asBuffer(payload.room, at - length, length) : null
  })
}

/**
 * Reads a batch on this thread: 1 for each piece that is there, 0 for others. Never throws for what a disk does. `ways`: for
 * tests.
 */
export function readPiecesBatch(payload: ReadPiecesPayload, ways?: Ways): Uint8Array<ArrayBuffer> {
  const { ranges } = payload
  const paths = payload.stats.length === 0 ? [] : payload.paths.split(NAME_END)
  const count = ranges.length / RANGE_FIELDS
  const places: number[] = []
  const ofFile: number[][] = paths.map(() => [])
  let total = 0
  for (let index = 0; index < count; index++) {
    places.push(total)
    total += sealedLength(ranges, index)
    ofFile[ranges[index * RANGE_FIELDS]!]!.push(index)
  }
  // Whatever is not marked present is never looked at.
  const slab = asBuffer(payload.room, 0, total)
  const present = new Uint8Array(count)
  let root: SafeRoot
  try {
    root = new SafeRoot(payload.root, ways)
  } catch {
    // Every piece is absent, and whoever asked finds out why by scanning.
    return present
  }
  try {
    const keys: PieceKeys = { sivKey: Buffer.from(payload.sivKey), pieceKey: Buffer.from(payload.pieceKey) }
    for (const [file, path] of paths.entries()) {
      const read = (opened: FileToRead): boolean[] =>
        ofFile[file]!.map((index) => readOne(opened, keys, payload, index, slab.subarray(places[index]!)))
      const stat = unpackStat(payload.stats, file)
      const done = readUnchanged(root, path, stat, read)
      for (const [each, index] of ofFile[file]!.entries()) if (done[each]) present[index] = 1
    }
    return present
  } finally {
    root.close()
  }
}

/** What `read` gives, or nothing if the file is not, or not all the time, the one with this stat. */
function readUnchanged(
  root: SafeRoot,
  path: string,
  stat: DiskStat,
  read: (file: FileToRead) => boolean[],
): boolean[] {
  try {
    // Asked before opening: what took the file's place may be a fifo or a device.
    const now = root.lstat(path)
    if (stat.type !== 'file' || now === undefined || !sameStat(now, stat)) return []
    const file = openToRead(root, path)
    try {
      const done = read(file)
      // Whether it is the file that was looked at, and as it was: what was read of another one, or of a later state, is dropped.
      return sameStat(file.stat(), stat) ? done : []
    } finally {
      file.close()
    }
  } catch {
    // Unreadable, for whatever reason: the piece cannot be served, and the scan of this path reports why.
    return []
  }
}

/** Reads and seals one piece to the front of `room`; false if the file is too short or it is another piece. */
function readOne(
  file: FileToRead,
  keys: PieceKeys,
  payload: ReadPiecesPayload,
  index: number,
  room: Buffer,
): boolean {
  const [, offset = 0, length = 0, hasId = 0, padded = 0] = payload.ranges.subarray(index * RANGE_FIELDS)
  const plaintext = takeBuffer(length)
  if (file.readFully(plaintext, offset) < length) return false
  const sealed = room.subarray(0, sealedBytesOf(length, padded === 1))
  sealPieceInto(keys, plaintext, sealed, padded === 1)
  if (hasId === 0) return true
  return pieceIdOf(sealed).equals(payload.ids.subarray(index * ID_BYTES, (index + 1) * ID_BYTES))
}

function sealedLength(ranges: Float64Array, index: number): number {
  return sealedBytesOf(ranges[index * RANGE_FIELDS + 2]!, ranges[index * RANGE_FIELDS + 4] === 1)
}

/** Buffer.from has one signature for each kind of memory. */
function asBuffer(room: ArrayBuffer | SharedArrayBuffer, offset: number, length: number): Buffer {
  return Buffer.from(room as ArrayBuffer, offset, length)
}

/** Pieces are 1 MiB at most, except in files above 4 GiB. */
const KEPT_BYTES = 1 << 20
let kept: Buffer = Buffer.alloc(0)

/** A buffer of exactly this many bytes; only one may be in use. */
function takeBuffer(bytes: number): Buffer {
  if (bytes > KEPT_BYTES) return Buffer.allocUnsafeSlow(bytes)
  if (kept.length === 0) kept = Buffer.allocUnsafeSlow(KEPT_BYTES)
  return kept.subarray(0, bytes)
}
