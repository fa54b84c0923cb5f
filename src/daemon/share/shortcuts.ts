// Ways to bring a file to its path without gathering its content: a hard link to another path of this disk that holds it,
// or that path itself under a new name. The applier asks for one before it gathers anything; the committer has it turned
// into jobs. One that does not work out is remembered, and the path is written the ordinary way.
import type { FileFact } from '../../core/fact.js'
import type { RelPath } from '../../core/path.js'
import type { PieceInfo } from '../../core/piece.js'
import type { CommitJob, CommitResult } from '../../folder/commit.js'
import type { PathIntent } from '../../store/intents.js'
import type { DiskRow } from '../../store/rows.js'
import type { ApplyTask, Shortcut } from './apply-task.js'
import type { ShareContext } from './context.js'
import { Moves } from './moves.js'

/** Failures kept at most; the oldest are forgotten first, and then tried once more. */
const MAX_FAILED = 4096

/** What a job needs to know of its own path. */
export type Place = Pick<CommitJob & { readonly type: 'file' }, 'path' | 'expect' | 'slipName' | 'archive'>

export class Shortcuts {
  readonly #moves: Moves
  /** Path and content for which a shortcut failed. */
  readonly #failed = new Set<string>()

  constructor(context: ShareContext) {
    this.#moves = new Moves(context)
  }

  /** The shortcut for a file that is to be written; undefined: its content, `pieces`, has to be gathered. */
  find(
    path: RelPath,
    fact: FileFact,
    row: DiskRow | undefined,
    pieces: readonly PieceInfo[],
  ): Shortcut | undefined {
    if (this.#failed.has(keyOf(path, fact))) return undefined
    return this.#moves.find(path, fact, row, pieces)
  }

  /** A task's shortcut did not work out: its path is written the ordinary way, as long as it is to hold this. */
  noteFailed({ path, step }: ApplyTask): void {
    if (step.type !== 'write') return
    this.#failed.add(keyOf(path, step.fact))
    for (const oldest of this.#failed) {
      if (this.#failed.size <= MAX_FAILED) break
      this.#failed.delete(oldest)
    }
  }

  /** A batch is being planned; jobsOf is asked for each of its tasks. */
  startBatch(): void {
    this.#moves.startBatch()
  }

  /** What the worker is to do for a task with a shortcut; undefined if it has come to be impossible. */
  jobsOf(via: Shortcut, task: ApplyTask, _place: Place): readonly CommitJob[] | undefined {
    return via.type === 'move' ? this.#moves.jobsOf(via.from, task) : undefined
  }

  /** Other paths that a task's jobs change. */
  touchedBy({ via }: ApplyTask): readonly RelPath[] {
    return via?.type === 'move' ? [via.from] : []
  }

  /** What these paths are about to hold (A4). */
  intentsOf(task: ApplyTask): readonly PathIntent[] {
    const { via } = task
    return via?.type === 'move' ? [this.#moves.intentOf(via.from, task)] : []
  }

  /** Notes what else a finished task has changed. Call in the transaction that has noted the task itself. */
  setDone(task: ApplyTask, _result: CommitResult & { readonly status: 'done' }): void {
    const { via } = task
    if (via?.type === 'move') this.#moves.setDone(via.from, task)
  }
}

function keyOf(path: RelPath, { content }: FileFact): string {
  return `${path}\0${content.toString('latin1')}`
}
