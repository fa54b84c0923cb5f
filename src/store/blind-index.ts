// What a blind node knows of a share: the public parts of its feeds' records, and nothing else (docs/design.md, "Blind
// nodes"). Which piece every feed announced under which number, in which blocks first and last, where its generations
// begin (F3), and which of what should be held is not. A projection of the feeds: deleting it costs reading them again.
//
//   announced    feed u32, number / 64 u32 -> 64 slots of 44 bytes: id 32, sealed length u32 (0: not announced), block that
//                announced it first u32, block that did so last u32. All little-endian but in keys
//   refs         id -> feed u32, number u32 of each announcement
//   missing      by pieces' first refs, which are wanted and not in the vault (missing.ts)
//   lives        feed u32 -> its generations (core/piece-life.ts), and how many of its blocks are in the vault
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
import { FeedTable, type IndexFeed } from './feeds.js'
import { MissingPieces } from './missing.js'
import type { PieceRef } from './pieces.js'
import { type Database, keyAfter, pairKey, type Table } from './tables.js'

/** A piece as one feed announced it. */
export interface AnnouncedPiece extends PieceInfo, Announced {
  readonly number: number
}

interface LifeRow {
  readonly life: FeedLife
  /** Blocks from 0 that are in the vault. */
  readonly stored: number
}

/** What taking over a record changed. */
export interface TakenOver {
  /** Pieces that no feed had announced before. */
  readonly fresh: readonly PieceInfo[]
  /** Every announcement, restated ones too. */
  readonly refs: readonly { readonly number: number; readonly piece: PieceInfo }[]
  /** A checkpoint has become whole: what it does not restate is of the past now. */
  readonly isNewGeneration: boolean
  /** Announced twice and differently; the first stands. */
  readonly contradictions: number
}

const SLOTS = 64
const SLOT_BYTES = 44
const ID_BYTES = 32
/**
 * So many generations a feed may have before those that nothing is kept of become one: fewer cost little, and a policy that
 * is to keep more from now on finds them apart.
 */
const MANY_GENERATIONS = 64
/** Pieces are looked up in the order of their numbers, mostly, of a few feeds at a time: 2.8 KB each. */
const MAX_CHUNKS_KEPT = 16
/** What is announced is soon looked up for fetching, and again when it is here: some 2 MB. */
const MAX_REFS_KEPT = 8192
const NONE: LifeRow = { life: lifeFrom(0), stored: 0 }

export class BlindIndex {
  readonly feeds: FeedTable
  readonly #database: Database
  readonly #announced: Table<Buffer>
  readonly #refs: Table<Buffer>
  readonly #missing: MissingPieces
  readonly #lives: Table<LifeRow>
  readonly #rows = new Map<number, LifeRow>()
  /** Rows of `announced` as they stand there, by feed and chunk; nobody changes their bytes. */
  readonly #chunks = new Map<number, Buffer | undefined>()
  /** Rows of `refs` as they stand there, by id. */
  readonly #recent = new Map<string, readonly PieceRef[]>()

