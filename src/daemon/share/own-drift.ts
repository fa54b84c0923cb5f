// What this device reports of its own drift (core/drift-section.ts): the rows of its index that differ from the share.
import { bitsOfKinds, type DriftItem } from '../../core/drift-section.js'
import type { RelPath } from '../../core/path.js'
import type { DiskRow } from '../../store/rows.js'

/** The index has these. */
export interface DriftedIndex {
  drifted(): readonly RelPath[]
  disk(path: RelPath): DiskRow | undefined
}

/** All that is different now, in no order. */
export function ownDrift(index: DriftedIndex): DriftItem[] {
  return index.drifted().flatMap((path): DriftItem[] => {
    const drift = index.disk(path)?.drift
    if (drift === undefined) return []
    const { kinds, sinceMs } = drift
    return [{ path, kinds: bitsOfKinds(kinds), sinceMs, restore: undefined, acknowledgement: undefined }]
  })
}
