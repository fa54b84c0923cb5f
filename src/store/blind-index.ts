// What a blind node knows of a share: the public parts of its feeds' records, and nothing else (docs/design.md, "Blind
// nodes"). Which piece every feed announced under which number, in which blocks first and last, where its generations
// begin (F3), and which of what should be held is not. A projection of the feeds: deleting it costs reading them again.
//
//   announced    feed, number -> the piece, and whether others announced it, too (announced.ts)
//   shared       id of a piece that was announced more than once -> feed u32, number u32 of each announcement, in the order
//                in which they were taken over; little-endian
//   missing      by pieces' first refs, which are wanted and not in the vault (missing.ts)
//   lives        feed u32 -> its generations (core/piece-life.ts), and how many of its blocks are in the vault
//
// Where a piece was announced first is found in memory (first-refs.ts), which is filled from `announced` at the start. Once
// there was a table `refs` that was like `shared` and had all pieces: what it says goes into the others then.
import type { WriterId } from '../core/ids.js'
import type { PieceInfo } from '../core/piece.js'
import {
  type Announced,
  condensedLife,
  type FeedLife,
  followLife,
  lifeFrom,
  seenStanding,
} from '../core/piece-life.js'
import type { PublicPart } from '../core/record.js'
import type { Retention } from '../core/retention.js'
import {
  type AnnouncedPiece,
  AnnouncedPieces,
  announceAgainIn,
  announcedIn,
  announceIn,
  CHUNK_NUMBERS,
  idIn,
  isFirstIn,
  isIn,
  isSharedIn,
  lengthIn,
  markFirstIn,
  pieceIn,
} from './announced.js'
import { FeedTable, type IndexFeed } from './feeds.js'
import { FirstRefs } from './first-refs.js'
import { MissingPieces } from './missing.js'
import type { PieceRef } from './pieces.js'
import { AFTER_LAST_KEY, type Database, FIRST_KEY, pairKey, type Table, walk } from './tables.js'

export type { AnnouncedPiece } from './announced.js'

interface LifeRow {
  readonly life: FeedLife
  /** Blocks from 0 that are in the vault. */
  readonly stored: number
}

/** An announcement that was taken over. */
export interface Said {
  readonly number: number
  readonly piece: PieceInfo
  /** Where the piece was announced first, by which it is counted. */
  readonly first: PieceRef
  /** That is here: no feed had announced the piece before. */
  readonly isFresh: boolean
}

/** What taking over a record changed. */
export interface TakenOver {
  /** Every announcement, restated ones too. */
  readonly said: readonly Said[]
  /** A checkpoint has become whole: what it does not restate is of the past now. */
  readonly isNewGeneration: boolean
  /** Announced twice and differently; the first stands. */
  readonly contradictions: number
}

/**
 * So many generations a feed may have before those that nothing is kept of become one: fewer cost little, and a policy that
 * is to keep more from now on finds them apart.
 */
const MANY_GENERATIONS = 64
/** Rows of 64 pieces that are loaded in one slice: a few milliseconds. */
const CHUNKS_A_TURN = 64
/** When what an older version wrote is made anew, which takes longer. */
const OLD_CHUNKS_A_TURN = 16
const NONE: LifeRow = { life: lifeFrom(0), stored: 0 }

export class BlindIndex {
  readonly feeds: FeedTable
  readonly #database: Database
  readonly #announced: AnnouncedPieces
  readonly #shared: Table<Buffer>
  /** Of an older version. */
  readonly #old: Table<Buffer>
  readonly #missing: MissingPieces
  readonly #lives: Table<LifeRow>
  readonly #rows = new Map<number, LifeRow>()
  /** Undefined: it is to be loaded first. */
  #firsts: FirstRefs | undefined
  #loading: Generator<void> | undefined
  #isInTransaction = false

