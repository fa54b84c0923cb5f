// What is measured while a share works: how long things took, in plain counts per bucket, so that measuring costs a few
// hundred bytes and no library. Whoever publishes it (metrics) reads it when asked; what is merely counted is asked of the
// parts that count it anyway (Exchange.stats, ShareIndex.counts).

/** Upper bounds of buckets in seconds, ascending: from what a LAN does to what an absent peer takes. */
export const LATENCY_BOUNDS_S: readonly number[] = [
  0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86_400,
]
/** Of one look at a whole tree. */
export const SCAN_BOUNDS_S: readonly number[] = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800]
/** Devices whose changes are measured each on its own; those of more are put together under OTHER_ORIGINS. */
export const MAX_ORIGINS = 50
export const OTHER_ORIGINS = ''

/** How long something took, as a histogram. */
export class Durations {
  readonly boundsS: readonly number[]
  /** How many were within each bound and above the one before; the last count is of those above all. */
  readonly counts: number[]
  sumS = 0
  count = 0

  constructor(boundsS: readonly number[]) {
    this.boundsS = boundsS
    this.counts = new Array<number>(boundsS.length + 1).fill(0)
  }

  /** Less than nothing, as between two clocks, counts as nothing. */
  add(durationMs: number): void {
    const seconds = Math.max(0, durationMs) / 1000
    let at = 0
    while (at < this.boundsS.length && seconds > this.boundsS[at]!) at++
    this.counts[at]!++
    this.sumS += seconds
    this.count++
  }
}

/** What is measured of one share. */
export class Instruments {
  /** From when this node heard of an entry until its path was so. */
  readonly applyLatency: Durations = new Durations(LATENCY_BOUNDS_S)
  /** Looks at the whole tree. */
  readonly fullScans: Durations = new Durations(SCAN_BOUNDS_S)
  readonly #changeToApplied = new Map<string, Durations>()

  /**
   * From the change on the device that made it until it was applied here, by two clocks, so no better than these agree:
   * by that device's name.
   */
  get changeToApplied(): ReadonlyMap<string, Durations> {
    return this.#changeToApplied
  }

  changeApplied(origin: string, durationMs: number): void {
    const isKnown = this.#changeToApplied.has(origin)
    const key = isKnown || this.#changeToApplied.size < MAX_ORIGINS ? origin : OTHER_ORIGINS
    let durations = this.#changeToApplied.get(key)
    if (durations === undefined) {
      durations = new Durations(LATENCY_BOUNDS_S)
      this.#changeToApplied.set(key, durations)
    }
    durations.add(durationMs)
  }
}
