// One function for each kind of commit job. Each looks at the path first (A3), does one thing that is atomic for readers
// (A2), and leaves nothing of its own behind when it fails.
import fs from 'node:fs'
import { nameOf, type RelPath } from '../core/path.js'
import { isAsShown } from '../core/shown.js'
import { type DiskStat, mtimeUsOf, sameStat } from '../core/stat.js'
import { holdInStaging, reserveInStaging } from './archive.js'
import {
  type Bench,
  bringBack,
  isAsExpected,
  isSameMetadata,
  isTouched,
  placeAbsent,
  slipNameOf,
  statOfOurs,
} from './commit-bench.js'
import type { CommitJob, CommitResult, Expect } from './commit-job.js'
import {
  type MadeDirectory,
  type Newcomer,
  placeDirectory,
  type Replaced,
  removeFile,
  replace,
  takeAway,
} from './commit-replace.js'
import { type Attire, statOfWearer, type Wearer } from './dress.js'
import type { Dress, Shown } from './dress-job.js'
import { LINK_PREFIX } from './marker.js'
import { codeOf, isGone, isUnsupported, setTimes } from './safefs.js'
import { utimesTime } from './utimes.js'

type JobOf<Type extends CommitJob['type']> = CommitJob & { readonly type: Type }

const CHANGED: CommitResult = { status: 'changed' }

/** A file in the staging area with all that it is to have. */
export interface FinishedFile {
  readonly at: string
  readonly stat: DiskStat
  /** Only if its dress could not be set whole. */
  readonly shown?: Shown
}

export function commitFile(bench: Bench, job: JobOf<'file'>, staged: FinishedFile): CommitResult {
  const { at, stat, shown } = staged
  return bring(bench, job, { type: 'staged', at }, () => ours(bench, job, stat, shown))
}

/**
 * Another name for a file that has one already. The new name is made in the staging area first; if it is not of the file
 * that was expected, nothing was done.
 */
export function commitLink(bench: Bench, job: JobOf<'link'>): CommitResult {
  const { root } = bench
  let at: string
  try {
    const from = root.lstat(job.from)
    if (from?.type !== 'file' || !isExpected(bench, from, { type: 'stat', stat: job.fromStat }))
      return CHANGED
    at = holdInStaging((place) => bench.link(job.from, place), LINK_PREFIX)
  } catch (thrown) {
    if (isGone(thrown)) return CHANGED
    throw thrown
  }
  try {
    bench.step('named', job.path)
    const ours = root.lstat(at)!
    if (isTouched(ours, job.fromStat) || !isSameMetadata(ours, job.fromStat)) return CHANGED
    return bring(bench, job, { type: 'staged', at }, () => bare(statOfOurs(bench, job.path, ours)))
  } finally {
    if (root.lstat(at) !== undefined) root.unlink(at)
  }
}

/** The symlink is made in the staging area, so that it has its time before it has its name. */
export function commitSymlink(bench: Bench, job: JobOf<'symlink'>): CommitResult {
  const { root } = bench
  const at = holdInStaging((place) => root.symlink(job.target, place), LINK_PREFIX)
  try {
    const handle = root.handle(at)
    let shown: Shown | undefined
    try {
      shown = bench.dresser.dress({ fd: handle, isHandle: true, isSeen: false }, { dress: job.dress })
    } finally {
      fs.closeSync(handle)
    }
    root.setLinkTimes(at, utimesTime(job.mtimeUs))
    const stat = root.lstat(at)!
    return bring(bench, job, { type: 'staged', at }, () => ours(bench, { ...job, dress: {} }, stat, shown))
  } finally {
    if (root.lstat(at) !== undefined) root.unlink(at)
  }
}

export function commitDirectory(bench: Bench, job: JobOf<'mkdir'>): CommitResult {
  const made: { directory?: MadeDirectory } = {}
  const newcomer: Newcomer = { type: 'directory', mode: job.mode, dress: job.dress, made }
  return bring(bench, job, newcomer, () => {
    bench.inodes.add(job.path)
    const { stat, shown } = made.directory!
    const now = bench.root.lstat(job.path)
    const isOurs = now !== undefined && isAsExpected(now, stat) && isAsDressed(bench, job, shown)
    return { stat: isOurs ? now : undefined, shown }
  })
}

/** What has come of what was put at a path. */
interface Brought {
  /** Undefined if the user has changed it already. */
  readonly stat: DiskStat | undefined
  readonly shown: Shown | undefined
}

function ours(
  bench: Bench,
  job: { readonly path: RelPath; readonly dress?: Dress },
  stat: DiskStat,
  shown: Shown | undefined,
): Brought {
  const now = statOfOurs(bench, job.path, stat)
  return { stat: now !== undefined && isAsDressed(bench, job, shown) ? now : undefined, shown }
}

/**
 * Whether a path has the attributes that it got before it had its name. Our own links and renames have changed its ctime
 * since, so that only they can tell whether the user has, too.
 */
