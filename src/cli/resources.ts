// shoal history, pause, resume and limits.
import type { ControlClient } from '../control/client.js'
import type { HistoryReport, HistoryVersion } from '../control/schema-entries.js'
import type { HeldLimitReport, LimitsReport } from '../control/schema-limits.js'
import type { OneOrAll } from '../control/schema-shares.js'
import { ShoalError } from '../core/error.js'
import { connect, type JsonOption } from './daemon-commands.js'
import type { CliIo } from './io.js'
import { limitWords } from './limit-text.js'
import { placeOfDir, sharePathOf } from './share-paths.js'
import { formatBytes, formatJson, formatTable, printable, shortTime } from './text.js'

export interface HistoryOptions extends JsonOption {
  readonly limit?: number
  /** Milliseconds since 1970: nothing that was published later. */
  readonly at?: number
}

/** kB/s of 1024 bytes, as the configuration has them; 0: no limit. */
export interface LimitOptions extends JsonOption {
  /** The folder of one share; absent: all together. */
  readonly folder?: string
  /** First of all as the configuration says. */
  readonly reset?: boolean
  readonly download?: number
  readonly upload?: number
}

const KB = 1024

/** As the daemon has it, when nothing is said. */
const DEFAULT_VERSIONS = 200

/** Prints the versions of a path, or of all. The exit code. */
export async function historyCommand(
  io: CliIo,
  configFile: string,
  text: string | undefined,
  { limit, at, json }: HistoryOptions,
): Promise<number> {
  if (text === undefined) {
    const { logCommand } = await import('./log.js')
    const until = at === undefined ? {} : { until: at }
    return logCommand(io, configFile, undefined, {
      limit: limit ?? DEFAULT_VERSIONS,
      ...until,
      ...(json === true && { json }),
    })
  }
  const { client } = await connect(configFile)
  const { shares } = await client.status()
  const place = sharePathOf(
    shares.map(({ dir }) => dir),
    text,
  )
  // Asked for all where some are left out afterwards.
  const told = await client.history({ ...place, limit: at === undefined ? limit : undefined })
  const history = at === undefined ? told : publishedBy(told, at, limit)
  if (history.versions.length === 0)
    throw new ShoalError(
      'NOT_FOUND',
      `of what is known here nothing of ${place.path} had been published by then`,
    )
  io.out(json === true ? formatJson(history) : formatHistory(history))
  return 0
}

/** Without what was published later, or of which nobody knows when. */
function publishedBy(history: HistoryReport, atMs: number, limit = DEFAULT_VERSIONS): HistoryReport {
  const versions = history.versions.filter(({ when }) => when !== null && Date.parse(when) <= atMs)
  return { ...history, versions: versions.slice(0, limit) }
}

/** Has all shares, or the one of a folder, leave the swarm. */
export async function pauseCommand(_io: CliIo, configFile: string, dir: string | undefined): Promise<number> {
  const { client } = await connect(configFile)
  await client.pause(await chosenShare(client, dir))
  return 0
}

/** Ends that. */
export async function resumeCommand(
  _io: CliIo,
  configFile: string,
  dir: string | undefined,
): Promise<number> {
  const { client } = await connect(configFile)
  await client.resume(await chosenShare(client, dir))
  return 0
}

/** By the daemon's own list: it may have shares that its configuration does not name. */
async function chosenShare(client: ControlClient, dir: string | undefined): Promise<OneOrAll> {
  if (dir === undefined) return {}
  const { shares } = await client.status()
  const dirs = shares.map((each) => each.dir)
  return { share: placeOfDir(dirs, dir) }
}

/** Prints the limits, after setting what is given. */
export async function limitsCommand(
  io: CliIo,
  configFile: string,
  { download, upload, folder, reset, json }: LimitOptions,
): Promise<number> {
  const { client } = await connect(configFile)
  const isSet = download !== undefined || upload !== undefined
  const place = await chosenShare(client, folder)
  const given = { download: bytesOf(download), upload: bytesOf(upload), ...(reset === true && { reset }) }
  const limits =
    isSet || reset === true ? await client.setLimits({ ...place, ...given }) : await client.limits()
  io.out(json === true ? formatJson(limits) : formatLimits(limits))
  if (isSet && json !== true && io.isQuiet !== true)
    io.err('until the daemon restarts or --reset; what the configuration says of limits stays as it is\n')
  return 0
}

function bytesOf(rate: number | undefined): number | undefined {
  return rate === undefined ? undefined : rate * KB
}

/** What holds now, for all and for each share with a limit of its own. */
export function formatLimits({ download, upload, holdLocally, held, shares = [] }: LimitsReport): string {
  const rows = [
    ['download', limitWords(held?.download ?? plain(download))],
    ['upload', limitWords(held?.upload ?? plain(upload))],
    ['local network', holdLocally ? 'limited as well' : 'not limited (rate_limit_local_peers)'],
  ]
  const own = shares.map(
    ({ dir, ...share }) =>
      `\n${printable(dir)}\n${formatTable(
        [
          ['download', limitWords(share.download)],
          ['upload', limitWords(share.upload)],
        ],
        '  ',
      )}`,
  )
  return formatTable(rows) + own.join('')
}

function plain(rate: number): HeldLimitReport {
  return { rate, by: 'configuration', until: null }
}

/** A table of the versions, and whether there may be more. */
export function formatHistory({ versions, isComplete }: HistoryReport): string {
  const rows = versions.map((version) => [
    version.isCurrent ? '*' : '',
    version.when === null ? '-' : shortTime(version.when),
    version.name ?? '-',
    version.type === 'deleted' ? '-' : shortTime(version.mtime),
    whatOf(version),
    version.archived ?? (version.where === 'live' ? 'here' : '-'),
  ])
  const more = isComplete ? '' : 'there may be older ones that nothing here has kept\n'
  return formatTable([['', 'PUBLISHED', 'BY', 'CHANGED', 'WHAT', 'CONTENT'], ...rows]) + more
}

function whatOf({ type, size, target }: HistoryVersion): string {
  if (type === 'file') return formatBytes(size)
  return type === 'symlink' && target !== null ? `-> ${printable(target)}` : type
}
