// Finding members through a DHT (X6), with hyperswarm over bootstrap nodes that are always given: without any, none of
// this is started, and the public network is never contacted. What comes out are Noise connections over UDX that have
// proved nothing yet. DHT nodes see topics and device keys, never a share's name, content or secret.
import type NoiseSecretStream from '@hyperswarm/secret-stream'
import HyperDHT from 'hyperdht'
import Hyperswarm, { type DiscoverySession } from 'hyperswarm'
import type { DeviceKeys } from '../core/device.js'
import type { DeviceId } from '../core/ids.js'
import type { Log } from '../ports/log.js'
import { closeDht } from './dht-node.js'
import type { Endpoint } from './endpoint.js'

export interface DhtFinderOptions {
  readonly device: DeviceKeys
  readonly bootstrap: readonly Endpoint[]
  /** IPv4 address to bind to; undefined: all. */
  readonly host?: string
  /** A connection and, if we dialled, the topics that led to it. Gets its error handler here, synchronously. */
  readonly onConnection: (stream: NoiseSecretStream, topics: readonly Buffer[]) => void
  readonly log: Log
}

/** A lookup again, after a TCP connection ended, at most so often. */
const REFRESH_WAIT_MS = 5_000

export class DhtFinder {
  readonly #swarm: Hyperswarm
  readonly #log: Log
  readonly #sessions = new Map<string, DiscoverySession>()
  readonly #hushed = new Set<DeviceId>()
  #refresh: NodeJS.Timeout | undefined

  constructor(options: DhtFinderOptions) {
    const { device } = options
    this.#log = options.log
    const keyPair = { publicKey: device.publicKey, secretKey: device.secretKey }
    const dht = new HyperDHT({
      bootstrap: options.bootstrap.map(({ host, port }) => ({ host, port })),
      keyPair,
      port: [0, 0],
      ...(options.host === undefined ? {} : { host: options.host }),
    })
    this.#swarm = new Hyperswarm({ dht, keyPair })
    this.#swarm.on('connection', (stream, peer) => options.onConnection(stream, peer.topics))
  }

  /** Announces a topic and looks it up, now and every ten minutes or so. Nothing waits for the result. */
  join(topic: Buffer): void {
    const key = topic.toString('hex')
    if (!this.#sessions.has(key))
      this.#sessions.set(key, this.#swarm.join(topic, { server: true, client: true }))
  }

  leave(topic: Buffer): void {
    const key = topic.toString('hex')
    const session = this.#sessions.get(key)
    this.#sessions.delete(key)
    session?.destroy().catch((err: unknown) => this.#log.debug({ err }, 'cannot leave a DHT topic'))
  }

  /**
   * Neither dials a device nor accepts it over UDX (X5: there is a TCP connection), or no longer so. hyperswarm's own
   * firewall would refuse it for the life of the process.
   */
  hush(device: DeviceId, isHushed: boolean): void {
    const peer = this.#swarm.peers.get(device)
    if (isHushed) {
      if (peer === undefined) return
      this.#hushed.add(device)
      peer.ban(true)
    } else if (this.#hushed.delete(device)) {
      peer?.ban(false)
      this.#refreshSoon()
    }
  }

  /** Takes 3 s at most, whatever the network does. */
  async close(): Promise<void> {
    clearTimeout(this.#refresh)
    await closeDht(this.#swarm, this.#log)
  }

  #refreshSoon(): void {
    if (this.#refresh !== undefined) return
    this.#refresh = setTimeout(() => {
      this.#refresh = undefined
      for (const session of this.#sessions.values())
        session.refresh().catch((err: unknown) => this.#log.debug({ err }, 'cannot ask the DHT again'))
    }, REFRESH_WAIT_MS)
    this.#refresh.unref()
  }
}
