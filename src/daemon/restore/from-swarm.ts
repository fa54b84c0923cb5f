// The members of a share as what is restored from, of any grade: a blind node is as good as any. This device is nobody's
// member for it: it proves the secret, reads feeds and asks for pieces; it says no state and serves nothing.
import { randomBytes } from 'node:crypto'
import type { DhtNodes } from '../../config/config.js'
import { Bitfield } from '../../core/bitfield.js'
import { openCertificate } from '../../core/certificate.js'
import { deviceKeysOf } from '../../core/device.js'
import { ShoalError } from '../../core/error.js'
import type { DeviceId, WriterId } from '../../core/ids.js'
import { KEY_BYTES } from '../../core/keys.js'
import { type DeviceState, openState, UNKNOWN_DIGEST } from '../../core/state.js'
import { Exchange } from '../../exchange/exchange.js'
import type { RemoteFeed } from '../../feed/remote.js'
import type { FeedStore } from '../../feed/store.js'
import type { Log } from '../../ports/log.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import { Swarm } from '../../swarm/swarm.js'
import type { DialTcp } from '../../swarm/tcp.js'
import { PastFeed } from './past-feed.js'
import { addWriter, type RestoreKeys } from './past-share.js'

export interface SwarmWays {
  /** "host:port" each. */
  readonly knownHosts: readonly string[]
  readonly searchLan: boolean
  readonly useDht: boolean
  /** "host:port" each, or the public DHT. */
  readonly bootstrap: DhtNodes
  /** "host:port" each; default: none. */
  readonly relays?: readonly string[]
  /** Given up after so long without anybody or anything new. */
  readonly timeoutMs: number
  /** Only this member is asked, by its device or what it calls itself. */
  readonly only?: string
  readonly listenHost?: string
  readonly interfaces?: readonly string[]
  /** How members and relays are reached, but for those heard on the local network; default: directly. */
  readonly dial?: DialTcp
  /** UDP port of the LAN beacon, for tests. */
  readonly beaconPort?: number
}

/** Once all that was told is read, another member may still be on the way. */
const QUIET_MS = 2000
const POLL_MS = 50
/** A record that nobody gives within this is not kept any more. */
const PATIENCE_MS = 15_000
const IN_FLIGHT_BYTES = 16 << 20
/** A peer that shows a certificate that is not valid is not spoken to for so long. */
const BAN_MS = 60_000

