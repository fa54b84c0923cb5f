// One pool of worker threads per daemon for everything that blocks on a disk or on arithmetic: scanning, hashing,
// sealing, staging, committing. One call is one task on one thread, so callers cut their work into batches and keep a
// few of them running. What is transferred in is gone for the caller; what comes out belongs to the caller.
import { availableParallelism } from 'node:os'
import { ShoalError } from '../core/error.js'
import type { RelPath } from '../core/path.js'
import type { PieceKeys } from '../core/piece.js'
import type { AttributeScope } from '../core/raw-attributes.js'
import { newRoom, newSharedRoom, Rooms } from '../ports/rooms.js'
import type { Pruned, PrunePayload, PruneTarget } from './archive-prune.js'
import type { CheckJob, CheckResult } from './check-content.js'
import type { CommitJob, CommitOptions, CommitResult } from './commit-job.js'
import { type FillResult, type FillStep, fillPayload } from './fill-job.js'
import { type HashJob, packHashJobs } from './hash-job.js'
import { type HashResult, unpackHashes } from './hash-result.js'
import type { StagingCleaned } from './marker.js'
import type { ReleaseStep, ReleaseStepResult } from './release-job.js'
import type { RootIdentity, ScannedDirectory } from './scan.js'
import { withAttributes } from './scan-attributes.js'
import { packReadJobs, type ReadPieceJob, sealedBytes, unpackPieces } from './serve.js'
import { packStageJobs, type StageJob, type StageResult } from './stage-job.js'
import { NoThread, Threads } from './threads.js'
import type { TornPayload } from './torn.js'
import type { JobName, JobPayload, JobResult, Task } from './worker.js'

/** A batch is cut at 2 MiB; the piece that overfills it is seldom longer than a quarter of that. */
const ROOMS = { roomBytes: 2560 * 1024, maxKept: 6 } as const
/** More threads than this mostly fight over one disk; the daemon's own threads want the rest. */
const MOST_THREADS = 4

export interface FolderPoolOptions {
  /** Worker threads at most, at least 1; by default one a processor, up to four. */
  readonly threads?: number
  /**
   * Whether what can wait (LOW_PRIORITY below) has threads of its own, as many, that give way to other programs of the
   * machine; see priority.ts. They are started when there is something to do and end when there is not. Default: no.
   */
  readonly lowPriority?: boolean
  /** Milliseconds without a task after which threads end; default 20 s. */
  readonly idleMs?: number
}

/** Jobs that nobody waits for: what the disk has to say. Bringing files here and serving them is what people see. */
const LOW_PRIORITY: ReadonlySet<JobName> = new Set<JobName>([
  ...(['scan', 'confirmMissing', 'hash', 'checkContent'] as const),
  ...(['listArchiveDays', 'pruneArchive', 'removeEmptyArchiveDirectories'] as const),
])

/** Pieces read for a batch; see FolderPool.readPieces. */
export interface PiecesRead {
  /** Views of `room`. */
  readonly pieces: readonly (Buffer | null)[]
  readonly room: SharedArrayBuffer
}

export class FolderPool {
  readonly #most: number
  readonly #threads: Threads
  /** For what can wait; the same ones if nothing has to. */
  readonly #patient: Threads
  /** For pieces that are transferred to be staged. */
  readonly #rooms = new Rooms({ ...ROOMS, make: newRoom })
  /** For pieces that are read. */
  readonly #readRooms = new Rooms({ ...ROOMS, make: newSharedRoom })

  constructor(options: FolderPoolOptions = {}) {
    const threads = options.threads ?? Math.min(MOST_THREADS, availableParallelism())
    this.#most = threads
    const { idleMs } = options
    const onRest = (): void => {
      this.#rooms.clear()
      this.#readRooms.clear()
    }
    this.#threads = new Threads({ threads, lowPriority: false, idleMs, onRest })
    this.#patient =
      options.lowPriority === true ? new Threads({ threads, lowPriority: true, idleMs }) : this.#threads
  }

  /** Whether threads are there, idle or at work. */
  get hasThreads(): boolean {
    return this.#threads.areThere || this.#patient.areThere
  }

