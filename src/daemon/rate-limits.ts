// The rates of all shares together (X4): from the configuration, or as somebody has set them since.
import { setTimeout as delay } from 'node:timers/promises'
import type { ExchangeOptions, PeerLink } from '../exchange/exchange-types.js'
import { RateLimit } from '../exchange/rate-limit.js'
import { parseEndpoint, scopeOf } from '../swarm/endpoint.js'

/** A limit that is raised or lifted meanwhile is noticed within this time. */
const MAX_PAUSE_MS = 1000

/** What the configuration says of rates; bytes per second, 0: no limit. */
export interface ConfiguredRates {
  readonly downloadLimit: number
  readonly uploadLimit: number
  /** Whether limits hold for peers on the local network, too. */
  readonly rateLimitLocalPeers: boolean
}

export class RateLimits {
  readonly download: RateLimit
  readonly upload: RateLimit
  #configured: ConfiguredRates
  readonly #local = new WeakMap<object, boolean>()

  constructor(configured: ConfiguredRates) {
    this.#configured = configured
    this.download = new RateLimit(configured.downloadLimit)
    this.upload = new RateLimit(configured.uploadLimit)
  }

  /** For each share's exchange. */
  get forExchange(): Required<Pick<ExchangeOptions, 'downloadLimit' | 'uploadLimit' | 'exempt'>> {
    const exempt = (peer: PeerLink): boolean => this.isExempt(peer)
    return { downloadLimit: this.download, uploadLimit: this.upload, exempt }
  }

  /** Whether limits hold for peers on the local network, too. */
  get holdLocally(): boolean {
    return this.#configured.rateLimitLocalPeers
  }

  /** Resolves when so many bytes may be sent to a server on the internet: the upload limit holds for that as for peers. */
  async paceUpload(bytes: number): Promise<void> {
    while (!this.upload.take(bytes, performance.now()))
      await delay(Math.min(MAX_PAUSE_MS, this.upload.waitMs(performance.now())), undefined, { ref: false })
  }

  /** The configuration was read anew: what it changed holds from now on, what it did not stays as it was set. */
  configure(now: ConfiguredRates): void {
    const before = this.#configured
    this.#configured = now
    if (now.downloadLimit !== before.downloadLimit) this.download.bytesPerSecond = now.downloadLimit
    if (now.uploadLimit !== before.uploadLimit) this.upload.bytesPerSecond = now.uploadLimit
  }

  /** Bytes per second, 0: no limit; what is undefined stays. */
  set(rates: { readonly download?: number | undefined; readonly upload?: number | undefined }): void {
    if (rates.download !== undefined) this.download.bytesPerSecond = rates.download
    if (rates.upload !== undefined) this.upload.bytesPerSecond = rates.upload
  }

  /** Whether a peer is left out of the limits. `address` is "host:port". */
  isExempt(peer: { readonly address?: string; readonly transport?: string }): boolean {
    // Where a relay stands says nothing of where the peer does.
    if (this.holdLocally || peer.transport === 'relayed') return false
    let isLocal = this.#local.get(peer)
    if (isLocal === undefined) {
      isLocal = isLocalAddress(peer.address ?? '')
      this.#local.set(peer, isLocal)
    }
    return isLocal
  }
}

function isLocalAddress(address: string): boolean {
  const host = parseEndpoint(address)?.host
  const scope = host === undefined ? undefined : scopeOf(host)
  return scope !== undefined && scope !== 'public'
}
