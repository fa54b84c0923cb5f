// `shoal restore`: asks for the secret, shows how far it is, says what came of it.
import type { ProxyConfig } from '../config/proxy.js'
import { ShoalError } from '../core/error.js'
import { parsePath, pathFault, type RelPath } from '../core/path.js'
import { parseSecret, type Secret } from '../core/secret.js'
import type { RestoreProgress, RestoreReport } from '../daemon/restore/report.js'
import { silentLog } from '../ports/log.js'
import { EXIT } from './exit.js'
import { untilInterrupted } from './interrupt.js'
import type { CliIo } from './io.js'
import type { Measure } from './progress/measure.js'
import { showProgress } from './progress/show.js'
import { proxyOfOptions, proxyProblem, withReasons } from './proxy-option.js'
import { secretInput } from './secret-input.js'
import { pathIn } from './share-paths.js'
import { formatBytes, formatCount, formatJson, printable, shortTime } from './text.js'
import type { WayOptions } from './way-options.js'

export interface RestoreCommandOptions extends WayOptions {
  readonly from: string
  readonly to: string
  readonly secretFile?: string
  /** Milliseconds since 1970. */
  readonly at?: number
  readonly host?: readonly string[]
  readonly node?: string
  readonly searchLan: boolean
  readonly bootstrap?: readonly string[]
  /** Seconds. */
  readonly timeout: number
  readonly owners?: 'name' | 'number' | 'ignore'
  readonly json?: boolean
}

/** Lacking paths that are listed without --json. */
const LISTED = 50

/** The exit code: 0 all is there, 1 something is lacking. */
export async function restoreCommand(
  io: CliIo,
  paths: readonly string[],
  options: RestoreCommandOptions,
): Promise<number> {
  const wanted = paths.map(sharePath)
  const { from, to, at, owners } = options
  checkWays(options)
  const proxy = await proxyOfOptions(options)
  const secret = await secretOf(io, options.secretFile)
  if (secret === undefined) return EXIT.interrupted
  const { restore } = await import('../daemon/restore/restore.js')
  const ways = from === 'swarm' ? await waysOf(options, proxy) : undefined
  const report = await showProgress(io, 'restore', (progress) =>
    untilInterrupted((signal) =>
      restore({
        secret,
        from: ways === undefined ? { type: 'vault', vault: from } : { type: 'swarm', ways },
        ...{ to, atMs: at, owners, signal },
        // A path of no name is the whole share.
        paths: wanted.every(isPath) ? wanted : [],
        onProgress: (now) => progress.update(measureOf(now)),
      }),
    ),
  ).catch((thrown: unknown) => {
    throw withReasons(thrown, [proxyProblem(ways?.dial)])
  })
  if (report === undefined) {
    io.err('interrupted; the same command goes on from here\n')
    return EXIT.interrupted
  }
  io.out(options.json === true ? formatJson(report) : formatRestored(report))
  return report.complete ? EXIT.done : EXIT.no
}

/** Throws USAGE. */
function checkWays(options: RestoreCommandOptions): void {
  const { from, host = [], bootstrap = [], relay = [], searchLan, node, proxy } = options
  if (from !== 'swarm' && (host.length + relay.length > 0 || (node ?? proxy) !== undefined))
    throw new ShoalError('USAGE', '--host, --node, --proxy and --relay are for --from swarm')
  if (from === 'swarm' && !searchLan && host.length + bootstrap.length + relay.length === 0)
    throw new ShoalError(
      'USAGE',
      'there is no way to find a member: name one with --host, a DHT with --bootstrap, a relay with --relay, or leave out --no-search-lan',
    )
}

/** As restore() takes them, with how they go through the proxy. */
async function waysOf(options: RestoreCommandOptions, proxy: ProxyConfig | undefined) {
  const { host = [], relay = [], bootstrap = [], searchLan, timeout, node } = options
  const { wayOut } = await import('../daemon/way-out.js')
  const way = wayOut({ bootstrap, dhtNode: false, ...(proxy === undefined ? {} : { proxy }) }, silentLog)
  return {
    ...{ knownHosts: host, relays: relay, searchLan, timeoutMs: timeout * 1000 },
    ...{ bootstrap: way.bootstrap, useDht: way.bootstrap.length > 0 },
    ...(way.dial === undefined ? {} : { dial: way.dial }),
    ...(node === undefined ? {} : { only: node }),
  }
}

/** The secret that a command is given; undefined after Ctrl-C. Throws SECRET_INVALID, CONFIG_UNREADABLE, USAGE. */
export async function secretOf(io: CliIo, file: string | undefined): Promise<Secret | undefined> {
  const text = await secretInput(io, file, 'read or write secret: ')
  return text === undefined ? undefined : parseSecret(text)
}

/** A path as a share has it; empty: all of it. Throws USAGE. */
export function sharePath(text: string): RelPath | '' {
  const at = pathIn(text)
  if (at === '') return ''
  const fault = pathFault(at)
  if (fault !== undefined)
    throw new ShoalError(
      'USAGE',
      `${printable(text)} is no path in a share: ${fault}; name it as it is called below the folder`,
    )
  return parsePath(at)
}

function measureOf(now: RestoreProgress): Measure {
  switch (now.stage) {
    case 'meeting':
      return {
        done: now.done,
        unit: 'member',
        detail: now.done === 0 ? 'looking for members' : 'met',
        ...(now.givesUpInMs === undefined ? {} : { givesUpInMs: now.givesUpInMs }),
      }
    case 'reading':
      return { done: now.done, ...(now.total === undefined ? {} : { total: now.total }), unit: 'record' }
    case 'writing':
      return {
        done: now.done,
        ...(now.total === undefined ? {} : { total: now.total }),
        unit: 'bytes',
        detail: `${now.files} of ${formatCount(now.ofFiles, 'file')}`,
      }
  }
}

export function formatRestored(report: RestoreReport): string {
  const { dir, at, writers, files, bytes, complete, lacking, lackingCount, notes } = report
  const when = at === null ? 'the newest there is' : `as of ${shortTime(at)}`
  const lines = [
    `${complete ? 'restored' : 'NOT ALL IS THERE'}: ${formatCount(files, 'file')}, ${formatBytes(bytes)} in ${printable(dir)}, ${when}`,
  ]
  const newestFirst = [...writers].sort((a, b) => ((a.newest ?? '') < (b.newest ?? '') ? 1 : -1))
  for (const { name, newest } of newestFirst)
    if (newest !== null) lines.push(`  ${printable(name)} wrote last at ${shortTime(newest)}`)
  for (const { path, code, detail } of lacking.slice(0, LISTED))
    lines.push(`  lacking: ${printable(path === '' ? 'of a writer' : path)} (${code}: ${printable(detail)})`)
  if (lackingCount > LISTED) lines.push(`  and ${lackingCount - LISTED} more; all with --json`)
  if (!complete) lines.push('  the same command tries again what is lacking')
  for (const note of notes) lines.push(`  note: ${printable(note)}`)
  return `${lines.join('\n')}\n`
}

function isPath(at: RelPath | ''): at is RelPath {
  return at !== ''
}
