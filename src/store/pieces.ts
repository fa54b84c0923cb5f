// Where pieces are: which feeds number them (refs) and which files of this disk hold them (places). Part of a share's
// index (index.ts). A piece is held when at least one place is known; crossing between none and one is what peers are
// told about (have, donthave), under the numbers that announce it with the length that it has here.
// A feed may announce an id with another length than another feed does, and nobody can tell which of them is true but who holds
// the piece. Both are kept, as two pieces: whoever asks for one hears of the numbers and the place of that one alone.
import type { PieceRun } from '../core/entry.js'
import type { RelPath } from '../core/path.js'
import type { PieceName } from '../core/picker.js'
import { type PieceInfo, packedLengthOf, pieceOf, plainBytesOf, unpackedLength } from '../core/piece.js'
import { AFTER_LAST_KEY, type Database, keyAfter, pathKey, pathOfKey, type Table } from './tables.js'

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

export interface PieceLook {
  readonly place: Place | undefined
  readonly refs: readonly PieceRef[]
}

/** The pieces of one file in order, 36 bytes each: id, packed length (u32 LE; packedLengthOf in core/piece.ts). */
export type Layout = Buffer
export const LAYOUT_BYTES = 36
const ID_BYTES = 32
/** A row of refs: id, packed length (u32 LE), the block that announced it last (f64 LE; older rows lack it). */
const REF_BYTES: number = LAYOUT_BYTES + 8
/** Among the refs, whose keys are longer: there once a padded piece was announced. */
const PADDED_KEY = Buffer.from('padded')
/** The same: there once an id was announced with a second length, or with one that it does not have here. */
const LENGTHS_KEY = Buffer.from('lengths')

/** Packs pieces into a layout. */
export function packLayout(pieces: readonly PieceInfo[]): Layout {
  const layout = Buffer.allocUnsafe(pieces.length * LAYOUT_BYTES)
  pieces.forEach((piece, i) => {
    piece.id.copy(layout, i * LAYOUT_BYTES)
    layout.writeUInt32LE(packedLengthOf(piece), i * LAYOUT_BYTES + ID_BYTES)
  })
  return layout
}

/** The pieces of a layout, ids as views of it. */
export function unpackLayout(layout: Layout): PieceInfo[] {
  const pieces: PieceInfo[] = []
  for (let at = 0; at < layout.length; at += LAYOUT_BYTES) {
    const packed = layout.readUInt32LE(at + ID_BYTES)
    pieces.push(pieceOf(layout.subarray(at, at + ID_BYTES), packed))
  }
  return pieces
}

/** What is known of one piece, as its row says it. */
interface Known {
  /** How many files here hold it. */
  places: number
  readonly refs: PieceRef[]
  /** One of the places; the others stand in the table of places. Most pieces have just this one. */
  first: Place | undefined
}

/** The tables and what changed in what this node holds. Every method runs inside the caller's transaction. */
export class PieceTables {
  readonly #refs: Table<Buffer>
  readonly #pieces: Table<Buffer>
  readonly #places: Table<number>
  /** Called with each ref whose piece has just become held, or has just been lost. */
  readonly #onHeld: (ref: PieceRef, held: boolean) => void
  /** Of a file on this disk. */
  readonly #layoutOf: (path: RelPath) => Layout | undefined
  #hasPadded: boolean
  /** Until it is so, which is mostly for ever, hardly a row is read to compare lengths. */
  #hasLengths: boolean
  /** Packed, by id, of the file that was looked at last: what is announced comes file by file. */
  #lengths: { readonly path: RelPath; readonly lengths: ReadonlyMap<string, number> } | undefined

  constructor(
    database: Database,
    prefix: string,
    onHeld: (ref: PieceRef, held: boolean) => void,
    layoutOf: (path: RelPath) => Layout | undefined,
  ) {
    this.#refs = database.table(`${prefix}refs`)
    this.#pieces = database.table(`${prefix}pieces`)
    this.#places = database.table(`${prefix}places`)
    this.#onHeld = onHeld
    this.#layoutOf = layoutOf
    this.#hasPadded = this.#refs.get(PADDED_KEY) !== undefined
    this.#hasLengths = this.#refs.get(LENGTHS_KEY) !== undefined
  }

  /** Whether any feed ever announced a padded piece. */
  get hasPadded(): boolean {
    return this.#hasPadded
  }

  /** The piece that a feed announced under a number. */
  at(feed: number, index: number): PieceInfo | undefined {
    const row = this.#refs.get(refKey(feed, index))
    return row === undefined ? undefined : pieceOf(row.subarray(0, ID_BYTES), row.readUInt32LE(ID_BYTES))
  }

