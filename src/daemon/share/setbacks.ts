// What becomes of a task that did not work out: the disk was found changed, something is in the way, a shortcut led
// nowhere, or it failed. Decides when its path is tried again and how (A6), who hears of it, and what staged content is
// looked at then before anything is fetched again (A4). Taking tasks up and ending them is the applier's.
import { performance } from 'node:perf_hooks'
import { parentOf, type RelPath } from '../../core/path.js'
import type { Step } from '../../core/plan.js'
import { isShortage } from '../../core/shortage.js'
import type { ApplierOptions } from './applier-options.js'
import { type ApplyTask, isSameContent } from './apply-task.js'
import { Parked } from './parked.js'
import type { Shortcuts } from './shortcuts.js'

/** What is blocked so often in a row does not sort itself out: somebody should know (A6). */
const TELL_AFTER_TRIES = 4
/** What failed is left in peace so many times as long as what was only in the way. */
const FAILED_WEIGHT = 4
/** The disk failed, or may have. */
const MEDIUM_FAULTS: ReadonlySet<string> = new Set(['EIO', 'ENOSPC', 'EDQUOT', 'ESTALE'])
/** What failed because the system had nothing left to work with is tried again as soon as anything is. */
const SHORTAGE_MS = 1000

export interface SetbackOptions
  extends Pick<ApplierOptions, 'context' | 'leftovers' | 'rescan' | 'onFailed'> {
  readonly shortcuts: Shortcuts
  /** Ends a task; what it has staged stays. */
  readonly drop: (task: ApplyTask) => void
  /** Throws away what a dropped task has staged. */
  readonly discard: (task: ApplyTask) => void
  /** Puts a path first among those to be looked at; takes effect at the next wake(). */
  readonly again: (path: RelPath) => void
  readonly wake: () => void
}

export class Setbacks {
  readonly #o: SetbackOptions
  readonly #parked = new Parked()
  /** Tokens of staged files that earlier tries left. */
  readonly #leftovers: Set<string>

  constructor(options: SetbackOptions) {
    this.#o = options
    this.#leftovers = new Set(options.leftovers)
  }

  /** Whether a path has to wait for its next try. */
  isWaiting(path: RelPath): boolean {
    return this.#parked.isWaiting(path, performance.now())
  }

  /** A path is to be tried as if nothing had happened. */
  forget(path: RelPath): void {
    this.#parked.delete(path)
  }

  /** A path is as it should be. */
  settled(path: RelPath): void {
    this.#parked.delete(path)
    this.#o.context.problems.clear('apply', path)
  }

  /** Puts those paths first whose time has come, `isActive` ones aside; returns when the next one's will. */
  release(nowMs: number, isActive: (path: RelPath) => boolean): number {
    const { due, nextMs } = this.#parked.release(nowMs, isActive)
    for (const path of due) this.#o.again(path)
    return nextMs
  }

  /** Whether an earlier try may have left something in the staging area under this token. */
  hasLeft(token: string): boolean {
    return this.#leftovers.has(token)
  }

  /** The same; it is the caller's from now on. */
  takeLeft(token: string): boolean {
    return this.#leftovers.delete(token)
  }

  /** All that earlier tries left, the caller's from now on. */
  takeAllLeft(): readonly string[] {
    const tokens = [...this.#leftovers]
    this.#leftovers.clear()
    return tokens
  }

  /** A task is ended for another step; returns whether what it has staged is kept for that. */
  keepsFor(task: ApplyTask, step: Step): boolean {
    const isKept = task.begun && isSameContent(task, step)
    if (isKept) this.#leftovers.add(task.token)
    return isKept
  }

  /** The disk is not as the index says: it is looked at, then the path is tried again. */
  changed(task: ApplyTask): void {
    if (this.#fallsBack(task, true)) return
    this.#o.rescan([parentOf(task.path)])
    this.park(task)
  }

  /** Something stands in the way of its commit. */
  blocked(task: ApplyTask, code: string): void {
    // A directory that is missing above the path is no fault of the shortcut.
    if (code !== 'PARENT_MISSING' && code !== 'HALTED' && this.#fallsBack(task)) return
    const { context, rescan, again, onFailed } = this.#o
    const parent = parentOf(task.path)
    // What blocks a directory's removal may be a file that nobody has scanned yet.
    if (code === 'ENOTEMPTY') rescan([task.path])
    else if (parent !== '') {
      // The directory above is not there, or is something else than the index says.
      again(parent)
      rescan([parent, parentOf(parent)])
    }
    if (this.park(task) < TELL_AFTER_TRIES) return
    const detail = code === 'ENOTEMPTY' ? 'it holds files that are not synced' : 'something is in the way'
    context.problems.set('apply', task.path, code, detail)
    onFailed?.(task.path, code, detail)
  }

  /** Its commit failed. */
  notCommitted(task: ApplyTask, code: string, detail: string): void {
    if (this.#fallsBack(task)) return
    // After a failed fsync the system takes what it has in memory for written, and says so the next time: what was staged
    // looks right and may not be on the disk. Only writing it anew makes it durable; on a full disk it is in the way.
    const isDoubtful = MEDIUM_FAULTS.has(code)
    if (!isDoubtful) this.#keep(task)
    this.failed(task, code, detail)
    if (isDoubtful) this.#o.discard(task)
    // It may have been done all the same (NOT_DURABLE).
    this.#o.rescan([parentOf(task.path)])
  }

  /** It failed; what it has staged is not kept. */
  failed(task: ApplyTask, code: string, detail: string): void {
    const { context, onFailed, drop, wake } = this.#o
    if (isShortage(code)) {
      // It is none of the path's. When the system has enough again is for the brake to find out.
      context.noteShortage(code)
      context.problems.set('apply', task.path, code, detail)
      drop(task)
      this.#parked.park(task.path, 1, performance.now(), SHORTAGE_MS)
      return wake()
    }
    context.log.warn({ path: task.path, code, detail }, 'cannot apply')
    context.problems.set('apply', task.path, code, detail)
    onFailed?.(task.path, code, detail)
    drop(task)
    this.#parked.park(task.path, FAILED_WEIGHT, performance.now())
    wake()
  }

  /** Gives a task up for now; returns how often in a row. What is staged of it is looked at again then. */
  park(task: ApplyTask): number {
    this.#keep(task)
    this.#o.drop(task)
    this.#o.wake()
    return this.#parked.park(task.path, 1, performance.now())
  }

  /** A shortcut that did not work out: at once again, the ordinary way. False for a task without one. */
  #fallsBack(task: ApplyTask, isTransient = false): boolean {
    if (task.via === undefined) return false
    const { rescan, shortcuts, drop, again, wake } = this.#o
    rescan([task.path, ...('from' in task.via ? [task.via.from] : [])].map(parentOf))
    if (!shortcuts.noteFailed(task, isTransient)) return false
    this.#keep(task)
    drop(task)
    again(task.path)
    wake()
    return true
  }

  #keep(task: ApplyTask): void {
    if (task.begun) this.#leftovers.add(task.token)
  }
}
