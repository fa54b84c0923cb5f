// How much to have asked of one peer at a time (X3): enough that its connection never runs dry, little enough that what
// becomes urgent does not queue behind seconds of bulk. The target follows the bandwidth-delay product, from the rate
// and the shortest time between a request and its block, as measured here. Every call takes the time, none reads a clock.
// While a link is not full, the rate grows with the target and so the target at least doubles per round trip; once it is
// full, the rate stands still and the target with it.

/** Bytes asked of a peer whatever its pace; half of what a home uplink carries in the first second. */
export const MIN_TARGET_BYTES: number = 256 * 1024
/** Never more: a gigabit link's 130 ms. */
export const MAX_TARGET_BYTES: number = 16 * 1024 * 1024
/** Before anything is known: fills a LAN within a few round trips, drains from a 1 MB/s peer in a second. */
export const FIRST_TARGET_BYTES: number = 1024 * 1024
/** Time that a peer's disk, its workers and both event loops may take beyond the round trip. */
const SLACK_MS = 100
const WINDOW_MS = 100
/** The shortest latency is forgotten after one to two of these, since routes change. */
const LATENCY_WINDOW_MS = 10_000

export class Pace {
  #rate: number | undefined
  #windowStartMs = 0
  #windowBytes = 0
  #latency = Number.POSITIVE_INFINITY
  #olderLatency = Number.POSITIVE_INFINITY
  #latencySinceMs = 0

  /** Requests go out after a time without any: idle time says nothing about the rate. */
  begin(nowMs: number): void {
    this.#windowStartMs = nowMs
    this.#windowBytes = 0
  }

  /** A block has arrived that was asked for at `askedAtMs`. */
  block(bytes: number, askedAtMs: number, nowMs: number): void {
    if (nowMs - this.#latencySinceMs >= LATENCY_WINDOW_MS) {
      this.#olderLatency = this.#latency
      this.#latency = Number.POSITIVE_INFINITY
      this.#latencySinceMs = nowMs
    }
    this.#latency = Math.min(this.#latency, nowMs - askedAtMs)
    this.#windowBytes += bytes
    const elapsedMs = nowMs - this.#windowStartMs
    if (elapsedMs < WINDOW_MS) return
    const sample = (this.#windowBytes / elapsedMs) * 1000
    this.#rate = this.#rate === undefined ? sample : (this.#rate + sample) / 2
    this.begin(nowMs)
  }

  /** 0 until it has been measured. */
  get rateBytesPerSecond(): number {
    return this.#rate ?? 0
  }

  /** The shortest of the last 10 to 20 s, infinite until there is one. */
  get latencyMs(): number {
    return Math.min(this.#latency, this.#olderLatency)
  }

  /** Bytes to have asked for, MIN_TARGET_BYTES to MAX_TARGET_BYTES. */
  get targetBytes(): number {
    if (this.#rate === undefined) return FIRST_TARGET_BYTES
    const target = (this.#rate * (2 * this.latencyMs + SLACK_MS)) / 1000
    return Math.min(MAX_TARGET_BYTES, Math.max(MIN_TARGET_BYTES, target))
  }
}
