// How many tries at invites are looked at: of each host a burst, then one a second; of all together ten times that. Who
// floods the door from one host keeps nobody else out, and gets nothing for it; whoever has many hosts does, for as long
// as it goes on, and still needs an hour to come upon the names of the invites there are. Takes the time from its caller.

/** More than the wrong tries that end an invite, so that these are counted and not just delayed. */
const BURST = 20
const REFILL_MS = 1_000
/** Hosts that together use up what is looked at. */
const MANY_HOSTS = 10
/** Hosts remembered: more cannot use up their bursts at a time, as all of them share MANY_HOSTS bursts. */
const MAX_HOSTS = 1_000

export class TryLimit {
  readonly #nowMs: () => number
  readonly #all: Bucket
  /** The one that tried last comes last. */
  readonly #hosts = new Map<string, Bucket>()

  /** `nowMs`: milliseconds of a monotonic clock. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
    this.#all = new Bucket(MANY_HOSTS * BURST, REFILL_MS / MANY_HOSTS, nowMs())
  }

  /** Whether one more of this host may be looked at now. */
  take(host: string): boolean {
    const nowMs = this.#nowMs()
    const own = this.#hosts.get(host) ?? new Bucket(BURST, REFILL_MS, nowMs)
    this.#hosts.delete(host)
    this.#hosts.set(host, own)
    if (this.#hosts.size > MAX_HOSTS) this.#hosts.delete(this.#hosts.keys().next().value!)
    // What the host may not do anyway is not taken from the others.
    return own.take(nowMs) && this.#all.take(nowMs)
  }
}

class Bucket {
  readonly #size: number
  readonly #refillMs: number
  #left: number
  #atMs: number

  constructor(size: number, refillMs: number, nowMs: number) {
    this.#size = size
    this.#refillMs = refillMs
    this.#left = size
    this.#atMs = nowMs
  }

  take(nowMs: number): boolean {
    this.#left = Math.min(this.#size, this.#left + (nowMs - this.#atMs) / this.#refillMs)
    this.#atMs = nowMs
    if (this.#left < 1) return false
    this.#left--
    return true
  }
}
