// What a share held at a moment, without a disk to compare it with: the heads of every path and the pieces of every feed,
// by the same rules and the same code as a share's index (store/heads.ts, store/ingest.ts). For who writes it out once.
import type { Entry } from '../../core/entry.js'
import type { Heads } from '../../core/merge.js'
import type { RelPath } from '../../core/path.js'
import type { PieceInfo } from '../../core/piece.js'
import type { FeedRecord } from '../../core/record.js'
import type { Effective } from '../../core/tree.js'
import { counterOf } from '../../core/version.js'
import { FeedTable, type IndexFeed } from '../../store/feeds.js'
import { HeadsTable } from '../../store/heads.js'
import { announcePieces, contentFault, NOT_COUNTED, type Refusal } from '../../store/ingest.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { Database } from '../../store/tables.js'
import { PastPieces } from './past-pieces.js'

/** What feeds are read into: a share's index, or a tree without a disk. */
export type PastIndex = Pick<
  ShareIndex,
  'feeds' | 'heads' | 'contested' | 'effective' | 'ingest' | 'piecesOf' | 'transaction'
>

const PREFIX = 'past:'

export class PastTree implements PastIndex {
  readonly feeds: FeedTable
  readonly #database: Database
  readonly #heads: HeadsTable
  readonly #pieces = new PastPieces()

  /** Whether its entries are in memory anyway, so that keeping one takes no room. */
  readonly holdsEntries: boolean

  /** The database must be empty: pieces are in memory alone. */
  constructor(database: Database) {
    this.#database = database
    this.holdsEntries = database.holdsValues === true
    this.feeds = new FeedTable(database, PREFIX)
    this.#heads = new HeadsTable(database, PREFIX)
  }

  transaction<T>(body: () => T): T {
    return this.#database.transaction(body)
  }

  heads(path: RelPath): Heads {
    return this.#heads.get(path)
  }

  contested(): Generator<Heads> {
    return this.#heads.contested()
  }

  /** Of every path that somebody ever said anything of. */
  allEffective(): Generator<{ readonly path: RelPath; readonly share: Effective }> {
    return this.#heads.allEffective()
  }

  effective(path: RelPath): Effective {
    return this.#heads.effective(path)
  }

  /** As ShareIndex.ingest takes a record over (F1, F2). */
  ingest(feed: IndexFeed, record: FeedRecord, next: number): Refusal[] {
    const refusals: Refusal[] = []
    const { announced, pieceCount } = announcePieces(this.#pieces, feed, record, next - 1, refusals)
    let counter = feed.counter
    for (const entry of record.entries) {
      const own = counterOf(entry.version, feed.writer)
      const fault = own === 0 ? NOT_COUNTED : contentFault(this.#pieces, feed, entry, announced)
      if (fault !== undefined) {
        refusals.push({ path: entry.path, detail: fault })
        continue
      }
      counter = Math.max(counter, own)
      this.#heads.merge(entry)
    }
    this.#heads.settleParents()
    this.feeds.put({ ...feed, pieceCount, counter, next })
    return refusals
  }

  piecesOf(entry: Entry): PieceInfo[] | undefined {
    if (entry.type !== 'file') return []
    const feed = this.feeds.byWriter(entry.author)
    return feed === undefined ? undefined : this.#pieces.ofRuns(feed.number, entry.pieces)
  }
}
