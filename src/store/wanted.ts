// What is still to be done on this disk: one row for each path with a step left (share-index.ts works the steps out), how
// much that is, and which contents other paths still wait for.
//
// Invariants, checked by test/store:
//   1. what is counted (files, bytes, contents) is what the rows say;
//   2. the changes to drain name wanted paths only.
import type { RelPath } from '../core/path.js'
import type { Step } from '../core/plan.js'
import {
  AFTER_LAST_KEY,
  belowRanges,
  type Database,
  FIRST_KEY,
  keyAfter,
  pathKey,
  pathOfKey,
  type Table,
  walk,
} from './tables.js'

/** A wanted row: bytes to be written, and the start of their content id (0 for what is no file). */
type WantedRow = [bytes: number, contentStart: number]

export class WantedTable {
  readonly #table: Table<WantedRow>
  /** How many wanted paths are to have a content, by its start. */
  readonly #contents = new Map<number, number>()
  #files = 0
  #bytes = 0
  #changes = new Set<RelPath>()
  readonly #onWanted: (path: RelPath, isWanted: boolean) => void

  /** Walks all rows once to count them. `onWanted` hears of each path that becomes wanted from now on, or no longer is. */
  constructor(
    database: Database,
    prefix: string,
    onWanted: (path: RelPath, isWanted: boolean) => void = () => undefined,
  ) {
    this.#table = database.table(`${prefix}wanted`)
    this.#onWanted = onWanted
    for (const { value } of walk(this.#table)) this.#count(value, 1)
  }

  /** How many paths are wanted. */
  get files(): number {
    return this.#files
  }

  /** How many bytes are to be written to them. */
  get bytes(): number {
    return this.#bytes
  }

  has(path: RelPath): boolean {
    return this.#table.get(pathKey(path)) !== undefined
  }

  /** Wanted paths after a key (exclusive), in key order: every directory before what lies in it. */
  after(path: RelPath | undefined, limit: number): RelPath[] {
    const from = path === undefined ? FIRST_KEY : keyAfter(pathKey(path))
    return this.#table.range(from, AFTER_LAST_KEY, limit).map(({ key }) => pathOfKey(key))
  }

  /** All wanted paths, in key order. */
  *all(): Generator<RelPath> {
    for (const { key } of walk(this.#table)) yield pathOfKey(key)
  }

  /** Whether anything is wanted at a path or below it. */
  hasBelow(directory: RelPath): boolean {
    const isAny = ({ start, end }: { readonly start: Buffer; readonly end: Buffer }): boolean =>
      this.#table.range(start, end, 1).length > 0
    return this.has(directory) || belowRanges(directory).some(isAny)
  }

  /** How many paths are to be written with a content; may be too many (48 bits are compared), never too few. */
  countOf(content: Buffer): number {
    return this.#contents.get(contentStart(content)) ?? 0
  }

  /** Sets what is to be done at a path. */
  set(path: RelPath, step: Step): void {
    if (step.type === 'none' || step.type === 'adopt') this.#remove(path)
    else this.#put(path, step.type === 'write' ? [step.fact.size, contentStart(step.fact.content)] : [0, 0])
  }

  #remove(path: RelPath): void {
    // Most of the time nothing is wanted at all.
    if (this.#files === 0) return
    const key = pathKey(path)
    const was = this.#table.get(key)
    this.#changes.delete(path)
    if (was === undefined) return
    this.#count(was, -1)
    this.#table.remove(key)
    this.#onWanted(path, false)
  }

  #put(path: RelPath, row: WantedRow): void {
    const key = pathKey(path)
    const was = this.#table.get(key)
    if (was !== undefined) this.#count(was, -1)
    this.#count(row, 1)
    if (was === undefined || was[0] !== row[0] || was[1] !== row[1]) this.#table.put(key, row)
    this.#changes.add(path)
    if (was === undefined) this.#onWanted(path, true)
  }

  /** Keeps a path that only needs another version noted; it is wanted until it is set again. */
  hold(path: RelPath): void {
    this.#put(path, [0, 0])
  }

  /** Wanted paths that no content is to be written to. */
  *withoutContent(): Generator<RelPath> {
    for (const { key, value } of walk(this.#table)) if (value[1] === 0) yield pathOfKey(key)
  }

  /** Names a path among the changes, if it is wanted: what it waited for may have come about. */
  remind(path: RelPath): void {
    if (this.has(path)) this.#changes.add(path)
  }

  /** Paths that have something to do now, in the order they came up, since the last call. */
  drain(): Set<RelPath> {
    const changes = this.#changes
    this.#changes = new Set()
    return changes
  }

  #count([bytes, start]: WantedRow, sign: 1 | -1): void {
    this.#files += sign
    this.#bytes += sign * bytes
    if (start === 0) return
    const count = (this.#contents.get(start) ?? 0) + sign
    if (count === 0) this.#contents.delete(start)
    else this.#contents.set(start, count)
  }
}

/** Six bytes of a content id as a number; never 0, which stands for no content. */
export function contentStart(content: Buffer): number {
  return content.readUIntBE(0, 6) + 1
}
