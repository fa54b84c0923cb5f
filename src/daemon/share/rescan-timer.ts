// Looks through the whole disk now and then, for what no watch has told of. All shares of a machine that has slept are
// late at once: each then waits for a moment of its own, lest the first minute after a wake is spent reading all disks.

/** So much later than it was due: the machine slept, or was that busy. */
const LATE_MS = 60_000
/** Within which the shares begin after that, or within the interval if it is shorter. */
const SPREAD_MS = 10 * 60_000

/** What it takes of the world; default: node's timers, performance.now, Math.random. */
export interface RescanClock {
  readonly nowMs: () => number
  readonly random: () => number
  readonly after: (ms: number, call: () => void) => () => void
}

const SYSTEM: RescanClock = {
  nowMs: () => performance.now(),
  random: Math.random,
  after: (ms, call) => {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  },
}

export class RescanTimer {
  readonly #rescan: () => void
  readonly #clock: RescanClock
  #cancel: () => void = () => {}
  #intervalMs = 0

  constructor(rescan: () => void, clock: RescanClock = SYSTEM) {
    this.#rescan = rescan
    this.#clock = clock
  }

  /** From now on; milliseconds, 0: never. The same as before changes nothing. */
  every(intervalMs: number): void {
    if (intervalMs === this.#intervalMs) return
    this.#intervalMs = intervalMs
    this.stop()
    if (intervalMs > 0) this.#wait(intervalMs)
  }

  stop(): void {
    this.#cancel()
  }

  #wait(ms: number): void {
    const dueMs = this.#clock.nowMs() + ms
    this.#cancel = this.#clock.after(ms, () => {
      if (this.#clock.nowMs() - dueMs > LATE_MS)
        return this.#wait(this.#clock.random() * Math.min(this.#intervalMs, SPREAD_MS))
      this.#wait(this.#intervalMs)
      this.#rescan()
    })
  }
}
