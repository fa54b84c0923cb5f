// The rows of a vault's index on disk: a journal of what was put and removed, in the order of time, and all rows in
// memory. Ids are hashes: a table that is ordered by them would write a page of its own for each, and a batch of them the
// whole index. Read when the vault is opened; written anew then, when most of it is past.
//
//   table `journal`   key: generation u32, number u32 (both big-endian); value, up to 1,024 times:
//                     key length u8, key, pack u32 (0: removed), offset u32, payload length u32 (little-endian)
//   table `packs`     key: pack u32 big-endian; value: the numbers of a PackRow
//   table `about`     `vault`: id of the vault; `generation`: of the journal that counts
import { type Database, type Table, walk } from '../store/tables.js'
import { FRAME, type FrameType } from './frame.js'
import type { FrameRows, KeyedPlace, PackRow, Place } from './frame-rows.js'
import { MemoryRows } from './memory-rows.js'

const VAULT_KEY = Buffer.from('vault')
const GENERATION_KEY = Buffer.from('generation')
const ENTRIES_PER_ROW = 1024
const PLACE_BYTES = 12
/** Journals with fewer entries than this beyond twice what is live are read as they are. */
const SLACK_ENTRIES = 10_000
/** Rows of the journal written or removed in one transaction. */
const ROWS_AT_ONCE = 16
const TYPES: readonly FrameType[] = [FRAME.piece, FRAME.certificate, FRAME.block, FRAME.head]

export class JournalRows implements FrameRows {
  readonly #database: Database
  readonly #prefix: string
  readonly #journal: Table<Buffer>
  readonly #packs: Table<number[]>
  readonly #about: Table<string>
  #memory = new MemoryRows()
  #generation = 1
  /** Number of the next row of the journal. */
  #next = 0
  #isInside = false
  /** Entries of the transaction under way, and how its rows were before. */
  #entries: Buffer[] = []
  #before: (readonly [key: Buffer, place: Place | undefined])[] = []

  /** Reads the journal; long ones are shortened. */
  constructor(database: Database, prefix: string) {
    this.#database = database
    this.#prefix = prefix
    this.#journal = database.table(`${prefix}journal`)
    this.#packs = database.table(`${prefix}packs`)
    this.#about = database.table(`${prefix}about`)
    this.#load()
  }

  transaction<T>(body: () => T): T {
    if (this.#isInside) return body()
    this.#isInside = true
    try {
      return this.#database.transaction(() => {
        const result = body()
        this.#write(this.#entries)
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
      this.#entries = []
      this.#before = []
    }
  }

  get(key: Buffer): Place | undefined {
    return this.#memory.get(key)
  }

  put(key: Buffer, place: Place): void {
    if (!this.#isInside) return this.transaction(() => this.put(key, place))
    this.#note(key, place)
    this.#memory.put(key, place)
  }

  remove(key: Buffer): void {
    if (!this.#isInside) return this.transaction(() => this.remove(key))
    this.#note(key, undefined)
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
    this.#generation = 1
    this.#next = 0
    this.#about.put(VAULT_KEY, vault)
  }

  #note(key: Buffer, place: Place | undefined): void {
    this.#before.push([key, this.#memory.get(key)])
    this.#entries.push(entryOf(key, place))
  }

  #write(entries: readonly Buffer[]): void {
    for (let at = 0; at < entries.length; at += ENTRIES_PER_ROW) {
      const row = Buffer.concat(entries.slice(at, at + ENTRIES_PER_ROW))
      this.#journal.put(rowKey(this.#generation, this.#next++), row)
    }
  }

  #load(): void {
    this.#generation = Number(this.#about.get(GENERATION_KEY) ?? 1)
    const stale: Buffer[] = []
    let entries = 0
    for (const { key, value } of walk(this.#journal, ROWS_AT_ONCE)) {
      if (key.readUInt32BE(0) !== this.#generation) {
        // Of a shortening that was interrupted, or what it had not removed yet.
        stale.push(key)
        continue
      }
      entries += this.#take(value)
      this.#next = key.readUInt32BE(4) + 1
    }
    // First: the next generation may use the same keys.
    this.#drop(stale)
    if (entries > 2 * this.#memory.size + SLACK_ENTRIES) this.#drop(this.#shorten())
  }

  #drop(keys: readonly Buffer[]): void {
    for (let at = 0; at < keys.length; at += ROWS_AT_ONCE)
      this.#database.transaction(() => {
        for (const key of keys.slice(at, at + ROWS_AT_ONCE)) this.#journal.remove(key)
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

  /** Writes what is live as another generation, which counts once all of it is there; the keys of the one before. */
  #shorten(): Buffer[] {
    const past = Array.from({ length: this.#next }, (_, number) => rowKey(this.#generation, number))
    this.#generation++
    this.#next = 0
    for (const type of TYPES)
      for (let from = Buffer.alloc(0); ; ) {
        const rows = this.#memory.range(type, from, ROWS_AT_ONCE * ENTRIES_PER_ROW)
        const last = rows.at(-1)
        if (last === undefined) break
        this.#database.transaction(() => this.#write(rows.map(({ key, place }) => entryOf(key, place))))
        from = Buffer.concat([last.key, Buffer.of(0)])
      }
    this.#about.put(GENERATION_KEY, String(this.#generation))
    return past
  }
}

function entryOf(key: Buffer, place: Place | undefined): Buffer {
  const entry = Buffer.alloc(1 + key.length + PLACE_BYTES)
  entry[0] = key.length
  key.copy(entry, 1)
  entry.writeUInt32LE(place?.pack ?? 0, 1 + key.length)
  entry.writeUInt32LE(place?.offset ?? 0, 5 + key.length)
  entry.writeUInt32LE(place?.length ?? 0, 9 + key.length)
  return entry
}

function rowKey(generation: number, number: number): Buffer {
  return Buffer.concat([numberKey(generation), numberKey(number)])
}

function numberKey(number: number): Buffer {
  const key = Buffer.alloc(4)
  key.writeUInt32BE(number)
  return key
}
