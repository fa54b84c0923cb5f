// The ordered key-value tables that a share's index is kept in, as an interface: LMDB holds them on disk (lmdb.ts), a
// sorted map holds them in the simulator. Keys are bytes in byte order. All access is synchronous; everything inside one
// transaction becomes visible and durable together, or not at all when its body throws.
import type { RelPath } from '../core/path.js'

/** A table of one kind of value. Values are stored by copy: changing one after put changes nothing. */
export interface Table<V> {
  get(key: Buffer): V | undefined
  put(key: Buffer, value: V): void
  remove(key: Buffer): void
  /** Rows with start <= key < end in key order, up to `limit`. The rows are read at the time of the call. */
  range(start: Buffer, end: Buffer, limit?: number): Row<V>[]
}

export interface Row<V> {
  readonly key: Buffer
  readonly value: V
}

/** Opens tables by name; `transaction` spans all of them. */
export interface Database {
  /** True: values are kept as they are, in memory, so that a row need not be packed. Whoever puts or gets one never changes it. */
  readonly holdsValues?: boolean
  table<V>(name: string): Table<V>
  transaction<T>(body: () => T): T
  /** Empties all tables whose names begin with this, one after the other; not inside a transaction. */
  clear(prefix: string): void
  close(): Promise<void>
}

const SLASH = 0x2f

/**
 * The key of a path: directory, NUL, name. The children of a directory are one range, and every path comes after all
 * directories above it, because NUL sorts before "/".
 */
export function pathKey(path: RelPath): Buffer {
  if (!path.includes('/')) return Buffer.from(`\0${path}`)
  const key = Buffer.from(path)
  // In UTF-8 that byte is never a part of anything else.
  key[key.lastIndexOf(SLASH)] = 0
  return key
}

/** The path of a key made by pathKey. */
export function pathOfKey(key: Buffer): RelPath {
  const nul = key.indexOf(0)
  const name = key.toString('utf8', nul + 1)
  return (nul === 0 ? name : `${key.toString('utf8', 0, nul)}/${name}`) as RelPath
}

/** The range of keys that holds exactly the direct children of a directory ('' for the root). */
export function childrenRange(directory: RelPath | ''): { start: Buffer; end: Buffer } {
  return { start: Buffer.from(`${directory}\0`), end: Buffer.from(`${directory}\x01`) }
}

/** The ranges of keys that hold exactly what lies below a directory, at any depth. */
export function belowRanges(directory: RelPath): { start: Buffer; end: Buffer }[] {
  return [
    childrenRange(directory),
    { start: Buffer.from(`${directory}/`), end: Buffer.from(`${directory}0`) },
  ]
}

/** The first so many paths of some keys, each once, in the order of the keys. */
export function firstPaths(keys: readonly Buffer[], limit: number): RelPath[] {
  const paths = new Set([...keys].sort(Buffer.compare).map(pathOfKey))
  return [...paths].slice(0, limit)
}

/** Sorts before and after every key. */
export const FIRST_KEY: Buffer = Buffer.alloc(0)
export const AFTER_LAST_KEY: Buffer = Buffer.alloc(16, 0xff)

/** The least key after `key`. */
export function keyAfter(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.of(0)])
}

/** Sorts by the first and then the second number. */
export function pairKey(a: number, b: number): Buffer {
  const key = Buffer.allocUnsafe(8)
  key.writeUInt32BE(a, 0)
  key.writeUInt32BE(b, 4)
  return key
}

/** All rows of a table, a chunk at a time, so that a walk over half a million rows does not hold them all. */
export function* walk<V>(table: Table<V>, chunk = 4096): Generator<Row<V>> {
  let from = FIRST_KEY
  for (;;) {
    const rows = table.range(from, AFTER_LAST_KEY, chunk)
    yield* rows
    if (rows.length < chunk) return
    from = keyAfter(rows[rows.length - 1]!.key)
  }
}
