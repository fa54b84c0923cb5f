// A rename elsewhere is a rename on a simulated disk, by the rules of the daemon's Moves: which task is one is worked out
// from the index when it is to be carried out.
import { sameFact } from '../../src/core/fact.js'
import { parentOf, type RelPath } from '../../src/core/path.js'
import type { Step } from '../../src/core/plan.js'
import type { DiskStat } from '../../src/core/stat.js'
import type { Version } from '../../src/core/version.js'
import { isBelowWantedFile } from '../../src/daemon/share/wait-rules.js'
import type { DiskRow } from '../../src/store/rows.js'
import type { Content } from './contents.js'
import { type SimNode, tokenOf } from './node.js'
import { currentFact } from './scan.js'

export interface Task {
  readonly path: RelPath
  readonly step: Exclude<Step, { readonly type: 'none' | 'adopt' }>
  readonly version: Version
  readonly content: Content | undefined
  /** The old name that the file has on this disk, if this is a rename. */
  readonly move?: Move
}

export interface Move {
  readonly from: RelPath
  readonly stat: DiskStat
  /** What its absence stands for. */
  readonly version: Version
  /** What is known of its attributes. */
  readonly dress: Pick<DiskRow, 'shown' | 'lacks'>
}

/** The tasks that are renames as such, without the removals that those include, and what was staged for none. */
export function withMoves(node: SimNode, tasks: readonly Task[]): Task[] {
  const taken = new Set<RelPath>()
  const moving = tasks.map((task): Task => {
    const move = moveOf(node, task)
    if (move === undefined || taken.has(move.from)) return task
    taken.add(move.from)
    return { ...task, move }
  })
  return moving.filter(({ path, content, move }) => {
    if (taken.has(path)) return false
    return move !== undefined || content === undefined || node.disk.staging.has(tokenOf(path, content))
  })
}

/** As the daemon's Moves: a file of the same fact that has to go, and nothing else depends on either name. */
export function moveOf(node: SimNode, { path, step, content }: Task): Move | undefined {
  const { index } = node
  const row = index.disk(path)
  if (step.type !== 'write' || content === undefined || content.pieces.length === 0) return undefined
  if (row?.stat !== undefined || currentFact(row).type !== 'absent') return undefined
  const leaving = index.pieces.placesOf(content.pieces[0]!.id, 8).flatMap(({ path: from }): Move[] => {
    const need = index.need(from)
    if (need.step.type !== 'remove' || need.row?.stat?.type !== 'file' || need.row.drift !== undefined)
      return []
    if (!sameFact(need.row.applied.fact, step.fact) || index.conflicts.holdsLoser(from)) return []
    if (node.inFlight.has(from) || node.inFlight.has(parentOf(from) as RelPath)) return []
    const { stat, shown, lacks = 0 } = need.row
    return [{ from, stat, version: need.share.version, dress: { shown, lacks } }]
  })
  if (leaving.length === 0 || index.isContentWanted(step.fact.content, leaving.length)) return undefined
  return isBelowWantedFile(index, path) ? undefined : leaving[0]
}

/** All names that a task is about. */
export function pathsOf({ path, move }: Task): RelPath[] {
  return move === undefined ? [path] : [path, move.from]
}
