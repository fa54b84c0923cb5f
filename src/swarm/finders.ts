// The two ways to find others without knowing where they are, as one: the LAN beacon and the DHT (X6). Holds what is
// looked for from before the start on, and loads the DHT's code, some 8 MiB, only where one is used. Shares are announced and looked for; an open invite is only announced, and who
// holds one only looks (docs/design.md, "Invites").
import type NoiseSecretStream from '@hyperswarm/secret-stream'
import type { DeviceKeys } from '../core/device.js'
import type { DeviceId } from '../core/ids.js'
import type { Log } from '../ports/log.js'
import { type BeaconPace, LanBeacon } from './beacon.js'
import type { Transport } from './dedupe.js'
import type { DhtFinder, DhtPart } from './dht.js'
import type { DhtNode } from './dht-node.js'
import type { Endpoint } from './endpoint.js'

/** How a device is reached now: the finders of ways that are no better fall silent for it. */
export type Standing = Transport | 'banned' | 'lost'

/** What devices look for each other by. */
export interface MeetingPoint {
  /** What onBeacon names it by. */
  readonly id: string
  /** 32 bytes; what the DHT is asked for. */
  readonly topic: Buffer
  /** 32 bytes; tags of the LAN beacon. */
  readonly beaconKey: Buffer
}

/** Where to look for it. */
export interface SearchWays {
  readonly searchLan: boolean
  readonly useDht: boolean
}

/**
 * Members find each other; a host is found by guests. Who is passing finds members: it beacons, since they do so only once
 * a minute, but leaves nothing in the DHT.
 */
export type SearchRole = 'member' | 'host' | 'guest' | 'passing'

export interface FindersOptions {
  readonly device: DeviceKeys
  /** IPv4 address that the DHT binds to; undefined: all. */
  readonly host?: string
  /** Without any, no DHT is asked. */
  readonly bootstrap: readonly Endpoint[]
  /** Whether to run a node of it for others, on the listening port over UDP. */
  readonly dhtNode?: boolean
  /** See SwarmOptions. */
  readonly interfaces?: readonly string[]
  readonly beaconPort?: number
  readonly onBeacon: (id: string, endpoint: Endpoint) => void
  /** See DhtFinderOptions. */
  readonly onConnection: (stream: NoiseSecretStream, topics: readonly Buffer[]) => void
  readonly log: Log
}

interface Sought {
  readonly point: MeetingPoint
  readonly ways: SearchWays
  readonly role: SearchRole
}

const PACES: Readonly<Record<SearchRole, BeaconPace>> = {
  member: 'minutely',
  host: 'often',
  guest: 'never',
  passing: 'minutely',
}
const PARTS: Readonly<Record<SearchRole, DhtPart>> = {
  member: 'both',
  host: 'announce',
  guest: 'look',
  passing: 'look',
}

export class Finders {
  readonly #options: FindersOptions
  readonly #sought = new Map<string, Sought>()
  #beacon: LanBeacon | undefined
  #dht: DhtFinder | undefined
  #dhtNode: DhtNode | undefined
  #isClosed = false

  constructor(options: FindersOptions) {
    this.#options = options
  }

  /** Begins, announcing that TCP connections are accepted on `listeningPort`; 0: on none. @throws ShoalError PORT_IN_USE, IO */
  async start(listeningPort: number): Promise<void> {
    const { device, host, bootstrap, dhtNode = false, onConnection, log } = this.#options
    if (dhtNode) {
      const { runDhtNode } = await import('./dht-node.js')
      this.#dhtNode = await runDhtNode({ host: host ?? '0.0.0.0', port: listeningPort, bootstrap, log })
    }
    const dht = bootstrap.length > 0 ? await import('./dht.js') : undefined
    if (this.#isClosed) {
      await this.#dhtNode?.close()
      return
    }
    this.#beacon = this.#makeBeacon(listeningPort)
    if (dht !== undefined) {
      const options = { device, bootstrap, onConnection, log }
      this.#dht = new dht.DhtFinder({ ...options, ...(host === undefined ? {} : { host }) })
    }
    for (const sought of this.#sought.values()) this.#seek(sought)
    void this.#beacon.start()
  }

  add(point: MeetingPoint, ways: SearchWays, role: SearchRole): void {
    const sought = { point, ways, role }
    this.#sought.set(point.id, sought)
    this.#seek(sought)
  }

  remove(id: string): void {
    const sought = this.#sought.get(id)
    if (sought === undefined) return
    this.#sought.delete(id)
    this.#beacon?.remove(id)
    if (sought.ways.useDht) this.#dht?.leave(sought.point.topic)
  }

  /** A device is reached by another way than before, or refused, or no longer so. */
  stand(device: DeviceId, standing: Standing): void {
    this.#dht?.hush(device, standing === 'tcp' || standing === 'banned')
  }

  /** Takes some 2 s at most, whatever the network does. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#beacon?.close()
    await Promise.all([this.#dht?.close(), this.#dhtNode?.close()])
  }

  #makeBeacon(listeningPort: number): LanBeacon {
    const { interfaces, beaconPort, onBeacon, log } = this.#options
    return new LanBeacon({
      listeningPort,
      ...(interfaces === undefined ? {} : { interfaces }),
      ...(beaconPort === undefined ? {} : { beaconPort }),
      onFound: onBeacon,
      log,
    })
  }

  #seek({ point, ways, role }: Sought): void {
    const { id, topic, beaconKey } = point
    if (ways.searchLan) this.#beacon?.add({ id, beaconKey, pace: PACES[role] })
    if (ways.useDht) this.#dht?.join(topic, PARTS[role])
  }
}
