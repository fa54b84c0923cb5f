// How many tries at invites are looked at: a burst, then one a second. Who floods the door keeps honest guests out for
// that long, and gets nothing for it. Takes the time from its caller.

/** More than the wrong tries that end an invite, so that these are counted and not just delayed. */
const BURST = 20
const REFILL_MS = 1_000

export class TryLimit {
  readonly #nowMs: () => number
  #left = BURST
  #atMs: number

  /** `nowMs`: milliseconds of a monotonic clock. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
    this.#atMs = nowMs()
  }

  /** Whether one more may be looked at now. */
  take(): boolean {
    const nowMs = this.#nowMs()
    this.#left = Math.min(BURST, this.#left + (nowMs - this.#atMs) / REFILL_MS)
    this.#atMs = nowMs
    if (this.#left < 1) return false
    this.#left--
    return true
  }
}
