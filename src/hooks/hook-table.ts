// The changes that hooks are still to be told of, as rows of the share's database: noted in the transaction that notes the
// change itself, so that a process that dies between a change and its hook leaves the hook to the next one.
//
// For each hook, named by 8 bytes:
//   name 00         -> [done, last, running]   numbers of what is behind it, the last run, a run under way
//   name 01 path    -> number                  the run that is to be told of this path, or that was if <= done
// A run takes all numbers up to its own; that it is done is one row, and the rows of its paths go little by little after it.
import type { RelPath } from '../core/path.js'
import { AFTER_LAST_KEY, type Database, FIRST_KEY, keyAfter, type Row, type Table } from '../store/tables.js'

/** Bytes that a hook is named by. */
export const HOOK_ID_BYTES = 8
const CHUNK = 4096
const CHUNK_CHARACTERS = 1 << 16

/** What is kept of a run. */
export interface LastRun {
  /** When it began, milliseconds since 1970. */
  readonly atMs: number
  readonly durationMs: number
  readonly result: 'done' | 'failed' | 'timeout' | 'stopped' | 'not-started'
  readonly exit: number | null
  readonly signal: string | null
  readonly reason: string | null
  /** Paths it was told of. */
  readonly count: number
  /** The end of what it printed. */
  readonly output: string
}

interface StateRow {
  readonly done: number
  readonly last?: LastRun
  /** The word that its processes are known by (group.ts). */
  readonly running?: string
}

type StoredRow = StateRow | number

export class HookTable {
  readonly #table: Table<StoredRow>
  readonly #database: Database

  constructor(database: Database, prefix: string) {
    this.#database = database
    this.#table = database.table(`${prefix}hooks`)
  }

  /** The rows of a hook. Walks them once. */
  rows(id: Buffer): HookRows {
    return new HookRows(this.#database, this.#table, id)
  }

  /** All hooks that there are rows of, known to the configuration or not. */
  ids(): Buffer[] {
    const ids: Buffer[] = []
    let from = FIRST_KEY
    for (;;) {
      const [row] = this.#table.range(from, AFTER_LAST_KEY, 1)
      if (row === undefined) return ids
      const id = row.key.subarray(0, HOOK_ID_BYTES)
      ids.push(Buffer.from(id))
      from = Buffer.concat([id, Buffer.of(0xff)])
    }
  }
}

export class HookRows {
  readonly #database: Database
  readonly #table: Table<StoredRow>
  readonly #stateKey: Buffer
  readonly #pathPrefix: Buffer
  readonly #pathEnd: Buffer
  #state: StateRow
  /** Of the run to come. */
  #number: number
  /** Of the run under way; 0: none. */
  #runNumber = 0
  #count = 0
  #runCount = 0
  /** Paths of the run under way that have changed since. */
  #overtaken = 0
  #sweeping: { readonly from: Buffer } | undefined

  constructor(database: Database, table: Table<StoredRow>, id: Buffer) {
    this.#database = database
    this.#table = table
    this.#stateKey = Buffer.concat([id, Buffer.of(0)])
    this.#pathPrefix = Buffer.concat([id, Buffer.of(1)])
    this.#pathEnd = Buffer.concat([id, Buffer.of(2)])
    this.#state = (table.get(this.#stateKey) as StateRow | undefined) ?? { done: 0 }
    let most = this.#state.done
    for (const { value } of this.#walk()) {
      if (value <= this.#state.done) this.#sweeping = { from: this.#pathPrefix }
      else this.#count++
      most = Math.max(most, value)
    }
    this.#number = most + 1
  }

  /** Paths pending, those of a run under way aside. */
  get count(): number {
    return this.#count
  }

  get last(): LastRun | undefined {
    return this.#state.last
  }

  /** The word of the run that was under way when the process before this one died. */
  get left(): string | undefined {
    return this.#runNumber === 0 ? this.#state.running : undefined
  }

  /** Notes a change; true if the path was not pending before. Call inside a transaction. */
  add(path: RelPath): boolean {
    const key = Buffer.concat([this.#pathPrefix, Buffer.from(path)])
    const before = (this.#table.get(key) as number | undefined) ?? 0
    if (before === this.#number) return false
    this.#table.put(key, this.#number)
    const isPending = before > this.#state.done
    if (isPending && before > this.#runNumber) return false
    if (isPending) this.#overtaken++
    this.#count++
    return true
  }

  /** A run begins, known by a word: its paths, each ended by a NUL, in the order of their bytes. */
  begin(word: string): { readonly input: Buffer; readonly count: number } {
    this.#runNumber = this.#number++
    this.#runCount = this.#count
    this.#count = 0
    this.#overtaken = 0
    this.#put({ ...this.#state, running: word })
    const chunks: Buffer[] = []
    let text = ''
    for (const path of this.pending()) {
      text += `${path}\0`
      // Half a million small buffers would take more than all of their bytes.
      if (text.length < CHUNK_CHARACTERS) continue
      chunks.push(Buffer.from(text))
      text = ''
    }
    return { input: Buffer.concat([...chunks, Buffer.from(text)]), count: this.#runCount }
  }

  /** The run has ended; returns how many of its paths are pending again besides those that have changed since. */
  end(last: LastRun): number {
    const isDone = last.result === 'done'
    const { running: _, ...rest } = this.#state
    this.#put({ ...rest, done: isDone ? this.#runNumber : rest.done, last })
    const again = isDone ? 0 : this.#runCount - this.#overtaken
    if (isDone) this.#sweeping = { from: this.#pathPrefix }
    this.#runNumber = 0
    this.#count += again
    return again
  }

  /** Removes some rows that are of no use any more; false when none is left. */
  sweep(): boolean {
    const sweeping = this.#sweeping
    if (sweeping === undefined) return false
    const rows = this.#table.range(sweeping.from, this.#pathEnd, CHUNK) as Row<number>[]
    this.#database.transaction(() => {
      for (const { key, value } of rows) if (value <= this.#state.done) this.#table.remove(key)
    })
    this.#sweeping = rows.length < CHUNK ? undefined : { from: keyAfter(rows.at(-1)!.key) }
    return this.#sweeping !== undefined
  }

  /** All pending paths, for who takes this hook's place. */
  *pending(): Generator<RelPath> {
    for (const { key, value } of this.#walk())
      if (value > this.#state.done) yield key.toString('utf8', this.#pathPrefix.length) as RelPath
  }

  /** Forgets all of it. Call inside a transaction. */
  clear(): void {
    for (const { key } of [...this.#walk()]) this.#table.remove(key)
    this.#table.remove(this.#stateKey)
  }

  #put(state: StateRow): void {
    this.#state = state
    this.#table.put(this.#stateKey, state)
  }

  *#walk(): Generator<Row<number>> {
    let from = this.#pathPrefix
    for (;;) {
      const rows = this.#table.range(from, this.#pathEnd, CHUNK) as Row<number>[]
      yield* rows
      if (rows.length < CHUNK) return
      from = keyAfter(rows.at(-1)!.key)
    }
  }
}
