// The ways to find others without knowing where they are, as one: the LAN beacon, the DHT (X6) and relays. Holds what is
// looked for from before the start on, and loads the DHT's code, some 8 MiB, only where one is used. Shares are announced
// and looked for; an open invite is only announced, and who holds one only looks (docs/design.md, "Invites").
import type NoiseSecretStream from '@hyperswarm/secret-stream'
import type { DeviceKeys } from '../core/device.js'
import type { DeviceId, ShareId } from '../core/ids.js'
import type { RelayKeys } from '../core/secret.js'
import type { Log } from '../ports/log.js'
import { type BeaconPace, LanBeacon } from './beacon.js'
import type { Transport } from './dedupe.js'
import type { DhtFinder, DhtFinderOptions, DhtPart, DhtView } from './dht.js'
import type { DhtNode } from './dht-node.js'
import type { Endpoint } from './endpoint.js'
import { type Bootstrap, isPublicDhtAllowed, PUBLIC_DHT_VARIABLE } from './public-dht.js'
import type { RelayStanding } from './relay-control.js'
import { type RelayedSocket, RelayFinder } from './relay-finder.js'
import type { DialTcp } from './tcp.js'

/** How a device is reached now: the finders of ways that are no better fall silent for it. 'still': by TCP that stands still. */
export type Standing = Transport | 'still' | 'banned' | 'lost'

/** What devices look for each other by. */
export interface MeetingPoint {
  /** What onBeacon names it by. */
  readonly id: string
  /** 32 bytes; what the DHT is asked for. */
  readonly topic: Buffer
  /** 32 bytes; tags of the LAN beacon. */
  readonly beaconKey: Buffer
  /** Of a share: what relays are shown. */
  readonly relay?: { readonly share: ShareId; readonly keys: RelayKeys }
}

/** Where to look for it. */
export interface SearchWays {
  readonly searchLan: boolean
  readonly useDht: boolean
  /** Default: wherever the meeting point has what relays are shown. */
  readonly useRelay?: boolean
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
  /** Without any, no DHT is asked; the public one only where something is looked for in a DHT. */
  readonly bootstrap: Bootstrap<Endpoint>
  /** Default: a DhtFinder. */
  readonly makeDht?: MakeDht
  /** Whether to run a node of it for others, on the listening port over UDP. */
  readonly dhtNode?: boolean
  /** See SwarmOptions. */
  readonly interfaces?: readonly string[]
  readonly beaconPort?: number
  readonly onBeacon: (id: string, endpoint: Endpoint) => void
  /** See DhtFinderOptions. */
  readonly onConnection: (stream: NoiseSecretStream, topics: readonly Buffer[]) => void
  readonly relays?: RelaysOptions
  readonly log: Log
}

/** Relays, and what becomes of connections through them. */
export interface RelaysOptions {
  readonly endpoints: readonly Endpoint[]
  readonly dial: DialTcp
  readonly onSocket: (relayed: RelayedSocket) => void
  /** See RelayFinderOptions. */
  readonly headStartMs?: number
}

/** What is asked of a DHT here. */
export type DhtFinding = Pick<DhtFinder, 'join' | 'leave' | 'hush' | 'close' | 'view'>
export type MakeDht = (options: DhtFinderOptions) => Promise<DhtFinding>

/** Loads the code only now. */
const makeDhtFinder: MakeDht = async (options) => {
  const { DhtFinder } = await import('./dht.js')
  return new DhtFinder(options)
}

