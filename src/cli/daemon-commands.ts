// The commands that ask a running daemon, found through the configuration file it was started with.
import { resolve } from 'node:path'
import { readConfig } from '../config/secrets.js'
import { type ControlClient, controlClient } from '../control/client.js'
import type { MemberReport, PeerReport } from '../control/schema.js'
import { type Verdict, waitForSync } from '../control/wait.js'
import { ShoalError } from '../core/error.js'
import { parseHead } from '../core/head.js'
import { EXIT } from './exit.js'
import type { CliIo } from './io.js'
import { scanMeter, syncMeter } from './progress/meters.js'
import { showDaemon } from './progress/show.js'
import { runningClient } from './running-client.js'
import { formatStatus } from './status-text.js'
import { formatBytes, formatDuration, formatJson, formatTable, printable } from './text.js'

/** Exit codes of --wait; errors use those of core/error.ts, which are all above. */
const VERDICT_EXIT: Readonly<Record<Verdict['type'], number>> = {
  'in-sync': EXIT.done,
  behind: EXIT.behind,
  halted: EXIT.behind,
  unreachable: EXIT.unreachable,
}

/** So much of a device's id, and no less, names it: what status shows. */
const ID_START = /^[0-9a-f]{8,64}$/

/** What --wait waits for, beside or instead of all holding the same. */
export interface WaitFor {
  /** A head (core/head.ts). */
  readonly at?: string
  /** How many members; default: all. */
  readonly members?: number | 'all'
}

export interface JsonOption {
  readonly json?: boolean
}

/** Prints the status; with `wait`, waits for everyone first. The exit code. */
export async function statusCommand(
  io: CliIo,
  configFile: string,
  options: JsonOption & WaitFor & { readonly wait?: boolean; readonly timeout: number },
): Promise<number> {
  const { at, members } = options
  if (options.wait !== true && (at ?? members) !== undefined)
    throw new ShoalError('USAGE', '--at and --members say what --wait waits for: give --wait as well')
  const goal = { at: at === undefined ? undefined : parseHead(at), members }
  const { client } = await runningClient(configFile)
  if (options.wait !== true) {
    const report = await client.status()
    io.out(options.json === true ? formatJson(report) : formatStatus(report))
    return 0
  }
  const timeoutMs = options.timeout * 1000
  const endMs = performance.now() + timeoutMs
  const meter = syncMeter(() => Math.max(0, endMs - performance.now()))
  const { report, verdict } = await showDaemon(io, client, 'status', meter, () =>
    waitForSync(client, { timeoutMs, ...goal }),
  )
  io.out(
    options.json === true
      ? formatJson({ ...report, verdict: verdict.type, because: verdict.because })
      : `${formatStatus(report)}\n${formatVerdict(verdict)}\n`,
  )
  return VERDICT_EXIT[verdict.type]
}

/** Scans all shares, or the one of a folder; returns when that is done and announced. */
export async function scanCommand(io: CliIo, configFile: string, dir: string | undefined): Promise<number> {
  const { client, config } = await connect(configFile)
  const share = dir === undefined ? undefined : shareAt(config, dir)
  await showDaemon(io, client, 'scan', scanMeter(), () => client.scan({ share }))
  return 0
}

/** Lifts the halt of all shares, or of the one whose folder is named. */
export async function approveCommand(
  _io: CliIo,
  configFile: string,
  dir: string | undefined,
): Promise<number> {
  const { client, config } = await connect(configFile)
  await client.approve({ share: dir === undefined ? undefined : shareAt(config, dir) })
  return 0
}

/** Drops a silent member, named by name or by the start of its id, until it is heard of again. */
export async function forgetCommand(io: CliIo, configFile: string, named: string): Promise<number> {
  const { client } = await connect(configFile)
  const { shares } = await client.status()
  const { device, name } = silentMember(
    shares.flatMap(({ members }) => members),
    named,
  )
  await client.forget({ device })
  io.out(`forgot ${printable(name)} (${device.slice(0, 16)}) until it is heard of again\n`)
  return 0
}

