// Finds the members of our shares and keeps one proven connection to each (X1, X5, X6): listens and dials over TCP,
// asks the LAN beacon and the DHT, and hands out peers per share. Nothing here reads or writes files; what should be
// remembered of addresses is asked for through ShareSwarm.known().
import { randomBytes, randomInt } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { isIPv4, type Socket } from 'node:net'
import NoiseSecretStream from '@hyperswarm/secret-stream'
import type { DeviceKeys } from '../core/device.js'
import { ShoalError } from '../core/error.js'
import type { DeviceId, ShareId } from '../core/ids.js'
import type { ShareKeys } from '../core/secret.js'
import type { Log } from '../ports/log.js'
import { AddressBook, type DeviceView, type DialTarget } from './addresses.js'
import { LanBeacon } from './beacon.js'
import { DhtFinder } from './dht.js'
import { type DhtNode, runDhtNode } from './dht-node.js'
import { Dialer } from './dialer.js'
import { type Endpoint, parseEndpoint, scopeOf } from './endpoint.js'
import { DEFAULT_TIMINGS, Link, type LinkOptions, type LinkTimings } from './link.js'
import { LinkTable } from './link-table.js'
import { clipName, type DeviceAddress, INSTANCE_BYTES } from './messages.js'
import { PROOF_BYTES } from './proof.js'
import { offersExpected, type ShareHost, ShareMembers, type ShareSwarm } from './share-swarm.js'
import { Lobby, TcpListener } from './tcp.js'

export interface SwarmOptions {
  readonly device: DeviceKeys
  /** Told to members; cut to 64 bytes. */
  readonly deviceName: string
  /** 0: any free one. */
  readonly listeningPort: number
  /** Undefined: all addresses. */
  readonly listenHost?: string
  /** Names or addresses that the LAN beacon may use; undefined: all but loopback. */
  readonly interfaces?: readonly string[]
  /** UDP port of the LAN beacon, the same on all machines. */
  readonly beaconPort?: number
  /** 'host:port' of DHT nodes; without any the DHT is not started. */
  readonly bootstrap?: readonly string[]
  /** Whether to run a DHT node for others too, on the listening port over UDP. */
  readonly dhtNode?: boolean
  readonly log: Log
  readonly timings?: Partial<LinkTimings>
}

export interface ShareOptions {
  readonly keys: ShareKeys
  /** 'host:port', dialled for ever. */
  readonly knownHosts: readonly string[]
  readonly searchLan: boolean
  readonly useDht: boolean
}

interface SwarmEvents {
  /** A device with our own key runs elsewhere, with another instance (F4). */
  clone: [found: { readonly instance: string; readonly address: string }]
}

/** Offers are padded to a multiple of this with random ids, so that their number says little (X1). */
const OFFER_PADDING = 8
/** Offer messages that one connection may send; honest ones send one, and one per share that is added later. */
const MAX_OFFER_MESSAGES = 1_000
/** Devices refused at a time; beyond it the oldest ban is forgotten. */
const MAX_BANS = 1_000

type OpenOptions = Pick<LinkOptions, 'stream' | 'transport' | 'remote'> &
  Partial<LinkOptions> & { readonly onSettled?: (link: Link) => void }

type State = 'new' | 'running' | 'stopped'

export class Swarm extends EventEmitter<SwarmEvents> {
  /** This process: 16 random bytes in hex. */
  readonly instance: string = randomBytes(INSTANCE_BYTES).toString('hex')
  readonly #options: SwarmOptions
  readonly #log: Log
  readonly #own: DeviceId
  readonly #timings: LinkTimings
  readonly #shares = new Map<ShareId, { readonly members: ShareMembers; readonly options: ShareOptions }>()
  readonly #lobby = new Lobby()
  readonly #links = new Set<Link>()
  /** Refused devices, each with the timer that ends it. */
  readonly #bans = new Map<DeviceId, NodeJS.Timeout>()
  readonly #book: AddressBook
  readonly #table: LinkTable
  readonly #dialer: Dialer
  #state: State = 'new'
  #port = 0
  #listener: TcpListener | undefined
  #beacon: LanBeacon | undefined
  #dht: DhtFinder | undefined
  #dhtNode: DhtNode | undefined
  #turn = 0

