// Ways to bring a file to its path without gathering its content: a hard link to another path of this disk that holds it,
// or that path itself under a new name. The applier asks for one before it gathers anything; the committer has it turned
// into jobs. One that does not work out is remembered, and the path is written the ordinary way.
import type { FileFact } from '../../core/fact.js'
import type { RelPath } from '../../core/path.js'
import type { PieceInfo } from '../../core/piece.js'
import type { Step } from '../../core/plan.js'
import type { CommitJob, CommitResult } from '../../folder/commit.js'
import type { PathIntent } from '../../store/intents.js'
import type { DiskRow } from '../../store/rows.js'
import { type ApplyTask, resultOf, type Shortcut } from './apply-task.js'
import type { ShareContext } from './context.js'
import { isSource, LinkPlanner } from './link-planner.js'
import { wornBy } from './link-watch.js'
import { Moves } from './moves.js'

/** Failures kept at most; the oldest are forgotten first, and then tried once more. */
const MAX_FAILED = 4096
/** So often a link is tried although the disk is not as the index says. */
const TRIES = 6

/** What a job needs to know of its own path. */
export type Place = Pick<
  CommitJob & { readonly type: 'file' },
  'path' | 'expect' | 'slipName' | 'archive' | 'copyOld'
>

export class Shortcuts {
  readonly links: LinkPlanner
  readonly #context: ShareContext
  readonly #moves: Moves
  /** Path and content for which a shortcut failed, and how often. */
  readonly #failed = new Map<string, number>()

  /** `isActive`: whether a path is on its way to the disk. */
  constructor(context: ShareContext, isActive: (path: RelPath) => boolean = () => false) {
    this.#context = context
    this.#moves = new Moves(context)
    this.links = new LinkPlanner(context, isActive)
  }

  /** Whether a task and the step that has come in its place are about gathering content alone. */
  isOrdinary({ via }: ApplyTask, step: Step): boolean {
    return via === undefined && !this.links.isMember(step)
  }

  /** Whether no shortcut has failed for what a step brings to a path. */
  mayTry(path: RelPath, step: Step): boolean {
    if (!('fact' in step) || step.fact.type !== 'file') return false
    return (this.#failed.get(keyOf(path, step.fact)) ?? 0) < TRIES
  }

  /** The old name of a file that is to be written, if this is a rename; `pieces` are its content's. */
  findMove(
    path: RelPath,
    step: Step,
    row: DiskRow | undefined,
    pieces: readonly PieceInfo[],
  ): Shortcut | undefined {
    if (step.type !== 'write' || !this.mayTry(path, step)) return undefined
    return this.#moves.find(path, step.fact, row, pieces)
  }

  /**
   * The same for a task that is about to be committed, staged or not: meanwhile the file may have come to lie at an old
   * name, and the word that this is to go.
   */
  findLate({ path, step, parts }: ApplyTask, row: DiskRow | undefined): Shortcut | undefined {
    if (step.type !== 'write' || parts.length === 0 || !this.mayTry(path, step)) return undefined
    return this.#moves.find(path, step.fact, row, [parts[0]!.piece])
  }

  /** Whether the batch being planned takes this path away already. */
  isTaken(path: RelPath): boolean {
    return this.#moves.isTaken(path)
  }

  /**
   * A task's shortcut did not work out. Returns whether its path is to be written the ordinary way from now on, as long as
   * it is to hold this. `isTransient`: a look at the disk may help; a link is worth that.
   */
  noteFailed({ path, step, via }: ApplyTask, isTransient: boolean): boolean {
    if (!('fact' in step) || step.fact.type !== 'file') return true
    const key = keyOf(path, step.fact)
    const tries = isTransient && via?.type === 'link' ? (this.#failed.get(key) ?? 0) + 1 : TRIES
    this.#failed.set(key, tries)
    for (const oldest of this.#failed.keys()) {
      if (this.#failed.size <= MAX_FAILED) break
      this.#failed.delete(oldest)
    }
    return tries >= TRIES
  }

  /**
   * A task is about to be carried out. What is done to a file with several names is done to all of them, or not to it: false
   * if the task is to be thought of anew with regard to links.
   */
  prepare(task: ApplyTask, row: DiskRow | undefined): boolean {
    const { path, step } = task
    if (task.via !== undefined || !('fact' in step) || step.fact.type !== 'file') return true
    if (step.type === 'write' || task.isOwnCopy)
      return !this.mayTry(path, step) || !this.links.isLinkable(path, step.fact)
    const members =
      row === undefined || row.drift !== undefined ? [] : this.links.members(path, step.fact, row)
    task.also = members ?? []
    return members !== undefined
  }

  /** A batch is being planned; jobsOf is asked for each of its tasks. */
  startBatch(): void {
    this.#moves.startBatch()
  }

  /** What the worker is to do for a task with a shortcut; undefined if it has come to be impossible. */
  jobsOf(via: Shortcut, task: ApplyTask, place: Place): readonly CommitJob[] | undefined {
    switch (via.type) {
      case 'note':
        return []
      case 'move':
        return this.#moves.jobsOf(via.from, task)
      case 'link': {
        const { index } = this.#context
        const fact = resultOf(task)
        if (fact?.type !== 'file' || !isSource(index, via.from, fact)) return undefined
        return [{ type: 'link', ...place, from: via.from, fromStat: index.disk(via.from)!.stat! }]
      }
    }
  }

  /** Other paths that a task's jobs change. */
  touchedBy({ via, also }: ApplyTask): readonly RelPath[] {
    return via?.type === 'move' ? [via.from] : also.map(({ path }) => path)
  }

  /** What these paths are about to hold (A4). */
  intentsOf(task: ApplyTask): readonly PathIntent[] {
    const { via } = task
    return via?.type === 'move' ? [this.#moves.intentOf(via.from, task)] : task.also
  }

  /** A finished task is about to be noted: the file that it was linked to has another link. */
  setFrom({ via }: ApplyTask, { stat }: Done): void {
    if (via?.type === 'link' && stat !== undefined) this.#context.index.noteLinks(stat, via.from)
  }

  /** What is known of a task's file beside its content, if it is one that the disk had before. */
  worn({ via }: ApplyTask, row: DiskRow | undefined): Worn | undefined {
    if (via === undefined) return undefined
    const from = 'from' in via ? this.#context.index.disk(via.from) : row
    if (from === undefined) return {}
    const { stat: _, ...worn } = wornBy(from)
    return worn
  }

  /** Notes what else a finished task has changed. Call in the transaction that has noted the task itself, as `row`. */
  setDone(task: ApplyTask, { stat, left }: Done, row: DiskRow): void {
    const { index } = this.#context
    if (task.via?.type === 'move') this.#moves.setDone(task.via.from, task)
    if (left !== undefined) index.noteLinks(left)
    // Without a stat, somebody has changed the file again: a look is to tell what all its names hold.
    if (stat === undefined) return
    for (const { path, version, fact } of task.also) {
      index.setDisk(path, { ...row, applied: { version, fact } }, index.layout(path))
      this.#context.noteChange(path, 'share')
    }
  }
}

type Worn = Pick<DiskRow, 'shown' | 'lacks'>
type Done = CommitResult & { readonly status: 'done' }

function keyOf(path: RelPath, { content }: FileFact): string {
  return `${path}\0${content.toString('latin1')}`
}
