// What a job does to the links of a file that has several: the count and the ctime of the inode, and with them the stat of
// all its other names. They are looked at through handles before and after the job, so that the next job of the batch
// still knows the file for what it was, and the index can note what its other names show now.
import fs from 'node:fs'
import { type DiskStat, sameStat, statOf } from '../core/stat.js'
import type { Bench } from './commit-bench.js'
import type { CommitJob, CommitResult } from './commit-job.js'
import { isGone } from './safefs.js'

interface Watched {
  readonly handle: number
  readonly before: DiskStat
}

/** Runs a job and tells the bench, and the result, what it did to the links of files that it was not to change else. */
export function withLinks(bench: Bench, job: CommitJob, perform: () => CommitResult): CommitResult {
  const old = 'expect' in job && job.type !== 'metadata' ? watchOld(bench, job) : undefined
  const isLinked = job.type === 'link' || (job.type === 'move' && job.expectFrom.nlink > 1)
  const from = isLinked ? watch(bench, job.from) : undefined
  try {
    const result = perform()
    if (result.status !== 'done') return result
    if (from !== undefined) note(bench, from)
    if (old === undefined) return result
    const left = note(bench, old)
    return left.nlink === 0 ? result : { ...result, left }
  } finally {
    for (const watched of [old, from]) if (watched !== undefined) fs.closeSync(watched.handle)
  }
}

/** Only for a file that has several names: nobody asks about others. */
function watchOld(
  bench: Bench,
  {
    path,
    expect,
  }: CommitJob & { readonly type: 'file' | 'link' | 'symlink' | 'mkdir' | 'remove' | 'displace' },
): Watched | undefined {
  if (expect.type === 'absent' || expect.stat.type !== 'file' || expect.stat.nlink === 1) return undefined
  return watch(bench, path)
}

/** Undefined if there is nothing; the job itself says so. */
function watch(bench: Bench, path: string): Watched | undefined {
  try {
    const handle = bench.root.handle(path)
    return { handle, before: statOf(fs.fstatSync(handle)) }
  } catch (thrown) {
    if (isGone(thrown)) return undefined
    throw thrown
  }
}

function note(bench: Bench, { handle, before }: Watched): DiskStat {
  const now = statOf(fs.fstatSync(handle))
  // A write that came meanwhile must not pass for ours.
  if (sameStat({ ...before, ctimeMs: now.ctimeMs }, now)) bench.noteLinks(before, now)
  return now
}
