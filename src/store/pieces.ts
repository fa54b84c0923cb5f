// Where pieces are: which feeds number them (refs) and which files of this disk hold them (places). Part of a share's
// index (index.ts). A piece is held when at least one place is known; crossing between none and one is what peers are
// told about (have, donthave).
import type { PieceRun } from '../core/entry.js'
import type { RelPath } from '../core/path.js'
import type { PieceInfo } from '../core/piece.js'
import { AFTER_LAST_KEY, type Database, pathKey, pathOfKey, type Table } from './tables.js'

/** A piece's number in one feed. */
export interface PieceRef {
  readonly feed: number
  readonly index: number
}

/** Where a piece's plaintext lies on this disk. */
export interface Place {
  readonly path: RelPath
  readonly offset: number
}

/** The pieces of one file in order, 36 bytes each: id, sealed length (u32 LE). */
export type Layout = Buffer
export const LAYOUT_BYTES = 36
const ID_BYTES = 32

/** Packs pieces into a layout. */
export function packLayout(pieces: readonly PieceInfo[]): Layout {
  const layout = Buffer.allocUnsafe(pieces.length * LAYOUT_BYTES)
  pieces.forEach((piece, i) => {
    piece.id.copy(layout, i * LAYOUT_BYTES)
    layout.writeUInt32LE(piece.length, i * LAYOUT_BYTES + ID_BYTES)
  })
  return layout
}

/** The pieces of a layout, ids as views of it. */
export function unpackLayout(layout: Layout): PieceInfo[] {
  const pieces: PieceInfo[] = []
  for (let at = 0; at < layout.length; at += LAYOUT_BYTES) {
    pieces.push({ id: layout.subarray(at, at + ID_BYTES), length: layout.readUInt32LE(at + ID_BYTES) })
  }
  return pieces
}

/** Row of a piece: count of places (u32), then feed number and index (u32 each) of every ref. */
type PieceRow = Buffer

/** The three tables and what changed in what this node holds. Every method runs inside the caller's transaction. */
export class PieceTables {
  readonly #refs: Table<Buffer>
  readonly #pieces: Table<PieceRow>
  readonly #places: Table<number>
  /** Called with each ref whose piece has just become held, or has just been lost. */
  readonly #onHeld: (ref: PieceRef, held: boolean) => void

  constructor(database: Database, prefix: string, onHeld: (ref: PieceRef, held: boolean) => void) {
    this.#refs = database.table(`${prefix}refs`)
    this.#pieces = database.table(`${prefix}pieces`)
    this.#places = database.table(`${prefix}places`)
    this.#onHeld = onHeld
  }

  /** The piece that a feed announced under a number. */
  at(feed: number, index: number): PieceInfo | undefined {
    const row = this.#refs.get(refKey(feed, index))
    return row === undefined
      ? undefined
      : { id: row.subarray(0, ID_BYTES), length: row.readUInt32LE(ID_BYTES) }
  }

  /** The pieces of a file entry in file order; undefined if one was never announced. */
  ofRuns(feed: number, runs: readonly PieceRun[]): PieceInfo[] | undefined {
    const pieces: PieceInfo[] = []
    for (const run of runs) {
      for (let i = 0; i < run.count; i++) {
        const piece = this.at(feed, run.first + i)
        if (piece === undefined) return undefined
        pieces.push(piece)
      }
    }
    return pieces
  }

  /** Every feed's number for a piece. */
  refsOf(id: Buffer): PieceRef[] {
    const row = this.#pieces.get(id)
    return row === undefined ? [] : refsIn(row)
  }

  /** Whether some file on this disk holds a piece, and every feed's number for it. */
  look(id: Buffer): { readonly isHeld: boolean; readonly refs: readonly PieceRef[] } {
    const row = this.#pieces.get(id)
    return row === undefined
      ? { isHeld: false, refs: [] }
      : { isHeld: row.readUInt32LE(0) > 0, refs: refsIn(row) }
  }

