// Commits: what the plan decided, brought to the disk (A1-A4, A6). A batch is done in order by one worker, so that a
// directory comes before what is in it and its final time after. For the batch as a whole:
//  1. all staged files of the batch get their owner, attributes, mode and time and are made durable before the first of them gets its name;
//  2. each job looks at its path first and does nothing if that is not as the index says (commit-steps.ts);
//  3. all names are made durable before any result is reported.
// One job that fails never stops the others. What the user has on the disk is in the tree or in the archive after every
// single system call, whatever the user does in between.
import fs from 'node:fs'
import { assertNever } from '../core/error.js'
import { pathFault, type RelPath } from '../core/path.js'
import { isShortage } from '../core/shortage.js'
import { type DiskStat, mtimeUsOf, sameStat, statOf } from '../core/stat.js'
import { Archive } from './archive.js'
import { Bench, type CommitProbe } from './commit-bench.js'
import type { CommitJob, CommitPayload, CommitResult } from './commit-job.js'
import { withLinks } from './commit-links.js'
import { commitMove } from './commit-move.js'
import {
  commitDirectory,
  commitDirectoryEnd,
  commitDisplace,
  commitFile,
  commitLink,
  commitMetadata,
  commitRemove,
  commitSymlink,
  type FinishedFile,
} from './commit-steps.js'
import { withUnlockedParents } from './commit-unlock.js'
import { Dresser, isOwner } from './dress.js'
import type { Shown } from './dress-job.js'
import { Durability, FEW, type SyncCalls, systemSyncCalls } from './durable.js'
import { ARCHIVE_DIR, STAGING_DIR, stagedPath } from './marker.js'
import { codeOf, type Fault, faultOf, PathFault, SafeRoot, setMode } from './safefs.js'
import { utimesTime } from './utimes.js'

export type { CommitJob, CommitOptions, CommitPayload, CommitResult, Expect } from './commit-job.js'

/** For tests: see CommitProbe; and system calls that count, fail and remember their order. */
export interface BatchProbe extends CommitProbe {
  readonly syncCalls?: SyncCalls
}

/** Runs a batch on this thread. Never throws for what a disk does; one result a job, in order. */
export function commitBatch(payload: CommitPayload, probe: BatchProbe = {}): CommitResult[] {
  let root: SafeRoot
  try {
    root = new SafeRoot(payload.root)
  } catch (thrown) {
    return payload.jobs.map(() => failed(faultOf(thrown)))
  }
  const { expectRoot } = payload.options
  const found = root.rootStat()
  if (expectRoot !== undefined && (found.ino !== expectRoot.ino || found.dev !== expectRoot.dev)) {
    root.close()
    const detail = 'the root is another directory than before'
    return payload.jobs.map(() => failed({ code: 'ROOT_CHANGED', detail }))
  }
  try {
    // Also what tells an empty mount point from the share, between two looks at the marker (A5).
    root.directory(STAGING_DIR)
    root.directory(ARCHIVE_DIR)
  } catch (thrown) {
    root.close()
    const { code, detail } = faultOf(thrown)
    return payload.jobs.map(() => failed({ code: isShortage(code) ? code : 'OWN_DIR_UNUSABLE', detail }))
  }
  try {
    return runBatch(root, payload, probe)
  } finally {
    root.close()
  }
}

function runBatch(root: SafeRoot, { jobs, options }: CommitPayload, probe: BatchProbe): CommitResult[] {
  const touched = new Set<string>()
  const kept = new Archive(root, true, options.atMs, touched)
  const dropped = new Archive(root, false, options.atMs, touched)
  const dresser = new Dresser(options.scope)
  const bench = new Bench(root, kept, touched, dresser, probe)
  const durability = new Durability(root, STAGING_DIR, probe.syncCalls ?? systemSyncCalls)
  const staged = prepareStaged(root, jobs, dresser, durability)
  bench.step('prepared', '')
  const results = jobs.map((job) => {
    const keeps = ('archive' in job ? job.archive : undefined) ?? options.archive
    bench.archive = keeps ? kept : dropped
    bench.copiesOld = 'copyOld' in job && job.copyOld === true
    return runJob(bench, job, staged)
  })
  bench.step('committed', '')
  const fault = durability.settle(bench.directories, bench.inodes)
  if (fault === undefined) return results
  const detail = `done, but not durable yet: ${fault.detail}`
  return results.map((result) =>
    result.status === 'done' ? failed({ code: 'NOT_DURABLE', detail }) : result,
  )
}

