// The feeds of one share while it runs: the own one with its epochs (F4), those of other writers whose certificates hold
// (K5), each with its follower and its place in the exchange.
import { randomBytes } from 'node:crypto'
import { Bitfield } from '../../core/bitfield.js'
import { deviceLabel, openCertificate, signCertificate } from '../../core/certificate.js'
import { feedKeyPairOf } from '../../core/device.js'
import type { Entry } from '../../core/entry.js'
import { invariant, toShoalError } from '../../core/error.js'
import { type WriterId, writerIdOf } from '../../core/ids.js'
import { parentOf, type RelPath } from '../../core/path.js'
import type { ReadKeys, ShareKeys } from '../../core/secret.js'
import type { Exchange } from '../../exchange/exchange.js'
import type { Feed, ForkReason } from '../../feed/feed.js'
import { feedKeyOf } from '../../feed/key.js'
import type { OwnFeed } from '../../feed/own.js'
import type { RemoteFeed } from '../../feed/remote.js'
import type { FeedStore } from '../../feed/store.js'
import type { Log } from '../../ports/log.js'
import type { IndexFeed } from '../../store/feeds.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { Identity } from '../identity.js'
import { Follower, type FollowerOptions } from './follower.js'
import type { ShareMeta } from './meta.js'
import type { ProblemBook } from './problems.js'
import { type Publication, Publisher } from './publisher.js'

/** A change that could not be published is looked at again after this long. */
const POSTPONED_MS = 1000
/** A peer that shows a certificate that is not valid is not spoken to for so long. */
const BAN_MS = 60_000

export interface ShareFeedsOptions {
  readonly keys: ShareKeys & { readonly read: ReadKeys }
  readonly identity: Identity
  readonly deviceName: string
  readonly store: FeedStore
  readonly index: ShareIndex
  readonly meta: ShareMeta
  readonly exchange: Exchange
  readonly problems: ProblemBook
  readonly log: Log
  readonly nowMs: () => number
  /** The index was made anew under a directory that has content already. */
  readonly isBehindDisk: boolean
  readonly peers: () => Iterable<SharePeer>
  /** Resolves when it is safe to append: see hearing.ts (F4). */
  readonly met: Promise<void>
  /** Something was taken over or published. */
  readonly onChange: () => void
  /** A change found on this disk was published. Called inside the transaction that notes it. */
  readonly onOwnChange: (path: RelPath, isDirectory: boolean) => void
  /** Another device's entries were taken over. Called inside the transaction that does so. */
  readonly onTaken?: (deviceName: string, entries: readonly Entry[], atMs: number) => void
  /** Look at a directory again. */
  readonly rescan: (directory: RelPath | '', delayMs: number) => void
  /** Look at everything again: the own feed is a new one. */
  readonly rescanAll: () => void
  readonly fail: (thrown: unknown) => void
}

export class ShareFeeds {
  readonly #o: ShareFeedsOptions
  readonly #open = new Map<WriterId, { feed: Feed; follower: Follower }>()
  #publisher: Publisher | undefined
  #ownWriter: WriterId | undefined
  #stopped = false

  constructor(options: ShareFeedsOptions) {
    this.#o = options
  }

  /** Whether there is a feed to publish in: not on a reader, nor between two epochs. */
  get mayPublish(): boolean {
    return this.#publisher !== undefined
  }

  /** The writer that this device is now; undefined on a reader. */
  get ownWriter(): WriterId | undefined {
    return this.#ownWriter
  }

  /** Whether all of these lengths are taken over; what can no longer be followed does not count. */
  hasTakenOver(lengths: readonly (readonly [writer: WriterId, length: number])[]): boolean {
    const { feeds } = this.#o.index
    return lengths.every(([writer, length]) => {
      const feed = feeds.byWriter(writer)
      return feed !== undefined && (feed.closed || feed.next >= length)
    })
  }

