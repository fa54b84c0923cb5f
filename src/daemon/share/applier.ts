// Brings this disk to what the share says. Wanted paths are taken a window at a time, fresh small changes first, then
// the rest in key order (every directory before what lies in it); each becomes a task: gather the content (Sourcing),
// then commit (Committer). What becomes of one that does not work out is decided elsewhere (Setbacks).
import { performance } from 'node:perf_hooks'
import type { FileFact } from '../../core/fact.js'
import { parentOf, type RelPath } from '../../core/path.js'
import type { Step } from '../../core/plan.js'
import type { PieceRef } from '../../store/pieces.js'
import type { DiskRow } from '../../store/rows.js'
import type { IndexChanges } from '../../store/share-index.js'
import type { ApplierOptions } from './applier-options.js'
import { type ActiveStep, type ApplyTask, isSameContent, isSameStep, resultOf } from './apply-task.js'
import { Committer } from './committer.js'
import type { ShareContext } from './context.js'
import { isReadOtherwise } from './padding.js'
import { Setbacks } from './setbacks.js'
import { Shortcuts } from './shortcuts.js'
import { Sourcing } from './sourcing.js'
import { makeTask } from './task-maker.js'
import { keyedToken } from './token.js'
import { transfersAmong } from './transfers.js'
import { Unavailable } from './unavailable.js'
import { Waiting } from './waiting.js'
import { WantedCursor } from './wanted-cursor.js'
import { WholeTasks } from './whole-tasks.js'

/** Paths on their way at most: enough to fill batches, few enough that memory does not grow with the backlog. */
const MAX_ACTIVE = 4096
/** While fewer than this are on their way, content that no connected peer has yet is waited for as well. */
const FEW_ACTIVE = 256
/** Wanted paths looked at in one turn. */
const PASS_PATHS = 2 * MAX_ACTIVE
/** More changes than this at once are bulk. */
const FRESH_CHANGES = 64
/** Tasks that wait this long are looked at again: what they wait for may have become moot without a word. */
const RECHECK_MS = 250
/** Tasks looked at in one round; the others come next. */
const RECHECK_TASKS = 128

