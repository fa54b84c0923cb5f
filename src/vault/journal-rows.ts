// The rows of a vault's index on disk: a journal of what was put and removed, in the order of time, and all rows in
// memory. Ids are hashes: a table that is ordered by them would write a page of its own for each, and a batch of them the
// whole index. Read when the vault is opened, and written anew when most of it is past.
//
// J1  The generation that `about` names counts, and all of it. Rows of others are what a shortening left that was
//     interrupted, before it counted or after.
// J2  What changes while the next generation is written goes to both: read alone, either gives the same.
//
//   table `journal`   key: generation u32, number u32 (both big-endian); value, up to 1,024 times:
//                     key length u8, key, pack u32 (0: removed), offset u32, payload length u32 (little-endian)
//   table `packs`     key: pack u32 big-endian; value: the numbers of a PackRow
//   table `about`     `vault`: id of the vault; `generation`: of the journal that counts
import { type Database, type Table, walk } from '../store/tables.js'
import { FRAME, type FrameType } from './frame.js'
import type { FrameRows, KeyedPlace, PackRow, Place } from './frame-rows.js'
import { MemoryRows } from './memory-rows.js'
import { ROWS_A_TURN, turn } from './turn.js'

const VAULT_KEY = Buffer.from('vault')
const GENERATION_KEY = Buffer.from('generation')
const ENTRIES_PER_ROW = 1024
const PLACE_BYTES = 12
/** Room for entries at first. */
const FIRST_BYTES = 4096
/** Journals with fewer entries than this beyond so many times what is live are left as they are. */
const SLACK_ENTRIES = 10_000
/** When the vault is opened, and while it is used: then it costs others their turns. */
const TIMES_AT_OPENING = 2
const TIMES_IN_USE = 4
/** Rows of the journal read or removed in one slice. */
const ROWS_AT_ONCE = 16
/** A row of the journal costs as much as so many entries, be it as short as it may. */
const ROW_COST = 64
const TYPES: readonly FrameType[] = [FRAME.piece, FRAME.certificate, FRAME.block, FRAME.head, FRAME.leaves]

interface Generation {
  readonly number: number
  /** Number of the next row. */
  next: number
  /** Entries in its rows. */
  entries: number
}

export class JournalRows implements FrameRows {
  readonly #database: Database
  readonly #prefix: string
  readonly #journal: Table<Buffer>
  readonly #packs: Table<number[]>
  readonly #about: Table<string>
  #memory = new MemoryRows()
  #current: Generation = { number: 1, next: 0, entries: 0 }
  /** It is being written, and will count. */
  #successor: Generation | undefined
  /** The last number of a generation that was used. */
  #newest = 1
  /** A shortening has failed: not again before there are so many entries. */
  #notBefore = 0
  #isInside = false
  /** Of the transaction under way, and how its rows were before. */
  #entries = new Entries()
  #before: (readonly [key: Buffer, place: Place | undefined])[] = []

  private constructor(database: Database, prefix: string) {
    this.#database = database
    this.#prefix = prefix
    this.#journal = database.table(`${prefix}journal`)
    this.#packs = database.table(`${prefix}packs`)
    this.#about = database.table(`${prefix}about`)
  }

  /** Reads the journal, in slices; long ones are shortened. Rejects with the signal's reason: nothing is lost then. */
  static async open(database: Database, prefix: string, signal?: AbortSignal): Promise<JournalRows> {
    const rows = new JournalRows(database, prefix)
    await rows.#load(signal)
    if (rows.#isLongerThan(TIMES_AT_OPENING)) await rows.shorten(signal)
    return rows
  }

  transaction<T>(body: () => T): T {
    if (this.#isInside) return body()
    this.#isInside = true
    try {
      return this.#database.transaction(() => {
        const result = body()
        this.#append(this.#current, this.#entries)
        if (this.#successor !== undefined) this.#append(this.#successor, this.#entries)
        return result
      })
    } catch (thrown) {
      for (const [key, place] of this.#before.reverse()) {
        if (place === undefined) this.#memory.remove(key)
        else this.#memory.put(key, place)
      }
      throw thrown
    } finally {
      this.#isInside = false
      // Never used again: what was written may be written once more before all of it stands.
      this.#entries = new Entries()
      this.#before = []
    }
  }

  get(key: Buffer): Place | undefined {
    return this.#memory.get(key)
  }

  hasPiece(id: Buffer): boolean {
    return this.#memory.hasPiece(id)
  }

  put(key: Buffer, place: Place): Place | undefined {
    if (!this.#isInside) return this.transaction(() => this.put(key, place))
    this.#entries.add(key, place)
    const before = this.#memory.put(key, place)
    this.#before.push([key, before])
    return before
  }

  remove(key: Buffer): void {
    if (!this.#isInside) return this.transaction(() => this.remove(key))
    this.#before.push([key, this.#memory.get(key)])
    this.#entries.add(key, undefined)
    this.#memory.remove(key)
  }

  range(type: FrameType, from: Buffer, limit: number): KeyedPlace[] {
    return this.#memory.range(type, from, limit)
  }

  packs(): [number, PackRow][] {
    return this.#packs.range(Buffer.alloc(0), Buffer.alloc(5, 0xff)).map(({ key, value }) => {
      const [covered = 0, live = 0, frames = 0, pieces = 0, pieceBytes = 0] = value
      return [key.readUInt32BE(0), { covered, live, frames, pieces, pieceBytes }]
    })
  }

  putPack(number: number, { covered, live, frames, pieces, pieceBytes }: PackRow): void {
    this.#packs.put(numberKey(number), [covered, live, frames, pieces, pieceBytes])
  }

  removePack(number: number): void {
    this.#packs.remove(numberKey(number))
  }

  vault(): string | undefined {
    return this.#about.get(VAULT_KEY)
  }

  begin(vault: string): void {
    this.#database.clear(this.#prefix)
    this.#memory = new MemoryRows()
    this.#current = { number: 1, next: 0, entries: 0 }
    this.#newest = 1
    this.#about.put(VAULT_KEY, vault)
  }

  get isLong(): boolean {
    return this.#current.entries > this.#notBefore && this.#isLongerThan(TIMES_IN_USE)
  }

  /** One at a time. What is put and removed meanwhile is in what is written. */
  async shorten(signal?: AbortSignal): Promise<void> {
    const past = this.#current
    const successor: Generation = { number: ++this.#newest, next: 0, entries: 0 }
    this.#successor = successor
    try {
      await this.#writeAll(successor, signal)
      this.#about.put(GENERATION_KEY, String(successor.number))
      this.#current = successor
    } catch (thrown) {
      this.#notBefore = 2 * past.entries
      throw thrown
    } finally {
      this.#successor = undefined
    }
    for (let at = 0; at < past.next; at += ROWS_AT_ONCE) {
      const some = Array.from({ length: Math.min(ROWS_AT_ONCE, past.next - at) }, (_, i) => at + i)
      this.#drop(some.map((number) => rowKey(past.number, number)))
      await turn(signal)
    }
  }

  #append(to: Generation, entries: Entries): void {
    for (const row of entries.rows()) this.#journal.put(rowKey(to.number, to.next++), row)
    to.entries += entries.count
  }

  async #writeAll(to: Generation, signal: AbortSignal | undefined): Promise<void> {
    for (const type of TYPES)
      for (let from = Buffer.alloc(0); ; ) {
        const rows = this.#memory.range(type, from, ROWS_A_TURN)
        const last = rows.at(-1)
        if (last === undefined) break
        const entries = new Entries()
        for (const { key, place } of rows) entries.add(key, place)
        this.#database.transaction(() => this.#append(to, entries))
        from = Buffer.concat([last.key, Buffer.of(0)])
        await turn(signal)
      }
  }

