// The last thing of a restore: what was written survives a power cut before anybody is told that it is there. By one sync of
// the file system; where that cannot be asked for, of each path.
import { ShoalError } from '../../core/error.js'
import type { RelPath } from '../../core/path.js'
import type { PieceKeys } from '../../core/piece.js'
import type { FillStep } from '../../folder/fill-job.js'
import type { FolderPool } from '../../folder/pool.js'
import type { RootIdentity } from '../../folder/scan.js'
import type { SyncAhead } from './sync-ahead.js'

export interface DurableTree {
  readonly dir: string
  readonly root: RootIdentity
  readonly keys: PieceKeys
  readonly pool: FolderPool
  /** What has begun with it, if anything has. */
  readonly ahead?: SyncAhead
  /** Asked for only where they are needed. */
  readonly files: () => Iterable<RelPath>
  readonly directories: () => Iterable<RelPath>
}

/** Names in one job. */
const STEP_NAMES = 1000

/** Throws IO: what was written may not be there after a power cut, and no other way would change that. */
export async function makeDurable(tree: DurableTree): Promise<void> {
  const { dir, root, keys, pool } = tree
  const sync = async (step: FillStep): Promise<string | undefined> => {
    const { faults } = await pool.fill(dir, root, keys, step)
    return faults[0]?.detail
  }
  const isDurable = await tree.ahead?.finish()
  if (isDurable === true) return
  if (isDurable === undefined && (await sync({ type: 'sync' })) === undefined) return
  const fail = (detail: string | undefined): void => {
    if (detail !== undefined)
      throw new ShoalError('IO', `what was restored to ${dir} is not durable: ${detail}`)
  }
  for (const files of slices(tree.files())) fail(await sync({ type: 'sync', files }))
  for (const directories of slices(tree.directories())) fail(await sync({ type: 'sync', directories }))
}

function* slices(all: Iterable<RelPath>): Generator<RelPath[]> {
  let some: RelPath[] = []
  for (const path of all) {
    some.push(path)
    if (some.length < STEP_NAMES) continue
    yield some
    some = []
  }
  if (some.length > 0) yield some
}
