// What is to be done at one path of this disk now: the core's step, with what the ignore rules leave out and what a
// reader's own change holds back: at the path itself, or below a directory that is to go.
import { sameFact } from '../core/fact.js'
import { NOTHING_APPLIED } from '../core/local.js'
import { LACKS } from '../core/metadata.js'
import type { RelPath } from '../core/path.js'
import { type Step, stepFor } from '../core/plan.js'
import { isSameInRelease } from '../core/release.js'
import type { Effective } from '../core/tree.js'
import { compareVersions } from '../core/version.js'
import type { DiskRow } from './rows.js'

export interface IndexOptions {
  /**
   * Whether a reader's change of a path is to be undone now; true or false: that of every path. Where the answer becomes
   * another, ShareIndex.refreshDrift must be called.
   */
  readonly overwriteDrift: boolean | ((path: RelPath, row: DiskRow) => boolean)
  /** Paths that the share's ignore rules leave out on every node. */
  readonly isIgnored: (path: RelPath, isDirectory: boolean) => boolean
  /** Hears of each path that comes to be wanted, or no longer is. Called inside transactions. */
  readonly onWanted?: (path: RelPath, isWanted: boolean) => void
  /** Paths that stay as they were applied, whatever the share comes to say: those of the release that is shown. */
  readonly isPinned?: (path: RelPath) => boolean
}

/** Whether what a path holds was found to be damaged, and nobody has changed it since. */
export function isDamaged(row: DiskRow | undefined): boolean {
  return row?.drift?.kinds.includes('damage') === true
}

/** Whether what a reader did to a path is to be undone now. */
export function isToBeUndone({ overwriteDrift }: IndexOptions, path: RelPath, row: DiskRow): boolean {
  if (row.drift === undefined) return false
  // No policy is asked: that is no change of anybody's.
  if (isDamaged(row)) return true
  return typeof overwriteDrift === 'boolean' ? overwriteDrift : overwriteDrift(path, row)
}

/**
 * Whether the share says nothing of a path but what was applied when a reader changed it: a step there undoes that. A time of
 * a directory that is still to be put back is no news: what is removed below a directory moves its time before it goes itself.
 */
export function isOldNews(share: Effective, { applied }: DiskRow): boolean {
  const { type } = stepFor(share, applied)
  if (type === 'none' || type === 'adopt') return true
  const { fact } = applied
  return (
    fact.type === 'directory' &&
    share.fact.type === 'directory' &&
    sameFact(share.fact, { ...fact, mtimeUs: share.fact.mtimeUs }) &&
    compareVersions(share.version, applied.version) === 'equal'
  )
}

/**
 * The step that takes a path from what its row says of this disk to what the share says. `holdsDrift`: something below it
 * is a reader's own and stays.
 */
export function dueStep(
  options: IndexOptions,
  path: RelPath,
  share: Effective,
  row: DiskRow | undefined,
  holdsDrift: boolean,
): Step {
  if (options.isIgnored(path, share.fact.type === 'directory')) return { type: 'none' }
  if (isHeldBack(options, path, share, row)) return { type: 'none' }
  const step = ownStep(options, path, share, row)
  // A directory that holds what its reader made stays as long as that does. What the share comes to say of that path goes
  // first, and then there is none left.
  const isInTheWay = step.type === 'remove' || step.type === 'write' || step.type === 'symlink'
  return isInTheWay && holdsDrift ? { type: 'none' } : step
}

/** Whether the share says something new of a path that must stay as it is. */
export function isHeldBack(
  { isPinned }: IndexOptions,
  path: RelPath,
  share: Effective,
  row: DiskRow | undefined,
): boolean {
  return isPinned?.(path) === true && !isSameInRelease(share.fact, (row?.applied ?? NOTHING_APPLIED).fact)
}

function ownStep(options: IndexOptions, path: RelPath, share: Effective, row: DiskRow | undefined): Step {
  const step = stepFor(share, row?.applied ?? NOTHING_APPLIED)
  if (row?.drift === undefined) {
    const isRedress = ((row?.lacks ?? 0) & LACKS.redress) !== 0
    const isDone = step.type === 'none' || step.type === 'adopt'
    return isRedress && isDone && share.fact.type !== 'absent' ? { type: 'metadata', fact: share.fact } : step
  }
  // A reader's own change stays until the share says something new of the path, unless it is told to undo it. What
  // is to be done then starts from what the disk really holds.
  if (isOldNews(share, row) && !isToBeUndone(options, path, row))
    return step.type === 'adopt' ? step : { type: 'none' }
  return stepFor(share, { version: row.applied.version, fact: row.drift.fact })
}
