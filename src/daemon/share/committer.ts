// Brings finished tasks to the disk, a batch at a time: what is about to be done is noted first (intents, A4), the
// worker checks each path against what the index says of it (A3), and what was done is noted in one transaction. Times
// of directories, which every change inside them disturbs, are put back at the end of the batch (A9).

import { ABSENT, type DirectoryFact, type Fact, type FileFact } from '../../core/fact.js'
import type { Intent } from '../../core/local.js'
import type { LocalDress } from '../../core/metadata.js'
import { parentOf, type RelPath } from '../../core/path.js'
import type { CommitJob, CommitResult, Expect } from '../../folder/commit.js'
import { isOldNews } from '../../store/due.js'
import { packLayout } from '../../store/pieces.js'
import type { DiskRow } from '../../store/rows.js'
import { type ApplyTask, isSameStep, resultOf } from './apply-task.js'
import { directoriesTouched, doneAlready, intentOf, phase, timeJobs } from './commit-batch.js'
import type { ShareContext } from './context.js'
import { lookAgain, noteTimes, overtakenTimes, shownIn } from './directory-times.js'
import { dressedRow, scopeOf, setKey } from './dressing.js'
import { Gather } from './gather.js'
import { othersStay } from './others-stay.js'
import type { Place, Shortcuts } from './shortcuts.js'
import { slipNameOf } from './slip-name.js'
import { archiveChoice } from './versioning.js'

/** Jobs of one batch at most; more would make fresh changes wait, fewer pay for durability more often. */
const BATCH_TASKS = 1024
/** A batch starts with so many tasks, or so long after the first; a fresh small change starts one at once. */
const GATHER_TASKS = 768
const GATHER_MS = 60

export interface CommitterEvents {
  /** The task is no longer what has to be done at its path. */
  onStale(task: ApplyTask): void
  /** Asked just before a task is carried out; true takes it back. */
  isHeldBack(task: ApplyTask, row: DiskRow | undefined): boolean
  onDone(task: ApplyTask): void
  /** The disk is not as the index says: somebody changed it (A3). */
  onChanged(task: ApplyTask): void
  /** Something else has to be done first: a parent, or what lies in a directory. */
  onBlocked(task: ApplyTask, code: string): void
  onFailed(task: ApplyTask, code: string, detail: string): void
  /** A local write slipped in and now lies at another path as an ordinary file (A3). */
  onSlipped(path: RelPath): void
}

/** What one path's task asks of the worker, and what to remember when it is done. */
interface Planned {
  readonly task: ApplyTask
  readonly row: DiskRow | undefined
  /** How the path is to look afterwards. */
  readonly dress: LocalDress | undefined
  readonly jobs: readonly CommitJob[]
  /** It puts back what a reader changed; undefined: nobody changed it. */
  readonly isRestore?: boolean | undefined
}

export class Committer {
  readonly #context: ShareContext
  readonly #shortcuts: Shortcuts
  readonly #events: CommitterEvents
  readonly #nowMs: () => number
  #ready: ApplyTask[] = []
  #running: Promise<void> | undefined
  readonly #gather = new Gather(GATHER_TASKS, GATHER_MS, () => this.#next())

  constructor(context: ShareContext, shortcuts: Shortcuts, nowMs: () => number, events: CommitterEvents) {
    this.#context = context
    this.#shortcuts = shortcuts
    this.#events = events
    this.#nowMs = nowMs
  }

  get isBusy(): boolean {
    return this.#running !== undefined || this.#ready.length > 0
  }

  add(task: ApplyTask): void {
    this.#ready.push(task)
    this.#gather.add(1, task.fresh)
  }

  async stop(): Promise<void> {
    this.#gather.stop()
    this.#ready = []
    await this.#running
  }