export class SwarmSource {
  readonly exchange: Exchange
  readonly #o: {
    readonly ways: SwarmWays
    readonly keys: RestoreKeys
    readonly index: ShareIndex
    readonly store: FeedStore
    readonly log: Log
  }
  readonly #swarm: Swarm
  readonly #peers = new Set<SharePeer>()
  readonly #met = new Set<DeviceId>()
  readonly #states = new Map<DeviceId, DeviceState>()
  readonly #feeds = new Map<WriterId, RemoteFeed>()
  #receiving: Promise<void> = Promise.resolve()
  #newsAtMs = performance.now()
  #failure: unknown
  #stopped = false

  constructor(options: {
    readonly ways: SwarmWays
    readonly keys: RestoreKeys
    readonly index: ShareIndex
    readonly store: FeedStore
    readonly log: Log
  }) {
    this.#o = options
    const { ways, log } = options
    // Nobody's for longer than this.
    const device = deviceKeysOf(randomBytes(KEY_BYTES))
    this.exchange = new Exchange({
      device: device.device,
      source: { read: async (requests) => requests.map(() => null), lengthOf: () => undefined },
      log,
      seed: randomBytes(4).readUInt32LE(),
      maxInFlightBytes: IN_FLIGHT_BYTES,
    })
    this.#swarm = new Swarm({
      device,
      deviceName: 'restore',
      listeningPort: 0,
      isPassing: true,
      ...(ways.listenHost === undefined ? {} : { listenHost: ways.listenHost }),
      ...(ways.interfaces === undefined ? {} : { interfaces: ways.interfaces }),
      ...(ways.beaconPort === undefined ? {} : { beaconPort: ways.beaconPort }),
      bootstrap: ways.bootstrap,
      relays: ways.relays ?? [],
      ...(ways.dial === undefined ? {} : { dial: ways.dial }),
      log,
    })
  }

  get failure(): unknown {
    return this.#failure
  }

  get members(): number {
    return this.#met.size
  }

  /**
   * Meets members, and waits until no more is told; for the newest also until those who write have looked through their
   * folders. DAEMON_UNREACHABLE if nobody was met in time.
   */
  async gather(
    signal: AbortSignal,
    isNewest: boolean,
    onMeeting: (members: number, givesUpInMs: number) => void,
  ): Promise<PastFeed[]> {
    const { ways, keys, index } = this.#o
    const { knownHosts, searchLan, useDht, timeoutMs } = ways
    await this.#swarm.start()
    const members = this.#swarm.addShare({ keys, knownHosts, searchLan, useDht })
    members.on('peer', (peer) => this.#onPeer(peer))
    for (const peer of members.peers()) this.#onPeer(peer)
    this.#newsAtMs = performance.now()
    for (;;) {
      signal.throwIfAborted()
      if (this.#failure !== undefined) throw this.#failure
      const quietMs = performance.now() - this.#newsAtMs
      if (quietMs >= timeoutMs) break
      if (quietMs >= QUIET_MS && this.#isWhole && !(isNewest && this.looking.length > 0)) break
      onMeeting(this.#met.size, timeoutMs - quietMs)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    await this.#receiving
    if (this.#met.size === 0)
      throw new ShoalError(
        'DAEMON_UNREACHABLE',
        `nobody who holds this share was met${ways.only === undefined ? '' : ` under the name ${ways.only}`}: is a member running? name one with --host${this.#relayTroubles()}`,
      )
    return [...this.#feeds].map(
      ([writer, feed]) => new PastFeed(index.feeds.byWriter(writer)!, feed, { patienceMs: PATIENCE_MS }),
    )
  }

  /** Relays that were of no use, for a message that goes on before it. */
  #relayTroubles(): string {
    return this.#swarm.relays
      .filter(({ isConnected, problem }) => !isConnected || problem !== undefined)
      .map(({ address, problem }) => `; relay ${address}: ${problem ?? 'not connected'}`)
      .join('')
  }

  /** What members have told of that nobody has shown, for a note. */
  missing(): string[] {
    return [...this.#states.values()].flatMap(({ name, feeds }) =>
      feeds.some(([writer, length]) => (this.#feeds.get(writer)?.length ?? 0) < length)
        ? [`${name} knows of more than could be read`]
        : [],
    )
  }

  /** Names of members that were met, may write, and have not looked through their folders since they started: what they find there they will say. */
  get looking(): string[] {
    return [...this.#states.values()]
      .filter(
        ({ device, grade, digest }) =>
          this.#met.has(device) && grade === 'write' && digest.equals(UNKNOWN_DIGEST),
      )
      .map(({ name }) => name)
  }

  /** Offers what was read to be asked for. */
  grow(): void {
    for (const { writer, pieceCount } of this.#o.index.feeds.all()) this.exchange.grow(writer, pieceCount)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.exchange.close()
    await this.#receiving
    await this.#swarm.stop()
  }

  /** Whether all that was told of is known to be there. Blind nodes tell no lengths: their feeds do. */
  get #isWhole(): boolean {
    if (this.#met.size === 0 || this.#feeds.size === 0) return false
    for (const { feeds } of this.#states.values())
      for (const [writer, length] of feeds) if ((this.#feeds.get(writer)?.length ?? 0) < length) return false
    return true
  }

  #news(): void {
    this.#newsAtMs = performance.now()
  }

  #onPeer(peer: SharePeer): void {
    const { only } = this.#o.ways
    if (only !== undefined && peer.device !== only && peer.name !== only) return
    this.#peers.add(peer)
    this.#met.add(peer.device)
    this.#news()
    peer.on('close', () => this.#peers.delete(peer))
    peer.on('certificates', (list) => {
      this.#receiving = this.#receiving
        .then(() => this.#onCertificates(peer, list))
        .catch((thrown: unknown) => {
          this.#failure ??= thrown
        })
    })
    peer.on('states', (list) => this.#onStates(list))
    this.exchange.attach(peer)
    for (const feed of this.#feeds.values()) if (!feed.closed) feed.replicate(peer.stream)
  }

  #onStates(list: readonly Buffer[]): void {
    const { keys } = this.#o
    for (const bytes of list) {
      const opened = openState(bytes, keys.read.stateKey, keys.shareId)
      // Those of blind nodes are of another kind, and tell nothing that is needed here.
      if (opened.type === 'violation') continue
      const state = opened.value
      const known = this.#states.get(state.device)
      if (known !== undefined && known.sequence >= state.sequence) continue
      this.#states.set(state.device, state)
      this.#news()
    }
  }

  /** K5: only feeds that the share's signing key vouches for are opened. */
  async #onCertificates(peer: SharePeer, list: readonly Buffer[]): Promise<void> {
    const { keys, index, store, log } = this.#o
    for (const bytes of list) {
      if (this.#stopped) return
      const opened = openCertificate(bytes, keys.shareId, keys.publicKey)
      if (opened.type === 'violation') {
        log.warn({ peer: peer.device, code: opened.code }, 'certificate refused')
        return peer.ban('sent a certificate that is not valid', BAN_MS)
      }
      if (this.#feeds.has(opened.value.writer)) continue
      const row = addWriter(index, keys, bytes)
      const feed = await store.openRemote({ feedKey: row.key, blockKey: keys.feedBlockKey })
      this.#feeds.set(row.writer, feed)
      feed.on('length', () => this.#news())
      const { discoveryKey } = feed
      const { writer, pieceCount } = row
      this.exchange.addFeed({ writer, discoveryKey, pieceCount, have: new Bitfield() })
      for (const each of this.#peers) feed.replicate(each.stream)
      this.#news()
    }
  }
}
