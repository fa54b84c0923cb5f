// How long an address waits until it is dialled again. Pure: what failed how often, and a random number, go in.
//
// Every wait is drawn from the upper half of its range, so that those that failed together do not come back together; where
// many are lost at once, or come back at once, they are spread over a time that grows with their number.

/** Why an address is in the book; a configured host outranks the rest. 'met': somebody was met there by ourselves. */
export type Merit = 'known' | 'met' | 'learnt' | 'beacon'

/** First wait after a failure (B3). */
const MIN_MS = 250
/**
 * Longest wait. A configured host is worth two dials a minute for ever; where we met somebody one a minute, as it is most
 * likely to be there again; a thousand dead addresses that peers told cost three a second.
 */
const MAX_MS: Readonly<Record<Merit, number>> = {
  known: 30_000,
  met: 60_000,
  learnt: 300_000,
  beacon: 30_000,
}
/** The same while a worse way to the device works: a better one is worth looking for, not worth much noise. */
const CALM_MAX_MS = 300_000
/** Dials until an address is forgotten: an hour or so for learnt ones, a day for where we met somebody. */
const TRIES: Readonly<Record<Merit, number>> = {
  known: Number.POSITIVE_INFINITY,
  met: 2_000,
  learnt: 20,
  beacon: 6,
}
/** Many that are due for the same reason: this much time for each, and no more in all. Fifty are dialled within five seconds. */
const EACH_MS = 100
const MAX_SPREAD_MS = 10_000
/** Doubling ends somewhere; no wait is longer. */
const MAX_DOUBLINGS = 20
/** First time for an address to answer: two packets lost are made good by TCP within it. It doubles with each failure. */
const PATIENCE_MS = 3_000

/** Milliseconds until the next try, after `failures` before this one; `random` is from 0 to below 1. */
export function backoffMs(merit: Merit, failures: number, isCalm: boolean, random: number): number {
  const max = isCalm ? Math.max(CALM_MAX_MS, MAX_MS[merit]) : MAX_MS[merit]
  const wait = Math.min(max, MIN_MS * 2 ** Math.min(failures, MAX_DOUBLINGS))
  return wait * (0.5 + random / 2)
}

/** What is added where `count` wait for the same reason. */
export function spreadMs(count: number, random: number): number {
  return count <= 1 ? 0 : Math.min(MAX_SPREAD_MS, count * EACH_MS) * random
}

/** Whether an address that failed so often in a row is not worth another try. */
export function isHopeless(merit: Merit, failures: number): boolean {
  return failures >= TRIES[merit]
}

/** How long a dial may take. A dead address costs little when it is new; a slow network gets its time in the end. */
export function patienceMs(failures: number, maxMs: number): number {
  return Math.min(maxMs, PATIENCE_MS * 2 ** Math.min(failures, MAX_DOUBLINGS))
}
