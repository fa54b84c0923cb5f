// When a writer says again all of its feed that still counts (F3): its own entries that are heads of their paths, with
// the pieces they are made of, numbers kept. Who starts to follow begins there and has everything that is live.
import type { Entry } from '../../core/entry.js'
import type { WriterId } from '../../core/ids.js'
import type { PieceAnnouncement } from '../../core/record.js'
import type { Publication } from '../../core/record-pack.js'
import type { IndexFeed } from '../../store/feeds.js'
import type { ShareIndex } from '../../store/share-index.js'

/** Below this many entries since the last one, a checkpoint is never worth its walk. */
export const LEAST_ENTRIES = 10_000
/** Rows looked at before others get their turn. */
const WALK_CHUNK = 2048

/** Remembers when it is worth looking again; lives as long as the publisher. */
export class CheckpointClock {
  #nextCounter: number

  constructor(feed: IndexFeed) {
    this.#nextCounter = feed.checkpointCounter + LEAST_ENTRIES
  }

  isTimeToLook(feed: IndexFeed): boolean {
    return feed.counter >= this.#nextCounter
  }

  /**
   * Whether the entries that no longer count outweigh the `live` ones. A checkpoint restates the live ones, so a feed
   * that is all live gets none, however long it is.
   */
  isDue(feed: IndexFeed, live: number): boolean {
    const since = feed.counter - feed.checkpointCounter + feed.checkpointEntries
    const dead = since - live
    this.#nextCounter = feed.counter + Math.max(LEAST_ENTRIES, live - dead)
    return dead > live
  }
}

/** How many of the writer's own entries are heads now. */
export async function countLive(index: ShareIndex, writer: WriterId): Promise<number> {
  let live = 0
  let seen = 0
  for (const heads of index.allHeads()) {
    if (++seen % WALK_CHUNK === 0) await new Promise((resolve) => setImmediate(resolve))
    for (const entry of heads) if (entry.author === writer) live++
  }
  return live
}

/** The writer's own entries that are heads, as publications with the pieces they need; read as they are asked for. */
export function* liveEntries(index: ShareIndex, writer: WriterId): Generator<Publication> {
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