  #next(): void {
    if (this.#running !== undefined || this.#ready.length === 0) return
    const ready = this.#ready.splice(0, BATCH_TASKS)
    this.#running = this.#commit(ready)
      .catch((thrown) => this.#context.fail(thrown))
      .finally(() => {
        this.#running = undefined
        if (this.#ready.length > 0)
          this.#gather.add(
            this.#ready.length,
            this.#ready.some((task) => task.fresh),
          )
      })
  }

  /**
   * The tasks that are still what their path needs. They were when they began, but a user's newer version may have been
   * published since: the row then speaks of that one, and what was staged must not be put over it.
   */
  #planCurrent(ready: readonly ApplyTask[]): Planned[] {
    const planned: Planned[] = []
    const made = new Set<RelPath>()
    this.#shortcuts.startBatch()
    const stays = othersStay(this.#context.index, ready)
    // In order, so that what makes a directory has been judged before what goes into it.
    for (const task of [...ready].sort((a, b) => phase(a) - phase(b))) {
      if (task.dropped) continue
      const { step, share, row } = this.#context.index.need(task.path)
      if (!isSameStep(task, step)) {
        this.#events.onStale(task)
        continue
      }
      if (this.#events.isHeldBack(task, row)) continue
      if (!this.#hasParent(task, made)) {
        this.#events.onBlocked(task, 'PARENT_MISSING')
        continue
      }
      task.version = share.version
      task.committing = true
      if (step.type === 'mkdir') made.add(task.path)
      if (!this.#shortcuts.prepare(task, row)) {
        this.#events.onStale(task)
        continue
      }
      const isRestore = row?.drift === undefined ? undefined : isOldNews(share, row)
      const plan = this.#plan(task, row, stays(row))
      if (plan !== undefined) planned.push({ ...plan, isRestore })
      // Another task of the batch moves that file: what there is by then is looked at anew.
      else if (task.via?.type === 'move') this.#events.onStale(task)
      else this.#events.onChanged(task)
    }
    return planned
  }

  /**
   * Whether the directory that something is put into is known to be there, or made by the same batch. What else has its
   * name may be the user's, and has to be looked at first (A3).
   */
  #hasParent({ path, step }: ApplyTask, made: ReadonlySet<RelPath>): boolean {
    const parent = parentOf(path)
    if (parent === '' || step.type === 'remove' || step.type === 'metadata' || made.has(parent)) return true
    return this.#context.index.disk(parent)?.stat?.type === 'directory'
  }

  async #commit(ready: readonly ApplyTask[]): Promise<void> {
    const halt = await this.#context.checkRoot()
    if (halt !== undefined) {
      this.#context.halt(halt)
      for (const task of ready) this.#events.onBlocked(task, 'HALTED')
      return
    }
    const atMs = this.#nowMs()
    const release = await this.#context.useArchive(atMs)
    try {
      await this.#commitAt(ready, atMs)
    } finally {
      release()
    }
  }

