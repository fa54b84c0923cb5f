// A share's index: who says what about which path (heads), what this disk holds and as which version (disk), and what is
// therefore still to be done (wanted). It applies the core's rules to tables; it does no I/O but theirs and reads no
// clock, so the simulator runs this very class over tables in memory.
//
// Invariants, checked by test/store/share-index.test.ts:
//   1. a wanted row stands for exactly the paths whose step (core/plan.ts) is not 'none'; 'adopt' is done on the spot;
//   2. children[d] is the number of live paths directly inside d, by core/tree.ts effective();
//   3. digest, files and bytes are those of the disk rows (drifted paths by what the disk really holds);
//   4. a piece is held exactly when a disk row's layout has it.
import { isConflictCopy } from '../core/conflict.js'
import { TreeDigest } from '../core/digest.js'
import type { Entry } from '../core/entry.js'
import { ABSENT, type Fact, fingerprint, sameFactContent } from '../core/fact.js'
import type { WriterId } from '../core/ids.js'
import { type Applied, type Intent, NOTHING_APPLIED } from '../core/local.js'
import { type Heads, mergeEntry, NO_HEADS, viewOf } from '../core/merge.js'
import { parentOf, type RelPath } from '../core/path.js'
import { contentIdOf, type PieceInfo, SIV_BYTES } from '../core/piece.js'
import { type Step, stepFor } from '../core/plan.js'
import type { FeedRecord } from '../core/record.js'
import { type Draft, type Effective, effective, rescue, settle } from '../core/tree.js'
import { counterOf } from '../core/version.js'
import { FeedTable, type IndexFeed } from './feeds.js'
import { type Layout, type PieceRef, PieceTables, type Place, unpackLayout } from './pieces.js'
import {
  type DiskRow,
  packDiskRow,
  packHeads,
  packIntents,
  STORE_FORMAT,
  unpackDiskRow,
  unpackHeads,
  unpackIntents,
} from './rows.js'
import {
  AFTER_LAST_KEY,
  childrenRange,
  type Database,
  FIRST_KEY,
  keyAfter,
  pathKey,
  pathOfKey,
  type Table,
  walk,
} from './tables.js'

/** What changed since the last call of drain(). */
export interface IndexChanges {
  /** Paths that have something to do now, in the order they came up. */
  readonly wanted: ReadonlySet<RelPath>
  /** Pieces this node now holds (true) or no longer holds (false), by feed number and index. */
  readonly held: ReadonlyMap<number, ReadonlyMap<number, boolean>>
}

export interface IndexOptions {
  /** A reader that restores the share's state over local changes (`overwrite_changes`). */
  readonly overwriteDrift: boolean
  /** Paths that the share's ignore rules leave out on every node. */
  readonly isIgnored: (path: RelPath, isDirectory: boolean) => boolean
}

export interface IndexCounts {
  readonly files: number
  readonly bytes: number
  readonly needFiles: number
  readonly needBytes: number
  readonly drift: number
}

/** An entry that contradicts its own feed; skipped and reported, it never stops the feed (A6). */
export interface Refusal {
  readonly path: RelPath
  readonly detail: string
}

export class ShareIndex {
  readonly feeds: FeedTable
  readonly pieces: PieceTables
  readonly #database: Database
  readonly #heads: Table<unknown[][]>
  readonly #disk: Table<unknown[]>
  readonly #layouts: Table<Layout>
  readonly #children: Table<number>
  readonly #wanted: Table<number>
  readonly #wantedContent: Table<number>
  readonly #intents: Table<unknown[]>
  readonly #archived: Table<[archivePath: string, offset: number]>
  #recoveredIntents: Buffer[] = []
  readonly #digest = new TreeDigest()
  readonly #unsettled = new Set<RelPath>()
  readonly #drifted = new Set<RelPath>()
  readonly #copies = new Set<RelPath>()
  #options: IndexOptions
  #files = 0
  #bytes = 0
  #needFiles = 0
  #needBytes = 0
  #wantedChanges = new Set<RelPath>()
  #held = new Map<number, Map<number, boolean>>()