function isAsDressed(
  bench: Bench,
  { path, dress }: { readonly path: RelPath; readonly dress?: Dress },
  shown: Shown | undefined,
): boolean {
  if (dress?.attributes === undefined) return true
  const handle = bench.root.handle(path)
  try {
    return bench.dresser.isWearing({ fd: handle, isHandle: true, isSeen: true }, dress, shown)
  } finally {
    fs.closeSync(handle)
  }
}

/** Puts something where nothing, a file or a symlink is expected. `after` looks at what has come of it. */
function bring(
  bench: Bench,
  job: JobOf<'file' | 'link' | 'symlink' | 'mkdir'>,
  newcomer: Newcomer,
  after: () => Brought,
): CommitResult {
  const { path, expect } = job
  const now = bench.root.lstat(path)
  if (!isExpected(bench, now, expect)) return CHANGED
  bench.step('checked', path)
  if (now === undefined) {
    if (!bringAbsent(bench, newcomer, path)) return CHANGED
    return done({ type: 'done' }, after())
  }
  if (now.type === 'directory') return { status: 'blocked', code: 'IS_A_DIRECTORY' }
  if (now.type === 'other') return { status: 'blocked', code: 'NOT_CARRIED' }
  const replaced = replace(bench, newcomer, path, now, slipNameOf(job))
  return replaced.type === 'changed' ? CHANGED : done(replaced, after())
}

function bringAbsent(bench: Bench, newcomer: Newcomer, path: RelPath): boolean {
  if (newcomer.type === 'staged') return placeAbsent(bench, newcomer.at, path)
  try {
    if (!placeDirectory(bench, path, newcomer)) return false
  } catch (thrown) {
    if (codeOf(thrown) === 'EEXIST') return false
    throw thrown
  }
  bench.touchParent(path)
  return true
}

/** Takes away what is expected; a directory only if it is empty. Nothing there, as expected: done. */
export function commitRemove(bench: Bench, job: JobOf<'remove'>): CommitResult {
  const { path, expect } = job
  const now = bench.root.lstat(path)
  if (!isExpected(bench, now, expect)) return CHANGED
  if (now === undefined) return { status: 'done' }
  if (now.type === 'other') return { status: 'blocked', code: 'NOT_CARRIED' }
  bench.step('checked', path)
  if (now.type !== 'directory') {
    const removed = removeFile(bench, path, now, slipNameOf(job))
    return removed.type === 'changed' ? CHANGED : done(removed, bare(undefined))
  }
  try {
    bench.root.rmdir(path)
  } catch (thrown) {
    const code = codeOf(thrown)
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return { status: 'blocked', code: 'ENOTEMPTY' }
    if (code === 'ENOENT' || code === 'ENOTDIR') return CHANGED
    throw thrown
  }
  bench.touchParent(path)
  return { status: 'done' }
}

/** Mode and time of what is there; content stays. A mode for a symlink is ignored: it has none. */
export function commitMetadata(bench: Bench, job: JobOf<'metadata'>): CommitResult {
  const { root } = bench
  const now = root.lstat(job.path)
  if (now === undefined || !isExpected(bench, now, job.expect)) return CHANGED
  if (now.type === 'other') return { status: 'blocked', code: 'NOT_CARRIED' }
  if (now.type === 'directory' && !isShown(bench, job, now.dev)) return CHANGED
  bench.step('checked', job.path)
  return dressed(bench, job.path, now, now.type === 'symlink' ? { ...job, mode: undefined } : job)
}

/** The final mode and time of a directory, after its children. */
export function commitDirectoryEnd(bench: Bench, job: JobOf<'directory'>): CommitResult {
  const now = bench.root.lstat(job.path)
  if (now === undefined) return CHANGED
  if (now.type !== 'directory') return { status: 'blocked', code: 'NOT_A_DIRECTORY' }
  bench.step('checked', job.path)
  const result = dressed(bench, job.path, now, job)
  if (result.status !== 'done' || result.stat === undefined || result.shown !== undefined) return result
  // Looked at after the stat: what comes later moves the ctime.
  const attributes = attributesOf(bench, job.path, now.dev)
  return attributes === undefined ? result : { ...result, shown: { undressed: [], attributes } }
}

/** Whether a directory has the attributes that it is thought to have: its ctime moves with all that happens in it. */
function isShown(bench: Bench, { path, expectShown }: JobOf<'metadata'>, dev: number): boolean {
  return expectShown === undefined || isAsShown(Buffer.from(expectShown), attributesOf(bench, path, dev))
}

function attributesOf(bench: Bench, path: RelPath, dev: number): Buffer | undefined {
  if (!bench.dresser.isWide) return undefined
  const handle = bench.root.handle(path)
  try {
    return bench.dresser.attributesOf({ fd: handle, isHandle: true, isSeen: true }, dev)
  } finally {
    fs.closeSync(handle)
  }
}

/** Owner, attributes, mode and time to give to what is at a path. */
interface Change extends Attire {
  readonly mtimeUs: number
}

function dressed(bench: Bench, path: RelPath, now: DiskStat, change: Change): CommitResult {
  const after = dress(bench, path, now, change)
  if (after === undefined) return CHANGED
  const { stat, shown } = after
  const found = isTimeKept(stat, change.mtimeUs) ? bench.root.lstat(path) : undefined
  // No name of it changes here, so that whatever has happened since shows in the ctime.
  const isOurs = found !== undefined && sameStat(found, stat)
  return done({ type: 'done' }, { stat: isOurs ? found : undefined, shown })
}