  /** Whether some file on this disk holds the piece. */
  isHeld(id: Buffer): boolean {
    const row = this.#pieces.get(id)
    return row !== undefined && row.readUInt32LE(0) > 0
  }

  /** A file that holds the piece; `not` is passed over. */
  placeOf(id: Buffer, not?: RelPath): Place | undefined {
    for (const { key, value } of this.#places.range(
      id,
      Buffer.concat([id, AFTER_LAST_KEY]),
      not === undefined ? 1 : 2,
    )) {
      const path = pathOfKey(key.subarray(ID_BYTES))
      if (path !== not) return { path, offset: value }
    }
    return undefined
  }

  /** Notes an announcement (F1); `isNew` if the number is above all before. False if the number already stands for another piece: the feed contradicts itself. */
  announce(feed: number, index: number, piece: PieceInfo, isNew: boolean): boolean {
    const known = isNew ? undefined : this.at(feed, index)
    if (known !== undefined) return known.id.equals(piece.id) && known.length === piece.length
    const ref = Buffer.allocUnsafe(LAYOUT_BYTES)
    piece.id.copy(ref)
    ref.writeUInt32LE(piece.length, ID_BYTES)
    this.#refs.put(refKey(feed, index), ref)
    const row = this.#pieces.get(piece.id)
    const tail = Buffer.allocUnsafe(8)
    tail.writeUInt32LE(feed)
    tail.writeUInt32LE(index, 4)
    this.#pieces.put(piece.id, Buffer.concat([row ?? Buffer.alloc(4), tail]))
    if (row !== undefined && row.readUInt32LE(0) > 0) this.#onHeld({ feed, index }, true)
    return true
  }

  /**
   * The file at `path` held `before` and now holds `after`, pieces one after the other (empty for nothing). A piece in
   * both is never reported lost in between.
   */
  movePlaces(path: RelPath, before: Layout, after: Layout, sivBytes: number): void {
    const suffix = pathKey(path)
    const now = new Set<string>()
    let offset = 0
    for (const piece of unpackLayout(after)) {
      const id = piece.id.toString('latin1')
      // A piece that repeats inside one file has one place there: its first.
      if (!now.has(id)) {
        now.add(id)
        const key = Buffer.concat([piece.id, suffix])
        const isNew = before.length === 0 || this.#places.get(key) === undefined
        this.#places.put(key, offset)
        if (isNew) this.#count(piece.id, 1)
      }
      offset += piece.length - sivBytes
    }
    for (const piece of unpackLayout(before)) {
      const key = Buffer.concat([piece.id, suffix])
      if (now.has(piece.id.toString('latin1')) || this.#places.get(key) === undefined) continue
      this.#places.remove(key)
      this.#count(piece.id, -1)
    }
  }

  #count(id: Buffer, change: 1 | -1): void {
    const row = this.#pieces.get(id)
    const counted = row === undefined ? Buffer.alloc(4) : Buffer.from(row)
    const places = counted.readUInt32LE(0) + change
    counted.writeUInt32LE(places)
    if (places === 0 && counted.length === 4) this.#pieces.remove(id)
    else this.#pieces.put(Buffer.from(id), counted)
    if (places === 0 || (places === 1 && change === 1)) {
      for (const ref of refsIn(counted)) this.#onHeld(ref, places > 0)
    }
  }
}

function refsIn(row: PieceRow): PieceRef[] {
  const refs: PieceRef[] = []
  for (let at = 4; at < row.length; at += 8) {
    refs.push({ feed: row.readUInt32LE(at), index: row.readUInt32LE(at + 4) })
  }
  return refs
}

function refKey(feed: number, index: number): Buffer {
  const key = Buffer.allocUnsafe(8)
  key.writeUInt32BE(feed)
  key.writeUInt32BE(index, 4)
  return key
}
