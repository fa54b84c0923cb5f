// Takes over the records of one feed into the index, block by block, for as long as the share runs. A record that cannot
// be read stops this feed with a problem (a newer format, or a broken writer); the others go on (A6).

import type { Entry } from '../../core/entry.js'
import { decodePublicPart, decodeRecord } from '../../core/record.js'
import type { Log } from '../../ports/log.js'
import type { IndexFeed } from '../../store/feeds.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { ProblemBook } from './problems.js'

/** The part of a feed (src/feed) that following needs. */
export interface Readable {
  readonly key: Buffer
  readonly length: number
  read(
    from: number,
    to: number,
    options: { signal: AbortSignal },
  ): AsyncIterable<{ index: number; block: Buffer }>
  on(event: 'length', listener: () => void): unknown
}

export interface FollowerOptions {
  readonly index: ShareIndex
  readonly feed: Readable
  readonly entryKey: Buffer
  readonly problems: ProblemBook
  readonly log: Log
  /**
   * Reads every block, checkpoint or not: who goes on with this feed must know every counter and piece number that was ever
   * used in it, also for what is dead by now (F1).
   */
  readonly isOwn?: boolean
  /** Called in the transaction that takes over a record; `next` is the block after it, `atMs` when it was published. */
  readonly onTaken?: (entries: readonly Entry[], next: number, atMs: number) => void
  /** Called after every transaction. `entries` is how many the record held. */
  readonly onIngested: (entries: number) => void
  /**
   * The index could not be written: what is known of it in memory is ahead of it, so that only a new start helps. Default: told
   * as a feed that cannot be read.
   */
  readonly fail?: (thrown: unknown) => void
  /** After a failure of one that follows. Default: half a minute. */
  readonly retryMs?: number
}

/** A disk that had a bad moment may be read again. */
const RETRY_MS = 30_000

/** From so many blocks behind, a checkpoint may save most of them. */
const CHECKPOINT_LOOK = 8

export class Follower {
  readonly #writer: IndexFeed['writer']
  readonly #options: FollowerOptions
  readonly #abort = new AbortController()
  #running: Promise<void> | undefined

  constructor(feed: IndexFeed, options: FollowerOptions) {
    this.#writer = feed.writer
    this.#options = options
  }

  /** Follows from now on. */
  start(): void {
    this.#isFollowing = true
    this.#options.feed.on('length', () => this.#wake())
    this.#wake()
  }

  /** Whether the feed is known to go on beyond what is taken over, and can be read. */
  get isBehind(): boolean {
    const { index, feed } = this.#options
    const row = index.feeds.byWriter(this.#writer)
    return row !== undefined && !row.closed && !this.#stuck && row.next < feed.length
  }

  /** Takes over all blocks that are there now, no others: the own feed's tail at start. What it says later is known. */
  async catchUp(): Promise<void> {
    await this.#wake()
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    clearTimeout(this.#retry)
    await this.#running
  }

  #wake(): Promise<void> {
    if (this.#abort.signal.aborted) return Promise.resolve()
    this.#running ??= this.#follow().finally(() => {
      this.#running = undefined
      const next = this.#options.index.feeds.byWriter(this.#writer)!
      if (!next.closed && !this.#stuck && next.next < this.#options.feed.length) void this.#wake()
    })
    return this.#running
  }

  #stuck = false
  /** Not one that only catches up at the start: what is said after that is not to be taken over again. */
  #isFollowing = false
  /** Waits to try again what failed. */
  #retry: NodeJS.Timeout | undefined
  #hasFailed = false
  #isIndexUnsure = false

  async #follow(): Promise<void> {
    const { feed, log } = this.#options
    try {
      const next = await this.#start()
      for await (const { index: at, block } of feed.read(next, feed.length, { signal: this.#abort.signal })) {
        if (!this.#takeOver(at, block)) return
      }
      if (this.#hasFailed) this.#options.problems.clear('feed', this.#writer)
      this.#hasFailed = false
    } catch (thrown) {
      if (this.#abort.signal.aborted) return
      this.#stuck = true
      if (this.#isIndexUnsure && this.#options.fail !== undefined) return this.#options.fail(thrown)
      if (!this.#hasFailed) log.error({ err: thrown, writer: this.#writer }, 'cannot read a feed')
      this.#hasFailed = true
      this.#options.problems.set('feed', this.#writer, 'FEED_UNREADABLE', (thrown as Error).message)
      if (this.#isFollowing && !this.#isIndexUnsure) this.#tryAgain()
    }
  }

  #tryAgain(): void {
    this.#retry = setTimeout(() => {
      this.#stuck = false
      void this.#wake()
    }, this.#options.retryMs ?? RETRY_MS).unref()
  }

  /**
   * The block to go on with: the next one, or the beginning of the newest checkpoint if that is further on (F3). Skipping
   * is safe, because the checkpoint says again every entry of this feed that is still the newest of its path.
   */
  async #start(): Promise<number> {
    const { index, feed } = this.#options
    const { next } = index.feeds.byWriter(this.#writer)!
    if (this.#options.isOwn || feed.length - next < CHECKPOINT_LOOK) return next
    for await (const { block } of feed.read(feed.length - 1, feed.length, { signal: this.#abort.signal })) {
      const decoded = decodePublicPart(block)
      if (decoded.type === 'ok') return Math.max(next, decoded.value.header.checkpoint ?? 0)
    }
    return next
  }

  #takeOver(at: number, block: Buffer): boolean {
    const { index, feed, entryKey, problems, log } = this.#options
    const decoded = decodeRecord(block, { entryKey, feedKey: feed.key, index: at, author: this.#writer })
    if (decoded.type === 'violation') {
      this.#stuck = true
      log.warn(
        { writer: this.#writer, block: at, code: decoded.code, detail: decoded.detail },
        'record refused',
      )
      problems.set('feed', this.#writer, 'BAD_RECORD', `record ${at} is not readable: ${decoded.detail}`)
      return false
    }
    this.#isIndexUnsure = true
    const refusals = index.transaction(() => {
      const refused = index.ingest(index.feeds.byWriter(this.#writer)!, decoded.value, at + 1)
      this.#options.onTaken?.(decoded.value.entries, at + 1, decoded.value.header.timeMs)
      return refused
    })
    this.#isIndexUnsure = false
    for (const { path } of decoded.value.entries) problems.clear('feed', path)
    for (const { path, detail } of refusals) {
      log.warn({ writer: this.#writer, block: at, path, detail }, 'entry refused')
      problems.set('feed', path, 'BAD_ENTRY', detail)
    }
    this.#options.onIngested(decoded.value.entries.length)
    return true
  }
}
