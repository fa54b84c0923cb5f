// How often addresses that were only told may be dialled at one public host. Members vouch for addresses, and a member that
// lies can name one host with ever other ports: without this all the others would dial it as fast as they can dial at all.
// Pure: instants come in, milliseconds of one monotonic clock.

/** Devices of one site, behind one router: so many at once, and then one in so long. */
export const HOST_BURST = 16
export const HOST_EACH_MS = 2_000
/** Hosts that are remembered; the one that was dialled longest ago is forgotten first. */
const MAX_HOSTS = 1_024

export class HostPace {
  /** When the bucket of each is full again. */
  readonly #fullAtMs = new Map<string, number>()

  /** From when on a host may be dialled. */
  openAtMs(host: string): number {
    const fullAtMs = this.#fullAtMs.get(host)
    return fullAtMs === undefined ? Number.NEGATIVE_INFINITY : fullAtMs - (HOST_BURST - 1) * HOST_EACH_MS
  }

  /** It is dialled. */
  dial(host: string, nowMs: number): void {
    const fullAtMs = Math.max(this.#fullAtMs.get(host) ?? nowMs, nowMs) + HOST_EACH_MS
    this.#fullAtMs.delete(host)
    this.#fullAtMs.set(host, fullAtMs)
    if (this.#fullAtMs.size > MAX_HOSTS) this.#fullAtMs.delete(this.#fullAtMs.keys().next().value!)
  }

  /** Somebody was met there: what others said of it was not made up. */
  met(host: string): void {
    this.#fullAtMs.delete(host)
  }
}
