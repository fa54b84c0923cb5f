// A look through all pieces that a blind node knows of, some at a time so that everything else gets its turn: counts them,
// notes what is missing and what is not any more, and finds what may go. Decides nothing of its own: what is needed until
// when it is told (blind-needs.ts).
import { HistoryBudget } from '../../core/retention.js'
import type { AnnouncedPiece, BlindIndex } from '../../store/blind-index.js'
import type { PieceRef } from '../../store/pieces.js'
import { add, type Needed, type RunningCounts, take } from './blind-counts.js'

/** The part of a vault (src/vault) that this needs. */
export interface HoldsPieces {
  has(id: Buffer): boolean
  /** Sealed bytes of a piece that is here. */
  lengthOf(id: Buffer): number | undefined
}

/** A piece in the vault that nothing kept needs any more, with every number it was announced under. */
export interface DeadPiece {
  readonly id: Buffer
  readonly refs: readonly PieceRef[]
}

/** What a look through all pieces found. */
export interface Survey {
  readonly dead: readonly DeadPiece[]
  /** False: it was ended by stop(). */
  readonly isComplete: boolean
}

export interface SurveyOptions {
  readonly index: BlindIndex
  readonly vault: HoldsPieces
  /** Gives others a turn during a walk. */
  readonly breathe?: () => Promise<void>
  /** Chunks of 64 pieces looked at before that. */
  readonly chunksATurn?: number
}

/** What it wants written is written together, when a good many pieces are visited. */
type Visit = (feed: number, piece: AnnouncedPiece, write: (body: () => void) => void) => void

/** Chunks of pieces looked at before others get their turn. */
const CHUNKS_A_TURN = 32

export class Surveyor {
  readonly #o: SurveyOptions
  readonly #counts: RunningCounts
  #stopped = false

  constructor(options: SurveyOptions, counts: RunningCounts) {
    this.#o = options
    this.#counts = counts
  }

  /**
   * Looks through all pieces; history that was last needed at `horizonMs` or before is not kept. `onHeld` hears of every
   * number whose piece is here, of the length that it was announced with. One at a time. Undefined: it was ended by stop(), and has changed no counts.
   */
  async look(
    needed: Needed,
    horizonMs: number,
    onHeld?: (feed: number, number: number) => void,
  ): Promise<{ readonly dead: readonly DeadPiece[]; readonly budget: HistoryBudget } | undefined> {
    const { index, vault } = this.#o
    const feeds = index.feeds.all().map(({ number }) => number)
    const counts = this.#counts.begin(feeds, needed)
    const budget = new HistoryBudget()
    const dead: DeadPiece[] = []
    const visit: Visit = (feed, piece, write) => {
      const { id, number, length, isFirst } = piece
      const isHeld = vault.has(id)
      if (isHeld && onHeld !== undefined && vault.lengthOf(id) === length) onHeld(feed, number)
      if (!isFirst) return
      const primary = { feed, index: number }
      const refs = index.refsOfPiece(feed, piece)
      const until = needed(refs)
      const isKept = until !== undefined && until > horizonMs
      // What was wanted and never came takes no room, and takes none from what is here: anybody can announce what nobody
      // has. What is neither here nor wanted was let go for want of room, and counts, so that it is not fetched again.
      const isNoted = index.isMissing(primary)
      if (until !== undefined && (isHeld || !isNoted)) budget.add(until, length)
      if (until === Number.POSITIVE_INFINITY) {
        add(counts.live, length)
        if (!isHeld) add(counts.missing, length)
      } else if (isKept) add(isHeld ? counts.past : counts.missingPast, length)
      else if (isHeld) dead.push({ id: Buffer.from(id), refs })
      const isMissing = !isHeld && isKept
      if (isMissing && !isNoted) write(() => index.setMissing(primary))
      if (!isMissing && isNoted) write(() => index.clearMissing(primary))
    }
    const isWhole = await this.#walk(feeds, visit, (feed, next) => this.#counts.passed(feed, next))
    this.#counts.end(isWhole)
    return isWhole ? { dead, budget } : undefined
  }

  /** History that was last needed after `afterMs`, and at `horizonMs` or before: it has to go, and is not wanted any more. */
  async between(afterMs: number, horizonMs: number): Promise<readonly DeadPiece[]> {
    const { index, vault } = this.#o
    const { counts, needed } = this.#counts.account
    const dead: DeadPiece[] = []
    await this.#walk(
      index.feeds.all().map(({ number }) => number),
      (feed, piece, write) => {
        const { id, number, length, isFirst } = piece
        if (!isFirst) return
        const primary = { feed, index: number }
        const refs = index.refsOfPiece(feed, piece)
        const until = needed(refs)
        if (until === undefined || until <= afterMs || until > horizonMs) return
        if (vault.has(id)) {
          dead.push({ id: Buffer.from(id), refs })
          take(counts.past, length)
        } else if (index.isMissing(primary)) {
          write(() => index.clearMissing(primary))
          take(counts.missingPast, length)
        }
      },
    )
    return dead
  }

  stop(): void {
    this.#stopped = true
  }

  /** Visits all pieces of these feeds; `passed` hears up to where. False: it was ended by stop(). */
  async #walk(
    feeds: readonly number[],
    visit: Visit,
    passed: (feed: number, next: number) => void = () => undefined,
  ): Promise<boolean> {
    const { index, breathe, chunksATurn = CHUNKS_A_TURN } = this.#o
    let turn = 0
    for (const feed of feeds) {
      passed(feed, 0)
      for (const { pieces, end } of index.piecesOf(feed)) {
        if (this.#stopped) return false
        const writes: (() => void)[] = []
        index.looking(() => {
          for (const piece of pieces) visit(feed, piece, (write) => writes.push(write))
        })
        // Mostly there is nothing to write, and a transaction is a sync of the disk all the same.
        if (writes.length > 0)
          index.transaction(() => {
            for (const write of writes) write()
          })
        passed(feed, end)
        if (++turn % chunksATurn === 0) await (breathe?.() ?? new Promise((done) => setImmediate(done)))
      }
      passed(feed, Number.POSITIVE_INFINITY)
    }
    return true
  }
}