/** A staged file that may get its name, or why not. */
type Staged = FinishedFile | Fault

function prepareStaged(
  root: SafeRoot,
  jobs: readonly CommitJob[],
  dresser: Dresser,
  durability: Durability,
): ReadonlyMap<string, Staged> {
  const files = jobs.filter((job) => job.type === 'file')
  const isFew = files.length <= FEW
  const staged = new Map<string, Staged>()
  const prepare = (job: (typeof files)[number], sync: boolean): void => {
    try {
      staged.set(job.token, prepareFile(root, job, dresser, sync ? durability : undefined))
    } catch (thrown) {
      staged.set(job.token, faultOf(thrown))
    }
  }
  // A file that its owner may not read could not be opened again, if it comes to that below.
  for (const job of files) prepare(job, isFew || (job.mode & 0o400) === 0)
  if (isFew || durability.everything()) return staged
  for (const job of files) if ((job.mode & 0o400) !== 0) prepare(job, true)
  return staged
}

function prepareFile(
  root: SafeRoot,
  job: CommitJob & { readonly type: 'file' },
  dresser: Dresser,
  durability: Durability | undefined,
): Staged {
  const at = stagedPath(job.token)
  if (durability === undefined) {
    const found = root.lstat(at)
    if (found !== undefined && mayBeOurs(found, job) && isFinished(found, job))
      return { at, stat: found, ...shownOf(job, found) }
  }
  const fd = openStaged(root, at)
  if (fd === undefined) return unusable('there is none')
  try {
    const found = fs.fstatSync(fd)
    if (!found.isFile()) return unusable('it is not a file')
    // Another name may lead to it, and be the user's file: what is done to it here would be done to that.
    if (found.nlink !== 1) return unusable('it has another name')
    if (found.size !== job.size) return unusable(`it has ${found.size} bytes, not ${job.size}`)
    const before = statOf(found)
    if (!mayBeOurs(before, job)) return unusable('it is another one than was staged')
    if (isFinished(before, job)) {
      durability?.fsync(fd)
      return { at, stat: before, ...shownOf(job, before) }
    }
    const shown = dresser.dress({ fd, isHandle: false, isSeen: false }, job)
    if (mtimeUsOf(before) !== job.mtimeUs) {
      const time = utimesTime(job.mtimeUs)
      fs.futimesSync(fd, time, time)
    }
    durability?.fsync(fd)
    return { at, stat: statOf(fs.fstatSync(fd)), ...(shown === undefined ? {} : { shown }) }
  } finally {
    fs.closeSync(fd)
  }
}

/** Whether a staged file is as its job wants it: staging usually leaves it so, and it need not be opened again. */
function isFinished(found: DiskStat, job: CommitJob & { readonly type: 'file' }): boolean {
  const isAsIs = found.type === 'file' && found.nlink === 1 && found.size === job.size
  if (isAsIs && isAsStaged(found, job)) return true
  return (
    isAsIs &&
    found.mode === job.mode &&
    mtimeUsOf(found) === job.mtimeUs &&
    (job.dress === undefined || (job.dress.attributes === undefined && isOwner(found, job.dress)))
  )
}

/**
 * Not what somebody put there who owns the share's root, and so can put another staging area in the place of ours: his
 * content would become a file of whoever the share says, perhaps with set-user-id.
 */
