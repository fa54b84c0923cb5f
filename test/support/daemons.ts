// Real daemons for tests from end to end: a scratch world of nodes on loopback, each a child process of the compiled
// command line with its own configuration, storage and directory. Promises: everything a world started is ended by pid
// and its files are removed, however the test ends; when a test fails, the end of each daemon's log is printed. With
// SHOAL_KEEP_WORLDS in the environment the files stay, to look at.
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { type ControlClient, controlClient } from '../../src/control/client.js'
import type { ShareReport, StatusReport } from '../../src/control/schema.js'
import { deriveSecret, formatSecret, keysOf, type Secret, writeSecretOf } from '../../src/core/secret.js'
import { FeedTable } from '../../src/store/feeds.js'
import { openLmdb } from '../../src/store/lmdb.js'
import { commandArgs } from './command.js'
import { freePort } from './free-port.js'

export { freePort } from './free-port.js'

const READY_MS = 30_000
/** Generous: the machine may be running several worlds at once. */
const CONVERGED_MS = 45_000
const POLL_MS = 25
const LOG_LINES = 40

export interface WorldOptions {
  /** Log level of the daemons; what they log is kept in memory and printed when the test fails. */
  readonly logLevel?: string
  /** Where the scratch folder is made; default: the system's folder for temporary files. */
  readonly base?: string
}

export interface NodeOptions {
  /** 'write' unless given. */
  readonly grade?: 'write' | 'read' | 'blind'
  /** Nodes this one dials; default: all nodes of the world made before it and after it. */
  readonly knows?: readonly string[]
  /** Keys for the configuration file itself, over the harness's own. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Keys for its one shared folder, over the harness's own. */
  readonly share?: Readonly<Record<string, unknown>>
  /** Name of its configuration file; default: shoal.conf. */
  readonly configName?: string
  /** Lines above the configuration. */
  readonly comments?: readonly string[]
  /** For the daemon's process, besides this one's. */
  readonly environment?: Readonly<Record<string, string>>
  /** As whom the daemon runs, if not as the test. */
  readonly as?: { readonly uid: number; readonly gid: number }
  /** The directory to keep in sync, if not one of the world's own. */
  readonly dir?: string
}

/** Runs a test in a world of its own, which is taken down whatever happens. */
export async function withWorld(options: WorldOptions, body: (world: World) => Promise<void>): Promise<void> {
  const world = new World(options)
  try {
    await body(world)
  } catch (thrown) {
    world.printLogs()
    throw thrown
  } finally {
    await world.close()
  }
}

export class World {
  /** The scratch folder. */
  readonly root: string
  readonly secret: Secret = writeSecretOf(randomSeed())
  readonly nodes: TestNode[] = []
  readonly logLevel: string
  readonly #commands = new Set<ChildProcess>()

  constructor({ logLevel = 'debug', base = os.tmpdir() }: WorldOptions = {}) {
    this.logLevel = logLevel
    this.root = fs.mkdtempSync(path.join(base, 'shoal-e2e-'))
  }

  /** Makes a node with a port of its own; nothing runs until start. */
  async node(name: string, options: NodeOptions = {}): Promise<TestNode> {
    const node = new TestNode(this, name, await freePort(), options)
    this.nodes.push(node)
    return node
  }

  /** Makes nodes that all know each other, and starts them together. */
  async start(
    names: readonly string[],
    options: NodeOptions | ((name: string) => NodeOptions) = {},
  ): Promise<TestNode[]> {
    const nodes: TestNode[] = []
    for (const name of names) {
      nodes.push(await this.node(name, typeof options === 'function' ? options(name) : options))
    }
    await Promise.all(nodes.map((node) => node.start()))
    return nodes
  }

  find(name: string): TestNode {
    const node = this.nodes.find((each) => each.name === name)
    if (node === undefined) throw new Error(`there is no node ${name}`)
    return node
  }

