// Tasks that must not be committed yet (wait-rules.ts), found again by what they wait for: that thousands of them wait for
// one another's content must not make each file that becomes whole a look at all of them.
//
// A task that waits has a place among those on their way, though it cannot move on; the content that it waits for needs
// one, too. So those that would have to wait are not begun while half the places are taken, but left to a later pass:
// whatever the order of the paths, there is room for what sets them free. Each place taken by one that waits for content
// holds a content whole, or needs none, so the path that would destroy that content has nothing to wait for.

import type { RelPath } from '../../core/path.js'
import type { DiskRow } from '../../store/rows.js'
import type { ShareIndex } from '../../store/share-index.js'
import { contentStart } from '../../store/wanted.js'
import type { ApplyTask } from './apply-task.js'
import { type WaitsFor, waitsFor } from './wait-rules.js'

/** A pass for what was left begins at once when so many of the places are free again, else after this time. */
const LEFT_SHARE = 3 / 8
const LEFT_MS = 1000

export class Waiting {
  readonly #index: ShareIndex
  readonly #safe: (path: RelPath, content: Buffer) => number
  readonly #maxActive: number
  readonly #reasons = new Map<ApplyTask, WaitsFor>()
  readonly #byContent = new Map<number, Set<ApplyTask>>()
  /** Paths were left to a later pass, and something has ended since that may make one worth it. */
  #isLeft = false
  #hasEnded = false
  #leftMs = 0

  /**
   * `safe`: how many of the paths that want a content have it safe, or need no copy, if the path given is destroyed;
   * `maxActive`: places for tasks on their way.
   */
  constructor(index: ShareIndex, safe: (path: RelPath, content: Buffer) => number, maxActive: number) {
    this.#index = index
    this.#safe = safe
    this.#maxActive = maxActive
  }

  /** Whether a task must wait; it is kept then. */
  holds(task: ApplyTask, row: DiskRow | undefined): boolean {
    const reason = this.#reasonOf(task, row)
    if (reason === undefined) return false
    this.keep(task, reason)
    return true
  }

  keep(task: ApplyTask, reason: WaitsFor): void {
    this.delete(task)
    this.#reasons.set(task, reason)
    if (reason.type !== 'content') return
    const start = contentStart(reason.content)
    const tasks = this.#byContent.get(start)
    if (tasks === undefined) this.#byContent.set(start, new Set([task]))
    else tasks.add(task)
  }

  /** Whether it was waiting. */
  delete(task: ApplyTask): boolean {
    const reason = this.#reasons.get(task)
    if (reason === undefined) return false
    this.#reasons.delete(task)
    if (reason.type !== 'content') return true
    const start = contentStart(reason.content)
    const tasks = this.#byContent.get(start)
    tasks?.delete(task)
    if (tasks?.size === 0) this.#byContent.delete(start)
    return true
  }

  /** Those that wait for a content: it has become safe somewhere. They wait no longer. */
  take(content: Buffer): readonly ApplyTask[] {
    const tasks = [...(this.#byContent.get(contentStart(content)) ?? [])]
    for (const task of tasks) this.delete(task)
    return tasks
  }

  /** Whether a task that has not begun is to be left to a later pass. `active`: tasks on their way. */
  isLeft(task: ApplyTask, row: DiskRow | undefined, active: number): boolean {
    if (active < this.#maxActive / 2 || this.#reasonOf(task, row) === undefined) return false
    this.#isLeft = true
    return true
  }

  /** A task has ended, one way or another. */
  noteEnded(): void {
    this.#hasEnded = true
  }

  /** Asked when no pass is on its way: whether one is to begin for what was left, and after how many milliseconds. */
  passDueMs(active: number, nowMs: number): number | undefined {
    if (!this.#isLeft || !this.#hasEnded) return undefined
    if (active < this.#maxActive * LEFT_SHARE) return 0
    return Math.max(0, this.#leftMs + LEFT_MS - nowMs)
  }

  /** That pass begins. */
  startPass(nowMs: number): void {
    this.#isLeft = false
    this.#hasEnded = false
    this.#leftMs = nowMs
  }

  #reasonOf(task: ApplyTask, row: DiskRow | undefined): WaitsFor | undefined {
    return waitsFor(this.#index, (content) => this.#safe(task.path, content), task, row)
  }
}
