// Putting something new where a file or symlink is (A2, A3). The name never goes missing and never shows half a file,
// and what was there is never lost, whatever the user does meanwhile and wherever a crash falls:
//  1. the new thing is linked to a place in the archive that is free ("the hold");
//  2. renameat2(RENAME_EXCHANGE) swaps the hold with the path, so that the hold has whatever was there at that moment;
//  3. what the hold has now is looked at: if it is not what was expected, it is a user's version that slipped in, and is
//     brought back beside the path as an ordinary file.
// A rename over the path could do 2 and 3 for a write into the old file, but not for an editor that saves by renaming a
// new file over the path: that one would be gone. It remains the way where the file system cannot exchange; there the
// old file is linked (or, without links, copied) into the archive first, and the window for such an editor is the time
// between two system calls.
import fs from 'node:fs'
import { nameOf, type RelPath } from '../core/path.js'
import { type DiskStat, sameStat, statOf } from '../core/stat.js'
import { holdInStaging } from './archive.js'
import { type Bench, bringBack, isTouched, placeAbsent } from './commit-bench.js'
import { copyTo, unshare } from './commit-unshare.js'
import { statOfWearer, type Wearer } from './dress.js'
import type { Dress, Shown } from './dress-job.js'
import { DIRECTORY_PREFIX } from './marker.js'
import { codeOf, faultOf, isUnsupported } from './safefs.js'
import { utimesTime } from './utimes.js'

/** What is to be at the path. */
export type Newcomer =
  /** A finished file or symlink at a path in the staging area. */
  { readonly type: 'staged'; readonly at: string } | NewDirectory

/** A directory to be made, and a place to say what has come of it. */
export interface NewDirectory {
  readonly type: 'directory'
  readonly mode: number
  readonly dress: Dress | undefined
  readonly made: { directory?: MadeDirectory }
}

export interface MadeDirectory {
  readonly stat: DiskStat
  /** Only if its dress could not be set whole. */
  readonly shown: Shown | undefined
}

export type Replaced =
  | {
      readonly type: 'done'
      /** Relative to the archive. */
      readonly archived?: string
      /** Where a version of the user's that slipped in lies now. */
      readonly slipped?: RelPath
      /** That version could not be brought back; `detail` says where in `.shoal` it lies. */
      readonly problem?: { readonly code: string; readonly detail: string }
    }
  /** Nothing was done: the path has changed since it was looked at. */
  | { readonly type: 'changed' }

/** `expected` is what lstat has just said of the path: a file or a symlink. */
export function replace(
  bench: Bench,
  newcomer: Newcomer,
  path: RelPath,
  expected: DiskStat,
  slipName: string,
): Replaced {
  const held = holdNewcomer(bench, newcomer, path)
  bench.step('held', path)
  try {
    bench.exchange(held.at, path)
  } catch (thrown) {
    held.undo()
    if (codeOf(thrown) === 'ENOENT') return { type: 'changed' }
    if (isUnsupported(thrown)) return replaceByRename(bench, newcomer, path, expected, slipName)
    throw thrown
  }
  bench.touchParent(path)
  bench.step('exchanged', path)
  const result = judgeHeld(bench, held.at, path, expected, slipName)
  held.finish()
  bench.step('finished', path)
  return result
}

/** The newcomer at a place that is ours; `undo` before the exchange, `finish` after. */
interface HeldNewcomer {
  readonly at: string
  undo(): void
  finish(): void
}

function holdNewcomer(bench: Bench, newcomer: Newcomer, path: RelPath): HeldNewcomer {
  const { root, archive } = bench
  if (newcomer.type === 'directory') {
    const at = archive.hold(path, (place) => makeDirectory(bench, place, newcomer))
    return { at, undo: () => root.rmdir(at), finish: () => undefined }
  }
  const source = newcomer.at
  try {
    const at = archive.hold(path, (place) => bench.link(source, place))
    return { at, undo: () => root.unlink(at), finish: () => root.unlink(source) }
  } catch (thrown) {
    if (!isUnsupported(thrown)) throw thrown
    const at = archive.reserve(path)
    root.rename(source, at)
    return { at, undo: () => root.rename(at, source), finish: () => undefined }
  }
}

/**
 * Makes a directory with exactly this mode, whatever the umask and a setgid parent say, and dresses it. EEXIST if the name
 * is taken.
 */
