// What a process leaves in the index for the one after it, should it die at any moment (A4): what it was about to put on
// the disk, and what feeds had said of the disk that was not noted yet. The first look of the next process goes by it.
import { type Entry, isLive } from '../core/entry.js'
import { ABSENT, factOf } from '../core/fact.js'
import type { Applied, Intent } from '../core/local.js'
import type { RelPath } from '../core/path.js'
import type { PieceInfo } from '../core/piece.js'
import { counterOf } from '../core/version.js'
import type { FeedTable } from './feeds.js'
import type { IntentTable, PathIntent } from './intents.js'
import { wasOnDisk } from './own-tail.js'
import { type Layout, packLayout } from './pieces.js'
import type { DiskRow } from './rows.js'

/** The part of the index that recovery needs. */
export interface RecoveredIndex {
  readonly feeds: FeedTable
  applied(path: RelPath): Applied
  piecesOf(entry: Entry): readonly PieceInfo[] | undefined
  setDisk(path: RelPath, row: DiskRow, layout: Layout | undefined): void
}

export class Recovery {
  readonly #index: RecoveredIndex
  readonly #intents: IntentTable

  constructor(index: RecoveredIndex, intents: IntentTable) {
    this.#index = index
    this.#intents = intents
  }

  /**
   * Whether a look at the whole disk has ended since this index was made, so that it is not behind its disk. It stays so
   * over restarts; a process that dies in the first look leaves it to the next one to find that out.
   */
  get isDiskKnown(): boolean {
    return this.#intents.isScanned
  }

  /** What was about to be put on the disk, or had been said of it, when the process last died. */
  intents(): Map<RelPath, Intent[]> {
    return this.#intents.all()
  }

  /** Notes, before a batch touches the disk, what it is going to put there; returns the batch's number. */
  begin(intents: readonly PathIntent[]): number {
    return this.#intents.put(intents)
  }

  /** What a batch has done is noted. */
  clear(batch: number): void {
    this.#intents.clear(batch)
  }

  /**
   * Notes what records of the own feed said that are taken over at a start: the disk held it then, although the row was
   * never written. The share may have moved on since, so that only this tells it from a change of the user's (A4). That
   * also holds before the first whole look has ended: only what the feed had said before this index began may have been
   * lost with an older one, and is not taken for granted. Call in the transaction that ingests them; `next` is the block
   * after.
   */
  noteOwnTail(next: number, entries: readonly Entry[]): void {
    const unsure: Entry[] = []
    for (const entry of entries) {
      if (this.#isFromBefore(entry) || !wasOnDisk(entry, this.#index.applied(entry.path))) {
        unsure.push(entry)
        continue
      }
      const applied = { version: entry.version, fact: isLive(entry) ? factOf(entry) : ABSENT }
      const pieces = entry.type === 'file' ? this.#index.piecesOf(entry) : undefined
      // Without a stat, the next look reads it again, and nothing of ours is put over it before.
      const layout = pieces === undefined ? undefined : packLayout(pieces)
      this.#index.setDisk(entry.path, { applied, stat: undefined, drift: undefined }, layout)
    }
    if (unsure.length > 0) this.#intents.putOwnTail(next, unsure)
  }

  /**
   * Notes what a feed said while the index is being made anew under a directory that has content: the first look adopts
   * whichever of these versions it finds (A4). Call in the transaction that ingests them.
   */
  noteTold(feed: number, next: number, entries: readonly Entry[]): void {
    if (!this.isDiskKnown) this.#intents.putTold(feed, next, entries)
  }

  /** To be called when the first whole look at the disk since the start has ended: earlier intents are used up. */
  useUp(): void {
    this.#intents.clearRecovered()
  }

  /** Whether the own feed had said this before the index began. */
  #isFromBefore({ author, version }: Entry): boolean {
    return counterOf(version, author) <= (this.#index.feeds.byWriter(author)?.before.counter ?? 0)
  }
}
