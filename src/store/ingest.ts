// Takes the records of feeds over into the tables of a share's index. A feed must say nothing that contradicts what it said
// before, and speak of nothing that it has not announced (F1): what fails is skipped and reported; it never stops the feed (A6).
// Also counts how much of what feeds announced a record leaves without use.
import type { Entry, PieceRun } from '../core/entry.js'
import type { WriterId } from '../core/ids.js'
import type { RelPath } from '../core/path.js'
import { contentIdOf, type PieceInfo, plainBytesOf } from '../core/piece.js'
import type { FeedRecord } from '../core/record.js'
import { piecesIn } from '../core/record-entries.js'
import type { Effective } from '../core/tree.js'
import { counterOf } from '../core/version.js'
import type { FeedTable, IndexFeed } from './feeds.js'
import type { HeadsTable } from './heads.js'
import type { Layout, PieceTables } from './pieces.js'
import type { DiskRow } from './rows.js'

/** An entry that contradicts its own feed; skipped and reported, it never stops the feed (A6). */
export interface Refusal {
  readonly path: RelPath
  readonly detail: string
}

/** What this disk holds at a path, with the layout of a file's pieces. */
export interface HeldRow {
  readonly row: DiskRow
  readonly layout: Layout | undefined
}

/** The tables of an index, and what follows for the rest of it. */
export interface IngestInto {
  readonly feeds: FeedTable
  readonly pieces: PieceTables
  readonly heads: HeadsTable
  /** The share says this of a path from now on. */
  changed(path: RelPath, share: Effective): void
  /** This disk holds this at a path; `share` is what the share says of it, if that has just changed. */
  holds(path: RelPath, held: HeldRow, share: Effective | undefined): void
}

/** Takes over one record of a feed; see ShareIndex.ingest. */
export function takeOverRecord(
  into: IngestInto,
  feed: IndexFeed,
  record: FeedRecord,
  next: number,
  onDisk?: (path: RelPath) => HeldRow | undefined,
): Refusal[] {
  const refusals: Refusal[] = []
  const { announced, pieceCount } = announcePieces(into.pieces, feed, record, next - 1, refusals)
  let counter = feed.counter
  const dead: Dead = new Map()
  for (const entry of record.entries) {
    const own = counterOf(entry.version, feed.writer)
    const fault = own === 0 ? NOT_COUNTED : contentFault(into.pieces, feed, entry, announced)
    if (fault !== undefined) {
      refusals.push({ path: entry.path, detail: fault })
      continue
    }
    counter = Math.max(counter, own)
    const { path } = entry
    const change = into.heads.merge(entry)
    const held = onDisk?.(path)
    if (held !== undefined) into.holds(path, held, change?.share)
    else if (change !== undefined) into.changed(path, change.share)
    if (change !== undefined) countDead(dead, change.before, change.after)
  }
  for (const { path, share } of into.heads.settleParents()) into.changed(path, share)
  const checkpoint = Math.max(feed.checkpoint, record.header.checkpoint ?? 0)
  const before = next <= feed.before.length ? { ...feed.before, counter, pieceCount } : feed.before
  into.feeds.put({ ...feed, pieceCount, counter, next, checkpoint, before })
  noteDead(into.feeds, dead)
  return refusals
}

/** By writer, how many entries are no heads any more, and about how many bytes of pieces they alone used. */
type Dead = Map<WriterId, { readonly entries: number; readonly bytes: number }>

function countDead(dead: Dead, before: readonly Entry[], after: readonly Entry[]): void {
  for (const head of before) {
    if (after.includes(head)) continue
    const { entries, bytes } = dead.get(head.author) ?? { entries: 0, bytes: 0 }
    dead.set(head.author, { entries: entries + 1, bytes: bytes + deadBytes(head, after) })
  }
}

function noteDead(feeds: FeedTable, dead: Dead): void {
  for (const [writer, { entries, bytes }] of dead) {
    const row = feeds.byWriter(writer)
    if (row === undefined) continue
    feeds.put({ ...row, deadEntries: row.deadEntries + entries, deadBytes: row.deadBytes + bytes })
  }
}

/** Why an entry is refused whose vector leaves its own author out. */
export const NOT_COUNTED = 'its version does not count its own writer'

/**
 * Takes over what the record of a block announces; `announced` has it by number, `pieceCount` is the feed's from now on. What was
 * announced otherwise before is added to `refusals`.
 */
export function announcePieces(
  tables: Pick<PieceTables, 'announce'>,
  feed: IndexFeed,
  record: FeedRecord,
  block: number,
  refusals: Refusal[],
): { readonly announced: ReadonlyMap<number, PieceInfo>; readonly pieceCount: number } {
  const announced = new Map<number, PieceInfo>()
  let pieceCount = feed.pieceCount
  for (const { first, pieces } of record.announcements) {
    pieces.forEach((piece, i) => {
      const number = first + i
      announced.set(number, piece)
      if (!tables.announce(feed.number, number, piece, number >= feed.pieceCount, block)) {
        const detail = `piece ${number} was announced twice and differently`
        refusals.push({ path: '' as RelPath, detail })
      }
    })
    pieceCount = Math.max(pieceCount, first + pieces.length)
  }
  return { announced, pieceCount }
}

/**
 * Bytes of pieces that only a replaced entry used at its path, going by how many numbers it has in common with its author's
 * entries that are heads now. An estimate that is mostly too high: other paths may use them, and pieces differ in length.
 */
function deadBytes(buried: Entry, heads: readonly Entry[]): number {
  if (buried.type !== 'file') return 0
  const count = piecesIn(buried.pieces)
  if (count === 0) return 0
  const used = heads.flatMap((head) =>
    head.type === 'file' && head.author === buried.author ? head.pieces : [],
  )
  return Math.ceil((buried.size * (count - numbersInBoth(buried.pieces, used))) / count)
}

function numbersInBoth(some: readonly PieceRun[], others: readonly PieceRun[]): number {
  const [a, b] = [some, others].map((runs) => [...runs].sort((x, y) => x.first - y.first))
  let shared = 0
  for (let i = 0, j = 0; i < a!.length && j < b!.length; ) {
    const [one, two] = [a![i]!, b![j]!]
    const end = Math.min(one.first + one.count, two.first + two.count)
    shared += Math.max(0, end - Math.max(one.first, two.first))
    if (one.first + one.count === end) i++
    else j++
  }
  return shared
}

/** Why a file entry cannot be believed, or undefined: it must be made of pieces its own feed has announced (F1). */
export function contentFault(
  tables: Pick<PieceTables, 'at'>,
  feed: IndexFeed,
  entry: Entry,
  announced: ReadonlyMap<number, PieceInfo>,
): string | undefined {
  if (entry.type !== 'file') return undefined
  const ids: Buffer[] = []
  let size = 0
  let padded = 0
  for (const { first, count } of entry.pieces) {
    for (let number = first; number < first + count; number++) {
      const piece = announced.get(number) ?? tables.at(feed.number, number)
      if (piece === undefined) return 'it refers to a piece that its feed never announced'
      ids.push(piece.id)
      size += plainBytesOf(piece)
      if (piece.plain !== undefined) padded++
    }
  }
  if (padded > 0 && padded < ids.length) return `of its ${ids.length} pieces, only ${padded} are padded`
  if (size !== entry.size) return `its pieces hold ${size} bytes, it claims ${entry.size}`
  if (!contentIdOf(ids).equals(entry.content)) return 'its content id is not that of its pieces'
  return undefined
}