function makeDirectory(bench: Bench, path: string, { mode, dress, made }: NewDirectory): void {
  const { root } = bench
  root.mkdir(path, dress === undefined ? mode : mode & 0o700)
  try {
    const handle = root.handle(path)
    try {
      const wearer: Wearer = { fd: handle, isHandle: true, isSeen: false }
      const shown = bench.dresser.dress(wearer, { mode, dress })
      made.directory = { stat: statOfWearer(wearer), shown }
    } finally {
      fs.closeSync(handle)
    }
  } catch (thrown) {
    root.rmdir(path)
    throw thrown
  }
}

/**
 * Makes a directory where nothing is; false, or EEXIST, if something is by now. One that is to be dressed is so before it
 * has its name: neither users nor a crash see it with another owner. A rename does not tell an empty directory that the
 * user makes at this very moment from none: that one is dressed as ours, and keeps nothing of its own, having nothing.
 */
export function placeDirectory(bench: Bench, path: RelPath, newcomer: NewDirectory): boolean {
  const { root } = bench
  if (newcomer.dress === undefined) {
    makeDirectory(bench, path, newcomer)
    return true
  }
  // Asked first, lest a directory above that is not there is taken for something in the way.
  if (root.lstat(path) !== undefined) return false
  const at = holdInStaging((place) => makeDirectory(bench, place, newcomer), DIRECTORY_PREFIX)
  bench.step('made', path)
  try {
    if (root.lstat(path) === undefined) {
      root.rename(at, path)
      bench.step('placed', path)
      return true
    }
  } catch (thrown) {
    if (!IS_TAKEN.has(codeOf(thrown))) throw thrown
  } finally {
    if (root.lstat(at) !== undefined) root.rmdir(at)
  }
  return false
}

const IS_TAKEN: ReadonlySet<string> = new Set(['EEXIST', 'ENOTEMPTY', 'ENOTDIR'])

/** What was at the path is held now: keeps it as the archived version, or brings it back if it is another one. */
function judgeHeld(
  bench: Bench,
  held: string,
  path: RelPath,
  expected: DiskStat,
  slipName: string,
): Replaced {
  if (!isTouched(bench.root.lstat(held), expected)) return settled(bench, held)
  return slip(bench, held, path, slipName)
}

function settled(bench: Bench, held: string): Replaced {
  if (bench.copiesOld && bench.archive.keeps) unshare(bench, held)
  const archived = bench.archive.settle(held)
  return archived === undefined ? { type: 'done' } : { type: 'done', archived }
}

function slip(bench: Bench, held: string, path: RelPath, slipName: string): Replaced {
  try {
    bench.step('slipping', path)
    return { type: 'done', slipped: bringBack(bench, held, path, slipName) }
  } catch (thrown) {
    // It stays where it is, under a name that cleaning never removes; the new version is in place all the same.
    const { code, detail } = faultOf(thrown)
    return { type: 'done', problem: { code, detail: `${detail}; the version is kept at ${held}` } }
  }
}

function replaceByRename(
  bench: Bench,
  newcomer: Newcomer,
  path: RelPath,
  expected: DiskStat,
  slipName: string,
): Replaced {
  if (newcomer.type === 'directory') return replaceByDirectory(bench, newcomer, path, expected)
  const kept = keepOld(bench, path, expected)
  if (kept === undefined) return { type: 'changed' }
  try {
    bench.step('kept', path)
    if (isTouched(bench.root.lstat(path), expected) || isTouched(kept.now(), expected)) {
      kept.undo()
      return { type: 'changed' }
    }
    bench.root.rename(newcomer.at, path)
    bench.touchParent(path)
    bench.step('renamed', path)
    if (isTouched(kept.now(), expected)) return kept.slip(slipName)
    return kept.at === undefined ? { type: 'done' } : settled(bench, kept.at)
  } finally {
    kept.close()
  }
}

/** The old version with a second hold on it, by a link or by a descriptor. */
interface KeptOld {
  /** Undefined if the old version is not to be archived and could not be linked. */
  readonly at: string | undefined
  /** What the old inode is like now. */
  now(): DiskStat | undefined
  undo(): void
  slip(slipName: string): Replaced
  close(): void
}

function keepOld(bench: Bench, path: RelPath, expected: DiskStat): KeptOld | undefined {
  const { root, archive } = bench
  try {
    const at = archive.hold(path, (place) => bench.link(path, place))
    return {
      at,
      now: () => root.lstat(at),
      undo: () => dropLink(bench, at),
      slip: (slipName) => slip(bench, at, path, slipName),
      close: () => undefined,
    }
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return undefined
    if (!isUnsupported(thrown)) throw thrown
  }
  return expected.type === 'symlink' ? copySymlink(bench, path, expected) : copyFile(bench, path, expected)
}