  #isLongerThan(times: number): boolean {
    return this.#current.entries > times * this.#memory.size + SLACK_ENTRIES
  }

  async #load(signal: AbortSignal | undefined): Promise<void> {
    const number = Number(this.#about.get(GENERATION_KEY) ?? 1)
    const current: Generation = { number, next: 0, entries: 0 }
    this.#current = current
    this.#newest = number
    const stale: Buffer[] = []
    let cost = 0
    for (const { key, value } of walk(this.#journal, ROWS_AT_ONCE)) {
      let entries = 0
      if (key.readUInt32BE(0) === number) {
        entries = this.#take(value)
        current.entries += entries
        current.next = key.readUInt32BE(4) + 1
      } else stale.push(key)
      cost += ROW_COST + entries
      if (cost < ROWS_A_TURN) continue
      cost = 0
      await turn(signal)
    }
    // First: the next generation may use the same keys.
    for (let at = 0; at < stale.length; at += ROWS_AT_ONCE) {
      this.#drop(stale.slice(at, at + ROWS_AT_ONCE))
      await turn(signal)
    }
  }

  #drop(keys: readonly Buffer[]): void {
    this.#database.transaction(() => {
      for (const key of keys) this.#journal.remove(key)
    })
  }

  #take(row: Buffer): number {
    let entries = 0
    for (let at = 0; at < row.length; entries++) {
      const end = at + 1 + row[at]!
      const key = row.subarray(at + 1, end)
      const place = {
        pack: row.readUInt32LE(end),
        offset: row.readUInt32LE(end + 4),
        length: row.readUInt32LE(end + 8),
      }
      if (place.pack === 0) this.#memory.remove(key)
      else this.#memory.put(key, place)
      at = end + PLACE_BYTES
    }
    return entries
  }
}

/** Entries on their way into rows. */
class Entries {
  count = 0
  #bytes: Buffer = Buffer.alloc(0)
  #end = 0
  /** Where rows end, but for the last. */
  #cuts: number[] = []

  /** `place`: undefined if it is removed. */
  add(key: Buffer, place: Place | undefined): void {
    if (this.count > 0 && this.count % ENTRIES_PER_ROW === 0) this.#cuts.push(this.#end)
    const at = this.#end + 1 + key.length
    if (at + PLACE_BYTES > this.#bytes.length) this.#grow(at + PLACE_BYTES)
    this.#bytes[this.#end] = key.length
    key.copy(this.#bytes, this.#end + 1)
    this.#bytes.writeUInt32LE(place?.pack ?? 0, at)
    this.#bytes.writeUInt32LE(place?.offset ?? 0, at + 4)
    this.#bytes.writeUInt32LE(place?.length ?? 0, at + 8)
    this.#end = at + PLACE_BYTES
    this.count++
  }

  /** Views of what was added, which stand for as long as nobody adds. */
  rows(): Buffer[] {
    if (this.count === 0) return []
    const ends = [...this.#cuts, this.#end]
    return ends.map((end, i) => this.#bytes.subarray(ends[i - 1] ?? 0, end))
  }

  #grow(least: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, least, FIRST_BYTES))
    this.#bytes.copy(larger, 0, 0, this.#end)
    this.#bytes = larger
  }
}

function rowKey(generation: number, number: number): Buffer {
  return Buffer.concat([numberKey(generation), numberKey(number)])
}

function numberKey(number: number): Buffer {
  const key = Buffer.alloc(4)
  key.writeUInt32BE(number)
  return key
}
