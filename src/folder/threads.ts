// Threads for folder jobs that are there only while there is something to do. One costs some 8 MiB, and most daemons idle
// most of the time: they start with the first task and all end when there has been none for a while (docs/decisions/
// 0019-idle-memory.md).
// They are loaded from the disk each time, where an upgrade may have put another version since: each is told which one it
// is to be, and does nothing if it is not (worker.ts).
// A whole Piscina at a time, and not its own minThreads of 0: with none to keep, it would start no thread for the tasks
// that wait behind one whose thread died.
import { Piscina } from 'piscina'
import { PACKAGE_VERSION } from '../control/package-version.js'
import type { PriorityData } from './priority.js'

/** A worker takes tens of milliseconds to start, so those that were of use are kept this long. */
const IDLE_TIMEOUT_MS = 20_000
/** A batch that runs at close() is let finish, at most this long; a crash there is safe too (A4). */
const CLOSE_TIMEOUT_MS = 5_000

/** What a thread is started with. */
export interface ThreadData extends PriorityData {
  /** Of the program that asks for its work. */
  readonly version: string
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

export class Threads {
  readonly #options: ThreadsOptions
  #piscina: Piscina | undefined
  /** Tasks that run or wait for a thread. */
  #tasks = 0
  #idleTimer: NodeJS.Timeout | undefined
  /** Of those that idled too long. */
  #ending: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(options: ThreadsOptions) {
    this.#options = options
  }

  /** Whether threads are there, idle or at work. */
  get areThere(): boolean {
    return this.#piscina !== undefined
  }

  /** Runs a task of worker.ts. Rejects if it throws, or its thread dies or is another version's, or at close(). */
  async run(task: unknown, transferList: ArrayBuffer[]): Promise<unknown> {
    if (this.#isClosed) throw new Error('the pool is closed')
    clearTimeout(this.#idleTimer)
    this.#tasks++
    try {
      this.#piscina ??= this.#start()
      return await this.#piscina.run(task, { transferList })
    } finally {
      this.#tasks--
      if (this.#tasks === 0 && !this.#isClosed)
        this.#idleTimer = setTimeout(() => this.#rest(), this.#options.idleMs ?? IDLE_TIMEOUT_MS).unref()
    }
  }

  /** Lets running tasks finish, rejects those that wait, ends the threads. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#idleTimer)
    await this.#ending
    const piscina = this.#piscina
    this.#piscina = undefined
    await piscina?.close({ force: true })
  }

  #start(): Piscina {
    const { lowPriority, version = PACKAGE_VERSION } = this.#options
    const workerData: ThreadData = { lowPriority, version }
    const piscina = new Piscina({
      filename: new URL('./worker.js', import.meta.url).href,
      minThreads: 1,
      maxThreads: this.#options.threads,
      idleTimeout: IDLE_TIMEOUT_MS,
      closeTimeout: CLOSE_TIMEOUT_MS,
      resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 192 },
      workerData,
    })
    // Emitted when close() runs into its timeout; the threads are ended all the same.
    piscina.on('error', () => undefined)
    return piscina
  }

  #rest(): void {
    const piscina = this.#piscina
    if (piscina === undefined || this.#tasks > 0) return
    this.#piscina = undefined
    this.#options.onRest?.()
    const before = this.#ending
    // Nothing runs on them, so that ending them loses nothing and takes a moment.
    this.#ending = piscina.destroy().then(() => before)
  }
}