export async function peersCommand(io: CliIo, configFile: string, options: JsonOption): Promise<number> {
  const { client } = await connect(configFile)
  const peers = await client.peers()
  const now = Date.now()
  const cells = (peer: PeerReport): string[] => [
    peer.name,
    peer.device.slice(0, 8),
    peer.grade,
    `${peer.transport} ${peer.address}`,
    peer.initiator ? 'out' : 'in',
    // Not below zero where the clock was put back since.
    formatDuration(Math.max(0, Math.floor((now - Date.parse(peer.connectedAt)) / 1000))),
    formatBytes(peer.receivedBytes),
    formatBytes(peer.sentBytes),
  ]
  const headings = ['NAME', 'DEVICE', 'GRADE', 'ADDRESS', 'DIALLED', 'UP', 'RECEIVED', 'SENT']
  printList(io, options, peers, headings, cells, 'no peers are connected')
  return 0
}

/** What commands need to know of a configuration whose daemon runs. */
export interface RunningConfig {
  /** As it was named. */
  readonly fileName: string
  /** Those that the daemon serves, by their places: of the file as it was read, and then those that were added. */
  readonly shares: readonly { readonly dir: string }[]
  /** Those of the file as it is now. */
  readonly inFile: readonly { readonly dir: string }[]
}

/** The daemon of a configuration file. */
export async function connect(configFile: string): Promise<{ client: ControlClient; config: RunningConfig }> {
  const { config } = await readConfig(configFile)
  const client = controlClient(config.storagePath)
  const folders = await client.folders().catch((thrown: unknown) => {
    // A daemon of an earlier version, which has those of the file; whatever else is wrong, the command itself meets.
    if (thrown instanceof ShoalError && ['NOT_FOUND', 'DAEMON_UNREACHABLE'].includes(thrown.code)) return []
    throw thrown
  })
  // By the daemon's own places: the file may have become another one since it started, and another folder be meant.
  const served = folders.filter(({ share }) => share !== null).sort((a, b) => a.share! - b.share!)
  const shares = served.length > 0 ? served : config.shares
  return { client, config: { fileName: config.fileName, shares, inFile: config.shares } }
}

/** Whether somebody who says this means a member. */
export function isNamed(
  { name, device }: { readonly name: string; readonly device: string },
  said: string,
): boolean {
  return name === said || (ID_START.test(said) && device.startsWith(said))
}

/** Among those that are not connected, so that a device can be told from the one of its name that took its place. */
function silentMember(members: readonly MemberReport[], named: string): MemberReport {
  const meant = members.filter((member) => isNamed(member, named))
  const silent = new Map(meant.filter(({ connected }) => !connected).map((one) => [one.device, one]))
  const [found, second] = silent.values()
  if (found !== undefined && second === undefined) return found
  const quoted = printable(named)
  if (found !== undefined) {
    const ids = [...silent.keys()].map((device) => device.slice(0, 16))
    throw new ShoalError('USAGE', `several unreachable members are called ${quoted}: ${ids.join(', ')}`)
  }
  if (meant.length > 0) throw new ShoalError('USAGE', `cannot forget ${quoted}: it is connected`)
  throw new ShoalError('NOT_FOUND', `no member is called ${quoted}, see shoal status`)
}

/** The place of a folder's share in the configuration. NOT_FOUND. */
export function shareAt(config: RunningConfig, dir: string): number {
  const at = config.shares.findIndex((share) => share.dir === resolve(dir))
  if (at >= 0) return at
  const isNew = config.inFile.some((share) => share.dir === resolve(dir))
  throw new ShoalError(
    'NOT_FOUND',
    isNew
      ? `${printable(dir)} is new in ${config.fileName}, and not served yet: restart the daemon`
      : `${printable(dir)} is not a folder of ${config.fileName}`,
  )
}

/** A table for each folder below its name: paths are long, and beside them nothing else would fit a terminal. */
function printList<T extends { readonly dir: string }>(
  io: CliIo,
  { json }: JsonOption,
  list: readonly T[],
  headings: readonly string[],
  cells: (each: T) => readonly string[],
  none: string,
): void {
  if (json === true) return io.out(formatJson(list))
  if (list.length === 0) return io.out(`${none}\n`)
  const tables = [...new Set(list.map(({ dir }) => dir))].map((dir) => {
    const rows = list.filter((each) => each.dir === dir).map(cells)
    return `${printable(dir)}\n${formatTable([headings, ...rows], '  ')}`
  })
  io.out(tables.join('\n'))
}

function formatVerdict({ type, because, notCounted }: Verdict): string {
  const verdict = type === 'in-sync' ? 'in sync' : `${type}: ${because.map(printable).join(', ')}`
  if (notCounted.length === 0) return verdict
  return `${verdict}\nnot counted: ${notCounted.map(printable).join('; ')}`
}
