// Notices that this machine's own addresses changed: another network, a cable, a lease. Connections over an address that is
// gone are dead at once instead of after half a minute, and whoever was lost is looked for soon.
import { isIP } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import { interfacesNow } from '../ports/network-interfaces.js'
import { scopeOf } from './endpoint.js'

/** A look is one system call; a change is noticed within so long. */
const LOOK_MS = 5_000
/** Networks of containers come and go all day: everybody is looked for again at most so often. */
const CALM_MS = 60_000

export interface NetworkWatchOptions {
  /** These addresses are no longer ours. */
  readonly onGone: (addresses: ReadonlySet<string>) => void
  /** There is another network than before; at most once a minute. */
  readonly onNew: () => void
  /** Default: what the system says. */
  readonly interfaces?: () => NodeJS.Dict<readonly NetworkInterfaceInfo[]>
  readonly now: () => number
}

export class NetworkWatch {
  readonly #o: NetworkWatchOptions
  #addresses: ReadonlySet<string> = new Set()
  #newAtMs = Number.NEGATIVE_INFINITY
  #hasNews = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: NetworkWatchOptions) {
    this.#o = options
  }

  start(): void {
    this.#addresses = this.#read()
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Compares with the last look; called by the timer. */
  look(): void {
    const before = this.#addresses
    const after = this.#read()
    this.#addresses = after
    const gone = new Set([...before].filter((address) => !after.has(address)))
    if (gone.size > 0) this.#o.onGone(gone)
    // Link-local addresses come with every virtual cable, and lead to nobody who is not reached otherwise.
    this.#hasNews ||= [...after].some((address) => !before.has(address) && reachesFar(address))
    const nowMs = this.#o.now()
    if (!this.#hasNews || nowMs - this.#newAtMs < CALM_MS) return
    this.#hasNews = false
    this.#newAtMs = nowMs
    this.#o.onNew()
  }

  #read(): Set<string> {
    const all = (this.#o.interfaces ?? interfacesNow)()
    return new Set(Object.values(all).flatMap((list) => (list ?? []).map(({ address }) => address)))
  }
}

function reachesFar(address: string): boolean {
  const scope = isIP(address) === 0 ? undefined : scopeOf(address)
  return scope === 'private' || scope === 'public'
}
