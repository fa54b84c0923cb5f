// One pool of worker threads per daemon for everything that blocks on a disk or on arithmetic: scanning, hashing,
// sealing, staging, committing. One call is one task on one thread, so callers cut their work into batches and keep a
// few of them running. What is transferred in is gone for the caller; what comes out belongs to the caller.
// A thread costs some 8 MiB, and most daemons idle most of the time: threads start with the first task and all end when
// there has been none for a while (docs/decisions/0013-idle-memory.md).
import { availableParallelism } from 'node:os'
import { Piscina } from 'piscina'
import { ShoalError } from '../core/error.js'
import type { RelPath } from '../core/path.js'
import type { PieceKeys } from '../core/piece.js'
import type { CommitJob, CommitOptions, CommitResult } from './commit-job.js'
import type { HashJob } from './hash.js'
import { type HashResult, unpackHashes } from './hash-result.js'
import type { StagingCleaned } from './marker.js'
import { Rooms } from './rooms.js'
import type { RootIdentity, ScannedDirectory } from './scan.js'
import { packReadJobs, type ReadPieceJob, sealedBytes, unpackPieces } from './serve.js'
import { packStageJobs, type StageJob, type StageResult } from './stage-job.js'
import type { JobName, JobPayload, JobResult, Task } from './worker.js'

/** More threads than this mostly fight over one disk; the daemon's own threads want the rest. */
const MOST_THREADS = 4
/** A worker takes tens of milliseconds to start, so those that were of use are kept this long. */
const IDLE_TIMEOUT_MS = 20_000
/** A batch that runs at close() is let finish, at most this long; a crash there is safe too (A4). */
const CLOSE_TIMEOUT_MS = 5_000

export interface FolderPoolOptions {
  /** Worker threads at most, at least 1; by default one a processor, up to four. */
  readonly threads?: number
  /** Milliseconds without a task after which all threads end; default 20 s. */
  readonly idleMs?: number
}

/** Pieces read for a batch; see FolderPool.readPieces. */
export interface PiecesRead {
  /** Views of `room`. */
  readonly pieces: readonly (Buffer | null)[]
  readonly room: ArrayBuffer
}

