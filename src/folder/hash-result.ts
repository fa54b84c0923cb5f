// The result of hashing a batch, and its packed form between threads: a few arrays that change hands, instead of a few
// small objects and buffers per file that would each be copied and collected.
import { type DiskStat, packStat, STAT_FIELDS, unpackStat } from '../core/stat.js'
import {
  buffersOfAttributes,
  type PackedAttributes,
  packAttributes,
  unpackAttributes,
} from './attribute-pack.js'
import type { ReadAttributes } from './attributes.js'
import type { Fault } from './safefs.js'

interface HadAttributes {
  /** In the scope, packed (core/raw-attributes.ts); undefined if not asked for, or if the file system cannot hold any. */
  readonly attributes?: Buffer | undefined
  /** They are there and cannot be carried (ATTRIBUTES_TOO_LARGE, ATTRIBUTE_NAME, ...); then `attributes` is undefined. */
  readonly attributesFault?: Fault | undefined
}

/** What hashing one path found. */
export type HashResult =
  | ({
      readonly status: 'ok'
      readonly stat: DiskStat
      /** Content id, 32 bytes. */
      readonly content: Buffer
      /** Ids of the pieces in file order, 32 bytes each; none for an empty file. */
      readonly pieces: Buffer
      /** Packed length of each piece (packedLengthOf in core/piece.ts). */
      readonly lengths: Uint32Array
    } & HadAttributes)
  /** A file that is exactly what the job says is known; its content was not read. */
  | ({ readonly status: 'same'; readonly stat: DiskStat } & HadAttributes)
  | { readonly status: 'symlink'; readonly stat: DiskStat; readonly target: string }
  /** It changed while it was read, or so shortly before that a change might not show; ask again soon. */
  | { readonly status: 'changed' }
  /** There is nothing (any more), or no way there that passes no symlink. */
  | { readonly status: 'gone' }
  /** Some process has it open for writing. */
  | { readonly status: 'busy' }
  | { readonly status: 'failed'; readonly code: string; readonly detail: string }

const STATUSES = ['ok', 'symlink', 'changed', 'gone', 'busy', 'failed', 'same'] as const
const ID_BYTES = 32

/** A batch of results, packed. Every array buffer in it is its own. */
export interface PackedHashes {
  /** Index into STATUSES of each job. */
  readonly statuses: Uint8Array<ArrayBuffer>
  /** One packed stat a job, zeros where it has none. */
  readonly stats: Float64Array<ArrayBuffer>
  /** Pieces of each job. */
  readonly counts: Uint32Array<ArrayBuffer>
  /** Packed lengths of all pieces of all jobs. */
  readonly lengths: Uint32Array<ArrayBuffer>
  /** For each 'ok' job its content id and then its pieces' ids. */
  readonly ids: Uint8Array<ArrayBuffer>
  /** Targets of symlinks, code and detail of failures, in job order. */
  readonly texts: readonly string[]
  /** Of each 'ok' job; undefined if none was asked for. */
  readonly attributes: PackedAttributes | undefined
}

/** The array buffers to transfer. */
export function buffersOfHashes(packed: PackedHashes): ArrayBuffer[] {
  const { statuses, stats, counts, lengths, ids, attributes } = packed
  const own = [statuses.buffer, stats.buffer, counts.buffer, lengths.buffer, ids.buffer]
  return [...own, ...buffersOfAttributes(attributes)]
}

/** `withAttributes`: whether they were asked for. */
export function packHashes(results: readonly HashResult[], withAttributes = false): PackedHashes {
  const read: ReadAttributes[] = []
  let pieces = 0
  let ok = 0
  for (const result of results)
    if (result.status === 'ok') {
      ok++
      pieces += result.lengths.length
    }
  const packed = {
    statuses: new Uint8Array(results.length),
    stats: new Float64Array(results.length * STAT_FIELDS),
    counts: new Uint32Array(results.length),
    lengths: new Uint32Array(pieces),
    ids: new Uint8Array((ok + pieces) * ID_BYTES),
    texts: [] as string[],
    attributes: undefined as PackedAttributes | undefined,
  }
  let piece = 0
  let id = 0
  for (const [index, result] of results.entries()) {
    packed.statuses[index] = STATUSES.indexOf(result.status)
    if (result.status === 'ok') {
      packStat(packed.stats, index, result.stat)
      packed.counts[index] = result.lengths.length
      packed.lengths.set(result.lengths, piece)
      packed.ids.set(result.content, id)
      packed.ids.set(result.pieces, id + ID_BYTES)
      if (withAttributes) read.push(result.attributes ?? result.attributesFault)
      piece += result.lengths.length
      id += ID_BYTES + result.pieces.length
    } else if (result.status === 'same') {
      packStat(packed.stats, index, result.stat)
      if (withAttributes) read.push(result.attributes ?? result.attributesFault)
    } else if (result.status === 'symlink') {
      packStat(packed.stats, index, result.stat)
      packed.texts.push(result.target)
    } else if (result.status === 'failed') packed.texts.push(result.code, result.detail)
  }
  if (withAttributes) packed.attributes = packAttributes(read)
  return packed
}

/** The results again. Their buffers are views of the packed ones: keep one for long and all of the batch stays. */
export function unpackHashes(packed: PackedHashes): HashResult[] {
  const { ids, lengths, counts, texts, stats } = packed
  let piece = 0
  let id = 0
  let text = 0
  let at = 0
  const read = packed.attributes === undefined ? [] : unpackAttributes(packed.attributes)
  const idsAt = (count: number): Buffer => {
    const view = Buffer.from(ids.buffer, ids.byteOffset + id, count * ID_BYTES)
    id += count * ID_BYTES
    return view
  }
  return Array.from(packed.statuses, (code, index): HashResult => {
    const status = STATUSES[code]!
    switch (status) {
      case 'ok': {
        const count = counts[index]!
        piece += count
        return {
          status,
          stat: unpackStat(stats, index),
          content: idsAt(1),
          pieces: idsAt(count),
          lengths: lengths.subarray(piece - count, piece),
          ...hadAttributes(read[at++]),
        }
      }
      case 'symlink':
        return { status, stat: unpackStat(stats, index), target: texts[text++]! }
      case 'same':
        return { status, stat: unpackStat(stats, index), ...hadAttributes(read[at++]) }
      case 'failed':
        return { status, code: texts[text++]!, detail: texts[text++]! }
      default:
        return { status }
    }
  })
}

/** What reading attributes gave, as part of a result. */
export function hadAttributes(read: ReadAttributes | undefined): HadAttributes {
  if (read === undefined) return {}
  return Buffer.isBuffer(read) ? { attributes: read } : { attributesFault: read }
}
