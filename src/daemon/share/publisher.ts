// The way of a change into this writer's own feed: give it a version and piece numbers, append durably (F5), and only
// then take it over into the index, in one transaction with what the disk is known to hold. A crash after the append
// loses nothing: the feed's tail is read back at the next start, and the disk's content is then adopted (A4).

import type { PieceRun } from '../../core/entry.js'
import { invariant } from '../../core/error.js'
import { sameFact } from '../../core/fact.js'
import type { WriterId } from '../../core/ids.js'
import { type Applied, NOTHING_APPLIED } from '../../core/local.js'
import type { RelPath } from '../../core/path.js'
import type { PieceInfo } from '../../core/piece.js'
import { encodeRecord, type FeedRecord } from '../../core/record.js'
import { type Publication as PackItem, packEntries } from '../../core/record-pack.js'
import { type DiskStat, sameStat } from '../../core/stat.js'
import { type Draft, entryOf } from '../../core/tree.js'
import { advance, compareVersions, includes, type Version } from '../../core/version.js'
import type { IndexFeed } from '../../store/feeds.js'
import { packLayout } from '../../store/pieces.js'
import type { DiskRow } from '../../store/rows.js'
import type { HeldRow, ShareIndex } from '../../store/share-index.js'
import { CheckpointClock, checkpointRecords, deadEntriesOf, surveyOf } from './checkpoint.js'
import { PieceNumbers } from './piece-numbers.js'

/** One change to publish. */
export interface Publication {
  readonly draft: Draft
  /** The pieces of a file, in order. */
  readonly pieces: readonly PieceInfo[]
  /** For a change found on this disk: what goes with it in the row; a deletion has no stat. */
  readonly disk: Pick<DiskRow, 'stat' | 'shown' | 'lacks'> | undefined
  /** For a deletion: what was applied when the name was missed, which may be older than what is by now (missing.ts). */
  readonly noted?: Applied
  /** For what settles a conflict: whose. It is published whole, copies first, or not at all. */
  readonly settles?: RelPath
  /** For a deletion: the file has a new name, which is what was to be published before this; the two stay together. */
  readonly followsNewName?: boolean
}

/** The part of an own feed (src/feed) that publishing needs. */
export interface AppendOnly {
  readonly key: Buffer
  readonly length: number
  append(blocks: readonly Buffer[]): Promise<number>
}

export interface PublisherOptions {
  readonly index: ShareIndex
  readonly feed: AppendOnly
  readonly entryKey: Buffer
  readonly nowMs: () => number
  readonly nonce: () => Buffer
  readonly labelOf: (writer: WriterId) => string
  /** A change found on this disk was published. Called inside the transaction that notes it. */
  readonly onOwnChange?: (path: RelPath, isDirectory: boolean) => void
  /** A change that cannot be published now and has to be looked at again later. */
  readonly onPostponed: (path: RelPath) => void
  /** Called after every transaction that took over own records. */
  readonly onPublished: (count: number) => void
}

/** More entries than this wait for the next append: each is held in memory until it is durable. */
const MAX_BATCH = 1024
/** So often a change waits for the content of the conflict copies that go before it, or for them to become needless. */
const MAX_POSTPONED = 3
/** Records of a checkpoint appended at once. */
const CHECKPOINT_RECORDS = 2

export class Publisher {
  readonly #options: PublisherOptions
  #feed: IndexFeed
  #queue: Publication[] = []
  #running: Promise<void> | undefined
  #failure: unknown
  /** How often a path's change had to wait. */
  readonly #postponed = new Map<RelPath, number>()
  readonly #clock: CheckpointClock

  constructor(feed: IndexFeed, options: PublisherOptions) {
    this.#feed = feed
    this.#clock = new CheckpointClock(feed)
    this.#options = options
  }

  /** Entries that wait to be published. */
  get waiting(): number {
    return this.#queue.length
  }

