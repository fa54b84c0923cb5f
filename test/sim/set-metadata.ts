// Metadata of what is on a simulated disk are set as a commit does it, through a descriptor of the inode: nothing is left
// half set at its path. Under another name that a user gives it meanwhile it is announced as it is; in a daemon it would have
// all of it by then, here nothing more is set.
import type { LiveFact } from '../../src/core/fact.js'
import type { RelPath } from '../../src/core/path.js'
import type { DiskStat } from '../../src/core/stat.js'
import { noted } from './disk.js'
import type { SimNode } from './node.js'
import { BARE, dressing } from './wardrobe.js'

/** The stat afterwards; 'touched': a user has changed it meanwhile; undefined: nothing is set. */
export function* setMetadata(
  { disk, world, options: { wardrobe } }: SimNode,
  path: RelPath,
  fact: LiveFact,
): Generator<void, DiskStat | 'touched' | undefined, void> {
  const { random } = world
  const inode = disk.tree.get(path)
  if (inode === undefined) return undefined
  const { stat: before, attributes, hasUsersMode } = inode
  let isOurs = true
  for (const _ of dressing(disk, inode, wardrobe.metadata.dress(fact, false, before.mode), wardrobe)) {
    const { stat } = inode
    if (wardrobe !== BARE && random.chance(0.2)) yield
    if (disk.tree.get(path) !== inode) return 'touched'
    isOurs &&= inode.stat === stat
  }
  const { stat } = inode
  if (random.chance(0.3)) yield
  if (disk.tree.get(path) !== inode) return 'touched'
  isOurs &&= inode.stat === stat
  const isWritten = inode.stat.size !== before.size || inode.stat.mtimeMs !== before.mtimeMs
  // Setting the time over a write that came in between would hide it.
  if (inode.type === 'file' && isWritten) {
    const { mode, uid, gid } = before
    disk.change(inode, { mode, uid, gid })
    Object.assign(inode, { attributes, hasUsersMode })
    return undefined
  }
  disk.set(path, { mtimeUs: fact.mtimeUs })
  if (!isOurs) return 'touched'
  noted(inode)
  return inode.stat
}
