// When a changed file may be read (A8): not in the middle of a write, and not while a process has it open for writing,
// as far as waiting for that makes sense. It decides by times alone; who has a file open is for the reader to find out.
import { performance } from 'node:perf_hooks'
import type { RelPath } from '../../core/path.js'
import type { DiskStat } from '../../core/stat.js'

/** A file whose inode changed this recently may be in the middle of a write (A8). */
export const QUIET_MS = 30
/** A file changed this recently is not read while some process has it open for writing (A8). */
const OPEN_CHECK_MS = 10_000
/** A file that never comes to rest (a log) is taken as it is after this long, if it is the same before and after. */
const RESTLESS_MS = 60_000
/** Pause before a restless file is looked at again: half the time it has been restless, between these. */
const LEAST_PAUSE_MS = 50
const MOST_PAUSE_MS = 2000

/** Not yet; or now, with or without a check who has the file open for writing. */
export type Ready = { readonly waitMs: number } | { readonly openCheck: boolean }

export class Readiness {
  /** Files that were not at rest when they were to be read, and since when. */
  readonly #restless = new Map<RelPath, number>()

  /** How a file with this stat is to be read. */
  of(path: RelPath, stat: DiskStat): Ready {
    const ageMs = Date.now() - stat.ctimeMs
    if (ageMs < 0 || ageMs >= OPEN_CHECK_MS) return { openCheck: false }
    if (ageMs < QUIET_MS) return { waitMs: QUIET_MS - ageMs + 1 }
    const since = this.#restless.get(path)
    return { openCheck: since === undefined || performance.now() - since < RESTLESS_MS }
  }

  /** A file was open for writing, or changed while it was read. Returns the milliseconds until the next try, growing. */
  noteRestless(path: RelPath): number {
    const now = performance.now()
    const since = this.#restless.get(path) ?? now
    this.#restless.set(path, since)
    return Math.min(MOST_PAUSE_MS, Math.max(LEAST_PAUSE_MS, (now - since) / 2))
  }

  /** A file was read, or is gone. */
  noteQuiet(path: RelPath): void {
    this.#restless.delete(path)
  }
}
