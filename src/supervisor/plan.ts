// What becomes of one supervised daemon: a pure state machine from events to states and actions. It knows no process and
// no clock; the caller tells it what happened and when, does what it asks for, and wakes it when `wakesAtMs` says.
//
//   idle ──start──▶ starting ──ready──▶ running ──exited──▶ waiting ──time──▶ starting ...
//                      └────────exited─────┴── the configuration is wrong ──▶ failed ──changed, time──▶ starting
//   any ──stop──▶ stopping (while there is a process) ──exited──▶ idle
//   without a process ──refused──▶ failed, until it changed
//
// 1. Between two 'spawn' there is an 'exited' or a 'notSpawned': never two processes of one daemon.
// 2. The n-th pause in a row is between half and all of min(FIRST * 2^(n-1), LONGEST); one that was ready for STEADY_MS
//    begins anew. The halves are random, as daemons that died of one cause need not come back in one moment.
// 3. One whose configuration is wrong waits for it to change, and tries seldom otherwise: what it lacks may lie elsewhere.
// 4. Who is asked to stop and is still there after GRACE_MS is ended by force, once.
import { assertNever } from '../core/error.js'

export const FIRST_PAUSE_MS = 1000
/** Doubled, a daemon whose disk came back is missed for longer; halved, a machine in trouble gets no rest. */
export const LONGEST_PAUSE_MS = 60_000
/** One that was ready for so long died of something new. */
export const STEADY_MS = 60_000
/** Between two tries with a configuration that is wrong and has not changed. */
export const FAILED_PAUSE_MS = 300_000
/** A daemon ends within five seconds by itself; on a loaded machine a moment later. */
export const GRACE_MS = 8000

/**
 * Exit codes that say that trying again is of no use before something is changed by a person: USAGE, SECRET_INVALID,
 * SECRET_GRADE, CONFIG_UNREADABLE, NOT_YET, no permission (EX_NOPERM of sysexits.h), CONFIG_INVALID; 126 and 127 are the
 * shell's for what cannot be run.
 */
const WRONG_CONFIG_EXITS: ReadonlySet<number> = new Set([64, 65, 66, 69, 77, 78, 126, 127])

export type Phase =
  /** No process, and none is wanted. `reason` is empty unless it ended by itself. */
  | { readonly type: 'idle'; readonly reason: string }
  | { readonly type: 'starting'; readonly sinceMs: number; readonly changed: boolean }
  | { readonly type: 'running'; readonly sinceMs: number }
  | { readonly type: 'waiting'; readonly untilMs: number; readonly reason: string }
  /** `untilMs` is absent where the supervisor itself refuses: only another configuration helps. */
  | { readonly type: 'failed'; readonly untilMs?: number; readonly reason: string }
  | {
      readonly type: 'stopping'
      readonly killAtMs: number
      readonly killed: boolean
      /** Start again when it has ended. */
      readonly again: boolean
    }

export interface Machine {
  readonly phase: Phase
  /** Ends in a row, each soon after the other. */
  readonly deaths: number
  /** How often it was started again after ending by itself. */
  readonly restarts: number
}

export type Event =
  | { readonly type: 'start' }
  | { readonly type: 'ready' }
  /** The process is gone; `lastWords` is what it said of it. */
  | {
      readonly type: 'exited'
      readonly exit: number | null
      readonly signal: string | null
      readonly lastWords: string
    }
  /** There was none to be had. */
  | { readonly type: 'notSpawned'; readonly reason: string }
  /** The configuration is another. */
  | { readonly type: 'changed' }
  /** The configuration is wrong, as the supervisor sees itself: no process is tried with it. */
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'stop' }
  | { readonly type: 'time' }

/** What the caller has to do, in order. Signals are for the process of the last 'spawn'. */
export type Action = 'spawn' | 'SIGTERM' | 'SIGKILL' | 'SIGHUP'

export interface Step {
  readonly machine: Machine
  readonly actions: readonly Action[]
}

export const IDLE: Machine = { phase: { type: 'idle', reason: '' }, deaths: 0, restarts: 0 }

