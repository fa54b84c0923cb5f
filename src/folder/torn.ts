// Takes away what a fill of a new folder (fill.ts) left half done when it was killed or the power went: ours, and nobody's
// version of anything, so that it is not kept as what stood in the way would be.
import { mtimeUsOf } from '../core/stat.js'
import { isGone, SafeRoot } from './safefs.js'
import type { RootIdentity } from './scan.js'
import { TORN_MODE } from './torn-mode.js'

export interface TornPayload {
  readonly root: string
  readonly expectRoot: RootIdentity
  readonly files: readonly {
    readonly path: string
    /** As the file is to be in the end. */
    readonly size: number
    readonly mtimeUs: number
  }[]
}

/**
 * Removes those of the files that are torn: they still have the mode that a file has while it is written, or they have the
 * time that they are to have and not the size, as after a power cut. How many that were. Throws what the system says.
 */
export function removeTorn({ root: place, expectRoot, files }: TornPayload): number {
  const root = new SafeRoot(place)
  try {
    const { dev, ino } = root.rootStat()
    if (dev !== expectRoot.dev || ino !== expectRoot.ino) return 0
    return files.filter((file) => isRemoved(root, file)).length
  } finally {
    root.close()
  }
}

function isRemoved(root: SafeRoot, { path, size, mtimeUs }: TornPayload['files'][number]): boolean {
  try {
    const found = root.lstat(path)
    if (found?.type !== 'file' || found.nlink !== 1) return false
    const isHalf = found.mode === TORN_MODE || (mtimeUsOf(found) === mtimeUs && found.size < size)
    if (isHalf) root.unlink(path)
    return isHalf
  } catch (thrown) {
    // Its directory is not there, or something else is: what that means the scan finds out.
    if (isGone(thrown) || (thrown as { code?: unknown }).code === 'SYMLINK_IN_PATH') return false
    throw thrown
  }
}
