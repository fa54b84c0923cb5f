// Whether the machine slept between two looks at its clocks. Where the monotonic clock stands still meanwhile (Linux), the
// wall clock tells; where it goes on (macOS, Windows, a process that was stopped), either does.

/** Both clocks at one instant, milliseconds. */
export interface Clocks {
  readonly wallMs: number
  readonly monotonicMs: number
}

/** Shorter is a busy machine, or a clock that is being put right. */
export const LEAST_SLEEP_MS = 60_000

/**
 * For how long the machine slept between two looks that should have been `everyMs` apart; 0 if it did not. A wall clock
 * that was set forward looks like sleep, one that was set back like nothing: what follows from sleep must do no harm.
 */
export function sleptMs(before: Clocks, now: Clocks, everyMs: number): number {
  const passedMs = Math.max(now.wallMs - before.wallMs, now.monotonicMs - before.monotonicMs)
  const slept = passedMs - everyMs
  return slept >= LEAST_SLEEP_MS ? slept : 0
}