  /** Starts the threads while there is other work to do. What is wrong with them is told to whoever needs them. */
  warm(): void {
    for (let i = 0; i < this.#most; i++) this.run('warm', undefined).catch(() => undefined)
  }

  /** An array buffer of at least so many bytes to pack pieces into for stage(). */
  takeRoom(bytes: number): ArrayBuffer {
    return this.#rooms.take(bytes)
  }

  /**
   * Puts verified pieces into staged files, looks at leftovers, discards (see stage.ts). One result a job, in order.
   * `bytes` holds the sealed pieces that 'bytes' sources point into and is transferred: the caller must own all of it.
   * `scope`: what the dresses are about; `sparse`: whether blocks of zeros become holes.
   */
  async stage(
    root: string,
    keys: PieceKeys,
    jobs: readonly StageJob[],
    bytes: ArrayBuffer = new ArrayBuffer(0),
    scope?: AttributeScope,
    sparse = true,
  ): Promise<StageResult[]> {
    const options = scope === undefined ? { sparse } : { sparse, scope }
    const payload = packStageJobs(root, keys, jobs, bytes, options)
    try {
      const staged = await this.run('stage', payload, bytes.byteLength === 0 ? [] : [bytes])
      this.#rooms.give(staged.bytes)
      return staged.results
    } catch (thrown) {
      if (!(thrown instanceof NoThread)) throw thrown
      // The pieces went with the thread: they are to be fetched again.
      const failed = { code: thrown.code, detail: thrown.message }
      return jobs.map(({ token }) => ({ token, good: [], wrong: [], missing: [], failed }))
    }
  }

  /** Brings staged files, directories, symlinks, metadata and removals to the tree (see commit.ts), in order. */
  commit(root: string, jobs: readonly CommitJob[], options: CommitOptions): Promise<CommitResult[]> {
    return this.run('commit', { root, jobs, options })
  }

  /** One step of filling a new folder with a tree (see fill.ts). Spans that come as bytes are transferred. */
  fill(
    root: string,
    expectRoot: RootIdentity,
    keys: PieceKeys,
    step: FillStep,
    scope?: AttributeScope,
  ): Promise<FillResult> {
    const spans = step.type === 'files' ? step.spans : []
    const bytes = spans.flatMap((span) => (span.bytes === undefined ? [] : [span.bytes]))
    return this.run('fill', fillPayload(root, expectRoot, keys, step, scope), bytes)
  }

  /** Removes files that a fill left half done (see torn.ts); how many. */
  removeTorn(payload: TornPayload): Promise<number> {
    return this.run('removeTorn', payload)
  }

  /** Builds a release in the staging area, puts it in place, takes one away (see release-build.ts); in order. */
  buildRelease(
    root: string,
    steps: readonly ReleaseStep[],
    expectRoot?: RootIdentity,
  ): Promise<ReleaseStepResult[]> {
    return this.run('buildRelease', { root, steps, expectRoot })
  }

  /** Removes what earlier runs left in the staging area, except the named tokens (see marker.ts). */
  cleanStaging(root: string, keepTokens: readonly string[]): Promise<StagingCleaned> {
    return this.run('cleanStaging', { root, keepTokens })
  }

  /** The day folders of the archive (see archive-prune.ts). */
  listArchiveDays(target: PruneTarget): Promise<JobResult<'listArchiveDays'>> {
    return this.run('listArchiveDays', target)
  }

  /** The versions of a path in the archive (see archive-list.ts). */
  listArchived(payload: JobPayload<'listArchived'>): Promise<JobResult<'listArchived'>> {
    return this.run('listArchived', payload)
  }

  /** Removes what is too old from one directory of the archive (see archive-prune.ts). */
  pruneArchive(payload: PrunePayload): Promise<Pruned> {
    return this.run('pruneArchive', payload)
  }

  /** Removes those directories of the archive that are empty, in the order given. */
  removeEmptyArchiveDirectories(
    payload: JobPayload<'removeEmptyArchiveDirectories'>,
  ): Promise<JobResult<'removeEmptyArchiveDirectories'>> {
    return this.run('removeEmptyArchiveDirectories', payload)
  }

  /**
   * Lists directories with the stats of what is in them (see scan.ts). One result a directory, in order. With
   * `expectRoot`, nothing is read where the root is another directory (A5).
   */
  async scan(
    root: string,
    directories: readonly (RelPath | '')[],
    expectRoot?: RootIdentity,
    scope?: AttributeScope,
  ): Promise<ScannedDirectory[]> {
    const payload = { root, directories, expectRoot, ...(scope === undefined ? {} : { scope }) }
    const { results, attributes } = await this.run('scan', payload)
    return withAttributes(results, attributes)
  }

  /** The part of a scope that the file system of the root can hold. Rejects if the root cannot be opened. */
  attributeSupport(root: string, scope: AttributeScope): Promise<AttributeScope> {
    return this.run('attributeSupport', { root, scope })
  }

  /** For each path whether there certainly is nothing of that name; false where that cannot be told. */
  confirmMissing(root: string, paths: readonly string[], expectRoot?: RootIdentity): Promise<boolean[]> {
    return this.run('confirmMissing', { root, paths, expectRoot })
  }

  /**
   * Reads files and symlinks for announcing (see hash.ts). One result a job, in order; its buffers are views of the
   * batch's. A batch with a file that changed less than some 10 ms ago takes as much longer.
   */
  async hash(
    root: string,
    keys: PieceKeys,
    jobs: readonly HashJob[],
    scope?: AttributeScope,
  ): Promise<HashResult[]> {
    const sivKey = Uint8Array.from(keys.sivKey)
    const pieceKey = Uint8Array.from(keys.pieceKey)
    const batch = { root, sivKey, pieceKey, jobs: packHashJobs(jobs) }
    return unpackHashes(await this.run('hash', scope === undefined ? batch : { ...batch, scope }))
  }

  /** Reads files again to see whether they hold what is indexed (see check-content.ts). One result a job, in order. */
  checkContent(
    root: string,
    keys: PieceKeys,
    jobs: readonly CheckJob[],
    again: boolean,
  ): Promise<CheckResult[]> {
    const sivKey = Uint8Array.from(keys.sivKey)
    const pieceKey = Uint8Array.from(keys.pieceKey)
    return this.run('checkContent', { root, sivKey, pieceKey, jobs, again })
  }

  /**
   * Reads pieces again from the files they lie in and seals them, for peers (see serve.ts); null for a piece that is not
   * there as indexed (P2). One a job, in order. The room they lie in may be given back once nobody looks at them.
   */
  async readPieces(root: string, keys: PieceKeys, jobs: readonly ReadPieceJob[]): Promise<PiecesRead> {
    const room = this.#readRooms.take(sealedBytes(jobs))
    const payload = packReadJobs(root, keys, jobs, room)
    // After a failure it is given back by nobody: whether a thread still writes there is not known.
    return { pieces: unpackPieces(payload, await this.run('readPieces', payload)), room }
  }

  /** Takes back the room of pieces that nobody looks at any more. */
  giveRoom(room: SharedArrayBuffer): void {
    this.#readRooms.give(room)
  }

  /**
   * Runs one job on a worker. Rejects with ShoalError INTERNAL if the job throws, which is a bug, or at close(); with
   * NoThread if buffers were transferred to a thread that the system did not give.
   */
  async run<Name extends JobName>(
    job: Name,
    payload: JobPayload<Name>,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<JobResult<Name>> {
    const task: Task<Name> = { job, payload }
    try {
      const threads = LOW_PRIORITY.has(job) ? this.#patient : this.#threads
      return (await threads.run(task, [...transfer])) as JobResult<Name>
    } catch (cause) {
      if (cause instanceof NoThread) throw cause
      const detail = cause instanceof Error ? cause.message : String(cause)
      throw new ShoalError('INTERNAL', `folder job "${job}" failed: ${detail}`, { cause })
    }
  }

  /** Lets running batches finish, rejects those that wait, ends the threads. */
  async close(): Promise<void> {
    await Promise.all([...new Set([this.#threads, this.#patient])].map((each) => each.close()))
  }
}
