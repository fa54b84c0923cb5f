// Follows one feed without the key to its entries: fetches every block, takes over its public part, and brings the block, as
// it is stored (ciphertext), with its writer's signature into the vault. A record whose public part cannot be read stops
// this feed with a problem; the others go on (A6).
import { setTimeout as delay } from 'node:timers/promises'
import { decodePublicPart, type PublicPart } from '../../core/record.js'
import type { Feed } from '../../feed/feed.js'
import type { Log } from '../../ports/log.js'
import type { BlindIndex } from '../../store/blind-index.js'
import type { IndexFeed } from '../../store/feeds.js'
import type { StoredBlock, VaultBatch } from '../../vault/stored.js'
import type { ProblemBook } from '../share/problems.js'
import { inGroups } from './groups.js'
import type { LeafKeeper } from './leaf-keeper.js'

/** The part of a feed (src/feed) that this needs. */
export type FollowedFeed = Pick<Feed, 'length' | 'read' | 'export' | 'on'>

interface ReadBlock {
  readonly index: number
  readonly block: Buffer
}

export interface BlindFollowerOptions {
  readonly index: BlindIndex
  readonly feed: FollowedFeed
  readonly problems: ProblemBook
  readonly log: Log
  readonly takeOver: (feed: IndexFeed, at: number, part: PublicPart) => void
  /** Resolves when it is durable in the vault. */
  readonly store: (batch: VaultBatch) => Promise<void>
  /** What is kept beside the blocks. None: nothing. */
  readonly leaves?: Pick<LeafKeeper, 'due' | 'lost'>
  /** Something was taken over, or is durable now. */
  readonly onProgress: () => void
  /** The index could not be written: what is known of it in memory is ahead of it, so that only a new start helps. */
  readonly fail: (thrown: unknown) => void
  /** After a failure. Default: half a minute. */
  readonly retryMs?: number
}

/** A disk that had a bad moment may be read again. */
const RETRY_MS = 30_000
/** Blocks taken over in one transaction: each is a sync of the index, and some 300 pieces, a millisecond. */
const TOGETHER_BLOCKS = 16
/** A block that does not come within this time keeps those before it waiting no longer. */
const TOGETHER_MS = 20
/** Blocks that are taken over before they go to the vault together. */
const STORE_BLOCKS = 64
/** Written at once at most. */
const BATCH_BYTES = 8 << 20

export class BlindFollower {
  readonly #writer: IndexFeed['writer']
  readonly #number: number
  readonly #o: BlindFollowerOptions
  readonly #abort = new AbortController()
  #running: Promise<void> | undefined
  #isStuck = false
  /** Waits to try again what failed. */
  #retry: NodeJS.Timeout | undefined
  #hasFailed = false
  #isIndexUnsure = false
  /** Blocks that were taken over once and are lost here are waited for: somebody may have them. */
  #mending: Promise<void> | undefined
  /** Meanwhile all others up to here are in the vault. */
  #storedTo = 0
  /** First of the blocks that the vault has lost since storing began last; infinite: it has lost none. */
  #lostFrom = Number.POSITIVE_INFINITY
  /** So many times in a row it lost some meanwhile. */
  #lossyRounds = 0
  /** Since what is kept beside the blocks was looked at last. */
  #hasLostLeaves = false

  constructor({ writer, number }: IndexFeed, options: BlindFollowerOptions) {
    this.#writer = writer
    this.#number = number
    this.#o = options
  }

  /** Follows from now on. */
  start(): void {
    this.#o.feed.on('length', () => this.wake())
    this.wake()
  }

  /** Whether more is known to be there than is taken over and durable; not of a feed that cannot be read. */
  get isBehind(): boolean {
    const { index, feed } = this.#o
    return !this.#isStuck && Math.min(this.#row.next, index.storedBlocks(this.#number)) < feed.length
  }