  constructor(options: SwarmOptions) {
    super()
    this.#options = options
    this.#log = options.log
    this.#own = options.device.device
    this.#timings = { ...DEFAULT_TIMINGS, ...options.timings }
    this.#book = new AddressBook(this.#own, Math.random)
    this.#table = new LinkTable({
      own: this.#own,
      now,
      onSelected: (link) => this.#onSelected(link),
      onLost: (link, lastedMs, reason) => this.#onLost(link, lastedMs, reason),
    })
    this.#dialer = new Dialer({
      book: this.#book,
      view: this.#view,
      timeoutMs: this.#timings.proofTimeoutMs,
      now,
      onSocket: (socket, target, done) => this.#onDialled(socket, target, done),
      onFailure: ({ key }, err) => this.#log.debug({ address: key, reason: err.message }, 'cannot connect'),
    })
  }

  /** Listens and starts looking; resolves as soon as it listens. @throws ShoalError PORT_IN_USE, IO */
  async start(): Promise<{ port: number }> {
    const { listenHost, listeningPort, bootstrap = [], dhtNode = false } = this.#options
    if (this.#state !== 'new') throw new ShoalError('INTERNAL', 'cannot start the swarm twice')
    const nodes = bootstrap.map(endpointOf)
    this.#state = 'running'
    try {
      this.#listener = await TcpListener.open(
        listenHost,
        listeningPort,
        (socket) => this.#onSocket(socket),
        this.#log,
      )
      this.#port = this.#listener.port
      const host = listenHost !== undefined && isIPv4(listenHost) ? listenHost : undefined
      if (dhtNode)
        this.#dhtNode = await runDhtNode({
          host: host ?? '0.0.0.0',
          port: this.#port,
          bootstrap: nodes,
          log: this.#log,
        })
      this.#startBeacon()
      if (nodes.length > 0) this.#startDht(nodes, host)
    } catch (thrown) {
      await this.stop()
      throw thrown
    }
    this.#dialer.start()
    this.#log.info({ port: this.#port }, 'listening')
    return { port: this.#port }
  }

  /** Closes everything; resolves within some 3 s whatever the network does. */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return
    this.#state = 'stopped'
    this.#dialer.stop()
    this.#beacon?.close()
    for (const timer of this.#bans.values()) clearTimeout(timer)
    for (const link of [...this.#links]) link.close('stopped')
    await Promise.all([this.#listener?.close(), this.#dht?.close(), this.#dhtNode?.close()])
  }

  /** Serves a share and looks for its members. @throws ShoalError CONFIG_INVALID for a host that is none */
  addShare(options: ShareOptions): ShareSwarm {
    const { keys, knownHosts } = options
    if (this.#shares.has(keys.shareId)) throw new ShoalError('INTERNAL', 'cannot add a share twice')
    const hosts = knownHosts.map(endpointOf)
    const members = new ShareMembers(keys, this.#shareHost)
    this.#shares.set(keys.shareId, { members, options })
    for (const host of hosts) this.#book.addKnown(keys.shareId, host, now())
    if (options.searchLan) this.#beacon?.addShare(keys)
    if (options.useDht) this.#dht?.join(keys.topic)
    for (const link of this.#table.allSelected()) {
      members.attach(link)
      link.offer(padded([members.offerIdOn(link, link.role)]))
    }
    this.#dialer.wake()
    return members
  }

  readonly #view: DeviceView = {
    // Over UDX alone, a way by TCP is still looked for (X5).
    isConnected: (device) => this.#table.has(device) && this.#table.selected(device)?.transport !== 'udx',
    isBanned: (device) => this.#bans.has(device),
  }

  get #shareHost(): ShareHost {
    return {
      own: this.#own,
      learn: (share, list) => this.#learn(share, list),
      known: (share) => this.#book.known(share),
      ban: (device, reason, forMs) => this.#ban(device, reason, forMs),
      rivalOf: (device) => this.#table.rivalOf(device),
      removeShare: (share) => this.#removeShare(share),
      onChannelClosed: (link) => this.#closeIfIdle(link),
    }
  }

  #startBeacon(): void {
    const { interfaces, beaconPort } = this.#options
    this.#beacon = new LanBeacon({
      listeningPort: this.#port,
      ...(interfaces === undefined ? {} : { interfaces }),
      ...(beaconPort === undefined ? {} : { beaconPort }),
      onFound: (share, endpoint) => this.#onBeacon(share, endpoint),
      log: this.#log,
    })
    for (const { options } of this.#shares.values())
      if (options.searchLan) this.#beacon.addShare(options.keys)
    void this.#beacon.start()
  }

  #startDht(bootstrap: readonly Endpoint[], host: string | undefined): void {
    this.#dht = new DhtFinder({
      device: this.#options.device,
      bootstrap,
      ...(host === undefined ? {} : { host }),
      onConnection: (stream, topics) => this.#onDhtConnection(stream, topics),
      log: this.#log,
    })
    for (const { options } of this.#shares.values()) if (options.useDht) this.#dht.join(options.keys.topic)
  }

  #onSocket(socket: Socket): void {
    if (this.#state !== 'running') {
      socket.destroy()
      return
    }
    const stream = this.#noise(false, socket)
    this.#open({ stream, transport: 'tcp', remote: remoteOf(socket) })
  }

  #onDialled(socket: Socket, target: DialTarget, done: () => void): void {
    const share = this.#shares.get(target.share)?.options.keys
    if (this.#state !== 'running' || share === undefined) {
      socket.destroy()
      this.#book.failed(target.key, now())
      done()
      return
    }
    const stream = this.#noise(true, socket)
    let isMismatch = false
    this.#open({
      stream,
      transport: 'tcp',
      remote: remoteOf(socket),
      dialled: { key: target.key, endpoint: target.endpoint },
      share,
      refuse: (device) => {
        isMismatch = target.device !== undefined && target.device !== device
        return isMismatch ? 'another device answers there' : this.#refuse(device)
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
    const shares = [...this.#shares.values()].map(({ options }) => options.keys)
    const wanted = shares.filter(({ topic }) => topics.some((other) => other.equals(topic)))
    // Who was found under several topics may hold the secret of only some.
    const share = wanted[this.#turn++ % Math.max(1, wanted.length)]
    this.#open({ stream, transport: 'udx', remote, ...(share === undefined ? {} : { share }) })
  }

  #noise(isInitiator: boolean, socket: Socket): NoiseSecretStream {
    const { publicKey, secretKey } = this.#options.device
    return new NoiseSecretStream(isInitiator, socket, { keyPair: { publicKey, secretKey } })
  }

  /** `onSettled` runs once, when the connection is ready or has failed. */
  #open({ onSettled, ...options }: OpenOptions): void {
    const link = new Link({
      shares: () => [...this.#shares.values()].map(({ members }) => members.keys),
      refuse: (device) => this.#refuse(device),
      hello: { instance: this.instance, name: clipName(this.#options.deviceName), port: this.#port },
      timings: this.#timings,
      now,
      log: this.#log,
      ...options,
    })
    this.#links.add(link)
    if (link.role === 'responder') this.#lobby.enter(link)
    link.on('ready', () => {
      this.#lobby.leave(link)
      this.#onReady(link)
      onSettled?.(link)
    })
    link.on('close', () => {
      this.#links.delete(link)
      this.#lobby.leave(link)
      if (link.readyMs === 0) onSettled?.(link)
    })
    link.start()
    if (this.#state !== 'running') link.close('stopped')
  }

  #onReady(link: Link): void {
    const key = link.dialled?.key
    if (link.device === this.#own) {
      const isSelf = link.instance === this.instance
      if (key !== undefined) this.#book.self(key, now())
      // Our hello as the initiator may still be on its way, and the copy has to know too: it closes, or the deadline.
      if (isSelf || link.role === 'responder')
        link.close(isSelf ? 'this is ourselves' : 'a copy of ourselves')
      if (!isSelf) this.emit('clone', { instance: link.instance, address: link.address })
      return
    }
    if (key !== undefined) this.#book.connected(key, link.device)
    if (link.transport === 'udx' && this.#table.selected(link.device)?.transport === 'tcp')
      this.#dht?.hush(link.device, true)
    this.#table.add(link)
  }

  #onSelected(link: Link): void {
    if (link.transport === 'tcp') this.#dht?.hush(link.device, true)
    let messages = 0
    link.on('offers', (ids) => {
      if (++messages > MAX_OFFER_MESSAGES) link.close('too many offers')
      else this.#onOffers(link, ids)
    })
    link.on('close', (reason) => {
      for (const { members } of this.#shares.values()) members.detach(link, reason)
    })
    const offers: Buffer[] = []
    for (const { members } of this.#shares.values()) {
      members.attach(link)
      if (members.keys.shareId !== link.gateShare) offers.push(members.offerIdOn(link, link.role))
    }
    if (this.#own < link.device) this.#shares.get(link.gateShare)?.members.open(link)
    link.offer(padded(offers))
    this.#tryTcp(link)
    this.#dialer.wake()
  }

  /** Whoever was met over UDX may be reachable over TCP too, at the same host: on one network, or with an open port. */
  #tryTcp(link: Link): void {
    const { port } = link.hello
    const { host } = link.remote
    if (link.transport !== 'udx' || port === 0 || scopeOf(host) === undefined) return
    this.#book.learn(link.gateShare, { device: link.device, host, port }, now())
  }

  #onOffers(link: Link, ids: readonly Buffer[]): void {
    const candidates = [...this.#shares.values()].map(({ members }) => members)
    const expected = offersExpected(
      candidates.filter((members) => !members.isOn(link)),
      link,
    )
    for (const id of ids) expected.get(id.toString('hex'))?.open(link)
  }

  #onLost(link: Link, lastedMs: number, reason: string): void {
    this.#log.debug({ device: link.device, address: link.address, reason }, 'lost a device')
    this.#book.lost(link.device, lastedMs, now())
    if (!this.#bans.has(link.device)) this.#dht?.hush(link.device, false)
    this.#dialer.wake()
  }

  #onBeacon(share: ShareId, endpoint: Endpoint): void {
    if (!this.#shares.has(share)) return
    this.#book.hear(share, endpoint, now())
    this.#dialer.wake()
  }

  #learn(share: ShareId, list: readonly DeviceAddress[]): void {
    if (!this.#shares.has(share)) return
    for (const address of list) this.#book.learn(share, address, now())
    this.#dialer.wake()
  }

  #refuse(device: DeviceId): string | undefined {
    return this.#bans.has(device) ? 'banned' : undefined
  }

  #ban(device: DeviceId, reason: string, forMs: number): void {
    if (this.#state !== 'running') return
    this.#log.warn({ device, reason, forMs }, 'refusing a device for a while')
    const oldest = this.#bans.size >= MAX_BANS ? this.#bans.keys().next().value : undefined
    for (const replaced of [device, oldest]) if (replaced !== undefined) this.#unban(replaced)
    const timer = setTimeout(() => this.#unban(device), forMs)
    timer.unref()
    this.#bans.set(device, timer)
    this.#table.closeDevice(device, reason)
    this.#dht?.hush(device, true)
  }

  #unban(device: DeviceId): void {
    const timer = this.#bans.get(device)
    if (timer === undefined) return
    clearTimeout(timer)
    this.#bans.delete(device)
    this.#dht?.hush(device, false)
    this.#dialer.wake()
  }

  #removeShare(share: ShareId): void {
    const entry = this.#shares.get(share)
    if (entry === undefined) return
    this.#shares.delete(share)
    this.#book.removeShare(share)
    this.#beacon?.removeShare(share)
    if (entry.options.useDht) this.#dht?.leave(entry.options.keys.topic)
  }

  #closeIfIdle(link: Link): void {
    for (const { members } of this.#shares.values()) if (members.isOn(link)) return
    link.close('no share in common any more')
  }
}

/** Milliseconds of a clock that never goes back. */
function now(): number {
  return performance.now()
}

/** Offers with random ones in between, in random order. */
function padded(ids: readonly Buffer[]): Buffer[] {
  const list = [...ids]
  do list.push(randomBytes(PROOF_BYTES))
  while (list.length % OFFER_PADDING !== 0)
  for (let i = list.length - 1; i > 0; i--) {
    const j = randomInt(i + 1)
    const swapped = list[i]!
    list[i] = list[j]!
    list[j] = swapped
  }
  return list
}

function remoteOf(socket: Socket): Endpoint {
  return { host: socket.remoteAddress ?? '0.0.0.0', port: socket.remotePort ?? 0 }
}

function endpointOf(text: string): Endpoint {
  const endpoint = parseEndpoint(text)
  if (endpoint === undefined)
    throw new ShoalError('CONFIG_INVALID', `not a host and port: ${formatText(text)}`)
  return endpoint
}

function formatText(text: string): string {
  return JSON.stringify(text.slice(0, 100))
}
