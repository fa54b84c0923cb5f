// The watcher of a share, and who hears what of it.
import { isShortage, shortageOf } from '../../core/shortage.js'
import { Watcher } from '../../folder/watch.js'
import type { Log } from '../../ports/log.js'
import type { Applier } from './applier.js'
import type { ProblemBook } from './problems.js'
import type { Scanner } from './scanner.js'

/** How long a change of this disk may wait to be noticed while a backlog is applied. */
const BULK_LOOK_MS = 1000
/** Watches that the system had no descriptors for are asked for again after this long, doubled each time: it costs a scan. */
const RETRY_MS = 15_000
const LONGEST_RETRY_MS = 600_000

export interface ShareWatcherParts {
  readonly scanner: () => Scanner
  readonly applier: () => Applier
  readonly problems: ProblemBook
  readonly rescanAll: () => void
}

export class ShareWatcher {
  readonly #watcher: Watcher
  readonly #parts: ShareWatcherParts
  /** Some directories may have no watch: no event tells what changes there. */
  #isLimited = false
  #timer: NodeJS.Timeout | undefined
  #retryMs = RETRY_MS

  constructor(dir: string, log: Log, parts: ShareWatcherParts) {
    this.#watcher = new Watcher(dir, { log })
    this.#parts = parts
  }

  start(): void {
    const { scanner, applier, problems, rescanAll } = this.#parts
    // While much is being applied, nearly all events are our own doing: one look at the end of a while does for many.
    this.#watcher.on('dirty', (directories) => {
      scanner().markDirty(directories, applier().isBulk ? BULK_LOOK_MS : 0)
    })
    this.#watcher.on('gone', (directories) => scanner().noteUnwatched(directories))
    this.#watcher.on('overflow', (reason) => {
      // What is still amiss, the scan that follows tells anew.
      if (reason === 'restart') {
        problems.clear('watch', '')
        this.#isLimited = false
      }
      rescanAll()
    })
    this.#watcher.on('limited', ({ code, detail }) => {
      this.#isLimited = true
      problems.set('watch', '', code, detail)
      // Or what is behind it: the canary's file cannot be made either.
      if (isShortage(code) || shortageOf(new Error(detail)) !== undefined) this.#tryAgain()
    })
  }

  add(...args: Parameters<Watcher['add']>): Promise<void> {
    return this.#watcher.add(...args)
  }

  /** Resolves when all that the kernel had to tell by now was heard; false: that could not be proved. */
  hear(): Promise<boolean> {
    return this.#watcher.flush()
  }

  /** Whether the scanner has heard of all that changed before the call; false: only a look at everything tells. */
  async flush(): Promise<boolean> {
    const isCertain = await this.#watcher.flush()
    return isCertain && !this.#isLimited
  }

  /** A scan of everything asks for all watches again; what is still amiss is told anew. */
  #tryAgain(): void {
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#parts.problems.clear('watch', '')
      this.#isLimited = false
      this.#parts.rescanAll()
    }, this.#retryMs).unref()
    this.#retryMs = Math.min(LONGEST_RETRY_MS, 2 * this.#retryMs)
  }

  close(): Promise<void> {
    clearTimeout(this.#timer)
    return this.#watcher.close()
  }
}
