// shoal drift and what goes with it: a reader's own changes as text, a person's word that one is meant, and extra files to
// the archive.
import { isAbsolute, relative, resolve } from 'node:path'
import type { ControlClient } from '../control/client.js'
import type { ArchiveExtraReport, DriftReport } from '../control/schema-drift.js'
import { ShoalError } from '../core/error.js'
import { connect, type JsonOption, type RunningConfig } from './daemon-commands.js'
import { EXIT } from './exit.js'
import type { CliIo } from './io.js'
import { driftMeter } from './progress/meters.js'
import { showDaemon, showEach } from './progress/show.js'
import { formatCount, formatJson, formatTable, printable, shortTime } from './text.js'

export interface DriftOptions extends JsonOption {
  readonly archiveExtra?: boolean
}

export interface AcknowledgeOptions extends JsonOption {
  readonly reason?: string
  /** Milliseconds. */
  readonly expires: number
  readonly withdraw?: boolean
}

/** A path of a share, by the share's place in the configuration. */
interface SharePath {
  readonly share: number
  /** Relative to the folder; empty for the folder itself. */
  readonly path: string
}

/** Prints the drift at and below some paths, or all; or moves extra files there to the archive. The exit code. */
export async function driftCommand(
  io: CliIo,
  configFile: string,
  paths: readonly string[],
  options: DriftOptions,
): Promise<number> {
  const { client, config } = await connect(configFile)
  if (options.archiveExtra === true) return archiveExtra(io, client, config, paths, options)
  const all = await client.drift()
  const chosen = paths.map((path) => placeOf(config, all, path))
  const drift =
    chosen.length === 0 ? all : all.filter((item) => chosen.some((place) => isAt(config, item, place)))
  io.out(options.json === true ? formatJson(drift) : formatDrift(drift))
  return drift.some(({ acknowledgement }) => acknowledgement === null) ? EXIT.no : EXIT.done
}

/** Says that the drift of some paths is meant, or takes that back. */
export async function acknowledgeCommand(
  io: CliIo,
  configFile: string,
  paths: readonly string[],
  { reason, expires: lifeMs, withdraw, json }: AcknowledgeOptions,
): Promise<number> {
  if (withdraw !== true && reason === undefined)
    throw new ShoalError('USAGE', 'an acknowledgement needs --reason: who reads it later knows no other')
  const { client, config } = await connect(configFile)
  const all = await client.drift()
  const places = paths.map((path) => placeOf(config, all, path))
  const said: DriftReport[] = []
  await showEach(io, 'drift acknowledge', 'path', places, async (place) => {
    if (withdraw === true) await client.withdrawDrift(place)
    else said.push(await client.acknowledgeDrift({ ...place, reason: reason!, lifeMs }))
  })
  if (json === true) io.out(formatJson(said))
  else if (withdraw === true) for (const path of paths) io.out(`${printable(path)} is drift again\n`)
  else
    for (const { path, acknowledgement: word } of said)
      io.out(`${printable(path)} is acknowledged until ${shortTime(word?.until ?? '')}\n`)
  return 0
}

async function archiveExtra(
  io: CliIo,
  client: ControlClient,
  config: RunningConfig,
  paths: readonly string[],
  { json }: DriftOptions,
): Promise<number> {
  const all = await client.drift()
  const places = paths.map((path) => placeOf(config, all, path))
  for (const [at, place] of places.entries()) {
    const isThere = all.some((item) => item.kind === 'added' && isAt(config, item, place))
    if (!isThere) throw new ShoalError('NOT_FOUND', `there is no extra file at ${printable(paths[at]!)}`)
  }
  const reports: ArchiveExtraReport[] = []
  await showDaemon(io, client, 'drift --archive-extra', driftMeter(), async () => {
    if (places.length === 0) reports.push(await client.archiveExtra())
    for (const share of new Set(places.map((place) => place.share))) {
      const within = places.filter((place) => place.share === share).map(({ path }) => path)
      reports.push(await client.archiveExtra(within.includes('') ? { share } : { share, paths: within }))
    }
  })
  const report = {
    moved: reports.flatMap(({ moved }) => moved),
    left: reports.flatMap(({ left }) => left),
  }
  io.out(json === true ? formatJson(report) : formatArchived(report))
  return report.left.length > 0 ? EXIT.no : EXIT.done
}

