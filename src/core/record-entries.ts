// The entries part of a record, before it is compressed and sealed. Integers are varints (bytes.ts), `int` zigzag.
//
//   count, then each entry:
//     flags       u8, see below; bits that mean nothing for the type are 0
//     path        bytes shared with the path before (as many as are), length of the rest, the rest in UTF-8
//     version     DOTTED: int, the author's counter less the one expected, which is 1 + the counter of the entry before;
//                 else count (1 to 256), each: writer, counter (the author's as above); ascending by writer id
//     mtime       microseconds since 1970, less the sign
//     origin      OTHER_ORIGIN: writer
//     file        mode; SINGLE: int; else count of runs, each: int, count >= 1. The int is the run's first number less
//                 the expected one, which is the end of the run before, be it another entry's.
//                 EXPLICIT: size, content id (32); else both follow from the pieces this record announces
//     directory   mode
//     symlink     length, target in UTF-8
//     tombstone   WAS: mode, mtime less the sign
//     extra       EXTRA: count >= 1, each: tag, length, value; ascending by tag
//   writer: 0 the author; n the n-th other named in this part; one more than were named: 8 bytes follow and name it.
//
// What could be left out must be: what decodes has one form only. All bounds are below (F7).
import { MAX_PLAINTEXT_BYTES } from './chunker.js'
import type { Entry, PieceRun } from './entry.js'

/** Most entries in one record: what a node decodes without a pause. */
export const MAX_RECORD_ENTRIES = 16_384
/** Most writers in one version. */
export const MAX_VECTOR = 256
/** Most writers besides the author that the entries of one record name. */
export const MAX_RECORD_WRITERS = 1024
/** Highest counter in a version, so that differences of two fit a zigzag varint. */
export const MAX_COUNTER: number = 2 ** 48 - 1
/** Most runs in one entry. A file in more scattered pieces must be announced anew, which makes it one run. */
export const MAX_RUNS = 65_536
/** Most pieces in one entry, repeats counted; 64 TiB of the longest ones. */
export const MAX_ENTRY_PIECES: number = 4 * 1024 * 1024
/** Most bytes of an entry's extra, values and 8 for each tag. */
export const MAX_EXTRA_BYTES: number = 64 * 1024
/** Longest text of a symlink, bytes (PATH_MAX less the NUL). */
export const MAX_TARGET_BYTES = 4095
/**
 * Most runs, vector elements and extras of all entries of one record. Each takes 2 bytes or more on the wire but some
 * 100 in memory, so that bounding the bytes would not bound the memory.
 */
export const MAX_RECORD_ITEMS = 262_144

/** By the number that stands for each in the flags. */
export const TYPES = ['file', 'directory', 'symlink', 'tombstone'] as const
export const TYPE_MASK = 0b11
export const NEGATIVE_MTIME: number = 1 << 2
export const OTHER_ORIGIN: number = 1 << 3
export const EXTRA: number = 1 << 4
/** File: size and content are stated. */
export const EXPLICIT: number = 1 << 5
/** Tombstone: was is stated. */
export const WAS: number = 1 << 5
/** The version is the author's counter alone. */
export const DOTTED: number = 1 << 6
/** File: the pieces are one run of one piece. */
export const SINGLE: number = 1 << 7
/** Tombstone: the mtime in was is negative. */
export const NEGATIVE_WAS: number = 1 << 7

/** Most an entry takes besides its path, target, runs, extra and vector: flags, lengths, mtime, mode, size, content. */
const ENTRY_OVERHEAD_BYTES = 80

/** A bound on the bytes that an entry takes in the entries part. */
export function entryBytesAtMost(entry: Entry): number {
  let bytes = ENTRY_OVERHEAD_BYTES + Buffer.byteLength(entry.path) + entry.version.length * 18
  if (entry.type === 'file') bytes += entry.pieces.length * 10
  if (entry.type === 'symlink') bytes += Buffer.byteLength(entry.target)
  for (const [, value] of entry.extra) bytes += value.length + 12
  return bytes
}

/** Runs, vector elements and extras of an entry, see MAX_RECORD_ITEMS. */
export function itemsOf(entry: Entry): number {
  return entry.version.length + entry.extra.length + (entry.type === 'file' ? entry.pieces.length : 0)
}

/** The commonest file by far. */
export function isSingle(runs: readonly PieceRun[]): boolean {
  return runs.length === 1 && runs[0]!.count === 1
}

/** Pieces in all runs, repeats counted. */
export function piecesIn(runs: readonly PieceRun[]): number {
  let pieces = 0
  for (const run of runs) pieces += run.count
  return pieces
}

/** Why a file of so many pieces cannot have this size; every piece holds 1 to MAX_PLAINTEXT_BYTES bytes. */
export function sizeFault(size: number, pieces: number): string | undefined {
  return size < pieces || size > pieces * MAX_PLAINTEXT_BYTES
    ? `${pieces} pieces cannot hold ${size} bytes`
    : undefined
}

/** Why a text is not the target of a symlink, undefined if it is one. */
export function targetFault(target: string): string | undefined {
  if (target.length === 0) return 'empty target'
  if (target.includes('\0')) return 'target holds a NUL'
  if (!target.isWellFormed()) return 'target is not valid Unicode'
  if (Buffer.byteLength(target) > MAX_TARGET_BYTES) return `target is longer than ${MAX_TARGET_BYTES} bytes`
  return undefined
}
