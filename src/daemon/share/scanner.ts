// From "something moved in this directory" to entries in the feed: keeps what is to be looked at and when, has it looked
// at (look.ts), judged (judge.ts) and published, names that are gone after those that are new (missing.ts), so that a
// rename moves no content (P3). One look at a time.
import { performance } from 'node:perf_hooks'
import { parentOf, type RelPath } from '../../core/path.js'
import type { ShareContext } from './context.js'
import { Judge } from './judge.js'
import { LinkKeeper } from './link-keeper.js'
import { type Directory, Look } from './look.js'
import { Missing } from './missing.js'
import { Readiness } from './readiness.js'
import { type Again, Retries } from './retries.js'
import { ScanCount, type ScanProgress } from './scan-count.js'

/** A directory that we made is watched after this long at the latest: watched while it is filled, all of it is news. */
const MADE_HOLD_MS = 2000

export class Scanner {
  readonly #context: ShareContext
  readonly #dirty = new Map<Directory, number>()
  readonly #judge: Judge
  readonly #missing: Missing
  readonly #links: LinkKeeper
  readonly #readiness = new Readiness()
  readonly #count = new ScanCount()
  readonly #retries: Retries
  /** Directories that were made by applying and are not watched yet. */
  readonly #made = new Set<RelPath>()
  /** Directories whose watches ended, and those of all below them. */
  readonly #unwatched = new Set<Directory>()
  #fullScanDue = true
  #isLookingAtAll = false
  #fullScans = 0
  #running: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #waiters: (() => void)[] = []
  #isHeld = false

