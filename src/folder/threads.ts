// Threads for folder jobs that are there only while there is something to do. One costs some 8 MiB, and most daemons idle
// most of the time: they start with the first task and all end when there has been none for a while (docs/decisions/
// 0019-idle-memory.md).
// They are loaded from the disk each time, where an upgrade may have put another version since: each is told which one it
// is to be, and does nothing if it is not (ports/thread-version.ts).
// A whole Piscina at a time, and not its own minThreads of 0: with none to keep, it would start no thread for the tasks
// that wait behind one whose thread died.
import { setTimeout } from 'node:timers/promises'
import { Piscina } from 'piscina'
import { isShortage, shortageWords } from '../core/shortage.js'
import { PACKAGE_VERSION } from '../ports/package-version.js'
import { programFile } from '../ports/program.js'
import type { ThreadVersion } from '../ports/thread-version.js'
import type { PriorityData } from './priority.js'
import { syncDoubts } from './sync-doubt.js'

/** A worker takes tens of milliseconds to start, so those that were of use are kept this long. */
const IDLE_TIMEOUT_MS = 20_000
/** A batch that runs at close() is let finish, at most this long; a crash there is safe too (A4). */
const CLOSE_TIMEOUT_MS = 5_000

/** What a thread is started with. */
export interface ThreadData extends PriorityData, ThreadVersion {
  /** What all threads of the process know of syncs that failed (sync-doubt.ts). */
  readonly doubts: SharedArrayBuffer
}

export interface ThreadsOptions {
  /** At most, at least 1. */
  readonly threads: number
  readonly lowPriority: boolean
  /** Milliseconds without a task after which all threads end; default 20 s. */
  readonly idleMs?: number | undefined
  /** For tests: of the program that this is; default: its own. */
  readonly version?: string
  /** They are about to end for want of tasks. */
  readonly onRest?: () => void
}

/** How long after a thread could not be had the next one is tried. */
const NO_THREAD_WAIT_MS = 500

/** Some threads, and how many tasks are with them. */
interface ThreadSet {
  readonly piscina: Piscina
  tasks: number
  isRetired: boolean
}

/** The system had no thread to give for a task, and what it was given to work with is lost. Nothing of it was done. */
export class NoThread extends Error {
  override readonly name = 'NoThread'
  /** A shortage (core/shortage.ts). */
  readonly code: string

  constructor(code: string, cause: unknown) {
    super(`${code}: ${shortageWords(code)}`, { cause })
    this.code = code
  }
}

export class Threads {
  readonly #options: ThreadsOptions
  #set: ThreadSet | undefined
  /** Tasks that run or wait for a thread. */
  #tasks = 0
  /** Of them those that Piscina has: one for each thread, so that none begins while it ends them. */
  #begun = 0
  /** The others, by what begins them. */
  #line: (() => void)[] = []
  /** For close(): none of those is left. */
  #allEnded: (() => void) | undefined
  #idleTimer: NodeJS.Timeout | undefined
  /** Of those that idled too long. */
  #ending: Promise<void> = Promise.resolve()
  #isClosed = false
  #closed: Promise<void> | undefined
  readonly #closing = new AbortController()
  #pausing: Promise<void> | undefined

  constructor(options: ThreadsOptions) {
    this.#options = options
  }

  /** Whether threads are there, idle or at work. */
  get areThere(): boolean {
    return this.#set !== undefined
  }

