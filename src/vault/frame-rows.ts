// The rows of a vault's index: where each frame that counts stands. Here they lie among the tables on disk; in memory:
// memory-rows.ts.
import type { Database, Table } from '../store/tables.js'
import type { FrameType } from './frame.js'

/** Where a frame stands. */
export interface Place {
  /** Number of the pack. */
  readonly pack: number
  /** Of the frame in it. */
  readonly offset: number
  /** Of the payload. */
  readonly length: number
}

/** What is known of a pack. */
export interface PackRow {
  /** The index knows the pack up to here. */
  readonly covered: number
  /** Bytes of live frames, their headers included. */
  readonly live: number
  /** Live ones. */
  readonly frames: number
  readonly pieces: number
  /** Sealed bytes of the live pieces. */
  readonly pieceBytes: number
}

export interface KeyedPlace {
  readonly key: Buffer
  readonly place: Place
}

/** One writer; all of it synchronous. */
export interface FrameRows {
  transaction<T>(body: () => T): T
  get(key: Buffer): Place | undefined
  put(key: Buffer, place: Place): void
  remove(key: Buffer): void
  /** Rows of a type whose keys are at least `from`, ascending, up to `limit`. */
  range(type: FrameType, from: Buffer, limit: number): KeyedPlace[]
  packs(): [number, PackRow][]
  putPack(number: number, row: PackRow): void
  removePack(number: number): void
  /** Which vault this is the index of. */
  vault(): string | undefined
  /** Forgets all, and is the index of this vault from now on. */
  begin(vault: string): void
}

const VAULT_KEY = Buffer.from('vault')
const PLACE_BYTES = 12

export class TableRows implements FrameRows {
  readonly #database: Database
  readonly #prefix: string
  readonly #frames: Table<Buffer>
  readonly #packs: Table<number[]>
  readonly #about: Table<string>

  constructor(database: Database, prefix: string) {
    this.#database = database
    this.#prefix = prefix
    this.#frames = database.table(`${prefix}frames`)
    this.#packs = database.table(`${prefix}packs`)
    this.#about = database.table(`${prefix}about`)
  }

  transaction<T>(body: () => T): T {
    return this.#database.transaction(body)
  }

  get(key: Buffer): Place | undefined {
    const packed = this.#frames.get(key)
    return packed === undefined ? undefined : placeOf(packed)
  }

  put(key: Buffer, { pack, offset, length }: Place): void {
    const packed = Buffer.allocUnsafe(PLACE_BYTES)
    packed.writeUInt32LE(pack, 0)
    packed.writeUInt32LE(offset, 4)
    packed.writeUInt32LE(length, 8)
    this.#frames.put(key, packed)
  }

  remove(key: Buffer): void {
    this.#frames.remove(key)
  }

  range(type: FrameType, from: Buffer, limit: number): KeyedPlace[] {
    const start = from.length === 0 ? Buffer.of(type) : from
    return this.#frames
      .range(start, Buffer.of(type + 1), limit)
      .map(({ key, value }) => ({ key, place: placeOf(value) }))
  }

  packs(): [number, PackRow][] {
    return this.#packs.range(Buffer.alloc(0), Buffer.alloc(5, 0xff)).map(({ key, value }) => {
      const [covered = 0, live = 0, frames = 0, pieces = 0, pieceBytes = 0] = value
      return [key.readUInt32BE(0), { covered, live, frames, pieces, pieceBytes }]
    })
  }

  putPack(number: number, { covered, live, frames, pieces, pieceBytes }: PackRow): void {
    this.#packs.put(packKey(number), [covered, live, frames, pieces, pieceBytes])
  }

  removePack(number: number): void {
    this.#packs.remove(packKey(number))
  }

  vault(): string | undefined {
    return this.#about.get(VAULT_KEY)
  }

  begin(vault: string): void {
    this.#database.clear(this.#prefix)
    this.#about.put(VAULT_KEY, vault)
  }
}

function placeOf(packed: Buffer): Place {
  return { pack: packed.readUInt32LE(0), offset: packed.readUInt32LE(4), length: packed.readUInt32LE(8) }
}

function packKey(number: number): Buffer {
  const key = Buffer.alloc(4)
  key.writeUInt32BE(number)
  return key
}
