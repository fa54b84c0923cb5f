// What runs inside a folder worker thread: one table of jobs, each a synchronous function from a payload to a result.
// Both sides of a message are structured clones: a Buffer arrives as a Uint8Array, so wrap it with `asBuffer` before use,
// and never send a small view of a large buffer (the whole of it would be copied). Bulk bytes are not copied but
// transferred: a job returns them through `transferring`.
import { Piscina, transferableSymbol, valueSymbol } from 'piscina'
import type { AttributeScope } from '../core/raw-attributes.js'
import { assertSameVersion } from '../ports/thread-version.js'
import { type ArchivePayload, listArchived } from './archive-list.js'
import {
  listArchiveDays,
  type Pruned,
  type PrunePayload,
  type PruneTarget,
  pruneArchive,
  removeEmptyArchiveDirectories,
} from './archive-prune.js'
import { buffersOfAttributes } from './attribute-pack.js'
import { supportedScope } from './attributes.js'
import { type CheckPayload, type CheckResult, checkBatch } from './check-content.js'
import { commitBatch } from './commit.js'
import type { CommitPayload, CommitResult } from './commit-job.js'
import { fill } from './fill.js'
import type { FillPayload, FillResult } from './fill-job.js'
import { type HashPayload, hashBatch } from './hash.js'
import { type PackedHashJobs, unpackHashJobs } from './hash-job.js'
import { buffersOfHashes, type PackedHashes } from './hash-result.js'
import { cleanStaging, type StagingCleaned, type StagingCleaning } from './marker.js'
import { lowerPriority } from './priority.js'
import { buildRelease } from './release-build.js'
import type { ReleasePayload, ReleaseStepResult } from './release-job.js'
import {
  type ConfirmPayload,
  confirmMissingBatch,
  type ScanBatch,
  type ScanPayload,
  scanBatch,
} from './scan.js'
import { type ReadPiecesPayload, readPiecesBatch } from './serve.js'
import { stageBatch } from './stage.js'
import type { StagePayload, StageResult } from './stage-job.js'
import { shareSyncDoubts } from './sync-doubt.js'
import type { ThreadData } from './threads.js'
import { removeTorn, type TornPayload } from './torn.js'

export interface AttributeSupportPayload {
  readonly root: string
  readonly scope: AttributeScope
}

export type PackedHashPayload = Omit<HashPayload, 'jobs'> & { readonly jobs: PackedHashJobs }

/** Every job by name. To add one: declare it here, name its function in `jobs`, give FolderPool a method for it. */
export interface Jobs {
  /** Nothing: for a thread to be there. */
  warm(payload: undefined): undefined
  stage(payload: StagePayload): Transferring<{ results: StageResult[]; bytes: ArrayBuffer }>
  commit(payload: CommitPayload): CommitResult[]
  fill(payload: FillPayload): FillResult
  removeTorn(payload: TornPayload): number
  cleanStaging(payload: StagingCleaning): StagingCleaned
  scan(payload: ScanPayload): Transferring<ScanBatch>
  confirmMissing(payload: ConfirmPayload): boolean[]
  attributeSupport(payload: AttributeSupportPayload): AttributeScope
  hash(payload: PackedHashPayload): Transferring<PackedHashes>
  checkContent(payload: CheckPayload): CheckResult[]
  readPieces(payload: ReadPiecesPayload): Uint8Array<ArrayBuffer>
  listArchiveDays(target: PruneTarget): ReturnType<typeof listArchiveDays>
  pruneArchive(payload: PrunePayload): Pruned
  listArchived(payload: ArchivePayload): ReturnType<typeof listArchived>
  buildRelease(payload: ReleasePayload): ReleaseStepResult[]
  removeEmptyArchiveDirectories(
    payload: Parameters<typeof removeEmptyArchiveDirectories>[0],
  ): ReturnType<typeof removeEmptyArchiveDirectories>
}

export type JobName = keyof Jobs
export type JobPayload<Name extends JobName> = Parameters<Jobs[Name]>[0]
/** What the other side receives: the value of a Transferring, anything else as it is. */
export type JobResult<Name extends JobName> =
  ReturnType<Jobs[Name]> extends Transferring<infer Value> ? Value : ReturnType<Jobs[Name]>

/** One message to a worker. */
export interface Task<Name extends JobName = JobName> {
  readonly job: Name
  readonly payload: JobPayload<Name>
}

/** A result whose array buffers change hands instead of being copied; the worker must not touch them again. */
export interface Transferring<Value> {
  readonly value: Value
  readonly buffers: readonly ArrayBuffer[]
}

class Moved<Value> implements Transferring<Value> {
  readonly value: Value
  readonly buffers: readonly ArrayBuffer[]

  constructor(value: Value, buffers: readonly ArrayBuffer[]) {
    this.value = value
    this.buffers = buffers
  }
}

/** Marks a job's result: `buffers` are the array buffers inside `value` to hand over, each once. */
export function transferring<Value>(value: Value, buffers: readonly ArrayBuffer[]): Transferring<Value> {
  return new Moved(value, buffers)
}

const jobs: Jobs = {
  warm: () => undefined,
  stage: (payload) => {
    const { bytes } = payload
    const value = { results: stageBatch(payload), bytes }
    return transferring(value, bytes.byteLength === 0 ? [] : [bytes])
  },
  commit: commitBatch,
  fill: (payload) => fill(payload),
  removeTorn,
  cleanStaging,
  scan: (payload) => {
    const batch = scanBatch(payload)
    return transferring(batch, [batch.stats.buffer, ...buffersOfAttributes(batch.attributes)])
  },
  confirmMissing: confirmMissingBatch,
  attributeSupport: ({ root, scope }) => supportedScope(root, scope),
  hash: (payload) => {
    const packed = hashBatch({ ...payload, jobs: unpackHashJobs(payload.jobs) })
    return transferring(packed, buffersOfHashes(packed))
  },
  checkContent: checkBatch,
  readPieces: readPiecesBatch,
  listArchiveDays,
  listArchived,
  pruneArchive,
  removeEmptyArchiveDirectories,
  buildRelease,
}

lowerPriority(Piscina.workerData)
shareSyncDoubts((Piscina.workerData as ThreadData).doubts)

/** Piscina's entry point. */
export default function perform(task: Task): unknown {
  // With each task, which is told of it; a thread that ended at its start would be started again and again.
  assertSameVersion(Piscina.workerData as ThreadData)
  const job = jobs[task.job] as (payload: unknown) => unknown
  const result = job(task.payload)
  if (!(result instanceof Moved)) return result
  return Piscina.move({ [transferableSymbol]: [...result.buffers], [valueSymbol]: result.value as object })
}
