// Which of the pieces that feeds have announced are wanted and not here: a bit for each, by feed and number. Pieces become
// missing and come by the thousand, mostly in the order of their numbers, so a transaction reads and writes a row once for
// all of them.
//
//   missing      feed u32, number / 512 u32 -> 64 bytes: number n is missing if bit n % 8 of byte n / 8 % 64 is set. Rows
//                without a bit are removed
//
// They once were one for each number, its length under feed and number.
import { invariant } from '../core/error.js'
import type { PieceRef } from './pieces.js'
import { AFTER_LAST_KEY, FIRST_KEY, keyAfter, pairKey, type Table, walk } from './tables.js'

const ROW_BYTES = 64
const NUMBERS = 8 * ROW_BYTES
const NONE: Buffer = Buffer.alloc(ROW_BYTES)
/** Rows read at a time. */
const ROWS_AT_ONCE = 16

interface OpenRow {
  readonly key: Buffer
  readonly bits: Buffer
  isChanged: boolean
}

export class MissingPieces {
  readonly #table: Table<Buffer | number>
  /** Rows that the transaction under way has looked at, by feed and place. */
  #open: Map<number, OpenRow> | undefined

  constructor(table: Table<Buffer | number>) {
    this.#table = table
  }

  /** Whether there are rows of the first kind, which forgetAll() is for. */
  get isOld(): boolean {
    return typeof this.#table.range(FIRST_KEY, AFTER_LAST_KEY, 1)[0]?.value === 'number'
  }

  /** Inside a transaction. The look through all pieces that follows each start notes anew what is missing. */
  forgetAll(): void {
    for (const { key } of walk(this.#table)) this.#table.remove(key)
  }

  /** Runs a body, inside a transaction, and then writes what it changed. One inside another is part of it. */
  gathered<T>(body: () => T): T {
    if (this.#open !== undefined) return body()
    const open = new Map<number, OpenRow>()
    this.#open = open
    try {
      const result = body()
      for (const { key, bits, isChanged } of open.values()) {
        if (!isChanged) continue
        if (bits.equals(NONE)) this.#table.remove(key)
        else this.#table.put(key, bits)
      }
      return result
    } finally {
      this.#open = undefined
    }
  }

  has(ref: PieceRef): boolean {
    return (this.#rowOf(ref).bits[byteOf(ref)]! & maskOf(ref)) !== 0
  }

  /** Inside gathered(). */
  set(ref: PieceRef): void {
    invariant(this.#open !== undefined, 'what is missing is noted in a transaction')
    const row = this.#rowOf(ref)
    row.bits[byteOf(ref)]! |= maskOf(ref)
    row.isChanged = true
  }

  /** Inside gathered(). True if it was missing. */
  clear(ref: PieceRef): boolean {
    invariant(this.#open !== undefined, 'what is missing is noted in a transaction')
    if (!this.has(ref)) return false
    const row = this.#rowOf(ref)
    row.bits[byteOf(ref)]! &= ~maskOf(ref)
    row.isChanged = true
    return true
  }

  /** Those after a place, ascending by feed and number. `isEnd`: there are no more. Not inside gathered(). */
  after(
    place: PieceRef | undefined,
    limit: number,
  ): { readonly refs: readonly PieceRef[]; readonly isEnd: boolean } {
    const refs: PieceRef[] = []
    let from = place === undefined ? FIRST_KEY : keyOf(place)
    for (;;) {
      const rows = this.#table.range(from, AFTER_LAST_KEY, ROWS_AT_ONCE)
      for (const { key, value } of rows) {
        const feed = key.readUInt32BE(0)
        const base = key.readUInt32BE(4) * NUMBERS
        const first = feed === place?.feed ? place.index + 1 - base : 0
        for (const n of bitsOf(value as Buffer, first)) {
          if (refs.length === limit) return { refs, isEnd: false }
          refs.push({ feed, index: base + n })
        }
      }
      if (rows.length < ROWS_AT_ONCE) return { refs, isEnd: true }
      from = keyAfter(rows[rows.length - 1]!.key)
    }
  }

  #rowOf(ref: PieceRef): OpenRow {
    const at = ref.feed * 2 ** 32 + Math.floor(ref.index / NUMBERS)
    const known = this.#open?.get(at)
    if (known !== undefined) return known
    const key = keyOf(ref)
    const found = this.#table.get(key)
    const row = { key, bits: Buffer.from((found as Buffer | undefined) ?? NONE), isChanged: false }
    this.#open?.set(at, row)
    return row
  }
}

function keyOf({ feed, index }: PieceRef): Buffer {
  return pairKey(feed, Math.floor(index / NUMBERS))
}

function byteOf({ index }: PieceRef): number {
  return (index % NUMBERS) >> 3
}

function maskOf({ index }: PieceRef): number {
  return 1 << (index & 7)
}

/** The bits that are set, from `first` on. */
function* bitsOf(row: Buffer, first: number): Generator<number> {
  for (let n = Math.max(0, first); n < NUMBERS; n++) {
    if ((row[n >> 3]! & (1 << (n & 7))) !== 0) yield n
  }
}
