// How much memory does a daemon take that has nothing to do, beside a node that has nothing to do at all?
//   npm run bench -- idle [DAEMONS] [FILES] [SECONDS]      default 15 10 40
// So many configurations under one `shoal up` on loopback, each with a folder of so many small files; measured so many
// seconds after the last is ready. PSS counts a page that n processes share as an n-th, RSS as a whole.
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatSecret, writeSecretOf } from '../src/core/secret.js'
import { SupervisorClient } from '../src/supervisor/client.js'
import type { SupervisorReport } from '../src/supervisor/report.js'
import { median, table } from './support/report.js'

const READY_MS = 180_000

const [daemons = 15, files = 10, seconds = 40] = process.argv.slice(2).map(Number)
const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-idle-'))
const folder = path.join(root, 'etc')
const state = path.join(root, 'state')
const children: ChildProcess[] = []
try {
  fs.mkdirSync(folder)
  for (let i = 0; i < daemons; i++) writeConfig(`app${i}`)
  const command = fileURLToPath(new URL('../../bin/shoal', import.meta.url))
  const up = start(command, ['up', folder, '--state', state, '--log-level', 'error'])
  const client = new SupervisorClient(state, folder)
  await untilRunning(client)
  const bare = start(process.execPath, ['-e', 'setInterval(() => {}, 1e9)'])
  await pause(seconds * 1000)
  const { instances } = await client.report()
  console.log(`node ${process.version}, ${daemons} daemons, ${files} files each, idle for ${seconds} s; MiB`)
  const rows: [string, Memory[]][] = [
    ['a daemon (median)', instances.map(({ pid }) => memoryOf(pid!))],
    ['shoal up', [memoryOf(up.pid!)]],
    ['node -e', [memoryOf(bare.pid!)]],
  ]
  const cells = (all: readonly Memory[], pick: (one: Memory) => number): string[] => {
    const values = all.map(pick)
    return [median(values).toFixed(1), Math.max(...values).toFixed(1)]
  }
  table([
    ['process', 'PSS', 'PSS most', 'RSS', 'RSS most', 'own', 'own most'],
    ...rows.map(([name, all]) => [
      name,
      ...cells(all, ({ pss }) => pss),
      ...cells(all, ({ rss }) => rss),
      ...cells(all, ({ own }) => own),
    ]),
  ])
  const total = rows[0]![1].reduce((sum, { pss }) => sum + pss, 0)
  console.log(`PSS of all daemons: ${total.toFixed(0)} MiB`)
  await client.down([])
} finally {
  for (const child of children) await ended(child)
  fs.rmSync(root, { recursive: true, force: true, maxRetries: 3 })
}

interface Memory {
  readonly pss: number
  readonly rss: number
  /** Nobody else's: what ending the process gives back. */
  readonly own: number
}

function memoryOf(pid: number): Memory {
  const text = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const mib = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)![1]) / 1024
  return { pss: mib('Pss'), rss: mib('Rss'), own: mib('Private_Clean') + mib('Private_Dirty') }
}

function writeConfig(name: string): void {
  const dir = path.join(root, 'shares', name)
  fs.mkdirSync(dir, { recursive: true })
  for (let i = 0; i < files; i++) fs.writeFileSync(path.join(dir, `file${i}`), `${name} ${i}`)
  const secret = formatSecret(writeSecretOf(crypto.getRandomValues(Buffer.alloc(32))))
  const config = {
    device_name: name,
    listen_host: '127.0.0.1',
    interfaces: [],
    storage_path: path.join(root, 'storage', name),
    shared_folders: [{ secret, dir, search_lan: false }],
  }
  fs.writeFileSync(path.join(folder, `${name}.conf`), JSON.stringify(config), { mode: 0o600 })
}

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PATH: `${process.env.PATH}:${path.dirname(process.execPath)}` },
  })
  children.push(child)
  return child
}

async function untilRunning(client: SupervisorClient): Promise<void> {
  const deadline = performance.now() + READY_MS
  for (;;) {
    const report: SupervisorReport | undefined = await client.report().catch(() => undefined)
    const running = report?.instances.filter(({ state: now }) => now === 'running').length
    if (running === daemons) return
    if (performance.now() > deadline) throw new Error(`${running} of ${daemons} daemons run`)
    await pause(100)
  }
}

/** Ends a process if it is still there; daemons end with their supervisor. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await new Promise((resolve) => child.once('exit', resolve))
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
