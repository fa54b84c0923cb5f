// Keeps what V8 compiles when a daemon starts and a command asks, beside dist/program's command, for the node and the flags that bin/shoal
// starts it with: what starts later need not compile it again (src/cli/load.ts). Each run adds to what the one before has kept.
// It is of use where it is made alone, so that packages are made without it; whoever has none starts a tenth to a fifth of a second later.
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const SHOAL = fileURLToPath(new URL('../../bin/shoal', import.meta.url))
const KEEPER = fileURLToPath(new URL('keep-code.cjs', import.meta.url))
const TIMEOUT_MS = 30_000

/** Undefined if all went well, else what did not; then there is no such file, or one that holds less. */
export async function keepCode() {
  const { PATH, HOME } = process.env
  const folder = mkdtempSync(join(tmpdir(), 'shoal-build-'))
  const options = {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
    // Nothing of what may be meant for a daemon of the one who builds.
    env: { PATH, HOME, SHOAL_PUBLIC_DHT: 'off', NODE_OPTIONS: `--require=${JSON.stringify(KEEPER)}` },
  }
  try {
    mkdirSync(join(folder, 'dir'))
    const { stdout: secret, stderr, error } = spawnSync(SHOAL, ['secret', 'new', '--grade', 'write'], options)
    if (!secret) return error?.message ?? stderr
    const config = join(folder, 'shoal.conf')
    const share = { secret: secret.trim(), dir: 'dir', search_lan: false }
    const keys = {
      listen_host: '127.0.0.1',
      interfaces: ['lo'],
      storage_path: 'store',
      shared_folders: [share],
    }
    writeFileSync(config, JSON.stringify(keys), { mode: 0o600 })
    const fault = await aDaemon(config, options)
    for (const command of ['check', 'status']) spawnSync(SHOAL, [command, config], options)
    return fault
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Runs until it is ready, or until this process is gone and with it the other end of its input (keep-code.cjs). */
async function aDaemon(config, options) {
  const child = spawn(SHOAL, ['run', config], { ...options, stdio: ['pipe', 'ignore', 'pipe'] })
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (exit, signal) => resolve(exit === 0 ? undefined : `it ended by ${signal ?? exit}`))
  })
  for await (const line of createInterface({ input: child.stderr }))
    if (line.includes('"msg":"ready"')) child.kill('SIGTERM')
  return ended
}