  /** `prefix` keeps several shares apart in one database. Walks all rows once to count them. */
  constructor(database: Database, prefix: string, options: IndexOptions) {
    this.#database = database
    this.#options = options
    this.feeds = new FeedTable(database, prefix)
    this.pieces = new PieceTables(database, prefix, (ref, held) => this.#noteHeld(ref, held))
    this.#heads = database.table(`${prefix}heads`)
    this.#disk = database.table(`${prefix}disk`)
    this.#layouts = database.table(`${prefix}layouts`)
    this.#children = database.table(`${prefix}children`)
    this.#wanted = database.table(`${prefix}wanted`)
    this.#wantedContent = database.table(`${prefix}wanted-content`)
    this.#intents = database.table(`${prefix}intents`)
    this.#archived = database.table(`${prefix}archived`)
    this.#recoveredIntents = [...walk(this.#intents)].map(({ key }) => key)
    this.#count()
  }

  /** The format of the rows; a database of another one must be deleted before it is opened. */
  static readonly format: number = STORE_FORMAT

  transaction<T>(body: () => T): T {
    return this.#database.transaction(body)
  }

  get counts(): IndexCounts {
    return {
      files: this.#files,
      bytes: this.#bytes,
      needFiles: this.#needFiles,
      needBytes: this.#needBytes,
      drift: this.#drifted.size,
    }
  }

  /** The digest of what this disk holds, 32 bytes (section 10). */
  digest(): Buffer {
    return this.#digest.value()
  }

  heads(path: RelPath): Heads {
    const row = this.#heads.get(pathKey(path))
    return row === undefined ? NO_HEADS : unpackHeads(path, row)
  }

  /** What the share says a path holds (V4, V6). */
  effective(path: RelPath): Effective {
    return effective(this.heads(path), this.#hasLiveChild(path))
  }

  disk(path: RelPath): DiskRow | undefined {
    const row = this.#disk.get(pathKey(path))
    return row === undefined ? undefined : unpackDiskRow(row)
  }

  applied(path: RelPath): Applied {
    return this.disk(path)?.applied ?? NOTHING_APPLIED
  }

  /** The rows of paths directly inside a directory. */
  diskChildren(directory: RelPath | ''): { path: RelPath; row: DiskRow }[] {
    const { start, end } = childrenRange(directory)
    return this.#disk
      .range(start, end)
      .map(({ key, value }) => ({ path: pathOfKey(key), row: unpackDiskRow(value) }))
  }

  layout(path: RelPath): Layout | undefined {
    return this.#layouts.get(pathKey(path))
  }

  /** What is to be done at a path now. */
  step(path: RelPath): Step {
    const share = this.effective(path)
    const row = this.disk(path)
    if (this.#options.isIgnored(path, share.fact.type === 'directory')) return { type: 'none' }
    const step = stepFor(share, row?.applied ?? NOTHING_APPLIED)
    if (row?.drift === undefined || (step.type !== 'none' && step.type !== 'adopt')) return step
    if (!this.#options.overwriteDrift) return step
    return stepFor(share, { version: share.version, fact: row.drift.fact })
  }

  /** Wanted paths after a key (exclusive), in key order: every directory before what lies in it. */
  wantedAfter(path: RelPath | undefined, limit: number): RelPath[] {
    const from = path === undefined ? FIRST_KEY : keyAfter(pathKey(path))
    return this.#wanted.range(from, AFTER_LAST_KEY, limit).map(({ key }) => pathOfKey(key))
  }

  isWanted(path: RelPath): boolean {
    return this.#wanted.get(pathKey(path)) !== undefined
  }

  /**
   * Whether some other path that is not staged yet has to be written with this content: then the last local copy of it
   * must stay (P3, V5).
   */
  isContentWanted(content: Buffer, besides: RelPath, isStaged: (path: RelPath) => boolean): boolean {
    for (const { key } of this.#wantedContent.range(content, Buffer.concat([content, AFTER_LAST_KEY]))) {
      const path = pathOfKey(key.subarray(content.length))
      if (path === besides || isStaged(path)) continue
      // The path's head may have moved on since: then the row is stale.
      const step = this.step(path)
      if (step.type === 'write' && step.fact.content.equals(content)) return true
    }
    return false
  }

  /** Paths with conflicts that a writer is to settle. */
  unsettled(): readonly RelPath[] {
    return [...this.#unsettled]
  }

  /** What to publish for a path in conflict (V4, V5, V6); empty when there is nothing, or no longer. */
  settlement(path: RelPath, labelOf: (writer: WriterId) => string): readonly Draft[] {
    const context = { headsAt: (other: RelPath) => this.heads(other), labelOf }
    return settle(path, this.heads(path), this.#hasLiveChild(path), context)
  }

  /** Live conflict copies (V5). */
  conflictCopies(): ReadonlySet<RelPath> {
    return this.#copies
  }

  drifted(): readonly RelPath[] {
    return [...this.#drifted]
  }

  *diskRows(): Generator<{ path: RelPath; row: DiskRow }> {
    for (const { key, value } of walk(this.#disk)) yield { path: pathOfKey(key), row: unpackDiskRow(value) }
  }

  /** What was about to be put on the disk when the process last died (A4). */
  intents(): Map<RelPath, Intent[]> {
    const intents = new Map<RelPath, Intent[]>()
    for (const { value } of walk(this.#intents)) {
      for (const { path, version, fact } of unpackIntents(value)) {
        intents.set(path, [...(intents.get(path) ?? []), { version, fact }])
      }
    }
    return intents
  }

  /** Notes, before a batch touches the disk, what it is going to put there. */
  putIntents(batch: number, intents: readonly (Intent & { readonly path: RelPath })[]): void {
    this.#intents.put(batchKey(batch), packIntents(intents))
  }

  clearIntents(batch: number): void {
    this.#intents.remove(batchKey(batch))
  }

  /** Forgets the intents of earlier runs: the first whole look at the disk has made use of them. */
  clearRecoveredIntents(): void {
    for (const key of this.#recoveredIntents) this.#intents.remove(key)
    this.#recoveredIntents = []
  }

  /** A file of a path was moved to the archive: its pieces can be copied from there (P3). */
  noteArchived(path: RelPath, archivePath: string): void {
    let offset = 0
    for (const { id, length } of unpackLayout(this.layout(path) ?? NO_LAYOUT)) {
      this.#archived.put(Buffer.from(id), [archivePath, offset])
      offset += length - SIV_BYTES
    }
  }

  /** Where in the archive a piece was last put; it may be gone since. */
  archivedPlaceOf(id: Buffer): { readonly path: string; readonly offset: number } | undefined {
    const row = this.#archived.get(id)
    return row === undefined ? undefined : { path: row[0], offset: row[1] }
  }

  /** Whether the bytes of a piece may be had without asking anybody (P3). */
  canCopy(id: Buffer): boolean {
    return this.pieces.isHeld(id) || this.#archived.get(id) !== undefined
  }

  /** Takes over one record of a feed (F1, F2). Call inside a transaction; `next` is the block after it. */
  ingest(feed: IndexFeed, record: FeedRecord, next: number): Refusal[] {
    const refusals: Refusal[] = []
    let pieceCount = feed.pieceCount
    for (const { first, pieces } of record.announcements) {
      pieces.forEach((piece, i) => {
        if (!this.pieces.announce(feed.number, first + i, piece)) {
          refusals.push({
            path: '' as RelPath,
            detail: `piece ${first + i} was announced twice and differently`,
          })
        }
      })
      pieceCount = Math.max(pieceCount, first + pieces.length)
    }
    let counter = feed.counter
    for (const entry of record.entries) {
      const own = counterOf(entry.version, feed.writer)
      const fault = own === 0 ? 'its version does not count its own writer' : this.#contentFault(feed, entry)
      if (fault !== undefined) {
        refusals.push({ path: entry.path, detail: fault })
        continue
      }
      counter = Math.max(counter, own)
      this.#merge(entry)
    }
    this.feeds.put({ ...feed, pieceCount, counter, next })
    return refusals
  }

  /** Sets what this disk holds at a path, with the layout of a file's pieces. Call inside a transaction. */
  setDisk(path: RelPath, row: DiskRow, layout: Layout | undefined): void {
    const key = pathKey(path)
    const before = this.disk(path)
    const oldLayout = before?.applied.fact.type === 'file' ? this.#layouts.get(key) : undefined
    this.#countDisk(path, before, -1)
    this.#disk.put(key, packDiskRow(row))
    this.#countDisk(path, row, 1)
    const newLayout = holdsContent(row) ? layout : undefined
    if (oldLayout !== undefined && newLayout !== undefined && oldLayout.equals(newLayout)) {
      this.refresh(path)
      return
    }
    this.pieces.movePlaces(path, oldLayout ?? NO_LAYOUT, newLayout ?? NO_LAYOUT, SIV_BYTES)
    if (newLayout !== undefined) this.#layouts.put(key, newLayout)
    else if (oldLayout !== undefined) this.#layouts.remove(key)
    this.refresh(path)
  }

  /** Forgets a path of the disk without a word to anybody: the ignore rules now leave it out. */
  forgetDisk(path: RelPath): void {
    const key = pathKey(path)
    const before = this.disk(path)
    const layout = this.#layouts.get(key)
    this.#countDisk(path, before, -1)
    this.#disk.remove(key)
    if (layout !== undefined) {
      this.pieces.movePlaces(path, layout, NO_LAYOUT, SIV_BYTES)
      this.#layouts.remove(key)
    }
    this.refresh(path)
  }

  /** New ignore rules: everything is looked at again. Call inside a transaction. */
  setIgnored(isIgnored: IndexOptions['isIgnored']): void {
    this.#options = { ...this.#options, isIgnored }
    for (const { path, row } of [...this.diskRows()]) {
      if (isIgnored(path, row.applied.fact.type === 'directory')) this.forgetDisk(path)
    }
    for (const { key } of [...walk(this.#heads)]) this.refresh(pathOfKey(key))
  }

  /** Works out anew what is to be done at a path; what needs no disk is done. Call inside a transaction. */
  refresh(path: RelPath): void {
    const step = this.step(path)
    if (step.type === 'adopt') {
      const row = this.disk(path)
      const { version } = this.effective(path)
      const applied = { version, fact: row?.applied.fact ?? ABSENT }
      this.#disk.put(pathKey(path), packDiskRow({ applied, stat: row?.stat, drift: row?.drift }))
    }
    const key = pathKey(path)
    const before = this.#wanted.get(key)
    if (before !== undefined) {
      this.#needFiles--
      this.#needBytes -= before
    }
    if (step.type === 'none' || step.type === 'adopt') {
      if (before !== undefined) {
        this.#wanted.remove(key)
        const { fact } = this.applied(path)
        if (fact.type === 'file') this.#wantedContent.remove(Buffer.concat([fact.content, key]))
      }
      this.#wantedChanges.delete(path)
      return
    }
    const bytes = step.type === 'write' ? step.fact.size : 0
    this.#needFiles++
    this.#needBytes += bytes
    if (before !== bytes) this.#wanted.put(key, bytes)
    if (step.type === 'write') this.#wantedContent.put(Buffer.concat([step.fact.content, key]), 1)
    this.#wantedChanges.add(path)
  }

  /** What changed since the last call. */
  drain(): IndexChanges {
    const changes = { wanted: this.#wantedChanges, held: this.#held }
    this.#wantedChanges = new Set()
    this.#held = new Map()
    return changes
  }

  /** The pieces of a head, in file order. */
  piecesOf(entry: Entry): PieceInfo[] | undefined {
    if (entry.type !== 'file') return []
    const feed = this.feeds.byWriter(entry.author)
    return feed === undefined ? undefined : this.pieces.ofRuns(feed.number, entry.pieces)
  }

  /** The pieces of a content that some head of a path has, in file order. */
  piecesOfContent(path: RelPath, content: Buffer): PieceInfo[] | undefined {
    const head = this.heads(path).find((entry) => entry.type === 'file' && entry.content.equals(content))
    return head === undefined ? undefined : this.piecesOf(head)
  }

  /** What must be published before a change of this disk, lest it bury versions the user never saw (core/tree.ts). */
  rescued(
    draft: Draft,
    author: WriterId,
    labelOf: (writer: WriterId) => string,
  ): readonly Draft[] | undefined {
    const context = { headsAt: (other: RelPath) => this.heads(other), labelOf }
    return rescue(draft, author, this.applied(draft.path).fact, this.heads(draft.path), context)
  }

  /** A file on this disk that holds a piece, with its indexed row; undefined if none. */
  placeOf(id: Buffer): (Place & { readonly row: DiskRow }) | undefined {
    const place = this.pieces.placeOf(id)
    const row = place === undefined ? undefined : this.disk(place.path)
    return place === undefined || row === undefined ? undefined : { ...place, row }
  }

  #merge(entry: Entry): void {
    const key = pathKey(entry.path)
    const stored = this.#heads.get(key)
    const before = stored === undefined ? NO_HEADS : unpackHeads(entry.path, stored)
    const after = mergeEntry(before, entry)
    if (after === before) return
    const hasLiveChild = this.#hasLiveChild(entry.path)
    const wasLive = effective(before, hasLiveChild).fact.type !== 'absent'
    this.#heads.put(key, packHeads(after))
    const isLive = effective(after, hasLiveChild).fact.type !== 'absent'
    this.#noteUnsettled(entry.path, after, hasLiveChild)
    this.#noteCopy(entry.path, isLive)
    this.refresh(entry.path)
    if (wasLive !== isLive) this.#bumpParent(entry.path, isLive ? 1 : -1)
  }

  /** A path came to life or died: its parent may have to exist now, or no longer (V4), and so on upwards. */
  #bumpParent(path: RelPath, change: 1 | -1): void {
    const parent = parentOf(path)
    if (parent === '') return
    const key = pathKey(parent)
    const before = this.#children.get(key) ?? 0
    const after = before + change
    if (after === 0) this.#children.remove(key)
    else this.#children.put(key, after)
    if (before > 0 && after > 0) return
    const heads = this.heads(parent)
    const wasLive = effective(heads, before > 0).fact.type !== 'absent'
    const isLive = effective(heads, after > 0).fact.type !== 'absent'
    this.#noteUnsettled(parent, heads, after > 0)
    this.refresh(parent)
    if (wasLive !== isLive) this.#bumpParent(parent, isLive ? 1 : -1)
  }

  #noteUnsettled(path: RelPath, heads: Heads, hasLiveChild: boolean): void {
    const { winner, losers } = viewOf(heads)
    const implied = hasLiveChild && winner !== undefined && winner.type !== 'directory'
    if (losers.length > 0 || implied) this.#unsettled.add(path)
    else this.#unsettled.delete(path)
  }

  #noteCopy(path: RelPath, isLive: boolean): void {
    if (isLive && isConflictCopy(path)) this.#copies.add(path)
    else this.#copies.delete(path)
  }

  /** Why a file entry cannot be believed, or undefined: it must be made of pieces its own feed has announced (F1). */
  #contentFault(feed: IndexFeed, entry: Entry): string | undefined {
    if (entry.type !== 'file') return undefined
    const pieces = this.pieces.ofRuns(feed.number, entry.pieces)
    if (pieces === undefined) return 'it refers to a piece that its feed never announced'
    let size = 0
    for (const piece of pieces) size += piece.length - SIV_BYTES
    if (size !== entry.size) return `its pieces hold ${size} bytes, it claims ${entry.size}`
    if (!contentIdOf(pieces.map(({ id }) => id)).equals(entry.content))
      return 'its content id is not that of its pieces'
    return undefined
  }

  #hasLiveChild(path: RelPath): boolean {
    return (this.#children.get(pathKey(path)) ?? 0) > 0
  }

  #countDisk(path: RelPath, row: DiskRow | undefined, sign: 1 | -1): void {
    if (row === undefined) return
    if (row.drift !== undefined) {
      if (sign === 1) this.#drifted.add(path)
      else this.#drifted.delete(path)
    }
    const fact = row.drift?.fact ?? row.applied.fact
    if (fact.type === 'absent') return
    if (sign === 1) this.#digest.add(fingerprint(path, fact))
    else this.#digest.remove(fingerprint(path, fact))
    if (fact.type === 'file') {
      this.#files += sign
      this.#bytes += sign * fact.size
    }
  }

  #noteHeld({ feed, index }: PieceRef, held: boolean): void {
    const changed = this.#held.get(feed)
    if (changed === undefined) this.#held.set(feed, new Map([[index, held]]))
    else changed.set(index, held)
  }

  #count(): void {
    for (const { path, row } of this.diskRows()) this.#countDisk(path, row, 1)
    for (const { value } of walk(this.#wanted)) {
      this.#needFiles++
      this.#needBytes += value
    }
    for (const { key, value } of walk(this.#heads)) {
      const path = pathOfKey(key)
      const hasLiveChild = this.#hasLiveChild(path)
      if (isConflictCopy(path))
        this.#noteCopy(path, effective(unpackHeads(path, value), hasLiveChild).fact.type !== 'absent')
      if (value.length > 1 || hasLiveChild) this.#noteUnsettled(path, unpackHeads(path, value), hasLiveChild)
    }
  }
}

const NO_LAYOUT: Layout = Buffer.alloc(0)

/** Whether the disk holds, at this row's path, the content of its applied version. */
function holdsContent(row: DiskRow): boolean {
  const fact: Fact = row.applied.fact
  return fact.type === 'file' && (row.drift === undefined || sameFactContent(row.drift.fact, fact))
}

function batchKey(batch: number): Buffer {
  const key = Buffer.alloc(8)
  key.writeBigUInt64BE(BigInt(batch))
  return key
}
