// Keeps a scan and an apply on one share from misreading each other. A listing is judged some time after it was taken; a
// path that was committed in between, or is being committed, looks deleted or changed in it although it is not. Such
// paths are left to the next look (A9).
import type { RelPath } from '../../core/path.js'

/** A moment in the order of commits, from moment(). */
export type Moment = number

export class DiskGuard {
  readonly #busy = new Set<RelPath>()
  readonly #committed = new Map<RelPath, Moment>()
  readonly #looks = new Set<Moment>()
  #now: Moment = 0

  /** Starts a look at the disk; end it with endLook. */
  startLook(): Moment {
    const moment = this.#now++
    this.#looks.add(moment)
    return moment
  }

  endLook(moment: Moment): void {
    this.#looks.delete(moment)
    const oldest = Math.min(...this.#looks)
    for (const [path, at] of this.#committed) {
      // Insertion order is time order, so the first young one ends the sweep.
      if (at >= oldest) break
      this.#committed.delete(path)
    }
  }

  /** These paths (and the times of their parents) are about to be changed by us. */
  startCommit(paths: Iterable<RelPath>): void {
    for (const path of paths) this.#busy.add(path)
  }

  endCommit(paths: Iterable<RelPath>): void {
    const at = this.#now++
    for (const path of paths) {
      this.#busy.delete(path)
      if (this.#looks.size === 0) continue
      this.#committed.delete(path)
      this.#committed.set(path, at)
    }
  }

  /** Whether a look started at `since` cannot be trusted about this path. */
  isDisturbed(path: RelPath, since: Moment): boolean {
    if (this.#busy.has(path)) return true
    const at = this.#committed.get(path)
    return at !== undefined && at > since
  }
}