/** What is open first, and apart from it what is acknowledged; a table for each folder. */
export function formatDrift(drift: readonly DriftReport[]): string {
  if (drift.length === 0) return 'no drift\n'
  const dirs = [...new Set(drift.map(({ dir }) => dir))]
  return dirs
    .map((dir) =>
      formatFolder(
        dir,
        drift.filter((item) => item.dir === dir),
      ),
    )
    .join('\n')
}

function formatFolder(dir: string, unsorted: readonly DriftReport[]): string {
  const drift = [...unsorted].sort((a, b) => (a.path < b.path ? -1 : 1))
  const open = drift.filter(({ acknowledgement }) => acknowledgement === null)
  const isRestored = open.some(({ policy }) => policy === 'restore')
  const rows = open.map((item) => [
    ...[whatOf(item), timeOf(item), item.path],
    ...(isRestored ? [restoreOf(item)] : []),
  ])
  const headings = ['WHAT', 'SINCE', 'PATH', ...(isRestored ? ['PUT BACK'] : [])]
  const said = drift.flatMap((item) => {
    const { acknowledgement: word } = item
    return word === null ? [] : [[whatOf(item), timeOf(item), shortTime(word.until), item.path, word.reason]]
  })
  const tables = [
    ...(rows.length === 0 ? [] : [formatTable([headings, ...rows], '  ')]),
    ...(said.length === 0
      ? []
      : [formatTable([['ACKNOWLEDGED', 'SINCE', 'UNTIL', 'PATH', 'REASON'], ...said], '  ')]),
  ]
  return `${printable(dir)}\n${tables.join('\n')}`
}

/** A daemon of an earlier version tells no kinds. */
function whatOf({ kind, kinds }: DriftReport): string {
  return kinds.length === 0 ? kind : kinds.join(', ')
}

function timeOf({ since }: DriftReport): string {
  return since === null ? '-' : shortTime(since)
}

function restoreOf({ policy, restores, nextRestore }: DriftReport): string {
  if (policy === 'report') return '-'
  const before = restores === 0 ? '' : `${formatCount(restores, 'time')}, `
  return nextRestore === null ? `${before}under way` : `${before}next at ${shortTime(nextRestore)}`
}

function formatArchived({ moved, left }: ArchiveExtraReport): string {
  if (moved.length + left.length === 0) return 'no extra files\n'
  const lines = [
    ...moved.map(({ path, to }) =>
      to === null ? `${printable(path)}: removed, it was empty` : `${printable(path)} -> ${printable(to)}`,
    ),
    ...left.map(
      ({ path, code, detail }) => `${printable(path)}: left, ${printable(detail)} (${printable(code)})`,
    ),
  ]
  return lines.map((line) => `${line}\n`).join('')
}

/**
 * The share and path that somebody means: a whole path, or one as shoal drift lists it. Of several folders the one that has
 * drift there. USAGE, NOT_FOUND.
 */
function placeOf(
  { shares, fileName }: RunningConfig,
  drift: readonly DriftReport[],
  text: string,
): SharePath {
  if (isAbsolute(text)) {
    const path = resolve(text)
    for (const [share, { dir }] of shares.entries()) {
      const way = relative(dir, path)
      if (way !== '..' && !way.startsWith('../')) return { share, path: way }
    }
    throw new ShoalError('NOT_FOUND', `${printable(text)} is in no folder of ${fileName}`)
  }
  const path = text.replace(/^(\.\/+)+/, '').replace(/\/+$/, '')
  if (shares.length === 1) return { share: 0, path: path === '.' ? '' : path }
  const found = shares.flatMap(({ dir }, share) =>
    drift.some((item) => item.dir === dir && isWithin(item.path, path)) ? [share] : [],
  )
  if (found.length === 0) throw new ShoalError('NOT_FOUND', `there is no drift at ${printable(text)}`)
  if (found.length > 1)
    throw new ShoalError('USAGE', `several folders have drift at ${printable(text)}: name its whole path`)
  return { share: found[0]!, path }
}

function isAt({ shares }: RunningConfig, item: DriftReport, { share, path }: SharePath): boolean {
  return item.dir === shares[share]?.dir && isWithin(item.path, path)
}

function isWithin(path: string, above: string): boolean {
  return above === '' || path === above || path.startsWith(`${above}/`)
}