  constructor(context: ShareContext) {
    this.#context = context
    this.#judge = new Judge(context, this.#readiness)
    this.#retries = new Retries(
      (what) => this.#lookAgain(what),
      (code) => context.noteShortage(code),
    )
    this.#missing = new Missing(context, this.#judge, (directory) => this.#retries.untold(directory))
    this.#links = new LinkKeeper({
      context,
      mayPublish: () => this.hasScanned && !this.isScanningAll && context.haltReason() === undefined,
      rescan: (directories) => this.markDirty(directories),
    })
  }

  /** Whether the whole tree is being looked at. */
  get isScanningAll(): boolean {
    return this.#fullScanDue || this.#isLookingAtAll
  }

  /** Whether the whole tree was looked at, and what was found published, since the start. */
  get hasScanned(): boolean {
    return this.#fullScans > 0
  }

  /** Whether nothing waits to be looked at, and all that was found is published. */
  get isAtRest(): boolean {
    return this.#isIdle() && this.#made.size === 0 && this.#links.isIdle
  }

  /** How far the look at the whole tree has come; undefined: none is under way. */
  get progress(): ScanProgress | undefined {
    return this.#isLookingAtAll ? this.#count.progress : undefined
  }

  /** Something has changed in the index. */
  noteChanges(): void {
    this.#links.soon()
  }

  /** Looks at nothing until letGo(). */
  hold(): void {
    this.#isHeld = true
  }

  letGo(): void {
    this.#isHeld = false
    this.#wake()
  }

  /** Something may have changed directly inside these directories. */
  markDirty(directories: Iterable<Directory>, delayMs = 0): void {
    const due = performance.now() + delayMs
    for (const directory of directories) {
      const before = this.#dirty.get(directory)
      if (before === undefined || due < before) this.#dirty.set(directory, due)
    }
    this.#wake()
  }

  /** The share put a directory there: to be watched, and looked at for what came before the watch (A10). */
  noteMade(directory: RelPath): void {
    this.#made.add(directory)
    this.markDirty([directory], MADE_HOLD_MS)
  }

  /** Watches what was made up to now. */
  watchMade(): void {
    if (this.#made.size === 0) return
    this.markDirty(this.#made)
    this.#made.clear()
  }

  /** Watches ended. The parent tells what became of the directory; if it is there, all below it is looked at anew. */
  noteUnwatched(directories: readonly Directory[]): void {
    for (const directory of directories) {
      if (directory === '') continue
      this.#unwatched.add(directory)
      this.markDirty([parentOf(directory as RelPath)])
    }
  }

  /** Looks at the whole tree; resolves when what it found is published. */
  async fullScan(): Promise<void> {
    // Also when one is under way: it may have listed already what this call is about.
    this.#fullScanDue = true
    const before = this.#fullScans
    while (this.#fullScans === before && !this.#stopped) {
      if (this.#context.haltReason() !== undefined) return
      await this.settled()
    }
  }

  /** Resolves when nothing is dirty or held back, and all that was found is published. */
  async settled(): Promise<void> {
    this.watchMade()
    this.#wake()
    if (this.#isIdle()) return
    await new Promise<void>((resolve) => this.#waiters.push(resolve))
  }

  /** Resolves when it is published what names are of one file, as far as that is known. */
  settleLinks(): Promise<void> {
    return this.#links.settle()
  }

  /** The next full scan may find the tree as empty as it likes (A5). */
  approve(): void {
    this.#missing.approve()
    this.#fullScanDue = true
    this.#wake()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#retries.stop()
    await Promise.all([this.#running, this.#links.stop()])
    this.#release()
  }

  #lookAgain({ directories, unlisted }: Again): void {
    this.markDirty(directories)
    this.noteUnwatched(unlisted)
    if (unlisted.includes('')) this.#fullScanDue = true
    this.#wake()
  }

  #isIdle(): boolean {
    return (
      this.#running === undefined && !this.#fullScanDue && this.#dirty.size === 0 && this.#missing.size === 0
    )
  }

  #wake(): void {
    if (this.#stopped || this.#running !== undefined || this.#context.haltReason() !== undefined) {
      if (this.#context.haltReason() !== undefined) this.#release()
      return
    }
    if (this.#isHeld) return
    const now = performance.now()
    const due = this.#fullScanDue ? now : Math.min(...this.#dirty.values(), this.#missing.due)
    clearTimeout(this.#timer)
    if (due === Number.POSITIVE_INFINITY) return this.#release()
    if (due > now + 1) {
      this.#timer = setTimeout(() => this.#wake(), due - now)
      return
    }
    this.#running = this.#look()
      .catch((thrown) => this.#context.fail(thrown))
      .finally(() => {
        this.#running = undefined
        // It failed, or was halted: the whole tree is still to be looked at.
        if (this.#isLookingAtAll) this.#fullScanDue = true
        this.#isLookingAtAll = false
        this.#wake()
      })
  }

  #release(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const resolve of waiters) resolve()
  }

  async #look(): Promise<void> {
    this.#judge.recover()
    const startedMs = performance.now()
    // A name that is gone is told of with the name that it went to, or readers elsewhere see neither for a while. That
    // there is one shows in its own directory, of which the watch may not have told yet, however long that has been.
    const isTelling = this.#missing.due <= startedMs + 1
    if (isTelling && !this.#fullScanDue) await this.#context.hear()
    const full = this.#fullScanDue
    const now = performance.now()
    const directories: Directory[] = []
    if (full) {
      this.#fullScanDue = false
      this.#isLookingAtAll = true
      this.#count.clear()
      this.#missing.startFullScan()
      this.#retries.clear()
      directories.push('')
      this.#dirty.clear()
      this.#made.clear()
      this.#unwatched.clear()
    } else {
      for (const [directory, due] of this.#dirty) {
        if (due > now + 1 && !isTelling) continue
        directories.push(directory)
        this.#dirty.delete(directory)
        this.#made.delete(directory as RelPath)
      }
    }
    const halt = await this.#context.checkRoot()
    if (halt !== undefined) return this.#context.halt(halt)
    if (directories.length > 0) await this.#newLook(full).run(directories)
    if (full && this.#missing.haltIfMost()) return
    await this.#missing.publishDue(startedMs)
    // What was adopted, or is a reader's drift, is news for the others too (section 10).
    await this.#context.publish([])
    if (full) this.#endFullScan(performance.now() - now)
    this.#useUpIntents()
    await this.#links.settle()
  }

  #newLook(deep: boolean): Look {
    const parts = {
      context: this.#context,
      judge: this.#judge,
      missing: this.#missing,
      readiness: this.#readiness,
      count: this.#count,
      retries: this.#retries,
      markDirty: (directories: Iterable<Directory>, delayMs?: number) => this.markDirty(directories, delayMs),
      takeUnwatched: (directory: RelPath) => this.#unwatched.delete(directory),
    }
    return new Look(parts, deep)
  }

  #useUpIntents(): void {
    if (this.#fullScans === 0) return
    this.#judge.useUpIntents((path) => this.#dirty.has(parentOf(path)) || this.#missing.has(path))
  }

  #endFullScan(durationMs: number): void {
    this.#isLookingAtAll = false
    this.#missing.endFullScan()
    this.#fullScans++
    this.#context.onFullScan(durationMs)
  }
}
