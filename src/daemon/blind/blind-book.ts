// What a blind node should hold of a share, what of it is in the vault, and what may go. Decides by the public parts of
// records alone (store/blind-index.ts, core/piece-life.ts); fetches and writes nothing itself.
//
// A piece is live while some feed's newest generation may refer to it, of the past while the policy keeps a moment at which
// one did, and may go after that. It counts once, by its first ref, however many feeds announce it.
import type { WriterId } from '../../core/ids.js'
import type { PieceInfo } from '../../core/piece.js'
import { neededUntil, PieceSpans } from '../../core/piece-life.js'
import type { PublicPart } from '../../core/record.js'
import { HistoryBudget, type Retention, type Span } from '../../core/retention.js'
import type { AnnouncedPiece, BlindIndex } from '../../store/blind-index.js'
import type { IndexFeed } from '../../store/feeds.js'
import type { PieceRef } from '../../store/pieces.js'

/** The part of a vault (src/vault) that this needs. */
export interface HoldsPieces {
  has(id: Buffer): boolean
}

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

export interface BookOptions {
  readonly index: BlindIndex
  readonly vault: HoldsPieces
  readonly policy: () => Retention
  readonly nowMs: () => number
  /** Gives others a turn during a walk. */
  readonly breathe?: () => Promise<void>
  /** Chunks of 64 pieces looked at before that. */
  readonly chunksATurn?: number
}

export interface LivePiece extends PieceInfo {
  readonly writer: WriterId
  /** Its number there. */
  readonly index: number
}

/** What a look through all pieces found. */
export interface Survey {
  /** Pieces in the vault that nothing kept needs any more, with every number they were announced under. */
  readonly dead: readonly { readonly id: Buffer; readonly refs: readonly PieceRef[] }[]
  /** False: it was ended by stop(). */
  readonly isComplete: boolean
}

const LIVE: Span = { fromMs: 0, untilMs: Number.POSITIVE_INFINITY }
/** Chunks of pieces looked at before others get their turn. */
const CHUNKS_A_TURN = 32

interface MutableCounts extends BlindCounts {
  readonly live: Tally
  readonly missing: Tally
  readonly past: Tally
  readonly missingPast: Tally
}

/** What it wants written is written together, when a good many pieces are visited. */
type Visit = (feed: number, piece: AnnouncedPiece, write: (body: () => void) => void) => void

type Needed = (refs: readonly PieceRef[]) => number | undefined

/** Counts, and by what was live when they were made. */
interface Account {
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

export interface Taken {
  /** Numbers announced whose pieces are in the vault already. */
  readonly held: readonly number[]
  /** Whether something is missing now that was not before. */
  readonly wants: boolean
  /** Numbers announced twice and differently. */
  readonly contradictions: number
}

export class BlindBook {
  readonly #o: BookOptions
  #account: Account = { counts: emptyCounts(), needed: () => Number.POSITIVE_INFINITY }
  #underway: Underway | undefined
  #isStale = true
  /** History that was last needed then or before does not fit into the policy's `maxBytes`. */
  #horizonMs = Number.NEGATIVE_INFINITY
  #stopped = false

  constructor(options: BookOptions) {
    this.#o = options
  }

  get counts(): BlindCounts {
    return this.#account.counts
  }

  /** Whether the next survey may count otherwise: something was said again, or a generation has begun. */
  get isStale(): boolean {
    return this.#isStale
  }

