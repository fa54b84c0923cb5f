// Removes from the archive what archive-age.ts says is to go: one call looks at one directory of it, so that the calls are
// short and the caller can stop between any two. Promises: only files and symlinks below `.shoal/archive/YYYY-MM-DD` are
// unlinked, and empty directories removed; no symlink is followed and no other file system entered, whatever takes a
// directory's place meanwhile (A1); what is no version (a fifo, a name that is not UTF-8) stays.
import { type ArchiveTime, archiveDayEndMs, isVersionExpired } from './archive-age.js'
import { ARCHIVE_DIR } from './marker.js'
import { codeOf, type Fault, faultOf, isGone, PathFault, SafeRoot } from './safefs.js'

export interface PruneTarget {
  readonly root: string
  /** Which directory the root must be (A5). */
  readonly expectRoot: { readonly dev: number; readonly ino: number }
}

export interface PrunePayload extends PruneTarget {
  /** `.shoal/archive/YYYY-MM-DD`, or a directory in it. */
  readonly directory: string
  readonly time: ArchiveTime
  /** Removed at most by this call. */
  readonly limit: number
}

export interface Pruned {
  readonly removed: number
  /** What stays here: younger, or nothing that is ever removed. */
  readonly kept: number
  /** Directories in this one, to be pruned next. */
  readonly directories: readonly string[]
  /** The limit was reached: call again. */
  readonly more: boolean
  /** What could not be done; the rest was. */
  readonly faults: readonly Fault[]
}

/** The day folders of a share's archive, in order; whatever else lies there is not named. `isThere`: the archive is. */
export function listArchiveDays(target: PruneTarget): {
  readonly days: readonly string[]
  readonly isThere: boolean
  readonly faults: readonly Fault[]
} {
  let days: string[] = []
  let isThere = false
  const faults = withRoot(target, (root) => {
    const names = root.readdir(ARCHIVE_DIR).map(String)
    days = names.filter((name) => archiveDayEndMs(name) !== undefined).sort()
    isThere = true
  })
  return { days, isThere, faults }
}

/** Prunes one directory; see Pruned. */
export function pruneArchive(payload: PrunePayload): Pruned {
  const { directory, time, limit } = payload
  const directories: string[] = []
  const faults: Fault[] = []
  let removed = 0
  let kept = 0
  let more = false
  const unusable = withRoot(payload, (root) => {
    const day = dayOf(directory)
    for (const bytes of root.readdir(directory)) {
      const name = bytes.toString()
      const path = `${directory}/${name}`
      const isReadable = Buffer.from(name).equals(bytes)
      if (removed >= limit) {
        more = true
        break
      }
      try {
        // Every name is reached anew from the archive down: what was moved away meanwhile is no longer below it.
        root.forget(ARCHIVE_DIR)
        const found = isReadable ? root.lstat(path) : undefined
        if (found?.type === 'directory') directories.push(path)
        else if (
          (found?.type === 'file' || found?.type === 'symlink') &&
          isVersionExpired(day, found.ctimeMs, time)
        ) {
          root.unlink(path)
          removed++
        } else kept++
      } catch (thrown) {
        if (!isGone(thrown)) faults.push(faultOf(thrown))
      }
    }
  })
  return { removed, kept, directories, more, faults: [...faults, ...unusable] }
}

/** Removes those of these directories of the archive that are empty, in the order given: the deepest first. */
export function removeEmptyArchiveDirectories(
  target: PruneTarget & { readonly directories: readonly string[] },
): { readonly removed: number; readonly faults: readonly Fault[] } {
  const faults: Fault[] = []
  let removed = 0
  const unusable = withRoot(target, (root) => {
    for (const directory of target.directories) {
      dayOf(directory)
      try {
        root.rmdir(directory)
        removed++
      } catch (thrown) {
        const code = codeOf(thrown)
        if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && !isGone(thrown)) faults.push(faultOf(thrown))
      }
    }
  })
  return { removed, faults: [...faults, ...unusable] }
}

/** The day that a path of the archive belongs to; the caller's mistake would delete outside of it. */
function dayOf(directory: string): string {
  const day = directory.slice(ARCHIVE_DIR.length + 1).split('/')[0]!
  if (!directory.startsWith(`${ARCHIVE_DIR}/`) || archiveDayEndMs(day) === undefined)
    throw new PathFault('BAD_PATH', 'not a directory of the archive')
  return day
}

/** Why `body` could not be done, or nothing. */
function withRoot({ root: path, expectRoot }: PruneTarget, body: (root: SafeRoot) => void): Fault[] {
  let root: SafeRoot | undefined
  try {
    root = new SafeRoot(path)
    const { ino, dev } = root.rootStat()
    if (ino !== expectRoot.ino || dev !== expectRoot.dev)
      return [{ code: 'ROOT_CHANGED', detail: 'the root is another directory than before' }]
    body(root)
    return []
  } catch (thrown) {
    return isGone(thrown) ? [] : [faultOf(thrown)]
  } finally {
    root?.close()
  }
}
