// Notices changes below a share's root (A10). One thread per share holds one plain fs.watch per directory, so that its
// queue is drained however busy the rest is. Events are hints: 'dirty' names directories to scan, and nothing is ever
// decided from an event alone. What it promises is to say when hints may be missing: 'overflow' (scan everything),
// 'limited' (these directories, or all, must be scanned regularly), 'gone' (these watches ended).
//
// The order that misses nothing: await add(directories), then scan them. add() may be repeated freely: a watch that no
// longer looks at the directory of that name is replaced, so adding whatever a scan found keeps the watches right after
// renames. remove() takes everything below a directory with it.
//
// Events: 'dirty' (readonly Directory[]), 'overflow' (OverflowReason), 'limited' (WatchLimit), 'gone' (readonly
// Directory[]: the watches of these and of all below ended by themselves; scan the parent, add() again what is there).
import { EventEmitter } from 'node:events'
import fs from 'node:fs'
import { Worker } from 'node:worker_threads'
import type { Log } from '../ports/log.js'
import type {
  Directory,
  OverflowReason,
  WatchLimit,
  WatchReport,
  WatchRequest,
  WatchWorkerData,
} from './watch-protocol.js'

export type { Directory, OverflowReason, WatchLimit } from './watch-protocol.js'

/** How often the canary sings while things change; doubled, an overflow that left no other trace is found later. */
const CANARY_INTERVAL_MS = 5000
/** How long its own event may take; far above any delay seen on a loaded machine, far below a person's patience. */
const CANARY_TIMEOUT_MS = 2000
/** The kernel's default for max_queued_events, should /proc not tell. */
const QUEUE_LENGTH = 16_384

export interface WatcherOptions {
  readonly log: Log
  /** Milliseconds between canaries, 0 for none (flush() works all the same). */
  readonly canaryIntervalMs?: number
  /** Milliseconds until a canary counts as lost. */
  readonly canaryTimeoutMs?: number
  /** For tests: lets block() stop the thread. */
  readonly testing?: boolean
}

interface WatcherEvents {
  dirty: [directories: readonly Directory[]]
  overflow: [reason: OverflowReason]
  limited: [limit: WatchLimit]
  gone: [directories: readonly Directory[]]
}

/** Watches one share's tree; see the top of this file. */
export class Watcher extends EventEmitter<WatcherEvents> {
  readonly #worker: Worker
  readonly #log: Log
  readonly #adding = new Map<number, () => void>()
  readonly #flushing = new Map<number, (certain: boolean) => void>()
  #nextId = 1
  #ended = false
  #closing: Promise<void> | undefined

  /** `root` is the share's root as an absolute path. Nothing is watched before add(). */
  constructor(root: string, options: WatcherOptions) {
    super()
    this.#log = options.log
    const workerData: WatchWorkerData = {
      root,
      canaryIntervalMs: options.canaryIntervalMs ?? CANARY_INTERVAL_MS,
      canaryTimeoutMs: options.canaryTimeoutMs ?? CANARY_TIMEOUT_MS,
      queueLength: queueLength(),
      testing: options.testing ?? false,
    }
    this.#worker = new Worker(new URL('./watch-worker.js', import.meta.url), {
      workerData,
      name: 'shoal-watch',
      // Its heap holds one small object per directory; the default young generation would cost more than that.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    })
    this.#worker.on('message', (report: WatchReport) => this.#report(report))
    this.#worker.on('error', (error) => {
      this.#log.error({ err: error }, 'watch thread failed')
    })
    this.#worker.on('exit', (exitCode) => this.#exited(exitCode))
  }

  /** Watches these directories; resolves when every watch that can be is in place (see 'limited' and 'gone'). */
  add(directories: readonly Directory[]): Promise<void> {
    if (this.#ended || directories.length === 0) return Promise.resolve()
    const id = this.#nextId++
    this.#send({ type: 'add', id, directories })
    return new Promise((resolve) => this.#adding.set(id, resolve))
  }

  /** Forgets these directories and all below them. No event of theirs comes after the thread has read this. */
  remove(directories: readonly Directory[]): void {
    if (!this.#ended && directories.length > 0) this.#send({ type: 'remove', directories })
  }

  /**
   * Resolves when all that the kernel had queued before this call has been delivered as 'dirty'. False if that could not
   * be proved (the canary was lost, which also emits 'overflow', or could not be sent, or the watcher closed): only a
   * scan tells then.
   */
  flush(): Promise<boolean> {
    if (this.#ended) return Promise.resolve(false)
    const id = this.#nextId++
    this.#send({ type: 'flush', id })
    return new Promise((resolve) => this.#flushing.set(id, resolve))
  }

  /** Ends the thread; no event comes after this has been called. */
  close(): Promise<void> {
    this.#ended = true
    this.#closing ??= this.#worker.terminate().then(() => this.#settle())
    return this.#closing
  }

  /** Tests only (option `testing`): stops the thread from reading events until `gate[0]` is set and notified. */
  block(gate: Int32Array): void {
    this.#send({ type: 'block', gate })
  }

  #send(request: WatchRequest): void {
    this.#worker.postMessage(request)
  }

  #report(report: WatchReport): void {
    if (this.#ended) return
    switch (report.type) {
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

  #exited(exitCode: number): void {
    if (this.#ended) return
    this.#ended = true
    this.#log.error({ exitCode }, 'watch thread ended by itself')
    this.#settle()
    this.emit('limited', { code: 'WORKER', detail: `the watch thread ended (${exitCode})`, directories: [] })
    this.emit('overflow', 'queue')
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
