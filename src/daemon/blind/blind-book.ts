// What a blind node should hold of a share, what of it is in the vault, and what may go. Decides by the public parts of
// records alone (store/blind-index.ts, core/piece-life.ts); fetches and writes nothing itself.
//
// A piece is live while some feed's newest generation may refer to it, of the past while the policy keeps a moment at which
// one did, and may go after that. It counts once, by its first ref, however many feeds announce it, and with whatever lengths:
// it is offered under the numbers that say its own.
import type { WriterId } from '../../core/ids.js'
import type { PieceInfo } from '../../core/piece.js'
import type { PublicPart } from '../../core/record.js'
import type { Retention } from '../../core/retention.js'
import type { IndexFeed } from '../../store/feeds.js'
import type { PieceRef } from '../../store/pieces.js'
import { add, type BlindCounts, type Needed, RunningCounts, take } from './blind-counts.js'
import { heldLengthIn, neededBy } from './blind-needs.js'
import { type DeadPiece, type Survey, type SurveyOptions, Surveyor } from './blind-survey.js'

export interface BookOptions extends SurveyOptions {
  readonly policy: () => Retention
  readonly nowMs: () => number
}

export interface LivePiece extends PieceInfo {
  readonly writer: WriterId
  /** Its number there. */
  readonly index: number
}

export interface Taken {
  /** Numbers announced whose pieces are in the vault already, of that length. */
  readonly held: readonly number[]
  /** Whether something is missing that was not before, or is named by one more number, by which somebody may hold it. */
  readonly wants: boolean
  /** Numbers announced twice and differently. */
  readonly contradictions: number
}

export class BlindBook {
  readonly #o: BookOptions
  readonly #counts = new RunningCounts()
  readonly #surveyor: Surveyor
  #isStale = true
  /** History that was last needed then or before does not fit into the policy's `maxBytes`. */
  #horizonMs = Number.NEGATIVE_INFINITY

  constructor(options: BookOptions) {
    this.#o = options
    this.#surveyor = new Surveyor(options, this.#counts)
  }

  get counts(): BlindCounts {
    return this.#counts.account.counts
  }

  /** Whether the next survey may count otherwise: something was said again, or a generation has begun. */
  get isStale(): boolean {
    return this.#isStale
  }

