// What a rehearsal found: the shapes that the command line shows.
import type { RestoreReport } from '../restore/report.js'

export interface Difference {
  /** Relative to the folder. */
  readonly path: string
  /** What differs: missing, extra, type, size, content, mode, time, owner, target. */
  readonly what: string
}

export interface Comparison {
  /** Files and links that are the same, and the bytes of their content. */
  readonly same: number
  readonly bytes: number
  readonly differences: readonly Difference[]
  /** In all. */
  readonly differenceCount: number
}

export interface RehearseReport {
  readonly dir: string
  /** Where it was restored to; null: removed again. */
  readonly restored: string | null
  readonly seconds: number
  readonly restore: RestoreReport
  readonly comparison: Comparison
}
