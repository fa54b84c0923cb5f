// How much to have asked of one peer at a time (X3): enough that its connection never runs dry, little enough that what
// becomes urgent does not queue behind seconds of bulk. The target follows the bandwidth-delay product, from the rate
// and the shortest time between a request and its block, as measured here. Every call takes the time, none reads a clock.
// The rate is measured as BBR does (draft-cheng-iccrg-delivery-rate-estimation): each request remembers how much had
// arrived when it was made; when its block comes, what has arrived in between tells the rate over at least one round trip,
// however bursts and pauses lie in it. The highest of the last seconds counts: a link delivers less for many reasons, and
// never more. While it is not full, the rate grows with the target and so the target doubles per round trip; once it is
// full, the rate stands still and the target with it. A full line hides the true round trip behind its own queue, so every
// PROBE_EVERY_MS the target drops for one block's round trip to see it again.

/** Bytes asked of a peer whatever its pace; half of what a home uplink carries in the first second. */
export const MIN_TARGET_BYTES: number = 256 * 1024
/** Never more: a gigabit link's 130 ms. */
export const MAX_TARGET_BYTES: number = 16 * 1024 * 1024
/** Before anything is known: fills a LAN within a few round trips, drains from a 1 MB/s peer in a second. */
export const FIRST_TARGET_BYTES: number = 1024 * 1024
/** For so long at most: the other end may still be starting its workers. */
const FIRST_MS = 2_000
/** Low enough to see the bare round trip, while two small blocks are still on their way. */
const PROBE_TARGET_BYTES: number = 64 * 1024
/**
 * A congestion control that probes for more holds up to two round trips of data in flight, and gives up growing when there
 * is less to send; the third are the requests on their way.
 */
const ROUND_TRIPS = 3
/** Time that a peer's disk, its workers and both event loops may take beyond the round trip. */
const SLACK_MS = 100
/** What arrives in less was waiting in a buffer; a target that is had so soon grows all the same. */
const MIN_INTERVAL_MS = 20
/** A rate that is not seen again is forgotten after one to two of these, or of HOLD_ROUND_TRIPS. */
const HOLD_MS = 1_000
const HOLD_ROUND_TRIPS = 4
/** Routes change; more often would cost rate, less often would hold on to a wrong round trip. */
const PROBE_EVERY_MS = 10_000

/** What stood when a request was made. */
export interface Asked {
  readonly atMs: number
  /** When the latest request was made whose block had arrived by then. */
  readonly firstAtMs: number
  /** Bytes that had arrived. */
  readonly delivered: number
  readonly deliveredAtMs: number
  /** Less was asked for than the link carries: what comes of it says how much it carries at least. */
  readonly isStarved: boolean
}

export class Pace {
  #delivered = 0
  #deliveredAtMs = 0
  #firstAskedAtMs = 0
  /** Up to here, what arrives was asked for while there was not enough to ask for. */
  #starvedUntil = 0
  #lastAsked: Asked | undefined
  /** Bytes a second, the highest since #heldSinceMs, and of the time before. */
  #highest = 0
  #highestBefore = 0
  #heldSinceMs = 0
  /**
   * A block has come that was asked for after another one had come, with enough to ask for; or there was time for that: a slow
   * link is not to be kept full of what it was asked for at first.
   */
  #isMeasured = false
  #firstAtMs: number | undefined
  #latency = Number.POSITIVE_INFINITY
  #measuredAtMs: number | undefined
  #probeSinceMs: number | undefined

  /** A request is made, while `askedBytes` of others are unanswered. */
  ask(askedBytes: number, nowMs: number): Asked {
    if (askedBytes === 0) this.#deliveredAtMs = this.#firstAskedAtMs = nowMs
    this.#measuredAtMs ??= nowMs
    this.#firstAtMs ??= nowMs
    const isStarved = this.#delivered < this.#starvedUntil || this.#probeSinceMs !== undefined
    const last = this.#lastAsked
    // Requests go out by dozens at a time.
    if (last?.atMs === nowMs && last.delivered === this.#delivered && last.isStarved === isStarved)
      return last
    this.#lastAsked = {
      atMs: nowMs,
      firstAtMs: this.#firstAskedAtMs,
      isStarved,
      delivered: this.#delivered,
      deliveredAtMs: this.#deliveredAtMs,
    }
    return this.#lastAsked
  }

  /** There is nothing more to ask for now, though the target would allow it: `askedBytes` are on their way. */
  starved(askedBytes: number): void {
    this.#starvedUntil = this.#delivered + Math.max(1, askedBytes)
  }

  /** A block has arrived. */
  block(bytes: number, asked: Asked, nowMs: number): void {
    this.#delivered += bytes
    this.#deliveredAtMs = nowMs
    if (nowMs - this.#firstAtMs! >= FIRST_MS) this.#isMeasured = true
    this.#learn(asked, nowMs)
    this.#firstAskedAtMs = Math.max(this.#firstAskedAtMs, asked.atMs)
    this.#measureLatency(asked.atMs, nowMs)
  }

  #learn({ atMs, firstAtMs, delivered, deliveredAtMs, isStarved }: Asked, nowMs: number): void {
    // Of the time in which it was asked for and the time in which it came the longer one: what was held up on the way comes
    // all at once.
    const intervalMs = Math.max(nowMs - deliveredAtMs, atMs - firstAtMs, MIN_INTERVAL_MS)
    const sample = ((this.#delivered - delivered) / intervalMs) * 1000
    if (isStarved) {
      if (sample <= this.rateBytesPerSecond) return
    } else {
      if (delivered > 0) this.#isMeasured = true
      const holdMs = Math.max(HOLD_MS, HOLD_ROUND_TRIPS * (nowMs - atMs))
      if (nowMs - this.#heldSinceMs >= holdMs) {
        this.#highestBefore = this.#highest
        this.#highest = 0
        this.#heldSinceMs = nowMs
      }
    }
    this.#highest = Math.max(this.#highest, sample)
  }

  /** 0 until it has been measured. */
  get rateBytesPerSecond(): number {
    return Math.max(this.#highest, this.#highestBefore)
  }

  /** From request to block, the shortest since the last probe; infinite before the first block. */
  get latencyMs(): number {
    return this.#latency
  }

  /** Bytes to have asked for: MIN_TARGET_BYTES to MAX_TARGET_BYTES, less only in a probe. */
  get targetBytes(): number {
    if (this.#probeSinceMs !== undefined) return PROBE_TARGET_BYTES
    if (this.#latency === Number.POSITIVE_INFINITY) return FIRST_TARGET_BYTES
    const target = (this.rateBytesPerSecond * (ROUND_TRIPS * this.#latency + SLACK_MS)) / 1000
    const least = this.#isMeasured ? MIN_TARGET_BYTES : FIRST_TARGET_BYTES
    return Math.min(MAX_TARGET_BYTES, Math.max(least, target))
  }

  #measureLatency(askedAtMs: number, nowMs: number): void {
    const latency = nowMs - askedAtMs
    if (this.#probeSinceMs !== undefined && askedAtMs >= this.#probeSinceMs) {
      this.#probeSinceMs = undefined
      this.#latency = latency
      this.#measuredAtMs = nowMs
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
