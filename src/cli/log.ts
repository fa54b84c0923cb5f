// shoal log: who wrote which version when, as text, from a running daemon; and --verify, which reads the storage itself.
import type { LogEntry } from '../control/schema-log.js'
import { ShoalError } from '../core/error.js'
import type { VerifiedFeed, VerifiedShare, VerifyReport } from '../daemon/verify/report.js'
import { ConfigSource } from './config-source.js'
import { connect, type JsonOption } from './daemon-commands.js'
import type { CliIo } from './io.js'
import { formatBytes, formatCount, formatJson, formatTable, printable, shortTime } from './text.js'

export interface LogOptions extends JsonOption {
  readonly limit: number
  /** Milliseconds since 1970. */
  readonly since?: number
  /** The same: nothing that was written later. */
  readonly until?: number
  readonly verify?: boolean
}

/** Asked for at once. */
const PAGE = 1000

/** The exit code: with --verify, 1 if something does not hold. */
export async function logCommand(
  io: CliIo,
  configFile: string,
  path: string | undefined,
  options: LogOptions,
): Promise<number> {
  if (options.verify !== true) return printLog(io, configFile, path, options)
  if (path !== undefined) throw new ShoalError('USAGE', '--verify checks all: name no path')
  const source = await ConfigSource.enter(configFile, { leavesStorage: true })
  const { config } = await source.first()
  const { verifyStorage } = await import('../daemon/verify/verify.js')
  const report = await verifyStorage(config, (_, feed) => {
    if (options.json !== true && io.isQuiet !== true) io.err(`checked ${feedText(feed)}\n`)
  })
  io.out(options.json === true ? formatJson(report) : formatVerified(report))
  return report.shares.every(({ faults }) => faults.length === 0) ? 0 : 1
}

async function printLog(
  io: CliIo,
  configFile: string,
  path: string | undefined,
  { limit, since, until = Number.POSITIVE_INFINITY, json }: LogOptions,
): Promise<number> {
  const { client, config } = await connect(configFile)
  const { at, inside } = placeOf(config.shares, path)
  const found: (LogEntry & { readonly dir: string })[] = []
  for (const share of at) {
    let after: string | undefined
    do {
      const ask = { share, path: inside, since, after, limit: Math.min(PAGE, limit) }
      const { dir, entries, next } = await client.log(ask)
      const wanted = entries.filter(({ at: writtenAt }) => Date.parse(writtenAt) <= until)
      found.push(...wanted.map((entry) => ({ dir, ...entry })))
      after = next ?? undefined
    } while (
      after !== undefined &&
      found.filter((each) => each.dir === config.shares[share]!.dir).length < limit
    )
  }
  // Of one share they come in order; stable, so that they stay in it.
  if (at.length > 1) found.sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0))
  const shown = found.slice(0, limit)
  if (json === true) io.out(formatJson(shown))
  else io.out(shown.length === 0 ? 'nothing was written\n' : formatLog(shown, at.length > 1))
  return 0
}

/** A path may be given within its folder, or as a whole path. */
function placeOf(
  shares: readonly { readonly dir: string }[],
  path: string | undefined,
): { at: readonly number[]; inside: string | undefined } {
  const all = shares.map((_, at) => at)
  if (path === undefined) return { at: all, inside: undefined }
  const clean = path.replace(/\/+$/, '')
  const whole = shares.findIndex(({ dir }) => clean === dir || clean.startsWith(`${dir}/`))
  if (whole < 0) return { at: all, inside: clean.replace(/^\.\//, '') }
  const inside = clean.slice(shares[whole]!.dir.length + 1)
  return { at: [whole], inside: inside === '' ? undefined : inside }
}

function formatLog(entries: readonly (LogEntry & { readonly dir: string })[], withDir: boolean): string {
  const rows = entries.map((entry) => [
    `${entry.restated ? 'before ' : ''}${shortTime(entry.at)}`,
    entry.origin === null ? entry.name : `${entry.name} (for ${entry.origin})`,
    entry.type === 'deleted' ? 'deleted' : `${entry.type}${modeOf(entry)}`,
    entry.size === null ? '' : formatBytes(entry.size),
    withDir ? `${entry.dir}/${entry.path}` : entry.path,
  ])
  return formatTable([['WHEN', 'WHO', 'WHAT', 'SIZE', 'PATH'], ...rows])
}

function modeOf({ mode }: LogEntry): string {
  return mode === null ? '' : ` ${mode.toString(8).padStart(4, '0')}`
}

function formatVerified({ shares }: VerifyReport): string {
  return shares.map(formatShare).join('\n')
}

function formatShare({ dir, feeds, heads, headsNotHere, faults }: VerifiedShare): string {
  const lines = faults.map(({ name, writer, record, what }) => {
    const whose = writer === null ? 'the index' : `the feed of ${printable(name ?? '?')} (${writer})`
    return `  ${whose}${record === null ? '' : `, record ${record}`}: ${printable(what)}\n`
  })
  if (faults.length > 0)
    return `${printable(dir)}: DAMAGED, ${formatCount(faults.length, 'fault')}\n${lines.join('')}`
  const [records, versions] = (['records', 'versions'] as const).map((what) =>
    feeds.reduce((sum, feed) => sum + feed[what], 0),
  )
  const rest =
    headsNotHere === 0
      ? ''
      : `  ${formatCount(headsNotHere, 'version')} could not be looked up: the records are not kept here\n`
  return (
    `${printable(dir)}: all holds\n` +
    `  ${formatCount(feeds.length, 'feed')}: the share's key vouches for every writer, and each signed its feed as it is\n` +
    `  ${formatCount(records!, 'record')}: each is the one that was signed for its place, and can be read\n` +
    `  ${formatCount(versions!, 'version')}: none of them told twice\n` +
    `  ${formatCount(heads, 'version')} that this device goes by: each stands in its writer's feed\n${rest}`
  )
}

function feedText({ name, writer, epoch, records, length, closed }: VerifiedFeed): string {
  const part =
    records === length ? formatCount(records, 'record') : `${records} of ${formatCount(length, 'record')}`
  return `${printable(name)} (${writer}, epoch ${epoch}): ${part}${closed ? ', closed' : ''}`
}
