// `shoal release create`, `switch`, `rollback`, `list` and `remove`: ask the running daemon of a writer; `list` that of any
// node.
import type { ControlClient } from '../control/client.js'
import type {
  ReleaseNodeReport,
  ReleaseReport,
  ReleasesReport,
  SwitchReport,
} from '../control/schema-releases.js'
import { ShoalError } from '../core/error.js'
import { connect, type JsonOption, shareAt } from './daemon-commands.js'
import type { CliIo } from './io.js'
import { releaseMeter } from './progress/meters.js'
import { showDaemon } from './progress/show.js'
import { formatBytes, formatCount, formatJson, formatTable, printable } from './text.js'

export interface ReleaseOptions extends JsonOption {
  readonly dir?: string
}

export interface SwitchOptions extends ReleaseOptions {
  readonly when?: 'all' | number
}

export interface CreateOptions extends SwitchOptions {
  readonly name?: string
  readonly keep?: number
  readonly switch: boolean
}

/** Makes a release; the exit code. */
export async function createCommand(io: CliIo, configFile: string, options: CreateOptions): Promise<number> {
  const { name, keep, when } = options
  if (!options.switch && when !== undefined)
    throw new ShoalError('USAGE', '--when says when to switch, and --no-switch not to')
  const { client, share } = await shareOf(configFile, options)
  const made = await showDaemon(io, client, 'release create', releaseMeter(share), () =>
    client.release({
      share,
      ...(name === undefined ? {} : { name }),
      ...(keep === undefined ? {} : { keep }),
      when: options.switch ? (when ?? 'now') : null,
    }),
  )
  if (options.json === true) io.out(formatJson(made))
  else {
    io.out(`${made.name}: ${formatCount(made.files, 'file')}, ${formatBytes(made.bytes)}\n`)
    for (const removed of made.removed) io.out(`removed ${printable(removed)}\n`)
  }
  return 0
}

/** Has nodes show a release; the exit code. */
export async function switchCommand(
  io: CliIo,
  configFile: string,
  name: string,
  options: SwitchOptions,
): Promise<number> {
  const { client, share } = await shareOf(configFile, options)
  tellOrder(io, await client.switchRelease({ share, name, when: options.when ?? 'now' }), options)
  return 0
}

/** Has them show what they showed before; the exit code. */
export async function rollbackCommand(
  io: CliIo,
  configFile: string,
  options: ReleaseOptions,
): Promise<number> {
  const { client, share } = await shareOf(configFile, options)
  tellOrder(io, await client.rollbackRelease({ share }), options)
  return 0
}

/** Takes a release away; the exit code. */
export async function removeCommand(
  io: CliIo,
  configFile: string,
  name: string,
  options: ReleaseOptions,
): Promise<number> {
  const { client, share } = await shareOf(configFile, options)
  await client.removeRelease({ share, name })
  io.out(options.json === true ? formatJson({ removed: name }) : `removed ${printable(name)}\n`)
  return 0
}

/** Lists the releases of the folders, or of one; the exit code. */
export async function listCommand(io: CliIo, configFile: string, options: ReleaseOptions): Promise<number> {
  const { client, config } = await connect(configFile)
  const all = await client.releases()
  const reports = options.dir === undefined ? all : all.slice(shareAt(config, options.dir)).slice(0, 1)
  if (options.json === true) io.out(formatJson(reports))
  else io.out(reports.map((report) => listText(report, reports.length > 1)).join('\n'))
  return 0
}

async function shareOf(
  configFile: string,
  { dir }: ReleaseOptions,
): Promise<{ client: ControlClient; share: number }> {
  const { client, config } = await connect(configFile)
  if (dir === undefined && config.shares.length !== 1)
    throw new ShoalError(
      'USAGE',
      `${config.fileName} has ${config.shares.length} folders: name the one that is meant with --dir`,
    )
  return { client, share: dir === undefined ? 0 : shareAt(config, dir) }
}

function tellOrder(io: CliIo, order: SwitchReport, { json }: JsonOption): void {
  io.out(json === true ? formatJson(order) : `${orderText(order)}\n`)
}

function orderText({ name, when }: SwitchReport): string {
  const then =
    when === 'now'
      ? 'each node once it holds it'
      : when === 'all'
        ? 'once all hold it'
        : `once ${when} hold it`
  return `to be shown: ${printable(name)}, ${then}`
}

function listText({ dir, order, waitsFor, releases, nodes }: ReleasesReport, isOneOfMany: boolean): string {
  const lines = isOneOfMany ? [printable(dir)] : []
  if (releases.length === 0) lines.push('no releases')
  else lines.push(tableOf(releases, nodes).trimEnd())
  if (order !== null) lines.push(orderText(order))
  if (waitsFor !== null) lines.push(`this node: ${printable(waitsFor)}`)
  const away = nodes.filter(({ follows, connected }) => follows && !connected)
  if (away.length > 0) lines.push(`not connected: ${away.map(({ name }) => printable(name)).join(', ')}`)
  return `${lines.join('\n')}\n`
}

function tableOf(releases: readonly ReleaseReport[], nodes: readonly ReleaseNodeReport[]): string {
  const names = new Map(nodes.map(({ device, name }) => [device, name]))
  const named = (devices: readonly string[]): string =>
    devices.length === 0 ? '-' : devices.map((device) => names.get(device) ?? device.slice(0, 8)).join(', ')
  const rows = releases.map((release) => [
    release.name,
    release.created?.replace(/\.\d+Z$/, 'Z') ?? 'unfinished',
    release.by ?? '-',
    release.files === null ? '-' : String(release.files),
    release.bytes === null ? '-' : formatBytes(release.bytes),
    release.hold,
    named(release.shownBy),
    named(release.heldBy),
  ])
  return formatTable([['RELEASE', 'MADE', 'BY', 'FILES', 'SIZE', 'HERE', 'SHOWN BY', 'HELD BY'], ...rows])
}
