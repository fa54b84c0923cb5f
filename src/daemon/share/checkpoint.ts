// When a writer says again all of its feed that still counts (F3): its own entries that are heads of their paths, with
// the pieces they are made of, numbers kept. Who starts to follow begins there and has everything that is live; who keeps
// pieces without reading entries learns which may go (core/piece-life.ts).
//
// A checkpoint costs what it restates, on every node. So it is made when more entries are dead than live, or when the pieces
// of dead ones outweigh the live ones by bytes, and then only if they are worth PAYS times its own size at least.
import { Bitfield } from '../../core/bitfield.js'
import type { Entry } from '../../core/entry.js'
import type { WriterId } from '../../core/ids.js'
import type { FeedRecord, PieceAnnouncement, RecordHeader } from '../../core/record.js'
import { type Publication, packEntries, type RecordBody } from '../../core/record-pack.js'
import { ANNOUNCED_PIECE_BYTES } from '../../core/record-public.js'
import type { IndexFeed } from '../../store/feeds.js'
import type { ShareIndex } from '../../store/share-index.js'

/** Below this many entries since the last one, entries alone never make a checkpoint worth its walk. */
export const LEAST_ENTRIES = 10_000
/** Fewer than half of those are never more than what is live. */
const LEAST_DEAD = LEAST_ENTRIES / 2
/** Below this many bytes of dead pieces, nor do they. Doubling it doubles what a blind node holds of a small share in vain. */
export const LEAST_BYTES: number = 64 * 1024 * 1024
/** So many bytes of dead pieces for each byte of a checkpoint: what feeds grow by for it is an eighth at most. */
const PAYS = 8
/** What an entry takes in a record, besides its pieces: names share their beginnings, and all of it is compressed. */
const LIKELY_ENTRY_BYTES = 64
/** Of the live bytes, or of what is missing until the dead ones outweigh them: so much must die before all is counted again. */
const RECOUNT_LIVE = 1 / 8
const RECOUNT_MISSING = 1 / 2
/** Rows looked at before others get their turn. */
const WALK_CHUNK = 2048

/** What a writer's feed holds, since its newest checkpoint began. */
export interface Survey {
  /** Own entries that are heads now. */
  readonly entries: number
  /** Bytes of the pieces, sealed, that these use, and of those announced that none uses. */
  readonly liveBytes: number
  readonly deadBytes: number
  /** About what a checkpoint would take in the feed. */
  readonly checkpointBytes: number
}

/** Remembers when it is worth looking again; lives as long as the publisher. */
export class CheckpointClock {
  #nextCounter: number
  #nextDeadBytes = LEAST_BYTES

  constructor(feed: IndexFeed) {
    this.#nextCounter = feed.checkpointCounter + LEAST_ENTRIES
  }

  /** Where hardly an entry is dead, as while a tree is told of for the first time, their number says nothing new. */
  isTimeToLook(feed: IndexFeed): boolean {
    const isByEntries = feed.counter >= this.#nextCounter && feed.deadEntries >= LEAST_DEAD
    return isByEntries || feed.deadBytes >= this.#nextDeadBytes
  }

  /**
   * Whether what no longer counts outweighs what does. A checkpoint restates the live entries, so a feed that is all live
   * gets none, however long it is.
   */
  isDue(feed: IndexFeed, survey: Survey): boolean {
    const byEntries = this.#isDueByEntries(feed, survey.entries)
    const isDue = isDueByBytes(survey) || byEntries
    this.#nextDeadBytes = isDue ? nextLook({ ...survey, deadBytes: 0 }) : nextLook(survey)
    return isDue
  }

  #isDueByEntries(feed: IndexFeed, live: number): boolean {
    if (feed.counter < this.#nextCounter) return false
    const dead = deadEntriesOf(feed, { entries: live })
    this.#nextCounter = feed.counter + Math.max(LEAST_ENTRIES, live - dead)
    return dead > live
  }
}

/** How many entries of a feed are no heads any more, those of its newest checkpoint and all since. */
export function deadEntriesOf(feed: IndexFeed, { entries }: Pick<Survey, 'entries'>): number {
  return feed.counter - feed.checkpointCounter + feed.checkpointEntries - entries
}

function isDueByBytes({ liveBytes, deadBytes, checkpointBytes }: Survey): boolean {
  return deadBytes > Math.max(liveBytes, LEAST_BYTES, PAYS * checkpointBytes)
}

/** How many bytes must be dead, by what ingest.ts estimates, before another walk is worth it. */
function nextLook({ liveBytes, deadBytes, checkpointBytes }: Survey): number {
  const missing = Math.max(liveBytes, PAYS * checkpointBytes) - deadBytes
  return deadBytes + Math.max(LEAST_BYTES, RECOUNT_LIVE * liveBytes, RECOUNT_MISSING * missing)
}

/** Counts what of the own feed is live, letting others have their turn. */
export async function surveyOf(index: ShareIndex, writer: WriterId): Promise<Survey> {
  const { number, checkpoint, pieceCount } = index.feeds.byWriter(writer)!
  const used = new Bitfield(pieceCount)
  let entries = 0
  let seen = 0
  const pause = async (): Promise<void> => {
    if (++seen % WALK_CHUNK === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  for (const heads of index.allHeads()) {
    await pause()
    for (const entry of heads) {
      if (entry.author !== writer) continue
      entries++
      if (entry.type !== 'file') continue
      for (const { first, count } of entry.pieces) for (let i = 0; i < count; i++) used.set(first + i)
    }
  }
  let liveBytes = 0
  let deadBytes = 0
  for (const { index: at, length, block } of index.pieces.announced(number)) {
    await pause()
    if (used.get(at)) liveBytes += length
    else if (block >= checkpoint) deadBytes += length
  }
  const checkpointBytes = entries * LIKELY_ENTRY_BYTES + used.count * ANNOUNCED_PIECE_BYTES
  return { entries, liveBytes, deadBytes, checkpointBytes }
}

/**
 * The records of a checkpoint, to be appended in this order with nothing in between; each is made when it is asked for. The
 * last one calls the checkpoint whole, so that what a crash cuts off is none; its view is from when all was looked at.
 */
export function* checkpointRecords(
  index: ShareIndex,
  writer: WriterId,
  nowMs: () => number,
): Generator<FeedRecord> {
  const { next, checkpoint } = index.feeds.byWriter(writer)!
  const headerOf = (newest: number): RecordHeader => {
    const stated = newest === 0 ? undefined : newest
    return { kind: 'checkpoint', timeMs: nowMs(), view: index.feeds.view(), checkpoint: stated }
  }
  let body: RecordBody | undefined
  for (const following of packEntries(liveEntries(index, writer))) {
    if (body !== undefined) yield { header: headerOf(checkpoint), ...body }
    body = following
  }
  yield { header: headerOf(next), ...(body ?? { announcements: [], entries: [] }) }
}

/** The writer's own entries that are heads, as publications with the pieces they need; read as they are asked for. */
function* liveEntries(index: ShareIndex, writer: WriterId): Generator<Publication> {
  for (const heads of index.allHeads()) {
    for (const entry of heads)
      if (entry.author === writer) yield { entry, announce: announcementsOf(index, entry) }
  }
}

function announcementsOf(index: ShareIndex, entry: Entry): PieceAnnouncement[] {
  const pieces = index.piecesOf(entry) ?? []
  if (entry.type !== 'file') return []
  let at = 0
  return entry.pieces.map(({ first, count }) => {
    const run = pieces.slice(at, at + count)
    at += count
    return { first, pieces: run }
  })
}