  constructor(database: Database, prefix: string) {
    this.#database = database
    this.feeds = new FeedTable(database, prefix)
    this.#announced = new AnnouncedPieces(database.table(`${prefix}announced`))
    this.#shared = database.table(`${prefix}shared`)
    this.#old = database.table(`${prefix}refs`)
    this.#missing = new MissingPieces(database.table(`${prefix}missing`))
    this.#lives = database.table(`${prefix}lives`)
    if (this.#missing.isOld) this.transaction(() => this.#missing.forgetAll())
  }

  /** Reads what is asked for by ids, in slices; whoever asks before waits for all of it. Rejects as `turn` does, between two. */
  async load(turn: () => Promise<void>): Promise<void> {
    while (this.#firsts === undefined) {
      this.#loadMore()
      await turn()
    }
  }

  /** If it fails, nothing has changed, here as in the database. One inside another is part of it. */
  transaction<T>(body: () => T): T {
    if (this.#isInTransaction) return body()
    const firsts = this.#firsts
    const feeds = this.feeds.all()
    this.#isInTransaction = true
    try {
      return this.#database.transaction(() => this.#missing.gathered(() => this.#announced.gathered(body)))
    } catch (thrown) {
      // What was read in it may never have come to be, and what was loaded in it was read in it.
      this.#announced.forgetRead()
      this.#rows.clear()
      this.feeds.restore(feeds)
      this.#firsts = firsts
      if (firsts === undefined) this.#loading = undefined
      throw thrown
    } finally {
      this.#isInTransaction = false
    }
  }

  /** Takes over the public part of block `at`, the next one of its feed, in one transaction. */
  takeOver(feed: IndexFeed, at: number, part: PublicPart): TakenOver {
    return this.transaction(() => {
      const isNewGeneration = this.#followLife(feed.number, part)
      const said: Said[] = []
      let { pieceCount } = this.feeds.byWriter(feed.writer)!
      let contradictions = 0
      for (const { first, pieces } of part.announcements) {
        for (let i = 0; i < pieces.length; i++) {
          const one = this.#announce({ feed: feed.number, index: first + i }, at, pieces[i]!)
          if (one === undefined) contradictions++
          else said.push(one)
        }
        pieceCount = Math.max(pieceCount, first + pieces.length)
      }
      const now = this.feeds.byWriter(feed.writer)!
      const checkpoint = Math.max(now.checkpoint, part.header.checkpoint ?? 0)
      this.feeds.put({ ...now, next: at + 1, pieceCount, checkpoint })
      return { said, isNewGeneration, contradictions }
    })
  }

  life(feed: number): FeedLife {
    return this.#row(feed).life
  }

  /** What the feeds say now stands at this instant (piece-life.ts, seenStanding). */
  noteStanding(nowMs: number): void {
    this.transaction(() => {
      for (const { number } of this.feeds.all()) {
        const row = this.#row(number)
        const life = seenStanding(row.life, nowMs)
        if (life !== row.life) this.#putRow(number, { ...row, life })
      }
    })
  }

  /**
   * Makes generations one that follow each other and that nothing is kept of, where a feed has many (piece-life.ts,
   * condensedLife): its row is written with each of its records. `heldLength`: how much of each feed is read.
   */
  condense(policy: Retention, nowMs: number, heldLength: (writer: WriterId) => number): void {
    this.transaction(() => {
      for (const { number } of this.feeds.all()) {
        const row = this.#row(number)
        const before = row.life.generations.length
        if (before <= MANY_GENERATIONS) continue
        const life = condensedLife(row.life, policy, nowMs, heldLength)
        if (life.generations.length < before) this.#putRow(number, { ...row, life })
      }
    })
  }

  /** How many blocks of a feed are in the vault, from the first on. */
  storedBlocks(feed: number): number {
    return this.#row(feed).stored
  }

  setStoredBlocks(feed: number, stored: number): void {
    this.#putRow(feed, { ...this.#row(feed), stored })
  }

  at(feed: number, number: number): AnnouncedPiece | undefined {
    return this.#announced.at(feed, number)
  }

  /** In which blocks a number was announced; undefined: in none. */
  announcedAt(feed: number, number: number): Announced | undefined {
    const chunk = this.#announced.chunkOf(feed, number)
    return chunk === undefined ? undefined : announcedIn(chunk, number)
  }

  /** Every feed's number for a piece; the first is the one it is counted by. */
  refsOf(id: Buffer): readonly PieceRef[] {
    const first = this.#firstOf(id)
    if (first === undefined) return []
    const isShared = isSharedIn(this.#announced.chunkOf(first.feed, first.index)!, first.index)
    return isShared ? readRefs(this.#shared.get(id)) : [first]
  }

  /** The same of a piece that a feed announced. */
  refsOfPiece(feed: number, { id, number, isOnly }: AnnouncedPiece): readonly PieceRef[] {
    return isOnly ? [{ feed, index: number }] : this.refsOf(id)
  }

  /**
   * All pieces of a feed by number, a chunk of at most 64 at a time, each read when it is asked for and with the number that the
   * next one begins at or after. What is announced below that is left out.
   */
  *piecesOf(feed: number): Generator<{ readonly pieces: readonly AnnouncedPiece[]; readonly end: number }> {
    for (const { chunk, from } of this.#announced.chunks(feed)) {
      const pieces: AnnouncedPiece[] = []
      for (let number = from; number < from + CHUNK_NUMBERS; number++) {
        const piece = pieceIn(chunk, number)
        if (piece !== undefined) pieces.push(piece)
      }
      yield { pieces, end: from + CHUNK_NUMBERS }
    }
  }

  /** Runs a body that asks what is missing, and changes nothing: what it asks about near each other is read once. */
  looking<T>(body: () => T): T {
    return this.#missing.gathered(body)
  }

  /** Notes that a piece is wanted and not here, by its first ref; inside a transaction. */
  setMissing(ref: PieceRef): void {
    this.#missing.set(ref)
  }

  /** Whether it was noted; inside a transaction. */
  clearMissing(ref: PieceRef): boolean {
    return this.#missing.clear(ref)
  }

  isMissing(ref: PieceRef): boolean {
    return this.#missing.has(ref)
  }

  /** Those missing after a place, in the order in which they were announced. `isEnd`: there are no more. */
  missingAfter(
    place: PieceRef | undefined,
    limit: number,
  ): { readonly refs: readonly PieceRef[]; readonly isEnd: boolean } {
    return this.#missing.after(place, limit)
  }

  /** Undefined: the number stands for another piece. */
  #announce(ref: PieceRef, block: number, piece: PieceInfo): Said | undefined {
    const { feed, index: number } = ref
    const chunk = this.#announced.edit(feed, number)
    if (lengthIn(chunk, number) !== 0) {
      if (lengthIn(chunk, number) !== piece.length || !isIn(chunk, number, piece.id)) return undefined
      announceAgainIn(chunk, number, block)
      const first = isFirstIn(chunk, number) ? ref : (this.#firstOf(piece.id) ?? ref)
      return { number, piece, first, isFresh: false }
    }
    const first = this.#firstOf(piece.id)
    announceIn(chunk, number, piece, block, first === undefined)
    if (first !== undefined) {
      this.#addShared(piece.id, first, ref)
      return { number, piece, first, isFresh: false }
    }
    // Also if the transaction fails: what is found is looked up.
    this.#loaded().add(piece.id, feed, number)
    return { number, piece, first: ref, isFresh: true }
  }

  #addShared(id: Buffer, first: PieceRef, ref: PieceRef): void {
    const chunk = this.#announced.edit(first.feed, first.index)
    const before = isSharedIn(chunk, first.index) ? readRefs(this.#shared.get(id)) : [first]
    markFirstIn(chunk, first.index, true)
    this.#shared.put(id, writeRefs([...before, ref]))
  }

  #firstOf(id: Buffer): PieceRef | undefined {
    return this.#loaded().find(id, this.#isFirstOf)
  }

  readonly #isFirstOf = ({ feed, index }: PieceRef, id: Buffer): boolean => {
    const chunk = this.#announced.chunkOf(feed, index)
    return chunk !== undefined && isFirstIn(chunk, index) && isIn(chunk, index, id)
  }

  #loaded(): FirstRefs {
    while (this.#firsts === undefined) this.#loadMore()
    return this.#firsts
  }

  #loadMore(): void {
    this.#loading ??= this.#load()
    try {
      if (this.#loading.next().done === true) this.#loading = undefined
    } catch (thrown) {
      this.#loading = undefined
      throw thrown
    }
  }

  *#load(): Generator<void> {
    const [old] = this.#old.range(FIRST_KEY, AFTER_LAST_KEY, 1)
    if (old !== undefined) yield* this.#convert()
    const firsts = new FirstRefs()
    let turn = 0
    for (const { number: feed } of this.feeds.all())
      for (const { chunk, from } of this.#announced.chunks(feed)) {
        for (let number = from; number < from + CHUNK_NUMBERS; number++)
          if (isFirstIn(chunk, number)) firsts.add(idIn(chunk, number), feed, number)
        if (++turn % CHUNKS_A_TURN === 0) yield
      }
    this.#firsts = firsts
  }

  /** Makes of rows of the first kind those of today; one that is interrupted goes on. */
  *#convert(): Generator<void> {
    for (const { number: feed } of this.feeds.all()) {
      let some: number[] = []
      for (const { from } of this.#announced.chunks(feed)) {
        some.push(from)
        if (some.length < OLD_CHUNKS_A_TURN) continue
        this.#convertChunks(feed, some)
        some = []
        yield
      }
      this.#convertChunks(feed, some)
    }
    // There should be none left.
    this.transaction(() => {
      for (const { key } of walk(this.#old)) this.#old.remove(key)
    })
  }

  #convertChunks(feed: number, froms: readonly number[]): void {
    this.transaction(() => {
      for (const from of froms)
        for (let number = from; number < from + CHUNK_NUMBERS; number++) {
          const chunk = this.#announced.edit(feed, number)
          if (lengthIn(chunk, number) === 0) continue
          const id = idIn(chunk, number)
          const row = this.#old.get(id)
          const refs = readRefs(row)
          if (row === undefined || refs[0]?.feed !== feed || refs[0].index !== number) continue
          markFirstIn(chunk, number, refs.length > 1)
          if (refs.length > 1) this.#shared.put(id, row)
          this.#old.remove(id)
        }
    })
  }

  /** Whether another generation begins. */
  #followLife(feed: number, { header }: PublicPart): boolean {
    const before = this.#row(feed)
    const life = followLife(before.life, header)
    this.#putRow(feed, { ...before, life })
    return life.generations.length > Math.max(1, before.life.generations.length)
  }

  #row(feed: number): LifeRow {
    let row = this.#rows.get(feed)
    if (row === undefined) {
      row = this.#lives.get(pairKey(feed, 0)) ?? NONE
      this.#rows.set(feed, row)
    }
    return row
  }

  #putRow(feed: number, row: LifeRow): void {
    this.#lives.put(pairKey(feed, 0), row)
    this.#rows.set(feed, row)
  }
}

function readRefs(bytes: Buffer | undefined): PieceRef[] {
  const refs: PieceRef[] = []
  for (let at = 0; at < (bytes?.length ?? 0); at += 8)
    refs.push({ feed: bytes!.readUInt32LE(at), index: bytes!.readUInt32LE(at + 4) })
  return refs
}

function writeRefs(refs: readonly PieceRef[]): Buffer {
  const bytes = Buffer.allocUnsafe(8 * refs.length)
  refs.forEach(({ feed, index }, i) => {
    bytes.writeUInt32LE(feed, 8 * i)
    bytes.writeUInt32LE(index, 8 * i + 4)
  })
  return bytes
}
