// What own and remote feeds share: following blocks, replicating with peers one feed at a time (X7), clearing, closing,
// and what happens when the feed turns out to have forked.
//
// D1. A forked feed says so ('forked') and stays so; whatever must survive a restart is written by `onForked`.
// D2. read() yields every block in order or throws; it never ends early as if it were complete, and close() ends it.
// D3. close() is prompt whatever the peers do, and leaves no listener on their streams.
// Writers of Shoal never truncate, so any signed fork of a feed is proof of two histories under one key.
import { EventEmitter } from 'node:events'
import Hypercore, { type Core, type Requests } from 'hypercore'
import { ShoalError } from '../core/error.js'
import { type WriterId, writerIdOf } from '../core/ids.js'
import type { Log } from '../ports/log.js'
import { guardBlocks, guardPeer } from './guard.js'
import type { LeafHash } from './merkle.js'
import { exportCore, leavesOf, type PortableFeed } from './portable.js'

/**
 * Why a feed counts as forked. 'longer': a peer holds blocks of our own feed that we do not know (only for own feeds);
 * 'conflict': two different blocks are signed for one position; 'truncated': a truncation is signed.
 */
export type ForkReason = 'longer' | 'conflict' | 'truncated'

export interface FeedEvents {
  /** The feed is longer than before; the new length. */
  length: [length: number]
  /** At most once a reason, and never after 'conflict'. */
  forked: [fork: { readonly reason: ForkReason }]
  /** Once, after the feed was closed by us or by a conflict. */
  close: []
}

/** A Noise stream whose userData is its Protomux (hyperswarm's and our TCP connections are such streams). */
export interface ReplicationStream {
  readonly userData: unknown
  readonly destroyed?: boolean
  readonly destroying?: boolean
}

export interface ReadOptions {
  /** Ends the reading: the iteration throws the signal's reason. */
  readonly signal?: AbortSignal
}

/** What the store gives to every feed it opens. */
export interface FeedSetup {
  readonly session: Hypercore
  readonly log: Log
  /** The fork that an earlier run has recorded. */
  readonly forked: ForkReason | undefined
  readonly onForked: (writer: WriterId, reason: ForkReason) => void
  readonly onClosed: () => void
}

/** Blocks asked of the database at once while reading; the replicator's own range request runs further ahead. */
const READ_AHEAD_BLOCKS = 8

export abstract class Feed extends EventEmitter<FeedEvents> {
  /** The Hypercore key, 32 bytes. */
  readonly key: Buffer
  readonly discoveryKey: Buffer
  readonly writer: WriterId
  protected readonly session: Hypercore
  protected readonly core: Core
  protected readonly log: Log
  readonly #setup: FeedSetup
  readonly #reads = new Set<() => void>()
  #forked: ForkReason | undefined
  #closing: Promise<void> | undefined

