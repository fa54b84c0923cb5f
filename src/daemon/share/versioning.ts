// Whether what is replaced or deleted goes to the archive (`use_sync_trash`, `max_file_size_for_versioning`). A large
// file may be spared the archive only if losing it loses nothing that anybody wrote here alone: the version on the disk
// is one that somebody else has already built upon, which can only be done by a device that had it on its own disk (V1).
// So a reader's own change, the losing side of a double edit, and whatever the index does not know are kept at any size.
import { compareVersions, type Version } from '../../core/version.js'
import type { DiskRow } from '../../store/rows.js'

export interface Versioning {
  /** Keep replaced and deleted files. */
  readonly archive: boolean
  /** Larger files are not kept; Infinity: all are. */
  readonly maxBytes: number
}

/**
 * What a commit job says of its path's old version: true or false, or undefined for what the batch says (`archive`).
 * `heads` are the versions of the path that no other replaces.
 */
export function archiveChoice(
  row: DiskRow | undefined,
  heads: readonly { readonly version: Version }[],
  { archive, maxBytes }: Versioning,
): boolean | undefined {
  // A reader's own change is always kept when the share's state replaces it, archive or not.
  if (row?.drift !== undefined) return true
  if (!archive || row?.stat?.type !== 'file' || row.stat.size <= maxBytes) return undefined
  const { fact, version } = row.applied
  const isKnown = fact.type === 'file' && fact.size === row.stat.size
  const isBuiltUpon = heads.some((head) => compareVersions(version, head.version) === 'before')
  return isKnown && isBuiltUpon ? false : undefined
}