function mayBeOurs(
  { ino, uid }: DiskStat,
  { staged, dress }: CommitJob & { readonly type: 'file' },
): boolean {
  if (staged !== undefined && ino !== staged.stat.ino) return false
  const me = process.geteuid?.()
  return me !== 0 || uid === me || uid === staged?.stat.uid || uid === dress?.uid
}

/** Whether nobody has touched it since staging gave it all that the job wants; a stat alone tells nothing of attributes. */
function isAsStaged(found: DiskStat, { staged }: CommitJob & { readonly type: 'file' }): boolean {
  return staged !== undefined && sameStat(found, staged.stat)
}

function shownOf(job: CommitJob & { readonly type: 'file' }, found: DiskStat): { readonly shown?: Shown } {
  const shown = isAsStaged(found, job) ? job.staged?.shown : undefined
  return shown === undefined ? {} : { shown }
}

function unusable(why: string): Fault {
  return { code: 'STAGED_UNUSABLE', detail: `the staged file cannot be used: ${why}` }
}

/** Undefined if there is nothing usable of that name. */
function openStaged(root: SafeRoot, at: string): number | undefined {
  try {
    return root.open(at)
  } catch (thrown) {
    const code = codeOf(thrown)
    if (code === 'ENOENT' || code === 'ELOOP') return undefined
    if (code !== 'EACCES') throw thrown
    // An earlier attempt gave it a mode without reading for its owner.
    const handle = root.handle(at)
    try {
      if (fs.fstatSync(handle).isFile()) setMode(handle, 0o600)
    } finally {
      fs.closeSync(handle)
    }
    return root.open(at)
  }
}

function runJob(bench: Bench, job: CommitJob, staged: ReadonlyMap<string, Staged>): CommitResult {
  try {
    checkJob(job)
    return perform(bench, job, staged)
  } catch (thrown) {
    if (codeOf(thrown) !== 'EACCES') return refused(thrown)
    try {
      return withUnlockedParents(bench.root, pathsOf(job), thrown, () => perform(bench, job, staged))
    } catch (again) {
      return refused(again)
    }
  }
}

function perform(bench: Bench, job: CommitJob, staged: ReadonlyMap<string, Staged>): CommitResult {
  return withLinks(bench, job, () => performAlone(bench, job, staged))
}

function performAlone(bench: Bench, job: CommitJob, staged: ReadonlyMap<string, Staged>): CommitResult {
  switch (job.type) {
    case 'file': {
      const file = staged.get(job.token)!
      return 'code' in file ? failed(file) : commitFile(bench, job, file)
    }
    case 'link':
      return commitLink(bench, job)
    case 'symlink':
      return commitSymlink(bench, job)
    case 'mkdir':
      return commitDirectory(bench, job)
    case 'metadata':
      return commitMetadata(bench, job)
    case 'remove':
      return commitRemove(bench, job)
    case 'directory':
      return commitDirectoryEnd(bench, job)
    case 'displace':
      return commitDisplace(bench, job)
    case 'move':
      return commitMove(bench, job)
    default:
      return assertNever(job)
  }
}

/** The caller's types say this already; a mistake here would write into our own folder or out of the share. */
function checkJob(job: CommitJob): void {
  for (const path of pathsOf(job)) {
    const fault = pathFault(path)
    if (fault !== undefined) throw new PathFault('BAD_PATH', fault)
  }
  if (!('slipName' in job) || job.slipName === undefined) return
  if (job.slipName.includes('/') || pathFault(job.slipName) !== undefined)
    throw new PathFault('BAD_PATH', 'slipName is not a name')
}

/** The names that a job is about. */
function pathsOf(job: CommitJob): RelPath[] {
  if (job.type === 'displace') return [job.path, job.to]
  return 'from' in job ? [job.from, job.path] : [job.path]
}

function refused(thrown: unknown): CommitResult {
  if (thrown instanceof PathFault && thrown.code !== 'BAD_PATH')
    return { status: 'blocked', code: thrown.code }
  return failed(faultOf(thrown))
}

function failed({ code, detail }: Fault): CommitResult {
  return { status: 'failed', code, detail }
}
