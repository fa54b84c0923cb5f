// Finds a piece by its number among the announcements of one record. Entries whose pieces all stand here need not
// state their size and content: both follow from the pieces. Writer and reader walk the entries in the same order and so
// reach the same answers, limit included.
import type { PieceRun } from './entry.js'
import { contentIdOf, plainBytesOf } from './piece.js'
import type { PieceAnnouncement } from './record-public.js'

/** What a file is, going by its pieces. */
export interface FileContent {
  readonly size: number
  readonly content: Buffer
}

/**
 * Most pieces that the entries of one record look up, repeats counted; beyond that they state size and content. Without
 * it, short runs repeated often would cost a reader hours (F7). A record announces at most some 60,000 pieces.
 */
const LOOKUPS_PER_RECORD = 262_144

const NOTHING: FileContent = { size: 0, content: contentIdOf([]) }

/** An index over announcements, which ascend and do not overlap. */
export class AnnouncedPieces {
  readonly #announcements: readonly PieceAnnouncement[]
  #lookupsLeft = LOOKUPS_PER_RECORD
  // Where the last look-up ended; entries mostly follow the order of their pieces.
  #at = 0

  constructor(announcements: readonly PieceAnnouncement[]) {
    this.#announcements = announcements
  }

  /** Size and content of a file of these runs; undefined if any of them was announced elsewhere, or beyond the limit. */
  contentOf(runs: readonly PieceRun[]): FileContent | undefined {
    if (runs.length === 0) return NOTHING
    const ids: Buffer[] = []
    const size = this.#collect(runs, ids)
    // Also what came to nothing counts, or an entry could make the reader look up in vain without end.
    this.#lookupsLeft -= ids.length
    return size === undefined ? undefined : { size, content: contentIdOf(ids) }
  }

  #collect(runs: readonly PieceRun[], ids: Buffer[]): number | undefined {
    let size = 0
    for (const run of runs) {
      const end = run.first + run.count
      if (ids.length + run.count > this.#lookupsLeft) return undefined
      for (let number = run.first; number < end; ) {
        const covering = this.#covering(number)
        if (covering === undefined) return undefined
        const until = Math.min(end, covering.first + covering.pieces.length)
        for (; number < until; number++) {
          const piece = covering.pieces[number - covering.first]!
          ids.push(piece.id)
          size += plainBytesOf(piece)
        }
      }
    }
    return size
  }

  #covering(number: number): PieceAnnouncement | undefined {
    const all = this.#announcements
    const hint = all[this.#at]
    if (hint !== undefined && number >= hint.first && number < hint.first + hint.pieces.length) return hint
    // The last announcement that begins at or before the number.
    let low = 0
    let high = all.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (all[middle]!.first <= number) low = middle + 1
      else high = middle
    }
    const found = all[low - 1]
    if (found === undefined || number >= found.first + found.pieces.length) return undefined
    this.#at = low - 1
    return found
  }
}
