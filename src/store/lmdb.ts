// Tables in LMDB. Synchronous transactions only (the asynchronous ones do not resolve on the platforms we run on). Pages
// of 8 KiB raise LMDB's key limit to 4,026 bytes, above the longest path key. It is a projection of feeds and disk:
// deleting it costs a rescan, never data, so a commit may reach the disk a little after it returns (overlapping sync).
import { type Database as LmdbTable, open, type RootDatabase } from 'lmdb'
import { ShoalError } from '../core/error.js'
import { checkLmdb } from './lmdb-check.js'
import type { Database, Row, Table } from './tables.js'

/** Tables of a hundred shares: the number an environment may hold is fixed when it is opened. */
const MAX_TABLES = 2048
/** lmdb.h: all tables are open; those of shares that were removed stay so, for LMDB cannot close one safely. */
const MDB_DBS_FULL = -30791
/**
 * Address space, not memory: a map that is outgrown is made anew beside the old one, and both count as resident.
 * LMDB goes beyond it by itself.
 */
const MAP_BYTES = 16 * 2 ** 30
/** lmdb.h */
const MDB_BAD_TXN = -30782
const COMMIT_TRIES = 5
/** LMDB refuses empty keys; none of ours is. A range may start at one, so it is replaced by the least key there is. */
const LEAST_KEY = Buffer.of(0)

/**
 * Opens or creates the database file in a directory. STORAGE_UNUSABLE if that cannot be, or it is damaged (lmdb-check.ts); IO. `isPassing`: nobody opens it again after this process has ended, so
 * nothing is waited for until it is on the disk.
 */
export function openLmdb(
  directory: string,
  { isPassing = false }: { readonly isPassing?: boolean } = {},
): Database {
  checkLmdb(directory)
  let root: RootDatabase
  try {
    root = open({
      path: directory,
      pageSize: 8192,
      mapSize: MAP_BYTES,
      maxDbs: MAX_TABLES,
      keyEncoding: 'binary',
      encoding: 'binary',
      ...(isPassing ? { noSync: true, overlappingSync: false } : {}),
    })
  } catch (cause) {
    throw new ShoalError(
      'STORAGE_UNUSABLE',
      `cannot open the index in ${directory}: ${(cause as Error).message}`,
      { cause },
    )
  }
  return new LmdbDatabase(root)
}

/** Something that a transaction has written. No value: the row was removed; no key either: the table was emptied. */
interface Write {
  readonly table: LmdbTable<unknown, Buffer>
  readonly key: Buffer | undefined
  readonly value: unknown
}

/** Exported for tests. */
export class LmdbDatabase implements Database {
  readonly #root: RootDatabase
  /** What the transaction under way has written, in order, so that it can be written again. */
  #journal: Write[] | undefined

  constructor(root: RootDatabase) {
    this.#root = root
  }

  table<V>(name: string): Table<V> {
    return new LmdbTableView<V>(this.#opened(name), (write) => this.#write(write))
  }

  transaction<T>(body: () => T): T {
    // One inside another is part of it.
    if (this.#journal !== undefined) return body()
    const journal: Write[] = []
    this.#journal = journal
    let outcome: { readonly result: T } | undefined
    try {
      this.#root.transactionSync(() => {
        outcome = { result: body() }
      })
    } catch (thrown) {
      if (outcome === undefined || !isRefusedCommit(thrown)) throw systemFailure(thrown)
      this.#commitAgain(journal)
    } finally {
      this.#journal = undefined
    }
    return outcome!.result
  }

  clear(prefix: string): void {
    // The names of tables are the keys of the table without a name.
    const names = [...this.#root.getKeys({ snapshot: true })].map((key) => (key as Buffer).toString())
    for (const name of names.filter((each) => each.startsWith(prefix))) {
      this.#write({ table: this.#opened(name), key: undefined, value: undefined })
    }
  }

  async close(): Promise<void> {
    await this.#root.close()
  }

  #opened<V>(name: string): LmdbTable<V, Buffer> {
    try {
      return this.#root.openDB<V, Buffer>({ name, keyEncoding: 'binary', encoding: 'msgpack' })
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause && cause.code === MDB_DBS_FULL)) throw cause
      throw new ShoalError(
        'STORAGE_UNUSABLE',
        'the index has no room for another folder: it takes about 95 in one run of the daemon, those removed since included; start the daemon anew',
        { cause },
      )
    }
  }

  /** A write on its own is a transaction, too. */
  #write(write: Write): void {
    if (this.#journal === undefined) return this.transaction(() => this.#write(write))
    perform(write)
    this.#journal.push(write)
  }

  /** Writes the same once more: the body has run, and what it noted in memory stands. */
  #commitAgain(journal: readonly Write[]): void {
    for (let tries = 1; ; tries++) {
      try {
        this.#root.transactionSync(() => {
          for (const write of journal) perform(write)
        })
        return
      } catch (thrown) {
        if (tries === COMMIT_TRIES || !isRefusedCommit(thrown)) throw systemFailure(thrown)
      }
    }
  }
}

function perform({ table, key, value }: Write): void {
  if (key === undefined) table.clearSync()
  else if (value === undefined) table.removeSync(key)
  else table.putSync(key, value)
}

/**
 * The library's LMDB now and then refuses a commit because its book of free pages does not come out even ("reserved
 * freelist had a data entry with zero-size"). Nothing of the transaction is written then, and the book is read anew.
 */
function isRefusedCommit(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === MDB_BAD_TXN
}

/** What the system says (a positive number: EIO, ENOSPC) comes without a word of what failed. */
function systemFailure(thrown: unknown): unknown {
  const isSystem =
    thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'number' && thrown.code > 0
  if (!isSystem) return thrown
  return new ShoalError('IO', `cannot write the index under storage_path: ${thrown.message}`, {
    cause: thrown,
  })
}

class LmdbTableView<V> implements Table<V> {
  readonly #table: LmdbTable<V, Buffer>
  readonly #write: (write: Write) => void

  constructor(table: LmdbTable<V, Buffer>, write: (write: Write) => void) {
    this.#table = table
    this.#write = write
  }

  get(key: Buffer): V | undefined {
    return this.#table.get(key)
  }

  put(key: Buffer, value: V): void {
    this.#write({ table: this.#table, key, value })
  }

  remove(key: Buffer): void {
    this.#write({ table: this.#table, key, value: undefined })
  }

  range(start: Buffer, end: Buffer, limit?: number): Row<V>[] {
    const options = { start: start.length === 0 ? LEAST_KEY : start, end, snapshot: true }
    return [...this.#table.getRange(limit === undefined ? options : { ...options, limit })].map(
      ({ key, value }) => ({ key, value }),
    )
  }
}
