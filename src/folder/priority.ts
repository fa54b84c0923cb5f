// Work that can wait (scanning, hashing, pruning) gets out of the way of the machine's other programs: its threads have a
// higher nice value. On Linux that is a property of each thread, and lowers the disk priority too, as long as nobody has
// set one: the kernel derives it, (nice + 20) / 5 (ioprio_set(2)). Thus no helper program and no native code is needed.
// It is not put back, because only root may do that; so such work has threads of its own (pool.ts).
import fs from 'node:fs'
import os from 'node:os'

/** Above the process's own: best-effort disk level 6 of 0 to 7, and a tenth of the processor where that is contended. */
const NICE_STEP = 10
const MAX_NICE = 19

/** What a thread of low priority is started with. */
export interface PriorityData {
  readonly lowPriority: boolean
}

/** Lowers this thread's priority if its data says so. Quietly does nothing where that cannot be. */
export function lowerPriority(data: unknown): void {
  if (typeof data !== 'object' || data === null || !('lowPriority' in data) || data.lowPriority !== true)
    return
  try {
    const thread = currentThread()
    if (thread === undefined) return
    os.setPriority(thread, Math.min(MAX_NICE, os.getPriority(thread) + NICE_STEP))
  } catch {
    // A sandbox may forbid it. The work gets done all the same, only less politely.
  }
}

/** The kernel's id of this thread; undefined where /proc does not tell. */
export function currentThread(): number | undefined {
  try {
    const thread = Number(fs.readlinkSync('/proc/thread-self').split('/').at(-1))
    return Number.isInteger(thread) && thread > 0 ? thread : undefined
  } catch {
    // No such file in this /proc.
    return undefined
  }
}
