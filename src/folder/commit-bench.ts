// What the steps of a commit share: the tree, the archive, what must be made durable at the end, and the hook through
// which tests crash or interfere between any two system calls.
import { nameOf, parentOf, type RelPath } from '../core/path.js'
import { type DiskStat, sameStat } from '../core/stat.js'
import type { Archive } from './archive.js'
import { suffixedName, takeFirstFree } from './archive-name.js'
import type { Dresser } from './dress.js'
import { codeOf, isUnsupported, type SafeRoot } from './safefs.js'

/** System calls that not every file system has. */
export type SpecialCall = 'exchange' | 'link' | 'noreplace'

/** For tests; the worker uses none of it. */
export interface CommitProbe {
  /** Called between any two system calls that change something; may throw to stand for a crash. */
  readonly step?: (name: string, path: string) => void
  /** System calls to do without, as on FAT or a network file system. */
  readonly without?: readonly SpecialCall[]
}

export class Bench {
  readonly root: SafeRoot
  /** Where the job at hand puts what it displaces. */
  archive: Archive
  /** Directories whose entries have changed. */
  readonly directories: Set<string>
  /** Whether the job at hand wants a copy in the archive of what it displaces. */
  copiesOld = false
  /** Inodes of which a copy was put into the archive by this batch: where, and of which stat. */
  readonly copies: Map<number, { readonly at: string; readonly of: DiskStat }> = new Map()
  /** Inodes that jobs of this batch gave links to or took them from: what they were before, and what they are now. */
  readonly #relinked = new Map<number, { readonly before: DiskStat; readonly now: DiskStat }>()
  /** Files and directories whose own mode or time has changed. */
  readonly inodes: Set<string> = new Set()
  readonly dresser: Dresser
  readonly #probe: CommitProbe

  constructor(
    root: SafeRoot,
    archive: Archive,
    directories: Set<string>,
    dresser: Dresser,
    probe: CommitProbe,
  ) {
    this.root = root
    this.dresser = dresser
    this.archive = archive
    this.directories = directories
    this.#probe = probe
  }

  step(name: string, path: string): void {
    this.#probe.step?.(name, path)
  }

  /** A hard link; see isUnsupported. */
  link(from: string, to: string): void {
    this.#demand('link')
    this.root.link(from, to)
  }

  /** Swaps two names in one step; see isUnsupported. */
  exchange(one: string, other: string): void {
    this.#demand('exchange')
    this.root.exchange(one, other)
  }

  /** A job has changed an inode's links, and nothing else of it. */
  noteLinks(before: DiskStat, now: DiskStat): void {
    const known = this.#relinked.get(before.ino)
    const isNext = known !== undefined && sameStat(known.now, before)
    this.#relinked.set(before.ino, { before: isNext ? known.before : before, now })
  }

  /** Whether what is there is what was expected when the batch began, but for links that its own jobs changed. */
  isRelinked(now: DiskStat, expected: DiskStat): boolean {
    const known = this.#relinked.get(now.ino)
    return known !== undefined && sameStat(known.now, now) && sameStat(known.before, expected)
  }

  /** A rename to a name that must be free; see isUnsupported. */
  renameToFree(from: string, to: string): void {
    this.#demand('noreplace')
    this.root.renameToFree(from, to)
  }

  /** The entries of the directory that a path lies in have changed. */
  touchParent(path: RelPath): void {
    this.directories.add(parentOf(path))
  }

  #demand(call: SpecialCall): void {
    if (this.#probe.without?.includes(call))
      throw Object.assign(new Error(`ENOTSUP: no ${call}`), { code: 'ENOTSUP' })
  }
}

/** Whether what is there is what the job expects, which must be an exact match for all but directories. */
export function isAsExpected(now: DiskStat, expected: DiskStat): boolean {
  // A directory's times change with everything in it; what counts is that it is this one, and with these permissions.
  if (expected.type === 'directory')
    return now.type === 'directory' && now.ino === expected.ino && isSameMetadata(now, expected)
  return sameStat(now, expected)
}

/** Mode and owner: what a user may have changed without a trace in size, time or inode. */
function isSameMetadata(a: DiskStat, b: DiskStat): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid
}

/**
 * Whether something was replaced or written to. Less than isAsExpected, since our own links and renames change the ctime
 * (A3): a write shows in size or mtime, a replacement in the inode.
 */
export function isTouched(now: DiskStat | undefined, expected: DiskStat): boolean {
  return (
    now === undefined ||
    now.type !== expected.type ||
    now.ino !== expected.ino ||
    now.size !== expected.size ||
    now.mtimeMs !== expected.mtimeMs
  )
}

/**
 * The stat of what we have just put at a path, or undefined if the user has changed it already: whoever took that stat
 * for ours would never see the change.
 */
export function statOfOurs(bench: Bench, path: string, ours: DiskStat): DiskStat | undefined {
  const now = bench.root.lstat(path)
  return now === undefined || isTouched(now, ours) || !isSameMetadata(now, ours) ? undefined : now
}

/**
 * Gives `source`, a file or symlink of ours in the staging area or a place that holds the user's, the name `path` if
 * nothing has it. False if something has: nothing is ever overwritten. Reading the name first is not enough where links
 * are possible, because the user may take it at any moment.
 */
export function placeAbsent(bench: Bench, source: string, path: RelPath): boolean {
  try {
    bench.link(source, path)
  } catch (thrown) {
    if (codeOf(thrown) === 'EEXIST') return false
    if (!isUnsupported(thrown)) throw thrown
    if (bench.root.lstat(path) !== undefined) return false
    bench.root.rename(source, path)
    bench.touchParent(path)
    bench.step('placed', path)
    return true
  }
  bench.touchParent(path)
  bench.step('linked', path)
  bench.root.unlink(source)
  bench.step('placed', path)
  return true
}

/**
 * Brings a user's version that was displaced by mistake back beside `path`, under `name` or the first of `name~2`, ...
 * that is free. `held` may be anything, even a directory. Returns where it lies now.
 */
export function bringBack(bench: Bench, held: string, path: RelPath, name: string): RelPath {
  const directory = parentOf(path)
  const place = (count: number): RelPath => {
    const suffixed = suffixedName(name, count)
    return (directory === '' ? suffixed : `${directory}/${suffixed}`) as RelPath
  }
  const exists = (count: number): boolean => bench.root.lstat(place(count)) !== undefined
  const isDirectory = bench.root.lstat(held)?.type === 'directory'
  const take = (count: number): boolean => {
    if (!isDirectory) return placeAbsent(bench, held, place(count))
    if (exists(count)) return false
    bench.root.rename(held, place(count))
    bench.touchParent(path)
    return true
  }
  return place(takeFirstFree(take, exists))
}

/** The name for a version that slipped in: the caller's, or the path's own with a number. */
export function slipNameOf(job: { readonly path: RelPath; readonly slipName?: string }): string {
  return job.slipName ?? nameOf(job.path)
}