  /** Publishes in order; resolves when all of it is durable and in the index. Rejects once the feed cannot be used. */
  async publish(list: readonly Publication[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    for (const publication of list) this.#queue.push(publication)
    while (this.#queue.length > 0 || this.#running !== undefined) {
      this.#running ??= this.#append().finally(() => {
        this.#running = undefined
      })
      await this.#running
    }
  }

  async #append(): Promise<void> {
    const { index } = this.#options
    const batch = this.#takeBatch()
    if (batch.length === 0) return
    this.#feed = index.feeds.byWriter(this.#feed.writer)!
    const found = new Map(batch.map((publication) => [publication.draft.path, publication]))
    const records = this.#records(batch)
    await this.#appendRecords(records, (path) => this.#nowHeld(found.get(path)!))
    this.#options.onPublished(batch.length)
    await this.#checkpoint()
  }

  /** Durable first, then in the index, with what the disk holds of them and what `also` says in the same transaction. */
  async #appendRecords(
    records: readonly FeedRecord[],
    onDisk: (path: RelPath) => HeldRow | undefined,
    also: () => void = () => undefined,
  ): Promise<void> {
    const { index, feed, entryKey, nonce } = this.#options
    const { writer } = this.#feed
    const first = index.feeds.byWriter(writer)!.next
    invariant(feed.length === first, 'all of the own feed is taken over before it grows')
    const blocks = records.map((record, i) =>
      encodeRecord(record, { entryKey, feedKey: feed.key, index: first + i, nonce: nonce() }),
    )
    try {
      await feed.append(blocks)
    } catch (thrown) {
      this.#failure = thrown
      throw thrown
    }
    index.transaction(() => {
      records.forEach((record, i) => {
        const refusals = index.ingest(index.feeds.byWriter(writer)!, record, first + i + 1, onDisk)
        invariant(refusals.length === 0, `own records are sound (${refusals[0]?.detail})`)
      })
      also()
    })
  }

  /** F3: says again what is live when most of the feed is not. */
  async #checkpoint(): Promise<void> {
    const { index, nowMs } = this.#options
    const { writer } = this.#feed
    if (!this.#clock.isTimeToLook(index.feeds.byWriter(writer)!)) return
    const survey = await surveyOf(index, writer)
    const feed = index.feeds.byWriter(writer)!
    const deadEntries = Math.min(feed.deadEntries, deadEntriesOf(feed, survey))
    index.transaction(() => index.feeds.put({ ...feed, deadEntries, deadBytes: survey.deadBytes }))
    if (!this.#clock.isDue(feed, survey)) return
    const { entries: checkpointEntries } = survey
    const noteWhole = (): void => {
      const now = index.feeds.byWriter(writer)!
      if (now.checkpoint !== feed.next) return
      const whole = { checkpointEntries, checkpointCounter: now.counter, deadEntries: 0, deadBytes: 0 }
      index.feeds.put({ ...now, ...whole })
    }
    let records: FeedRecord[] = []
    for (const record of checkpointRecords(index, writer, nowMs)) {
      records.push(record)
      if (records.length < CHECKPOINT_RECORDS) continue
      await this.#appendRecords(records, nothingNew, noteWhole)
      records = []
    }
    if (records.length > 0) await this.#appendRecords(records, nothingNew, noteWhole)
  }

  /** What goes into the next append: no path twice, since the later one would bury the earlier one unseen. */
  #takeBatch(): Publication[] {
    this.#looks.clear()
    const taken = new Set<RelPath>()
    const batch: Publication[] = []
    const later: Publication[] = []
    const abandoned = new Set<RelPath>()
    const next = this.#queue.splice(0, MAX_BATCH)
    // What settles one conflict stays together.
    while (next.at(-1)?.settles !== undefined && this.#queue[0]?.settles === next.at(-1)?.settles) {
      next.push(this.#queue.shift()!)
    }
    if (this.#queue[0]?.followsNewName) next.push(this.#queue.shift()!)
    for (const publication of next) {
      const { settles, draft } = publication
      if (settles !== undefined) {
        // Without one of its copies, what settles a conflict would bury it: it is made anew from what is there by then.
        if (abandoned.has(settles)) continue
        if (taken.has(draft.path) || !this.#isCurrent(draft)) {
          abandoned.add(settles)
          continue
        }
      }
      const all = this.#withRescued(publication)
      if (all.some(({ draft }) => taken.has(draft.path))) {
        later.push(publication)
        continue
      }
      for (const { draft } of all) taken.add(draft.path)
      batch.push(...all)
    }
    this.#queue.unshift(...later)
    return batch
  }

  /** Whether a path still stands where a draft for it starts from. */
  #isCurrent(draft: Draft): boolean {
    return compareVersions(this.#options.index.effective(draft.path).version, draft.base) === 'equal'
  }

  /** A change of this disk, after the conflict copies that must go before it. None at all while they find no name. */
  #withRescued(publication: Publication): Publication[] {
    const { index, labelOf } = this.#options
    const { draft } = publication
    if (publication.disk === undefined) return [publication]
    // Since it was judged, the path was committed or published anew: this change no longer starts from what is there (V1).
    const row = index.disk(draft.path)
    const applied = row?.applied ?? NOTHING_APPLIED
    if (!isStillBased(publication, applied)) {
      this.#options.onPostponed(draft.path)
      return []
    }
    this.#looks.set(draft.path, row?.stat)
    const copies: Publication[] = []
    const rescued = index.conflicts.rescued(draft, applied.fact, this.#feed.writer, labelOf)
    for (const copy of rescued ?? [undefined]) {
      const pieces = copy?.fact.type === 'file' ? index.piecesOfContent(draft.path, copy.fact.content) : []
      if (copy === undefined || pieces === undefined) {
        this.#options.onPostponed(draft.path)
        return []
      }
      copies.push({ draft: copy, pieces, disk: undefined })
    }
    // Who made that version may be replacing it this very moment: then nobody could ever fetch the copy.
    const isHeld = copies.every(({ pieces }) => pieces.every((piece) => index.pieces.isHeld(piece)))
    const postponed = this.#postponed.get(draft.path) ?? 0
    if (!isHeld && postponed < MAX_POSTPONED) {
      this.#postponed.set(draft.path, postponed + 1)
      this.#options.onPostponed(draft.path)
      return []
    }
    this.#postponed.delete(draft.path)
    return [...copies, publication]
  }

  /** What the disk holds now that a publication of the batch under way is durable; undefined: nothing is to be noted. */
  #nowHeld({ draft, pieces, disk }: Publication): HeldRow | undefined {
    if (disk === undefined) return undefined
    const { path, fact } = draft
    this.#options.onOwnChange?.(path, fact.type === 'directory')
    // What we put there while it was being appended must not be forgotten (A3, A9): it is looked at again.
    if (!isSameLook(this.#looks.get(path), this.#options.index.disk(path)?.stat)) {
      this.#options.onPostponed(path)
      return undefined
    }
    const { stat, shown, lacks = 0 } = disk
    const applied = { version: this.#versions.get(draft)!, fact }
    const row = { applied, stat, drift: undefined, shown, lacks }
    return { row, layout: fact.type === 'file' ? packLayout(pieces) : undefined }
  }

  /** What the index said of the disk when the batch under way was taken, at the paths of what was found there. */
  readonly #looks = new Map<RelPath, DiskStat | undefined>()

  /** The versions given to the drafts of the batch under way. */
  #versions = new Map<Draft, Version>()

  #records(batch: readonly Publication[]): FeedRecord[] {
    const { index, nowMs } = this.#options
    const { writer } = this.#feed
    let { counter } = this.#feed
    const numbers = new PieceNumbers(index, this.#feed)
    this.#versions = new Map()
    const items: PackItem[] = batch.map(({ draft, pieces }) => {
      const runs: { first: number; count: number }[] = []
      const fresh: { first: number; pieces: PieceInfo[] }[] = []
      for (const piece of pieces) {
        const { number: at, isFresh } = numbers.of(piece)
        if (isFresh) {
          const last = fresh.at(-1)
          if (last !== undefined && last.first + last.pieces.length === at) last.pieces.push(piece)
          else fresh.push({ first: at, pieces: [piece] })
        }
        addToRuns(runs, at)
      }
      const version = advance(draft.base, writer, ++counter)
      this.#versions.set(draft, version)
      const entry = entryOf(draft, { author: writer, version, pieces: runs, nowUs: nowMs() * 1000 })
      return { entry, announce: fresh }
    })
    const view = index.feeds.view()
    const checkpoint = this.#feed.checkpoint === 0 ? undefined : this.#feed.checkpoint
    const header = { kind: 'delta' as const, timeMs: nowMs(), view, checkpoint }
    return [...packEntries(items)].map((body) => ({ header, ...body }))
  }
}

/** Whether a change of this disk still starts from what is applied, or for a deletion, from the same content before. */
function isStillBased({ draft, noted }: Publication, applied: Applied): boolean {
  if (noted === undefined) return compareVersions(applied.version, draft.base) === 'equal'
  return includes(applied.version, noted.version) && sameFact(applied.fact, noted.fact)
}

function isSameLook(a: DiskStat | undefined, b: DiskStat | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameStat(a, b)
}

/** For records that say only what was said before. */
function nothingNew(): undefined {}

function addToRuns(runs: { first: number; count: number }[], at: number): void {
  const last: (PieceRun & { count: number }) | undefined = runs.at(-1)
  if (last !== undefined && last.first + last.count === at) last.count++
  else runs.push({ first: at, count: 1 })
}
