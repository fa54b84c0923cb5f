// Content-defined chunking (docs/design.md, "Pieces"): where a file is cut into pieces depends on the bytes around each
// cut, so an insertion moves no cut but its neighbours. Gear hash with normalised chunking, after Xia et al., "FastCDC"
// (USENIX ATC 2016): cuts are made rarer before the average length and commoner after it.
//
// Promises: the same bytes are cut alike under one table on every device and in every version of this format, however the
// caller windows them; every piece but a file's last is minBytes to maxBytes long; whether a position is a cut depends on the 32 bytes
// before it and on the distance from the piece's start, on nothing else.
import { deriveKey } from './hash.js'

/** How one file is cut; a function of its size alone. All lengths are plaintext bytes. */
export interface ChunkPlan {
  /** Every piece but the last is at least this long; a file no longer than this is one piece. */
  readonly min: number
  /** About how long pieces of random content are; a power of two. */
  readonly average: number
  /** No piece is longer. nextCut must be shown this many bytes, unless the file ends before. */
  readonly max: number
  /** A position below the average is a cut where the hash has none of these bits. */
  readonly earlyMask: number
  /** The same from the average on. */
  readonly lateMask: number
}

/**
 * Average piece of files up to 4 GiB. Half of it would double the index of large files and move single edits cheaper;
 * the wire loses a tenth of its throughput below 128 KiB.
 */
export const AVERAGE_BYTES: number = 256 * 1024
/** The average doubles rather than let a file have more pieces than this (about: cuts are random). */
export const PIECES_PER_FILE = 16_384
/**
 * Where doubling ends: pieces are held in memory whole, and longest pieces are four times this. Files above 256 GiB
 * have more pieces instead.
 */
export const MAX_AVERAGE_BYTES: number = 16 * 1024 * 1024
/** Longest plaintext of any piece of any file. What is announced longer is refused (F7). */
export const MAX_PLAINTEXT_BYTES: number = MAX_AVERAGE_BYTES * 4

/** Bytes that the hash remembers: each step shifts 32 bits by one. */
const WINDOW_BYTES = 32
/** Normalisation level 2 of the paper: four times rarer before the average, four times commoner after. */
const NORMALISATION_BITS = 2

/** Byte -> random word. Derived, so that the source holds no table to mistrust or mistype. */
export type Gear = Int32Array

const GEAR: Gear = gearOf('shoal 2025 chunker gear table v1', [])

/** The table for padded content: who does not know the key cannot tell where a file it knows would be cut. */
export function keyedGear(key: Uint8Array): Gear {
  return gearOf('shoal 2026-11 v1 padded chunker gear table', key)
}

function gearOf(label: string, key: Iterable<number>): Gear {
  const table = new Int32Array(256)
  for (let byte = 0; byte < 256; byte++)
    table[byte] = deriveKey(label, Uint8Array.from([...key, byte])).readInt32LE(0)
  return table
}

/** The plan for a file of this many bytes (a safe integer, 0 or more). */
export function chunkPlanFor(sizeBytes: number): ChunkPlan {
  let average = AVERAGE_BYTES
  while (average < MAX_AVERAGE_BYTES && sizeBytes > average * PIECES_PER_FILE) average *= 2
  return planOf(average)
}

/** The plan around an average that is a power of two, 128 bytes to MAX_AVERAGE_BYTES. Tests use small ones. */
export function planOf(average: number): ChunkPlan {
  const bits = Math.log2(average)
  if (!Number.isInteger(bits) || average < WINDOW_BYTES * 4 || average > MAX_AVERAGE_BYTES)
    throw new RangeError(`average piece of ${average} bytes`)
  return {
    min: average / 4,
    average,
    max: average * 4,
    earlyMask: topBits(bits + NORMALISATION_BITS),
    lateMask: topBits(bits - NORMALISATION_BITS),
  }
}

// The top bits are the ones that depend on the most bytes.
function topBits(count: number): number {
  return -1 << (32 - count)
}

/**
 * Length of the piece that begins at `start`, given the file's bytes up to `end` of the buffer. The caller shows at
 * least plan.max bytes from `start`, or all up to the end of the file. 0 only if start equals end.
 */
export function nextCut(
  buffer: Uint8Array,
  start: number,
  end: number,
  plan: ChunkPlan,
  gear: Gear = GEAR,
): number {
  const left = end - start
  if (left <= plan.min) return left
  const average = start + Math.min(left, plan.average)
  const early = firstCut(buffer, start + plan.min, average, plan.earlyMask, gear)
  if (early > 0) return early - start
  const max = start + Math.min(left, plan.max)
  const late = firstCut(buffer, average, max, plan.lateMask, gear)
  return (late > 0 ? late : max) - start
}

// The first position after `from`, at most `to`, whose hash of the 32 bytes before it has no bit of the mask; 0 if none.
// Unrolled by four and without a state that outlives it: four times as fast as one loop inside nextCut.
function firstCut(buffer: Uint8Array, from: number, to: number, mask: number, gear: Gear): number {
  let hash = 0
  for (let at = from - WINDOW_BYTES + 1; at < from; at++) hash = ((hash << 1) + gear[buffer[at]!]!) | 0
  let at = from
  for (const unrolled = to - 3; at < unrolled; at += 4) {
    hash = ((hash << 1) + gear[buffer[at]!]!) | 0
    if ((hash & mask) === 0) return at + 1
    hash = ((hash << 1) + gear[buffer[at + 1]!]!) | 0
    if ((hash & mask) === 0) return at + 2
    hash = ((hash << 1) + gear[buffer[at + 2]!]!) | 0
    if ((hash & mask) === 0) return at + 3
    hash = ((hash << 1) + gear[buffer[at + 3]!]!) | 0
    if ((hash & mask) === 0) return at + 4
  }
  for (; at < to; at++) {
    hash = ((hash << 1) + gear[buffer[at]!]!) | 0
    if ((hash & mask) === 0) return at + 1
  }
  return 0
}
