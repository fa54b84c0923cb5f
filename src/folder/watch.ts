// Notices changes below a share's root (A10). One thread per share holds one plain fs.watch per directory, so that its
// queue is drained however busy the rest is. Events are hints: 'dirty' names directories to scan, and nothing is ever
// decided from an event alone. What it promises is to say when hints may be missing: 'overflow' (scan everything),
// 'limited' (these directories, or all, must be scanned regularly), 'gone' (these watches ended).
//
// The order that misses nothing: await add(directories), then scan them. add() may be repeated freely: a watch that no
// longer looks at the directory of that name is replaced, so adding whatever a scan found keeps the watches right after
// renames. remove() takes everything below a directory with it.
//
// A thread that dies is replaced after a pause, and 'overflow' says so: the new one watches nothing yet, so the scan that
// follows has to add() every directory it comes by, which is also how they were added the first time.
//
// Events: 'dirty' (readonly Directory[]), 'overflow' (OverflowReason), 'limited' (WatchLimit), 'gone' (readonly
// Directory[]: the watches of these and of all below ended by themselves; scan the parent, add() again what is there).
import { EventEmitter } from 'node:events'
import fs from 'node:fs'
import { Worker } from 'node:worker_threads'
import type { Log } from '../ports/log.js'
import { PACKAGE_VERSION } from '../ports/package-version.js'
import { programFile } from '../ports/program.js'
import type {
  Directory,
  OverflowReason,
  WatchFailure,
  WatchLimit,
  WatchReport,
  WatchRequest,
  WatchWorkerData,
} from './watch-protocol.js'

export type { Directory, OverflowReason, WatchFailure, WatchLimit } from './watch-protocol.js'

/** How often the canary sings while things change; doubled, an overflow that left no other trace is found later. */
const CANARY_INTERVAL_MS = 5000
/** How long its own event may take; far above any delay seen on a loaded machine, far below a person's patience. */
const CANARY_TIMEOUT_MS = 2000
/** The kernel's default for max_queued_events, should /proc not tell. */
const QUEUE_LENGTH = 16_384
/** Pause before a thread that died is replaced, doubled each time up to the longest: each new one costs a full scan. */
const RESTART_PAUSE_MS = 250
const LONGEST_RESTART_PAUSE_MS = 30_000
/** A thread that lived this long died of something new: the pauses begin anew. */
const STEADY_MS = 120_000
/** So many deaths in a row, within about two seconds, and people are told. */
const DEATHS_TO_TELL = 3
/** Old generation of a thread under test, so that one can be made to run out of it quickly. */
const TEST_HEAP_MB = 16

export interface WatcherOptions {
  readonly log: Log
  /** Milliseconds between canaries, 0 for none (flush() works all the same). */
  readonly canaryIntervalMs?: number
  /** Milliseconds until a canary counts as lost. */
  readonly canaryTimeoutMs?: number
  /** Milliseconds before the first replacement of a thread that died, at least half of it; see RESTART_PAUSE_MS. */
  readonly restartPauseMs?: number
  /** For tests: lets block() stop the thread and fail() end it. */
  readonly testing?: boolean
  /** For tests: of the program that this is; default: its own. */
  readonly version?: string
}

interface WatcherEvents {
  dirty: [directories: readonly Directory[]]
  overflow: [reason: OverflowReason]
  limited: [limit: WatchLimit]
  gone: [directories: readonly Directory[]]
}

/** Watches one share's tree; see the top of this file. */
export class Watcher extends EventEmitter<WatcherEvents> {
  readonly #workerData: WatchWorkerData
  readonly #restartPauseMs: number
  readonly #log: Log
  readonly #adding = new Map<number, () => void>()
  readonly #flushing = new Map<number, (certain: boolean) => void>()
  #thread: Worker | undefined
  /** Whether requests are sent: not from a thread's death until the next one has reported itself. */
  #isServed = true
  #startedAt = 0
  /** Threads that died one soon after the other. */
  #deaths = 0
  #restartTimer: NodeJS.Timeout | undefined
  #nextId = 1
  #ended = false
  #closing: Promise<void> | undefined

