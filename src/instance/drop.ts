// Becomes the user an instance runs as, for good. In the order that matters: what needs root (niceness, groups), then the
// group, then the user; then nothing is left to regain, and that is tried and looked at, not assumed.
// Numbered, as tests cite them:
//   D1 never as the wrong user: without root's rights, an instance of another user or group is refused.
//   D2 after the drop every thread has the user, the group and the groups, and no capability that is not named.
//   D3 after the drop nothing leads back.
// setuid() of the C library changes all threads of a process (setxid), workers and pools included; D2 looks at each.
// Node refuses setuid() where io_uring may run, whose thread in the kernel keeps root's rights (CVE-2024-22017).
import { readdirSync, readFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { ShoalError } from '../core/error.js'
import type { Capability } from './capabilities.js'
import type { Instance } from './resolve.js'

/** As whom the process runs now. */
export interface RunsAs {
  readonly user: string
  readonly group: string
  readonly uid: number
  readonly gid: number
  /** All groups, the first one too, ascending. */
  readonly groups: readonly number[]
}

/** Their numbers in <linux/capability.h>. */
const CAPABILITY_BITS: Readonly<Record<Capability, number>> = {
  CAP_CHOWN: 0,
  CAP_DAC_READ_SEARCH: 2,
  CAP_FOWNER: 3,
}
/** Not in the types of Node. */
const { initgroups } = process as typeof process & { initgroups: (user: string, gid: number) => void }
const TASKS = '/proc/self/task'

/**
 * Takes on the instance's user, groups, niceness and umask. `isRoots`: only root could have written what says so, so it
 * may give the user a group it is not in, and go first. Throws WRONG_USER; what went before cannot be undone, so the
 * process must end then.
 */
export function become(instance: Instance, isRoots: boolean, kept: readonly Capability[]): RunsAs {
  if (process.geteuid!() === 0) {
    try {
      becomeAsRoot(instance, isRoots)
    } catch (cause) {
      if (cause instanceof ShoalError) throw cause
      throw wrongUser(`cannot become ${instance.user}: ${(cause as Error).message}`, cause)
    }
    if (instance.uid !== 0) verifyDropped(instance, kept)
  } else {
    mustBeStarter(instance)
    applyNice(instance)
  }
  if (instance.umask !== undefined) process.umask(instance.umask)
  const { user, group, uid, gid } = instance
  return { user, group, uid, gid, groups: groupsNow() }
}

function becomeAsRoot(instance: Instance, isRoots: boolean): void {
  const { user, group, uid, gid, primaryGid } = instance
  // First without the group asked for: these are the user's own.
  initgroups(user, primaryGid)
  if (!isRoots && uid !== 0) {
    const may = [primaryGid, ...process.getgroups!()].includes(gid)
    const why = `the configuration is not root's alone: chown root it and the folder it lies in`
    if (!may) throw wrongUser(`${user} is not in the group ${group}, and ${why}`)
    if ((instance.nice ?? 0) < 0) throw wrongUser(`a niceness below 0 is root's to give, and ${why}`)
  }
  applyNice(instance)
  if (gid !== primaryGid) initgroups(user, gid)
  process.setgid!(gid)
  process.setuid!(uid)
  Object.assign(process.env, { HOME: instance.home, USER: user, LOGNAME: user })
}

/** D1: without root's rights, an instance is its starter's. Throws WRONG_USER. */
export function mustBeStarter({ user, group, uid, gid, userFrom, groupFrom }: Instance): void {
  const how = 'start it as root, which gives up its rights at once, or as that user'
  if (uid !== process.geteuid!() || uid !== process.getuid!())
    throw wrongUser(
      `it is to run as ${user} (by its ${sourceOf(userFrom)}), and only root can run it as another user: ${how}`,
    )
  if (gid !== process.getegid!())
    throw wrongUser(
      `it is to run with the group ${group} (${groupFrom === 'user' ? `the primary group of ${user}` : `by its ${sourceOf(groupFrom)}`}), and only root can give it another group: ${how}`,
    )
}

function applyNice({ nice }: Instance): void {
  if (nice === undefined) return
  try {
    // On Linux niceness belongs to threads. Those that run already are all there are to be told; new ones inherit it.
    for (const task of tasks()) unlessEnded(() => setPriority(task, nice))
  } catch (cause) {
    throw new ShoalError(
      'WRONG_USER',
      `cannot set DAEMON_NICE=${nice}: only root may set a niceness below the one it has`,
      { cause },
    )
  }
}

/** D2, D3 */
function verifyDropped(instance: Instance, kept: readonly Capability[]): void {
  const { user, uid, gid } = instance
  const groups = groupsNow()
  const allowed = kept.reduce((mask, capability) => mask | (1n << BigInt(CAPABILITY_BITS[capability])), 0n)
  for (const task of process.platform === 'linux' ? tasks() : []) {
    const fields = unlessEnded(() => statusOf(task))
    const isRight =
      fields === undefined ||
      (numbersOf(fields, 'Uid').every((id) => id === uid) &&
        numbersOf(fields, 'Gid').every((id) => id === gid) &&
        String(ascending(new Set([gid, ...numbersOf(fields, 'Groups')]))) === String(groups) &&
        ['CapPrm', 'CapEff', 'CapAmb'].every((set) => (BigInt(`0x${fields.get(set)}`) & ~allowed) === 0n))
    if (!isRight) throw wrongUser(`thread ${task} could not be made to run as ${user}`)
  }
  const ways: readonly (() => void)[] = [
    () => process.setuid!(0),
    () => process.seteuid!(0),
    ...(gid === 0 ? [] : [() => process.setgid!(0), () => process.setgroups!([0])]),
  ]
  for (const way of ways)
    if (succeeds(way)) throw wrongUser(`root's rights could be taken back after becoming ${user}`)
}

function succeeds(way: () => void): boolean {
  try {
    way()
    return true
  } catch {
    return false
  }
}

function tasks(): number[] {
  try {
    return readdirSync(TASKS).map(Number)
  } catch {
    // Not Linux: niceness is the process's.
    return [process.pid]
  }
}

/** Undefined if the thread it is about has ended since it was listed. */
function unlessEnded<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    const { code, info } = error as { code?: string; info?: { code?: string } }
    if (['ENOENT', 'ESRCH'].includes(info?.code ?? code ?? '')) return undefined
    throw error
  }
}

/** Fields of /proc/self/task/TASK/status. */
function statusOf(task: number): Map<string, string> {
  const text = readFileSync(`${TASKS}/${task}/status`, 'utf8')
  return new Map(
    text.split('\n').map((line) => [line.split(':')[0]!, line.slice(line.indexOf(':') + 1).trim()]),
  )
}

function numbersOf(fields: ReadonlyMap<string, string>, name: string): number[] {
  return (fields.get(name) ?? '').split(/\s+/).filter(Boolean).map(Number)
}

function groupsNow(): number[] {
  return ascending(new Set([process.getegid!(), ...process.getgroups!()]))
}

function ascending(ids: ReadonlySet<number>): number[] {
  return [...ids].sort((a, b) => a - b)
}

function sourceOf(source: 'tag' | 'name' | 'starter'): string {
  return source === 'tag' ? 'tag' : 'file name'
}

function wrongUser(message: string, cause?: unknown): ShoalError {
  return new ShoalError('WRONG_USER', `cannot run the configuration: ${message}`, { cause })
}
