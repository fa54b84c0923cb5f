// One hook of a running share: keeps its batch (core/hook-batch.ts) in step with its rows, runs its program when that is
// due, and tells how it went. Instants of the batch are those of performance.now().

import { randomUUID } from 'node:crypto'
import { type ChangedBy, concerns, type HookSpec } from '../core/hook.js'
import {
  askToRun,
  beginRun,
  dueOf,
  endRun,
  type HookBatch,
  type HookDue,
  newBatch,
  noteChange,
  type Surroundings,
} from '../core/hook-batch.js'
import type { RelPath } from '../core/path.js'
import type { Log } from '../ports/log.js'
import { hookEnvironment } from './environment.js'
import { endProcesses, processesOf } from './group.js'
import type { HookRows, LastRun } from './hook-table.js'
import { Patterns } from './patterns.js'
import { type Run, type RunResult, startRun } from './runner.js'
import type { HookSlots } from './slots.js'

/** How often it is looked whether what nobody announces has come about. */
const POLL_MS = 250
/** When the daemon stops, a run may go on for so long, and has so long after SIGTERM: together within its five seconds. */
const STOP_PATIENCE_MS = 1500
const STOP_GRACE_MS = 1000

/** What a hook needs of its share. */
export interface HookHost {
  /** The share's directory, absolute. */
  readonly dir: string
  /** The beginning of the share's id. */
  readonly share: string
  /** The daemon's private folder. */
  readonly scratch: string
  readonly log: Log
  readonly slots: HookSlots
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
  /** The daemon's environment. */
  readonly environment: Readonly<Record<string, string | undefined>>
  around(): Omit<Surroundings, 'wanted'>
  /** Paths still to be brought to this disk. */
  wanted(): Iterable<RelPath>
  /** Sets, or with undefined clears, what is wrong with a hook, named as in the configuration. */
  tell(hook: string, problem: string | undefined): void
  /** A run has ended: the hook's program, and how, in words. */
  ended?(program: string, how: string): void
  transaction<T>(body: () => T): T
  fail(thrown: unknown): void
}

/** A hook as it is shown. */
export interface HookView {
  /** In the configuration, from 1. */
  readonly number: number
  readonly match: readonly string[]
  readonly run: readonly string[]
  readonly ownChanges: boolean
  readonly state: 'idle' | 'settling' | 'waiting' | 'running' | 'retrying' | 'failed'
  /** Paths whose change no run was told of that did well. */
  readonly pending: number
  /** What a waiting one waits for. */
  readonly waitsFor: string | undefined
  /** Until the next try or run, if only time is missing. */
  readonly dueInMs: number | undefined
  readonly last: LastRun | undefined
}

export class Hook {
  readonly #host: HookHost
  readonly #rows: HookRows
  readonly #patterns: Patterns
  readonly #onFree = (): void => this.wake()
  #spec: HookSpec
  #number: number
  /** `on_change[0]` */
  #key: string
  #batch: HookBatch
  #wanted = 0
  #run: Run | undefined
  #running: Promise<void> | undefined
  /** Not before start(), and not while a run that an earlier process left is being ended. */
  #mayRun = false
  #isWoken = false
  #isStopped = false
  #timer: NodeJS.Timeout | undefined
  #waiters: (() => void)[] = []

  constructor(host: HookHost, rows: HookRows, spec: HookSpec, number: number, at: number) {
    this.#host = host
    this.#rows = rows
    this.#spec = spec
    this.#number = number
    this.#key = keyOf(at)
    this.#patterns = new Patterns(spec.match)
    this.#batch = newBatch(rows.count, performance.now())
    if (rows.last !== undefined && rows.count > 0) this.#tellOf(rows.last)
  }

