// Writes the tree that an index tells into a folder, by the parts that every share is written with: the applier (stage,
// verify, rename; A1-A4, P1), the scanner for what an earlier try left. Nobody is told anything, and nothing is published.
//
// W1. What is there and right stays, so that a try that ended anyhow is gone on with.
// W2. Nothing is followed or written through that is no directory of the tree: the folder's parts are safefs's.
// W3. It ends: with all there, or when nothing has moved for `stallMs`, and then it says what is lacking and why.

import { ShoalError } from '../../core/error.js'
import { sameFact } from '../../core/fact.js'
import type { Metadata } from '../../core/metadata.js'
import type { RelPath } from '../../core/path.js'
import type { PieceInfo } from '../../core/piece.js'
import type { FolderPool } from '../../folder/pool.js'
import type { TornPayload } from '../../folder/torn.js'
import type { Log } from '../../ports/log.js'
import { ShareIndex } from '../../store/share-index.js'
import type { Database } from '../../store/tables.js'
import { Applier } from '../share/applier.js'
import { Carried } from '../share/carried.js'
import type { ShareContext } from '../share/context.js'
import { DiskGuard } from '../share/disk-guard.js'
import { ShareMeta } from '../share/meta.js'
import type { PieceExchange } from '../share/piece-exchange.js'
import { ProblemBook } from '../share/problems.js'
import { ShareRoot } from '../share/root.js'
import { Scanner } from '../share/scanner.js'
import { ShortageBrake } from '../share/shortage-brake.js'
import { leftOutOf } from './chosen.js'
import { makeDurable } from './durable-tree.js'
import type { RestoreKeys } from './past-share.js'
import type { LackingPath, RestoreProgress } from './report.js'
import { MAX_LACKING } from './report.js'

export interface FolderRestoreOptions {
  readonly dir: string
  readonly keys: RestoreKeys
  readonly database: Database
  readonly pool: FolderPool
  readonly metadata: Metadata
  readonly hardLinks: boolean
  readonly sparse: boolean
  /** An earlier try has left its index. */
  readonly isResumed: boolean
  /** Only these and what is below them; empty: all. */
  readonly paths: readonly RelPath[]
  readonly log: Log
  readonly nowMs: () => number
}

export interface WriteOptions {
  readonly exchange: PieceExchange
  /** Bytes that have come so far, to see whether anything moves. */
  readonly fetchedBytes: () => number
  readonly stallMs: number
  readonly signal: AbortSignal
  readonly onProgress: (progress: RestoreProgress) => void
  /** Whether a piece is nowhere to be had; paths that need it are left out at once. */
  readonly isLost: (piece: PieceInfo) => boolean
  /** Something that should not happen, elsewhere. */
  readonly failure: () => unknown
}

export interface Written {
  readonly files: number
  readonly bytes: number
  readonly lacking: readonly LackingPath[]
  readonly lackingCount: number
}

export const RESTORE_PREFIX = 'restore:'
const POLL_MS = 50
/** Looked at in one job. */
const TORN_PATHS = 1000
/** Which of the two, a vault that was opened just now does not know: what is damaged it does not take in. */
const LOST = 'a piece of its content is not kept any more, or is damaged'

export class FolderRestore {
  readonly index: ShareIndex
  readonly problems: ProblemBook
  readonly #o: FolderRestoreOptions
  readonly #meta: ShareMeta
  readonly #root: ShareRoot
  readonly #carried: Carried
  /** Paths whose content is nowhere to be had. */
  readonly #lost = new Set<RelPath>()
  readonly #leftOut: ReturnType<typeof leftOutOf>
  readonly #shortage: ShortageBrake
  #halted: string | undefined
  #failure: unknown
  #stopped = false
  #changedAtMs = performance.now()

