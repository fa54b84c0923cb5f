// What of a share there is, is missing, and is kept for the past: counted by a survey (blind-survey.ts) and carried on with
// every change since. What changes while a survey is under way goes into its counts as well, if it has passed it by.
import type { PieceRef } from '../../store/pieces.js'

/** Pieces, each counted once, and their sealed bytes. */
export interface Tally {
  pieces: number
  bytes: number
}

export interface BlindCounts {
  /** What the share is made of now, here or not; and what of it is not here. */
  readonly live: Readonly<Tally>
  readonly missing: Readonly<Tally>
  /** Held beside that for the past; and what of the past should be and is not, perhaps because nobody has it any more. */
  readonly past: Readonly<Tally>
  readonly missingPast: Readonly<Tally>
}

export interface MutableCounts extends BlindCounts {
  readonly live: Tally
  readonly missing: Tally
  readonly past: Tally
  readonly missingPast: Tally
}

/** Until when a piece is needed, by its refs; see neededUntil (core/piece-life.ts). */
export type Needed = (refs: readonly PieceRef[]) => number | undefined

/** Counts, and by what was live when they were made. */
export interface Account {
  readonly counts: MutableCounts
  readonly needed: Needed
}

/** A survey under way: what it has passed by changes in its account, too; what is before it, it will see itself. */
interface Underway extends Account {
  /** Feeds it goes through that it has not come to yet. */
  readonly ahead: Set<number>
  feed: number
  /** The numbers below are passed. */
  next: number
}

export class RunningCounts {
  #account: Account = { counts: emptyCounts(), needed: () => Number.POSITIVE_INFINITY }
  #underway: Underway | undefined

  /** As of the last survey that was completed, and what came since. */
  get account(): Account {
    return this.#account
  }

  /** A piece, known by its first ref, changes the counts, and those of a survey that has passed it by. */
  change(primary: PieceRef, apply: (account: Account) => void): void {
    apply(this.#account)
    const underway = this.#underway
    if (underway === undefined || underway.ahead.has(primary.feed)) return
    if (primary.feed !== underway.feed || primary.index < underway.next) apply(underway)
  }

  /** A survey of these feeds begins, one at a time: it adds to these counts what it sees. */
  begin(feeds: readonly number[], needed: Needed): MutableCounts {
    const counts = emptyCounts()
    this.#underway = { counts, needed, ahead: new Set(feeds), feed: 0, next: 0 }
    return counts
  }

  /** The survey has come to a feed, and has seen all numbers below `next`. */
  passed(feed: number, next: number): void {
    const underway = this.#underway
    if (underway === undefined) return
    underway.ahead.delete(feed)
    Object.assign(underway, { feed, next })
  }

  /** The survey is over; what it counted stands from now on, if it has seen all. */
  end(isWhole: boolean): void {
    const underway = this.#underway
    this.#underway = undefined
    if (isWhole && underway !== undefined)
      this.#account = { counts: underway.counts, needed: underway.needed }
  }
}

/** One piece more of so many bytes. */
export function add(tally: Tally, bytes: number): void {
  tally.pieces++
  tally.bytes += bytes
}

/** One piece less. */
export function take(tally: Tally, bytes: number): void {
  tally.pieces--
  tally.bytes -= bytes
}

function emptyCounts(): MutableCounts {
  const none = (): Tally => ({ pieces: 0, bytes: 0 })
  return { live: none(), missing: none(), past: none(), missingPast: none() }
}
