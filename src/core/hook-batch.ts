// When a hook runs: the changes that no finished run was told of (the batch), what has to be so before a run may begin, and
// what follows from its end. Pure: instants are milliseconds of any clock that only goes forward, and come in as arguments.
//
// Invariants, cited by the tests:
//   B1 one run at a time; what changes meanwhile is the next batch.
//   B2 never while anything that matches is still on its way, or a feed is not read to its end: no half batch.
//   B3 a change is in a run that began after it, unless retries are used up; then it is in the next one.
//   B4 a run that failed is repeated at most `retry.times` times without news, each time after twice the wait.
//   B5 constant changes put a run off by maxSettleMs at most, and then to the next moment that B2 allows.
import type { HookRetry } from './hook.js'

/** Longest wait between two tries. */
export const MAX_RETRY_WAIT_MS = 600_000
/** However small `settle` is, constant changes put a run off for so long at most. */
const LEAST_MAX_SETTLE_MS = 30_000
const MAX_SETTLE_TIMES = 10

export interface HookPolicy {
  readonly settleMs: number
  readonly retry: HookRetry
}

export interface HookBatch {
  /** Paths that changed and that no run was told of, or only runs that failed; those of a run under way aside. */
  readonly pending: number
  /** First and last change of these; without meaning if there are none. */
  readonly firstMs: number
  readonly lastMs: number
  readonly isRunning: boolean
  /** Runs that failed since the last change. */
  readonly tries: number
  /** After a failure, the next run begins no sooner. */
  readonly notBeforeMs: number
  /** A person wants it to run now: settling and waiting for a retry are over. */
  readonly isAsked: boolean
}

/** What is so around a hook. */
export interface Surroundings {
  /** Why the share does nothing at all, or undefined. */
  readonly halted: string | undefined
  /** The disk was looked through since the start, and peers had time to say what is new. */
  readonly isReady: boolean
  /** Paths that match and are still to be brought to this disk, for whatever reason. */
  readonly wanted: number
  /** A feed is known to go on beyond what was read of it. */
  readonly isBehind: boolean
}

export type HookDue =
  | { readonly type: 'run' }
  | { readonly type: 'idle' | 'running' | 'failed' }
  | { readonly type: 'wait'; readonly for: 'halt' | 'start' | 'paths' | 'records' }
  | { readonly type: 'wait'; readonly for: 'settle' | 'retry'; readonly untilMs: number }

export type RunEnd = 'done' | 'failed' | 'interrupted'

const NO_BATCH: HookBatch = {
  pending: 0,
  firstMs: 0,
  lastMs: 0,
  isRunning: false,
  tries: 0,
  notBeforeMs: Number.NEGATIVE_INFINITY,
  isAsked: false,
}

/** The batch of a hook whose process has just started; `pending` paths are left from the one before. */
export function newBatch(pending: number, nowMs: number): HookBatch {
  return { ...NO_BATCH, pending, firstMs: nowMs, lastMs: nowMs }
}

/** Longest time that changes one after the other put a run off. */
export function maxSettleMs({ settleMs }: HookPolicy): number {
  return Math.max(LEAST_MAX_SETTLE_MS, MAX_SETTLE_TIMES * settleMs)
}

/** Something that matches was changed; `added` is how many paths were not pending before. */
export function noteChange(batch: HookBatch, added: number, nowMs: number): HookBatch {
  const firstMs = batch.pending === 0 ? nowMs : batch.firstMs
  return { ...batch, pending: batch.pending + added, firstMs, lastMs: nowMs, tries: 0 }
}

/** A person asks for it. */
export function askToRun(batch: HookBatch): HookBatch {
  return batch.pending === 0 ? batch : { ...batch, isAsked: true }
}

/** What is to be done now. */
export function dueOf(batch: HookBatch, policy: HookPolicy, around: Surroundings, nowMs: number): HookDue {
  if (batch.isRunning) return { type: 'running' }
  if (batch.pending === 0) return { type: 'idle' }
  if (around.halted !== undefined) return { type: 'wait', for: 'halt' }
  if (batch.tries > policy.retry.times && !batch.isAsked) return { type: 'failed' }
  if (around.wanted > 0) return { type: 'wait', for: 'paths' }
  if (around.isBehind) return { type: 'wait', for: 'records' }
  if (!around.isReady) return { type: 'wait', for: 'start' }
  if (batch.isAsked) return { type: 'run' }
  const settledMs = Math.min(batch.lastMs + policy.settleMs, batch.firstMs + maxSettleMs(policy))
  if (nowMs < batch.notBeforeMs && batch.notBeforeMs >= settledMs)
    return { type: 'wait', for: 'retry', untilMs: batch.notBeforeMs }
  return nowMs < settledMs ? { type: 'wait', for: 'settle', untilMs: settledMs } : { type: 'run' }
}

/** A run begins with all that is pending. */
export function beginRun(batch: HookBatch): HookBatch {
  return { ...batch, pending: 0, isRunning: true, isAsked: false }
}

/**
 * A run has ended; `again` is how many of the paths it was told of are pending now besides those that changed since: none
 * if it was done.
 */
export function endRun(
  batch: HookBatch,
  end: RunEnd,
  again: number,
  policy: HookPolicy,
  nowMs: number,
): HookBatch {
  const hasNews = batch.pending > 0
  const ended = {
    ...batch,
    isRunning: false,
    pending: batch.pending + again,
    firstMs: hasNews ? batch.firstMs : nowMs,
    lastMs: hasNews ? batch.lastMs : nowMs,
  }
  if (end === 'done') return { ...ended, tries: 0, notBeforeMs: Number.NEGATIVE_INFINITY }
  if (end === 'interrupted') return ended
  const tries = hasNews ? 1 : batch.tries + 1
  return { ...ended, tries: hasNews ? 0 : tries, notBeforeMs: nowMs + retryWaitMs(policy.retry, tries) }
}

/** The pause after so many failures in a row. */
export function retryWaitMs({ waitMs }: HookRetry, failures: number): number {
  return Math.min(MAX_RETRY_WAIT_MS, waitMs * 2 ** Math.min(failures - 1, 32))
}
