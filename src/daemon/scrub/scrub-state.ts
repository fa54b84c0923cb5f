// What is remembered of looking for damage, over restarts: how far a pass has come, how the last one ended, and how much was
// found in all.
import type { RelPath } from '../../core/path.js'
import type { Database, Table } from '../../store/tables.js'

/** What a pass has read, and found. */
export interface ScrubCounts {
  /** Files and symlinks that hold what they should. */
  readonly files: number
  /** Of their content. */
  readonly bytes: number
  /** Files that did not. */
  readonly damaged: number
  /** Left to the next look at the disk, because they are not as they were; or open for writing. */
  readonly changed: number
  /** That could not be read for some other reason. */
  readonly unread: number
}

export interface ScrubPass extends ScrubCounts {
  readonly startedMs: number
  /** The last path that was looked at, in the order of the index; undefined: none yet. */
  readonly after: RelPath | undefined
}

export interface ScrubEnded extends ScrubCounts {
  readonly startedMs: number
  readonly endedMs: number
}

interface Totals {
  readonly found: number
  readonly repaired: number
}

export const NO_COUNTS: ScrubCounts = { files: 0, bytes: 0, damaged: 0, changed: 0, unread: 0 }

export class ScrubState {
  readonly #table: Table<unknown>

  constructor(database: Database, prefix: string) {
    this.#table = database.table(`${prefix}scrub`)
  }

  /** When this share was first there to be looked through. */
  firstMs(nowMs: number): number {
    const known = this.#get<number>('first')
    if (known !== undefined) return known
    this.#put('first', nowMs)
    return nowMs
  }

  /** A pass that has not ended. */
  get pass(): ScrubPass | undefined {
    return this.#get('pass')
  }

  set pass(pass: ScrubPass | undefined) {
    this.#put('pass', pass)
  }

  get last(): ScrubEnded | undefined {
    return this.#get('last')
  }

  set last(last: ScrubEnded | undefined) {
    this.#put('last', last)
  }

  /** Damaged files that were found, and those of them that were put right, since the index was made. */
  get totals(): Totals {
    return this.#get('totals') ?? { found: 0, repaired: 0 }
  }

  set totals(totals: Totals) {
    this.#put('totals', totals)
  }

  #get<V>(name: string): V | undefined {
    return this.#table.get(Buffer.from(name)) as V | undefined
  }

  #put(name: string, value: unknown): void {
    if (value === undefined) this.#table.remove(Buffer.from(name))
    else this.#table.put(Buffer.from(name), value)
  }
}
