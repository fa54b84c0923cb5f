// The index of a vault: which frames count, where they stand, and how much of each pack is live. It can be lost: the packs
// alone give it back (loading.ts). What it says may lag behind the packs by what was written last, never run ahead of
// them: rows are written when their frames are durable.
//
// C1  A row stands for a frame that was durable when the row was written.
// C2  Of two frames of one key, the row is that of the later in the vault, (pack, offset) ascending.
// C3  Numbers of packs are never used twice (tail.ts).
import { FRAME, FRAME_HEADER_BYTES, type FrameType } from './frame.js'
import type { FrameRows, KeyedPlace, PackRow, Place } from './frame-rows.js'
import { ROWS_A_TURN, turn } from './turn.js'

/** Of a pack that the transaction under way has changed. */
type OpenPackRow = { -readonly [K in keyof PackRow]: PackRow[K] }

const NOTHING: PackRow = { covered: 0, live: 0, frames: 0, pieces: 0, pieceBytes: 0 }

export class Catalog {
  readonly #rows: FrameRows
  readonly #packs = new Map<number, PackRow>()
  /** Packs whose rows a transaction has changed: those rows are its own, in place of what was there. Undefined: removed. */
  readonly #changed = new Map<number, OpenPackRow | undefined>()
  #isInside = false

  constructor(rows: FrameRows) {
    this.#rows = rows
    this.#load()
  }

  /** Forgets everything if it is the index of another vault. */
  belongTo(vault: string): void {
    if (this.#rows.vault() === vault) return
    this.#rows.begin(vault)
    this.#load()
  }

  /** All or nothing, also of what is counted. */
  transaction<T>(body: () => T): T {
    if (this.#isInside) return body()
    this.#isInside = true
    try {
      return this.#rows.transaction(() => {
        const result = body()
        for (const [number, row] of this.#changed) {
          if (row === undefined) this.#rows.removePack(number)
          else this.#rows.putPack(number, row)
        }
        return result
      })
    } catch (thrown) {
      this.#load()
      throw thrown
    } finally {
      this.#changed.clear()
      this.#isInside = false
    }
  }

  /** Whether what is kept of it is several times larger than what it says. */
  get isLong(): boolean {
    return this.#rows.isLong
  }

  /** Keeps it anew, in slices, while it is used. Rejects with the signal's reason, and is whole then. */
  async shorten(signal?: AbortSignal): Promise<void> {
    await this.#rows.shorten(signal)
  }

  get(key: Buffer): Place | undefined {
    return this.#rows.get(key)
  }

  /** Whether a piece of this id counts. */
  hasPiece(id: Buffer): boolean {
    return this.#rows.hasPiece(id)
  }

  /** Inside a transaction. */
  put(key: Buffer, place: Place): void {
    const before = this.#rows.put(key, place)
    if (before !== undefined) this.#count(key, before, -1)
    this.#count(key, place, 1)
  }

  /** Inside a transaction. True if it was there. */
  remove(key: Buffer): boolean {
    const place = this.#rows.get(key)
    if (place === undefined) return false
    this.#rows.remove(key)
    this.#count(key, place, -1)
    return true
  }

  pack(number: number): PackRow | undefined {
    return this.#packs.get(number)
  }

  packs(): ReadonlyMap<number, PackRow> {
    return this.#packs
  }

  /** Inside a transaction: the index knows the pack up to here. */
  cover(number: number, covered: number): void {
    this.#open(number).covered = covered
  }

  /** Inside a transaction; no row points to it any more. */
  removePack(number: number): void {
    this.#packs.delete(number)
    this.#changed.set(number, undefined)
  }

  /** Frames of a type in the order of their keys, a chunk at a time. */
  *chunks(
    type: FrameType,
    from: Buffer = Buffer.alloc(0),
    chunk: number = ROWS_A_TURN,
  ): Generator<KeyedPlace[]> {
    for (let start = from; ; ) {
      const rows = this.#rows.range(type, start, chunk)
      if (rows.length > 0) yield rows
      if (rows.length < chunk) return
      start = Buffer.concat([rows[rows.length - 1]!.key, Buffer.of(0)])
    }
  }

  /** Frames in a pack; reads all rows, with a turn of the event loop after each chunk. */
  async inPack(number: number, signal?: AbortSignal): Promise<KeyedPlace[]> {
    const found: KeyedPlace[] = []
    for (const type of [FRAME.piece, FRAME.certificate, FRAME.block, FRAME.head, FRAME.leaves])
      for (const rows of this.chunks(type)) {
        found.push(...rows.filter(({ place }) => place.pack === number))
        await turn(signal)
      }
    return found
  }

  #load(): void {
    this.#packs.clear()
    for (const [number, row] of this.#rows.packs()) this.#packs.set(number, row)
  }

  #count(key: Buffer, { pack, length }: Place, sign: 1 | -1): void {
    const row = this.#open(pack)
    row.live += sign * (FRAME_HEADER_BYTES + length)
    row.frames += sign
    if (key[0] !== FRAME.piece) return
    row.pieces += sign
    row.pieceBytes += sign * length
  }

  /** Inside a transaction, and for as long. */
  #open(number: number): OpenPackRow {
    let row = this.#changed.get(number)
    if (row === undefined) {
      row = { ...(this.#packs.get(number) ?? NOTHING) }
      this.#changed.set(number, row)
      this.#packs.set(number, row)
    }
    return row
  }
}

/** Whether two places are the same frame. */
export function samePlace(a: Place | undefined, b: Place): boolean {
  return a !== undefined && a.pack === b.pack && a.offset === b.offset
}

/** Whether a stands later in the vault than b. */
export function isLater(a: Place, b: Place): boolean {
  return a.pack > b.pack || (a.pack === b.pack && a.offset > b.offset)
}
