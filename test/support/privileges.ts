// What tests of users and rights need of the machine: root, and ordinary accounts to run things as. A test that cannot
// run here skips, and says why.
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { systemAccounts, type User } from '../../src/instance/accounts.js'
import { commandArgs } from './command.js'

export const IS_ROOT: boolean = process.geteuid?.() === 0

/** False, or the reason why a test that needs root is skipped. */
export const NEEDS_ROOT: string | false = IS_ROOT ? false : 'needs root'

/** An ordinary account, or undefined where this machine has none of the name. */
export function account(name: string): User | undefined {
  return systemAccounts().user(name)
}

/** False, or why nothing can be run here as this user: skipped with that word. */
export function needsUser(name: string): string | false {
  if (!IS_ROOT) return 'needs root'
  const user = account(name)
  if (user === undefined) return `needs a user ${name}`
  const { status } = spawnSync(process.execPath, commandArgs(['--version']), {
    uid: user.uid,
    gid: user.gid,
    env: {},
    stdio: 'ignore',
  })
  return status === 0 ? false : `${name} cannot read this checkout`
}

export interface Ended {
  readonly exit: number | null
  readonly out: string
  readonly err: string
}

/** Runs a program to its end; `as` makes it that user's, groups included. */
export async function runToEnd(
  command: string,
  args: readonly string[],
  { as, env = {} }: { readonly as?: User | undefined; readonly env?: Record<string, string> } = {},
): Promise<Ended> {
  const child = start(command, args, { as, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve))
  const [out, err, exit] = await Promise.all([text(child.stdout!), text(child.stderr!), exited])
  return { exit, out, err }
}

function start(
  command: string,
  args: readonly string[],
  { as, ...options }: SpawnOptions & { readonly as?: User | undefined },
): ChildProcess {
  return spawn(command, args, { ...options, ...(as !== undefined && { uid: as.uid, gid: as.gid }) })
}
