// When a stat can be trusted to tell a change (A8). File systems stamp changes with a clock that stands still between
// ticks, so a write shortly after another one may leave the stat as it was. A file is therefore read only once its last
// change lies further back than a tick: from then on every change shows.
import type { DiskStat } from '../core/stat.js'

/**
 * Longest tick of a kernel's file clock (CONFIG_HZ=100), and 2 ms for the rounding of Date.now and of the tick itself.
 * Too short would let a write within the tick go unseen until the next one; too long delays each fresh file.
 */
const TICK_MS = 12
/** File systems that keep whole seconds (ext3, some network servers), or, FAT, every other one. */
const COARSE_TICK_MS = 2010
/** A change stamped further ahead than this comes from a clock that is wrong, and says nothing about now. */
const SKEW_MS = 5000
/** Longest pause that is worth waiting out in a worker. */
export const MAX_PAUSE_MS: number = 2 * TICK_MS

/** Milliseconds from `nowMs` (since 1970) until a change would show in the stat; 0 or less: it would already. */
export function unsettledMs(stat: DiskStat, nowMs: number): number {
  // The ctime moves with every change and cannot be set by programs, so it tells when the last one was.
  const coarse = stat.ctimeMs % 1000 === 0 && stat.mtimeMs % 1000 === 0
  const leftMs = stat.ctimeMs + (coarse ? COARSE_TICK_MS : TICK_MS) - nowMs
  return leftMs > SKEW_MS ? 0 : leftMs
}

/** Blocks this thread for that long; false, without waiting, if it is too long for that. */
export function pause(ms: number): boolean {
  if (ms > MAX_PAUSE_MS) return false
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.ceil(ms))
  return true
}
