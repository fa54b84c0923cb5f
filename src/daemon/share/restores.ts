// When a reader's changes may be undone: at once, or after the pause that the path has come to (core/restore-pace.ts).
// A path that waits is held until its time has come, whoever asks in between, so that the index and this agree. Paths that
// were put back more than once in a row keep their pace over a restart.

import type { RelPath } from '../../core/path.js'
import { isOver, paceAfter, type RestorePace, restoreAtMs } from '../../core/restore-pace.js'
import {
  AFTER_LAST_KEY,
  type Database,
  FIRST_KEY,
  pathKey,
  pathOfKey,
  type Table,
} from '../../store/tables.js'

/** Paths whose pace is remembered: some 50 MB at worst. Of more, those put back longest ago begin anew. */
const MAX_PACES = 200_000
/** Between two looks for paces that are over. */
const SWEEP_MS = 600_000

type PackedPace = [times: number, lastMs: number]

export class Restores {
  readonly #table: Table<PackedPace>
  readonly #nowMs: () => number
  /** In the order of the last restore. */
  readonly #paces = new Map<RelPath, RestorePace>()
  readonly #held = new Map<RelPath, number>()
  #sweptMs: number

  constructor(database: Database, prefix: string, nowMs: () => number) {
    this.#table = database.table(`${prefix}restores`)
    this.#nowMs = nowMs
    this.#sweptMs = nowMs()
    const packed = this.#table.range(FIRST_KEY, AFTER_LAST_KEY).sort((a, b) => a.value[1] - b.value[1])
    for (const { key, value } of packed)
      this.#paces.set(pathOfKey(key), { times: value[0], lastMs: value[1] })
  }

  /** Paths that wait, and until when. */
  get held(): ReadonlyMap<RelPath, number> {
    return this.#held
  }

  /** When something has to be done about this next, milliseconds since 1970; infinite: never. */
  get nextMs(): number {
    let next = this.#paces.size === 0 ? Number.POSITIVE_INFINITY : this.#sweptMs + SWEEP_MS
    for (const untilMs of this.#held.values()) next = Math.min(next, untilMs)
    return next
  }

  /** How often in a row a path was put back. */
  times(path: RelPath): number {
    const pace = this.#paces.get(path)
    return pace === undefined || isOver(pace, this.#nowMs()) ? 0 : pace.times
  }

  /** Whether what was changed at a path may be undone now; if not, it is held from now on. */
  mayRestore(path: RelPath): boolean {
    if (this.#held.has(path)) return false
    const now = this.#nowMs()
    const atMs = restoreAtMs(this.#paces.get(path), now)
    if (atMs <= now) return true
    this.#held.set(path, atMs)
    return false
  }

  /** A path was put back. Call inside a transaction. */
  note(path: RelPath): void {
    const pace = paceAfter(this.#paces.get(path), this.#nowMs())
    this.#paces.delete(path)
    this.#paces.set(path, pace)
    if (pace.times > 1) this.#table.put(pathKey(path), [pace.times, pace.lastMs])
    else this.#table.remove(pathKey(path))
    const [oldest] = this.#paces.keys()
    if (this.#paces.size > MAX_PACES && oldest !== undefined) this.#forget(oldest)
  }

  /** Nothing holds a path any more, as by a change of the rules. */
  letGo(): void {
    this.#held.clear()
  }

  /** Ends the holds whose time has come, and forgets paces that are over. Returns those paths. Inside a transaction. */
  release(): RelPath[] {
    const now = this.#nowMs()
    const due = [...this.#held].filter(([, untilMs]) => untilMs <= now).map(([path]) => path)
    for (const path of due) this.#held.delete(path)
    if (now >= this.#sweptMs + SWEEP_MS || now < this.#sweptMs) {
      this.#sweptMs = now
      for (const [path, pace] of this.#paces) if (isOver(pace, now)) this.#forget(path)
    }
    return due
  }

  #forget(path: RelPath): void {
    this.#paces.delete(path)
    this.#table.remove(pathKey(path))
  }
}
