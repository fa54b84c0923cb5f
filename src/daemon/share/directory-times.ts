// Times of directories, which every change inside them disturbs: what is noted of them when a batch has put them back.
import type { DirectoryFact } from '../../core/fact.js'
import type { RelPath } from '../../core/path.js'
import { isAsShown } from '../../core/shown.js'
import { type DiskStat, mtimeUsOf } from '../../core/stat.js'
import type { CommitResult } from '../../folder/commit.js'
import type { DiskRow } from '../../store/rows.js'
import type { ShareIndex } from '../../store/share-index.js'
import { asBuffer } from './dressing.js'

/** A ctime that no directory has. */
const NEVER_MS = 0

/** What a directory's attributes are to be compared with before others are set. */
export function shownIn(row: DiskRow | undefined): { readonly expectShown?: Buffer } {
  return row?.shown === undefined || row.stat?.type !== 'directory' ? {} : { expectShown: row.shown }
}

/** A directory shows other attributes than its row says, perhaps with the very same stat: the next look must see that. */
export function lookAgain(index: ShareIndex, path: RelPath): void {
  const row = index.disk(path)
  // Once: each such note makes the path be tried again at once, and what is tried is not looked at.
  if (row?.stat?.type !== 'directory' || row.stat.ctimeMs === NEVER_MS) return
  index.setDisk(path, { ...row, stat: { ...row.stat, ctimeMs: NEVER_MS } }, undefined)
}

/** Notes the stats of directories whose times were set, in the order of the results. Call inside a transaction. */
export function noteTimes(
  index: ShareIndex,
  directories: readonly RelPath[],
  results: readonly CommitResult[],
): void {
  directories.forEach((path, i) => {
    const result = results[i]!
    if (result.status !== 'done' || result.stat === undefined) return
    noteTime(index, path, result.stat, asBuffer(result.shown?.attributes))
  })
}

/** `attributes`: as it has them now, if any are carried. */
function noteTime(index: ShareIndex, path: RelPath, stat: DiskStat, attributes: Buffer | undefined): void {
  const row = index.disk(path)
  // Without a stat, somebody has changed what we have just put there, and it is looked at in any case.
  if (row?.stat === undefined || row.applied.fact.type !== 'directory' || row.drift !== undefined) return
  const { mtimeUs } = row.applied.fact
  const { mode, uid, gid } = row.stat
  // Anything else is for a scan to find, above all another directory that the user put there with all that is in it.
  if (row.stat.ino !== stat.ino) return
  // Its stat does not tell whether a user has changed its attributes meanwhile: our own work in it moves the ctime.
  if (!isAsShown(row.shown, attributes)) return
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
