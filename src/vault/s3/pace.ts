// When what is in the spool goes to the bucket. A sealed pack at once; one that still grows when nothing was added for a
// while, or when what it holds has waited for long. An object is replaced as a whole, so a growing pack is sent again
// only when the time since it was sent last would have sufficed for it at a low rate: a trickle of pieces into a pack
// that is nearly full must not send 64 MiB a minute. Pure; instants are monotonic milliseconds.

export interface GrowingPack {
  readonly bytes: number
  /** What the bucket has of it; 0 if nothing. */
  readonly sentBytes: number
  /** When it was sent last; undefined: not since the start. */
  readonly sentAtMs: number | undefined
  /** When it grew last. */
  readonly grownAtMs: number
  /** Since when the bucket lacks something of it. */
  readonly waitingSinceMs: number
}

/** Nothing added for so long: what is in a burst goes together. */
export const IDLE_MS: number = 60_000
/** What keeps growing goes after so long. */
export const LONGEST_WAIT_MS: number = 10 * 60_000
/** At which sending the same again may go on: a full pack of 64 MiB at most every 34 minutes. */
export const AGAIN_BYTES_PER_SECOND: number = 32 * 1024
/** After a failure: doubled with each more, up to the longest. */
export const FIRST_RETRY_MS = 1000
export const LONGEST_RETRY_MS: number = 5 * 60_000

/** When it is to be sent; infinite: the bucket has all of it. */
export function dueAtMs(pack: GrowingPack): number {
  if (pack.bytes === pack.sentBytes) return Number.POSITIVE_INFINITY
  const quietAtMs = Math.min(pack.grownAtMs + IDLE_MS, pack.waitingSinceMs + LONGEST_WAIT_MS)
  if (pack.sentAtMs === undefined) return quietAtMs
  return Math.max(quietAtMs, pack.sentAtMs + (pack.sentBytes / AGAIN_BYTES_PER_SECOND) * 1000)
}

/** How long to wait after so many failures in a row (from 1); `random` is from 0 to 1 and keeps nodes from asking together. */
export function retryAfterMs(failures: number, random: number): number {
  const most = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1))
  return most * (0.5 + random / 2)
}
