// Finds the members of our shares and keeps one proven connection to each (X1, X5, X6): listens and dials over TCP,
// asks the LAN beacon and the DHT, and hands out peers per share. Nothing here reads or writes files; what should be
// remembered of addresses is asked for through ShareSwarm.known().
import { randomBytes } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { isIPv4, type Socket } from 'node:net'
import type NoiseSecretStream from '@hyperswarm/secret-stream'
import type { DeviceKeys } from '../core/device.js'
import { ShoalError } from '../core/error.js'
import type { DeviceId, ShareId } from '../core/ids.js'
import type { ShareKeys } from '../core/secret.js'
import type { Log } from '../ports/log.js'
import { AddressBook, type DialTarget } from './addresses.js'
import { Connections, type ConnectionsOptions } from './connections.js'
import { Devices } from './devices.js'
import { Dialer } from './dialer.js'
import { type Endpoint, endpointOf } from './endpoint.js'
import { Finders, type MakeDht, type MeetingPoint, type SearchWays } from './finders.js'
import type { GuestDoor } from './guest.js'
import { HeardDial } from './heard-dial.js'
import { DEFAULT_TIMINGS, type LinkTimings } from './link-timings.js'
import { clipName, type DeviceAddress, INSTANCE_BYTES } from './messages.js'
import { NetworkWatch } from './network-watch.js'
import { type Bootstrap, bootstrapOf } from './public-dht.js'
import type { RelayStanding } from './relay-control.js'
import type { RelayedSocket } from './relay-finder.js'
import { type ShareHost, ShareMembers, type ShareSwarm } from './share-swarm.js'
import { type DialTcp, dialTcp, remoteOf, TcpListener } from './tcp.js'

export interface SwarmOptions {
  readonly device: DeviceKeys
  /** Told to members; cut to 64 bytes. */
  readonly deviceName: string
  /** 0: any free one. */
  readonly listeningPort: number
  /** Whether another port will do where that one is in use. Default: no. */
  readonly anyPortIfTaken?: boolean
  /** Undefined: all addresses. */
  readonly listenHost?: string
  /** Names or addresses that the LAN beacon may use; undefined: all but loopback. */
  readonly interfaces?: readonly string[]
  /** UDP port of the LAN beacon, the same on all machines. */
  readonly beaconPort?: number
  /** 'host:port' of DHT nodes, or the public ones, once a share uses the DHT; default: none. */
  readonly bootstrap?: Bootstrap
  /** See FindersOptions. */
  readonly makeDht?: MakeDht
  /** Whether to run a DHT node for others too, on the listening port over UDP. */
  readonly dhtNode?: boolean
  /** 'host:port' of relays; asked for connections with whom no direct way reaches. */
  readonly relays?: readonly string[]
  /** Head start of direct ways over relays; default 3 s. */
  readonly relayHeadStartMs?: number
  /** Here for a moment: peers are asked, by the port 0 of the hello, neither to remember nor to pass on where we are. */
  readonly isPassing?: boolean
  /** Takes connections that begin otherwise than with the proof for a share; without it they are closed. */
  readonly door?: GuestDoor
  /** How TCP peers are reached, but for those heard on the local network, who are dialled directly; default dialTcp. */
  readonly dial?: DialTcp
  readonly log: Log
  readonly timings?: Partial<LinkTimings>
  /** Milliseconds since 1970, told to members; default: Date.now. */
  readonly wallNow?: () => number
}

export interface ShareOptions {
  readonly keys: ShareKeys
  /** 'host:port', dialled for ever. */
  readonly knownHosts: readonly string[]
  readonly searchLan: boolean
  readonly useDht: boolean
  /** Whether connections through relays may carry it; default: yes. */
  readonly useRelay?: boolean
}

interface SwarmEvents {
  /** A device with our own key runs elsewhere, with another instance (F4). */
  clone: [found: { readonly instance: string; readonly address: string }]
}

type State = 'new' | 'running' | 'stopped'

