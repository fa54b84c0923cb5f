// What can be asked of the staging area and what it answers: plain values, and how a batch of them is packed to cross to
// a worker without copying more than it must.
import { type PieceKeys, SIV_BYTES } from '../core/piece.js'
import type { AttributeScope } from '../core/raw-attributes.js'
import type { DiskStat } from '../core/stat.js'
import type { Dress, Shown } from './dress-job.js'
import type { Fault } from './safefs.js'

/** Where the bytes of one piece are. */
export type PartSource =
  /** Sealed, in the batch's array buffer. */
  | { readonly type: 'bytes'; readonly at: number; readonly length: number }
  /** Plain, in a file of ours: `offset` and `length` of the plaintext. With `stat` the file must be untouched. */
  | {
      readonly type: 'place'
      /** Relative to the root, or to `.shoal/archive` if `inArchive`. */
      readonly path: string
      readonly inArchive: boolean
      readonly stat?: DiskStat
      readonly offset: number
      readonly length: number
    }

/** One piece and where its plaintext goes. */
export interface StagePart {
  /** 32 bytes. */
  readonly id: Buffer
  readonly sealedLength: number
  /** Of a padded piece, bytes of its plaintext; there only if it is padded. */
  readonly plain?: number
  /** Of the plaintext in the file, bytes. */
  readonly offset: number
}

/** Bytes of a part's plaintext. */
export function plainLengthOf({ sealedLength, plain }: Pick<StagePart, 'sealedLength' | 'plain'>): number {
  return plain ?? sealedLength - SIV_BYTES
}

export interface StageFileJob {
  readonly type: 'file'
  /** Name in the staging area: 32 lower-case hex digits, the same for the same path and content. */
  readonly token: string
  /** Of the whole file, bytes. */
  readonly size: number
  /**
   * The first job of this file: what an earlier run left under the token is thrown away. False continues what earlier
   * jobs, or a 'resume' that found something, have begun; fails with STAGED_GONE if that is not there any more.
   */
  readonly begin: boolean
  /** With this job all parts of the file are there, if all of these come out good. */
  readonly final: boolean
  readonly parts: readonly (StagePart & { readonly source: PartSource })[]
  /** If known, both are set already here when the file is complete, which spares the commit half of its calls. */
  readonly mode?: number
  readonly mtimeUs?: number
  /** With them; the commit is asked for the same again. */
  readonly dress?: Dress
}

/** A staged file that has got its mode, time and dress. */
export interface StagedAs {
  /** What it was like then; as long as it is, nothing needs to be done to it again. */
  readonly stat: DiskStat
  /** Only if the dress could not be set whole. */
  readonly shown?: Shown
}

export type StageJob =
  | StageFileJob
  /** Which parts of a leftover are right? `good` are, `missing` are not. No good ones: nothing is left, begin anew. */
  | {
      readonly type: 'resume'
      readonly token: string
      readonly size: number
      readonly parts: readonly StagePart[]
    }
  | { readonly type: 'discard'; readonly token: string }

/** Indexes count in the job's `parts`. A part in none of the lists was not tried, because of `failed`. */
export interface StageResult {
  readonly token: string
  /** Written (or found) and verified. */
  readonly good: readonly number[]
  /** These bytes are not the piece that was asked for: tell the exchange who sent them (P1). */
  readonly wrong: readonly number[]
  /** The place does not hold it (any more), or cannot be read. */
  readonly missing: readonly number[]
  /** The file is complete and has all that it was to get. */
  readonly staged?: StagedAs
  /**
   * What stopped the job: ENOSPC, EIO, ...; OWN_DIR_UNUSABLE (the staging area is not there); STAGED_GONE (see `begin`);
   * PIECE_UNOPENABLE (it is the piece asked for, yet not sealed under this share's keys: its writer's fault, not the
   * sender's); BAD_SIZE (the parts do not make a file of `size`).
   */
  readonly failed?: Fault
}

/** A batch as it crosses to the worker: ids apart in one array, since each small view would bring its whole buffer. */
export interface StagePayload {
  readonly root: string
  readonly sivKey: Uint8Array
  readonly pieceKey: Uint8Array
  readonly jobs: readonly StageJob[]
  /** The attributes that dresses are about; none unless told. */
  readonly scope?: AttributeScope
  /** Whether blocks of zeros become holes; they do unless told. */
  readonly sparse?: boolean
  /** 32 bytes for each part of each job, in order. */
  readonly ids: Uint8Array<ArrayBuffer>
  readonly bytes: ArrayBuffer
}

/** Bytes of a piece id. */
export const ID_BYTES = 32
const NO_ID: Buffer = Buffer.alloc(0)

/** What holds for all jobs of a batch. */
export type StageOptions = Pick<StagePayload, 'scope' | 'sparse'>

/** Prepares a batch for the worker. RangeError for an id that is not 32 bytes long. */
export function packStageJobs(
  root: string,
  keys: PieceKeys,
  jobs: readonly StageJob[],
  bytes: ArrayBuffer,
  { scope, sparse }: StageOptions = {},
): StagePayload {
  let count = 0
  for (const job of jobs) if (job.type !== 'discard') count += job.parts.length
  const ids = new Uint8Array(count * ID_BYTES)
  let at = 0
  const bare = <Part extends StagePart>(part: Part): Part => {
    if (part.id.length !== ID_BYTES) throw new RangeError(`piece id of ${part.id.length} bytes`)
    ids.set(part.id, at)
    at += ID_BYTES
    return { ...part, id: NO_ID }
  }
  const packed = jobs.map((job): StageJob => {
    if (job.type === 'discard') return job
    return job.type === 'file'
      ? { ...job, parts: job.parts.map(bare) }
      : { ...job, parts: job.parts.map(bare) }
  })
  const { sivKey, pieceKey } = keys
  return {
    root,
    sivKey: Uint8Array.from(sivKey),
    pieceKey: Uint8Array.from(pieceKey),
    jobs: packed,
    ids,
    bytes,
    ...(scope === undefined ? {} : { scope }),
    ...(sparse === undefined ? {} : { sparse }),
  }
}

/** Puts several sealed pieces into one array buffer for FolderPool.stage; `at` is where each begins. */
export function packPieces(pieces: readonly Uint8Array[]): { bytes: ArrayBuffer; at: number[] } {
  let length = 0
  for (const piece of pieces) length += piece.length
  const packed = new Uint8Array(length)
  const at: number[] = []
  let next = 0
  for (const piece of pieces) {
    packed.set(piece, next)
    at.push(next)
    next += piece.length
  }
  return { bytes: packed.buffer, at }
}
