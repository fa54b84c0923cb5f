// A daemon as a child process of a benchmark: its configuration, its start, what it costs.
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ControlClient, controlClient } from '../../src/control/client.js'
import type { ShareReport } from '../../src/control/schema.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'

const SHOAL = fileURLToPath(new URL('../../../bin/shoal', import.meta.url))
const CLOCK_TICKS_PER_SECOND = 100

export interface BenchNodeOptions {
  readonly folder: string
  readonly name: string
  readonly dir: string
  readonly secret: string
  readonly port: number
  readonly knownHosts: readonly string[]
  /** Keys for the configuration itself, besides these. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Keys for its shared folder, besides these. */
  readonly share?: Readonly<Record<string, unknown>>
}

/** What a process has used so far. */
export interface Cost {
  readonly cpuSeconds: number
  readonly peakRssMiB: number
}

export class BenchNode {
  readonly #options: BenchNodeOptions
  readonly #client: ControlClient
  readonly #config: string
  #child: ChildProcess | undefined

  constructor(options: BenchNodeOptions) {
    this.#options = options
    const { folder, name } = options
    const storage = path.join(folder, `storage-${name}`)
    this.#config = path.join(folder, `${name}.conf`)
    this.#client = controlClient(storage)
    const config = {
      device_name: name,
      listening_port: options.port,
      listen_host: '127.0.0.1',
      interfaces: ['lo'],
      storage_path: storage,
      shared_folders: [
        {
          secret: options.secret,
          dir: options.dir,
          known_hosts: options.knownHosts,
          search_lan: false,
          ...options.share,
        },
      ],
      ...options.config,
    }
    fs.writeFileSync(this.#config, JSON.stringify(config), { mode: 0o600 })
  }

  get #logFile(): string {
    return path.join(this.#options.folder, `${this.#options.name}.log`)
  }

  #lastWords(): string {
    return fs.readFileSync(this.#logFile, 'utf8').slice(-4096)
  }

  /** While it runs. */
  get pid(): number {
    return this.#child!.pid!
  }

  start(): void {
    const log = fs.openSync(this.#logFile, 'w')
    const stdio = ['ignore', log, log] as const
    this.#child = spawn(SHOAL, ['run', this.#config, '--log-level', 'warn'], {
      stdio: [...stdio],
      env: { ...process.env, PATH: `${path.dirname(process.execPath)}:${process.env.PATH ?? ''}` },
    })
    fs.closeSync(log)
  }

  /** The share's report, or undefined while the daemon does not answer yet. */
  async share(): Promise<ShareReport | undefined> {
    try {
      return (await this.#client.status()).shares[0]
    } catch (thrown) {
      if ((thrown as { code?: string }).code === 'DAEMON_UNREACHABLE') return undefined
      throw thrown
    }
  }

  /** Waits until the report is as wanted; throws after the deadline or if the daemon ends. */
  async until(isThere: (share: ShareReport) => boolean, deadlineMs: number): Promise<ShareReport> {
    const end = performance.now() + deadlineMs
    for (;;) {
      const share = await this.share()
      if (share !== undefined && isThere(share)) return share
      if (this.#child?.exitCode != null)
        throw new Error(`daemon ${this.#options.name} ended: ${this.#child.exitCode}\n${this.#lastWords()}`)
      if (performance.now() > end) {
        throw new Error(`daemon ${this.#options.name} did not get there: ${JSON.stringify(share)}`)
      }
      // Every question costs the daemon that is measured some of its time.
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  cost(): Cost {
    const { pid } = this
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8')
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND,
      peakRssMiB: Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024,
    }
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    await ended
  }
}

/** Two nodes that know each other, `share`: keys for the shared folder of both. */
export async function pair(
  folder: string,
  source: string,
  target: string,
  share: Readonly<Record<string, unknown>> = {},
): Promise<[BenchNode, BenchNode]> {
  const [portA, portB] = [await freePort(), await freePort()]
  const secret = formatSecret(writeSecretOf(Buffer.alloc(32, 7)))
  const hosts = { a: [`127.0.0.1:${portB}`], b: [`127.0.0.1:${portA}`] }
  return [
    new BenchNode({ folder, name: 'first', dir: source, secret, port: portA, knownHosts: hosts.a, share }),
    new BenchNode({ folder, name: 'second', dir: target, secret, port: portB, knownHosts: hosts.b, share }),
  ]
}

/** A free port on loopback. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