  /** `root` is the share's root as an absolute path. Nothing is watched before add(). */
  constructor(root: string, options: WatcherOptions) {
    super()
    this.#log = options.log
    this.#restartPauseMs = options.restartPauseMs ?? RESTART_PAUSE_MS
    this.#workerData = {
      root,
      canaryIntervalMs: options.canaryIntervalMs ?? CANARY_INTERVAL_MS,
      canaryTimeoutMs: options.canaryTimeoutMs ?? CANARY_TIMEOUT_MS,
      queueLength: queueLength(),
      testing: options.testing ?? false,
      version: options.version ?? PACKAGE_VERSION,
    }
    this.#start()
  }

  /**
   * Watches these directories; resolves when every watch that can be is in place (see 'limited' and 'gone'), or when the
   * thread dies, after which nothing is watched until the scan that 'overflow' asks for.
   */
  add(directories: readonly Directory[]): Promise<void> {
    if (this.#ended || !this.#isServed || directories.length === 0) return Promise.resolve()
    const id = this.#nextId++
    this.#send({ type: 'add', id, directories })
    return new Promise((resolve) => this.#adding.set(id, resolve))
  }

  /** Forgets these directories and all below them. No event of theirs comes after the thread has read this. */
  remove(directories: readonly Directory[]): void {
    if (!this.#ended && this.#isServed && directories.length > 0) this.#send({ type: 'remove', directories })
  }

  /**
   * Resolves when all that the kernel had queued before this call has been delivered as 'dirty' (or is for the scan that
   * an earlier 'overflow' asks for). False if that could not be proved: the canary was lost, which also emits
   * 'overflow', or could not be sent, or there is no thread at this moment, or the watcher closed. Only a scan tells then.
   */
  flush(): Promise<boolean> {
    if (this.#ended || !this.#isServed) return Promise.resolve(false)
    const id = this.#nextId++
    this.#send({ type: 'flush', id })
    return new Promise((resolve) => this.#flushing.set(id, resolve))
  }

  /** Ends the thread; no event comes after this has been called. */
  close(): Promise<void> {
    this.#ended = true
    clearTimeout(this.#restartTimer)
    this.#closing ??= Promise.resolve(this.#thread?.terminate()).then(() => this.#settle())
    return this.#closing
  }

  /** Tests only (option `testing`): stops the thread from reading events until `gate[0]` is set and notified. */
  block(gate: Int32Array): void {
    this.#send({ type: 'block', gate })
  }

  /** Tests only (option `testing`): the thread throws, ends, or uses up its memory. */
  fail(how: WatchFailure): void {
    this.#send({ type: 'fail', how })
  }

  #send(request: WatchRequest): void {
    this.#thread?.postMessage(request)
  }

  #start(): void {
    this.#startedAt = performance.now()
    const old = this.#workerData.testing ? { maxOldGenerationSizeMb: TEST_HEAP_MB } : {}
    let thread: Worker
    try {
      thread = new Worker(programFile('folder/watch-worker.js'), {
        workerData: this.#workerData,
        name: 'shoal-watch',
        // Its heap holds one small object per directory; the default young generation would cost more than that.
        resourceLimits: { maxYoungGenerationSizeMb: 4, ...old },
      })
    } catch (thrown) {
      // Say, the system has no thread to give.
      this.#died(thrown instanceof Error ? thrown.message : String(thrown))
      return
    }
    this.#thread = thread
    let reason: string | undefined
    thread.on('message', (report: WatchReport) => {
      if (this.#thread === thread) this.#report(report)
    })
    thread.on('error', (error) => {
      reason = error.message
      this.#log.error({ err: error }, 'watch thread failed')
    })
    thread.on('exit', (exitCode) => this.#died(reason ?? `exit code ${exitCode}`))
  }

  /** The thread is gone: what waits for it is answered, and another one is started after a pause. */
  #died(reason: string): void {
    if (this.#ended) return
    this.#thread = undefined
    this.#isServed = false
    this.#settle()
    if (performance.now() - this.#startedAt >= STEADY_MS) this.#deaths = 0
    const longest = Math.min(LONGEST_RESTART_PAUSE_MS, this.#restartPauseMs * 2 ** this.#deaths)
    this.#deaths++
    // The threads of many shares may have died of one cause, and need not come back in one moment.
    const pauseMs = Math.round(longest * (0.5 + Math.random() / 2))
    this.#restartTimer = setTimeout(() => this.#start(), pauseMs)
    this.#log.error({ reason, deaths: this.#deaths, pauseMs }, 'watch thread ended by itself')
    if (this.#deaths < DEATHS_TO_TELL) return
    const detail = `the watch thread ended ${this.#deaths} times in a row (${reason}); changes may be noticed late`
    this.emit('limited', { code: 'WORKER', detail, directories: [] })
  }

  #report(report: WatchReport): void {
    if (this.#ended) return
    switch (report.type) {
      case 'started':
        if (this.#isServed) return
        this.#isServed = true
        this.#log.info({ deaths: this.#deaths }, 'watch thread runs again')
        this.emit('overflow', 'restart')
        return
      case 'added':
        this.#adding.get(report.id)?.()
        this.#adding.delete(report.id)
        return
      case 'flushed':
        this.#flushing.get(report.id)?.(report.certain)
        this.#flushing.delete(report.id)
        return
      case 'dirty':
        this.emit('dirty', report.directories)
        return
      case 'gone':
        this.emit('gone', report.directories)
        return
      case 'limited':
        this.#log.warn(
          {
            code: report.limit.code,
            detail: report.limit.detail,
            directories: report.limit.directories.length,
          },
          'cannot watch everything',
        )
        this.emit('limited', report.limit)
        return
      case 'overflow':
        this.#log.warn({ reason: report.reason }, 'file events may have been lost')
        this.emit('overflow', report.reason)
    }
  }

  #settle(): void {
    for (const resolve of this.#adding.values()) resolve()
    for (const resolve of this.#flushing.values()) resolve(false)
    this.#adding.clear()
    this.#flushing.clear()
  }
}

function queueLength(): number {
  try {
    const value = Number(fs.readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'))
    return Number.isInteger(value) && value > 0 ? value : QUEUE_LENGTH
  } catch {
    // Without /proc there is no better number, and the default is what nearly every system has.
    return QUEUE_LENGTH
  }
}
