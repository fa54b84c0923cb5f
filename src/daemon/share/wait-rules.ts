// What a task has to wait for before it may be committed: for what lies in a directory to go, for another path to copy
// content that it would destroy (P3), or for a conflict copy to be made of that (V5).
import { parentOf, type RelPath } from '../../core/path.js'
import type { DiskRow } from '../../store/rows.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { ActiveStep, ApplyTask } from './apply-task.js'
import { currentFact } from './current-fact.js'

/** Whether something still lies in a directory that has to go first; its last child brings the path back. */
export function waitsForChildren(
  index: ShareIndex,
  path: RelPath,
  step: ActiveStep,
  row: DiskRow | undefined,
): boolean {
  if (step.type === 'mkdir' || currentFact(row).type !== 'directory' || step.type === 'metadata') return false
  return index.diskChildren(path).some(({ row }) => currentFact(row).type !== 'absent')
}

/**
 * What a task waits for: that nothing lies in its directory any more; that a conflict copy is made of what it would destroy
 * (V5); or that the content it would destroy is safe, since other paths want it and find it nowhere else here (P3).
 */
export type WaitsFor =
  | { readonly type: 'children' | 'conflict' }
  | { readonly type: 'content'; readonly content: Buffer }

/** Undefined if it need not wait. `safe`: how many of the paths that want a content have it safe already, or need no copy. */
export function waitsFor(
  index: ShareIndex,
  safe: (content: Buffer) => number,
  { path, step }: ApplyTask,
  row: DiskRow | undefined,
): WaitsFor | undefined {
  if (step.type === 'metadata') return undefined
  if (waitsForChildren(index, path, step, row)) return { type: 'children' }
  if (index.conflicts.holdsLoser(path)) return { type: 'conflict' }
  const fact = currentFact(row)
  if (fact.type !== 'file' || !index.isContentWanted(fact.content, safe(fact.content))) return undefined
  return { type: 'content', content: fact.content }
}

/**
 * Whether a directory above a path is yet to take the place of a file whose content some path still wants: it waits until
 * that is safe. What waits for the directory in turn must not be what makes it safe, or neither ever comes.
 */
export function isBelowWantedFile(index: ShareIndex, path: RelPath): boolean {
  for (let above = parentOf(path); above !== ''; above = parentOf(above)) {
    const fact = currentFact(index.disk(above))
    if (fact.type === 'directory') return false
    if (fact.type === 'file' && index.isContentWanted(fact.content, 0)) return true
  }
  return false
}
