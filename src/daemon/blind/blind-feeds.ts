// The feeds of a share as a blind node keeps them: those its writers' certificates vouch for (K5), whole, in the feed store
// to be served and in the vault to last. What the feed store has lost of a feed comes back out of the vault with no peer.

import { Bitfield } from '../../core/bitfield.js'
import { openCertificate } from '../../core/certificate.js'
import { toShoalError } from '../../core/error.js'
import type { WriterId } from '../../core/ids.js'
import type { PublicPart } from '../../core/record.js'
import type { FeedView } from '../../core/record-public.js'
import type { ShareKeys } from '../../core/secret.js'
import type { Exchange } from '../../exchange/exchange.js'
import { takeBest } from '../../feed/best.js'
import { KnownLeaves } from '../../feed/leaves.js'
import type { RemoteFeed } from '../../feed/remote.js'
import type { FeedStore } from '../../feed/store.js'
import type { Log } from '../../ports/log.js'
import type { BlindIndex } from '../../store/blind-index.js'
import type { IndexFeed } from '../../store/feeds.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { StoredBlock, StoredHead, StoredLeaves, VaultBatch } from '../../vault/stored.js'
import { turn } from '../../vault/turn.js'
import type { ProblemBook } from '../share/problems.js'
import { BlindFollower } from './blind-follower.js'
import { type HoldsLeaves, LeafKeeper } from './leaf-keeper.js'

/** The part of a vault (src/vault) that this needs. */
export interface KeepsFeeds extends HoldsLeaves {
  certificates(): readonly Buffer[]
  heads(): readonly StoredHead[]
  /** Of whom there is any block. */
  writers(): Iterable<WriterId>
  blocks(writer: WriterId, from?: number): AsyncIterable<StoredBlock>
  /** Ascending; those that are known to be there. */
  blockNumbers(writer: WriterId): Iterable<number>
  leaves(writer: WriterId): AsyncIterable<StoredLeaves>
}

export interface BlindFeedsOptions {
  readonly keys: ShareKeys
  readonly store: FeedStore
  readonly index: BlindIndex
  readonly vault: KeepsFeeds
  readonly exchange: Exchange
  readonly problems: ProblemBook
  readonly log: Log
  readonly peers: () => Iterable<SharePeer>
  readonly takeOver: (feed: IndexFeed, at: number, part: PublicPart) => void
  readonly keep: (batch: VaultBatch) => Promise<void>
  readonly onProgress: () => void
  readonly fail: (thrown: unknown) => void
}

/** A peer that shows a certificate that is not valid is not spoken to for so long. */
const BAN_MS = 60_000
/** Looked up in one slice. */
const BLOCKS_A_TURN = 1024