  /** Takes over a record's public part. What is not in the vault is wanted from now on. */
  takeOver(feed: IndexFeed, at: number, part: PublicPart): Taken {
    const { index, vault } = this.#o
    return index.transaction(() => {
      const { said, isNewGeneration, contradictions } = index.takeOver(feed, at, part)
      if (isNewGeneration) this.#isStale = true
      const held: number[] = []
      let wants = false
      for (const { number, piece, first, isFresh } of said) {
        const { id, length } = piece
        const heldBytes = vault.has(id) ? vault.lengthOf(id) : undefined
        const isHeld = heldBytes !== undefined
        if (heldBytes === length) held.push(number)
        // Who offers it by this number may have said so before it was known here.
        if (!isHeld) wants = true
        // It was counted, as live or as of the past; which, the next survey looks up.
        if (!isFresh) this.#isStale = true
        const isNoted = isHeld || index.isMissing(first)
        if (isNoted && !isFresh) continue
        if (!isNoted) {
          index.setMissing(first)
        }
        const counted = isFresh ? length : (this.#lengthOf(first) ?? length)
        this.#counts.change(first, ({ counts }) => {
          add(counts.live, counted)
          if (!isHeld) add(counts.missing, counted)
        })
      }
      return { held, wants, contradictions }
    })
  }

  /** Pieces that are durable in the vault now. By feed, the numbers under which peers know them. */
  stored(pieces: readonly PieceInfo[]): ReadonlyMap<WriterId, readonly number[]> {
    const { index } = this.#o
    const numbers = new Map<WriterId, number[]>()
    index.transaction(() => {
      for (const { id, length } of pieces) {
        const refs = index.refsOf(id)
        const isSole = refs.length === 1
        this.#addNumbers(numbers, isSole ? refs : refs.filter((ref) => this.#lengthOf(ref) === length))
        const [primary] = refs
        if (primary === undefined || !index.clearMissing(primary)) continue
        const counted = isSole ? length : (this.#lengthOf(primary) ?? length)
        this.#counts.change(primary, ({ counts, needed }) => {
          if (needed(refs) === Number.POSITIVE_INFINITY) return take(counts.missing, counted)
          take(counts.missingPast, counted)
          add(counts.past, counted)
        })
      }
    })
    return numbers
  }

  /**
   * stored(), for a transaction that may fail and be tried again: what a try has counted by then was not kept, so the next survey
   * counts anew.
   */
  storing(pieces: readonly PieceInfo[]): () => ReadonlyMap<WriterId, readonly number[]> {
    let isTried = false
    return () => {
      if (isTried) this.#isStale = true
      isTried = true
      return this.stored(pieces)
    }
  }

  /** Whether a piece is wanted and not in the vault. */
  isMissing(id: Buffer): boolean {
    const [primary] = this.#o.index.refsOf(id)
    return primary !== undefined && this.#o.index.isMissing(primary)
  }

  /** Pieces that are not in the vault any more: those that should be are wanted again. */
  lost(ids: readonly Buffer[]): ReadonlyMap<WriterId, readonly number[]> {
    const { index } = this.#o
    const numbers = new Map<WriterId, number[]>()
    const note = (): void => {
      for (const id of ids) {
        const refs = index.refsOf(id)
        const [primary] = refs
        const piece = primary === undefined ? undefined : index.at(primary.feed, primary.index)
        if (primary === undefined || piece === undefined || index.isMissing(primary)) continue
        this.#addNumbers(numbers, refs)
        const until = this.#counts.account.needed(refs)
        // It was to go anyway.
        if (until === undefined || until <= this.#horizonMs) continue
        index.setMissing(primary)
        this.#counts.change(primary, ({ counts, needed }) => {
          if (needed(refs) === Number.POSITIVE_INFINITY) return add(counts.missing, piece.length)
          take(counts.past, piece.length)
          add(counts.missingPast, piece.length)
        })
      }
    }
    try {
      index.transaction(note)
    } catch (thrown) {
      // What was counted by then was not kept.
      this.#isStale = true
      throw thrown
    }
    return numbers
  }

  /**
   * For how long, by this clock, nothing was said, nor seen to stand; 0 where nothing was ever said. Long: this node was off,
   * or its clock has leapt.
   */
  get silenceMs(): number {
    const { index, nowMs } = this.#o
    let newest = Number.NEGATIVE_INFINITY
    for (const { number } of index.feeds.all()) {
      const last = index.life(number).generations.at(-1)
      if (last !== undefined) newest = Math.max(newest, last.latestMs, last.seenMs ?? last.latestMs)
    }
    return newest === Number.NEGATIVE_INFINITY ? 0 : Math.max(0, nowMs() - newest)
  }

  /** What is live now was so at this instant, whatever anybody says later. For when all that is known is read. */
  noteStanding(): void {
    this.#o.index.noteStanding(this.#o.nowMs())
  }

  /** Forgets where generations began that nothing is kept of, if there are many. Which pieces are needed stays as it was. */
  condense(): void {
    const { index, policy, nowMs } = this.#o
    index.condense(policy(), nowMs(), heldLengthIn(index))
  }

  /** Of what a survey found dead, what is so still. */
  stillDead(dead: readonly DeadPiece[]): readonly DeadPiece[] {
    const needed = this.#needs()
    return dead.flatMap(({ id }) => {
      const refs = this.#o.index.refsOf(id)
      const until = needed(refs)
      return until === undefined || until <= this.#horizonMs ? [{ id, refs }] : []
    })
  }

  /** Of what was dropped, what was said again meanwhile is wanted again. */
  recheck(dropped: readonly DeadPiece[]): void {
    const { vault } = this.#o
    const dead = new Set(this.stillDead(dropped).map(({ id }) => keyOf(id)))
    const back = dropped.filter(({ id }) => !dead.has(keyOf(id)) && vault.lengthOf(id) === undefined)
    if (back.length > 0) this.lost(back.map(({ id }) => id))
    if (back.length > 0) this.#isStale = true
  }

  /** By feed, the numbers of pieces that are about to be dropped. */
  numbersOf(dead: readonly DeadPiece[]): ReadonlyMap<WriterId, readonly number[]> {
    const numbers = new Map<WriterId, number[]>()
    for (const { refs } of dead) this.#addNumbers(numbers, refs)
    return numbers
  }

  /**
   * Looks through all pieces: counts them anew, notes what is missing and what is not any more, finds what may go.
   * `onHeld` hears of every number whose piece is here. One at a time.
   */
  async survey(onHeld?: (feed: number, number: number) => void): Promise<Survey> {
    const horizonMs = this.#horizonMs
    this.#isStale = false
    const looked = await this.#surveyor.look(this.#needs(), horizonMs, onHeld)
    if (looked === undefined) return { dead: [], isComplete: false }
    this.#horizonMs = looked.budget.horizonMs(this.#o.policy().maxBytes)
    // More may be kept than before: what is to come back, the next survey notes.
    if (this.#horizonMs < horizonMs) this.#isStale = true
    const beyond = this.#horizonMs > horizonMs ? await this.#surveyor.between(horizonMs, this.#horizonMs) : []
    return { dead: [...looked.dead, ...beyond], isComplete: true }
  }

  /** What is live, here or not, some at a time: each piece once, by its first ref. What changes meanwhile may be in it or not. */
  *live(): Generator<readonly LivePiece[]> {
    const { index } = this.#o
    const needed = this.#needs()
    for (const { number: feed, writer } of index.feeds.all())
      for (const { pieces } of index.piecesOf(feed))
        yield pieces.flatMap((piece) => {
          const { id, number, length, isFirst } = piece
          if (!isFirst || needed(index.refsOfPiece(feed, piece)) !== Number.POSITIVE_INFINITY) return []
          return [{ id, length, writer, index: number }]
        })
  }

  stop(): void {
    this.#surveyor.stop()
  }

  /** As announced under a number: what a piece counts as is what its first one says, true or not. */
  #lengthOf({ feed, index }: PieceRef): number | undefined {
    return this.#o.index.at(feed, index)?.length
  }

  #needs(): Needed {
    const { index, policy, nowMs } = this.#o
    return neededBy(index, policy(), nowMs())
  }

  #addNumbers(numbers: Map<WriterId, number[]>, refs: readonly PieceRef[]): void {
    // Not by an iterator: this is done for every piece, and most have one.
    for (let i = 0; i < refs.length; i++) {
      const { feed, index } = refs[i]!
      const writer = this.#o.index.feeds.byNumber(feed)?.writer
      if (writer === undefined) continue
      const list = numbers.get(writer)
      if (list === undefined) numbers.set(writer, [index])
      else list.push(index)
    }
  }
}

function keyOf(id: Buffer): string {
  return id.toString('latin1')
}
