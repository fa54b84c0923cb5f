// Directories whose times a simulated batch has to put back.
import type { DirectoryFact } from '../../src/core/fact.js'
import { depthOf, parentOf, type RelPath } from '../../src/core/path.js'
import { pathsOf, type Task } from './moves.js'
import type { SimNode } from './node.js'

/** Directories whose times the batch disturbs or sets, deepest first. */
export function directoriesTouched(node: SimNode, tasks: readonly Task[]): Map<RelPath, DirectoryFact> {
  const wanted = new Map<RelPath, DirectoryFact>()
  const gone = new Set<RelPath>()
  for (const { step, path } of tasks) {
    if (step.type === 'remove' && step.was === 'directory') gone.add(path)
    if ((step.type === 'mkdir' || step.type === 'metadata') && step.fact.type === 'directory')
      wanted.set(path, step.fact)
  }
  for (const task of tasks)
    for (const path of task.step.type === 'metadata' ? [] : pathsOf(task)) {
      const parent = parentOf(path)
      if (parent === '' || wanted.has(parent) || gone.has(parent)) continue
      const fact = node.index.disk(parent)?.applied.fact
      if (fact?.type === 'directory') wanted.set(parent, fact)
    }
  return new Map([...wanted].sort(([a], [b]) => depthOf(b) - depthOf(a)))
}
