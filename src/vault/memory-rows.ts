// The rows of a vault's index in memory. Ids of pieces lie in arrays of numbers, open addressing, a shard for each first
// byte so that growing copies little: a million pieces take about 75 MB.
import { firstFrom } from '../core/first-from.js'
import { FRAME, type FrameType } from './frame.js'
import type { FrameRows, KeyedPlace, PackRow, Place } from './frame-rows.js'

/** Nothing is kept, so nothing gets long. Transactions that throw leave what they wrote: whoever reads a vault begins anew then. */
export class MemoryRows implements FrameRows {
  readonly isLong = false
  /** By the first byte of the id; in the order of the ids, therefore. */
  readonly #pieces = Array.from({ length: 256 }, () => new PiecePlaces())
  /** Everything else, by its type. */
  readonly #others = new Map<number, OtherPlaces>()
  readonly #packs = new Map<number, PackRow>()
  #vault: string | undefined

  transaction<T>(body: () => T): T {
    return body()
  }

  get(key: Buffer): Place | undefined {
    return this.#of(key).get(key)
  }

  hasPiece(id: Buffer): boolean {
    return this.#pieces[id[0]!]!.has(id)
  }

  put(key: Buffer, place: Place): Place | undefined {
    return this.#of(key).put(key, place)
  }

  remove(key: Buffer): void {
    this.#of(key).remove(key)
  }

  range(type: FrameType, from: Buffer, limit: number): KeyedPlace[] {
    if (type === FRAME.piece) return this.#pieceRange(from, limit)
    return this.#others.get(type)?.range(from, limit) ?? []
  }

  /** Rows. */
  get size(): number {
    return [...this.#pieces, ...this.#others.values()].reduce((sum, { live }) => sum + live, 0)
  }

  #of(key: Buffer): PiecePlaces | OtherPlaces {
    const type = key[0]!
    if (type === FRAME.piece) return this.#pieces[key[1]!]!
    let places = this.#others.get(type)
    if (places === undefined) {
      places = new OtherPlaces()
      this.#others.set(type, places)
    }
    return places
  }

  #pieceRange(from: Buffer, limit: number): KeyedPlace[] {
    const rows: KeyedPlace[] = []
    for (let shard = from[1] ?? 0; shard < this.#pieces.length && rows.length < limit; shard++)
      rows.push(...this.#pieces[shard]!.range(from, limit - rows.length))
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

  async shorten(): Promise<void> {}
}

/** Of one type, whose keys may have any length. */
class OtherPlaces {
  /** By key in latin1. */
  readonly #rows = new Map<string, Place>()
  #sorted: string[] | undefined

  get live(): number {
    return this.#rows.size
  }

  get(key: Buffer): Place | undefined {
    return this.#rows.get(key.toString('latin1'))
  }

  put(key: Buffer, place: Place): Place | undefined {
    const name = key.toString('latin1')
    const before = this.#rows.get(name)
    if (before === undefined) this.#sorted = undefined
    this.#rows.set(name, place)
    return before
  }

  remove(key: Buffer): void {
    if (this.#rows.delete(key.toString('latin1'))) this.#sorted = undefined
  }

  range(from: Buffer, limit: number): KeyedPlace[] {
    this.#sorted ??= [...this.#rows.keys()].sort()
    const first = firstFrom(this.#sorted, from.toString('latin1'))
    return this.#sorted
      .slice(first, first + limit)
      .map((name) => ({ key: Buffer.from(name, 'latin1'), place: this.#rows.get(name)! }))
  }
}

const ID_BYTES = 32
const FIRST_SLOTS = 16
/** Of the slots, when they are too few. */
const GROWTH = 1.5
/** Above, chains grow long. */
const MAX_FILL = 0.7
/** In place of a pack's number: a slot never used, or one of what is gone (a chain goes on there). */
const EMPTY = 0
const GONE = 0xffffffff

class PiecePlaces {
  /** Pieces. */
  live = 0
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
    const slot = this.#find(key, 1)
    return this.#isUsed(slot) ? this.#place(slot) : undefined
  }

  has(id: Buffer): boolean {
    return this.#isUsed(this.#find(id, 0))
  }

  put(key: Buffer, { pack, offset, length }: Place): Place | undefined {
    if (this.#used >= this.#slots * MAX_FILL) this.#grow()
    const slot = this.#find(key, 1)
    const before = this.#isUsed(slot) ? this.#place(slot) : undefined
    if (before === undefined) {
      this.#used++
      this.live++
      this.#sorted = undefined
      copyId(key, 1, this.#ids, slot)
    }
    this.#packs[slot] = pack
    this.#offsets[slot] = offset
    this.#lengths[slot] = length
    return before
  }

  remove(key: Buffer): void {
    const slot = this.#find(key, 1)
    if (!this.#isUsed(slot)) return
    this.#packs[slot] = GONE
    this.live--
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

  /** The slot of the id that stands in some bytes, or the empty one where it would go. */
  #find(bytes: Buffer, at: number): number {
    // Ids are hashes.
    let slot = bytes.readUInt32LE(at + 1) % this.#slots
    while (this.#packs[slot] !== EMPTY) {
      if (this.#packs[slot] !== GONE && isIdAt(this.#ids, slot, bytes, at)) return slot
      slot = slot + 1 === this.#slots ? 0 : slot + 1
    }
    return slot
  }

  #grow(): void {
    const [slots, ids, packs, offsets] = [this.#slots, this.#ids, this.#packs, this.#offsets]
    const lengths = this.#lengths
    // What is gone leaves its slot now: as many as before may do.
    this.#slots = Math.max(slots, Math.ceil((this.live / MAX_FILL) * GROWTH))
    this.#used = 0
    this.#ids = Buffer.alloc(this.#slots * ID_BYTES)
    this.#packs = new Uint32Array(this.#slots)
    this.#offsets = new Uint32Array(this.#slots)
    this.#lengths = new Uint32Array(this.#slots)
    this.#sorted = undefined
    for (let slot = 0; slot < slots; slot++) {
      if (packs[slot] === EMPTY || packs[slot] === GONE) continue
      const to = this.#find(ids, slot * ID_BYTES)
      copyId(ids, slot * ID_BYTES, this.#ids, to)
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

/** Word by word: to compare or copy so few bytes by a call of the library takes several times as long. */
function isIdAt(ids: Buffer, slot: number, bytes: Buffer, at: number): boolean {
  const start = slot * ID_BYTES
  for (let i = 0; i < ID_BYTES; i += 4)
    if (ids.readInt32LE(start + i) !== bytes.readInt32LE(at + i)) return false
  return true
}

function copyId(from: Buffer, at: number, ids: Buffer, slot: number): void {
  const start = slot * ID_BYTES
  for (let i = 0; i < ID_BYTES; i += 4) ids.writeInt32LE(from.readInt32LE(at + i), start + i)
}