  /** Takes over a record's public part. What is not in the vault is wanted from now on. */
  takeOver(feed: IndexFeed, at: number, part: PublicPart): Taken {
    const { index, vault } = this.#o
    return index.transaction(() => {
      const { fresh, refs: announced, isNewGeneration, contradictions } = index.takeOver(feed, at, part)
      if (isNewGeneration) this.#isStale = true
      const unknown = new Set(fresh.map(({ id }) => keyOf(id)))
      const held: number[] = []
      let wants = false
      for (const { number, piece } of announced) {
        const { id, length } = piece
        const isHeld = vault.has(id)
        if (isHeld) held.push(number)
        const isFresh = unknown.delete(keyOf(id))
        // It was counted, as live or as of the past; which, the next survey looks up.
        if (!isFresh) this.#isStale = true
        const primary = index.refsOf(id)[0]!
        const isNoted = isHeld || index.isMissing(primary)
        if (isNoted && !isFresh) continue
        if (!isNoted) {
          index.setMissing(primary, length)
          wants = true
        }
        this.#change(primary, ({ counts }) => {
          add(counts.live, length)
          if (!isHeld) add(counts.missing, length)
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
        this.#addNumbers(numbers, refs)
        const [primary] = refs
        if (primary === undefined || !index.clearMissing(primary)) continue
        this.#change(primary, ({ counts, needed }) => {
          if (needed(refs) === Number.POSITIVE_INFINITY) return take(counts.missing, length)
          take(counts.missingPast, length)
          add(counts.past, length)
        })
      }
    })
    return numbers
  }

  /** Pieces that are not in the vault any more: those that should be are wanted again. */
  lost(ids: readonly Buffer[]): ReadonlyMap<WriterId, readonly number[]> {
    const { index } = this.#o
    const numbers = new Map<WriterId, number[]>()
    index.transaction(() => {
      for (const id of ids) {
        const refs = index.refsOf(id)
        const [primary] = refs
        const piece = primary === undefined ? undefined : index.at(primary.feed, primary.index)
        if (primary === undefined || piece === undefined || index.isMissing(primary)) continue
        this.#addNumbers(numbers, refs)
        const until = this.#account.needed(refs)
        // It was to go anyway.
        if (until === undefined || until <= this.#horizonMs) continue
        index.setMissing(primary, piece.length)
        this.#change(primary, ({ counts, needed }) => {
          if (needed(refs) === Number.POSITIVE_INFINITY) return add(counts.missing, piece.length)
          take(counts.past, piece.length)
          add(counts.missingPast, piece.length)
        })
      }
    })
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

  /** Of what a survey found dead, what is so still. */
  stillDead(dead: Survey['dead']): Survey['dead'] {
    const needed = this.#needs()
    return dead.flatMap(({ id }) => {
      const refs = this.#o.index.refsOf(id)
      const until = needed(refs)
      return until === undefined || until <= this.#horizonMs ? [{ id, refs }] : []
    })
  }

  /** Of what was dropped, what was said again meanwhile is wanted again. */
  recheck(dropped: Survey['dead']): void {
    const { vault } = this.#o
    const dead = new Set(this.stillDead(dropped).map(({ id }) => keyOf(id)))
    const back = dropped.filter(({ id }) => !dead.has(keyOf(id)) && !vault.has(id))
    if (back.length > 0) this.lost(back.map(({ id }) => id))
    if (back.length > 0) this.#isStale = true
  }

  /** By feed, the numbers of pieces that are about to be dropped. */
  numbersOf(dead: Survey['dead']): ReadonlyMap<WriterId, readonly number[]> {
    const numbers = new Map<WriterId, number[]>()
    for (const { refs } of dead) this.#addNumbers(numbers, refs)
    return numbers
  }

  /**
   * Looks through all pieces: counts them anew, notes what is missing and what is not any more, finds what may go.
   * `onHeld` hears of every number whose piece is here. One at a time.
   */
  async survey(onHeld?: (feed: number, number: number) => void): Promise<Survey> {
    const { index, vault, policy } = this.#o
    const feeds = index.feeds.all().map(({ number }) => number)
    const needed = this.#needs()
    const counts = emptyCounts()
    const underway: Underway = { counts, needed, ahead: new Set(feeds), feed: 0, next: 0 }
    const budget = new HistoryBudget()
    const dead: { id: Buffer; refs: readonly PieceRef[] }[] = []
    const horizonMs = this.#horizonMs
    this.#isStale = false
    this.#underway = underway
    const visit: Visit = (feed, { id, number, length }, write) => {
      const isHeld = vault.has(id)
      if (isHeld) onHeld?.(feed, number)
      const refs = index.refsOf(id)
      const [primary] = refs
      if (primary?.feed !== feed || primary.index !== number) return
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
      else if (isHeld) dead.push({ id, refs })
      const isMissing = !isHeld && isKept
      if (isMissing && !isNoted) write(() => index.setMissing(primary, length))
      if (!isMissing && isNoted) write(() => index.clearMissing(primary))
    }
    const isWhole = await this.#walk(feeds, visit, (feed, next) => {
      underway.ahead.delete(feed)
      Object.assign(underway, { feed, next })
    })
    this.#underway = undefined
    if (!isWhole) return { dead: [], isComplete: false }
    this.#account = { counts, needed }
    this.#horizonMs = budget.horizonMs(policy().maxBytes)
    // More may be kept than before: what is to come back, the next survey notes.
    if (this.#horizonMs < horizonMs) this.#isStale = true
    if (this.#horizonMs > horizonMs) dead.push(...(await this.#beyond(horizonMs, this.#horizonMs)))
    return { dead, isComplete: true }
  }

  /** What is live, here or not, some at a time: each piece once, by its first ref. What changes meanwhile may be in it or not. */
  *live(): Generator<readonly LivePiece[]> {
    const { index } = this.#o
    const needed = this.#needs()
    for (const { number: feed, writer } of index.feeds.all())
      for (const { pieces } of index.piecesOf(feed))
        yield pieces.flatMap(({ id, number, length }) => {
          const refs = index.refsOf(id)
          const isFirst = refs[0]?.feed === feed && refs[0].index === number
          if (!isFirst || needed(refs) !== Number.POSITIVE_INFINITY) return []
          return [{ id, length, writer, index: number }]
        })
  }

  stop(): void {
    this.#stopped = true
  }

  /** History that was last needed at this instant or before it: it has to go, and is not wanted any more. */
  async #beyond(afterMs: number, horizonMs: number): Promise<{ id: Buffer; refs: readonly PieceRef[] }[]> {
    const { index, vault } = this.#o
    const { counts, needed } = this.#account
    const dead: { id: Buffer; refs: readonly PieceRef[] }[] = []
    await this.#walk(
      index.feeds.all().map(({ number }) => number),
      (feed, { id, number, length }, write) => {
        const refs = index.refsOf(id)
        const [primary] = refs
        if (primary?.feed !== feed || primary.index !== number) return
        const until = needed(refs)
        if (until === undefined || until <= afterMs || until > horizonMs) return
        if (vault.has(id)) {
          dead.push({ id, refs })
          take(counts.past, length)
        } else if (index.isMissing(primary)) {
          write(() => index.clearMissing(primary))
          take(counts.missingPast, length)
        }
      },
    )
    return dead
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
        for (const piece of pieces) visit(feed, piece, (write) => writes.push(write))
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

  /** A piece, known by its first ref, changes the counts, and those of a survey that has passed it by. */
  #change(primary: PieceRef, apply: (account: Account) => void): void {
    apply(this.#account)
    const underway = this.#underway
    if (underway === undefined || underway.ahead.has(primary.feed)) return
    if (primary.feed !== underway.feed || primary.index < underway.next) apply(underway)
  }

  /** Until when a piece is needed, by its refs; made for one survey. */
  #needs(): Needed {
    const { index, policy, nowMs } = this.#o
    const feeds = index.feeds.all()
    const heldLength = (writer: WriterId): number => {
      const feed = index.feeds.byWriter(writer)
      return feed === undefined ? 0 : feed.closed ? Number.POSITIVE_INFINITY : feed.next
    }
    const spans = new Map(
      feeds
        .filter(({ number }) => index.life(number).generations.length > 0)
        .map(({ number }) => [number, new PieceSpans(index.life(number), heldLength)] as const),
    )
    const oldestMs = Math.min(nowMs(), ...[...spans.values()].map((each) => each.oldestMs))
    const needed = neededUntil(policy(), nowMs(), oldestMs)
    return (refs) =>
      needed(
        refs.flatMap(({ feed, index: number }) => {
          const announced = index.announcedAt(feed, number)
          if (announced === undefined) return []
          // A feed that has come since: all of it is new.
          return [spans.get(feed)?.of(announced) ?? LIVE]
        }),
      )
  }

  #addNumbers(numbers: Map<WriterId, number[]>, refs: readonly PieceRef[]): void {
    for (const { feed, index } of refs) {
      const writer = this.#o.index.feeds.byNumber(feed)?.writer
      if (writer === undefined) continue
      const list = numbers.get(writer)
      if (list === undefined) numbers.set(writer, [index])
      else list.push(index)
    }
  }
}

function emptyCounts(): MutableCounts {
  const none = (): Tally => ({ pieces: 0, bytes: 0 })
  return { live: none(), missing: none(), past: none(), missingPast: none() }
}

function add(tally: Tally, bytes: number): void {
  tally.pieces++
  tally.bytes += bytes
}

function take(tally: Tally, bytes: number): void {
  tally.pieces--
  tally.bytes -= bytes
}

function keyOf(id: Buffer): string {
  return id.toString('latin1')
}