/** Removes a link of ours; not if it has become the only one, since then it is all that is left of that version. */
function dropLink(bench: Bench, at: string): void {
  const stat = bench.root.lstat(at)
  if (stat !== undefined && stat.nlink > 1) bench.root.unlink(at)
}

/** A symlink cannot be written to, only replaced, so a copy of its target is all there is to keep. */
function copySymlink(bench: Bench, path: RelPath, expected: DiskStat): KeptOld {
  const { root, archive } = bench
  const target = root.readlink(path).toString()
  const at = archive.keeps ? archive.hold(path, (place) => root.symlink(target, place)) : undefined
  if (at !== undefined) {
    const handle = root.handle(at)
    try {
      const { uid, gid } = expected
      bench.dresser.dress({ fd: handle, isHandle: true, isSeen: false }, { dress: { uid, gid } })
    } finally {
      fs.closeSync(handle)
    }
    root.setLinkTimes(at, utimesTime(Math.round(expected.mtimeMs * 1000)))
  }
  return {
    at,
    now: () => expected,
    undo: () => (at === undefined ? undefined : root.unlink(at)),
    slip: () => ({ type: 'done' }),
    close: () => undefined,
  }
}

function copyFile(bench: Bench, path: RelPath, expected: DiskStat): KeptOld | undefined {
  const { root, archive } = bench
  const old = root.open(path)
  try {
    if (!sameStat(statOf(fs.fstatSync(old)), expected)) {
      fs.closeSync(old)
      return undefined
    }
    const at = archive.keeps ? archive.hold(path, (place) => copyTo(bench, old, expected, place)) : undefined
    return {
      at,
      now: () => statOf(fs.fstatSync(old)),
      undo: () => (at === undefined ? undefined : root.unlink(at)),
      slip: (slipName) => {
        // The inode has no name any more, but we have it open: its content can still be saved.
        const held = archive.hold(path, (place) => copyTo(bench, old, statOf(fs.fstatSync(old)), place))
        return slip(bench, held, path, slipName)
      },
      close: () => fs.closeSync(old),
    }
  } catch (thrown) {
    fs.closeSync(old)
    throw thrown
  }
}

/** Without exchange there is a moment in which the name is missing; the file is in the archive by then. */
function replaceByDirectory(
  bench: Bench,
  newcomer: NewDirectory,
  path: RelPath,
  expected: DiskStat,
): Replaced {
  const removed = removeFile(bench, path, expected)
  if (removed.type === 'changed') return removed
  try {
    if (!placeDirectory(bench, path, newcomer)) return { type: 'changed' }
  } catch (thrown) {
    if (codeOf(thrown) === 'EEXIST') return { type: 'changed' }
    throw thrown
  }
  bench.touchParent(path)
  return removed
}

/** Takes a file or symlink away into the archive; what is not the expected one stays. */
export function removeFile(
  bench: Bench,
  path: RelPath,
  expected: DiskStat,
  slipName: string = nameOf(path),
): Replaced {
  const held = bench.archive.reserve(path)
  const isRight = (taken: DiskStat | undefined): boolean => !isTouched(taken, expected)
  if (!takeAway(bench, path, held, isRight, slipName)) return { type: 'changed' }
  return settled(bench, held)
}

/**
 * Renames a file or symlink to a place that is reserved for it, so that whatever is there at that moment is kept; then
 * looks at it. What is not right goes back to its name, or beside it if that is taken again, and the answer is false.
 */
export function takeAway(
  bench: Bench,
  path: RelPath,
  held: string,
  isRight: (taken: DiskStat | undefined) => boolean,
  slipName: string = nameOf(path),
): boolean {
  bench.step('reserved', path)
  try {
    bench.root.rename(path, held)
  } catch (thrown) {
    bench.root.unlink(held)
    const code = codeOf(thrown)
    // ENOTDIR: a directory has taken the name.
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw thrown
  }
  bench.touchParent(path)
  bench.step('taken', path)
  if (isRight(bench.root.lstat(held))) return true
  bench.step('slipping', path)
  if (!placeAbsent(bench, held, path)) bringBack(bench, held, path, slipName)
  return false
}
