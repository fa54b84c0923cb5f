// How much of the past is kept: everything of a last while, and from before that, snapshots: the ends of the last hours,
// days, weeks (from Monday on) and months, in UTC. A snapshot is an instant, and what stood then is kept whole.
// Promises: what a policy lets go it never asks for again, however the clock goes on; what is live is never let go.
import type { Grade } from './grade.js'

/** What of the past is kept. Counts are at least 0. */
export interface Retention {
  /** Everything that stood within the last so many milliseconds; Infinity: all. */
  readonly keepMs: number
  /** How many of the newest full hours, days, weeks and months are kept as they stood. */
  readonly hourly: number
  readonly daily: number
  readonly weekly: number
  readonly monthly: number
  /** Bytes that what is kept besides the live content takes at most; the oldest goes first. Undefined: no limit. */
  readonly maxBytes: number | undefined
}

/** While something stood: from an instant on, until another (exclusive); Infinity: it still does. Milliseconds. */
export interface Span {
  readonly fromMs: number
  readonly untilMs: number
}

/** The times of one generation of a feed (piece-life.ts), by its writer's clock. */
export interface GenerationTimes {
  /** When it began. */
  readonly atMs: number
  /** The earliest and the latest time that a record of it states: a clock may have been set in between. */
  readonly earliestMs: number
  readonly latestMs: number
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const WEEK_MS = 7 * DAY_MS
const MONTH_MS = 31 * DAY_MS
/** 1970 began on a Thursday: this is the Monday after. */
const FIRST_MONDAY_MS = 4 * DAY_MS

/** Nothing of the past goes. */
export const KEEP_ALL: Retention = {
  keepMs: Number.POSITIVE_INFINITY,
  hourly: 0,
  daily: 0,
  weekly: 0,
  monthly: 0,
  maxBytes: undefined,
}

/** What a blind node keeps unless it is told otherwise: undoing a bad week is easy, and a bad year is possible. */
export const DEFAULT_RETENTION: Retention = {
  keepMs: 30 * DAY_MS,
  hourly: 0,
  daily: 0,
  weekly: 26,
  monthly: 24,
  maxBytes: undefined,
}

/** What a share keeps whose `history` says nothing: what the archive holds of a readable one is bounded by its age alone. */
export function retentionFor(history: Retention | undefined, grade: Grade): Retention {
  return history ?? (grade === 'blind' ? DEFAULT_RETENTION : KEEP_ALL)
}

/**
 * For how long anything may be kept at all: nothing older is asked for by any snapshot. Infinity: for ever. For what is
 * known to be old without being known to have stood at an instant.
 */
export function reachMs({ keepMs, hourly, daily, weekly, monthly }: Retention): number {
  return Math.max(keepMs, hourly * HOUR_MS, daily * DAY_MS, weekly * WEEK_MS, monthly * MONTH_MS)
}

/**
 * What stood in a generation counts so much longer than that. What another writer replaced there may bear a later time than
 * the checkpoint that left it out: clocks differ. Doubling it keeps each generation that much longer.
 */
export const CLOCK_SLACK_MS: number = 2 * HOUR_MS

/** The snapshots that a policy keeps, ascending, each once, none before `oldestMs` nor after now. */
export function snapshotTimes(policy: Retention, nowMs: number, oldestMs: number): number[] {
  const times = new Set<number>()
  const add = (count: number, at: (back: number) => number): void => {
    for (let back = 0; back < count; back++) {
      const time = at(back)
      if (time < oldestMs) return
      times.add(time)
    }
  }
  add(policy.hourly, (back) => startOf(nowMs, HOUR_MS, 0) - back * HOUR_MS)
  add(policy.daily, (back) => startOf(nowMs, DAY_MS, 0) - back * DAY_MS)
  add(policy.weekly, (back) => startOf(nowMs, WEEK_MS, FIRST_MONDAY_MS) - back * WEEK_MS)
  const now = new Date(nowMs)
  add(policy.monthly, (back) => Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back))
  return [...times].sort((a, b) => a - b)
}

/** Tells what is kept of what stood since `oldestMs`. Made once for many questions: each takes a binary search. */
export function keeperOf(policy: Retention, nowMs: number, oldestMs: number): (span: Span) => boolean {
  const times = snapshotTimes(policy, nowMs, oldestMs)
  return ({ fromMs, untilMs }) => {
    if (untilMs > nowMs - policy.keepMs) return true
    const next = times[firstAtLeast(times, fromMs)]
    return next !== undefined && next < untilMs
  }
}

/** While each generation counts; they come in the order of their feed. The last one still does. */
export function spansOf(generations: readonly GenerationTimes[]): Span[] {
  return generations.map(({ atMs, earliestMs, latestMs }, i) => {
    const next = generations[i + 1]
    const untilMs =
      next === undefined ? Number.POSITIVE_INFINITY : Math.max(next.atMs, latestMs) + CLOCK_SLACK_MS
    return { fromMs: Math.min(atMs, earliestMs), untilMs }
  })
}

/** Which generations of a feed are kept; the newest always. Does not look at `maxBytes`, which counts over all feeds. */
export function keptGenerations(
  generations: readonly GenerationTimes[],
  policy: Retention,
  nowMs: number,
): boolean[] {
  const spans = spansOf(generations)
  const oldestMs = spans.reduce((oldest, { fromMs }) => Math.min(oldest, fromMs), nowMs)
  const isKept = keeperOf(policy, nowMs, oldestMs)
  return spans.map(isKept)
}

/**
 * Adds up what history takes, by when it was last needed, and says what has to go so that it stays within a policy's
 * `maxBytes`. Holds one number for each instant, of which there are as many as generations.
 */
export class HistoryBudget {
  readonly #bytes = new Map<number, number>()
  #total = 0

  /** Bytes that were last needed just before `untilMs`; what is still live (Infinity) does not count. */
  add(untilMs: number, bytes: number): void {
    if (untilMs === Number.POSITIVE_INFINITY) return
    this.#bytes.set(untilMs, (this.#bytes.get(untilMs) ?? 0) + bytes)
    this.#total += bytes
  }

  /** Bytes of history altogether. */
  get total(): number {
    return this.#total
  }

  /** What was last needed before this instant or at it has to go; -Infinity: nothing has to. */
  horizonMs(maxBytes: number | undefined): number {
    let horizon = Number.NEGATIVE_INFINITY
    if (maxBytes === undefined) return horizon
    let left = this.#total
    for (const untilMs of [...this.#bytes.keys()].sort((a, b) => a - b)) {
      if (left <= maxBytes) break
      left -= this.#bytes.get(untilMs)!
      horizon = untilMs
    }
    return horizon
  }
}

function startOf(atMs: number, stepMs: number, originMs: number): number {
  return Math.floor((atMs - originMs) / stepMs) * stepMs + originMs
}

/** The first position whose time is at least this. */
function firstAtLeast(times: readonly number[], atMs: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (times[middle]! < atMs) low = middle + 1
    else high = middle
  }
  return low
}
