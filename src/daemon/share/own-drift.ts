// What this device reports of its own drift (core/drift-section.ts): the rows of its index that differ from the share.
import {
  type DriftItem,
  type DriftSection,
  type DriftWord,
  driftBits,
  fitDrift,
} from '../../core/drift-section.js'
import { sameExtra } from '../../core/entry.js'
import type { Fact } from '../../core/fact.js'
import type { RelPath } from '../../core/path.js'
import type { DiskRow } from '../../store/rows.js'

/** The index has these. */
export interface DriftedIndex {
  drifted(): readonly RelPath[]
  disk(path: RelPath): DiskRow | undefined
}

/** The section for what is different now. */
export function ownDrift(index: DriftedIndex): DriftSection {
  return fitDrift(
    index.drifted().flatMap((path): DriftItem[] => {
      const row = index.disk(path)
      if (row?.drift === undefined) return []
      const kinds = driftBits(wordsOf(row.drift, row.applied.fact))
      return [{ path, kinds, sinceMs: row.drift.sinceMs, restore: undefined, acknowledgement: undefined }]
    }),
  )
}

function wordsOf({ what, fact }: NonNullable<DiskRow['drift']>, expected: Fact): DriftWord[] {
  if (what !== 'metadata') return [what]
  const words: DriftWord[] = []
  if ('mode' in fact && 'mode' in expected && fact.mode !== expected.mode) words.push('mode')
  if (fact.type !== 'absent' && expected.type !== 'absent') {
    if (!sameExtra(fact.extra, expected.extra)) words.push('xattr')
    if (fact.mtimeUs !== expected.mtimeUs) words.push('mtime')
  }
  return words.length === 0 ? ['mtime'] : words
}
