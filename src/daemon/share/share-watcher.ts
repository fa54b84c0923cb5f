// The watcher of a share, and who hears what of it.
import { Watcher } from '../../folder/watch.js'
import type { Log } from '../../ports/log.js'
import type { Applier } from './applier.js'
import type { ProblemBook } from './problems.js'
import type { Scanner } from './scanner.js'

/** How long a change of this disk may wait to be noticed while a backlog is applied. */
const BULK_LOOK_MS = 1000

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

  close(): Promise<void> {
    return this.#watcher.close()
  }
}
