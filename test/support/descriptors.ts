// The number of open files that a process may have, changed while it runs.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'

/** Why it cannot be changed here, for the skip of a test; false: it can. */
export const noLimits: string | false =
  spawnSync('prlimit', ['--version']).status === 0
    ? false
    : 'there is no prlimit (util-linux) to change limits with'

/** The soft limit from now on. What is open beyond it stays so, and nothing more can be opened. */
export function limitDescriptors(pid: number, count: number): void {
  const { status, stderr } = spawnSync('prlimit', ['--pid', `${pid}`, `--nofile=${count}:`], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`prlimit: ${stderr}`)
}

/** So many are open now. */
export function descriptorsOf(pid: number): number {
  return fs.readdirSync(`/proc/${pid}/fd`).length
}

/** Changes this process's own limit, also when it can open nothing any more. */
export interface OwnLimit {
  set(count: number): Promise<void>
  close(): void
}

export function ownLimit(): OwnLimit {
  const script = `while read count; do prlimit --pid ${process.pid} --nofile=$count: && echo done; done`
  const helper = spawn('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  return {
    set: async (count) => {
      helper.stdin.write(`${count}\n`)
      await once(helper.stdout, 'data')
    },
    close: () => void helper.stdin.end(),
  }
}