export class BlindFeeds {
  readonly #o: BlindFeedsOptions
  readonly #open = new Map<WriterId, { readonly feed: RemoteFeed; readonly follower: BlindFollower }>()
  /** Feeds of which the vault has lost something, and how long they were. */
  readonly #damaged = new Map<WriterId, number>()
  #receiving: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: BlindFeedsOptions) {
    this.#o = options
  }

  /** Knows the feeds that the vault knows, and takes out of it what the feed store has lost of them. Opens none. Rejects with the signal's reason, between two feeds. */
  async readopt(signal?: AbortSignal): Promise<void> {
    const { index, vault, store, log } = this.#o
    for (const bytes of vault.certificates()) this.#certified(bytes)
    const heads = new Map(vault.heads().map((head) => [head.writer, head]))
    for (const writer of vault.writers()) {
      if (index.feeds.byWriter(writer) !== undefined) continue
      // Its own frame is damaged: it stands once more beside what proves the blocks.
      const { certificate } = await KnownLeaves.read(writer, vault.leaves(writer))
      if (certificate !== undefined) this.#certified(certificate)
    }
    for (const row of index.feeds.all()) {
      const { writer, number, key, deviceName, closed } = row
      signal?.throwIfAborted()
      const head = heads.get(writer)
      // An older copy of the vault was put back: what it lacks is exported again.
      if (index.storedBlocks(number) > (head?.length ?? 0)) index.setStoredBlocks(number, head?.length ?? 0)
      const kept = {
        ...{ feedKey: key, head },
        blocks: (from?: number) => vault.blocks(writer, from),
        leaves: () => vault.leaves(writer),
      }
      try {
        const best = await takeBest(kept, (adoption) => store.adopt(adoption))
        if (best === undefined) continue
        if (!best.taken) {
          if (!closed) await this.#extend(row, head ?? best.head)
          continue
        }
        const { length } = best.head
        const [lost] = best.lost
        index.setStoredBlocks(number, lost?.[0] ?? length)
        log.info({ writer, device: deviceName, blocks: length }, 'a feed was taken over from the vault')
        if (lost !== undefined || best.isOlder) this.#noteDamaged(writer, deviceName, head?.length ?? length)
      } catch (thrown) {
        if (toShoalError(thrown).code !== 'FEED_CORRUPT') throw thrown
        log.error({ err: thrown, writer }, 'a feed in the vault is damaged')
        index.setStoredBlocks(number, 0)
        this.#noteDamaged(writer, deviceName, head?.length ?? 1)
      }
    }
  }

  /** Opens all that are known, and follows them. `held`: by feed, the numbers whose pieces are here. */
  async start(held: ReadonlyMap<number, Bitfield>): Promise<void> {
    for (const row of this.#o.index.feeds.all()) await this.#openFeed(row, held.get(row.number))
  }

  /** Whether something is known to be there that is not taken over and durable yet. */
  get isBehind(): boolean {
    return [...this.#open.values()].some(({ follower }) => follower.isBehind)
  }

  /** How much of each feed is taken over and in the vault, ascending by writer; closed ones too, as far as they go. */
  get view(): FeedView {
    const { index } = this.#o
    return index.feeds
      .all()
      .map(({ writer, number, next }): [WriterId, number] => [
        writer,
        Math.min(next, index.storedBlocks(number)),
      ])
      .sort(([a], [b]) => (a < b ? -1 : 1))
  }

  /** Blocks from this one on are to be brought into the vault again. */
  lost(writer: WriterId, from: number): void {
    const { index } = this.#o
    const row = index.feeds.byWriter(writer)
    if (row === undefined) return
    if (index.storedBlocks(row.number) > from) index.setStoredBlocks(row.number, from)
    // Also what does not count as stored yet: it may have been written just now, or stand after a gap.
    this.#open.get(writer)?.follower.lost(from)
  }

  /** What is kept beside blocks is to be brought into the vault again. */
  lostLeaves(writer: WriterId): void {
    this.#open.get(writer)?.follower.lostLeaves()
  }

  /** Whether leaves are to be brought into the vault again. */
  lacksLeaves(writer: WriterId, index: number): boolean {
    return this.#open.has(writer) && this.#o.vault.packOfLeaves(writer, index) === undefined
  }

  /** Whether a block is to be brought into the vault again. */
  lacks(writer: WriterId, block: number): boolean {
    const { index } = this.#o
    const row = index.feeds.byWriter(writer)
    return row !== undefined && index.storedBlocks(row.number) <= block
  }

  /** Shows a new peer all certificates and replicates all feeds with it. */
  greet(peer: SharePeer): void {
    peer.sendCertificates(this.#o.index.feeds.all().map(({ certificate }) => certificate))
    for (const { feed } of this.#open.values()) feed.replicate(peer.stream)
  }

  /** K5: only feeds that the share's signing key vouches for are opened. */
  receive(peer: SharePeer, certificates: readonly Buffer[]): void {
    this.#receiving = this.#receiving
      .then(() => this.#receive(peer, certificates))
      .catch((thrown: unknown) => {
        if (!this.#stopped) this.#o.fail(thrown)
      })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([...this.#open.values()].map(({ follower }) => follower.stop()))
    await this.#receiving
  }

  /** Gives the feeds back. After stop(), as the last of all. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map(({ feed }) => feed.close()))
  }

  /** Where an older copy of this device's storage was put back, the vault has more of a feed than is here. */
  async #extend({ writer, number, key, deviceName, next }: IndexFeed, head: StoredHead): Promise<void> {
    const { index, vault, store, log } = this.#o
    const blocks = (from: number): AsyncIterable<StoredBlock> => vault.blocks(writer, from)
    const from = await store.extend({ feedKey: key, head, blocks, needed: next })
    if (from === undefined) return
    // What was not known to be in the vault before that is exported again, to be sure.
    if (index.storedBlocks(number) >= from) index.setStoredBlocks(number, head.length)
    log.info(
      { writer, device: deviceName, from, blocks: head.length },
      'the rest of a feed was taken over from the vault',
    )
  }

  async #receive(peer: SharePeer, certificates: readonly Buffer[]): Promise<void> {
    const { keys, index, log, keep } = this.#o
    for (const bytes of certificates) {
      if (this.#stopped) return
      const opened = openCertificate(bytes, keys.shareId, keys.publicKey)
      if (opened.type === 'violation') {
        log.warn({ peer: peer.device, code: opened.code, detail: opened.detail }, 'certificate refused')
        return peer.ban('sent a certificate that is not valid', BAN_MS)
      }
      if (index.feeds.byWriter(opened.value.writer) !== undefined) continue
      // Before it is known: without it, the vault could not bring the feed back.
      await keep({ certificates: [Buffer.from(bytes)] })
      if (this.#stopped) return
      log.info({ writer: opened.value.writer, epoch: opened.value.epoch }, 'new writer')
      await this.#openFeed(this.#know(bytes, opened.value), undefined)
    }
  }

  /** A certificate as the vault keeps it. */
  #certified(bytes: Buffer): void {
    const { keys, log } = this.#o
    const opened = openCertificate(bytes, keys.shareId, keys.publicKey)
    if (opened.type === 'ok') return void this.#know(bytes, opened.value)
    const { code, detail } = opened
    log.warn({ code, detail }, 'the vault holds a certificate that is not valid')
  }

  /** Members have what is lost, perhaps: until all of it is back, it is a problem. */
  #noteDamaged(writer: WriterId, deviceName: string, length: number): void {
    const detail = `some of what ${deviceName} said is damaged in the vault: it is fetched again from whoever has it`
    this.#noteLoss(writer, length, detail)
  }

  #noteLoss(writer: WriterId, length: number, detail: string): void {
    this.#damaged.set(writer, length)
    this.#o.problems.set('feed', writer, 'FEED_CORRUPT', detail)
  }

  /** What was read of a feed once was here: both the feed store and the newest of the vault are lost, or older copies of them put back. */
  #compare({ writer, deviceName, next }: IndexFeed, { length }: RemoteFeed): void {
    if (length >= next) return
    const detail = `of ${next} records of ${deviceName} that were here, the last ${next - length} are lost: they are fetched again from whoever has them`
    this.#o.log.warn(
      { writer, device: deviceName, had: next, has: length },
      'the newest of a feed is lost here',
    )
    this.#noteLoss(writer, next, detail)
  }

  #noteProgress({ writer, number }: IndexFeed): void {
    const length = this.#damaged.get(writer)
    if (length === undefined || this.#o.index.storedBlocks(number) < length) return
    this.#damaged.delete(writer)
    this.#o.problems.clear('feed', writer)
  }

  #know(bytes: Buffer, { writer, feedKey, device, deviceName, epoch }: Certified): IndexFeed {
    const certificate = Buffer.from(bytes)
    return this.#o.index.feeds.add({
      ...{ writer, key: Buffer.from(feedKey), device, deviceName, epoch, certificate },
    })
  }

  async #openFeed(row: IndexFeed, have = new Bitfield(row.pieceCount)): Promise<void> {
    const { store, keys, index, log, problems, exchange, peers } = this.#o
    const { writer, deviceName } = row
    if (row.closed || this.#open.has(writer)) return
    let feed: RemoteFeed
    try {
      feed = await store.openRemote({ feedKey: row.key, blockKey: keys.feedBlockKey })
    } catch (thrown) {
      if (toShoalError(thrown).code !== 'FEED_CORRUPT') throw thrown
      log.error({ err: thrown, writer, device: deviceName }, 'cannot open a feed')
      const detail = `what ${deviceName} says cannot be read from the storage here`
      return problems.set('feed', writer, 'FEED_CORRUPT', detail)
    }
    await this.#recount(row, feed)
    this.#compare(row, feed)
    if (this.#stopped) return feed.close()
    const close = (): void => index.feeds.put({ ...index.feeds.byWriter(writer)!, closed: true })
    if (feed.forked === 'conflict') {
      close()
      return feed.close()
    }
    feed.on('forked', ({ reason }) => {
      log.warn({ writer, device: deviceName, reason }, 'a feed has forked')
      // A truncation is refused, and the feed goes on as it was.
      if (reason === 'conflict') close()
    })
    const { takeOver, keep, onProgress, vault } = this.#o
    const follower = new BlindFollower(row, {
      ...{ index, feed, problems, log, takeOver },
      store: keep,
      leaves: new LeafKeeper({ writer, certificate: row.certificate, feed, vault }),
      onProgress: () => {
        this.#noteProgress(row)
        onProgress()
      },
      fail: (thrown) => this.#o.fail(thrown),
    })
    this.#open.set(writer, { feed, follower })
    exchange.addFeed({ writer, discoveryKey: feed.discoveryKey, pieceCount: row.pieceCount, have })
    follower.start()
    for (const peer of peers()) {
      peer.sendCertificates([row.certificate])
      feed.replicate(peer.stream)
    }
  }

  /** The vault may have forgotten blocks with nobody to tell: it was not opened to the end then, or the process ended. */
  async #recount({ writer, number }: IndexFeed, feed: RemoteFeed): Promise<void> {
    const { index, vault, log } = this.#o
    const stored = index.storedBlocks(number)
    let next = 0
    const lacks = (to: number): boolean => {
      // What is not here, either, its writer has cleared, or it is fetched.
      if (next < to) next = feed.nextHere(next, to)
      return next < to
    }
    for (const at of vault.blockNumbers(writer)) {
      if (at >= stored || lacks(at)) break
      next = at + 1
      if (next % BLOCKS_A_TURN === 0) await turn()
    }
    if (!lacks(stored)) return
    log.warn(
      { writer, block: next },
      'the vault lacks blocks of a feed that were stored: they are stored again',
    )
    index.setStoredBlocks(number, next)
  }
}

interface Certified {
  readonly writer: WriterId
  readonly feedKey: Buffer
  readonly device: IndexFeed['device']
  readonly deviceName: string
  readonly epoch: number
}
