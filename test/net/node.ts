// Real daemons on hosts of the lab: each a child process of the compiled command line with its own configuration, storage
// and folder. They are asked over their control sockets, which no network is in the way of. Also `shoal` commands that run
// until they are ended, such as DHT nodes. All end with their lab.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { type ControlClient, controlClient } from '../../src/control/client.js'
import type { ShareReport } from '../../src/control/schema.js'
import type { PeerLive } from '../../src/control/schema-live.js'
import { deriveSecret, formatSecret, type Secret } from '../../src/core/secret.js'
import { MAIN } from '../support/command.js'
import type { Host } from './lab.js'

export const PORT = 44_444
export const DHT_PORT = 49_737
const READY_MS = 30_000

export interface NodeOptions {
  readonly host: Host
  readonly secret: Secret
  /** 'write' unless given. */
  readonly grade?: 'write' | 'read' | 'blind'
  /** Folder for what it keeps; its own. */
  readonly home: string
  /** Keys of the configuration file, over the lab's own. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Keys of its one shared folder, over the lab's own: without others nobody is looked for. */
  readonly share?: Readonly<Record<string, unknown>>
}

export class LabNode {
  readonly host: Host
  readonly dir: string
  readonly client: ControlClient
  /** What it logged, over all its runs. */
  readonly log: string[] = []
  readonly #configFile: string
  #child: ChildProcess | undefined

  constructor({ host, secret, grade = 'write', home, config, share }: NodeOptions) {
    this.host = host
    this.dir = path.join(home, 'share')
    const storage = path.join(home, 'storage')
    fs.mkdirSync(this.dir, { recursive: true })
    this.client = controlClient(storage)
    this.#configFile = path.join(home, 'shoal.conf')
    const folder = { secret: formatSecret(deriveSecret(secret, grade)), dir: this.dir, search_lan: false }
    const all = {
      device_name: host.name,
      listening_port: PORT,
      storage_path: storage,
      ...config,
      shared_folders: [{ ...folder, ...share }],
    }
    fs.writeFileSync(this.#configFile, JSON.stringify(all, null, 2), { mode: 0o600 })
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`${this.host.name} is not running`)
    return this.#child.pid
  }

  /** Resolves when it says that it is ready. @throws Error with the end of its log if it ends before */
  async start(): Promise<void> {
    const child = spawnShoal(this.host, ['run', this.#configFile, '--log-level', 'debug'])
    this.#child = child
    child.stdout!.resume()
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => fail(`not ready in ${READY_MS} ms`), READY_MS)
      const fail = (what: string): void => {
        clearTimeout(timer)
        reject(new Error(`${this.host.name}: ${what}\n${this.log.slice(-5).join('\n')}`))
      }
      child.once('exit', () => fail('it ended'))
      eachLine(child.stderr!, (line) => {
        this.log.push(line)
        if (!line.includes('"msg":"ready"')) return
        clearTimeout(timer)
        resolve()
      })
    })
  }

  /** SIGTERM, and waits for its end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal)
  }

  /** The report of its one share. */
  async share(): Promise<ShareReport> {
    return (await this.client.status()).shares[0]!
  }

  /** Whom it is connected to. */
  async peers(): Promise<readonly PeerLive[]> {
    return (await this.client.live()).shares[0]!.peers
  }

  /** Content received since it started. */
  async receivedBytes(): Promise<number> {
    return (await this.client.live()).shares[0]!.receivedBytes
  }

  write(name: string, content: string | Buffer): void {
    fs.mkdirSync(path.dirname(path.join(this.dir, name)), { recursive: true })
    fs.writeFileSync(path.join(this.dir, name), content)
  }

  /** Undefined if it is not there. */
  read(name: string): Buffer | undefined {
    const file = path.join(this.dir, name)
    return fs.existsSync(file) ? fs.readFileSync(file) : undefined
  }

  /** Names in its folder, of what is in sync. */
  names(): string[] {
    return fs.readdirSync(this.dir).filter((name) => name !== '.shoal')
  }

  /** Memory that it takes now. */
  residentBytes(): number {
    const [, kB] = /VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${this.pid}/status`, 'utf8'))!
    return Number(kB) * 1024
  }
}

/** Runs `shoal` on a host until it is ended. */
export function spawnShoal(host: Host, args: readonly string[]): ChildProcess {
  return host.spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Runs a `shoal` command on a host to its end; its output. @throws Error unless it ends with 0 */
export function runShoal(host: Host, args: readonly string[]): string {
  return host.run(process.execPath, [MAIN, ...args])
}

/** Starts DHT nodes on hosts of the internet, each knowing those before; their addresses, for "bootstrap". */
export async function startDht(hosts: readonly Host[]): Promise<string[]> {
  const addresses: string[] = []
  for (const host of hosts) {
    const known = addresses.flatMap((address) => ['--bootstrap', address])
    const child = spawnShoal(host, ['dht', '--listen', `${host.address()}:${DHT_PORT}`, ...known])
    child.stderr!.resume()
    await once(child.stdout!, 'data')
    addresses.push(`${host.address()}:${DHT_PORT}`)
  }
  return addresses
}

/** Asks again and again until there is an answer, or a true one. @throws Error that names what was waited for */
export async function eventually<T>(
  what: string,
  limitMs: number,
  ask: () => T | Promise<T>,
  everyMs = 25,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + limitMs
  for (;;) {
    const value = await ask()
    if (value !== undefined && value !== null && (value as unknown) !== false) return value as NonNullable<T>
    if (performance.now() > deadline) throw new Error(`not as expected: ${what} within ${limitMs / 1000} s`)
    await pause(everyMs)
  }
}

export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs))
}

function eachLine(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  })
}
