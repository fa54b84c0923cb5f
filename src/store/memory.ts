// Tables in memory, for the simulator and for tests: the same contract as LMDB's (test/store/tables.suite.ts), with
// transactions that roll back, so that a simulated crash inside one leaves nothing behind.
import type { Database, Row, Table } from './tables.js'

/** A database that lives as long as the object; `snapshot` is what a crash at this moment would leave on disk. */
export class MemoryDatabase implements Database {
  readonly #tables = new Map<string, MemoryTable<unknown>>()
  #undo: (() => void)[] | undefined

  table<V>(name: string): Table<V> {
    let table = this.#tables.get(name)
    if (table === undefined) {
      table = new MemoryTable((undo) => this.#undo?.push(undo))
      this.#tables.set(name, table)
    }
    return table as unknown as Table<V>
  }

  transaction<T>(body: () => T): T {
    if (this.#undo !== undefined) return body()
    this.#undo = []
    try {
      return body()
    } catch (thrown) {
      const undoing = this.#undo.reverse()
      this.#undo = undefined
      for (const undo of undoing) undo()
      throw thrown
    } finally {
      this.#undo = undefined
    }
  }

  clear(prefix: string): void {
    for (const [name, table] of this.#tables) if (name.startsWith(prefix)) table.clear()
  }

  async close(): Promise<void> {}
}

class MemoryTable<V> implements Table<V> {
  readonly #rows = new Map<string, V>()
  readonly #onChange: (undo: () => void) => void
  #sorted: string[] | undefined

  constructor(onChange: (undo: () => void) => void) {
    this.#onChange = onChange
  }

  get(key: Buffer): V | undefined {
    const value = this.#rows.get(key.toString('latin1'))
    return value === undefined ? undefined : copy(value)
  }

  put(key: Buffer, value: V): void {
    this.#set(key.toString('latin1'), copy(value))
  }

  remove(key: Buffer): void {
    this.#set(key.toString('latin1'), undefined)
  }

  range(start: Buffer, end: Buffer, limit = Number.POSITIVE_INFINITY): Row<V>[] {
    this.#sorted ??= [...this.#rows.keys()].sort()
    const from = start.toString('latin1')
    const to = end.toString('latin1')
    const rows: Row<V>[] = []
    for (let i = lowerBound(this.#sorted, from); i < this.#sorted.length && rows.length < limit; i++) {
      const key = this.#sorted[i]!
      if (key >= to) break
      rows.push({ key: Buffer.from(key, 'latin1'), value: copy(this.#rows.get(key)!) })
    }
    return rows
  }

  clear(): void {
    this.#rows.clear()
    this.#sorted = undefined
  }

  #set(key: string, value: V | undefined): void {
    const before = this.#rows.get(key)
    if ((before === undefined) !== (value === undefined)) this.#sorted = undefined
    if (value === undefined) this.#rows.delete(key)
    else this.#rows.set(key, value)
    this.#onChange(() => this.#set(key, before))
  }
}

function lowerBound(sorted: readonly string[], key: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < key) low = middle + 1
    else high = middle
  }
  return low
}

/** A deep copy that keeps Buffers Buffers, as a trip through the disk would. */
function copy<T>(value: T): T {
  if (Buffer.isBuffer(value)) return Buffer.from(value) as T
  if (Array.isArray(value)) return value.map(copy) as T
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, copy(item)])) as T
  }
  return value
}
