// Finding members through a DHT (X6), with hyperswarm over bootstrap nodes that are always given: one's own, or the public
// ones by name (public-dht.ts). What comes out are Noise connections over UDX that have
// proved nothing yet. DHT nodes see topics and device keys, never a share's name, content or secret.
import type NoiseSecretStream from '@hyperswarm/secret-stream'
import HyperDHT from 'hyperdht'
import Hyperswarm, { type DiscoverySession } from 'hyperswarm'
import type { DeviceKeys } from '../core/device.js'
import { type DeviceId, deviceIdFromKey } from '../core/ids.js'
import type { Log } from '../ports/log.js'
import { closeDht } from './dht-node.js'
import type { Endpoint } from './endpoint.js'
import type { Bootstrap } from './public-dht.js'
import { SilenceWatch } from './silence.js'
import { Timers } from './timers.js'

export interface DhtFinderOptions {
  readonly device: DeviceKeys
  readonly bootstrap: Bootstrap<Endpoint>
  /** IPv4 address to bind to; undefined: all. */
  readonly host?: string
  /** A connection and, if we dialled, the topics that led to it. Gets its error handler here, synchronously. */
  readonly onConnection: (stream: NoiseSecretStream, topics: readonly Buffer[]) => void
  readonly log: Log
}

/** How the network looks to the nodes of the DHT. */
export interface DhtView {
  /** Nodes that answer. */
  readonly nodes: number
  /** Our address as they see it; undefined: not known, or they differ. */
  readonly host: string | undefined
  /** Our UDP port; undefined: not known, or another one for each of them. */
  readonly port: number | undefined
  /** 'open': reached unasked; 'consistent': one port for all, so that holes can be punched; 'symmetric': another port for each. */
  readonly nat: 'unknown' | 'open' | 'consistent' | 'symmetric'
}

/** Whether one is found under a topic, looks others up there, or both. */
export type DhtPart = 'both' | 'announce' | 'look'

interface Joined {
  readonly session: DiscoverySession
  readonly part: DhtPart
}

/** A lookup again, after a TCP connection ended, at most so often. */
const REFRESH_WAIT_MS = 5_000
/** Lookups after a join: of two that join at once neither finds the other in the first, and the next is 10 min away. */
const EAGER_AFTER_MS: readonly number[] = [1_500, 15_000]
/** How often everything is asked again while no DHT node has answered yet. */
const LONELY_MS = 30_000

export class DhtFinder {
  readonly #dht: HyperDHT
  readonly #swarm: Hyperswarm
  readonly #log: Log
  readonly #sessions = new Map<string, Joined>()
  readonly #hushed = new Set<DeviceId>()
  readonly #timers = new Timers()
  readonly #lonely: NodeJS.Timeout
  readonly #silence = new SilenceWatch({
    dial: (device) => this.#dialOnce(device),
    now: () => performance.now(),
    random: Math.random,
  })
  #isRefreshDue = false

  constructor(options: DhtFinderOptions) {
    const { device } = options
    this.#log = options.log
    const keyPair = { publicKey: device.publicKey, secretKey: device.secretKey }
    this.#dht = new HyperDHT({
      bootstrap:
        options.bootstrap === 'public'
          ? HyperDHT.BOOTSTRAP
          : options.bootstrap.map(({ host, port }) => ({ host, port })),
      keyPair,
      port: [0, 0],
      ...(options.host === undefined ? {} : { host: options.host }),
    })
    this.#swarm = new Hyperswarm({ dht: this.#dht, keyPair })
    this.#swarm.on('connection', (stream, peer) => {
      options.onConnection(stream, peer.topics)
      this.#silence.watch(deviceIdFromKey(peer.publicKey), stream)
    })
    this.#lonely = setInterval(() => {
      if (this.#dht.toArray().length === 0) this.#refreshAll()
    }, LONELY_MS)
    this.#lonely.unref()
  }

  /** Announces a topic, looks it up, or both, now and every ten minutes or so. Nothing waits for the result. */
  join(topic: Buffer, part: DhtPart = 'both'): void {
    const key = topic.toString('hex')
    if (this.#sessions.has(key)) return
    this.#sessions.set(key, { session: this.#swarm.join(topic, modeOf(part)), part })
    for (const afterMs of EAGER_AFTER_MS)
      this.#timers.after(afterMs * (0.75 + Math.random() / 2), () => {
        const joined = this.#sessions.get(key)
        if (joined !== undefined) this.#refresh(joined)
      })
  }

  leave(topic: Buffer): void {
    const key = topic.toString('hex')
    const joined = this.#sessions.get(key)
    this.#sessions.delete(key)
    joined?.session.destroy().catch((err: unknown) => this.#log.debug({ err }, 'cannot leave a DHT topic'))
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

  get view(): DhtView {
    return viewOf(this.#dht)
  }

  /** Takes some 2 s at most, whatever the network does. */
  async close(): Promise<void> {
    clearInterval(this.#lonely)
    this.#timers.clearAll()
    this.#silence.close()
    this.#sessions.clear()
    await closeDht(this.#dht, () => this.#swarm.destroy(), this.#log)
  }

  /** Without waiting for hyperswarm's back-off; it keeps to its own number of dials at once, and does nothing for a device that is there. */
  #dialOnce(device: DeviceId): void {
    const peer = this.#swarm.peers.get(device)
    if (peer === undefined || peer.banned) return
    this.#swarm.joinPeer(peer.publicKey)
    this.#swarm.leavePeer(peer.publicKey)
  }

  #refreshSoon(): void {
    if (this.#isRefreshDue) return
    this.#isRefreshDue = true
    this.#timers.after(REFRESH_WAIT_MS, () => {
      this.#isRefreshDue = false
      this.#refreshAll()
    })
  }

  #refreshAll(): void {
    for (const joined of this.#sessions.values()) this.#refresh(joined)
  }

  #refresh({ session, part }: Joined): void {
    session
      .refresh(modeOf(part))
      .catch((err: unknown) => this.#log.debug({ err }, 'cannot ask the DHT again'))
  }
}

function modeOf(part: DhtPart): { server: boolean; client: boolean } {
  return { server: part !== 'look', client: part !== 'announce' }
}

export function viewOf(
  dht: Pick<HyperDHT, 'host' | 'port' | 'randomized' | 'firewalled' | 'toArray'>,
): DhtView {
  const { host, port, randomized, firewalled } = dht
  const known = host === null ? 'unknown' : randomized ? 'symmetric' : 'consistent'
  return {
    nodes: dht.toArray().length,
    host: host ?? undefined,
    port: port === 0 ? undefined : port,
    nat: firewalled ? known : 'open',
  }
}
