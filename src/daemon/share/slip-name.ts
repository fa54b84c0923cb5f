// A name for what slips in.
import { conflictPathAt } from '../../core/conflict.js'
import { nameOf, type RelPath } from '../../core/path.js'
import { type DiskStat, mtimeUsOf } from '../../core/stat.js'

/** A name (no path) beside the path, for a write of the user's that slips in while the file is replaced or moved (A3). */
export function slipNameOf(path: RelPath, stat: DiskStat): string {
  return nameOf(conflictPathAt(path, mtimeUsOf(stat), 'local'))
}
