// Brings finished tasks to the disk, a batch at a time: what is about to be done is noted first (intents, A4), the
// worker checks each path against what the index says of it (A3), and what was done is noted in one transaction. Times
// of directories, which every change inside them disturbs, are put back at the end of the batch (A9).

import { ABSENT, type DirectoryFact, type FileFact } from '../../core/fact.js'
import type { Intent } from '../../core/local.js'
import { parentOf, type RelPath } from '../../core/path.js'
import { modeToSet } from '../../core/setid.js'
import { type DiskStat, mtimeUsOf } from '../../core/stat.js'
import type { CommitJob, CommitResult, Expect } from '../../folder/commit.js'
import { isOldNews } from '../../store/due.js'
import { packLayout } from '../../store/pieces.js'
import type { DiskRow } from '../../store/rows.js'
import { type ApplyTask, isSameStep, resultOf } from './apply-task.js'
import { directoriesTouched, doneAlready, intentOf, phase, timeJobs } from './commit-batch.js'
import type { ShareContext } from './context.js'
import { Gather } from './gather.js'
import { othersStay } from './others-stay.js'
import type { Shortcuts } from './shortcuts.js'
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
      if (!this.#noteMembers(task, row)) {
        this.#events.onStale(task)
        continue
      }
      const isRestore = row?.drift === undefined ? undefined : isOldNews(share, row)
      const plan = this.#plan(task, row, stays(row))
      if (plan === undefined) this.#events.onChanged(task)
      else planned.push({ ...plan, isRestore })
    }
    return planned
  }

  /**
   * What is done to a file with several names is done to all of them, or not to it. False if a task is none any more with
   * regard to links: it is to be thought of anew.
   */
  #noteMembers(task: ApplyTask, row: DiskRow | undefined): boolean {
    const { links } = this.#shortcuts
    const { path, step } = task
    if (task.via !== undefined || !('fact' in step) || step.fact.type !== 'file') return true
    if (step.type === 'write' || task.isOwnCopy)
      return !this.#shortcuts.mayTry(path, step) || !links.isLinkable(path, step.fact)
    const members = row === undefined || row.drift !== undefined ? [] : links.members(path, step.fact, row)
    task.also = members ?? []
    return members !== undefined
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
      const options = {
        archive: this.#context.archive,
        atMs,
        ...(expectRoot === undefined ? {} : { expectRoot }),
      }
      const all = [...jobs, ...timeJobs(directories)]
      const results = all.length === 0 ? [] : await pool.commit(root, all, options)
      this.#record(batch, planned, results, [...directories.keys()])
      // Meanwhile a user's change of a directory may have been published, and we have put the time before it back.
      const overtaken = this.#overtaken(directories)
      if (overtaken.size > 0) {
        const again = await pool.commit(root, timeJobs(overtaken), options)
        index.transaction(() => this.#setAllTimes([...overtaken.keys()], again))
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
    const { archive, maxVersionedBytes, index } = this.#context
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
    if (task.via !== undefined) {
      const jobs = this.#shortcuts.jobsOf(task.via, task, { path, expect, ...slip })
      return jobs === undefined ? undefined : { task, row, jobs: [...first, ...jobs] }
    }
    const fileJob = ({ mtimeUs, size, ...fact }: FileFact): CommitJob => {
      const mode = modeToSet({ mtimeUs, size, ...fact }, this.#context.withholdsSetid)
      return { type: 'file', path, token: task.token, size, mode, mtimeUs, expect, ...slip }
    }
    switch (step.type) {
      case 'write':
        return { task, row, jobs: [...first, fileJob(step.fact)] }
      case 'symlink': {
        const { target, mtimeUs } = step.fact
        return { task, row, jobs: [...first, { type: 'symlink', path, target, mtimeUs, expect, ...slip }] }
      }
      case 'mkdir':
        return { task, row, jobs: [{ type: 'mkdir', path, mode: step.fact.mode, expect, ...slip }] }
      case 'remove':
        return { task, row, jobs: [{ type: 'remove', path, expect, ...slip }] }
      case 'metadata': {
        const { fact } = step
        if (task.isOwnCopy && fact.type === 'file') return { task, row, jobs: [fileJob(fact)] }
        const held = row?.stat?.mode
        const mode =
          fact.type === 'symlink' ? {} : { mode: modeToSet(fact, this.#context.withholdsSetid, held) }
        return { task, row, jobs: [{ type: 'metadata', path, ...mode, mtimeUs: fact.mtimeUs, expect }] }
      }
    }
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
      for (const each of planned) {
        const own = results.slice(at, at + each.jobs.length)
        at += each.jobs.length
        const fault = own.find(({ status }) => status !== 'done')
        after.push(this.#outcome(each, fault ?? own.at(-1) ?? doneAlready(each.row)))
      }
      this.#setAllTimes(directories, results.slice(at))
      index.recovery.clear(batch)
    })
    for (const act of after) act()
  }

  #outcome({ task, row, isRestore }: Planned, result: CommitResult): () => void {
    switch (result.status) {
      case 'done': {
        this.#setDone(task, result)
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
        return () => this.#events.onChanged(task)
      case 'blocked':
        return () => this.#events.onBlocked(task, result.code)
      case 'failed':
        return () => this.#events.onFailed(task, result.code, result.detail)
    }
  }

  #setDone(task: ApplyTask, result: CommitResult & { readonly status: 'done' }): void {
    const { index } = this.#context
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
    index.setDisk(task.path, { applied: { version: task.version, fact }, stat, drift: undefined }, layout)
    this.#shortcuts.setDone(task, result)
  }

  #setAllTimes(directories: readonly RelPath[], results: readonly CommitResult[]): void {
    directories.forEach((path, i) => {
      const result = results[i]!
      if (result.status === 'done' && result.stat !== undefined) this.#setTimes(path, result.stat)
    })
  }

  #setTimes(path: RelPath, stat: DiskStat): void {
    const { index } = this.#context
    const row = index.disk(path)
    if (row === undefined || row.applied.fact.type !== 'directory' || row.drift !== undefined) return
    const { mode, mtimeUs } = row.applied.fact
    // Anything else is for a scan to find, above all another directory that the user put there with all that is in it.
    if (row.stat !== undefined && row.stat.ino !== stat.ino) return
    if (stat.mode === mode && mtimeUsOf(stat) === mtimeUs) index.setDisk(path, { ...row, stat }, undefined)
  }

  /** Those directories that are to have another time by now than was set. */
  #overtaken(directories: ReadonlyMap<RelPath, DirectoryFact>): Map<RelPath, DirectoryFact> {
    const overtaken = new Map<RelPath, DirectoryFact>()
    for (const [path, { mtimeUs }] of directories) {
      const row = this.#context.index.disk(path)
      const fact = row?.drift === undefined ? row?.applied.fact : undefined
      if (fact?.type === 'directory' && fact.mtimeUs !== mtimeUs) overtaken.set(path, fact)
    }
    return overtaken
  }
}