/** Said at the start, as other people's machines are asked. */
const PUBLIC_WORDS =
  'use_dht without bootstrap: members are looked for in the public DHT, whose nodes see device keys, topics and addresses; bootstrap names nodes of your own, [] none'

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
  #dht: DhtFinding | undefined
  #dhtStart: Promise<void> | undefined
  #dhtNode: DhtNode | undefined
  #relays: RelayFinder | undefined
  #isClosed = false

  constructor(options: FindersOptions) {
    this.#options = options
  }

  /** Begins, announcing that TCP connections are accepted on `listeningPort`; 0: on none. @throws ShoalError PORT_IN_USE, IO */
  async start(listeningPort: number): Promise<void> {
    const { host, bootstrap, dhtNode = false, log } = this.#options
    if (dhtNode) {
      const { runDhtNode } = await import('./dht-node.js')
      // Of a network of one's own: nobody's traffic is taken on unasked.
      const others = bootstrap === 'public' ? [] : bootstrap
      this.#dhtNode = await runDhtNode({
        host: host ?? '0.0.0.0',
        port: listeningPort,
        bootstrap: others,
        log,
      })
    }
    if (bootstrap !== 'public' && bootstrap.length > 0) await this.#startDht()
    if (this.#isClosed) {
      await this.#dhtNode?.close()
      return
    }
    this.#beacon = this.#makeBeacon(listeningPort)
    this.#relays = this.#makeRelays()
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
    if (sought.point.relay !== undefined) this.#relays?.remove(sought.point.relay.share)
  }

  /** How it stands with each relay. */
  get relays(): RelayStanding[] {
    return this.#relays?.standings ?? []
  }

  /** Which DHT is asked, and how the network looks to it; undefined: none. */
  get dht(): (DhtView & { readonly isPublic: boolean }) | undefined {
    return this.#dht === undefined
      ? undefined
      : { ...this.#dht.view, isPublic: this.#options.bootstrap === 'public' }
  }

  /** A device is reached by another way than before, or refused, or no longer so. */
  stand(device: DeviceId, standing: Standing): void {
    this.#dht?.hush(device, standing === 'tcp' || standing === 'banned')
    this.#relays?.reached(device, standing !== 'lost' && standing !== 'still')
  }

  /** Takes some 2 s at most, whatever the network does. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#beacon?.close()
    this.#relays?.close()
    // Its failure was told where it was started.
    await this.#dhtStart?.catch(() => undefined)
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

  #startDht(): Promise<void> {
    this.#dhtStart ??= this.#openDht()
    return this.#dhtStart
  }

  async #openDht(): Promise<void> {
    const { device, host, bootstrap, onConnection, makeDht = makeDhtFinder, log } = this.#options
    if (bootstrap === 'public') {
      if (!isPublicDhtAllowed(process.env)) {
        log.warn(
          {},
          `use_dht without bootstrap does nothing: ${PUBLIC_DHT_VARIABLE}=off forbids the public DHT`,
        )
        return
      }
      log.info({}, PUBLIC_WORDS)
    }
    const options = { device, bootstrap, onConnection, log, ...(host === undefined ? {} : { host }) }
    const dht = await makeDht(options)
    if (this.#isClosed) return dht.close()
    this.#dht = dht
    for (const { point, ways, role } of this.#sought.values())
      if (ways.useDht) dht.join(point.topic, PARTS[role])
  }

  #makeRelays(): RelayFinder | undefined {
    const { device, relays, log } = this.#options
    if (relays === undefined || relays.endpoints.length === 0) return undefined
    const { endpoints, ...ways } = relays
    return new RelayFinder({ device: device.device, relays: endpoints, ...ways, log })
  }

  #seek({ point, ways, role }: Sought): void {
    const { id, topic, beaconKey, relay } = point
    if (ways.searchLan) this.#beacon?.add({ id, beaconKey, pace: PACES[role] })
    if (ways.useDht) this.#dht?.join(topic, PARTS[role])
    // The public one is asked when somebody wants it, and not before.
    if (ways.useDht && this.#beacon !== undefined && this.#options.bootstrap === 'public')
      this.#startDht().catch((err: unknown) => this.#options.log.warn({ err }, 'cannot use the public DHT'))
    if (relay !== undefined && ways.useRelay !== false) this.#relays?.add(relay.share, relay.keys)
  }
}
