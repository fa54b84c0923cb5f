// What the feeds of a share announced under which number, as a blind node keeps it: 64 numbers of a feed a row, so that runs of
// them are read and written once.
//
//   announced    feed u32, number / 64 u32 -> 64 slots of 44 bytes: id 32; sealed length u32 (0: not announced), of which bit
//                31 says that this was the first to announce the piece, bit 30 that others did so, too; block that announced
//                it first u32, block that did so last u32. All little-endian but in keys
import { invariant } from '../core/error.js'
import type { PieceInfo } from '../core/piece.js'
import type { Announced } from '../core/piece-life.js'
import { pairKey, type Table } from './tables.js'

/** A piece as one feed announced it. Its id is a view of a few kilobytes that nobody changes: copy what is kept for long. */
export interface AnnouncedPiece extends PieceInfo, Announced {
  readonly number: number
  /** This was the first to announce it. */
  readonly isFirst: boolean
  /** It was announced under this number, and no other. */
  readonly isOnly: boolean
}

/** The numbers of a feed that share a row; what is not announced has no length. */
export type Chunk = Buffer

const SLOTS = 64
const SLOT_BYTES = 44
const ID_BYTES = 32
const FIRST_BIT = 0x8000_0000
const SHARED_BIT = 0x4000_0000
const LENGTH_MASK = 0x3fff_ffff
/** Pieces are looked up in the order of their numbers, mostly, of a few feeds at a time: 2.8 KB each. */
const MAX_CHUNKS_KEPT = 64

export class AnnouncedPieces {
  readonly #table: Table<Buffer>
  /** Rows as they stand there, by feed and place, those read first at the start; nobody changes their bytes. */
  readonly #kept = new Map<number, Chunk | undefined>()
  /** Copies of rows that the transaction under way has changed. */
  #edited: Map<number, Chunk> | undefined

  constructor(table: Table<Buffer>) {
    this.#table = table
  }

