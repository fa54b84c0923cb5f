// Paths that cannot be brought to the disk now (A6): each has a time to be tried again, later after each try in vain.
import type { RelPath } from '../../core/path.js'

const RETRY_MS = 250
const RETRY_MAX_MS = 60_000
/** A path whose time has come; the number of its tries is kept until it is done. */
const RELEASED = -1

export class Parked {
  readonly #paths = new Map<RelPath, { readonly untilMs: number; readonly tries: number }>()

  /**
   * Parks a path for some 250 ms times `weight`, doubled with each try before, `mostMs` at most. Returns how often it was
   * parked.
   */
  park(path: RelPath, weight: number, nowMs: number, mostMs: number = RETRY_MAX_MS): number {
    const tries = (this.#paths.get(path)?.tries ?? 0) + 1
    const delayMs = Math.min(mostMs, weight * RETRY_MS * 2 ** Math.min(tries - 1, 10))
    this.#paths.set(path, { untilMs: nowMs + delayMs, tries })
    return tries
  }

  /** Whether a path has to wait. */
  isWaiting(path: RelPath, nowMs: number): boolean {
    const parked = this.#paths.get(path)
    return parked !== undefined && parked.untilMs > nowMs
  }

  /** Forgets a path and its tries. */
  delete(path: RelPath): void {
    this.#paths.delete(path)
  }

  /** The paths whose time has come since the last call, `isBusy` ones aside, and when the next one's will. */
  release(
    nowMs: number,
    isBusy: (path: RelPath) => boolean,
  ): { readonly due: RelPath[]; readonly nextMs: number } {
    const due: RelPath[] = []
    let nextMs = Number.POSITIVE_INFINITY
    for (const [path, { untilMs, tries }] of this.#paths) {
      if (untilMs > nowMs) nextMs = Math.min(nextMs, untilMs)
      else if (untilMs !== RELEASED && !isBusy(path)) {
        due.push(path)
        this.#paths.set(path, { untilMs: RELEASED, tries })
      }
    }
    return { due, nextMs }
  }
}
