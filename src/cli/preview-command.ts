// `shoal preview`: says what joining would do, without doing it (src/daemon/preview).
import { ShoalError } from '../core/error.js'
import type {
  Comparison,
  PreviewPath,
  PreviewProgress,
  PreviewReport,
  SharePreview,
  Tally,
} from '../daemon/preview/report.js'
import { ConfigSource } from './config-source.js'
import { EXIT } from './exit.js'
import { untilInterrupted } from './interrupt.js'
import type { CliIo } from './io.js'
import type { Measure } from './progress/measure.js'
import { showProgress } from './progress/show.js'
import { tellRemarks } from './remarks.js'
import { formatBytes, formatCount, formatJson, formatTable, printable } from './text.js'

export interface PreviewCommandOptions {
  readonly json?: boolean
  readonly list?: boolean
  /** Seconds. */
  readonly timeout: number
}

/** Prints the comparison. The exit code: 0 compared, 3 nobody was reached for at least one folder. */
export async function previewCommand(
  io: CliIo,
  configFile: string,
  options: PreviewCommandOptions,
): Promise<number> {
  const source = await ConfigSource.enter(configFile, { leavesStorage: true })
  const { config, remarks } = await source.first()
  tellRemarks(io, remarks)
  if (config.shares.length === 0) throw new ShoalError('USAGE', `${configFile} has no folder to compare`)
  const { preview } = await import('../daemon/preview/preview.js')
  const paths: PreviewPath[] = []
  const onPath = (path: PreviewPath): void => {
    if (options.list !== true) return
    if (options.json === true) paths.push(path)
    else io.out(`${formatPath(path, config.shares.length > 1)}\n`)
  }
  const report = await showProgress(io, 'preview', (progress) =>
    untilInterrupted((signal) =>
      preview(config, {
        timeoutMs: options.timeout * 1000,
        signal,
        onPath,
        onProgress: (at) => progress.update(measureOf(at)),
      }),
    ),
  )
  if (report === undefined) return EXIT.interrupted
  if (options.json === true) io.out(formatJson(options.list === true ? { ...report, paths } : report))
  else io.out(formatPreview(report, options.timeout))
  return report.shares.every(({ comparison }) => comparison !== null) ? EXIT.done : EXIT.unreachable
}

function measureOf(at: PreviewProgress): Measure {
  switch (at.stage) {
    case 'meeting':
      return { done: at.members, unit: 'member', detail: 'met', givesUpInMs: at.givesUpInMs }
    case 'comparing':
      return {
        done: at.readBytes,
        ...(at.shareBytes > 0 && { total: at.shareBytes }),
        unit: 'bytes',
        detail: `${formatCount(at.files, 'file')} of ${at.dir}`,
      }
  }
}

function formatPath({ dir, path, what, why }: PreviewPath, withDir: boolean): string {
  const kind = what === 'different' ? `different ${why}` : what.replace('-', ' ')
  return `${kind.padEnd('different permissions'.length)}  ${printable(withDir ? `${dir}: ${path}` : path)}`
}

function formatPreview({ shares }: PreviewReport, timeout: number): string {
  return shares.map((share) => formatShare(share, timeout)).join('\n')
}

function formatShare(share: SharePreview, timeout: number): string {
  const { dir, grade, comparison, notes } = share
  const lines = [`${printable(dir)} (${grade})`]
  if (comparison === null)
    lines.push(
      `  nobody was reached in ${formatCount(timeout, 'second')}: is another member running? see known_hosts, search_lan, bootstrap`,
    )
  else lines.push(...formatPicture(share), ...formatComparison(comparison, grade))
  for (const note of notes) lines.push(`  note: ${printable(note)}`)
  return `${lines.join('\n')}\n`
}

/** How complete the picture is. */
function formatPicture({ members, complete }: SharePreview): string[] {
  const reached = members.filter((member) => member.reached)
  const agree = reached.filter(({ digestEqual }) => digestEqual).length
  const lines = [
    `  ${reached.length} of ${formatCount(members.length, 'member')} reached, ${agree} of them ${agree === 1 ? 'holds' : 'hold'} exactly what is compared with here`,
  ]
  for (const { name, reached: isReached, digestEqual } of members)
    if (!isReached || !digestEqual)
      lines.push(`    ${printable(name)}: ${isReached ? 'is behind, or ahead' : 'not reached'}`)
  if (!complete)
    lines.push('  THE PICTURE IS NOT COMPLETE: not all that members have to tell was told and read in time')
  return lines
}

function formatComparison(comparison: Comparison, grade: 'write' | 'read'): string[] {
  const { same, onlyHere, onlyThere, different, problems } = comparison
  const isWriter = grade === 'write'
  const table = formatTable(
    [
      ['', 'FILES', 'FOLDERS', 'LINKS', 'SIZE', 'JOINING WOULD'],
      row('same', same, "leave them; times become the share's"),
      row('only here', onlyHere, isWriter ? 'send them to all members' : 'leave them here, listed as drift'),
      row('only there', onlyThere, 'fetch them'),
      row(
        'different',
        different,
        isWriter ? 'keep both, the older as a conflict copy' : 'replace them; archived if use_sync_trash',
      ),
    ],
    '  ',
  ).trimEnd()
  const lines = [table]
  if (different.files > 0)
    lines.push(`  instead of the different ones the share has ${formatBytes(different.bytesThere)}`)
  if (onlyHere.deletedThere > 0)
    lines.push(
      `  ${formatCount(onlyHere.deletedThere, 'path')} of those only here were deleted in the share: what is still just as it was deleted goes here too${isWriter ? ', the rest comes back there' : ''}`,
    )
  for (const { path, code, detail } of problems)
    lines.push(`  not compared: ${printable(path === '' ? '.' : path)} (${code}: ${printable(detail)})`)
  return lines
}

function row(what: string, { files, folders, links, bytes }: Tally, does: string): string[] {
  const isNone = files + folders + links === 0
  return [what, `${files}`, `${folders}`, `${links}`, formatBytes(bytes), isNone ? '' : does]
}
