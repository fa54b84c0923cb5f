// The rows of a vault's index in memory, for reading a vault that is somebody else's. Ids of pieces lie in arrays of
// numbers, open addressing: a million pieces take 100 MB, half as much again while they grow.
import { FRAME, type FrameType } from './frame.js'
import type { FrameRows, KeyedPlace, PackRow, Place } from './frame-rows.js'

/** Transactions that throw leave what they wrote: whoever reads a vault begins anew then. */
export class MemoryRows implements FrameRows {
  readonly #pieces = new PiecePlaces()
  /** Everything else, by key in latin1. */
  readonly #others = new Map<string, Place>()
  #otherKeys: string[] | undefined
  readonly #packs = new Map<number, PackRow>()
  #vault: string | undefined

  transaction<T>(body: () => T): T {
    return body()
  }

  get(key: Buffer): Place | undefined {
    return key[0] === FRAME.piece ? this.#pieces.get(key) : this.#others.get(key.toString('latin1'))
  }

  put(key: Buffer, place: Place): void {
    if (key[0] === FRAME.piece) return this.#pieces.put(key, place)
    this.#others.set(key.toString('latin1'), place)
    this.#otherKeys = undefined
  }

  remove(key: Buffer): void {
    if (key[0] === FRAME.piece) return this.#pieces.remove(key)
    this.#others.delete(key.toString('latin1'))
    this.#otherKeys = undefined
  }

  range(type: FrameType, from: Buffer, limit: number): KeyedPlace[] {
    if (type === FRAME.piece) return this.#pieces.range(from, limit)
    this.#otherKeys ??= [...this.#others.keys()].sort()
    const start = (from.length === 0 ? Buffer.of(type) : from).toString('latin1')
    const rows: KeyedPlace[] = []
    for (let i = firstFrom(this.#otherKeys, start); i < this.#otherKeys.length && rows.length < limit; i++) {
      const key = this.#otherKeys[i]!
      if (key.charCodeAt(0) !== type) break
      rows.push({ key: Buffer.from(key, 'latin1'), place: this.#others.get(key)! })
    }
    return rows
  }

  packs(): [number, PackRow][] {
    return [...this.#packs].sort(([a], [b]) => a - b)
  }

  putPack(number: number, row: PackRow): void {
    this.#packs.set(number, row)
  }

  removePack(number: number): void {
    this.#packs.delete(number)
  }

  vault(): string | undefined {
    return this.#vault
  }

  begin(vault: string): void {
    this.#vault = vault
  }
}

function firstFrom(sorted: readonly string[], start: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < start) low = middle + 1
    else high = middle
  }
  return low
}

const ID_BYTES = 32
const FIRST_SLOTS = 1024
/** Above, chains grow long. */
const MAX_FILL = 0.7
/** In place of a pack's number: a slot never used, or one of what is gone (a chain goes on there). */
const EMPTY = 0
const GONE = 0xffffffff

class PiecePlaces {
  #slots = FIRST_SLOTS
  /** Slots that are not EMPTY. */
  #used = 0
  #ids = Buffer.alloc(FIRST_SLOTS * ID_BYTES)
  #packs = new Uint32Array(FIRST_SLOTS)
  #offsets = new Uint32Array(FIRST_SLOTS)
  #lengths = new Uint32Array(FIRST_SLOTS)
  /** Slots in the order of their ids. */
  #sorted: Uint32Array | undefined

  get(key: Buffer): Place | undefined {
    const slot = this.#find(key)
    return this.#isUsed(slot) ? this.#place(slot) : undefined
  }

  put(key: Buffer, { pack, offset, length }: Place): void {
    if (this.#used >= this.#slots * MAX_FILL) this.#grow()
    const slot = this.#find(key)
    if (!this.#isUsed(slot)) {
      this.#used++
      this.#sorted = undefined
      key.copy(this.#ids, slot * ID_BYTES, 1)
    }
    this.#packs[slot] = pack
    this.#offsets[slot] = offset
    this.#lengths[slot] = length
  }

  remove(key: Buffer): void {
    const slot = this.#find(key)
    if (!this.#isUsed(slot)) return
    this.#packs[slot] = GONE
    this.#sorted = undefined
  }

  range(from: Buffer, limit: number): KeyedPlace[] {
    const sorted = this.#inOrder()
    let low = 0
    let high = sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const isBefore = from.length > 0 && Buffer.compare(this.#key(sorted[middle]!), from) < 0
      if (isBefore) low = middle + 1
      else high = middle
    }
    const rows: KeyedPlace[] = []
    for (const slot of sorted.subarray(low, low + limit))
      rows.push({ key: this.#key(slot), place: this.#place(slot) })
    return rows
  }

  /** The slot of a key, or the empty one where it would go. */
  #find(key: Buffer): number {
    // Ids are hashes.
    let slot = key.readUInt32LE(1) & (this.#slots - 1)
    while (this.#packs[slot] !== EMPTY) {
      const isIt =
        this.#packs[slot] !== GONE &&
        this.#ids.compare(key, 1, 1 + ID_BYTES, slot * ID_BYTES, (slot + 1) * ID_BYTES) === 0
      if (isIt) return slot
      slot = (slot + 1) & (this.#slots - 1)
    }
    return slot
  }

  #grow(): void {
    const [slots, ids, packs, offsets] = [this.#slots, this.#ids, this.#packs, this.#offsets]
    const lengths = this.#lengths
    this.#slots = slots * 2
    this.#used = 0
    this.#ids = Buffer.alloc(this.#slots * ID_BYTES)
    this.#packs = new Uint32Array(this.#slots)
    this.#offsets = new Uint32Array(this.#slots)
    this.#lengths = new Uint32Array(this.#slots)
    this.#sorted = undefined
    const key = Buffer.alloc(1 + ID_BYTES)
    for (let slot = 0; slot < slots; slot++) {
      if (packs[slot] === EMPTY || packs[slot] === GONE) continue
      ids.copy(key, 1, slot * ID_BYTES, (slot + 1) * ID_BYTES)
      const to = this.#find(key)
      key.copy(this.#ids, to * ID_BYTES, 1)
      this.#packs[to] = packs[slot]!
      this.#offsets[to] = offsets[slot]!
      this.#lengths[to] = lengths[slot]!
      this.#used++
    }
  }

  #inOrder(): Uint32Array {
    if (this.#sorted !== undefined) return this.#sorted
    const slots: number[] = []
    for (let slot = 0; slot < this.#slots; slot++) if (this.#isUsed(slot)) slots.push(slot)
    const ids = this.#ids
    this.#sorted = Uint32Array.from(slots).sort((a, b) =>
      ids.compare(ids, b * ID_BYTES, (b + 1) * ID_BYTES, a * ID_BYTES, (a + 1) * ID_BYTES),
    )
    return this.#sorted
  }

  #key(slot: number): Buffer {
    const key = Buffer.allocUnsafe(1 + ID_BYTES)
    key[0] = FRAME.piece
    this.#ids.copy(key, 1, slot * ID_BYTES, (slot + 1) * ID_BYTES)
    return key
  }

  #isUsed(slot: number): boolean {
    return this.#packs[slot] !== EMPTY && this.#packs[slot] !== GONE
  }

  #place(slot: number): Place {
    return { pack: this.#packs[slot]!, offset: this.#offsets[slot]!, length: this.#lengths[slot]! }
  }
}