export class Swarm extends EventEmitter<SwarmEvents> {
  /** This process: 16 random bytes in hex. */
  readonly instance: string = randomBytes(INSTANCE_BYTES).toString('hex')
  readonly #options: SwarmOptions
  readonly #log: Log
  readonly #own: DeviceId
  readonly #timings: LinkTimings
  readonly #shares = new Map<ShareId, { readonly members: ShareMembers; readonly options: ShareOptions }>()
  readonly #connections: Connections
  readonly #book: AddressBook
  readonly #devices: Devices
  readonly #dialer: Dialer
  readonly #dial: HeardDial
  readonly #finders: Finders
  readonly #network: NetworkWatch
  #state: State = 'new'
  #port = 0
  #listener: TcpListener | undefined
  #turn = 0

  constructor(options: SwarmOptions) {
    super()
    this.#options = options
    this.#log = options.log
    this.#own = options.device.device
    this.#timings = { ...DEFAULT_TIMINGS, ...options.timings }
    this.#connections = new Connections({
      device: options.device,
      common: () => this.#linkOptions(),
      onReady: (link) => this.#devices.add(link),
    })
    this.#book = new AddressBook(this.#own, Math.random)
    this.#devices = new Devices({
      own: this.#own,
      instance: this.instance,
      now,
      book: this.#book,
      members: () => this.#members(),
      stand: (device, standing) => this.#finders.stand(device, standing),
      wake: () => this.#dialer.wake(),
      onClone: ({ instance, address }) => this.emit('clone', { instance, address }),
      log: options.log,
    })
    this.#dial = new HeardDial(dialTcp, options.dial ?? dialTcp)
    this.#dialer = new Dialer({
      book: this.#book,
      view: this.#devices.view,
      dial: this.#dial.dial,
      timeoutMs: this.#timings.proofTimeoutMs,
      now,
      onSocket: (socket, target, done) => this.#onDialled(socket, target, done),
      onFailure: ({ key }, err) => this.#log.debug({ address: key, reason: err.message }, 'cannot connect'),
    })
    this.#finders = this.#makeFinders()
    this.#network = new NetworkWatch({
      now,
      onGone: (addresses) => this.#devices.gone(addresses),
      onNew: () => {
        this.#log.info({}, 'this machine has another address')
        this.woke()
      },
    })
  }

  /** Our own addresses, told to members, what they say of us, and whom TCP does not serve. */
  get devices(): Pick<Devices, 'ownWays' | 'stoodStill'> {
    return this.#devices
  }

  /** Which DHT is asked, and how the network looks to it; undefined: none. */
  get dht(): Finders['dht'] {
    return this.#finders.dht
  }

  /**
   * The machine has slept, or is on another network: who is connected is asked, and whom we lost is looked for again, soon and
   * not all at once.
   */
  woke(): void {
    this.#devices.doubt()
    this.#dialer.woke()
  }

  /** Listens and starts looking; resolves as soon as it listens. @throws ShoalError PORT_IN_USE, IO */
  async start(): Promise<{ port: number }> {
    const { listenHost, listeningPort } = this.#options
    if (this.#state !== 'new') throw new ShoalError('INTERNAL', 'cannot start the swarm twice')
    this.#state = 'running'
    try {
      this.#listener = await this.#listen(listenHost, listeningPort)
      this.#port = this.#listener.port
      await this.#finders.start(this.#port)
      if (!this.#isRunning) throw new ShoalError('INTERNAL', 'the swarm was stopped while it started')
    } catch (thrown) {
      await this.#close()
      throw thrown
    }
    this.#dialer.start()
    this.#network.start()
    this.#log.info({ port: this.#port }, 'listening')
    return { port: this.#port }
  }

  async #listen(host: string | undefined, port: number): Promise<TcpListener> {
    const onSocket = (socket: Socket): void => this.#onSocket(socket)
    try {
      return await TcpListener.open(host, port, onSocket, this.#log)
    } catch (thrown) {
      const isTaken = thrown instanceof ShoalError && thrown.code === 'PORT_IN_USE'
      if (!isTaken || this.#options.anyPortIfTaken !== true) throw thrown
      return TcpListener.open(host, 0, onSocket, this.#log)
    }
  }

  /** Closes everything; resolves within some 3 s whatever the network does. */
  async stop(): Promise<void> {
    if (this.#state !== 'stopped') await this.#close()
  }

  async #close(): Promise<void> {
    this.#state = 'stopped'
    this.#network.stop()
    this.#dialer.stop()
    this.#devices.stop()
    this.#connections.close()
    await Promise.all([this.#listener?.close(), this.#finders.close()])
  }

  get #isRunning(): boolean {
    return this.#state === 'running'
  }

  /** Serves a share and looks for its members. @throws ShoalError CONFIG_INVALID for a host that is none */
  addShare(options: ShareOptions): ShareSwarm {
    const { keys, knownHosts } = options
    if (this.#shares.has(keys.shareId)) throw new ShoalError('INTERNAL', 'cannot add a share twice')
    const hosts = knownHosts.map(endpointOf)
    const members = new ShareMembers(keys, this.#shareHost, options.useRelay !== false)
    this.#shares.set(keys.shareId, { members, options })
    for (const host of hosts) this.#book.addKnown(keys.shareId, host, now())
    const role = this.#options.isPassing === true ? 'passing' : 'member'
    const relay = { share: keys.shareId, keys: keys.relay }
    this.#finders.add(
      { id: keys.shareId, topic: keys.topic, beaconKey: keys.beaconKey, relay },
      options,
      role,
    )
    this.#devices.serve(members)
    this.#dialer.wake()
    return members
  }

  /** Lets guests find this device by a point that only they know, until leave(point.id). */
  host(point: MeetingPoint, ways: SearchWays): void {
    this.#finders.add(point, ways, 'host')
  }

  leave(id: string): void {
    this.#finders.remove(id)
  }

  /** How it stands with each relay of the options. */
  get relays(): RelayStanding[] {
    return this.#finders.relays
  }

  get #shareHost(): ShareHost {
    return {
      own: this.#own,
      learn: (share, list) => this.#learn(share, list),
      known: (share) => this.#book.known(share),
      setKnownHosts: (share, hosts) => {
        this.#book.setKnown(share, hosts.map(endpointOf), now())
        this.#dialer.wake()
      },
      ban: (device, reason, forMs) => {
        if (this.#isRunning) this.#devices.ban(device, reason, forMs)
      },
      rivalOf: (device) => this.#devices.rivalOf(device),
      removeShare: (share) => this.#removeShare(share),
      onChannelClosed: (link, hasMoved) => this.#devices.left(link, hasMoved),
    }
  }

  #makeFinders(): Finders {
    const { device, listenHost, bootstrap = [], dhtNode = false, interfaces, beaconPort, log } = this.#options
    const { relays = [], relayHeadStartMs, dial = dialTcp, makeDht } = this.#options
    return new Finders({
      device,
      bootstrap: bootstrapOf(bootstrap, endpointOf),
      ...(makeDht === undefined ? {} : { makeDht }),
      dhtNode,
      ...(listenHost !== undefined && isIPv4(listenHost) ? { host: listenHost } : {}),
      ...(interfaces === undefined ? {} : { interfaces }),
      ...(beaconPort === undefined ? {} : { beaconPort }),
      onBeacon: (id, endpoint) => this.#onBeacon(id, endpoint),
      onConnection: (stream, topics) => this.#onDhtConnection(stream, topics),
      relays: {
        endpoints: relays.map(endpointOf),
        dial,
        onSocket: (relayed) => this.#onRelayed(relayed),
        ...(relayHeadStartMs === undefined ? {} : { headStartMs: relayHeadStartMs }),
      },
      log,
    })
  }

  #onSocket(socket: Socket): void {
    if (!this.#isRunning) {
      socket.destroy()
      return
    }
    const stream = this.#connections.noise(false, socket)
    this.#connections.open({ stream, transport: 'tcp', remote: remoteOf(socket) })
  }

  #onDialled(socket: Socket, target: DialTarget, done: () => void): void {
    const share = this.#shares.get(target.share)?.options.keys
    if (!this.#isRunning || share === undefined) {
      socket.destroy()
      this.#book.failed(target.key, now())
      done()
      return
    }
    const stream = this.#connections.noise(true, socket)
    let isMismatch = false
    this.#connections.open({
      stream,
      transport: 'tcp',
      remote: remoteOf(socket),
      dialled: { key: target.key, endpoint: target.endpoint },
      share,
      refuse: (device) => {
        isMismatch = target.device !== undefined && target.device !== device
        return isMismatch ? 'another device answers there' : this.#devices.refuse(device)
      },
      onSettled: (link) => {
        if (isMismatch) this.#book.mismatched(target.key)
        else if (link.readyMs === 0) this.#book.failed(target.key, now(), link.deviceSeen)
        done()
      },
    })
  }

  #onDhtConnection(stream: NoiseSecretStream, topics: readonly Buffer[]): void {
    const { remoteHost, remotePort } = stream.rawStream
    const remote = { host: remoteHost ?? '0.0.0.0', port: remotePort ?? 0 }
    const shares = this.#members().map(({ keys }) => keys)
    const wanted = shares.filter(({ topic }) => topics.some((other) => other.equals(topic)))
    // Who was found under several topics may hold the secret of only some.
    const share = wanted[this.#turn++ % Math.max(1, wanted.length)]
    this.#connections.open({ stream, transport: 'udx', remote, ...(share === undefined ? {} : { share }) })
  }

  #onRelayed({ socket, remote, isInitiator, share, onSettled }: RelayedSocket): void {
    const keys = this.#shares.get(share)?.options.keys
    if (!this.#isRunning || keys === undefined) {
      socket.destroy()
      onSettled()
      return
    }
    const stream = this.#connections.noise(isInitiator, socket)
    this.#connections.open({
      ...{ stream, transport: 'relayed', remote, onSettled },
      ...(isInitiator ? { share: keys } : {}),
      shares: () => this.#members().flatMap((members) => (members.isRelayable ? [members.keys] : [])),
    })
    // Noise listens as soon as its stream has opened, some microtasks from now; it does not resume what was paused.
    setImmediate(() => socket.resume())
  }

  get #helloPort(): number {
    return this.#options.isPassing === true ? 0 : this.#port
  }

  #linkOptions(): ReturnType<ConnectionsOptions['common']> {
    return {
      shares: () => this.#members().map(({ keys }) => keys),
      refuse: (device) => this.#devices.refuse(device),
      hello: { instance: this.instance, name: clipName(this.#options.deviceName), port: this.#helloPort },
      ...(this.#options.door === undefined ? {} : { door: this.#options.door }),
      timings: this.#timings,
      now,
      ...(this.#options.wallNow === undefined ? {} : { wallNow: this.#options.wallNow }),
      log: this.#log,
    }
  }

  #onBeacon(id: string, endpoint: Endpoint): void {
    const share = [...this.#shares.keys()].find((each) => each === id)
    if (share === undefined) return
    this.#dial.heard(endpoint)
    this.#book.hear(share, endpoint, now())
    this.#dialer.wake()
  }

  #learn(share: ShareId, list: readonly DeviceAddress[]): void {
    if (!this.#shares.has(share)) return
    for (const address of list) this.#book.learn(share, address, now())
    this.#dialer.wake()
  }

  #removeShare(share: ShareId): void {
    if (!this.#shares.delete(share)) return
    this.#book.removeShare(share)
    this.#finders.remove(share)
  }

  #members(): ShareMembers[] {
    return [...this.#shares.values()].map(({ members }) => members)
  }
}

/** Milliseconds of a clock that never goes back. */
function now(): number {
  return performance.now()
}