/**
 * Sets all of it through a handle of the very inode that was looked at. Undefined, and the time left alone, if that has
 * another name now or was written to: a time set over a write that nobody has seen would hide it for ever.
 */
function dress(
  bench: Bench,
  path: RelPath,
  now: DiskStat,
  change: Change,
): { readonly stat: DiskStat; readonly shown: Shown | undefined } | undefined {
  const handle = bench.root.handle(path)
  const wearer: Wearer = { fd: handle, isHandle: true, isSeen: true }
  try {
    const before = statOfWearer(wearer)
    if (!isAsExpected(before, now)) return undefined
    bench.inodes.add(path)
    const had =
      change.dress?.attributes === undefined ? undefined : bench.dresser.attributesOf(wearer, before.dev)
    const putBack = (): void => {
      const { mode, uid, gid } = before
      const attributes = had === undefined ? {} : { attributes: had }
      bench.dresser.dress(wearer, { mode, dress: { uid, gid, ...attributes } })
    }
    let shown: Shown | undefined
    try {
      shown = bench.dresser.dress(wearer, change)
    } catch (thrown) {
      putBack()
      throw thrown
    }
    bench.step('dressing', path)
    // As late as can be: only the call after this one is not covered.
    if (now.type === 'file' && isTouched(statOfWearer(wearer), now)) {
      putBack()
      return undefined
    }
    setTimes(handle, utimesTime(change.mtimeUs))
    return { stat: statOfWearer(wearer), shown }
  } finally {
    fs.closeSync(handle)
  }
}

/** Whether this is the time that was set, perhaps as a coarser file system keeps it, and not that of a later write. */
function isTimeKept(stat: DiskStat, mtimeUs: number): boolean {
  const keptUs = mtimeUsOf(stat)
  if (keptUs === mtimeUs) return true
  // FAT keeps two seconds, others one or a millisecond; a write would show up to the nanosecond.
  return Math.abs(keptUs - mtimeUs) <= 2_000_000 && Number.isInteger(stat.mtimeMs)
}

/**
 * Renames the local version to a free name. The new name is a link before the old one goes, so that a crash leaves both
 * or one; a link that an earlier crash left is recognised by its inode.
 */
export function commitDisplace(bench: Bench, job: JobOf<'displace'>): CommitResult {
  const { root } = bench
  const { path, to } = job
  const now = root.lstat(path)
  if (now === undefined || !isExpected(bench, now, job.expect)) return CHANGED
  bench.step('checked', path)
  if (now.type === 'directory' || now.type === 'other') return renameIfFree(bench, path, to, now)
  try {
    bench.link(path, to)
  } catch (thrown) {
    const code = codeOf(thrown)
    if (code === 'ENOENT') return CHANGED
    if (code !== 'EEXIST') {
      if (isUnsupported(thrown)) return renameIfFree(bench, path, to, now)
      throw thrown
    }
    if (root.lstat(to)?.ino !== now.ino) return { status: 'blocked', code: 'EEXIST' }
  }
  bench.touchParent(to)
  bench.step('linked', path)
  // What is taken away now must be the inode that `to` has; a write into it goes along, whenever it comes.
  const held = reserveInStaging(root)
  if (!takeAway(bench, path, held, (taken) => taken?.ino === now.ino)) return CHANGED
  if (root.lstat(to)?.ino !== now.ino) {
    bringBack(bench, held, path, nameOf(path))
    return CHANGED
  }
  root.unlink(held)
  const after = root.lstat(to)
  return done({ type: 'done' }, bare(isTouched(after, now) ? undefined : after))
}

/** For what cannot be linked. A rename of a directory never replaces anything but an empty directory. */
function renameIfFree(bench: Bench, path: RelPath, to: RelPath, now: DiskStat): CommitResult {
  const { root } = bench
  if (root.lstat(to) !== undefined) return { status: 'blocked', code: 'EEXIST' }
  root.rename(path, to)
  bench.touchParent(path)
  bench.touchParent(to)
  const after = root.lstat(to)
  return done({ type: 'done' }, bare(isTouched(after, now) ? undefined : after))
}

function bare(stat: DiskStat | undefined): Brought {
  return { stat, shown: undefined }
}

function isExpected(bench: Bench, now: DiskStat | undefined, expect: Expect): boolean {
  if (expect.type === 'absent') return now === undefined
  return now !== undefined && (isAsExpected(now, expect.stat) || bench.isRelinked(now, expect.stat))
}

function done(
  replaced: Exclude<Replaced, { readonly type: 'changed' }>,
  { stat, shown }: Brought,
): CommitResult {
  const { archived, slipped, problem } = replaced
  return {
    status: 'done',
    ...(stat === undefined ? {} : { stat }),
    ...(archived === undefined ? {} : { archived }),
    ...(slipped === undefined ? {} : { slipped }),
    ...(problem === undefined ? {} : { problem }),
    ...(shown === undefined ? {} : { shown }),
  }
}