  /** Runs a body, inside a transaction, and then writes what it changed. One inside another is part of it. */
  gathered<T>(body: () => T): T {
    if (this.#edited !== undefined) return body()
    const edited = new Map<number, Chunk>()
    this.#edited = edited
    try {
      const result = body()
      for (const [at, chunk] of edited) {
        this.#table.put(pairKey(Math.floor(at / 2 ** 32), at % 2 ** 32), chunk)
        this.#keep(at, chunk)
      }
      return result
    } finally {
      this.#edited = undefined
    }
  }

  /** What was read in a transaction that failed may never have come to be. */
  forgetRead(): void {
    this.#kept.clear()
  }

  /** That has a number in it, for the functions below, as it stands; undefined: nothing near it was announced. */
  chunkOf(feed: number, number: number): Chunk | undefined {
    const at = placeOf(feed, number)
    const edited = this.#edited?.get(at)
    if (edited !== undefined) return edited
    if (this.#kept.has(at)) return this.#kept.get(at)
    const chunk = this.#table.get(pairKey(feed, Math.floor(number / SLOTS)))
    this.#keep(at, chunk)
    return chunk
  }

  /** The same, to be changed; inside gathered(). */
  edit(feed: number, number: number): Chunk {
    invariant(this.#edited !== undefined, 'what is announced is noted in a transaction')
    const at = placeOf(feed, number)
    let chunk = this.#edited.get(at)
    if (chunk === undefined) {
      const before = this.chunkOf(feed, number)
      chunk = before === undefined ? Buffer.alloc(SLOTS * SLOT_BYTES) : Buffer.from(before)
      this.#edited.set(at, chunk)
    }
    return chunk
  }

  at(feed: number, number: number): AnnouncedPiece | undefined {
    const chunk = this.chunkOf(feed, number)
    return chunk === undefined ? undefined : pieceIn(chunk, number)
  }

  /**
   * All rows of a feed, ascending, each with its first number; each is read when it is asked for. Inside gathered(), rows that
   * are there are given as they have become, and new ones left out.
   */
  *chunks(feed: number): Generator<{ readonly chunk: Chunk; readonly from: number }> {
    for (let at = 0; ; at++) {
      let chunk = this.#table.get(pairKey(feed, at))
      if (chunk === undefined) {
        // Feeds number without gaps, mostly.
        const [row] = this.#table.range(pairKey(feed, at), pairKey(feed + 1, 0), 1)
        if (row === undefined) return
        at = row.key.readUInt32BE(4)
        chunk = row.value
      }
      yield { chunk: this.#edited?.get(placeOf(feed, at * SLOTS)) ?? chunk, from: at * SLOTS }
    }
  }

  #keep(at: number, chunk: Chunk | undefined): void {
    if (this.#kept.size >= MAX_CHUNKS_KEPT)
      for (const oldest of this.#kept.keys()) {
        this.#kept.delete(oldest)
        break
      }
    this.#kept.set(at, chunk)
  }
}

/** Numbers in a chunk. */
export const CHUNK_NUMBERS: number = SLOTS

/** Sealed bytes; 0: the number was not announced. */
export function lengthIn(chunk: Chunk, number: number): number {
  return chunk.readUInt32LE(slotOf(number) + ID_BYTES) & LENGTH_MASK
}

/** Whether it was announced under this number. */
export function isIn(chunk: Chunk, number: number, id: Buffer): boolean {
  const at = slotOf(number)
  return lengthIn(chunk, number) !== 0 && chunk.compare(id, 0, ID_BYTES, at, at + ID_BYTES) === 0
}

export function isFirstIn(chunk: Chunk, number: number): boolean {
  return (chunk.readUInt32LE(slotOf(number) + ID_BYTES) & FIRST_BIT) !== 0
}

export function isSharedIn(chunk: Chunk, number: number): boolean {
  return (chunk.readUInt32LE(slotOf(number) + ID_BYTES) & SHARED_BIT) !== 0
}

/** A view of the id that stands at a number. */
export function idIn(chunk: Chunk, number: number): Buffer {
  const at = slotOf(number)
  return chunk.subarray(at, at + ID_BYTES)
}

/** Announces a number for the first time. */
export function announceIn(
  chunk: Chunk,
  number: number,
  { id, length }: PieceInfo,
  block: number,
  isFirst: boolean,
): void {
  const at = slotOf(number)
  id.copy(chunk, at)
  chunk.writeUInt32LE((length | (isFirst ? FIRST_BIT : 0)) >>> 0, at + ID_BYTES)
  chunk.writeUInt32LE(block, at + ID_BYTES + 4)
  chunk.writeUInt32LE(block, at + ID_BYTES + 8)
}

/** Announces it again. */
export function announceAgainIn(chunk: Chunk, number: number, block: number): void {
  chunk.writeUInt32LE(block, slotOf(number) + ID_BYTES + 8)
}

/** Notes that a number is the first of its piece, and whether it is one of several. */
export function markFirstIn(chunk: Chunk, number: number, isShared: boolean): void {
  const flags = FIRST_BIT | (isShared ? SHARED_BIT : 0)
  chunk.writeUInt32LE((lengthIn(chunk, number) | flags) >>> 0, slotOf(number) + ID_BYTES)
}

export function announcedIn(chunk: Chunk, number: number): Announced | undefined {
  if (lengthIn(chunk, number) === 0) return undefined
  const at = slotOf(number) + ID_BYTES
  return { firstBlock: chunk.readUInt32LE(at + 4), lastBlock: chunk.readUInt32LE(at + 8) }
}

export function pieceIn(chunk: Chunk, number: number): AnnouncedPiece | undefined {
  const at = slotOf(number)
  const packed = chunk.readUInt32LE(at + ID_BYTES)
  if (packed === 0) return undefined
  const isFirst = (packed & FIRST_BIT) !== 0
  return {
    number,
    id: chunk.subarray(at, at + ID_BYTES),
    length: packed & LENGTH_MASK,
    firstBlock: chunk.readUInt32LE(at + ID_BYTES + 4),
    lastBlock: chunk.readUInt32LE(at + ID_BYTES + 8),
    isFirst,
    isOnly: isFirst && (packed & SHARED_BIT) === 0,
  }
}

function slotOf(number: number): number {
  return (number % SLOTS) * SLOT_BYTES
}

function placeOf(feed: number, number: number): number {
  return feed * 2 ** 32 + Math.floor(number / SLOTS)
}
