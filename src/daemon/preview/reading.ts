// One share as somebody who only reads sees it: the feeds of the members that are met, taken over into an index that is
// thrown away afterwards. Promises: nothing is said to a peer but what proves the secret and what asks for blocks of
// feeds: no state, so that no member enrols this device; no certificate; no piece is asked for or served.
import { openCertificate } from '../../core/certificate.js'
import { toShoalError } from '../../core/error.js'
import type { DeviceId, WriterId } from '../../core/ids.js'
import type { ReadKeys, ShareKeys } from '../../core/secret.js'
import { type DeviceState, openState, UNKNOWN_DIGEST } from '../../core/state.js'
import type { RemoteFeed } from '../../feed/remote.js'
import type { FeedStore } from '../../feed/store.js'
import type { Log } from '../../ports/log.js'
import { ShareIndex } from '../../store/share-index.js'
import type { Database } from '../../store/tables.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { ShareSwarm } from '../../swarm/share-swarm.js'
import { Follower } from '../share/follower.js'
import { ProblemBook } from '../share/problems.js'

/** A peer that shows a certificate that is not valid is not spoken to for so long. */
const BAN_MS = 60_000

export interface ShareReadingOptions {
  readonly keys: ShareKeys & { readonly read: ReadKeys }
  readonly database: Database
  readonly feeds: FeedStore
  readonly log: Log
  readonly nowMs: () => number
  /** A member or a writer was met. */
  readonly onMet: () => void
  /** Something was told or read. */
  readonly onNews: () => void
  /** A bug, or the storage failed. */
  readonly onFailure: (thrown: unknown) => void
}

export class ShareReading {
  readonly index: ShareIndex
  /** What could not be read of the feeds. */
  readonly problems: ProblemBook
  readonly #o: ShareReadingOptions
  readonly #states = new Map<DeviceId, DeviceState>()
  readonly #peers = new Set<SharePeer>()
  /** Devices that proved the secret, and whether each has told its own state. */
  readonly #reached = new Map<DeviceId, boolean>()
  readonly #open = new Map<WriterId, { readonly feed: RemoteFeed; readonly follower: Follower }>()
  #receiving: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: ShareReadingOptions) {
    this.#o = options
    this.problems = new ProblemBook(options.nowMs)
    // Only what the share says is kept in it: nothing is applied, and rules are the comparison's.
    this.index = new ShareIndex(options.database, `${options.keys.shareId.slice(0, 16)}:`, {
      overwriteDrift: false,
      isIgnored: () => false,
    })
  }

  /** Meets members from now on. */
  join(swarm: ShareSwarm): void {
    swarm.on('peer', (peer) => this.#onPeer(peer))
    for (const peer of swarm.peers()) this.#onPeer(peer)
  }

  /** Whether a member that can tell was met. */
  get isReached(): boolean {
    return this.#reached.size > 0
  }

  get reachedCount(): number {
    return this.#reached.size
  }

  /** Whether all members that were reached have told, have no more to tell, and all that they have told is read. */
  get isWhole(): boolean {
    if (!this.isReached || this.looking.length > 0) return false
    for (const [device, hasTold] of this.#reached) {
      if (!hasTold) return false
      if (!this.#hasRead(this.#states.get(device)!)) return false
    }
    return true
  }

  /**
   * Names of members that were reached, may write, and have not looked through their disks since they started: what they
   * find there they will publish. A share whose first member has just started says nothing of what is in its folder.
   */
  get looking(): string[] {
    return this.members()
      .filter(
        ({ state, reached }) => reached && state.grade === 'write' && state.digest.equals(UNKNOWN_DIGEST),
      )
      .map(({ state }) => state.name)
  }

  /** Everybody who was met or told of, and the newest signed state of each. */
  members(): { readonly state: DeviceState; readonly reached: boolean }[] {
    return [...this.#states.values()].map((state) => ({ state, reached: this.#reached.has(state.device) }))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#receiving
    await Promise.all([...this.#open.values()].map(({ follower }) => follower.stop()))
  }

  #hasRead({ feeds }: DeviceState): boolean {
    return feeds.every(([writer, length]) => {
      const row = this.index.feeds.byWriter(writer)
      return row !== undefined && (row.closed || row.next >= length)
    })
  }

  #onPeer(peer: SharePeer): void {
    // A blind node can tell nothing that could be compared.
    if (peer.grade === 'blind') return
    this.#peers.add(peer)
    if (!this.#reached.has(peer.device)) this.#reached.set(peer.device, false)
    peer.on('close', () => this.#peers.delete(peer))
    peer.on('certificates', (list) => {
      this.#receiving = this.#receiving
        .then(() => this.#onCertificates(peer, list))
        .catch((thrown: unknown) => this.#o.onFailure(thrown))
    })
    peer.on('states', (list) => this.#onStates(peer, list))
    for (const { feed } of this.#open.values()) feed.replicate(peer.stream)
    this.#o.onMet()
  }

  #onStates(peer: SharePeer, list: readonly Buffer[]): void {
    const { keys, log } = this.#o
    for (const bytes of list) {
      const opened = openState(bytes, keys.read.stateKey, keys.shareId)
      if (opened.type === 'violation') {
        log.warn({ code: opened.code, detail: opened.detail }, 'state refused')
        continue
      }
      const state = opened.value
      if (state.device === peer.device) this.#reached.set(peer.device, true)
      const known = this.#states.get(state.device)
      if (known === undefined || known.sequence < state.sequence) this.#states.set(state.device, state)
      this.#o.onNews()
    }
  }

  /** K5: only feeds that the share's signing key vouches for are opened. */
  async #onCertificates(peer: SharePeer, list: readonly Buffer[]): Promise<void> {
    const { keys, feeds, log } = this.#o
    for (const bytes of list) {
      if (this.#stopped) return
      const opened = openCertificate(bytes, keys.shareId, keys.publicKey)
      if (opened.type === 'violation') {
        log.warn({ peer: peer.device, code: opened.code, detail: opened.detail }, 'certificate refused')
        return peer.ban('sent a certificate that is not valid', BAN_MS)
      }
      const { writer, feedKey, device, deviceName, epoch } = opened.value
      if (this.index.feeds.byWriter(writer) !== undefined) continue
      const key = Buffer.from(feedKey)
      this.index.feeds.add({ writer, key, device, deviceName, epoch, certificate: Buffer.from(bytes) })
      try {
        this.#follow(writer, await feeds.openRemote({ feedKey: key, blockKey: keys.feedBlockKey }))
      } catch (thrown) {
        if (toShoalError(thrown).code !== 'FEED_CORRUPT') throw thrown
        this.problems.set('feed', writer, 'FEED_CORRUPT', `what ${deviceName} says cannot be read`)
      }
      this.#o.onMet()
    }
  }

  #follow(writer: WriterId, feed: RemoteFeed): void {
    const { keys, log, onNews } = this.#o
    const follower = new Follower(this.index.feeds.byWriter(writer)!, {
      index: this.index,
      feed,
      entryKey: keys.read.entryKey,
      problems: this.problems,
      log,
      onIngested: () => {
        this.index.drain()
        onNews()
      },
    })
    this.#open.set(writer, { feed, follower })
    feed.on('forked', ({ reason }) => {
      if (reason !== 'conflict') return
      this.index.feeds.put({ ...this.index.feeds.byWriter(writer)!, closed: true })
      onNews()
    })
    follower.start()
    for (const peer of this.#peers) feed.replicate(peer.stream)
  }
}