  /** Runs `shoal` with arguments to its end. */
  run(args: readonly string[]): Promise<{ exit: number | null; out: string; err: string }> {
    const child = this.spawn(args)
    let out = ''
    let err = ''
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      err += text
    })
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (exit) => resolve({ exit, out, err }))
    })
  }

  /** Starts `shoal` with arguments; ended with the world at the latest. */
  spawn(
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    as: NodeOptions['as'] = undefined,
  ): ChildProcess {
    const child = spawn(process.execPath, commandArgs(args), {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Whatever a test has written into a configuration: nothing leaves this machine.
      env: { ...process.env, SHOAL_PUBLIC_DHT: 'off', ...environment },
      ...(as === undefined ? {} : { uid: as.uid, gid: as.gid }),
    })
    this.#commands.add(child)
    child.once('exit', () => this.#commands.delete(child))
    return child
  }

  printLogs(): void {
    for (const node of this.nodes) {
      console.error(`--- ${node.name}, the last ${LOG_LINES} lines of its log`)
      console.error(node.log.slice(-LOG_LINES).join('\n'))
    }
  }

  /** Ends every process and removes every file. */
  async close(): Promise<void> {
    await Promise.all([...this.#commands].map((child) => endProcess(child, 'SIGKILL')))
    if (process.env.SHOAL_KEEP_WORLDS !== undefined) return
    makeRemovable(this.root)
    fs.rmSync(this.root, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** One daemon, running or not, and what it keeps on disk. */
export class TestNode {
  readonly world: World
  readonly name: string
  readonly port: number
  /** The synced directory; made before the daemon first starts, so that tests can fill it. */
  readonly dir: string
  readonly storage: string
  readonly configFile: string
  readonly client: ControlClient
  /** What the daemon logged so far, over all its runs. */
  readonly log: string[] = []
  readonly #options: NodeOptions
  #child: ChildProcess | undefined
  #logged: (() => void)[] = []

  constructor(world: World, name: string, port: number, options: NodeOptions) {
    this.world = world
    this.name = name
    this.port = port
    this.#options = options
    const home = path.join(world.root, name)
    this.dir = options.dir ?? path.join(home, 'share')
    this.storage = path.join(home, 'storage')
    this.configFile = path.join(home, options.configName ?? 'shoal.conf')
    this.client = controlClient(this.storage)
    for (const directory of [home, this.dir]) fs.mkdirSync(directory, { recursive: true })
    if (options.as === undefined) return
    const { uid, gid } = options.as
    // Others may look for their own, and find it by name only.
    fs.chmodSync(world.root, 0o711)
    for (const own of [home, this.dir]) fs.chownSync(own, uid, gid)
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`${this.name} is not running`)
    return this.#child.pid
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  /** Starts the daemon; resolves when it says that it is ready. Rejects if it ends before. */
  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error(`${this.name} is running already`)
    this.writeConfig()
    const from = this.log.length
    const child = this.spawnDaemon()
    this.#child = child
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined
      this.#wake()
    })
    const isReady = (): boolean => this.log.slice(from).some((line) => line.includes('"msg":"ready"'))
    await this.#until(() => isReady() || this.#child !== child, READY_MS, 'ready')
    if (!isReady())
      throw new Error(`${this.name} ended before it was ready:\n${this.log.slice(from).join('\n')}`)
  }

  /** Starts a process on this node's configuration without waiting for anything; its log is collected. */
  spawnDaemon(): ChildProcess {
    const args = ['run', this.configFile, '--log-level', this.world.logLevel]
    const child = this.world.spawn(args, this.#options.environment, this.#options.as)
    let rest = ''
    child.stdout!.resume()
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      this.log.push(...lines)
      this.#wake()
    })
    return child
  }

  /** Ends the daemon with SIGTERM; its exit code, null if it had to be killed. */
  async stop(): Promise<number | null> {
    const child = this.#child
    if (child === undefined) return 0
    return endProcess(child, 'SIGTERM')
  }

  /** Ends the daemon with SIGKILL. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child !== undefined) await endProcess(child, 'SIGKILL')
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  status(): Promise<StatusReport> {
    return this.client.status()
  }

  /** The report of its one share. */
  async share(): Promise<ShareReport> {
    const { shares } = await this.client.status()
    return shares[0]!
  }

  /** How long each writer's feed is as far as this node has read it, by device name: grows with every new version. */
  async feedLengths(): Promise<Readonly<Record<string, number>>> {
    const database = openLmdb(path.join(this.storage, 'index'))
    try {
      const feeds = new FeedTable(database, `${keysOf(this.world.secret).shareId.slice(0, 16)}:`).all()
      return Object.fromEntries(feeds.map(({ deviceName, next }) => [deviceName, next] as const).sort())
    } finally {
      await database.close()
    }
  }

  /** An absolute path in the synced directory. */
  at(relative: string): string {
    return path.join(this.dir, relative)
  }

  /** Writes a file, making the directories above it. */
  write(relative: string, content: string | Buffer): void {
    fs.mkdirSync(path.dirname(this.at(relative)), { recursive: true })
    fs.writeFileSync(this.at(relative), content)
  }

  read(relative: string): string {
    return fs.readFileSync(this.at(relative), 'utf8')
  }

  remove(relative: string): void {
    fs.rmSync(this.at(relative), { recursive: true })
  }

  exists(relative: string): boolean {
    return fs.lstatSync(this.at(relative), { throwIfNoEntry: false }) !== undefined
  }

  /** Resolves when a line of the log matches, from the start or from line `from` on. */
  async logged(pattern: RegExp, from = 0, timeoutMs: number = CONVERGED_MS): Promise<string> {
    const find = (): string | undefined => this.log.slice(from).find((line) => pattern.test(line))
    await this.#until(() => find() !== undefined, timeoutMs, `logged ${pattern}`)
    return find()!
  }

  /** Writes the configuration file anew, with some of its share's or its own keys changed. */
  writeConfig(changes: Pick<NodeOptions, 'config' | 'share'> = {}): void {
    const { grade = 'write', knows, config, share } = this.#options
    const isKnown = (name: string): boolean => knows === undefined || knows.includes(name)
    const known = this.world.nodes.filter((node) => node !== this && isKnown(node.name))
    const text = JSON.stringify(
      {
        device_name: this.name,
        listening_port: this.port,
        listen_host: '127.0.0.1',
        storage_path: this.storage,
        interfaces: ['lo'],
        ...config,
        ...changes.config,
        shared_folders: [
          {
            secret: formatSecret(deriveSecret(this.world.secret, grade)),
            dir: this.dir,
            known_hosts: known.map(({ port }) => `127.0.0.1:${port}`),
            search_lan: false,
            ...share,
            ...changes.share,
          },
        ],
      },
      null,
      2,
    )
    const lines = [...(this.#options.comments ?? []), text, '']
    fs.writeFileSync(this.configFile, lines.join('\n'), { mode: 0o600 })
    const { as } = this.#options
    if (as !== undefined) fs.chownSync(this.configFile, as.uid, as.gid)
  }

  async #until(isTrue: () => boolean, timeoutMs: number, what: string): Promise<void> {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      this.#wake()
    }, timeoutMs)
    while (!isTrue()) {
      if (isLate) throw new Error(`${this.name}: not ${what} within ${timeoutMs} ms`)
      await new Promise<void>((resolve) => this.#logged.push(resolve))
    }
    clearTimeout(timer)
  }

  #wake(): void {
    for (const resolve of this.#logged.splice(0)) resolve()
  }
}

/**
 * Waits until all that stands on the nodes' disks is announced and every one of them holds the same: equal digests,
 * nothing missing, and stays so when asked again. Returns their shares' reports.
 */
export async function converged(
  nodes: readonly TestNode[],
  { timeoutMs = CONVERGED_MS }: { readonly timeoutMs?: number } = {},
): Promise<ShareReport[]> {
  const signal = AbortSignal.timeout(timeoutMs)
  const settle = (): Promise<unknown> => Promise.all(nodes.map((node) => node.client.settle({ signal })))
  let reports: ShareReport[] = []
  try {
    for (;;) {
      await settle()
      for (;;) {
        reports = await Promise.all(nodes.map((node) => node.share()))
        if (areEqual(reports)) break
        signal.throwIfAborted()
        await pause(POLL_MS)
      }
      // What was applied may uncover more to announce (a conflict copy, a change made meanwhile): once more.
      await settle()
      const again = await Promise.all(nodes.map((node) => node.share()))
      if (areEqual(again) && again[0]?.digest === reports[0]?.digest) return again
    }
  } catch (thrown) {
    if (!signal.aborted) throw thrown
    reports = await Promise.all(nodes.map((node) => node.share()))
    throw new Error(`not converged in ${timeoutMs} ms:\n${describe(nodes, reports)}`, { cause: thrown })
  }
}

function areEqual(reports: readonly ShareReport[]): boolean {
  return reports.every(
    ({ digest, state, needFiles, needBytes }) =>
      digest === reports[0]!.digest && state === 'idle' && needFiles === 0 && needBytes === 0,
  )
}

function describe(nodes: readonly TestNode[], reports: readonly ShareReport[]): string {
  return reports
    .map((report, i) => {
      const { members, digest, ...rest } = report
      const others = members.map(({ name, connected, digestEqual }) => `${name}:${connected}:${digestEqual}`)
      return `${nodes[i]!.name} ${digest.slice(0, 8)} ${JSON.stringify(rest)} members ${others.join(' ')}`
    })
    .join('\n')
}

/** Polls until a condition holds, where nothing announces it; the error names what was waited for. */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs: number = CONVERGED_MS,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value !== undefined && value !== null && (value as unknown) !== false) return value as NonNullable<T>
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`)
    await pause(POLL_MS)
  }
}

export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs))
}

function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => {
    // Well beyond the five seconds that the daemon promises: then something hangs, and the test says so by the null.
    const force = setTimeout(() => child.kill('SIGKILL'), 15_000)
    child.once('exit', (exit) => {
      clearTimeout(force)
      resolve(exit)
    })
    child.kill(signal)
  })
}

/** Directories that nobody may write to cannot be emptied either. */
function makeRemovable(directory: string): void {
  for (const entry of fs.readdirSync(directory, { withFileTypes: true, encoding: 'buffer' })) {
    if (!entry.isDirectory()) continue
    const inner = Buffer.concat([Buffer.from(`${directory}/`), entry.name])
    if ((fs.lstatSync(inner).mode & 0o700) !== 0o700) fs.chmodSync(inner, 0o700)
    // A name that is not UTF-8 has no text form; none of the tests makes such a directory.
    makeRemovable(inner.toString('utf8'))
  }
}

function randomSeed(): Buffer {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32)))
}
