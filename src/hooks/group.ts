// The process group of a hook's run: ended as a whole, and found again by the next daemon when the one that began it was
// killed, so that no two runs of a hook are at work together.
import { readFileSync } from 'node:fs'

/** So long after SIGTERM comes SIGKILL. */
export const GRACE_MS = 5000
const LOOK_MS = 50

/** A process as it can be told from a later one of the same number. */
export interface ProcessMark {
  readonly pid: number
  /** When it was started, in ticks since the machine was; with the boot id. */
  readonly started: string
}

/** Undefined where that cannot be told, or it is gone. */
export function markOf(pid: number): ProcessMark | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name, in parentheses, may hold anything; the 22nd field is the 20th after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { pid, started: `${boot} ${fields[19]}` }
  } catch {
    // No /proc, or no such process.
    return undefined
  }
}

/** Whether the process that was marked is there. */
export function isThere({ pid, started }: ProcessMark): boolean {
  return markOf(pid)?.started === started
}

/** Sends a signal to a group; false if nobody is left in it. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal)
    return true
  } catch (thrown) {
    // EPERM: somebody is there who has become another user; that is not ours to end.
    return (thrown as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Ends a group: SIGTERM, and SIGKILL for who is still there after the grace. Resolves when that is sent or none is left. */
export async function endGroup(pid: number, graceMs: number = GRACE_MS): Promise<void> {
  signalGroup(pid, 'SIGTERM')
  for (const endMs = performance.now() + graceMs; performance.now() < endMs; ) {
    if (!signalGroup(pid, 0)) return
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  signalGroup(pid, 'SIGKILL')
}
