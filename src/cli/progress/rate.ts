// How fast a count grows: over the last seconds, so that a pause is seen soon and a hiccup is not. Pure.

/** Older counts are forgotten; shorter, the time left jumps about, longer, it is slow to learn. */
const WINDOW_MS = 10_000

export class Rate {
  #samples: { readonly atMs: number; readonly count: number }[] = []

  /** The count at an instant of one monotonic clock. A count that shrinks begins anew. */
  note(atMs: number, count: number): void {
    const last = this.#samples.at(-1)
    if (last !== undefined && count < last.count) this.#samples = []
    this.#samples.push({ atMs, count })
    // The last one before the window stays, so that the window is always covered.
    while (this.#samples.length > 2 && this.#samples[1]!.atMs <= atMs - WINDOW_MS) this.#samples.shift()
  }

  /** Undefined before there are two instants. */
  get perSecond(): number | undefined {
    const first = this.#samples[0]
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return undefined
    return ((last.count - first.count) * 1000) / (last.atMs - first.atMs)
  }

  /** Over how long that is. */
  get experienceMs(): number {
    const first = this.#samples[0]
    return first === undefined ? 0 : this.#samples.at(-1)!.atMs - first.atMs
  }
}
