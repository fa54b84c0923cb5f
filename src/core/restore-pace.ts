// How often a reader's change of one path is undone: at once at first, then after pauses that double, so that a job that
// changes the path again and again and a daemon that puts it back make no loop. Pure: times come in as arguments.

/** How it went at one path. */
export interface RestorePace {
  /** How often in a row it was put back. */
  readonly times: number
  /** The last time, milliseconds since 1970. */
  readonly lastMs: number
}

/** The pause after the first restore: enough for a person to see both states pass by. */
const FIRST_PAUSE_MS = 1000
/** The longest: a reader that drifts for ever is put back once an hour, and heard of in between. */
const MAX_PAUSE_MS = 3_600_000
/** A path that was left alone this long, or twice its last pause if that is longer, starts anew. */
const QUIET_MS = 600_000

/** The pace after a restore at `nowMs`. */
export function paceAfter(before: RestorePace | undefined, nowMs: number): RestorePace {
  const times = before === undefined || isOver(before, nowMs) ? 0 : before.times
  return { times: times + 1, lastMs: nowMs }
}

/**
 * When a change noticed now may be undone: `nowMs` itself, or later. A clock that was put back since the last restore makes
 * nobody wait longer than the pause.
 */
export function restoreAtMs(pace: RestorePace | undefined, nowMs: number): number {
  if (pace === undefined || isOver(pace, nowMs)) return nowMs
  const pauseMs = pauseAfter(pace.times)
  return Math.min(Math.max(nowMs, pace.lastMs + pauseMs), nowMs + pauseMs)
}

/** Whether a path was quiet for so long that its pace can be forgotten. */
export function isOver({ times, lastMs }: RestorePace, nowMs: number): boolean {
  return nowMs - lastMs >= Math.max(QUIET_MS, 2 * pauseAfter(times))
}

function pauseAfter(times: number): number {
  return Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (times - 1))
}
