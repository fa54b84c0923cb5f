// What a reader's disk holds that the share does not say: of which kinds a difference is, and what names one exactly, so
// that a word about it (acknowledgement.ts) holds for no other. Pure; judging a look is local.ts's.
import { ByteWriter } from './bytes.js'
import type { Extra } from './entry.js'
import { type Fact, fingerprint, sameFactContent } from './fact.js'
import { blake3 } from './hash.js'
import type { RelPath } from './path.js'
import { labelBytes } from './seal.js'

/**
 * Ways in which a path can differ, in the order they are listed in. Reports number them by their place: new ones are
 * added at the end. 'link': with which other names a file is one; 'damage': nobody changed it, and it is not what it was
 * (docs/decisions/0045-verify-and-audit.md).
 */
export const DRIFT_KINDS = [
  'content',
  'mode',
  'owner',
  'acl',
  'xattr',
  'extra',
  'missing',
  'type',
  'mtime',
  'link',
  'damage',
] as const

export type DriftKind = (typeof DRIFT_KINDS)[number]

/** Metadata of later formats by its tag (Extra). */
const KIND_OF_TAG: ReadonlyMap<number, DriftKind> = new Map([
  [1, 'owner'],
  [2, 'acl'],
  [3, 'xattr'],
  [4, 'link'],
])

/**
 * All that is different of a path; none for what does not count as drift. A path that is missing, extra or of another type
 * is that alone. Of metadata under a tag only what both state counts: what the share has not stated is left alone, and
 * what this disk cannot show is nobody's change. Times of directories move with all that happens in them, and the time of
 * a file with its content: a time counts where it is all that tells of a change.
 */
export function driftKinds(observed: Fact, expected: Fact): readonly DriftKind[] {
  if (observed.type === 'absent') return expected.type === 'absent' ? [] : ['missing']
  if (expected.type === 'absent') return ['extra']
  if (observed.type !== expected.type) return ['type']
  const kinds = new Set<DriftKind>()
  const isContent = !sameFactContent(observed, expected)
  if (isContent) kinds.add('content')
  if ('mode' in observed && 'mode' in expected && observed.mode !== expected.mode) kinds.add('mode')
  for (const [tag, value] of expected.extra) {
    const kind = KIND_OF_TAG.get(tag)
    const shown = tagged(observed.extra, tag)
    if (kind !== undefined && shown !== undefined && !shown.equals(value)) kinds.add(kind)
  }
  const isTime = !isContent && observed.type !== 'directory' && observed.mtimeUs !== expected.mtimeUs
  if (isTime) kinds.add('mtime')
  return DRIFT_KINDS.filter((kind) => kinds.has(kind))
}

const STATE_LABEL = labelBytes('shoal 2026-11 v1 drift state')

/**
 * 32 bytes that stand for "this path holds this, while the share said that": any other change of it has others. Times of
 * directories are left out.
 */
export function driftState(path: RelPath, observed: Fact, expected: Fact): Buffer {
  const writer = new ByteWriter().raw(STATE_LABEL).text(path)
  for (const fact of [observed, expected]) {
    if (fact.type === 'absent') writer.u8(0)
    else writer.u8(1).raw(fingerprint(path, fact.type === 'directory' ? { ...fact, mtimeUs: 0 } : fact))
  }
  return blake3(writer.finish())
}

function tagged(extra: Extra, tag: number): Buffer | undefined {
  return extra.find(([own]) => own === tag)?.[1]
}
