// What a step makes of a path: a task that gathers content first, one that is ready to be committed, or none for now.
import type { Metadata } from '../../core/metadata.js'
import type { RelPath } from '../../core/path.js'
import type { Effective } from '../../core/tree.js'
import type { DiskRow } from '../../store/rows.js'
import { type ActiveStep, type ApplyTask, taskOf } from './apply-task.js'
import type { ShareContext } from './context.js'
import type { Shortcuts } from './shortcuts.js'
import { waitsForChildren } from './wait-rules.js'

/** Larger files are bulk, however fresh. */
const FRESH_BYTES = 4 << 20

export type Made =
  | { readonly type: 'ready' | 'gather'; readonly task: ApplyTask }
  /** Something else goes first, and brings the path back. */
  | { readonly type: 'wait' }
  | { readonly type: 'no-pieces' }

const SETID_BITS = 0o6000
const WAIT: Made = { type: 'wait' }

/** `fresh`: a small change that has just come in (X3). */
export function makeTask(
  { index, metadata }: Pick<ShareContext, 'index' | 'metadata'>,
  shortcuts: Shortcuts,
  path: RelPath,
  {
    step,
    share,
    row,
  }: { readonly step: ActiveStep; readonly share: Effective; readonly row: DiskRow | undefined },
  fresh: boolean,
): Made {
  const { version } = share
  const link = shortcuts.links.decide(path, step, row, shortcuts.mayTry(path, step))
  if (link.type === 'wait') return WAIT
  if (link.type === 'note')
    return { type: 'ready', task: taskOf(path, step, version, fresh, [], { via: link }) }
  const isFile = 'fact' in step && step.fact.type === 'file'
  const isOwnCopy = link.type === 'own' || givesSetid(metadata, step, row)
  if (!isFile || (step.type !== 'write' && link.type === 'ordinary' && !isOwnCopy)) {
    if (waitsForChildren(index, path, step, row)) return WAIT
    return { type: 'ready', task: taskOf(path, step, version, fresh, []) }
  }
  // Content for what is now a directory is staged before the directory is empty: what lies in it may wait for that.
  const pieces = share.entry === undefined ? undefined : index.piecesOf(share.entry)
  if (pieces === undefined) return { type: 'no-pieces' }
  const via = shortcuts.findMove(path, step, row, pieces) ?? (link.type === 'link' ? link : undefined)
  if (via !== undefined) return { type: 'ready', task: taskOf(path, step, version, fresh, pieces, { via }) }
  const isSmall = step.fact.size <= FRESH_BYTES
  return { type: 'gather', task: taskOf(path, step, version, fresh && isSmall, pieces, { isOwnCopy }) }
}

/**
 * Whether metadata alone make a file set-user-id or set-group-id, or give such a one to somebody else. Who had it open or
 * mapped before could go on writing to what then runs as another user; so it becomes a file of its own, with the content
 * that the share says.
 */
function givesSetid(metadata: Metadata, step: ActiveStep, row: DiskRow | undefined): boolean {
  if (step.type !== 'metadata' || step.fact.type !== 'file' || row?.stat?.nlink !== 1) return false
  const { stat } = row
  const { mode, dress } = metadata.dress(step.fact, false, stat.mode)
  const isGivenAway = (dress?.uid ?? stat.uid) !== stat.uid || (dress?.gid ?? stat.gid) !== stat.gid
  return (mode & SETID_BITS & ~stat.mode) !== 0 || ((mode & SETID_BITS) !== 0 && isGivenAway)
}
