// What a step makes of a path: a task that gathers content first, one that is ready to be committed, or none for now.
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

const WAIT: Made = { type: 'wait' }

/** `fresh`: a small change that has just come in (X3). */
export function makeTask(
  { index }: Pick<ShareContext, 'index'>,
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
  if (!isFile || (step.type !== 'write' && link.type === 'ordinary')) {
    if (waitsForChildren(index, path, step, row)) return WAIT
    return { type: 'ready', task: taskOf(path, step, version, fresh, []) }
  }
  // Content for what is now a directory is staged before the directory is empty: what lies in it may wait for that.
  const pieces = share.entry === undefined ? undefined : index.piecesOf(share.entry)
  if (pieces === undefined) return { type: 'no-pieces' }
  const via = shortcuts.findMove(path, step, row, pieces) ?? (link.type === 'link' ? link : undefined)
  if (via !== undefined) return { type: 'ready', task: taskOf(path, step, version, fresh, pieces, { via }) }
  const isSmall = step.fact.size <= FRESH_BYTES
  const isOwnCopy = link.type === 'own'
  return { type: 'gather', task: taskOf(path, step, version, fresh && isSmall, pieces, { isOwnCopy }) }
}