  constructor(setup: FeedSetup) {
    super()
    this.#setup = setup
    this.session = setup.session
    this.core = setup.session.core
    this.key = setup.session.key
    this.discoveryKey = setup.session.discoveryKey
    this.writer = writerIdOf(this.key)
    this.log = setup.log.child({ writer: this.writer })
    this.#forked = setup.forked
    guardBlocks(this.core, this.log)
    this.#watchForForks()
    this.session.on('peer-add', (peer) => guardPeer(peer, this.log))
    this.session.on('append', () => this.#announce(() => this.emit('length', this.length)))
    // A conflict closes all sessions of a core.
    this.session.on('close', () => {
      this.close().catch((err) => this.log.error({ err }, 'feed did not close cleanly'))
    })
  }

  /** Blocks known to be signed by the writer; not all of them need be here. An own feed counts durable blocks only. */
  get length(): number {
    return this.session.length
  }

  /** Why this feed counts as forked, now or since an earlier run. */
  get forked(): ForkReason | undefined {
    return this.#forked
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  /** Whether a forked feed of this kind may still be exchanged with peers. */
  protected abstract mayReplicate(reason: ForkReason): boolean

  /** What must end before the core may close. */
  protected async settle(): Promise<void> {}

  /**
   * Blocks `from` (inclusive) to `to` (exclusive) in order, fetched from peers where they are not here; `to` may lie
   * beyond the length. Each block is the caller's own. Throws the signal's reason, or FEED_CORRUPT after a conflict,
   * or IO once the feed is closed.
   */
  async *read(
    from: number,
    to: number,
    options: ReadOptions = {},
  ): AsyncGenerator<{ readonly index: number; readonly block: Buffer }, void, undefined> {
    const { signal } = options
    const requests: Requests = []
    const cancel = (): void => Hypercore.destroyRequests(requests, new Error('reading was cancelled'))
    this.#assertOpen()
    signal?.throwIfAborted()
    this.#reads.add(cancel)
    signal?.addEventListener('abort', cancel, { once: true })
    const range = this.session.download({ start: from, end: to, linear: true, activeRequests: requests })
    const ahead: Promise<Buffer | null>[] = []
    try {
      for (let index = from; index < to; index++) {
        while (ahead.length < READ_AHEAD_BLOCKS && index + ahead.length < to)
          ahead.push(this.#get(index + ahead.length, requests))
        const block = await ahead.shift()
        signal?.throwIfAborted()
        this.#assertOpen()
        if (!block)
          throw new ShoalError('FEED_CORRUPT', `cannot read block ${index} of feed ${this.writer}: not there`)
        yield { index, block }
        signal?.throwIfAborted()
        this.#assertOpen()
      }
    } catch (thrown) {
      signal?.throwIfAborted()
      this.#assertOpen()
      throw thrown
    } finally {
      range.destroy()
      cancel()
      signal?.removeEventListener('abort', cancel)
      this.#reads.delete(cancel)
    }
  }

  /** Whether all blocks `from` to `to` (exclusive) are here. */
  has(from: number, to: number): Promise<boolean> {
    this.#assertOpen()
    return from >= to ? Promise.resolve(true) : this.session.has(from, to)
  }

  /**
   * Whether a peer that is connected says that it has one of the blocks `from` to `to` (exclusive). It says so on its own of a feed
   * that it has whole, else soon after read() asks for a block near them.
   */
  isOffered(from: number, to: number): boolean {
    this.#assertOpen()
    return this.core.replicator.peers.some(({ remoteContiguousLength, remoteBitfield }) => {
      if (from < Math.min(to, remoteContiguousLength)) return true
      const first = remoteBitfield.firstSet(from)
      return first !== -1 && first < to
    })
  }

  /** The first block from `from` on and below `to` that is here; `to` if none is. However many a writer has cleared, it is one look. */
  nextHere(from: number, to: number): number {
    this.#assertOpen()
    const at = this.session.core.bitfield.firstSet(from)
    return at === -1 ? to : Math.min(at, to)
  }

  /**
   * Exchanges this one feed over the stream, beside whatever else it carries, until either is closed. The peer must
   * have proved that it belongs to the share (X1): this tells it the feed's discovery key. Again: no effect.
   */
  replicate(stream: ReplicationStream): void {
    this.#assertOpen()
    if (this.#forked !== undefined && !this.mayReplicate(this.#forked)) return
    if (stream.destroyed || stream.destroying) return
    const mux = stream.userData
    if (mux === null || typeof mux !== 'object')
      throw new ShoalError('INTERNAL', 'broken invariant: a replicated stream carries its protomux')
    if (!this.core.replicator.attached(mux)) this.core.replicator.attachTo(mux)
  }

  /**
   * What is here of this feed from block `from` on, with what proves it; see portable.ts. Undefined: nothing is signed
   * yet. Rejects with FEED_CORRUPT after a conflict, and with IO once the feed is closed.
   */
  async export(from = 0): Promise<PortableFeed | undefined> {
    this.#assertOpen()
    return exportCore(this.core, from)
  }

  /** What stands in the tree for the blocks `from` to `to` (exclusive); undefined: of one of them it is not known here. */
  async leaves(from: number, to: number): Promise<LeafHash[] | undefined> {
    this.#assertOpen()
    return leavesOf(this.core, from, to)
  }

  /** Frees the blocks `from` to `to` (exclusive) here; they can be fetched again from peers that keep them. */
  async clear(from: number, to: number): Promise<void> {
    this.#assertOpen()
    await this.session.clear(from, to)
  }

  /** Ends all reading and replication and closes the feed; resolves when the store may open it again. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Records a proven fork (D1). */
  protected fork(reason: ForkReason): void {
    if (this.#forked === reason || this.#forked === 'conflict') return
    this.#forked = reason
    this.log.error({ reason, length: this.length }, 'feed has forked')
    this.#setup.onForked(this.writer, reason)
    if (!this.mayReplicate(reason)) this.core.replicator.destroy()
    this.#announce(() => this.emit('forked', { reason }))
  }

  /** Listeners run outside Hypercore's own handlers: what they throw must not end a commit halfway. */
  #announce(emit: () => void): void {
    queueMicrotask(emit)
  }

  #watchForForks(): void {
    // Hypercore verified the signature of the truncated tree when verifyReorg resolves; applying it is what we refuse.
    const { core } = this
    const verifyReorg = core.verifyReorg.bind(core)
    core.verifyReorg = async (proof) => {
      await verifyReorg(proof)
      this.fork('truncated')
      throw new Error('a truncation of a feed is never followed')
    }
    this.session.on('conflict', () => this.fork('conflict'))
  }

  #get(index: number, requests: Requests): Promise<Buffer | null> {
    const block = this.session.get(index, { activeRequests: requests })
    // Those read ahead may fail while nobody awaits them yet.
    block.catch(() => {})
    return block
  }

  #assertOpen(): void {
    if (this.#closing === undefined && this.session.closing === null) return
    if (this.#forked === 'conflict')
      throw new ShoalError('FEED_CORRUPT', `cannot use feed ${this.writer}: it has forked (conflict)`)
    throw new ShoalError('IO', `cannot use feed ${this.writer}: it is closed`)
  }

  async #close(): Promise<void> {
    // The rest runs after #closing is set, so that what is cancelled here finds the feed closed.
    await Promise.resolve()
    for (const cancel of this.#reads) cancel()
    await this.settle()
    // Destroyed first: closing would wait for every peer to confirm.
    this.core.replicator.destroy()
    await this.session.close()
    await this.core.close()
    this.#setup.onClosed()
    this.emit('close')
  }
}
