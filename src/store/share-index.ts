// A share's index: who says what about which path (heads.ts), what this disk holds and as which version (disk.ts), where
// pieces are (pieces.ts), and what is therefore still to be done (wanted.ts); with what follows for conflicts (conflicts.ts)
// and what is kept for the next process (recovery.ts). It applies the core's rules to tables; it does
// no I/O but theirs and reads no clock, so the simulator runs this very class over tables in memory. Every method that
// changes something runs inside transaction().
//
// Invariants, besides those of its parts, checked by test/store:
//   1. a wanted row stands for exactly the paths whose step (core/plan.ts) is not 'none'; 'adopt' is done on the spot, or
//      held until the disk was looked at once since the index was opened.
import type { Entry } from '../core/entry.js'
import { ABSENT, sameFact } from '../core/fact.js'
import { type Applied, NOTHING_APPLIED } from '../core/local.js'
import type { Heads } from '../core/merge.js'
import type { Lack } from '../core/metadata.js'
import { parentOf, type RelPath } from '../core/path.js'
import type { PieceInfo } from '../core/piece.js'
import type { Step } from '../core/plan.js'
import type { FeedRecord } from '../core/record.js'
import type { DiskStat } from '../core/stat.js'
import { type Effective, withAncestors } from '../core/tree.js'
import { type ArchivedPlace, ArchivedTable } from './archived.js'
import { Conflicts } from './conflicts.js'
import { DiskTable, type Lacking } from './disk.js'
import { dueStep, type IndexOptions, isHeldBack, isToBeUndone } from './due.js'
import { FeedTable, type IndexFeed } from './feeds.js'
import { HeadsTable } from './heads.js'
import { type HeldRow, type IngestInto, type Refusal, takeOverRecord } from './ingest.js'
import { IntentTable } from './intents.js'
import { LinkTable } from './links.js'
import { type Layout, type PieceRef, PieceTables, type Place } from './pieces.js'
import { Recovery } from './recovery.js'
import type { HeldReleases } from './releases.js'
import { type DiskRow, STORE_FORMAT } from './rows.js'
import { type Database, firstPaths, pathKey } from './tables.js'
import { WantedTable } from './wanted.js'

export type { IndexOptions } from './due.js'
export type { HeldRow, Refusal } from './ingest.js'

/** What changed since the last call of drain(). */
export interface IndexChanges {
  /** Paths that have something to do now, in the order they came up. */
  readonly wanted: ReadonlySet<RelPath>
  /** Pieces this node now holds (true) or no longer holds (false), by feed number and index. */
  readonly held: ReadonlyMap<number, ReadonlyMap<number, boolean>>
}

export interface IndexCounts {
  readonly files: number
  readonly bytes: number
  readonly needFiles: number
  readonly needBytes: number
  readonly drift: number
}

export class ShareIndex {
  /** The format of the rows; a database of another one must be deleted before it is opened. */
  static readonly format: number = STORE_FORMAT
  readonly feeds: FeedTable
  readonly pieces: PieceTables
  readonly conflicts: Conflicts
  readonly recovery: Recovery
  readonly links: LinkTable
  readonly #database: Database
  readonly #heads: HeadsTable
  readonly #disk: DiskTable
  readonly #wanted: WantedTable
  readonly #archived: ArchivedTable
  readonly #ingest: IngestInto
  #options: IndexOptions
  /**
   * The disk may have changed since the process last died. Until it was looked at, a row stands for the version that it
   * was written for: a user's change starts from that one, not from a newer one that happens to look the same (V1).
   */
  #isDiskUnsure: boolean
  #held = new Map<number, Map<number, boolean>>()
  /** Pinned paths of which the share has come to say something else. */
  readonly #heldBack = new Set<RelPath>()

