// How much to have asked of one peer at a time (X3): enough that its connection never runs dry, little enough that what
// becomes urgent does not queue behind seconds of bulk. The target follows the bandwidth-delay product, from the rate
// and the shortest time between a request and its block, as measured here. Every call takes the time, none reads a clock.
// While a link is not full, the rate grows with the target and so the target at least doubles per round trip; once it is
// full, the rate stands still and the target with it. A full line hides the true round trip behind its own queue, so every
// PROBE_EVERY_MS the target drops for one block's round trip to see it again (as BBR does).

/** A rate after another sample: at most twice what it was, so that a burst is not taken for the link, and never less than half. */
function after(rate: number, sample: number): number {
  return sample > rate ? Math.min(sample, 2 * rate) : (rate + sample) / 2
}

/** Bytes asked of a peer whatever its pace; half of what a home uplink carries in the first second. */
export const MIN_TARGET_BYTES: number = 256 * 1024
/** Never more: a gigabit link's 130 ms. */
export const MAX_TARGET_BYTES: number = 16 * 1024 * 1024
/** Before anything is known: fills a LAN within a few round trips, drains from a 1 MB/s peer in a second. */
export const FIRST_TARGET_BYTES: number = 1024 * 1024
/** Low enough to see the bare round trip, while two small blocks are still on their way. */
const PROBE_TARGET_BYTES: number = 64 * 1024
/** Time that a peer's disk, its workers and both event loops may take beyond the round trip. */
const SLACK_MS = 100
const WINDOW_MS = 100
/** A longer time without requests: the link may be another by now. */
const LONG_IDLE_MS = 1_000
/** Routes change; more often would cost rate, less often would hold on to a wrong round trip. */
const PROBE_EVERY_MS = 10_000

export class Pace {
  #rate: number | undefined
  /** Of the last window, while the link has never been full. */
  #atLeast = 0
  /** Whether as much was asked for as the target allows, since the window began. */
  #wasFull = false
  #windowStartMs = 0
  #windowBytes = 0
  /** Of the last block, or when requests went out. */
  #busyAtMs = 0
  #latency = Number.POSITIVE_INFINITY
  #measuredAtMs: number | undefined
  #probeSinceMs: number | undefined

  /**
   * Requests go out after a time without any. That time says nothing about the rate and is left out of the window; a window of
   * its own for each burst would never be over on a link that delivers what was asked for in less, and the rate never told.
   */
  begin(nowMs: number): void {
    const idleMs = nowMs - this.#busyAtMs
    if (this.#measuredAtMs === undefined || idleMs > LONG_IDLE_MS) this.#restart(nowMs)
    else this.#windowStartMs += idleMs
    this.#busyAtMs = nowMs
    this.#measuredAtMs ??= nowMs
  }

  /** As much is asked for as the target allows: from now on, what arrives tells how much the link carries. */
  full(nowMs: number): void {
    if (this.#wasFull) return
    this.#restart(nowMs)
    this.#wasFull = true
  }

  #learn(sample: number): void {
    if (this.#wasFull) this.#rate = this.#rate === undefined ? sample : after(this.#rate, sample)
    // There was no more to ask for: the link carries so much at least, and nobody knows how much more.
    else if (this.#rate === undefined) this.#atLeast = sample
    else if (sample > this.#rate) this.#rate = after(this.#rate, sample)
  }

  #restart(nowMs: number): void {
    this.#wasFull = false
    this.#windowStartMs = nowMs
    this.#windowBytes = 0
  }

  /** A block has arrived that was asked for at `askedAtMs`. */
  block(bytes: number, askedAtMs: number, nowMs: number): void {
    this.#measureLatency(askedAtMs, nowMs)
    this.#busyAtMs = nowMs
    this.#windowBytes += bytes
    const elapsedMs = nowMs - this.#windowStartMs
    if (elapsedMs < WINDOW_MS) return
    const sample = (this.#windowBytes / elapsedMs) * 1000
    // What comes in while probing is not all that the link carries.
    if (this.#probeSinceMs === undefined) this.#learn(sample)
    this.#restart(nowMs)
  }

  /** 0 until it has been measured. */
  get rateBytesPerSecond(): number {
    return this.#rate ?? this.#atLeast
  }

  /** From request to block, the shortest since the last probe; infinite before the first block. */
  get latencyMs(): number {
    return this.#latency
  }

  /** Bytes to have asked for: MIN_TARGET_BYTES to MAX_TARGET_BYTES, less only in a probe. */
  get targetBytes(): number {
    if (this.#probeSinceMs !== undefined) return PROBE_TARGET_BYTES
    if (this.#rate === undefined) return FIRST_TARGET_BYTES
    const target = (this.#rate * (2 * this.#latency + SLACK_MS)) / 1000
    return Math.min(MAX_TARGET_BYTES, Math.max(MIN_TARGET_BYTES, target))
  }

  #measureLatency(askedAtMs: number, nowMs: number): void {
    const latency = nowMs - askedAtMs
    if (this.#probeSinceMs !== undefined && askedAtMs >= this.#probeSinceMs) {
      this.#probeSinceMs = undefined
      this.#latency = latency
      this.#measuredAtMs = nowMs
      this.#restart(nowMs)
    } else this.#latency = Math.min(this.#latency, latency)
    if (this.#probeSinceMs !== undefined || nowMs - (this.#measuredAtMs ?? nowMs) < PROBE_EVERY_MS) return
    // At its floor the line is short enough to show the round trip, and a slow link would take long to drain.
    if (this.targetBytes > MIN_TARGET_BYTES) this.#probeSinceMs = nowMs
    else {
      this.#latency = latency
      this.#measuredAtMs = nowMs
    }
  }
}