  /**
   * Runs a task of worker.ts. Rejects if it throws, or its thread dies or is another version's, or at close(). Where the
   * system has no thread to give it waits for one; but a task whose buffers went with the thread that was none rejects
   * with NoThread.
   */
  async run(task: unknown, transferList: ArrayBuffer[]): Promise<unknown> {
    clearTimeout(this.#idleTimer)
    this.#tasks++
    try {
      for (;;) {
        const place = this.#enter()
        if (place !== undefined) await place
        try {
          if (this.#isClosed) throw new Error('the pool is closed')
          this.#set ??= this.#start()
          const set = this.#set
          set.tasks++
          try {
            return await set.piscina.run(task, { transferList })
          } catch (thrown) {
            const code = noThreadCode(thrown)
            if (code === undefined) throw thrown
            this.#retire(set)
            // What was transferred is gone.
            if (transferList.some(({ byteLength }) => byteLength === 0)) throw new NoThread(code, thrown)
          } finally {
            set.tasks--
            this.#endIfRetired(set)
          }
        } finally {
          this.#leave()
        }
        await this.#pause()
      }
    } finally {
      this.#tasks--
      if (this.#tasks === 0 && !this.#isClosed)
        this.#idleTimer = globalThis
          .setTimeout(() => this.#rest(), this.#options.idleMs ?? IDLE_TIMEOUT_MS)
          .unref()
    }
  }

  /** Lets running tasks finish, rejects those that wait, ends the threads. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#isClosed = true
    this.#closing.abort()
    clearTimeout(this.#idleTimer)
    const line = this.#line
    this.#line = []
    this.#begun += line.length
    for (const begin of line) begin()
    await this.#ended()
    await this.#ending
    const set = this.#set
    this.#set = undefined
    // Its close() would wait for the first thread that ends a task, and not for each.
    await set?.piscina.destroy()
  }

  /** When no task is begun any more, or it has taken too long. */
  async #ended(): Promise<void> {
    if (this.#begun === 0) return
    const tooLong = new AbortController()
    const ended = new Promise<void>((resolve) => {
      this.#allEnded = resolve
    })
    const { signal } = tooLong
    await Promise.race([ended, setTimeout(CLOSE_TIMEOUT_MS, undefined, { signal }).catch(() => undefined)])
    tooLong.abort()
  }

  /** A task's place among those that are begun: at once if undefined, else when another one leaves its own. */
  #enter(): Promise<void> | undefined {
    if (this.#begun >= this.#options.threads && !this.#isClosed)
      return new Promise((begin) => {
        this.#line.push(begin)
      })
    this.#begun++
    return undefined
  }

  #leave(): void {
    const begin = this.#line.shift()
    if (begin !== undefined) return begin()
    this.#begun--
    if (this.#begun === 0) this.#allEnded?.()
  }

  #start(): ThreadSet {
    const { lowPriority, version = PACKAGE_VERSION } = this.#options
    const workerData: ThreadData = { lowPriority, version, doubts: syncDoubts() }
    const piscina = new Piscina({
      filename: programFile('folder/worker.js').href,
      minThreads: 1,
      maxThreads: this.#options.threads,
      idleTimeout: IDLE_TIMEOUT_MS,
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 192 },
      workerData,
    })
    const set: ThreadSet = { piscina, tasks: 0, isRetired: false }
    // Of a thread that could not be had and had no task yet.
    piscina.on('error', () => {
      if (!this.#isClosed && piscina.threads.length === 0) this.#retire(set)
    })
    return set
  }

  /** One for all tasks that wait for a thread; ends early at close(). */
  #pause(): Promise<void> {
    const { signal } = this.#closing
    this.#pausing ??= setTimeout(NO_THREAD_WAIT_MS, undefined, { signal })
      .catch(() => undefined)
      .finally(() => {
        this.#pausing = undefined
      })
    return this.#pausing
  }

  /**
   * A thread of these could not be started, or not be loaded, which it remembers: no new task goes to them. Those that
   * are at work end it.
   */
  #retire(set: ThreadSet): void {
    set.isRetired = true
    if (this.#set === set) this.#set = undefined
    // Nobody would take what still waits for one of them; it finds its way to those that come after.
    if (set.piscina.threads.length === 0) this.#end(set)
  }

  #endIfRetired(set: ThreadSet): void {
    if (set.isRetired && set.tasks === 0) this.#end(set)
  }

  #end({ piscina }: ThreadSet): void {
    const before = this.#ending
    this.#ending = piscina.destroy().then(() => before)
  }

  #rest(): void {
    const set = this.#set
    if (set === undefined || this.#tasks > 0) return
    this.#set = undefined
    this.#options.onRest?.()
    // Nothing runs on them, so that ending them loses nothing and takes a moment.
    this.#end(set)
  }
}

/**
 * The shortage because of which a task never began, if so: its thread could not be made, or not load a part of the
 * program. What a job itself opens, it opens below /proc/self/fd or the share's root, and says so as a result.
 */
function noThreadCode(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined
  // Piscina, about what still waited when the last of its threads could not be had.
  if (thrown.message === 'Terminating worker thread') return 'EMFILE'
  const found =
    /^(?:Worker initialization failure: (\w+)|(\w+): .*, open '(?!\/proc\/).*\.(?:js|cjs|mjs|json|node)')/.exec(
      thrown.message,
    )
  const code = found?.[1] ?? found?.[2]
  return code !== undefined && (isShortage(code) || code === 'EAGAIN') ? code : undefined
}
