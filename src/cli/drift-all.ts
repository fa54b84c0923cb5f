// shoal drift --all: the drift of every member as text. What a member said that is not connected now is marked with the
// time when it was so.
import type { MemberDriftItem, MemberDriftReport } from '../control/schema-drift.js'
import { ShoalError } from '../core/error.js'
import { connect, type JsonOption } from './daemon-commands.js'
import { EXIT } from './exit.js'
import type { CliIo } from './io.js'
import { formatCount, formatJson, formatTable, printable, shortTime } from './text.js'

/** Prints what all members have reported. The exit code: 1 if any of it is not acknowledged. */
export async function driftAllCommand(
  io: CliIo,
  configFile: string,
  paths: readonly string[],
  { json }: JsonOption,
): Promise<number> {
  if (paths.length > 0) throw new ShoalError('USAGE', '--all lists all paths: name none')
  const { client } = await connect(configFile)
  const reports = await client.driftOfAll()
  io.out(json === true ? formatJson(reports) : formatDriftOfAll(reports))
  return reports.some(({ open }) => open > 0) ? EXIT.no : EXIT.done
}

/** A table for each folder, and below it a line for each member that it does not say all of. */
export function formatDriftOfAll(reports: readonly MemberDriftReport[]): string {
  if (reports.every(({ total, asOf }) => total === 0 && asOf === null)) return 'no drift on any member\n'
  const dirs = [...new Set(reports.map(({ dir }) => dir))]
  return dirs
    .map((dir) =>
      formatFolder(
        dir,
        reports.filter((report) => report.dir === dir),
      ),
    )
    .join('\n')
}

function formatFolder(dir: string, reports: readonly MemberDriftReport[]): string {
  const nameOf = (report: MemberDriftReport): string => {
    const isUnique = reports.filter(({ name }) => name === report.name).length === 1
    return isUnique ? report.name : `${report.name} (${report.device.slice(0, 8)})`
  }
  const rows = reports.flatMap((report) => {
    const node = `${nameOf(report)}${report.asOf === null ? '' : `, as of ${shortTime(report.asOf)}`}`
    return report.items.map((item) => [node, item.path, whatOf(item), shortTime(item.since), whyOf(item)])
  })
  const headings = ['NODE', 'PATH', 'WHAT', 'SINCE', 'ACKNOWLEDGED']
  const table = rows.length === 0 ? '' : formatTable([headings, ...rows], '  ')
  const notes = reports.map((report) => noteOf(report, nameOf(report))).join('')
  return `${printable(dir)}\n${table === '' && notes === '' ? '  no drift\n' : table + notes}`
}

/** What the rows do not say of a member; empty if they say all. */
function noteOf({ total, asOf, isListed, items }: MemberDriftReport, name: string): string {
  const when = asOf === null ? '' : ` as of ${shortTime(asOf)}`
  const node = `  ${printable(name)}:`
  if (!isListed && total > 0) return `${node} ${formatCount(total, 'path')}${when}, not reported one by one\n`
  if (total === 0) return asOf === null ? '' : `${node} no drift${when}, not connected\n`
  return total > items.length ? `${node} and ${total - items.length} more${when}\n` : ''
}

function whatOf({ kinds, restores }: MemberDriftItem): string {
  const what = kinds.join(', ')
  return restores === 0 ? what : `${what} (put back ${formatCount(restores, 'time')})`
}

function whyOf({ acknowledgement: word }: MemberDriftItem): string {
  return word === null ? '-' : `${word.reason} (until ${shortTime(word.until)})`
}
