// What does the dashboard cost that watches a share of many files and peers, where something moves all the time?
//   npm run bench -- dashboard [FILES] [PEERS] [SECONDS] [INTERVAL]      default 100000 20 30 0.5
// A daemon that is only its control API tells of so many files and peers, with other rates at each look; the dashboard runs
// in a terminal of 160x45 (tmux). Measured from five seconds on: processor time of the dashboard's process (utime + stime
// of /proc/PID/stat) and its resident memory.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LiveReport } from '../src/control/schema-live.js'
import { serveControl } from '../src/control/server.js'
import { FakeBackend, member, share, status } from '../test/control/fake-backend.js'
import { peerLive, shareLive, transfer } from '../test/dashboard/scene.js'
import { NO_TMUX, Terminal } from '../test/support/tmux.js'

/** Of utime and stime (proc(5)); 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100
const WARM_MS = 5000

const [files = 100_000, peers = 20, seconds = 30, interval = 0.5] = process.argv.slice(2).map(Number)

class MovingBackend extends FakeBackend {
  looks = 0

  override async live(): Promise<LiveReport> {
    const at = this.looks++
    const rate = (of: number): number => Math.round((1.5 + Math.sin(at / 7 + of)) * (1 << 20))
    const lives = Array.from({ length: peers }, (_, of) =>
      peerLive(`peer${of}`, {
        downRate: rate(of),
        upRate: rate(of + 3),
        heldPieces: (at * 13 + of * 60) % 1200,
      }),
    )
    const transfers = Array.from({ length: 30 }, (_, of) =>
      transfer(`film/scene ${of}.mov`, { rate: rate(of), doneBytes: ((at + of) << 20) % (100 << 20) }),
    )
    const down = lives.reduce((sum, { downRate }) => sum + downRate, 0)
    const own = shareLive({
      ...{ state: 'syncing', needFiles: 30, needBytes: 3 << 30, downRate: down, upRate: rate(0) },
      ...{ peers: lives, transfers, transferCount: 30 },
    })
    return { at: new Date().toISOString(), eventLoopDelayMs: 1, shares: [own] }
  }
}

if (NO_TMUX !== undefined) throw new Error(NO_TMUX)
const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-dashboard-'))
const storagePath = path.join(root, 'storage')
fs.mkdirSync(storagePath, { mode: 0o700 })
const config = path.join(root, 'a.conf')
fs.writeFileSync(config, JSON.stringify({ storage_path: storagePath, shared_folders: [] }), { mode: 0o600 })
const backend = new MovingBackend()
const members = Array.from({ length: peers }, (_, at) => member(`peer${at}`))
backend.statuses = [status(share({ files, bytes: files * 100_000, state: 'syncing', members }))]
const none = (): void => {}
const log = { ...{ trace: none, debug: none, info: none, warn: none, error: none }, child: () => log }
const server = await serveControl({ storagePath, backend, log: log as never })
const shoal = fileURLToPath(new URL('../../bin/shoal', import.meta.url))
const command = [shoal, 'dashboard', config, '--interval', String(interval)]
const terminal = await Terminal.open({ columns: 160, rows: 45, command })
try {
  await terminal.shows(/photos +a? *syncing/)
  const pid = await terminal.pid()
  for (const [key, name] of [
    ['1', 'overview'],
    ['2', 'peers'],
  ] as const) {
    await terminal.press(key)
    await new Promise((resolve) => setTimeout(resolve, WARM_MS))
    const [before, from] = [ticksOf(pid), performance.now()]
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
    const spent = (ticksOf(pid) - before) / TICKS_PER_SECOND
    const part = (spent / ((performance.now() - from) / 1000)) * 100
    console.log(
      `${name}: ${files} files, ${peers} peers, a look each ${interval} s: ${part.toFixed(1)} % of a core, ${rssOf(pid)} MB`,
    )
  }
} finally {
  await terminal.close()
  await server.close()
  fs.rmSync(root, { recursive: true, force: true })
}

function ticksOf(pid: number): number {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}

function rssOf(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Math.round(Number(kib) / 1000)
}
