// A file gets another name (A2): one rename(2), so that whoever lists the directory sees it exactly once. It is renamed
// to a free name only (renameat2 with RENAME_NOREPLACE): what a user puts there at that moment stays. Where the system
// has no such call, the file is linked to its new name first, which cannot replace anything either, and for two system
// calls it has both; where there are no links, nothing is done and the caller copies.
//
// The inode goes along, with its metadata and whatever is being written to it. Nothing is archived: nothing was lost.
import { nameOf } from '../core/path.js'
import { type DiskStat, sameStat } from '../core/stat.js'
import { reserveInStaging } from './archive.js'
import { type Bench, bringBack, slipNameOf, statOfOurs } from './commit-bench.js'
import type { CommitJob, CommitResult } from './commit-job.js'
import { takeAway } from './commit-replace.js'
import { codeOf, isGone, isUnsupported } from './safefs.js'

type MoveJob = CommitJob & { readonly type: 'move' }

const CHANGED: CommitResult = { status: 'changed' }

export function commitMove(bench: Bench, job: MoveJob): CommitResult {
  const { root } = bench
  const { from, path } = job
  const now = lookAt(bench, from)
  if (now?.type !== 'file' || root.lstat(path) !== undefined) return CHANGED
  if (!sameStat(now, job.expectFrom) && !bench.isRelinked(now, job.expectFrom)) return CHANGED
  bench.step('checked', path)
  try {
    bench.renameToFree(from, path)
  } catch (thrown) {
    if (isUnsupported(thrown)) return moveByLink(bench, job, now)
    if (codeOf(thrown) === 'ENOENT' || codeOf(thrown) === 'EEXIST') return CHANGED
    throw thrown
  }
  bench.touchParent(from)
  bench.touchParent(path)
  bench.step('moved', path)
  const after = root.lstat(path)
  if (after !== undefined && after.ino !== now.ino) return moveBack(bench, job)
  return done(statOfOurs(bench, path, now))
}

/** Undefined also if there is no way to it any more. */
function lookAt(bench: Bench, path: string): DiskStat | undefined {
  try {
    return bench.root.lstat(path)
  } catch (thrown) {
    if (isGone(thrown)) return undefined
    throw thrown
  }
}

/** A version of the user's had taken the old name: it gets that back, or if it is taken again, a name beside it (A3). */
function moveBack(bench: Bench, { from, path, slipName }: MoveJob): CommitResult {
  bench.step('slipping', path)
  try {
    bench.renameToFree(path, from)
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return CHANGED
    if (codeOf(thrown) !== 'EEXIST') throw thrown
    bringBack(bench, path, from, slipNameOf({ path: from, ...(slipName === undefined ? {} : { slipName }) }))
  }
  return CHANGED
}

/** Two names for a moment, never none, and none of them taken from anybody. */
function moveByLink(bench: Bench, { from, path }: MoveJob, now: DiskStat): CommitResult {
  const { root } = bench
  try {
    bench.link(from, path)
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT' || codeOf(thrown) === 'EEXIST') return CHANGED
    throw thrown
  }
  bench.touchParent(path)
  bench.step('linked', path)
  // What is taken away must be the inode that has the new name; a write into it goes along, whenever it comes.
  const held = reserveInStaging(root)
  if (!takeAway(bench, from, held, (taken) => taken?.ino === now.ino)) return CHANGED
  if (root.lstat(path)?.ino !== now.ino) {
    bringBack(bench, held, from, nameOf(from))
    return CHANGED
  }
  root.unlink(held)
  return done(statOfOurs(bench, path, now))
}

function done(stat: DiskStat | undefined): CommitResult {
  return { status: 'done', ...(stat === undefined ? {} : { stat }) }
}
