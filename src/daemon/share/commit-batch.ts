// What a batch of tasks amounts to beside their own jobs: their order, what is noted before (A4), and the directories whose
// times they disturb (A9).
import { ABSENT, type DirectoryFact, type LiveFact } from '../../core/fact.js'
import { depthOf, parentOf, type RelPath } from '../../core/path.js'
import { phaseOf } from '../../core/plan.js'
import type { CommitJob, CommitResult } from '../../folder/commit.js'
import type { PathIntent } from '../../store/intents.js'
import type { DiskRow } from '../../store/rows.js'
import type { ShareIndex } from '../../store/share-index.js'
import { type ApplyTask, disturbsDirectory, resultOf } from './apply-task.js'
import type { Shortcuts } from './shortcuts.js'

/** Directories whose times this batch disturbs or sets, deepest first, with what they are to be. */
export function directoriesTouched(
  index: ShareIndex,
  shortcuts: Shortcuts,
  tasks: readonly ApplyTask[],
): Map<RelPath, DirectoryFact> {
  const wanted = new Map<RelPath, DirectoryFact>()
  const gone = new Set<RelPath>()
  for (const { step, path } of tasks) {
    if (step.type === 'remove' && step.was === 'directory') gone.add(path)
    if ((step.type === 'mkdir' || step.type === 'metadata') && step.fact.type === 'directory') {
      wanted.set(path, step.fact)
    }
  }
  for (const task of tasks) {
    if (!disturbsDirectory(task)) continue
    for (const path of [task.path, ...shortcuts.touchedBy(task)]) {
      const parent = parentOf(path)
      if (parent === '' || wanted.has(parent) || gone.has(parent)) continue
      const fact = index.disk(parent)?.applied.fact
      if (fact?.type === 'directory') wanted.set(parent, fact)
    }
  }
  return new Map([...wanted].sort(([a], [b]) => depthOf(b) - depthOf(a)))
}

/** For a task without jobs: the disk holds what the row says. */
export function doneAlready(row: DiskRow | undefined): CommitResult {
  return { status: 'done', ...(row?.stat === undefined ? {} : { stat: row.stat }) }
}

/** Times only: a mode that a user has just changed is not ours to put back. */
export function timeJobs(directories: ReadonlyMap<RelPath, DirectoryFact>): CommitJob[] {
  return [...directories].map(([path, { mtimeUs }]) => ({ type: 'directory', path, mtimeUs }))
}

export function phase(task: ApplyTask): number {
  return phaseOf(task.step, depthOf(task.path))
}

export function intentOf(task: ApplyTask): PathIntent {
  const fact: LiveFact | undefined = resultOf(task)
  return { path: task.path, version: task.version, fact: fact ?? ABSENT }
}
