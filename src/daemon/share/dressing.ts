// What the index remembers of a path that was just dressed: which attributes it shows, and what could not be set.

import { isScopeEmpty } from '../../core/attribute-scope.js'
import type { Fact } from '../../core/fact.js'
import { LACKS, type LocalDress, type Metadata } from '../../core/metadata.js'
import type { AttributeScope } from '../../core/raw-attributes.js'
import type { CommitResult } from '../../folder/commit-job.js'
import type { DiskRow } from '../../store/rows.js'

type Done = Omit<CommitResult & { readonly status: 'done' }, 'stat'> & { readonly stat: DiskRow['stat'] }

/** The scope that jobs are given; undefined: no attributes are carried. */
export function scopeOf({ rules }: Metadata): AttributeScope | undefined {
  return isScopeEmpty(rules.scope) ? undefined : rules.scope
}

/** Equal for what sets the same. */
export function setKey(set: {
  readonly mode: number
  readonly mtimeUs: number
  readonly dress?: LocalDress
}): string {
  const { mode, mtimeUs, dress } = set
  const attributes = dress?.attributes?.toString('latin1')
  return JSON.stringify([
    mode,
    mtimeUs,
    dress?.uid,
    dress?.gid,
    dress?.about,
    dress?.modeWithoutAcl,
    attributes,
  ])
}

/** What came from another thread is no Buffer any more. */
export function asBuffer(bytes: Uint8Array | undefined): Buffer | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** The marks and lacks of a path after a commit. `isNew`: it has another inode now. */
export function dressedRow(
  metadata: Metadata,
  fact: Fact,
  dress: LocalDress | undefined,
  isNew: boolean,
  before: DiskRow | undefined,
  { stat, shown }: Done,
): Pick<DiskRow, 'shown' | 'lacks'> {
  if (fact.type === 'absent' || stat === undefined) return {}
  if (shown !== undefined) {
    const now = { stat, attributes: asBuffer(shown.attributes) }
    return { shown: metadata.shownOf(now), lacks: metadata.lacks(fact, now) }
  }
  // All of it was set, so that only an account can be missing here.
  const set = metadata.lacks(fact, { stat, attributes: dress?.attributes })
  return {
    shown: metadata.shownAfter(dress, before?.shown, isNew),
    lacks: set & (LACKS.owner | LACKS.account),
  }
}