export class Applier {
  readonly #options: ApplierOptions
  readonly #context: ShareContext
  readonly #sourcing: Sourcing
  readonly #committer: Committer
  readonly #shortcuts: Shortcuts
  readonly #cursor: WantedCursor
  readonly #active = new Map<RelPath, ApplyTask>()
  readonly #fresh = new Set<RelPath>()
  readonly #setbacks: Setbacks
  readonly #unavailable = new Unavailable()
  readonly #waiting: Waiting
  readonly #whole = new WholeTasks()
  /** Paths that had something else to do while their task was being committed. */
  readonly #overtaken = new Set<RelPath>()
  #scheduled = false
  /** Tasks that were on their way at the last recheck. */
  #old = new Set<ApplyTask>()
  #recheckedMs = 0
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: ApplierOptions) {
    this.#options = options
    this.#context = options.context
    this.#cursor = new WantedCursor(this.#context.index)
    this.#sourcing = new Sourcing(this.#context, options.exchange, {
      onStaged: (task) => this.#onStaged(task),
      onFailed: (task, code, detail) => {
        this.#setbacks.failed(task, code, detail)
        this.#sourcing.discard(task)
      },
      rescan: (directory) => this.#options.rescan([directory]),
    })
    this.#shortcuts = new Shortcuts(this.#context, (path) => this.#active.has(path))
    this.#setbacks = new Setbacks({
      ...options,
      shortcuts: this.#shortcuts,
      drop: (task) => this.#drop(task),
      discard: (task) => this.#sourcing.discard(task),
      again: (path) => this.#fresh.add(path),
      wake: () => this.wake(),
    })
    this.#waiting = new Waiting(
      this.#context.index,
      (path, content) => this.#whole.countOf(content) + this.#shortcuts.links.servedWithout(path, content),
      MAX_ACTIVE,
    )
    this.#committer = new Committer(this.#context, this.#shortcuts, options.nowMs, {
      onStale: (task) => {
        this.#giveUp(task, this.#context.index.step(task.path))
        this.#fresh.add(task.path)
        this.wake()
      },
      isHeldBack: (task, row) => {
        if (!this.#shortcuts.isTaken(task.path)) return this.#waiting.holds(task, row)
        // Its file goes to another path, and it ends with that.
        this.#waiting.keep(task, { type: 'children' })
        return true
      },
      onDone: (task) => this.#done(task),
      onChanged: (task) => this.#setbacks.changed(task),
      onBlocked: (task, code) => this.#setbacks.blocked(task, code),
      onFailed: (task, code, detail) => this.#setbacks.notCommitted(task, code, detail),
      onSlipped: (path) => this.#options.rescan([parentOf(path)]),
    })
    options.exchange.on('availability', () => this.#availabilityChanged())
  }

  /** Whether anything is on its way or could be tried now. */
  get isBusy(): boolean {
    return this.#active.size > 0 || this.#fresh.size > 0 || this.#cursor.isBusy
  }

  /** Whether a backlog is being applied. */
  get isBulk(): boolean {
    return this.#active.size >= FEW_ACTIVE
  }

  /** Files that are being put together, at most `limit`: those that have begun first, oldest first; and how many. */
  transfers(limit: number): { readonly tasks: readonly ApplyTask[]; readonly count: number } {
    return transfersAmong(this.#active.values(), limit)
  }

  /** Paths whose step may have changed, and pieces that this disk has come to hold. */
  note({ wanted, held }: IndexChanges): void {
    for (const path of wanted) {
      this.#unavailable.delete(path)
      this.#setbacks.forget(path)
    }
    const paths = [...wanted, ...this.#unavailable.take(held)]
    if (paths.length === 0) return
    if (paths.length <= FRESH_CHANGES) for (const path of paths) this.#fresh.add(path)
    else this.#cursor.startOver()
    this.wake()
  }

  /** Whether some connected peer has a piece of these refs. */
  isAvailable(refs: readonly PieceRef[]): boolean {
    return this.#sourcing.isAvailable(refs)
  }

  /**
   * Whether a piece of a path's content is in the staging area, or may be: it may be the only copy, on its way from the
   * path that held it before (P3).
   */
  isStaged(path: RelPath, { content }: FileFact, piece: Buffer): boolean {
    if (this.#setbacks.hasLeft(keyedToken(path, content)) || this.#whole.countOf(content) > 0) return true
    const task = this.#active.get(path)
    if (task === undefined) return false
    return (
      task.staging || task.parts.some(({ state, piece: { id } }) => state === 'staged' && id.equals(piece))
    )
  }

  wake(): void {
    if (this.#scheduled || this.#stopped) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#fill()
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    for (const task of this.#active.values()) task.dropped = true
    this.#sourcing.stop()
    await this.#committer.stop()
  }

  #fill(): void {
    if (this.#stopped || this.#context.haltReason() !== undefined || !this.#options.isDiskKnown()) return
    for (const path of this.#fresh) {
      this.#fresh.delete(path)
      this.#consider(path, true)
    }
    this.#continuePass()
    this.#recheck()
    this.#sourcing.pump()
    this.#armTimer()
    if (this.isBusy) return
    this.#options.onQuiet()
    this.#dropLeftovers()
  }

  #continuePass(): void {
    const now = performance.now()
    if (!this.#cursor.isBusy && this.#waiting.passDueMs(this.#active.size, now) === 0) {
      this.#waiting.startPass(now)
      this.#cursor.startOver()
    }
    for (let looked = 0; this.#active.size < MAX_ACTIVE; looked++) {
      // What is left or unavailable takes no place, and there may be a great many of it.
      if (looked === PASS_PATHS) return this.wake()
      const path = this.#cursor.next()
      if (path === undefined) return
      this.#consider(path, false)
    }
  }

  /** Staged files of earlier tries that nothing here is going to ask for any more. */
  #dropLeftovers(): void {
    const { pool, root, pieceKeys, index, fail } = this.#context
    if (index.counts.needFiles > 0) return
    const jobs = this.#setbacks.takeAllLeft().map((token) => ({ type: 'discard', token }) as const)
    if (jobs.length === 0) return
    pool.stage(root, pieceKeys, jobs).catch(fail)
  }

  /**
   * Gives up tasks whose path has nothing to do any more, or something else, and offers those again that wait: the content
   * they kept may be nobody's wish any longer, or stand in the share by now.
   */
  #recheck(): void {
    const now = performance.now()
    if (now < this.#recheckedMs + RECHECK_MS) return
    this.#recheckedMs = now
    let looked = 0
    for (const task of this.#old) {
      this.#old.delete(task)
      if (this.#active.get(task.path) !== task || task.committing) continue
      if (++looked > RECHECK_TASKS) break
      const step = this.#context.index.step(task.path)
      if (isSameStep(task, step)) {
        if (this.#waiting.delete(task)) this.#offer(task)
        else if (this.#sourcing.isHereByNow(task)) this.#setbacks.park(task)
        continue
      }
      this.#giveUp(task, step)
      if (step.type !== 'none' && step.type !== 'adopt') this.#fresh.add(task.path)
    }
    if (this.#old.size === 0) this.#old = new Set(this.#active.values())
    if (this.#fresh.size > 0) this.wake()
  }

  #consider(path: RelPath, fresh: boolean): void {
    if (this.#unavailable.has(path)) return
    if (this.#setbacks.isWaiting(path)) return
    const { index } = this.#context
    const active = this.#active.get(path)
    const { step, share, row } = index.need(path)
    if (active !== undefined) {
      if (isSameStep(active, step)) {
        // What it waits for may have come with the news that brought the path here.
        if (this.#waiting.delete(active)) this.#offer(active)
        return
      }
      if (active.committing) {
        this.#overtaken.add(path)
        return
      }
      if (
        isSameContent(active, step) &&
        !this.#whole.has(active) &&
        this.#shortcuts.isOrdinary(active, step)
      ) {
        active.step = step as ActiveStep
        active.version = share.version
        return
      }
      this.#giveUp(active, step)
    }
    if (step.type === 'none' || step.type === 'adopt') return this.#setbacks.settled(path)
    if (isReadOtherwise(this.#context.index, path, step, share, row)) return this.#readAnew(path, row)
    const made = makeTask(this.#context, this.#shortcuts, path, { step, share, row }, fresh)
    switch (made.type) {
      case 'wait':
        return
      case 'no-pieces':
        return this.#context.problems.set('apply', path, 'NO_PIECES', 'its pieces were never announced')
      case 'ready':
        if (this.#waiting.isLeft(made.task, row, this.#active.size)) return
        this.#active.set(path, made.task)
        return this.#offer(made.task)
      case 'gather':
        if (this.#waiting.isLeft(made.task, row, this.#active.size)) return
        return this.#startWrite(made.task)
    }
  }

  /** Once it is judged, it comes back. */
  #readAnew(path: RelPath, row: DiskRow | undefined): void {
    const { index } = this.#context
    if (row?.stat === undefined) return
    index.transaction(() => index.setDisk(path, { ...row, stat: undefined }, index.layout(path)))
    this.#options.rescan([parentOf(path)])
  }

  #startWrite(task: ApplyTask): void {
    const looks = this.#sourcing.look(task)
    const missing = this.#active.size < FEW_ACTIVE ? undefined : this.#sourcing.missingOf(task, looks)
    if (missing !== undefined) return this.#unavailable.add(task.path, missing)
    this.#active.set(task.path, task)
    // fill() pumps once for all that it has started.
    this.#sourcing.start(task, looks, this.#setbacks.takeLeft(task.token))
  }

  #onStaged(task: ApplyTask): void {
    this.#whole.add(task)
    this.#offer(task)
    this.#offerThoseFor(task)
  }

  /** To the committer, unless it has to wait. */
  #offer(task: ApplyTask): void {
    if (!this.#waiting.holds(task, this.#context.index.disk(task.path))) this.#committer.add(task)
  }

  /** Offers those again that wait for the content of a task: it is safe, staged whole or in the share. */
  #offerThoseFor(task: ApplyTask): void {
    const fact = resultOf(task)
    if (fact?.type !== 'file') return
    for (const waiting of this.#waiting.take(fact.content)) if (!waiting.dropped) this.#offer(waiting)
  }

  #done(task: ApplyTask): void {
    const { path, step, via } = task
    this.#finish(task)
    this.#noteDone(path, step.type === 'remove')
    if (via !== undefined) this.#sourcing.discard(task)
    if (via?.type === 'move') {
      // What was to remove the old name has nothing to do any more.
      const removal = this.#active.get(via.from)
      if (removal !== undefined) this.#drop(removal)
      this.#noteDone(via.from, true)
    }
    if (step.type === 'mkdir') this.#options.onMade(path)
    this.#offerThoseFor(task)
    this.wake()
  }

  #noteDone(path: RelPath, isRemoved: boolean): void {
    this.#setbacks.settled(path)
    const parent = parentOf(path)
    // The last thing in a directory that has to go, or that a file is to replace.
    if (isRemoved && parent !== '' && this.#context.index.isWanted(parent)) this.#fresh.add(parent)
    const waiting = parent === '' ? undefined : this.#active.get(parent)
    if (waiting !== undefined && this.#waiting.delete(waiting)) this.#offer(waiting)
    this.#options.onApplied(path)
  }

  /** Ends a task whose path has come to need another step; what is staged stays only if that writes the same content. */
  #giveUp(task: ApplyTask, step: Step): void {
    this.#drop(task)
    if (!this.#setbacks.keepsFor(task, step)) this.#sourcing.discard(task)
  }

  #drop(task: ApplyTask): void {
    task.dropped = true
    this.#sourcing.drop(task)
    this.#finish(task)
  }

  #finish(task: ApplyTask): void {
    this.#whole.delete(task)
    this.#waiting.delete(task)
    this.#waiting.noteEnded()
    if (this.#active.get(task.path) === task) this.#active.delete(task.path)
    if (this.#overtaken.delete(task.path)) this.#fresh.add(task.path)
    for (const waiting of this.#shortcuts.links.ended(task.path)) this.#fresh.add(waiting)
  }

  #availabilityChanged(): void {
    if (this.#unavailable.size === 0) return
    this.#unavailable.clear()
    this.#cursor.startOver()
    this.wake()
  }

  /** Tries parked paths again when their time has come. */
  #armTimer(): void {
    clearTimeout(this.#timer)
    const now = performance.now()
    const nextMs = this.#setbacks.release(now, (path) => this.#active.has(path))
    if (this.#fresh.size > 0) this.wake()
    const passMs = this.#cursor.isBusy ? undefined : this.#waiting.passDueMs(this.#active.size, now)
    const own = Math.min(nextMs, now + (passMs ?? Number.POSITIVE_INFINITY))
    const next = this.#active.size > 0 ? Math.min(own, now + RECHECK_MS) : own
    if (next !== Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.wake(), next - now + 1)
  }
}
