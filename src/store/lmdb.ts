// Tables in LMDB. Synchronous transactions only (the asynchronous ones do not resolve on the platforms we run on). Pages
// of 8 KiB raise LMDB's key limit to 4,026 bytes, above the longest path key. It is a projection of feeds and disk:
// deleting it costs a rescan, never data, so a commit may reach the disk a little after it returns (overlapping sync).
import { type Database as LmdbTable, open, type RootDatabase } from 'lmdb'
import { ShoalError } from '../core/error.js'
import type { Database, Row, Table } from './tables.js'

/** Room for about 100 tables: the number an environment may hold is fixed when it is opened. */
const MAX_TABLES = 128
/**
 * Address space, not memory: a map that is outgrown is made anew beside the old one, and both count as resident.
 * LMDB goes beyond it by itself.
 */
const MAP_BYTES = 16 * 2 ** 30
/** LMDB refuses empty keys; none of ours is. A range may start at one, so it is replaced by the least key there is. */
const LEAST_KEY = Buffer.of(0)

/** Opens or creates the database file in a directory. */
export function openLmdb(directory: string): Database {
  let root: RootDatabase
  try {
    root = open({
      path: directory,
      pageSize: 8192,
      mapSize: MAP_BYTES,
      maxDbs: MAX_TABLES,
      keyEncoding: 'binary',
      encoding: 'binary',
    })
  } catch (cause) {
    throw new ShoalError(
      'STORAGE_UNUSABLE',
      `cannot open the index in ${directory}: ${(cause as Error).message}`,
      { cause },
    )
  }
  return {
    table: <V>(name: string) =>
      new LmdbTableView<V>(root.openDB<V, Buffer>({ name, keyEncoding: 'binary', encoding: 'msgpack' })),
    transaction: (body) => root.transactionSync(body),
    close: () => root.close(),
  }
}

class LmdbTableView<V> implements Table<V> {
  readonly #table: LmdbTable<V, Buffer>

  constructor(table: LmdbTable<V, Buffer>) {
    this.#table = table
  }

  get(key: Buffer): V | undefined {
    return this.#table.get(key)
  }

  put(key: Buffer, value: V): void {
    this.#table.putSync(key, value)
  }

  remove(key: Buffer): void {
    this.#table.removeSync(key)
  }

  range(start: Buffer, end: Buffer, limit?: number): Row<V>[] {
    const options = { start: start.length === 0 ? LEAST_KEY : start, end, snapshot: true }
    return [...this.#table.getRange(limit === undefined ? options : { ...options, limit })].map(
      ({ key, value }) => ({ key, value }),
    )
  }
}
