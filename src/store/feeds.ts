// The feeds of a share: each writer's certificate and how far its records have been taken over.
import type { DeviceId, WriterId } from '../core/ids.js'
import { AFTER_LAST_KEY, type Database, FIRST_KEY, type Table } from './tables.js'

/**
 * How far an own feed had come when this index began: 0 throughout unless an index was lost. What was said before may
 * have been lost from the disk together with that index; all that came later, this index has seen on the disk (A4, A5).
 */
export interface BeforeIndex {
  readonly length: number
  /** The highest counter and one above the highest piece number in those blocks, as far as they are taken over. */
  readonly counter: number
  readonly pieceCount: number
}

/** One writer's feed as the index knows it. */
export interface IndexFeed {
  /** Short local number, from 1, for piece refs; never reused. */
  readonly number: number
  readonly writer: WriterId
  /** Hypercore key, 32 bytes. */
  readonly key: Buffer
  readonly device: DeviceId
  readonly deviceName: string
  readonly epoch: number
  /** The certificate's bytes, to show to other peers (K5). */
  readonly certificate: Buffer
  /** The next block to take over. */
  readonly next: number
  /** Pieces announced so far: one above the highest number. */
  readonly pieceCount: number
  /** The highest counter the writer has used in an entry. */
  readonly counter: number
  /** The block where the newest whole checkpoint begins (F3), 0 if there was none. */
  readonly checkpoint: number
  /** Entries that this checkpoint holds, and the writer's counter when it was made. For own feeds only. */
  readonly checkpointEntries: number
  readonly checkpointCounter: number
  /** At most how many of its entries are no heads any more, since its checkpoint. */
  readonly deadEntries: number
  /** About how many bytes of its pieces no head uses any more, since its checkpoint or since they were counted last. */
  readonly deadBytes: number
  /** Of an own feed: what it had said before this index began to know the disk. */
  readonly before: BeforeIndex
  /** No longer followed or appended to: forked, or left behind by its writer (F4). What it said stays. */
  readonly closed: boolean
}

/** How much was taken over of those feeds that can be followed, ascending by writer. */
export function openView(feeds: readonly IndexFeed[]): [WriterId, number][] {
  return feeds
    .filter(({ closed }) => !closed)
    .map(({ writer, next }): [WriterId, number] => [writer, next])
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

export class FeedTable {
  readonly #table: Table<IndexFeed>
  readonly #byWriter = new Map<WriterId, IndexFeed>()
  readonly #byNumber = new Map<number, IndexFeed>()

  constructor(database: Database, prefix: string) {
    this.#table = database.table(`${prefix}feeds`)
    // Rows from before dead bytes and entries were counted lack them; of the entries it may have been all.
    for (const { value } of this.#table.range(FIRST_KEY, AFTER_LAST_KEY)) {
      const { deadBytes = 0, deadEntries = value.counter } = value
      this.#keep({ ...value, deadBytes, deadEntries })
    }
  }

  all(): IndexFeed[] {
    return [...this.#byWriter.values()]
  }

  /** How much of each feed has been taken over, ascending by writer as the codecs want it. */
  view(): [WriterId, number][] {
    const view = this.all().map(({ writer, next }): [WriterId, number] => [writer, next])
    return view.sort(([a], [b]) => (a < b ? -1 : 1))
  }

  byWriter(writer: WriterId): IndexFeed | undefined {
    return this.#byWriter.get(writer)
  }

  byNumber(number: number): IndexFeed | undefined {
    return this.#byNumber.get(number)
  }

  /**
   * Adds a feed that was not known; returns the known one otherwise. `ownLength` is how long a feed of our own is by
   * then, 0 for anybody else's.
   */
  add(
    feed: Pick<IndexFeed, 'writer' | 'key' | 'device' | 'deviceName' | 'epoch' | 'certificate'>,
    ownLength = 0,
  ): IndexFeed {
    const known = this.#byWriter.get(feed.writer)
    if (known !== undefined) return known
    const number = 1 + Math.max(0, ...this.all().map((other) => other.number))
    const none = {
      next: 0,
      pieceCount: 0,
      counter: 0,
      checkpoint: 0,
      checkpointEntries: 0,
      checkpointCounter: 0,
      deadEntries: 0,
      deadBytes: 0,
      before: { length: ownLength, counter: 0, pieceCount: 0 },
    }
    const added = { ...feed, ...none, number, closed: false }
    this.put(added)
    return added
  }

  /** Those of all() before a transaction that failed. */
  restore(feeds: readonly IndexFeed[]): void {
    this.#byWriter.clear()
    this.#byNumber.clear()
    for (const feed of feeds) this.#keep(feed)
  }

  #keep(feed: IndexFeed): void {
    this.#byWriter.set(feed.writer, feed)
    this.#byNumber.set(feed.number, feed)
  }

  put(feed: IndexFeed): void {
    this.#keep(feed)
    const key = Buffer.alloc(4)
    key.writeUInt32BE(feed.number)
    this.#table.put(key, feed)
  }
}