export class FolderPool {
  readonly #options: FolderPoolOptions
  readonly #rooms = new Rooms()
  #threads: Piscina | undefined
  /** Tasks that run or wait for a thread. */
  #tasks = 0
  #idleTimer: NodeJS.Timeout | undefined
  /** Of the threads that idled too long; ends of their own accord. */
  #ending: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(options: FolderPoolOptions = {}) {
    this.#options = options
  }

  /** Whether threads are there, idle or at work. */
  get hasThreads(): boolean {
    return this.#threads !== undefined
  }

  /** An array buffer of at least so many bytes to pack pieces into for stage(). */
  takeRoom(bytes: number): ArrayBuffer {
    return this.#rooms.take(bytes)
  }

  /**
   * Puts verified pieces into staged files, looks at leftovers, discards (see stage.ts). One result a job, in order.
   * `bytes` holds the sealed pieces that 'bytes' sources point into and is transferred: the caller must own all of it.
   */
  async stage(
    root: string,
    keys: PieceKeys,
    jobs: readonly StageJob[],
    bytes: ArrayBuffer = new ArrayBuffer(0),
  ): Promise<StageResult[]> {
    const payload = packStageJobs(root, keys, jobs, bytes)
    const staged = await this.run('stage', payload, bytes.byteLength === 0 ? [] : [bytes])
    this.#rooms.give(staged.bytes)
    return staged.results
  }

  /** Brings staged files, directories, symlinks, metadata and removals to the tree (see commit.ts), in order. */
  commit(root: string, jobs: readonly CommitJob[], options: CommitOptions): Promise<CommitResult[]> {
    return this.run('commit', { root, jobs, options })
  }

  /** Removes what earlier runs left in the staging area, except the named tokens (see marker.ts). */
  cleanStaging(root: string, keepTokens: readonly string[]): Promise<StagingCleaned> {
    return this.run('cleanStaging', { root, keepTokens })
  }

  /**
   * Lists directories with the stats of what is in them (see scan.ts). One result a directory, in order. With
   * `expectRoot`, nothing is read where the root is another directory (A5).
   */
  scan(
    root: string,
    directories: readonly (RelPath | '')[],
    expectRoot?: RootIdentity,
  ): Promise<ScannedDirectory[]> {
    return this.run('scan', { root, directories, expectRoot })
  }

  /** For each path whether there certainly is nothing of that name; false where that cannot be told. */
  confirmMissing(root: string, paths: readonly string[], expectRoot?: RootIdentity): Promise<boolean[]> {
    return this.run('confirmMissing', { root, paths, expectRoot })
  }

  /**
   * Reads files and symlinks for announcing (see hash.ts). One result a job, in order; its buffers are views of the
   * batch's. A batch with a file that changed less than some 10 ms ago takes as much longer.
   */
  async hash(root: string, keys: PieceKeys, jobs: readonly HashJob[]): Promise<HashResult[]> {
    const sivKey = Uint8Array.from(keys.sivKey)
    const pieceKey = Uint8Array.from(keys.pieceKey)
    return unpackHashes(await this.run('hash', { root, sivKey, pieceKey, jobs }))
  }

  /**
   * Reads pieces again from the files they lie in and seals them, for peers (see serve.ts); null for a piece that is not
   * there as indexed (P2). One a job, in order. The room they lie in may be given back once nobody looks at them.
   */
  async readPieces(root: string, keys: PieceKeys, jobs: readonly ReadPieceJob[]): Promise<PiecesRead> {
    const room = this.#rooms.take(sealedBytes(jobs))
    const payload = packReadJobs(root, keys, jobs, room)
    const packed = await this.run('readPieces', payload, [room])
    return { pieces: unpackPieces(payload, packed), room: packed.bytes }
  }

  /** Takes back the room of pieces that nobody looks at any more. */
  giveRoom(room: ArrayBuffer): void {
    this.#rooms.give(room)
  }

  /** Runs one job on a worker. Rejects with ShoalError INTERNAL if the job throws, which is a bug, or at close(). */
  async run<Name extends JobName>(
    job: Name,
    payload: JobPayload<Name>,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<JobResult<Name>> {
    if (this.#isClosed) throw new ShoalError('INTERNAL', `folder job "${job}" failed: the pool is closed`)
    const task: Task<Name> = { job, payload }
    clearTimeout(this.#idleTimer)
    this.#tasks++
    try {
      this.#threads ??= this.#start()
      return await this.#threads.run(task, { transferList: [...transfer] })
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause)
      throw new ShoalError('INTERNAL', `folder job "${job}" failed: ${detail}`, { cause })
    } finally {
      this.#tasks--
      if (this.#tasks === 0 && !this.#isClosed)
        this.#idleTimer = setTimeout(() => this.#rest(), this.#options.idleMs ?? IDLE_TIMEOUT_MS).unref()
    }
  }

  /** Lets running batches finish, rejects those that wait, ends the threads. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#idleTimer)
    await this.#ending
    const threads = this.#threads
    this.#threads = undefined
    await threads?.close({ force: true })
  }

  /**
   * A whole pool at a time, and not Piscina's own minThreads of 0: with none to keep, it would start no thread for the
   * tasks that wait behind one whose thread died.
   */
  #start(): Piscina {
    const threads = new Piscina({
      filename: new URL('./worker.js', import.meta.url).href,
      minThreads: 1,
      maxThreads: this.#options.threads ?? Math.min(MOST_THREADS, availableParallelism()),
      idleTimeout: IDLE_TIMEOUT_MS,
      closeTimeout: CLOSE_TIMEOUT_MS,
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 192 },
    })
    // Emitted when close() runs into its timeout; the threads are ended all the same.
    threads.on('error', () => undefined)
    return threads
  }

  #rest(): void {
    const threads = this.#threads
    if (threads === undefined || this.#tasks > 0) return
    this.#threads = undefined
    this.#rooms.clear()
    const ended = this.#ending
    // Nothing runs on them, so that ending them loses nothing and takes a moment.
    this.#ending = threads.destroy().then(() => ended)
  }
}