  /** Looks again: there is more, or blocks of it were lost from the vault. */
  wake(): void {
    if (this.#abort.signal.aborted || this.#isStuck || this.#row.closed) return
    this.#running ??= this.#follow().finally(() => {
      this.#running = undefined
      const isWaiting = this.#mending !== undefined && this.#row.next >= this.#o.feed.length
      const hasLost = this.#hasLostLeaves || this.#lostFrom !== Number.POSITIVE_INFINITY
      if ((this.isBehind && !isWaiting) || hasLost) this.#goOn()
    })
  }

  /** At once, but for a disk that loses what it takes: that would be written to round and round. */
  #goOn(): void {
    if (this.#lossyRounds < 2) return this.wake()
    if (this.#isStuck || this.#abort.signal.aborted) return
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.wake(), this.#o.retryMs ?? RETRY_MS).unref()
  }

  /** The vault has lost a block, or the head: what is from there on is brought there again. */
  lost(from: number): void {
    this.#lostFrom = Math.min(this.#lostFrom, from)
    this.#storeAll()
  }

  /** What is kept beside the blocks was lost: it is brought into the vault again. */
  lostLeaves(): void {
    this.#hasLostLeaves = true
    this.#o.leaves?.lost()
    this.wake()
  }

  async stop(): Promise<void> {
    this.#abort.abort(new Error('the share stops'))
    clearTimeout(this.#retry)
    await Promise.all([this.#running, this.#mending])
  }

  #storeAll(): void {
    this.#storedTo = 0
    this.wake()
  }

  get #row(): IndexFeed {
    return this.#o.index.feeds.byWriter(this.#writer)!
  }

  async #follow(): Promise<void> {
    const { feed, log, problems, onProgress } = this.#o
    const { signal } = this.#abort
    try {
      let unstored = 0
      const blocks = feed.read(this.#row.next, feed.length, { signal })
      // The first at once, so that pieces are asked for while the other records come.
      for await (const together of inGroups(blocks, 1, TOGETHER_BLOCKS, TOGETHER_MS)) {
        // What comes before a record that cannot be read is kept all the same.
        if (!this.#takeOver(together)) break
        unstored += together.length
        if (unstored < STORE_BLOCKS) continue
        unstored = 0
        await this.#store()
      }
      await this.#store()
      onProgress()
      if (this.#hasFailed && !this.#isStuck) problems.clear('feed', this.#writer)
      this.#hasFailed = false
    } catch (thrown) {
      if (signal.aborted || this.#row.closed) return
      this.#isStuck = true
      if (this.#isIndexUnsure) return this.#o.fail(thrown)
      if (!this.#hasFailed) log.error({ err: thrown, writer: this.#writer }, 'cannot read a feed')
      this.#hasFailed = true
      problems.set('feed', this.#writer, 'FEED_UNREADABLE', (thrown as Error).message)
      this.#retry = setTimeout(() => {
        this.#isStuck = false
        this.wake()
      }, this.#o.retryMs ?? RETRY_MS).unref()
    }
  }

  #takeOver(blocks: readonly ReadBlock[]): boolean {
    const { index, problems, log, takeOver, onProgress } = this.#o
    this.#isIndexUnsure = true
    index.transaction(() => {
      for (const { index: at, block } of blocks) {
        const decoded = decodePublicPart(block)
        if (decoded.type === 'ok') {
          takeOver(this.#row, at, decoded.value)
          continue
        }
        this.#isStuck = true
        const { code, detail } = decoded
        log.warn({ writer: this.#writer, block: at, code, detail }, 'record refused')
        problems.set('feed', this.#writer, 'BAD_RECORD', `record ${at} is not readable: ${detail}`)
        return
      }
    })
    this.#isIndexUnsure = false
    onProgress()
    return !this.#isStuck
  }

  /** Brings what was taken over into the vault: blocks first, then the head that proves them, and what proves the rest without them. */
  async #store(): Promise<void> {
    const { index, feed, store, leaves, onProgress } = this.#o
    this.#hasLostLeaves = false
    this.#lostFrom = Number.POSITIVE_INFINITY
    const stored = index.storedBlocks(this.#number)
    const from = Math.max(stored, this.#storedTo)
    const exported = await feed.export(from)
    if (exported === undefined) return
    let blocks: StoredBlock[] = []
    let bytes = 0
    let end = stored
    let count = 0
    for await (const block of exported.blocks) {
      // Only what follows without a gap counts as stored; the rest is exported again.
      if (block.index === end) end++
      count++
      blocks.push(block)
      bytes += block.bytes.length
      if (bytes < BATCH_BYTES) continue
      await store({ blocks })
      blocks = []
      bytes = 0
    }
    const { head } = exported
    const due = leaves?.due(head, count > 0)
    const first = await due?.next()
    await store({ blocks, heads: [head], ...(first?.done === false && { leaves: first.value }) })
    // What was there when this began may have gone meanwhile, perhaps found by this very write: that is stored once more.
    const lostFrom = this.#lostFrom
    this.#lossyRounds = lostFrom === Number.POSITIVE_INFINITY ? 0 : this.#lossyRounds + 1
    this.#isIndexUnsure = true
    index.setStoredBlocks(this.#number, Math.min(end, lostFrom))
    this.#isIndexUnsure = false
    const { next } = this.#row
    this.#storedTo = end < next && lostFrom === Number.POSITIVE_INFINITY ? next : 0
    if (end < next) this.#mending ??= this.#mend(end, next)
    for await (const runs of due ?? []) await store({ leaves: runs })
    onProgress()
  }
  /** Waits for blocks that are lost here, beside whatever comes, and has them stored with what follows them. */
  async #mend(from: number, to: number): Promise<void> {
    const { feed, log, retryMs = RETRY_MS } = this.#o
    const { signal } = this.#abort
    log.warn({ writer: this.#writer, block: from }, 'blocks of a feed are lost here, and fetched again')
    try {
      for await (const _ of feed.read(from, to, { signal }));
    } catch (thrown) {
      if (signal.aborted || this.#row.closed) return
      log.warn({ err: thrown, writer: this.#writer }, 'cannot fetch lost blocks of a feed now')
      await delay(retryMs, undefined, { signal, ref: false }).catch(() => undefined)
    }
    this.#mending = undefined
    this.#storeAll()
  }
}
