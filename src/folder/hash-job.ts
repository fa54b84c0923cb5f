// What is to be hashed, and its packed form between threads: one text and two arrays are copied faster than an object, a text
// and a stat for each file. They are not transferred: what changes hands is lost where the system has no thread to give.
import { type DiskStat, packStat, STAT_FIELDS, unpackStat } from '../core/stat.js'

export interface HashJob {
  readonly path: string
  /** Answer 'busy' if a process is seen to have the file open for writing. */
  readonly openCheck: boolean
  /** What a listing has shown of it. A settled file that still looks so when it is open was not touched in between. */
  readonly seen?: DiskStat
  /** If the file is exactly as seen, its content is known and not read: the answer is 'same'. */
  readonly isKnown?: boolean
  /** Whether the content is cut and sealed as padded content (core/piece.ts); it is not unless told. */
  readonly isPadded?: boolean
  /**
   * Contents, 32 bytes each, that the file may turn out to have if it is read the other way. If it has none of them as told,
   * it is read that way too, and answered as whichever of them it is.
   */
  readonly contents?: Uint8Array
}

const OPEN_CHECK = 1
const IS_KNOWN = 2
const IS_PADDED = 4
const HAS_SEEN = 8

/** Jobs, packed. */
export interface PackedHashJobs {
  /** Each followed by a NUL, which no path has. */
  readonly paths: string
  /** The bits above, one byte a job. */
  readonly flags: Uint8Array
  /** One packed stat a job, zeros where it has none. */
  readonly stats: Float64Array
  /** Of the few jobs that have any, by their index. */
  readonly contents: ReadonlyMap<number, Uint8Array>
}

export function packHashJobs(jobs: readonly HashJob[]): PackedHashJobs {
  const flags = new Uint8Array(jobs.length)
  const stats = new Float64Array(jobs.length * STAT_FIELDS)
  const contents = new Map<number, Uint8Array>()
  let paths = ''
  for (const [index, job] of jobs.entries()) {
    const { seen } = job
    paths += `${job.path}\0`
    flags[index] =
      (job.openCheck ? OPEN_CHECK : 0) |
      (job.isKnown === true ? IS_KNOWN : 0) |
      (job.isPadded === true ? IS_PADDED : 0) |
      (seen === undefined ? 0 : HAS_SEEN)
    if (seen !== undefined) packStat(stats, index, seen)
    if (job.contents !== undefined) contents.set(index, job.contents)
  }
  return { paths, flags, stats, contents }
}

/** The jobs again. */
export function unpackHashJobs({ paths, flags, stats, contents }: PackedHashJobs): HashJob[] {
  const names = paths.split('\0')
  return Array.from(flags, (bits, index): HashJob => {
    const path = names[index]!
    const openCheck = (bits & OPEN_CHECK) !== 0
    const isKnown = (bits & IS_KNOWN) !== 0
    const isPadded = (bits & IS_PADDED) !== 0
    const told = contents.get(index)
    const job = { path, openCheck, isKnown, isPadded, ...(told === undefined ? {} : { contents: told }) }
    return (bits & HAS_SEEN) === 0 ? job : { ...job, seen: unpackStat(stats, index) }
  })
}