  /** What a feed announced from a number on, ascending, up to `limit`. */
  announcedFrom(feed: number, from: number, limit: number): (PieceInfo & { readonly index: number })[] {
    const end = refKey(feed + 1, 0)
    return this.#refs.range(refKey(feed, from), end, limit).map(({ key, value }) => ({
      index: key.readUInt32BE(4),
      id: value.subarray(0, ID_BYTES),
      ...unpackedLength(value.readUInt32LE(ID_BYTES)),
    }))
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

  /** Every feed's number for a piece: those that announce the id with its sealed length. */
  refsOf(piece: PieceName): readonly PieceRef[] {
    return this.#refsAmong(piece, this.#known(piece.id).refs)
  }

  /** A file on this disk that holds a piece, and every feed's number for it. */
  look(piece: PieceInfo): PieceLook {
    const { first, refs } = this.#known(piece.id)
    return { place: this.#placeIfIt(piece, first), refs: this.#refsAmong(piece, refs) }
  }

  /** Whether some file on this disk holds the piece. */
  isHeld(piece: PieceInfo): boolean {
    const row = this.#pieces.get(piece.id)
    if (row === undefined || row.readUInt32LE(0) === 0) return false
    return !this.#hasLengths || this.placeOf(piece) !== undefined
  }

  /** A file on this disk that holds the piece. */
  placeOf(piece: PieceInfo): Place | undefined {
    const row = this.#pieces.get(piece.id)
    return row === undefined ? undefined : this.#placeIfIt(piece, firstPlace(row))
  }

  /** Files on this disk that hold the piece, at most `limit`. */
  placesOf(id: Buffer, limit: number): Place[] {
    const { first, places } = this.#known(id)
    if (first === undefined) return []
    const rows = places > 1 ? this.#places.range(id, Buffer.concat([id, AFTER_LAST_KEY]), limit - 1) : []
    return [
      first,
      ...rows.map(({ key, value }) => ({ path: pathOfKey(key.subarray(ID_BYTES)), offset: value })),
    ]
  }

  /**
   * The last block of a feed that announced a number of it, as far as this index remembers; 0 at least. Undefined: none
   * did.
   */
  announcedIn(feed: number, index: number): number | undefined {
    const row = this.#refs.get(refKey(feed, index))
    return row === undefined ? undefined : blockOf(row)
  }

  /** All numbers that a feed announced, ascending, with the sealed length of each and the block that announced it last. */
  *announced(feed: number, chunk = 4096): Generator<{ index: number; length: number; block: number }> {
    const end = refKey(feed + 1, 0)
    for (let from = refKey(feed, 0); ; ) {
      const rows = this.#refs.range(from, end, chunk)
      for (const { key, value } of rows)
        yield {
          index: key.readUInt32BE(4),
          length: unpackedLength(value.readUInt32LE(ID_BYTES)).length,
          block: blockOf(value),
        }
      if (rows.length < chunk) return
      from = keyAfter(rows.at(-1)!.key)
    }
  }

  /**
   * Notes an announcement (F1) in a block; `isNew` if the number is above all before. False if the number already stands for
   * another piece: the feed contradicts itself.
   */
  announce(feed: number, index: number, piece: PieceInfo, isNew: boolean, block: number): boolean {
    const key = refKey(feed, index)
    const row = isNew ? undefined : this.#refs.get(key)
    if (row !== undefined) {
      if (!row.subarray(0, ID_BYTES).equals(piece.id) || row.readUInt32LE(ID_BYTES) !== packedLengthOf(piece))
        return false
      if (blockOf(row) < block) this.#refs.put(key, packRef(piece, block))
      return true
    }
    if (piece.plain !== undefined && !this.#hasPadded) {
      this.#refs.put(PADDED_KEY, Buffer.alloc(0))
      this.#hasPadded = true
    }
    this.#refs.put(key, packRef(piece, block))
    const known = this.#known(piece.id)
    const [other] = known.refs
    const { first } = known
    const isLike =
      other === undefined
        ? first === undefined || this.#liesAt(piece, first)
        : this.#isAnnounced(other, piece)
    if (!isLike && !this.#hasLengths) {
      this.#refs.put(LENGTHS_KEY, Buffer.alloc(0))
      this.#hasLengths = true
    }
    known.refs.push({ feed, index })
    this.#put(piece.id, known)
    if (this.#placeIfIt(piece, first) !== undefined) this.#onHeld({ feed, index }, true)
    return true
  }

  /**
   * The file at `path` held `before` and now holds `after`, pieces one after the other (empty for nothing). A piece in
   * both is never reported lost in between.
   */
  movePlaces(path: RelPath, before: Layout, after: Layout): void {
    this.#lengths = undefined
    const now = new Set<string>()
    let offset = 0
    for (const piece of unpackLayout(after)) {
      const id = piece.id.toString('latin1')
      // A piece that repeats inside one file has one place there: its first.
      if (!now.has(id)) this.#addPlace(piece, { path, offset })
      now.add(id)
      offset += plainBytesOf(piece)
    }
    for (const piece of unpackLayout(before)) {
      if (!now.has(piece.id.toString('latin1'))) this.#removePlace(piece.id, path)
    }
  }

  #addPlace(piece: PieceInfo, place: Place): void {
    const { id } = piece
    const known = this.#known(id)
    if (known.first === undefined || known.first.path === place.path) {
      if (known.first === undefined) known.places++
      known.first = place
    } else {
      const key = Buffer.concat([id, pathKey(place.path)])
      const isThere = this.#places.get(key) !== undefined
      this.#places.put(key, place.offset)
      if (isThere) return
      known.places++
    }
    this.#put(id, known)
    if (known.places > 1) return
    for (const ref of known.refs)
      if (!this.#hasLengths || this.#isAnnounced(ref, piece)) this.#onHeld(ref, true)
  }

  #removePlace(id: Buffer, path: RelPath): void {
    const known = this.#known(id)
    if (known.first?.path === path) {
      // Another place takes its place in the row.
      const [next] = known.places > 1 ? this.#places.range(id, Buffer.concat([id, AFTER_LAST_KEY]), 1) : []
      known.first =
        next === undefined ? undefined : { path: pathOfKey(next.key.subarray(ID_BYTES)), offset: next.value }
      if (next !== undefined) this.#places.remove(next.key)
    } else {
      const key = Buffer.concat([id, pathKey(path)])
      if (this.#places.get(key) === undefined) return
      this.#places.remove(key)
    }
    known.places--
    this.#put(id, known)
    if (known.places === 0) for (const ref of known.refs) this.#onHeld(ref, false)
  }

  /** Whether that number announces just this piece, both lengths alike. */
  #isAnnounced({ feed, index }: PieceRef, piece: PieceInfo): boolean {
    return this.#refs.get(refKey(feed, index))?.readUInt32LE(ID_BYTES) === packedLengthOf(piece)
  }

  #refsAmong({ length }: PieceName, refs: readonly PieceRef[]): readonly PieceRef[] {
    if (!this.#hasLengths) return refs
    return refs.filter(({ feed, index }) => this.at(feed, index)?.length === length)
  }

  /** The place, if the piece that lies there is that long. */
  #placeIfIt(piece: PieceInfo, place: Place | undefined): Place | undefined {
    return !this.#hasLengths || place === undefined || this.#liesAt(piece, place) ? place : undefined
  }

  /** Whether what lies at the place of an id is that long. */
  #liesAt(piece: PieceInfo, { path }: Place): boolean {
    if (this.#lengths?.path !== path) {
      const lengths = new Map<string, number>()
      for (const held of unpackLayout(this.#layoutOf(path) ?? Buffer.alloc(0)))
        lengths.set(held.id.toString('latin1'), packedLengthOf(held))
      this.#lengths = { path, lengths }
    }
    return this.#lengths.lengths.get(piece.id.toString('latin1')) === packedLengthOf(piece)
  }

  #known(id: Buffer): Known {
    const row = this.#pieces.get(id)
    return row === undefined ? { places: 0, refs: [], first: undefined } : unpackKnown(row)
  }

  #put(id: Buffer, known: Known): void {
    if (known.places === 0 && known.refs.length === 0) this.#pieces.remove(id)
    else this.#pieces.put(Buffer.from(id), packKnown(known))
  }
}