  /** The folder must be there, and ours to write to (place.ts). */
  constructor(options: FolderRestoreOptions) {
    const { dir, keys, database, nowMs, paths } = options
    this.#o = options
    this.#leftOut = leftOutOf(paths)
    this.#meta = new ShareMeta(database, RESTORE_PREFIX)
    this.#root = new ShareRoot(dir, keys.shareId, this.#meta, nowMs)
    this.problems = new ProblemBook(nowMs)
    this.#shortage = new ShortageBrake({
      ...{ problems: this.problems, log: options.log },
      isStopped: () => this.#stopped,
      onTry: () => this.#onTry(),
    })
    let index: ShareIndex | undefined
    index = new ShareIndex(database, RESTORE_PREFIX, {
      // What the share had at a path is put there, whatever somebody did to it meanwhile; what it had not stays.
      overwriteDrift: (path) => index !== undefined && index.effective(path).fact.type !== 'absent',
      isIgnored: (path, isDirectory) => this.#isLeftOut(path, isDirectory),
    })
    // What an earlier try found was looked at before that could be told.
    index.transaction(() => index.refreshDrift())
    this.index = index
    this.#carried = new Carried({
      dir,
      metadata: options.metadata,
      pool: options.pool,
      meta: this.#meta,
      index: () => this.index,
      problems: () => this.problems,
    })
  }

  /** Brings the folder to what the index says. Throws the signal's reason, SHARE_HALTED, and what should not happen. */
  async write(options: WriteOptions): Promise<Written> {
    const fault = this.#root.prepare()
    if (fault !== undefined)
      throw new ShoalError('SHARE_HALTED', `cannot restore into ${this.#o.dir}: ${fault}`)
    await this.#carried.findSupport(false)
    const context = this.#context()
    const scanner = new Scanner(context)
    const applier: Applier = new Applier({
      context,
      exchange: options.exchange,
      nowMs: this.#o.nowMs,
      leftovers: this.#root.leftovers(),
      rescan: (directories) => scanner.markDirty(directories),
      isDiskKnown: () => scanner.hasScanned && !this.#shortage.isOn,
      onApplied: () => this.#noteChange(applier),
      onMade: () => undefined,
      onQuiet: () => undefined,
    })
    this.#onChange = () => this.#noteChange(applier)
    this.#onTry = () => applier.wake()
    try {
      // An earlier try may have set paths aside of which the content can be had by now.
      if (this.#o.isResumed) {
        this.index.transaction(() =>
          this.index.setIgnored((path, isDirectory) => this.#isLeftOut(path, isDirectory)),
        )
        await this.#removeTorn()
      }
      this.#leaveOutLost(options)
      // Whatever somebody took away since an earlier try comes back; there is nobody to be told of it (A5).
      scanner.approve()
      await scanner.fullScan()
      this.index.noteLooked()
      this.#noteChange(applier)
      applier.wake()
      await this.#untilDone(applier, scanner, options)
      // What an earlier try wrote was found to be right, which it may be in memory alone.
      if (this.#o.isResumed) await this.#makeDurable()
      return this.#written()
    } finally {
      this.#stopped = true
      this.#shortage.stop()
      await Promise.all([applier.stop(), scanner.stop()])
    }
  }

  #onChange: () => void = () => undefined
  #onTry: () => void = () => undefined

  #isLeftOut(path: RelPath, isDirectory: boolean): boolean {
    return this.#lost.has(path) || this.#leftOut(path, isDirectory)
  }

  async #untilDone(applier: Applier, scanner: Scanner, options: WriteOptions): Promise<void> {
    let isChecked = false
    let seen = ''
    this.#changedAtMs = performance.now()
    for (;;) {
      options.signal.throwIfAborted()
      const failure = this.#failure ?? options.failure()
      if (failure !== undefined) throw failure
      if (this.#halted !== undefined)
        throw new ShoalError('SHARE_HALTED', `cannot go on with ${this.#o.dir}: ${this.#halted}`)
      this.#tell(options)
      const isIdle = !applier.isBusy && scanner.isAtRest
      if (isIdle && this.index.wantedAfter(undefined, 1).length === 0) {
        // Once more over all of it: who else writes here would have it look done.
        if (isChecked) return
        isChecked = true
        await scanner.fullScan()
        this.#noteChange(applier)
        continue
      }
      const { needFiles, needBytes } = this.index.counts
      const now = `${needFiles} ${needBytes} ${options.fetchedBytes()} ${isIdle}`
      if (now !== seen) {
        seen = now
        isChecked = false
        this.#changedAtMs = performance.now()
      }
      if (performance.now() - this.#changedAtMs >= options.stallMs) {
        if (!this.#leaveOutLost(options)) return
        this.#noteChange(applier)
        this.#changedAtMs = performance.now()
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  #tell({ onProgress }: WriteOptions): void {
    const { files, bytes, needFiles, needBytes } = this.index.counts
    onProgress({
      stage: 'writing',
      done: bytes,
      total: bytes + needBytes,
      files,
      ofFiles: files + needFiles,
    })
  }

  /** What a straight try (fill.ts) left half done is nobody's. */
  async #removeTorn(): Promise<void> {
    const { dir: root, pool } = this.#o
    const expectRoot = this.#root.identity
    if (expectRoot === undefined) return
    let files: TornPayload['files'][number][] = []
    const go = async (): Promise<void> => {
      if (files.length > 0) await pool.removeTorn({ root, expectRoot, files })
      files = []
    }
    for (const path of [...this.index.allWanted()]) {
      const { fact } = this.index.effective(path)
      if (fact.type !== 'file') continue
      files.push({ path, size: fact.size, mtimeUs: fact.mtimeUs })
      if (files.length === TORN_PATHS) await go()
    }
    await go()
  }

  async #makeDurable(): Promise<void> {
    const { dir, keys, pool } = this.#o
    const root = this.#root.identity
    if (root === undefined) return
    const files = (): Generator<RelPath> => this.#pathsOf('file')
    const directories = (): Iterable<RelPath> => ['' as RelPath, ...this.#pathsOf('directory')]
    await makeDurable({ dir, root, keys: keys.read, pool, files, directories })
  }

  *#pathsOf(type: 'file' | 'directory'): Generator<RelPath> {
    for (const [head] of this.index.allHeads())
      if (head !== undefined && this.index.effective(head.path).fact.type === type) yield head.path
  }

  /** Sets files aside that need a piece which is nowhere to be had. Whether there were any. */
  #leaveOutLost({ isLost }: WriteOptions): boolean {
    const lost: RelPath[] = []
    for (const path of this.index.allWanted()) {
      const { entry, fact } = this.index.effective(path)
      if (entry === undefined || fact.type !== 'file') continue
      const pieces = this.index.piecesOf(entry)
      if (pieces?.some((piece) => isLost(piece)) === true) lost.push(path)
    }
    this.index.transaction(() => {
      for (const path of lost) {
        this.#lost.add(path)
        this.problems.set('apply', path, 'NO_PIECES', LOST)
        this.index.refresh(path)
      }
    })
    return lost.length > 0
  }

  /** What is there, and what is not: by what the share says of each path, not by what was left to do. */
  #written(): Written {
    const { files, bytes } = this.index.counts
    const lacking: LackingPath[] = []
    let lackingCount = 0
    const told = new Map(this.problems.list().map((problem) => [problem.path, problem]))
    const note = (path: RelPath): void => {
      lackingCount++
      if (lacking.length >= MAX_LACKING) return
      const { code = 'NOT_FOUND', detail = 'nobody gave all of its content' } = told.get(path) ?? {}
      lacking.push({ path, code, detail })
    }
    for (const [head] of this.index.allHeads())
      if (head !== undefined && !this.#isThere(head.path)) note(head.path)
    return { files, bytes, lacking, lackingCount }
  }

  #isThere(path: RelPath): boolean {
    const { fact } = this.index.effective(path)
    const isDirectory = fact.type === 'directory'
    if (fact.type === 'absent' || (!this.#lost.has(path) && this.#isLeftOut(path, isDirectory))) return true
    const row = this.index.disk(path)
    return row !== undefined && row.drift === undefined && sameFact(row.applied.fact, fact)
  }

  #noteChange(applier: Applier): void {
    applier.note(this.index.drain())
  }

  #context(): ShareContext {
    const { dir, pool, keys, hardLinks, sparse, log } = this.#o
    const carried = this.#carried
    return {
      root: dir,
      index: this.index,
      pool,
      guard: new DiskGuard(),
      problems: this.problems,
      log,
      pieceKeys: keys.read,
      isWriter: false,
      hardLinks,
      // What stood in the way is kept: it may be somebody's, who took the folder for finished.
      archive: true,
      sparse,
      // Nothing is published; what is there already is read as whoever wrote it sealed it.
      padding: 'none',
      maxVersionedBytes: () => Number.POSITIVE_INFINITY,
      useArchive: async () => () => undefined,
      get metadata() {
        return carried.metadata
      },
      isOwn: () => false,
      dressesAnew: () => carried.dressesAnew,
      isIgnored: (path, isDirectory) => this.#isLeftOut(path, isDirectory),
      noteChange: () => undefined,
      onIgnoreRules: () => undefined,
      publish: async () => this.#onChange(),
      watch: async () => undefined,
      hear: async () => true,
      rootIdentity: () => this.#root.identity,
      checkRoot: () =>
        this.#root.fault({
          isStopped: () => this.#stopped,
          onShort: (code) => this.#shortage.note(code),
        }),
      noteShortage: (code) => this.#shortage.note(code),
      halt: (reason) => {
        this.#halted ??= reason
      },
      haltReason: () => this.#halted ?? (this.#stopped ? 'stopping' : undefined),
      onDriftEnded: () => undefined,
      onFullScan: () => carried.noteFullScan(false),
      fail: (thrown) => {
        this.#failure ??= thrown
      },
    }
  }
}
