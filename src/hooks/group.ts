// The processes of a hook's run: ended as a whole group, and found again by the next daemon when the one that began them was
// killed, so that no two runs of a hook are at work together. They are known by a word in their environment that is noted
// before they start: a process id would be known only after, and may be another's by then.
import { readdirSync, readFileSync } from 'node:fs'

/** So long after SIGTERM comes SIGKILL. */
export const GRACE_MS = 5000
/** The variable that holds the word of a run. */
export const RUN_VARIABLE = 'SHOAL_RUN'
const LOOK_MS = 50

/** Sends a signal to a group; false if nobody is left in it. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  return send(-pid, signal)
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

/** The processes that have a run's word in their environment, as far as this user may see that; none without /proc. */
export function processesOf(word: string): number[] {
  const variable = `${RUN_VARIABLE}=${word}`
  return namesIn('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    return environmentOf(name).split('\0').includes(variable) ? [Number(name)] : []
  })
}

/** Ends them as endGroup does. */
export async function endProcesses(word: string, graceMs: number = GRACE_MS): Promise<void> {
  for (const pid of processesOf(word)) send(pid, 'SIGTERM')
  for (const endMs = performance.now() + graceMs; performance.now() < endMs; ) {
    if (processesOf(word).length === 0) return
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  for (const pid of processesOf(word)) send(pid, 'SIGKILL')
}

function send(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(target, signal)
    return true
  } catch (thrown) {
    // EPERM: somebody is there who has become another user; that is not ours to end.
    return (thrown as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    // No /proc here: nothing can be told of what an earlier process left.
    return []
  }
}

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    // Gone, or another user's.
    return ''
  }
}
