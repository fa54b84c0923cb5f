// What this disk holds at a path, going by the index: a reader's own change if there is one, else what was applied.
import { ABSENT, type Fact } from '../../core/fact.js'
import type { DiskRow } from '../../store/rows.js'

/** What a row says the disk holds. */
export function currentFact(row: DiskRow | undefined): Fact {
  return row === undefined ? ABSENT : (row.drift?.fact ?? row.applied.fact)
}
