// Whether a file that a batch takes from a path keeps other names in the share: then its old version in the archive must not
// be that very file, which could be written to through them.
import type { RelPath } from '../../core/path.js'
import { isShared } from '../../store/links.js'
import type { DiskRow } from '../../store/rows.js'
import type { ShareIndex } from '../../store/share-index.js'
import { type ApplyTask, disturbsDirectory } from './apply-task.js'

/** A function that says so of a row of the batch. Each inode's names are walked once. */
export function othersStay(
  index: ShareIndex,
  batch: readonly ApplyTask[],
): (row: DiskRow | undefined) => boolean {
  let leaving: ReadonlySet<RelPath> | undefined
  const known = new Map<number, boolean>()
  return (row) => {
    const stat = row?.stat
    if (!isShared(stat)) return false
    let stays = known.get(stat.ino)
    if (stays === undefined) {
      leaving ??= new Set(batch.filter(disturbsDirectory).map(({ path }) => path))
      stays = index.links.names(stat.ino).some(({ path }) => !leaving!.has(path))
      known.set(stat.ino, stays)
    }
    return stays
  }
}