  /** The same hook with other times, or at another place. */
  adjust(spec: HookSpec, number: number, at: number): void {
    if (this.#key !== keyOf(at)) this.#host.tell(this.#key, undefined)
    this.#spec = spec
    this.#number = number
    this.#key = keyOf(at)
    if (this.#rows.last !== undefined && this.#rows.count > 0) this.#tellOf(this.#rows.last)
    this.wakeSoon()
  }

  /** Ends what an earlier process left behind, and runs from now on. */
  start(): void {
    const { left } = this.#rows
    const pids = left === undefined ? [] : processesOf(left)
    if (left === undefined || pids.length === 0) return this.#begin()
    this.#host.log.warn({ hook: this.#number, pids }, 'ending a hook that an earlier process began')
    void endProcesses(left).then(() => this.#begin())
  }

  get number(): number {
    return this.#number
  }

  matches(path: RelPath): boolean {
    return this.#patterns.match(path)
  }

  /** A path was changed. Call inside the transaction that notes it. */
  noteChange(path: RelPath, by: ChangedBy): void {
    if (!concerns(this.#spec, by, by === 'user' && !this.#spec.ownChanges ? false : this.matches(path)))
      return
    this.#batch = noteChange(this.#batch, this.#rows.add(path) ? 1 : 0, performance.now())
    this.wakeSoon()
  }

  /** A path has come to be wanted, or is no longer. */
  noteWanted(path: RelPath, isWanted: boolean): void {
    if (!this.matches(path)) return
    this.#wanted += isWanted ? 1 : -1
    if (this.#wanted === 0) this.wakeSoon()
  }

  /** Looks, once what is under way is noted, whether there is something to do. */
  wakeSoon(): void {
    if (this.#isWoken || this.#isStopped) return
    this.#isWoken = true
    setImmediate(() => {
      this.#isWoken = false
      this.wake()
    })
  }

  wake(): void {
    if (this.#isStopped) return
    clearTimeout(this.#timer)
    const due = this.#due()
    if (due.type === 'run') {
      if (this.#host.slots.take(this.#onFree)) this.#start()
    } else if (due.type === 'wait' && due.for !== 'paths') {
      const inMs = 'untilMs' in due ? due.untilMs - performance.now() + 1 : POLL_MS
      this.#timer = setTimeout(() => this.wake(), inMs)
    }
  }

  /** Runs what is pending as soon as all of it is there; resolves after that, or at once if it has to wait. */
  async ask(): Promise<void> {
    this.#batch = askToRun(this.#batch)
    this.wake()
    // The run under way, and the one asked for.
    for (let runs = 0; runs < 2 && !this.#isStopped; runs++) {
      if (this.#running === undefined && this.#due().type !== 'run') return
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
  }

  view(): HookView {
    const due = this.#due()
    const { match, run, ownChanges } = this.#spec
    return {
      number: this.#number,
      match,
      run,
      ownChanges,
      state: stateOf(due),
      pending: this.#batch.pending,
      waitsFor: this.#waitsFor(due),
      dueInMs: 'untilMs' in due ? Math.max(0, Math.ceil(due.untilMs - performance.now())) : undefined,
      last: this.#rows.last,
    }
  }

  /** What is pending here, for the hooks that take its place. */
  pending(): Iterable<RelPath> {
    return this.#rows.pending()
  }

  /** Forgets all that is kept of it. Call inside a transaction. */
  clear(): void {
    this.#host.tell(this.#key, undefined)
    this.#rows.clear()
  }

  /** Ends a run that does not end by itself soon; it is run again by who comes after. Nothing runs any more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    this.#host.slots.forget(this.#onFree)
    this.#run?.stop(STOP_PATIENCE_MS, STOP_GRACE_MS)
    await this.#running
    this.#release()
  }

  #due(): HookDue {
    // What is around costs a look at all feeds.
    const { isRunning, pending } = this.#batch
    const around =
      isRunning || pending === 0 ? { halted: undefined, isReady: true, isBehind: false } : this.#host.around()
    const due = dueOf(this.#batch, this.#spec, { ...around, wanted: this.#wanted }, performance.now())
    return due.type === 'run' && !this.#mayRun ? { type: 'wait', for: 'start' } : due
  }

  #begin(): void {
    this.#mayRun = true
    this.wakeSoon()
  }

  #start(): void {
    this.#running = this.#runOnce()
      .catch((thrown: unknown) => this.#host.fail(thrown))
      .finally(() => {
        this.#running = undefined
        this.#host.slots.release()
        this.#release()
        this.#sweep()
        this.wakeSoon()
      })
  }

  async #runOnce(): Promise<void> {
    const { host, number } = { host: this.#host, number: this.#number }
    const { run: argv, cwd = host.dir, env, timeoutMs } = this.#spec
    const word = randomUUID()
    const { input, count } = this.#rows.begin(word)
    this.#batch = beginRun(this.#batch)
    const atMs = host.nowMs()
    const call = { number, dir: host.dir, share: host.share, count, word }
    host.log.info({ hook: number, program: argv[0], paths: count }, 'running a hook')
    this.#run = startRun({
      argv,
      cwd,
      env: hookEnvironment(host.environment, env, call),
      input,
      scratch: host.scratch,
      timeoutMs,
      onLine: (stream, line) => host.log.info({ hook: number, stream, line }, 'hook output'),
    })
    const result = await this.#run.ended
    this.#run = undefined
    this.#ended(lastRunOf(result, atMs, count), result.unlogged)
  }

  #ended(last: LastRun, unlogged: number): void {
    const { result } = last
    const again = this.#host.transaction(() => this.#rows.end(last))
    const end = result === 'done' ? 'done' : result === 'stopped' ? 'interrupted' : 'failed'
    this.#batch = endRun(this.#batch, end, again, this.#spec, performance.now())
    const fields = { hook: this.#number, durationMs: last.durationMs, paths: last.count }
    if (unlogged > 0) this.#host.log.warn({ ...fields, lines: unlogged }, 'more hook output was not logged')
    if (end === 'done') this.#host.log.info(fields, 'hook done')
    else this.#host.log.warn({ ...fields, how: howItEnded(last) }, 'hook failed')
    this.#host.ended?.(this.#spec.run[0]!, howItEnded(last))
    this.#tellOf(last)
  }

  #tellOf(last: LastRun): void {
    if (last.result === 'stopped') return
    const what = last.result === 'done' ? undefined : `${this.#spec.run[0]}: ${howItEnded(last)}`
    this.#host.tell(this.#key, what)
  }

  /** Rows of what is done go a few at a time. */
  #sweep(): void {
    if (!this.#isStopped && this.#rows.sweep()) setImmediate(() => this.#sweep())
  }

  #waitsFor(due: HookDue): string | undefined {
    if (due.type !== 'wait') return undefined
    switch (due.for) {
      case 'halt':
        return 'the share, which is halted'
      case 'start':
        return 'the first look at the folder, and for peers'
      case 'records':
        return 'what is known to be published and not read yet'
      case 'paths': {
        const paths = this.#wanted === 1 ? '1 path' : `${this.#wanted} paths`
        for (const path of this.#host.wanted()) if (this.matches(path)) return `${paths}, e.g. ${path}`
        return paths
      }
      case 'settle':
      case 'retry':
        return undefined
    }
  }

  #release(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const resolve of waiters) resolve()
  }
}

/** How a run that was no success ended, in words. */
export function howItEnded({ result, exit, signal, reason, durationMs }: LastRun): string {
  const after = `after ${(durationMs / 1000).toFixed(1)} s`
  switch (result) {
    case 'done':
      return `done ${after}`
    case 'timeout':
      return `ended by its timeout ${after}`
    case 'stopped':
      return 'ended because the daemon stopped'
    case 'not-started':
      return `did not start: ${reason ?? 'unknown'}`
    case 'failed':
      return exit === null ? `ended by ${signal ?? 'a signal'} ${after}` : `exit code ${exit} ${after}`
  }
}

function lastRunOf(
  { type, exit, signal, reason, durationMs, tail }: RunResult,
  atMs: number,
  count: number,
): LastRun {
  const result = type === 'exited' ? (exit === 0 ? 'done' : 'failed') : type
  return { atMs, durationMs, result, exit, signal, reason, count, output: tail }
}

function stateOf(due: HookDue): HookView['state'] {
  if (due.type === 'run') return 'waiting'
  if (due.type !== 'wait') return due.type
  return due.for === 'settle' ? 'settling' : due.for === 'retry' ? 'retrying' : 'waiting'
}

function keyOf(at: number): string {
  return `on_change[${at}]`
}