  /** Whether a feed is known to go on beyond what is taken over of it; one that cannot be read does not count. */
  get isBehind(): boolean {
    return [...this.#open.values()].some(({ follower }) => follower.isBehind)
  }

  /** Whether a feed is open here. */
  isOpen(writer: WriterId): boolean {
    return this.#open.has(writer)
  }

  /** Those that are open, to be read. */
  get readable(): { readonly row: IndexFeed; readonly feed: Feed }[] {
    const { feeds } = this.#o.index
    return [...this.#open].map(([writer, { feed }]) => ({ row: feeds.byWriter(writer)!, feed }))
  }

  /** Those that are open now. */
  get feeds(): readonly Feed[] {
    return [...this.#open.values()].map(({ feed }) => feed)
  }

  /** Opens all known feeds, the own one first, and reads its tail back. */
  async start(): Promise<void> {
    const { index, keys } = this.#o
    const own = keys.write === undefined ? undefined : await this.#openOwn()
    for (const row of index.feeds.all()) if (row.writer !== own) await this.#openRemote(row)
    this.#readoptSoon()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([...this.#open.values()].map(({ follower }) => follower.stop()))
  }

  /** Gives the feeds back, for the share may come again while the store stays open. After stop(), as the last of all. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map(({ feed }) => feed.close()))
  }

  /** Publishes in the own feed; resolves when durable. */
  async publish(list: readonly Publication[]): Promise<void> {
    if (list.length === 0) return this.#o.onChange()
    await this.#o.met
    const publisher = this.#publisher
    // Between two epochs there is nowhere to publish to; the scan that follows finds all of it again.
    if (publisher === undefined) return
    try {
      await publisher.publish(list)
    } catch (thrown) {
      if (toShoalError(thrown).code !== 'FEED_CORRUPT') throw thrown
      this.#o.log.warn({ err: thrown }, 'could not publish')
    }
  }

  /** What conflict copies of a writer's versions are labelled with. */
  labelOf(writer: WriterId): string {
    const feed = this.#o.index.feeds.byWriter(writer)
    return feed === undefined ? writer : deviceLabel(feed.deviceName)
  }

  /** Shows a new peer all certificates and replicates all feeds with it. */
  greet(peer: SharePeer): void {
    peer.sendCertificates(this.#o.index.feeds.all().map(({ certificate }) => certificate))
    for (const { feed } of this.#open.values()) feed.replicate(peer.stream)
  }

  /** K5: only feeds that the share's signing key vouches for are opened. */
  async receive(peer: SharePeer, certificates: readonly Buffer[]): Promise<void> {
    const { keys, index, log } = this.#o
    for (const bytes of certificates) {
      const opened = openCertificate(bytes, keys.shareId, keys.publicKey)
      if (opened.type === 'violation') {
        log.warn({ peer: peer.device, code: opened.code, detail: opened.detail }, 'certificate refused')
        return peer.ban('sent a certificate that is not valid', BAN_MS)
      }
      const { writer, feedKey, device, deviceName, epoch } = opened.value
      if (index.feeds.byWriter(writer) !== undefined) continue
      const certificate = Buffer.from(bytes)
      const row = index.feeds.add({
        writer,
        key: Buffer.from(feedKey),
        device,
        deviceName,
        epoch,
        certificate,
      })
      log.info({ writer, device: deviceName, epoch }, 'new writer')
      await this.#openRemote(row)
    }
  }

  async #openOwn(): Promise<WriterId> {
    const { identity, keys, store, index, log } = this.#o
    let epoch = identity.epochOf(keys.shareId)
    // The identity was restored from before it took that epoch: the one that it names was given up then.
    if (this.#isEpochKnown(epoch + 1)) epoch = this.#nextEpoch()
    for (;;) {
      const keyPair = feedKeyPairOf(identity.seed, keys.shareId, epoch)
      const feed = await store.openOwn({ keyPair, blockKey: keys.feedBlockKey })
      const known = index.feeds.byWriter(feed.writer)
      // Shorter than what was taken over: the feed's storage was restored from an earlier time (F4).
      const isRolledBack = known !== undefined && feed.length < known.next
      if (feed.forked === undefined && !isRolledBack) {
        await this.#useOwn(feed, epoch)
        return feed.writer
      }
      const reason = feed.forked ?? 'rolled back'
      log.warn({ reason, epoch }, 'own feed cannot be continued, taking a new epoch')
      await feed.close()
      epoch = this.#nextEpoch()
    }
  }

  /**
   * Takes the next epoch that there is no feed of yet. There may be one, which peers have told us of: this storage took
   * that epoch once and was then restored from before (F4).
   */
  #nextEpoch(): number {
    const { identity, keys } = this.#o
    let epoch = identity.nextEpoch(keys.shareId)
    while (this.#isEpochKnown(epoch)) epoch = identity.nextEpoch(keys.shareId)
    return epoch
  }

  #isEpochKnown(epoch: number): boolean {
    const { identity, keys, index } = this.#o
    const { publicKey } = feedKeyPairOf(identity.seed, keys.shareId, epoch)
    return index.feeds.byWriter(writerIdOf(feedKeyOf(publicKey))) !== undefined
  }

  async #useOwn(feed: OwnFeed, epoch: number): Promise<void> {
    const { identity, keys, index, meta, nowMs, deviceName } = this.#o
    const { device } = identity.device
    const body = { shareId: keys.shareId, feedKey: feed.key, device, deviceName, epoch }
    const certificate = signCertificate(body, keys.write!.signingSecretKey)
    const opened = openCertificate(certificate, keys.shareId, keys.publicKey)
    invariant(opened.type === 'ok', 'an own certificate is valid')
    const isOurs = (other: IndexFeed): boolean => other.device === device && other.writer !== feed.writer
    // Noted before the feed is known, and until the disk was looked at: a crash in between changes nothing.
    if (index.feeds.byWriter(feed.writer) === undefined && index.feeds.all().some(isOurs))
      meta.isNewEpoch = true
    const row = index.feeds.add({ ...opened.value, key: feed.key, certificate }, feed.length)
    this.#addToExchange(row, feed)
    const onTaken = (entries: readonly Entry[], next: number): void => {
      if (this.#o.isBehindDisk && next <= row.before.length)
        index.recovery.noteTold(row.number, next, entries)
      else index.recovery.noteOwnTail(next, entries)
      // Told to others by a process that died before it noted that.
      for (const { path, type } of entries) this.#o.onOwnChange(path, type === 'directory')
    }
    const follower = this.#followerOf(row, feed, onTaken, true)
    this.#open.set(feed.writer, { feed, follower })
    await follower.catchUp()
    this.#ownWriter = feed.writer
    this.#publisher = new Publisher(index.feeds.byWriter(feed.writer)!, {
      index,
      feed,
      entryKey: keys.read.entryKey,
      nowMs,
      nonce: () => randomBytes(24),
      labelOf: (writer) => this.labelOf(writer),
      onOwnChange: (path, isDirectory) => this.#o.onOwnChange(path, isDirectory),
      onPostponed: (path) => this.#o.rescan(parentOf(path), POSTPONED_MS),
      onPublished: () => this.#o.onChange(),
    })
    feed.on('forked', ({ reason }) => void this.#renewOwn(reason).catch((thrown) => this.#o.fail(thrown)))
    this.#offer(row, feed)
  }

  /**
   * F4: the own feed cannot go on, and a new one takes its place. Where peers only know more of it than we do, it is
   * followed from now on like anybody's; after a conflict nobody can follow it any more.
   */
  async #renewOwn(reason: ForkReason): Promise<void> {
    if (this.#stopped) return
    const { index, log } = this.#o
    log.warn({ reason }, 'own feed has forked, taking a new epoch')
    const before = this.#ownWriter
    this.#publisher = undefined
    this.#nextEpoch()
    if (before !== undefined) await this.#leave(before, reason)
    await this.#openOwn()
    const row = before === undefined ? undefined : index.feeds.byWriter(before)
    if (row !== undefined) await this.#openRemote(row)
    this.#readoptSoon()
    this.#o.rescanAll()
  }

  async #leave(writer: WriterId, reason: ForkReason): Promise<void> {
    const { feeds } = this.#o.index
    if (reason === 'conflict') feeds.put({ ...feeds.byWriter(writer)!, closed: true })
    const open = this.#open.get(writer)
    this.#open.delete(writer)
    await open?.follower.stop()
    await open?.feed.close()
  }

  #readoptSoon(): void {
    void this.#readopt().catch((thrown) => this.#o.fail(thrown))
  }

  /**
   * What stands on this disk as a version that its feed can no longer tell others is published again: by the feed's own
   * device, which lost blocks of it, and by every writer after a conflict, since nobody can follow the feed any more.
   */
  async #readopt(): Promise<void> {
    const { index, meta, log } = this.#o
    const own = this.#ownWriter
    if (own === undefined) return
    const lost = new Set<WriterId>()
    for (const feed of index.feeds.all()) {
      if (feed.writer !== own && !meta.isReadopted(own, feed.writer) && (await this.#isLost(feed)))
        lost.add(feed.writer)
    }
    if (lost.size === 0) return
    const list: Publication[] = []
    for (const { path, row } of index.diskRows()) {
      const head = index.heads(path)[0]
      if (head === undefined || !lost.has(head.author) || row.drift !== undefined) continue
      const pieces = head.type === 'file' ? index.piecesOf(head) : []
      if (pieces === undefined || index.step(path).type !== 'none') continue
      const was =
        head.type === 'tombstone' && head.was !== undefined ? { ...head.was, extra: head.extra } : undefined
      const draft = { path, base: row.applied.version, fact: row.applied.fact, origin: head.origin, was }
      const { stat, shown, lacks = 0 } = row
      list.push({ draft, pieces, disk: { stat, shown, lacks } })
    }
    log.info({ entries: list.length, lost: [...lost] }, 'publishing again what lost feeds had told')
    await this.publish(list)
    if (this.#ownWriter === own) for (const writer of lost) meta.setReadopted(own, writer)
  }

  /** Whether others may never get what a feed has told us. */
  async #isLost(feed: IndexFeed): Promise<boolean> {
    if (feed.closed) return true
    if (feed.device !== this.#o.identity.device.device) return false
    const open = this.#open.get(feed.writer)
    return open === undefined || !(await open.feed.has(feed.checkpoint, feed.next))
  }

  async #openRemote(row: IndexFeed): Promise<void> {
    const { store, keys, index, log, problems } = this.#o
    if (row.closed || this.#open.has(row.writer)) return
    let feed: RemoteFeed
    try {
      feed = await store.openRemote({ feedKey: row.key, blockKey: keys.feedBlockKey })
    } catch (thrown) {
      if (toShoalError(thrown).code !== 'FEED_CORRUPT') throw thrown
      // One writer's feed that is damaged here must not keep the others from being followed (A6).
      log.error({ err: thrown, writer: row.writer, device: row.deviceName }, 'cannot open a feed')
      const detail = `what ${row.deviceName} says cannot be read from the storage here`
      return problems.set('feed', row.writer, 'FEED_CORRUPT', detail)
    }
    if (this.#stopped || this.#open.has(row.writer)) return feed.close()
    if (feed.forked === 'conflict') {
      index.feeds.put({ ...index.feeds.byWriter(row.writer)!, closed: true })
      return feed.close()
    }
    const follower = this.#followerOf(row, feed, (entries, next, atMs) => {
      if (this.#o.isBehindDisk) index.recovery.noteTold(row.number, next, entries)
      this.#o.onTaken?.(row.deviceName, entries, atMs)
    })
    this.#open.set(row.writer, { feed, follower })
    this.#addToExchange(row, feed)
    feed.on('forked', ({ reason }) => {
      log.warn({ writer: row.writer, device: row.deviceName, reason }, 'a feed has forked')
      // A truncation is refused, and the feed goes on as it was.
      if (reason !== 'conflict') return
      index.feeds.put({ ...index.feeds.byWriter(row.writer)!, closed: true })
      this.#readoptSoon()
    })
    follower.start()
    this.#offer(row, feed)
  }

  #offer(row: IndexFeed, feed: Feed): void {
    for (const peer of this.#o.peers()) {
      peer.sendCertificates([row.certificate])
      feed.replicate(peer.stream)
    }
  }

  #followerOf(
    row: IndexFeed,
    feed: Feed,
    onTaken: NonNullable<FollowerOptions['onTaken']>,
    isOwn = false,
  ): Follower {
    const { index, keys, problems, log, onChange } = this.#o
    return new Follower(row, {
      isOwn,
      onTaken,
      index,
      feed,
      entryKey: keys.read.entryKey,
      problems,
      log,
      onIngested: () => onChange(),
      fail: (thrown) => this.#o.fail(thrown),
    })
  }

  #addToExchange({ number, writer, pieceCount }: IndexFeed, feed: Feed): void {
    const { index, exchange } = this.#o
    const have = new Bitfield(pieceCount)
    for (let i = 0; i < pieceCount; i++) {
      const piece = index.pieces.at(number, i)
      if (piece !== undefined && index.pieces.isHeld(piece)) have.set(i)
    }
    exchange.addFeed({ writer, discoveryKey: feed.discoveryKey, pieceCount, have })
  }
}
