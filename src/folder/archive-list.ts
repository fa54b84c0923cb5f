// Which versions of one path the archive holds: `.shoal/archive/YYYY-MM-DD/its own path`, with `~2`, `~3`, ... where that
// name was taken (archive.ts). Only looks. A directory of the share that lay beside a file of its name in the archive is
// not searched for: what was put there is found under its other versions.
import type { RelPath } from '../core/path.js'
import type { DiskStat } from '../core/stat.js'
import { archiveDayEndMs } from './archive-age.js'
import { suffixedName } from './archive-name.js'
import { ARCHIVE_DIR } from './marker.js'
import { isGone, PathFault, SafeRoot } from './safefs.js'

export interface ArchivePayload {
  readonly root: string
  /** Which directory the root must be (A5). */
  readonly expectRoot: { readonly dev: number; readonly ino: number } | undefined
  readonly path: RelPath
  /** Versions told at most, the newest days first. */
  readonly limit: number
}

export interface ArchivedVersion {
  /** Relative to the archive. */
  readonly at: string
  /** 1: the path's own name; 2: `~2`; and so on. */
  readonly count: number
  readonly stat: DiskStat
}

/** Numbers go up without a gap, but for what was pruned. */
const MOST_MISSING = 16

/** The versions of a path in the archive, and whether those are all. Nothing where the archive cannot be read. */
export function listArchived({ root: dir, expectRoot, path, limit }: ArchivePayload): {
  readonly versions: readonly ArchivedVersion[]
  readonly isComplete: boolean
} {
  const versions: ArchivedVersion[] = []
  let root: SafeRoot | undefined
  try {
    root = new SafeRoot(dir)
    const { ino, dev } = root.rootStat()
    if (expectRoot !== undefined && (ino !== expectRoot.ino || dev !== expectRoot.dev))
      return { versions, isComplete: false }
    const days = root
      .readdir(ARCHIVE_DIR)
      .map(String)
      .filter((name) => archiveDayEndMs(name) !== undefined)
    for (const day of days.sort().reverse()) {
      if (versions.length >= limit) return { versions: versions.slice(0, limit), isComplete: false }
      versions.push(...versionsOf(root, day, path))
    }
    return { versions: versions.slice(0, limit), isComplete: versions.length <= limit }
  } catch (thrown) {
    return { versions, isComplete: isGone(thrown) }
  } finally {
    root?.close()
  }
}

/** Those of one day, the newest first. */
function versionsOf(root: SafeRoot, day: string, path: RelPath): ArchivedVersion[] {
  const slash = path.lastIndexOf('/')
  const parent = slash < 0 ? day : `${day}/${path.slice(0, slash)}`
  const name = path.slice(slash + 1)
  const found: ArchivedVersion[] = []
  try {
    for (let count = 1, missing = 0; missing < MOST_MISSING; count++) {
      const at = `${parent}/${suffixedName(name, count)}`
      const stat = root.lstat(`${ARCHIVE_DIR}/${at}`)
      if (stat?.type === 'file' || stat?.type === 'symlink') found.push({ at, count, stat })
      if (stat === undefined) missing++
      else missing = 0
    }
  } catch (thrown) {
    // Nothing in that directory was ever archived that day.
    if (!isGone(thrown) && !(thrown instanceof PathFault)) throw thrown
  }
  return found.reverse()
}