/** `nowMs` never goes back; `random` is 0 to 1. Events that make no sense in a phase change nothing. */
export function step(machine: Machine, event: Event, nowMs: number, random: number): Step {
  const { phase } = machine
  switch (event.type) {
    case 'start':
      if (phase.type === 'stopping') return stay({ ...machine, phase: { ...phase, again: true } })
      return hasProcess(phase) ? stay(machine) : spawn({ ...machine, deaths: 0 }, nowMs)
    case 'ready':
      if (phase.type !== 'starting') return stay(machine)
      return {
        machine: { ...machine, phase: { type: 'running', sinceMs: nowMs } },
        actions: phase.changed ? ['SIGHUP'] : [],
      }
    case 'exited':
      return hasProcess(phase) ? exited(machine, event, nowMs, random) : stay(machine)
    case 'notSpawned':
      return phase.type === 'starting' ? pause(machine, event.reason, nowMs, random) : stay(machine)
    case 'changed':
      return changed(machine, nowMs)
    case 'refused':
      if (hasProcess(phase) && phase.type !== 'stopping') return stay(machine)
      if (phase.type === 'stopping') return stay({ ...machine, phase: { ...phase, again: false } })
      return stay({ ...machine, phase: { type: 'failed', reason: event.reason } })
    case 'stop':
      return stop(machine, nowMs)
    case 'time':
      return woken(machine, nowMs)
    default:
      return assertNever(event)
  }
}

/** When 'time' is due; undefined: nothing is waited for. */
export function wakesAtMs({ phase }: Machine): number | undefined {
  if (phase.type === 'waiting' || phase.type === 'failed') return phase.untilMs
  return phase.type === 'stopping' && !phase.killed ? phase.killAtMs : undefined
}

/** Whether a process is there, or one was asked for. */
export function hasProcess(
  phase: Phase,
): phase is Extract<Phase, { type: 'starting' | 'running' | 'stopping' }> {
  return phase.type === 'starting' || phase.type === 'running' || phase.type === 'stopping'
}

/** Whether a start has come to an end, good or bad. */
export function isSettled({ phase }: Machine): boolean {
  return phase.type !== 'starting'
}

function stay(machine: Machine): Step {
  return { machine, actions: [] }
}

function spawn(machine: Machine, nowMs: number): Step {
  return {
    machine: { ...machine, phase: { type: 'starting', sinceMs: nowMs, changed: false } },
    actions: ['spawn'],
  }
}

function exited(
  machine: Machine,
  { exit, signal, lastWords }: Extract<Event, { type: 'exited' }>,
  nowMs: number,
  random: number,
): Step {
  const { phase } = machine
  if (phase.type === 'stopping')
    return phase.again ? spawn({ ...machine, deaths: 0 }, nowMs) : stay({ ...machine, phase: IDLE.phase })
  const how = signal === null ? `exit code ${exit ?? 'unknown'}` : signal
  const reason = lastWords === '' ? how : `${lastWords} (${how})`
  if (exit === 0) return stay({ ...machine, phase: { type: 'idle', reason: 'ended by itself' } })
  if (exit !== null && WRONG_CONFIG_EXITS.has(exit))
    // It may have read the file before it was changed.
    return phase.type === 'starting' && phase.changed
      ? pause(machine, reason, nowMs, random)
      : stay({ ...machine, phase: { type: 'failed', untilMs: nowMs + FAILED_PAUSE_MS, reason } })
  const wasSteady = phase.type === 'running' && nowMs - phase.sinceMs >= STEADY_MS
  return pause(wasSteady ? { ...machine, deaths: 0 } : machine, reason, nowMs, random)
}

function pause(machine: Machine, reason: string, nowMs: number, random: number): Step {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** machine.deaths)
  const untilMs = nowMs + Math.ceil(longest * (0.5 + random / 2))
  return stay({ ...machine, deaths: machine.deaths + 1, phase: { type: 'waiting', untilMs, reason } })
}

function changed(machine: Machine, nowMs: number): Step {
  const { phase } = machine
  switch (phase.type) {
    case 'running':
      return { machine, actions: ['SIGHUP'] }
    case 'starting':
      // A signal that comes before it is waited for would end it.
      return stay({ ...machine, phase: { ...phase, changed: true } })
    case 'waiting':
    case 'failed':
      return spawn({ ...machine, deaths: 0, restarts: machine.restarts + 1 }, nowMs)
    case 'idle':
    case 'stopping':
      return stay(machine)
    default:
      return assertNever(phase)
  }
}

function stop(machine: Machine, nowMs: number): Step {
  const { phase } = machine
  if (phase.type === 'stopping') return stay({ ...machine, phase: { ...phase, again: false } })
  if (!hasProcess(phase)) return stay({ ...machine, deaths: 0, phase: IDLE.phase })
  return {
    machine: {
      ...machine,
      phase: { type: 'stopping', killAtMs: nowMs + GRACE_MS, killed: false, again: false },
    },
    actions: ['SIGTERM'],
  }
}

function woken(machine: Machine, nowMs: number): Step {
  const { phase } = machine
  const dueMs = wakesAtMs(machine)
  if (dueMs === undefined || nowMs < dueMs) return stay(machine)
  if (phase.type === 'stopping')
    return { machine: { ...machine, phase: { ...phase, killed: true } }, actions: ['SIGKILL'] }
  return spawn({ ...machine, restarts: machine.restarts + 1 }, nowMs)
}