  /** `prefix` keeps several shares apart in one database. Walks all rows once to count them. */
  constructor(database: Database, prefix: string, options: IndexOptions) {
    this.#database = database
    this.#options = options
    this.feeds = new FeedTable(database, prefix)
    const onHeld = (ref: PieceRef, held: boolean): void => this.#noteHeld(ref, held)
    this.pieces = new PieceTables(database, prefix, onHeld, (path) => this.layout(path))
    this.#heads = new HeadsTable(database, prefix)
    this.links = new LinkTable(database, prefix)
    const stays = (path: RelPath, row: DiskRow): boolean => !isToBeUndone(this.#options, path, row)
    this.#disk = new DiskTable(database, prefix, this.pieces, this.links, stays, (directory) =>
      this.refresh(directory),
    )
    this.#isDiskUnsure = this.#disk.all().next().done !== true
    this.conflicts = new Conflicts(this.#heads, this.#disk)
    this.recovery = new Recovery(this, new IntentTable(database, prefix))
    this.#wanted = new WantedTable(database, prefix, options.onWanted)
    this.#archived = new ArchivedTable(database, prefix)
    this.#ingest = {
      ...{ feeds: this.feeds, pieces: this.pieces, heads: this.#heads },
      changed: (path, share) => this.#refreshWith(path, share, this.disk(path)),
      holds: (path, { row, layout }, share) => this.#setDisk(path, row, layout, share),
    }
  }

  transaction<T>(body: () => T): T {
    return this.#database.transaction(body)
  }

  get counts(): IndexCounts {
    return {
      files: this.#disk.files,
      bytes: this.#disk.bytes,
      needFiles: this.#wanted.files,
      needBytes: this.#wanted.bytes,
      drift: this.#disk.drifted.size,
    }
  }

  /** The digest of what this disk holds, 32 bytes (section 10). */
  digest(): Buffer {
    return this.#disk.digest()
  }

  heads(path: RelPath): Heads {
    return this.#heads.get(path)
  }

  /** The heads of every path; so many are read at a time. */
  allHeads(chunk?: number): Generator<Heads> {
    return this.#heads.all(chunk)
  }

  /** Of paths with more than one. */
  contested(): Generator<Heads> {
    return this.#heads.contested()
  }

  /** What the share says a path holds (V4, V6). */
  effective(path: RelPath): Effective {
    return this.#heads.effective(path)
  }

  disk(path: RelPath): DiskRow | undefined {
    return this.#disk.get(path)
  }

  applied(path: RelPath): Applied {
    return this.#disk.get(path)?.applied ?? NOTHING_APPLIED
  }

  /** The rows of paths directly inside a directory. */
  diskChildren(directory: RelPath | ''): { path: RelPath; row: DiskRow }[] {
    return this.#disk.children(directory)
  }

  /**
   * Paths directly inside a directory that anything is known of, dead ones too, by the bytes of their names: after a path if
   * one is given, up to `limit`.
   */
  inside(directory: RelPath | '', after: RelPath | undefined, limit: number): RelPath[] {
    const paths = [
      ...this.#heads.inside(directory, after, limit),
      ...this.#disk.inside(directory, after, limit),
    ]
    return firstPaths(paths.map(pathKey), limit)
  }

  diskRows(): Generator<{ path: RelPath; row: DiskRow }> {
    return this.#disk.all()
  }

  /** Rows after a path (exclusive), in the order of their keys; a walk that pauses between its calls. */
  diskRowsAfter(path: RelPath | undefined, limit: number): { path: RelPath; row: DiskRow }[] {
    return this.#disk.after(path, limit)
  }

  layout(path: RelPath): Layout | undefined {
    return this.#disk.layout(path)
  }

  drifted(): readonly RelPath[] {
    return [...this.#disk.drifted]
  }

  /**
   * Works out anew what is to be done about a reader's changes of these paths, or of all: whether they are to be undone may
   * be another by now.
   */
  refreshDrift(paths: Iterable<RelPath> = this.drifted()): void {
    const due = new Set<RelPath>()
    for (const path of paths) {
      this.#disk.recount(path)
      for (const at of withAncestors(path)) due.add(at)
    }
    for (const path of due) this.refresh(path)
  }

  /** Files that were not given their set-user-id or set-group-id bit (core/setid.ts). */
  get withheld(): ReadonlySet<RelPath> {
    return this.#disk.withheld
  }

  /** How many paths lack something of what the share says of them, and a few of them. */
  lacking(what: Lack): Lacking {
    return this.#disk.lacking(what)
  }

  /** What is to be done at a path now. */
  step(path: RelPath): Step {
    return this.need(path).step
  }

  /** What is to be done at a path now, and all that it was decided from. */
  need(path: RelPath): { readonly step: Step; readonly share: Effective; readonly row: DiskRow | undefined } {
    const share = this.effective(path)
    const row = this.disk(path)
    return { step: this.#due(path, share, row), share, row }
  }

  /** Wanted paths after a key (exclusive), in key order: every directory before what lies in it. */
  wantedAfter(path: RelPath | undefined, limit: number): RelPath[] {
    return this.#wanted.after(path, limit)
  }

  isWanted(path: RelPath): boolean {
    return this.#wanted.has(path)
  }

  /** All wanted paths, in key order. */
  allWanted(): Generator<RelPath> {
    return this.#wanted.all()
  }

  /**
   * Whether more paths are still to be written with a content than the `staged` ones whose bytes are safe already: then
   * its last copy on this disk must stay (P3, V5). May say yes without need (48 bits are compared), never no.
   */
  isContentWanted(content: Buffer, staged: number): boolean {
    return this.#wanted.countOf(content) > staged
  }

  /** To be called when the whole disk was looked at for the first time since the start, files still written to aside. */
  noteLooked(): void {
    if (!this.#isDiskUnsure) return
    this.#isDiskUnsure = false
    for (const path of this.#wanted.withoutContent()) this.refresh(path)
  }

  /** Links to a file came or went by our own doing; see DiskTable.noteLinks. */
  noteLinks(stat: DiskStat, path?: RelPath): void {
    this.#disk.noteLinks(stat, path)
  }

  /** Paths of files with these inodes whose rows know of one name only, found by a walk that pauses between chunks. */
  singleNames(inodes: ReadonlySet<number>, chunk: number): Generator<RelPath[]> {
    return this.#disk.singles(inodes, chunk)
  }

  /** A file of a path was moved to the archive: its pieces can be copied from there (P3). */
  noteArchived(path: RelPath, archivePath: string): void {
    const layout = this.layout(path)
    if (layout !== undefined) this.#archived.note(layout, archivePath)
  }

  /** Where in the archive a piece was last put; it may be gone since. */
  archivedPlaceOf(id: Buffer): ArchivedPlace | undefined {
    return this.#archived.placeOf(id)
  }

  /** Forgets pieces in the archive's day folders that are not there any more; see ArchivedTable.forget. */
  forgetArchived(isDayThere: (day: string) => boolean, after?: Buffer, limit = 1024): Buffer | undefined {
    return this.#archived.forget(isDayThere, after, limit)
  }

  /**
   * Takes over one record of a feed (F1, F2); `next` is the block after it. `onDisk`: what this disk is known to hold from now
   * on at a path that the record has an entry of, as with setDisk(), if that is another; asked once for each entry.
   */
  ingest(
    feed: IndexFeed,
    record: FeedRecord,
    next: number,
    onDisk?: (path: RelPath) => HeldRow | undefined,
  ): Refusal[] {
    return takeOverRecord(this.#ingest, feed, record, next, onDisk)
  }

  /**
   * Sets what this disk holds at a path, with the layout of a file's pieces. Not if the rules have come to leave it out
   * while it was on its way.
   */
  setDisk(path: RelPath, row: DiskRow, layout: Layout | undefined): void {
    this.#setDisk(path, row, layout)
  }

  /** `share`: what the share says of the path, if that is known already. */
  #setDisk(path: RelPath, row: DiskRow, layout: Layout | undefined, share?: Effective): void {
    if (this.#options.isIgnored(path, row.applied.fact.type === 'directory')) return this.forgetDisk(path)
    this.#disk.set(path, row, layout)
    this.#refreshWith(path, share ?? this.effective(path), row)
    // What waits for a directory to be empty hears of it, whoever removed what was in it.
    const parent = parentOf(path)
    if (row.applied.fact.type === 'absent' && parent !== '') this.#wanted.remind(parent)
  }

  /** Forgets a path of the disk without a word to anybody: the ignore rules now leave it out. */
  forgetDisk(path: RelPath): void {
    this.#disk.remove(path)
    this.refresh(path)
  }

  /** How many pinned paths the share has come to say something else of, as far as they were looked at since the start. */
  get heldBack(): number {
    return this.#heldBack.size
  }

  /** What this disk holds of each release. */
  get releases(): HeldReleases {
    return this.#disk.releases
  }

  /** Whether anything is to be done at a path or below it. */
  isWantedBelow(directory: RelPath): boolean {
    return this.#wanted.hasBelow(directory)
  }

  /** Works out anew what is to be done below a directory, some paths at a time; returns where to go on, if so. */
  refreshBelow(directory: RelPath, after?: RelPath, limit = 512): RelPath | undefined {
    const paths = this.#heads.below(directory, after, limit)
    // Directories that only their children hold up have no heads of their own.
    for (const path of new Set(paths.flatMap(withAncestors))) this.refresh(path)
    return paths.length < limit ? undefined : paths.at(-1)
  }

  /** New ignore rules: everything is looked at again. */
  setIgnored(isIgnored: IndexOptions['isIgnored']): void {
    this.#options = { ...this.#options, isIgnored }
    const paths = new Set<RelPath>()
    for (const { path, row } of [...this.diskRows()]) {
      if (isIgnored(path, row.applied.fact.type === 'directory')) this.forgetDisk(path)
      paths.add(path)
    }
    // Directories that only their children hold up have no heads of their own.
    for (const path of this.#heads.paths()) for (const at of withAncestors(path)) paths.add(at)
    for (const path of paths) this.refresh(path)
  }

  /** Works out anew what is to be done at a path; what needs no disk is done. */
  refresh(path: RelPath): void {
    this.#refreshWith(path, this.effective(path), this.disk(path))
  }

  /** What changed since the last call. */
  drain(): IndexChanges {
    const changes = { wanted: this.#wanted.drain(), held: this.#held }
    this.#held = new Map()
    return changes
  }

  /** The pieces of a head, in file order. */
  piecesOf(entry: Entry): PieceInfo[] | undefined {
    if (entry.type !== 'file') return []
    const feed = this.feeds.byWriter(entry.author)
    return feed === undefined ? undefined : this.pieces.ofRuns(feed.number, entry.pieces)
  }

  /** The first piece of a head; undefined if it has none, or it was never announced. */
  firstPieceOf(entry: Entry): PieceInfo | undefined {
    const [run] = entry.type === 'file' ? entry.pieces : []
    const feed = run === undefined ? undefined : this.feeds.byWriter(entry.author)
    return run === undefined || feed === undefined ? undefined : this.pieces.at(feed.number, run.first)
  }

  /** The pieces of a content that some head of a path has, in file order. */
  piecesOfContent(path: RelPath, content: Buffer): PieceInfo[] | undefined {
    const head = this.heads(path).find((entry) => entry.type === 'file' && entry.content.equals(content))
    return head === undefined ? undefined : this.piecesOf(head)
  }

  /** A file on this disk that holds a piece, with its indexed stat, if it was looked at; undefined if none. */
  placeOf(piece: PieceInfo): (Place & { readonly stat: DiskStat | undefined }) | undefined {
    const place = this.pieces.placeOf(piece)
    return place === undefined
      ? undefined
      : { path: place.path, offset: place.offset, stat: this.#disk.statAt(place.path) }
  }

  /** A drift that the share has come to agree with is none any more. */
  #withoutDrift(path: RelPath, share: Effective, row: DiskRow | undefined): DiskRow | undefined {
    if (row?.drift === undefined || !sameFact(row.drift.fact, share.fact)) return row
    const agreed = {
      ...row,
      applied: { version: share.version, fact: share.fact },
      drift: undefined,
    }
    this.#disk.set(path, agreed, this.layout(path))
    return agreed
  }

  #refreshWith(path: RelPath, share: Effective, before: DiskRow | undefined): void {
    const row = this.#withoutDrift(path, share, before)
    const step = this.#due(path, share, row)
    if (step.type === 'adopt' && row !== undefined && this.#isDiskUnsure) return this.#wanted.hold(path)
    if (step.type === 'adopt') {
      const applied = { version: share.version, fact: row?.applied.fact ?? ABSENT }
      this.#disk.set(path, { stat: undefined, drift: undefined, ...row, applied }, this.layout(path))
    }
    this.#wanted.set(path, step)
  }

  #due(path: RelPath, share: Effective, row: DiskRow | undefined): Step {
    if (isHeldBack(this.#options, path, share, row)) this.#heldBack.add(path)
    else this.#heldBack.delete(path)
    return dueStep(this.#options, path, share, row, this.#disk.holdsDriftBelow(path))
  }

  #noteHeld({ feed, index }: PieceRef, held: boolean): void {
    const changed = this.#held.get(feed)
    if (changed === undefined) this.#held.set(feed, new Map([[index, held]]))
    else changed.set(index, held)
  }
}
