// One direction of a link that is worse than the kernel's: delay, jitter, loss, rate, a queue of bounded length, a
// largest packet, and silence. Pure: asked at an instant what becomes of a packet, it answers when the packet arrives at
// the other end or that it never does. Chance comes from a seed, so that the same packets are lost again.

/** What a direction does to packets. Lengths are of IP packets, without what Ethernet adds. */
export interface Shape {
  /** One way. Default 0. */
  readonly delayMs?: number
  /** Up to so much more than delayMs, evenly spread; packets stay in order all the same. Default 0. */
  readonly jitterMs?: number
  /** Chance of a packet to be lost, 0 to 1. Default 0. */
  readonly loss?: number
  /** Default: no limit. */
  readonly rateBitsPerSecond?: number
  /** How long a packet may wait for its turn at that rate; what would wait longer is lost. Default 200. */
  readonly queueMs?: number
  /** Longer packets vanish and nobody is told: an MTU black hole. Default: none do. */
  readonly largestBytes?: number
  /** Everything vanishes: a cable that was cut where neither end notices. Default false. */
  readonly isCut?: boolean
}

/** What became of packets so far. */
export interface ShapeCounts {
  readonly passed: number
  readonly passedBytes: number
  readonly lost: number
  /** The queue was full. */
  readonly overflowed: number
  readonly tooLong: number
  readonly cut: number
}

/** Whatever the rate, two full packets find room in the queue. */
const LEAST_QUEUE_BYTES = 3_000

export class Direction {
  #shape: Shape
  readonly #random: () => number
  /** When the last packet has left the queue, and when it has arrived. */
  #freeAtUs = 0
  #lastArrivalUs = 0
  #counts = { passed: 0, passedBytes: 0, lost: 0, overflowed: 0, tooLong: 0, cut: 0 }

  /** @param random as Math.random */
  constructor(shape: Shape, random: () => number) {
    this.#shape = shape
    this.#random = random
  }

  get counts(): ShapeCounts {
    return { ...this.#counts }
  }

  /** Later packets are treated so; what is on its way arrives as it would have. */
  set(changes: Shape): void {
    this.#shape = { ...this.#shape, ...changes }
  }

  /**
   * What becomes of a packet that comes at `nowUs` (microseconds of any clock that only advances).
   * @returns when it arrives, never before one that came earlier; undefined: never
   */
  offer(nowUs: number, lengthBytes: number): number | undefined {
    const { delayMs = 0, jitterMs = 0, loss = 0, rateBitsPerSecond, queueMs = 200 } = this.#shape
    const { largestBytes = Number.POSITIVE_INFINITY, isCut = false } = this.#shape
    if (isCut) return this.#drop('cut')
    if (lengthBytes > largestBytes) return this.#drop('tooLong')
    let leavesUs = nowUs
    if (rateBitsPerSecond !== undefined) {
      const waitUs = Math.max(0, this.#freeAtUs - nowUs)
      const queuedBytes = (waitUs * rateBitsPerSecond) / 8e6
      if (waitUs > queueMs * 1000 && queuedBytes > LEAST_QUEUE_BYTES) return this.#drop('overflowed')
      leavesUs += waitUs + (lengthBytes * 8e6) / rateBitsPerSecond
      this.#freeAtUs = leavesUs
    }
    // Lost behind the queue, as on a bad line: the packet has taken its time of the rate.
    if (loss > 0 && this.#random() < loss) return this.#drop('lost')
    const flightUs = (delayMs + (jitterMs > 0 ? this.#random() * jitterMs : 0)) * 1000
    this.#lastArrivalUs = Math.max(this.#lastArrivalUs, leavesUs + flightUs)
    this.#counts.passed++
    this.#counts.passedBytes += lengthBytes
    return this.#lastArrivalUs
  }

  #drop(why: 'lost' | 'overflowed' | 'tooLong' | 'cut'): undefined {
    this.#counts[why]++
    return undefined
  }
}

/** Numbers from 0 up to 1 that depend on the seed alone (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