  async #commitAt(ready: readonly ApplyTask[], atMs: number): Promise<void> {
    const { index, guard, pool, root } = this.#context
    const planned = this.#planCurrent(ready)
    if (planned.length === 0) return
    const directories = directoriesTouched(
      index,
      this.#shortcuts,
      planned.map(({ task }) => task),
    )
    const touched = planned.flatMap(({ task }) => this.#shortcuts.touchedBy(task))
    const paths = [...planned.map(({ task }) => task.path), ...touched, ...directories.keys()]
    const batch = index.transaction(() =>
      index.recovery.begin([
        ...planned.flatMap(({ task }) => [intentOf(task), ...this.#shortcuts.intentsOf(task)]),
        ...this.#timeIntents(directories),
      ]),
    )
    guard.startCommit(paths)
    try {
      const jobs = planned.flatMap(({ jobs: own }) => own)
      const expectRoot = this.#context.rootIdentity()
      const scope = scopeOf(this.#context.metadata)
      const options = {
        archive: this.#context.archive,
        atMs,
        ...(expectRoot === undefined ? {} : { expectRoot }),
        ...(scope === undefined ? {} : { scope }),
      }
      const all = [...jobs, ...timeJobs(directories)]
      const results = all.length === 0 ? [] : await pool.commit(root, all, options)
      this.#record(batch, planned, results, [...directories.keys()])
      // Meanwhile a user's change of a directory may have been published, and we have put the time before it back.
      const overtaken = overtakenTimes(index, directories)
      if (overtaken.size > 0) {
        const again = await pool.commit(root, timeJobs(overtaken), options)
        index.transaction(() => noteTimes(index, [...overtaken.keys()], again))
      }
    } finally {
      guard.endCommit(paths)
    }
  }

  /** Directories whose times are disturbed: a crash before they are put back is no change of the user's either. */
  #timeIntents(directories: ReadonlyMap<RelPath, DirectoryFact>): (Intent & { readonly path: RelPath })[] {
    const { index } = this.#context
    return [...directories].map(([path, fact]) => ({ path, version: index.applied(path).version, fact }))
  }

  /** Undefined if the task's shortcut is none any more. */
  #plan(task: ApplyTask, row: DiskRow | undefined, copyOld: boolean): Planned | undefined {
    const { path, step } = task
    // A directory that a file or a link replaces is empty by now (Applier) and goes first.
    const replaced =
      row?.stat?.type === 'directory' &&
      step.type !== 'mkdir' &&
      step.type !== 'metadata' &&
      step.type !== 'remove'
    const first: CommitJob[] = replaced
      ? [{ type: 'remove', path, expect: { type: 'stat', stat: row.stat! } }]
      : []
    const expect: Expect = replaced
      ? { type: 'absent' }
      : row?.stat === undefined
        ? { type: 'absent' }
        : { type: 'stat', stat: row.stat }
    const { archive, maxVersionedBytes, index, metadata } = this.#context
    // A file of its own with the same content replaces nothing that anybody could miss.
    const isSame = step.type === 'metadata' && row?.drift === undefined
    const choice = isSame
      ? false
      : archiveChoice(row, index.heads(path), { archive, maxBytes: maxVersionedBytes() })
    const slip = {
      ...(row?.stat === undefined ? {} : { slipName: slipNameOf(path, row.stat) }),
      ...(choice === undefined ? {} : { archive: choice }),
      ...(copyOld ? { copyOld } : {}),
    }
    for (const via of [task.via, this.#shortcuts.findLate(task, row)]) {
      const shortcut = via && this.#shortcuts.jobsOf(via, task, { path, expect, ...slip })
      if (via === undefined || shortcut === undefined) continue
      task.via = via
      return { task, row, dress: undefined, jobs: [...first, ...shortcut] }
    }
    if (task.via !== undefined) return undefined
    switch (step.type) {
      case 'write':
        return this.#written(task, row, step.fact, first, { expect, ...slip })
      case 'symlink': {
        const { target, mtimeUs } = step.fact
        const { dress } = metadata.dress(step.fact, true)
        const set = dress === undefined ? {} : { dress }
        return {
          task,
          row,
          dress,
          jobs: [...first, { type: 'symlink', path, target, mtimeUs, ...set, expect, ...slip }],
        }
      }
      case 'mkdir': {
        const set = metadata.dress(step.fact, true)
        return { task, row, dress: set.dress, jobs: [{ type: 'mkdir', path, ...set, expect, ...slip }] }
      }
      case 'remove':
        return { task, row, dress: undefined, jobs: [{ type: 'remove', path, expect, ...slip }] }
      case 'metadata': {
        const { fact } = step
        if (task.isOwnCopy && fact.type === 'file')
          return this.#written(task, row, fact, first, { expect, ...slip })
        const { mode, dress } = metadata.dress(fact, false, row?.stat?.mode)
        const set = {
          ...(fact.type === 'symlink' ? {} : { mode }),
          ...(dress === undefined ? {} : { dress }),
        }
        return {
          task,
          row,
          dress,
          jobs: [{ type: 'metadata', path, ...set, mtimeUs: fact.mtimeUs, expect, ...shownIn(row) }],
        }
      }
    }
  }

  /** A staged file gets its name. */
  #written(
    task: ApplyTask,
    row: DiskRow | undefined,
    fact: FileFact,
    first: readonly CommitJob[],
    more: Omit<Place, 'path'>,
  ): Planned {
    const { path, token } = task
    const { mtimeUs, size } = fact
    const set = this.#context.metadata.dress(fact, true)
    const { dress } = set
    // Not asked for again what staging has done already, unless it is other by now.
    const isStaged = task.staged?.set === setKey({ ...set, mtimeUs })
    const staged = isStaged ? { staged: task.staged!.as } : {}
    const file = { type: 'file', path, token, size, ...set, ...staged, mtimeUs } as const
    return { task, row, dress, jobs: [...first, { ...file, ...more }] }
  }

  #record(
    batch: number,
    planned: readonly Planned[],
    results: readonly CommitResult[],
    directories: readonly RelPath[],
  ): void {
    const { index } = this.#context
    const after: (() => void)[] = []
    index.transaction(() => {
      let at = 0
      for (const plan of planned) {
        const own = results.slice(at, at + plan.jobs.length)
        at += plan.jobs.length
        const fault = own.find(({ status }) => status !== 'done')
        after.push(this.#outcome(plan, fault ?? own.at(-1) ?? doneAlready(plan.row)))
      }
      noteTimes(index, directories, results.slice(at))
      index.recovery.clear(batch)
    })
    for (const act of after) act()
  }

  #outcome(plan: Planned, result: CommitResult): () => void {
    const { index } = this.#context
    const { task, row, isRestore } = plan
    switch (result.status) {
      case 'done': {
        this.#setDone(plan, result)
        if (row !== undefined && isRestore !== undefined)
          this.#context.onDriftEnded({ path: task.path, row, isRestore, archived: result.archived })
        const { slipped, problem, stat } = result
        return () => {
          this.#events.onDone(task)
          if (problem !== undefined)
            this.#context.problems.set('apply', task.path, problem.code, problem.detail)
          // Without a stat, the user has changed it again already.
          if (slipped !== undefined) this.#events.onSlipped(slipped)
          else if (stat === undefined && task.step.type !== 'remove') this.#events.onSlipped(task.path)
        }
      }
      case 'changed':
        if (task.step.type === 'metadata') lookAgain(index, task.path)
        return () => this.#events.onChanged(task)
      case 'blocked':
        return () => this.#events.onBlocked(task, result.code)
      case 'failed':
        return () => this.#events.onFailed(task, result.code, result.detail)
    }
  }

