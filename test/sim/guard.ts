// What keeps a look at the disk and a commit from misreading each other: a path that was committed after a listing was
// taken, or is being committed, is left to the next look (A9). The daemon's own guard follows the same rule.
import type { RelPath } from '../../src/core/path.js'

export class Guard {
  readonly #busy = new Set<RelPath>()
  readonly #committed = new Map<RelPath, number>()
  #now = 0

  moment(): number {
    return this.#now++
  }

  startCommit(paths: Iterable<RelPath>): void {
    for (const path of paths) this.#busy.add(path)
  }

  endCommit(paths: Iterable<RelPath>): void {
    for (const path of paths) {
      this.#busy.delete(path)
      this.#committed.set(path, this.#now)
    }
    this.#now++
  }

  isDisturbed(path: RelPath, since: number): boolean {
    return this.#busy.has(path) || (this.#committed.get(path) ?? -1) > since
  }
}
