// shoal rehearse: what it asks the daemon, and what it prints.
import { ShoalError } from '../core/error.js'
import type { RehearseReport } from '../daemon/rehearse/report.js'
import { ConfigSource } from './config-source.js'
import { connect, type JsonOption } from './daemon-commands.js'
import { EXIT } from './exit.js'
import { untilInterrupted } from './interrupt.js'
import type { CliIo } from './io.js'
import { showProgress } from './progress/show.js'
import { oneShare } from './share-paths.js'
import { formatBytes, formatCount, formatJson, printable } from './text.js'

export interface RehearseOptions extends JsonOption {
  readonly node: string
  readonly sample: number
  readonly all?: boolean
  readonly to?: string
  readonly keep?: boolean
  /** Seconds. */
  readonly timeout: number
}

const MAX_LISTED = 50

/** Restores from one member and compares. The exit code: 1 if something is lacking or differs. */
export async function rehearseCommand(
  io: CliIo,
  configFile: string,
  dir: string | undefined,
  { node, sample, all, to, keep = false, timeout, json }: RehearseOptions,
): Promise<number> {
  const { client, config: running } = await connect(configFile)
  const share = oneShare(
    running.shares.map((each) => each.dir),
    dir,
  )
  const drawn = await client.rehearsal({ share, node, sample: all === true ? 0 : sample })
  if (all !== true && drawn.paths.length === 0)
    throw new ShoalError('NOT_FOUND', `${printable(drawn.dir)} has no file to rehearse with`)
  const source = await ConfigSource.enter(configFile, { leavesStorage: true })
  const { config } = await source.first()
  const settings = config.shares.find((each) => each.dir === drawn.dir)
  if (settings === undefined)
    throw new ShoalError(
      'NOT_FOUND',
      `${printable(drawn.dir)} is not in ${configFile}: its secret is not known`,
    )
  const { rehearse } = await import('../daemon/rehearse/rehearse.js')
  const report = await showProgress(io, 'rehearse', (progress) =>
    untilInterrupted((signal) =>
      rehearse({
        config,
        share: settings,
        device: drawn.device,
        hosts: drawn.hosts,
        paths: all === true ? undefined : drawn.paths,
        ...{ to, keep, signal },
        timeoutMs: timeout * 1000,
        onProgress: (at) => {
          const total = 'total' in at && at.total !== undefined ? { total: at.total } : {}
          progress.update({ done: at.done, ...total, unit: UNITS[at.stage], detail: at.stage })
        },
      }),
    ),
  )
  if (report === undefined) return EXIT.interrupted
  io.out(json === true ? formatJson(report) : formatRehearsal(report, drawn))
  return report.restore.complete && report.comparison.differenceCount === 0 ? EXIT.done : EXIT.no
}

const UNITS = { meeting: 'member', reading: 'record', writing: 'bytes', comparing: 'path' } as const

function formatRehearsal(
  { dir, restored, seconds, restore, comparison }: RehearseReport,
  {
    name,
    files,
    paths,
  }: { readonly name: string; readonly files: number; readonly paths: readonly string[] },
): string {
  const what =
    paths.length === 0 ? 'all' : `${paths.length} of ${formatCount(files, 'file')}, drawn at random,`
  const { same, bytes, differences, differenceCount } = comparison
  const lines = [
    `${what} of ${printable(dir)} restored from ${printable(name)} alone in ${seconds.toFixed(1)} s`,
    `  ${formatCount(same, 'file')}, ${formatBytes(bytes)}: the same as here`,
  ]
  for (const { path, detail } of restore.lacking.slice(0, MAX_LISTED))
    lines.push(`  not restored: ${printable(path)}: ${printable(detail)}`)
  for (const { path, what: differs } of differences.slice(0, MAX_LISTED))
    lines.push(`  differs (${differs}): ${printable(path)}`)
  if (differenceCount > MAX_LISTED) lines.push(`  and ${differenceCount - MAX_LISTED} more`)
  for (const note of restore.notes) lines.push(`  note: ${printable(note)}`)
  if (restored !== null) lines.push(`  it is in ${printable(restored)}`)
  return `${lines.join('\n')}\n`
}