  #setDone(plan: Planned, result: CommitResult & { readonly status: 'done' }): void {
    const { index } = this.#context
    const { task } = plan
    const fact = resultOf(task) ?? ABSENT
    this.#shortcuts.setFrom(task, result)
    if (result.archived !== undefined) index.noteArchived(task.path, result.archived)
    const layout =
      fact.type !== 'file'
        ? undefined
        : task.step.type === 'write'
          ? packLayout(task.parts.map(({ piece }) => piece))
          : index.layout(task.path)
    const stat = fact.type === 'absent' ? undefined : result.stat
    const worn = stat === undefined ? undefined : this.#shortcuts.worn(task, plan.row)
    const dressed = worn ?? this.#dressed(plan, fact, result)
    const row: DiskRow = { applied: { version: task.version, fact }, stat, ...dressed, drift: undefined }
    index.setDisk(task.path, row, layout)
    // Where only what is said of a file was new, its path holds what it held.
    const bytes = task.step.type === 'write' ? task.step.fact.size : 0
    if (task.via?.type !== 'note') this.#context.noteChange(task.path, 'share', bytes)
    this.#shortcuts.setDone(task, result, row)
  }

  #dressed(
    { task, dress, row }: Planned,
    fact: Fact,
    result: CommitResult & { readonly status: 'done' },
  ): Pick<DiskRow, 'shown' | 'lacks'> {
    const isNew = task.step.type !== 'metadata' || task.isOwnCopy
    const stat = fact.type === 'absent' ? undefined : result.stat
    return dressedRow(this.#context.metadata, fact, dress, isNew, row, { ...result, stat })
  }
}
