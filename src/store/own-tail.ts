// Own records that are taken over at a start: which of their entries say what the disk held (A4).
import { isConflictCopy } from '../core/conflict.js'
import type { Entry } from '../core/entry.js'
import type { Applied } from '../core/local.js'
import { compareVersions, type Version } from '../core/version.js'

/**
 * Whether an own entry is one that a look at the disk made, not one that settled something: it starts from what the row
 * says was applied. A new conflict copy or a directory may have been made to settle.
 */
export function wasOnDisk(entry: Entry, { version, fact }: Applied): boolean {
  const others = (of: Version): Version => of.filter(([writer]) => writer !== entry.author)
  if (compareVersions(others(entry.version), others(version)) !== 'equal') return false
  // A directory is made to settle only where something was said before.
  if (entry.type === 'directory')
    return fact.type === 'directory' || (version.length === 0 && !isConflictCopy(entry.path))
  return fact.type !== 'absent' || (entry.type !== 'tombstone' && !isConflictCopy(entry.path))
}
