// Tables in memory for a process that reads much once and keeps nothing: the same contract as LMDB's but for what nobody
// here asks for. Values are kept as they are, not copied: who puts a row or gets one does not change it afterwards. What a
// transaction that throws has written stays: whoever uses these begins anew then.
import { firstFrom } from '../core/first-from.js'
import type { Database, Row, Table } from './tables.js'

export class PassingDatabase implements Database {
  readonly holdsValues = true
  readonly #tables = new Map<string, PassingTable<unknown>>()

  table<V>(name: string): Table<V> {
    let table = this.#tables.get(name)
    if (table === undefined) {
      table = new PassingTable()
      this.#tables.set(name, table)
    }
    return table as unknown as Table<V>
  }

  transaction<T>(body: () => T): T {
    return body()
  }

  clear(prefix: string): void {
    for (const [name, table] of this.#tables) if (name.startsWith(prefix)) table.clear()
  }

  async close(): Promise<void> {
    for (const table of this.#tables.values()) table.clear()
  }
}

class PassingTable<V> implements Table<V> {
  /** By key in latin1, whose order is that of the bytes. */
  readonly #rows = new Map<string, V>()
  #sorted: string[] | undefined

  get(key: Buffer): V | undefined {
    return this.#rows.get(key.toString('latin1'))
  }

  put(key: Buffer, value: V): void {
    const name = key.toString('latin1')
    if (this.#sorted !== undefined && !this.#rows.has(name)) this.#sorted = undefined
    this.#rows.set(name, value)
  }

  clear(): void {
    this.#rows.clear()
    this.#sorted = undefined
  }

  remove(key: Buffer): void {
    if (this.#rows.delete(key.toString('latin1'))) this.#sorted = undefined
  }

  range(start: Buffer, end: Buffer, limit: number = Number.POSITIVE_INFINITY): Row<V>[] {
    this.#sorted ??= [...this.#rows.keys()].sort()
    const to = end.toString('latin1')
    const rows: Row<V>[] = []
    for (let i = firstFrom(this.#sorted, start.toString('latin1')); i < this.#sorted.length; i++) {
      const name = this.#sorted[i]!
      if (name >= to || rows.length >= limit) break
      rows.push({ key: Buffer.from(name, 'latin1'), value: this.#rows.get(name)! })
    }
    return rows
  }
}
