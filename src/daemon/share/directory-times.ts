// Times of directories, which every change inside them disturbs: what is noted of them when a batch has put them back.
import type { DirectoryFact } from '../../core/fact.js'
import type { RelPath } from '../../core/path.js'
import { type DiskStat, mtimeUsOf } from '../../core/stat.js'
import type { CommitResult } from '../../folder/commit.js'
import type { ShareIndex } from '../../store/share-index.js'

/** Notes the stats of directories whose times were set, in the order of the results. Call inside a transaction. */
export function noteTimes(
  index: ShareIndex,
  directories: readonly RelPath[],
  results: readonly CommitResult[],
): void {
  directories.forEach((path, i) => {
    const result = results[i]!
    if (result.status === 'done' && result.stat !== undefined) noteTime(index, path, result.stat)
  })
}

function noteTime(index: ShareIndex, path: RelPath, stat: DiskStat): void {
  const row = index.disk(path)
  if (row === undefined || row.applied.fact.type !== 'directory' || row.drift !== undefined) return
  const { mtimeUs } = row.applied.fact
  const { mode, uid, gid } = row.stat ?? { ...stat, mode: row.applied.fact.mode }
  // Anything else is for a scan to find, above all another directory that the user put there with all that is in it.
  if (row.stat !== undefined && row.stat.ino !== stat.ino) return
  const isOurs = stat.mode === mode && stat.uid === uid && stat.gid === gid
  if (isOurs && mtimeUsOf(stat) === mtimeUs) index.setDisk(path, { ...row, stat }, undefined)
}

/** Those directories that are to have another time by now than was set. */
export function overtakenTimes(
  index: ShareIndex,
  directories: ReadonlyMap<RelPath, DirectoryFact>,
): Map<RelPath, DirectoryFact> {
  const overtaken = new Map<RelPath, DirectoryFact>()
  for (const [path, { mtimeUs }] of directories) {
    const row = index.disk(path)
    const fact = row?.drift === undefined ? row?.applied.fact : undefined
    if (fact?.type === 'directory' && fact.mtimeUs !== mtimeUs) overtaken.set(path, fact)
  }
  return overtaken
}