/** Places (u32), count of refs (u32), each ref as feed and index (u32 each), then offset (f64) and path key of a place. */
function packKnown({ places, refs, first }: Known): Buffer {
  const path = first === undefined ? undefined : pathKey(first.path)
  const row = Buffer.allocUnsafe(8 + refs.length * 8 + (path === undefined ? 0 : 8 + path.length))
  row.writeUInt32LE(places)
  row.writeUInt32LE(refs.length, 4)
  let at = 8
  for (const { feed, index } of refs) {
    row.writeUInt32LE(feed, at)
    row.writeUInt32LE(index, at + 4)
    at += 8
  }
  if (path !== undefined) {
    row.writeDoubleLE(first!.offset, at)
    path.copy(row, at + 8)
  }
  return row
}

function unpackKnown(row: Buffer): Known {
  const refs: PieceRef[] = []
  const end = 8 + row.readUInt32LE(4) * 8
  for (let at = 8; at < end; at += 8)
    refs.push({ feed: row.readUInt32LE(at), index: row.readUInt32LE(at + 4) })
  return { places: row.readUInt32LE(0), refs, first: firstPlace(row) }
}

function firstPlace(row: Buffer): Place | undefined {
  const at = 8 + row.readUInt32LE(4) * 8
  if (row.length === at) return undefined
  return { offset: row.readDoubleLE(at), path: pathOfKey(row.subarray(at + 8)) }
}

function packRef(piece: PieceInfo, block: number): Buffer {
  const row = Buffer.allocUnsafe(REF_BYTES)
  piece.id.copy(row)
  row.writeUInt32LE(packedLengthOf(piece), ID_BYTES)
  row.writeDoubleLE(block, LAYOUT_BYTES)
  return row
}

function blockOf(row: Buffer): number {
  return row.length < REF_BYTES ? 0 : row.readDoubleLE(LAYOUT_BYTES)
}

function refKey(feed: number, index: number): Buffer {
  const key = Buffer.allocUnsafe(8)
  key.writeUInt32BE(feed)
  key.writeUInt32BE(index, 4)
  return key
}