  constructor(database: Database, prefix: string) {
    this.#database = database
    this.feeds = new FeedTable(database, prefix)
    this.#announced = database.table(`${prefix}announced`)
    this.#refs = database.table(`${prefix}refs`)
    this.#missing = new MissingPieces(database.table(`${prefix}missing`))
    this.#lives = database.table(`${prefix}lives`)
    if (this.#missing.isOld) this.transaction(() => this.#missing.forgetAll())
  }

  transaction<T>(body: () => T): T {
    try {
      return this.#database.transaction(() => this.#missing.gathered(body))
    } catch (thrown) {
      // What was read in it may never have come to be.
      this.#chunks.clear()
      this.#recent.clear()
      throw thrown
    }
  }

  /** Takes over the public part of block `at`, the next one of its feed, in one transaction. */
  takeOver(feed: IndexFeed, at: number, part: PublicPart): TakenOver {
    return this.transaction(() => {
      const isNewGeneration = this.#followLife(feed.number, part)
      const fresh: PieceInfo[] = []
      const refs: { number: number; piece: PieceInfo }[] = []
      let { pieceCount } = this.feeds.byWriter(feed.writer)!
      let contradictions = 0
      const chunks = new ChunkEdit(feed.number, this.#announced)
      for (const { first, pieces } of part.announcements) {
        for (const [i, piece] of pieces.entries()) {
          const number = first + i
          const slot = chunks.slot(number)
          if (slot.length !== 0 && !slot.isOf(piece)) {
            contradictions++
            continue
          }
          if (slot.length === 0) {
            slot.set(piece, at)
            if (this.#addRef(piece.id, { feed: feed.number, index: number })) fresh.push(piece)
          } else slot.setLast(at)
          refs.push({ number, piece })
        }
        pieceCount = Math.max(pieceCount, first + pieces.length)
      }
      chunks.finish()
      this.#chunks.clear()
      const now = this.feeds.byWriter(feed.writer)!
      const checkpoint = Math.max(now.checkpoint, part.header.checkpoint ?? 0)
      this.feeds.put({ ...now, next: at + 1, pieceCount, checkpoint })
      return { fresh, refs, isNewGeneration, contradictions }
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
    const chunk = this.#chunkOf(feed, number)
    return chunk === undefined ? undefined : pieceIn(chunk, number)
  }

  /** In which blocks a number was announced; undefined: in none. */
  announcedAt(feed: number, number: number): Announced | undefined {
    const chunk = this.#chunkOf(feed, number)
    return chunk === undefined ? undefined : announcedIn(chunk, number)
  }

  /** Every feed's number for a piece; the first is the one it is counted by. */
  refsOf(id: Buffer): readonly PieceRef[] {
    const name = id.toString('latin1')
    const known = this.#recent.get(name)
    if (known !== undefined) return known
    const refs = readRefs(this.#refs.get(id))
    this.#keepRefs(name, refs)
    return refs
  }

  /**
   * All pieces of a feed by number, a chunk of at most 64 at a time, each with the number that the next one begins at or
   * after. What is announced below that is left out.
   */
  *piecesOf(feed: number): Generator<{ readonly pieces: readonly AnnouncedPiece[]; readonly end: number }> {
    let from = pairKey(feed, 0)
    const end = pairKey(feed + 1, 0)
    for (;;) {
      const [row] = this.#announced.range(from, end, 1)
      if (row === undefined) return
      const base = row.key.readUInt32BE(4) * SLOTS
      const pieces: AnnouncedPiece[] = []
      for (let slot = 0; slot < SLOTS; slot++) {
        const piece = pieceIn(row.value, base + slot)
        if (piece !== undefined) pieces.push(piece)
      }
      yield { pieces, end: base + SLOTS }
      from = keyAfter(row.key)
    }
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

  #chunkOf(feed: number, number: number): Buffer | undefined {
    const at = Math.floor(number / SLOTS)
    const key = feed * 2 ** 32 + at
    if (this.#chunks.has(key)) return this.#chunks.get(key)
    const chunk = this.#announced.get(pairKey(feed, at))
    if (this.#chunks.size >= MAX_CHUNKS_KEPT) this.#chunks.clear()
    this.#chunks.set(key, chunk)
    return chunk
  }

  #addRef(id: Buffer, ref: PieceRef): boolean {
    const before = this.#refs.get(id)
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeUInt32LE(ref.feed, 0)
    bytes.writeUInt32LE(ref.index, 4)
    this.#refs.put(id, before === undefined ? bytes : Buffer.concat([before, bytes]))
    this.#keepRefs(id.toString('latin1'), [...readRefs(before), ref])
    return before === undefined
  }

  #keepRefs(name: string, refs: readonly PieceRef[]): void {
    if (this.#recent.size >= MAX_REFS_KEPT) this.#recent.clear()
    this.#recent.set(name, refs)
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
    this.#rows.set(feed, row)
    this.#lives.put(pairKey(feed, 0), row)
  }
}

/** Slots of one feed under edit: announcements come in runs, so a chunk is read and written once for many. */
class ChunkEdit {
  readonly #feed: number
  readonly #table: Table<Buffer>
  #at = -1
  #chunk: Buffer = Buffer.alloc(0)
  #isChanged = false

  constructor(feed: number, table: Table<Buffer>) {
    this.#feed = feed
    this.#table = table
  }

  slot(number: number): Slot {
    const at = Math.floor(number / SLOTS)
    if (at !== this.#at) {
      this.finish()
      this.#at = at
      const found = this.#table.get(pairKey(this.#feed, at))
      this.#chunk = found === undefined ? Buffer.alloc(SLOTS * SLOT_BYTES) : Buffer.from(found)
    }
    return new Slot(this.#chunk, (number % SLOTS) * SLOT_BYTES, () => {
      this.#isChanged = true
    })
  }

  finish(): void {
    if (this.#isChanged) this.#table.put(pairKey(this.#feed, this.#at), this.#chunk)
    this.#isChanged = false
  }
}

class Slot {
  readonly #chunk: Buffer
  readonly #at: number
  readonly #changed: () => void

  constructor(chunk: Buffer, at: number, changed: () => void) {
    this.#chunk = chunk
    this.#at = at
    this.#changed = changed
  }

  get length(): number {
    return this.#chunk.readUInt32LE(this.#at + ID_BYTES)
  }

  isOf({ id, length }: PieceInfo): boolean {
    return this.length === length && this.#chunk.subarray(this.#at, this.#at + ID_BYTES).equals(id)
  }

  set({ id, length }: PieceInfo, block: number): void {
    id.copy(this.#chunk, this.#at)
    this.#chunk.writeUInt32LE(length, this.#at + ID_BYTES)
    this.#chunk.writeUInt32LE(block, this.#at + ID_BYTES + 4)
    this.setLast(block)
  }

  setLast(block: number): void {
    this.#chunk.writeUInt32LE(block, this.#at + ID_BYTES + 8)
    this.#changed()
  }
}

function announcedIn(chunk: Buffer, number: number): Announced | undefined {
  const at = (number % SLOTS) * SLOT_BYTES
  if (chunk.readUInt32LE(at + ID_BYTES) === 0) return undefined
  return {
    firstBlock: chunk.readUInt32LE(at + ID_BYTES + 4),
    lastBlock: chunk.readUInt32LE(at + ID_BYTES + 8),
  }
}

/** A copy. */
function pieceIn(chunk: Buffer, number: number): AnnouncedPiece | undefined {
  const at = (number % SLOTS) * SLOT_BYTES
  const length = chunk.readUInt32LE(at + ID_BYTES)
  if (length === 0) return undefined
  return {
    number,
    id: Buffer.from(chunk.subarray(at, at + ID_BYTES)),
    length,
    firstBlock: chunk.readUInt32LE(at + ID_BYTES + 4),
    lastBlock: chunk.readUInt32LE(at + ID_BYTES + 8),
  }
}

function readRefs(bytes: Buffer | undefined): PieceRef[] {
  const refs: PieceRef[] = []
  for (let at = 0; at < (bytes?.length ?? 0); at += 8)
    refs.push({ feed: bytes!.readUInt32LE(at), index: bytes!.readUInt32LE(at + 4) })
  return refs
}
