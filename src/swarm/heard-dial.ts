// How an address is dialled where there is a proxy: what announced itself on the local network directly, which leaves no
// trace beyond it and may be all that a proxy cannot reach; everything else through the proxy.
import { type Endpoint, formatEndpoint, scopeOf } from './endpoint.js'
import type { DialTcp } from './tcp.js'

/** More than a network has members; the longest unheard is forgotten. */
const MAX_HEARD = 1000

export class HeardDial {
  readonly #heard = new Set<string>()
  readonly #near: DialTcp
  readonly #far: DialTcp

  constructor(near: DialTcp, far: DialTcp) {
    this.#near = near
    this.#far = far
  }

  /** The LAN beacon heard it. A public address is not on the local network, whoever says so. */
  heard(endpoint: Endpoint): void {
    const scope = scopeOf(endpoint.host)
    if (scope === undefined || scope === 'public') return
    const key = formatEndpoint(endpoint)
    this.#heard.delete(key)
    this.#heard.add(key)
    if (this.#heard.size <= MAX_HEARD) return
    for (const oldest of this.#heard) {
      this.#heard.delete(oldest)
      return
    }
  }

  readonly dial: DialTcp = (endpoint, timeoutMs, signal, isSmall) =>
    (this.#heard.has(formatEndpoint(endpoint)) ? this.#near : this.#far)(endpoint, timeoutMs, signal, isSmall)
}
