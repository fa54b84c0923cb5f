// Shows the release that is to be shown, on a node that follows releases: looks at what is here and at what others report
// whenever that may have changed, and switches `current` when the time has come (core/release.ts decides).
//
// While a release is shown its paths stay as they are, whatever the share comes to say of them: a program that reads it would
// see a mixture. What was held back meanwhile is done once another one is shown.
import type { RelPath } from '../../core/path.js'
import {
  CURRENT_LINK,
  type Current,
  isInReleases,
  releaseDir,
  releaseOf,
  type SwitchStep,
  switchStep,
} from '../../core/release.js'
import { readCurrent, switchLink } from './current-link.js'
import type { ReleaseFiles } from './release-files.js'
import type { ReleaseParts } from './release-parts.js'

/** How soon it is looked again where something is waited for, or went wrong: not all of it is told when it is over. */
const AGAIN_MS = 5000

/** Called with the name of the release that is shown now. */
export type SwitchListener = (name: string) => void

export class Switcher {
  readonly #parts: ReleaseParts
  readonly #files: ReleaseFiles
  readonly #listeners = new Set<SwitchListener>()
  #current: Current = { type: 'none' }
  #isLooking = false
  #isLookDue = false
  #stopped = false
  #timer: NodeJS.Timeout | undefined
  #step: SwitchStep = { type: 'none' }
  /** Releases whose paths have to be looked at anew, and from where on. */
  readonly #freed = new Map<string, RelPath | undefined>()

  constructor(parts: ReleaseParts, files: ReleaseFiles) {
    this.#parts = parts
    this.#files = files
    if (parts.follows) this.#readCurrent()
  }

  /** What is shown. */
  get shown(): string | undefined {
    return this.#current.type === 'release' ? this.#current.name : undefined
  }

  /** What is waited for or wrong, in words. */
  get waitsFor(): string | undefined {
    return this.#step.type === 'wait' || this.#step.type === 'problem' ? this.#step.detail : undefined
  }

  /** Whether a path is of the release that is shown. */
  isPinned(path: RelPath): boolean {
    return this.shown !== undefined && isInReleases(path) && releaseOf(path) === this.shown
  }

  onSwitched(listener: SwitchListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Something may be different: looks, and switches if it is time. */
  look(): void {
    if (!this.#parts.follows || this.#stopped) return
    this.#isLookDue = true
    if (this.#isLooking) return
    this.#isLooking = true
    void this.#lookAll().catch((thrown: unknown) => this.#failed(thrown))
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #lookAll(): Promise<void> {
    clearTimeout(this.#timer)
    try {
      while ((this.#isLookDue || this.#freed.size > 0) && !this.#stopped) {
        this.#isLookDue = false
        const { context, isDiskKnown } = this.#parts
        if (context.haltReason() !== undefined || !isDiskKnown()) return
        this.#readCurrent()
        this.#step = switchStep(this.#seen())
        this.#tell()
        if (this.#step.type === 'switch') await this.#switchTo(this.#step.name)
        await this.#free()
      }
    } finally {
      // With the last look at what is due, and not a moment later: nobody would look at what comes in between.
      this.#isLooking = false
      if (this.#step.type !== 'none' && !this.#stopped)
        this.#timer = setTimeout(() => this.look(), AGAIN_MS).unref()
    }
  }

  #seen(): Parameters<typeof switchStep>[0] {
    const { members, isExpired, reports } = this.#parts
    const order = this.#files.order()
    if (order === undefined) return { order, current: this.#current, hold: undefined, others: 0, holders: 0 }
    const { name } = order
    const followers = members().filter((member) => member.state.scope === 'releases')
    const holders = followers.filter(({ state }) =>
      reports.of(state.device)?.report.releases?.complete.includes(name),
    )
    const others = followers.filter((member) => !isExpired(member)).length
    const hold = this.shown === name ? 'complete' : this.#files.hold(name)
    return { order, current: this.#current, hold, others, holders: holders.length }
  }

  async #switchTo(name: string): Promise<void> {
    const { context } = this.#parts
    // Another directory in the root's place must not get it (A5).
    const halt = await context.checkRoot()
    if (halt !== undefined) return context.halt(halt)
    const before = this.shown
    if (!(await switchLink(context.root, context.rootIdentity(), name))) {
      this.#isLookDue = true
      return
    }
    this.#setCurrent({ type: 'release', name })
    context.log.info({ name, before }, 'release shown')
    this.#step = { type: 'none' }
    this.#tell()
    for (const listener of this.#listeners) listener(name)
  }

  #readCurrent(): void {
    try {
      this.#setCurrent(readCurrent(this.#parts.context.root))
    } catch (thrown) {
      // A root that is not there halts the share by itself (A5).
      this.#parts.context.log.debug({ err: thrown }, 'cannot look at current')
    }
  }

  #setCurrent(current: Current): void {
    const before = this.shown
    this.#current = current
    if (before === this.shown) return
    if (before !== undefined) this.#freed.set(before, undefined)
    if (this.shown !== undefined) this.#freed.set(this.shown, undefined)
  }

  /**
   * What the share said of a release while it was shown counts from now on; and of one that is shown now, no longer. Left
   * for later when there is something to look at: showing another release must not wait for it.
   */
  async #free(): Promise<void> {
    const { index, publish } = this.#parts.context
    for (const [name, from] of this.#freed) {
      for (let at = from; ; ) {
        if (this.#stopped || this.#isLookDue) return
        at = index.transaction(() => index.refreshBelow(releaseDir(name), at))
        if (at === undefined) break
        this.#freed.set(name, at)
        await new Promise((resolve) => setImmediate(resolve))
      }
      this.#freed.delete(name)
      // Tells whoever applies that there may be something to do.
      await publish([])
    }
  }

  #tell(): void {
    const { problems, index } = this.#parts.context
    const step = this.#step
    if (step.type === 'problem') problems.set('release', CURRENT_LINK, step.code, step.detail)
    else problems.clear('release', CURRENT_LINK)
    const name = this.shown
    const path = name === undefined ? '' : releaseDir(name)
    for (const other of this.#told) if (other !== path) problems.clear('release', other)
    this.#told.clear()
    if (name === undefined) return
    this.#told.add(path)
    if (index.heldBack === 0) problems.clear('release', path)
    else
      problems.set(
        'release',
        path,
        'RELEASE_CHANGED',
        `release ${name} was changed in ${index.heldBack} paths after it was made; they stay as they are while it is shown`,
      )
  }

  readonly #told = new Set<string>()

  #failed(thrown: unknown): void {
    if (this.#stopped) return
    const detail = thrown instanceof Error ? thrown.message : String(thrown)
    this.#parts.context.log.warn({ err: thrown }, 'cannot show a release')
    this.#parts.context.problems.set('release', CURRENT_LINK, 'CURRENT_FAILED', detail)
  }
}
