// Own records that are taken over at a start: which of their entries say what the disk held (A4).
import { isConflictCopy } from '../core/conflict.js'
import type { DirectoryEntry, Entry } from '../core/entry.js'
import { factOf, sameFact } from '../core/fact.js'
import type { Applied } from '../core/local.js'
import { DEFAULT_DIRECTORY } from '../core/tree.js'
import { compareVersions, type Version } from '../core/version.js'

/**
 * Whether an own entry is one that a look at the disk made, not one that settled something: it starts from what the row
 * says was applied, and says nothing for another device. A new conflict copy or a directory may have been made to settle.
 */
export function wasOnDisk(entry: Entry, { version, fact }: Applied): boolean {
  if (entry.origin !== entry.author) return false
  const others = (of: Version): Version => of.filter(([writer]) => writer !== entry.author)
  if (compareVersions(others(entry.version), others(version)) !== 'equal') return false
  if (entry.type === 'directory' && fact.type !== 'directory') return wasMadeHere(entry, { version, fact })
  return fact.type !== 'absent' || (entry.type !== 'tombstone' && !isConflictCopy(entry.path))
}

/** Whether a directory was found where there had been none, not made to settle something. */
function wasMadeHere(entry: DirectoryEntry, { version, fact }: Applied): boolean {
  // A directory is made to settle only where something was said before.
  if (version.length === 0) return !isConflictCopy(entry.path)
  // In the place of what lives, and nobody else has ever said anything of, settling has nothing to remember a directory by:
  // it always makes the same one. Where one was deleted, or others have spoken, it may be made as any that is remembered.
  const isOwnAlone = version.every(([writer]) => writer === entry.author)
  return fact.type !== 'absent' && isOwnAlone && !sameFact(factOf(entry), DEFAULT_DIRECTORY)
}
