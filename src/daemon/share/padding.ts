// Whether a file of this disk is to be read as padded content (`padding`). The content id of a file depends on that, so a file
// is first of all read as what is known of its path was: else an untouched file would pass for a changed one.
import type { RelPath } from '../../core/path.js'
import type { Step } from '../../core/plan.js'
import type { Effective } from '../../core/tree.js'
import type { HashJob } from '../../folder/hash.js'
import { unpackLayout } from '../../store/pieces.js'
import type { DiskRow } from '../../store/rows.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { ShareContext } from './context.js'
import { currentFact } from './current-fact.js'

/** 'follow': as soon as anybody in the share pads. */
export type Padding = 'padme' | 'none' | 'follow'

type ReadAs = Pick<HashJob, 'isPadded' | 'contents'>

/**
 * How to read the file at a path, of `size` bytes. Once padded, a path stays so, whoever writes it. `meant` are further
 * contents that it may have.
 */
export function readAs(
  { index, padding }: Pick<ShareContext, 'padding'> & { readonly index: ShareIndex },
  path: RelPath,
  size: number,
  meant: readonly Buffer[] = [],
): ReadAs {
  if (padding !== 'padme' && !index.pieces.hasPadded) return {}
  const known: { readonly content: Buffer; readonly isPadded: boolean | undefined }[] = []
  const note = (content: Buffer, hasSize: boolean, isPadded: boolean | undefined): void => {
    if (hasSize && size > 0) known.push({ content, isPadded })
  }
  let isPadded = padding === 'padme' || padding === 'follow'
  for (const head of index.heads(path)) {
    if (head.type !== 'file') continue
    const first = index.firstPieceOf(head)
    const isHeadPadded = first === undefined ? undefined : first.plain !== undefined
    if (isHeadPadded === true) isPadded = true
    note(head.content, head.size === size, isHeadPadded)
  }
  const row = index.disk(path)
  const held = currentFact(row)
  if (held.type === 'file') note(held.content, held.size === size, isHeldPadded(index, path))
  const applied = row?.applied.fact
  if (row?.drift !== undefined && applied?.type === 'file')
    note(applied.content, applied.size === size, undefined)
  for (const content of meant) note(content, true, undefined)
  // What was certainly read this way needs no second reading.
  if (known.every((each) => each.isPadded === isPadded)) return { isPadded }
  return { isPadded, contents: Uint8Array.from(Buffer.concat(known.map(({ content }) => content))) }
}

/** Whether what the disk holds at a path is known as padded content; undefined if nothing with pieces is known of it. */
export function isHeldPadded(index: ShareIndex, path: RelPath): boolean | undefined {
  const layout = index.layout(path)
  if (layout === undefined || layout.length === 0) return undefined
  return unpackLayout(layout)[0]!.plain !== undefined
}

/**
 * Whether what lies at a path, and came from nobody, may be the very content that is to be written there: it was read before
 * anybody was known to pad. It is read anew then (its content is known now, see readAs) rather than fetched.
 */
export function isReadOtherwise(
  index: ShareIndex,
  path: RelPath,
  step: Step,
  { entry }: Effective,
  row: DiskRow | undefined,
): boolean {
  const there = row?.drift?.fact
  if (step.type !== 'write' || entry === undefined || there?.type !== 'file') return false
  if (there.size !== step.fact.size || isHeldPadded(index, path) !== false) return false
  return index.firstPieceOf(entry)?.plain !== undefined
}
