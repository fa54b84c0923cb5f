// shoal safe-to-stop: may this device be powered off? The daemon finds out afresh; here it is said to people, for each
// folder what it was decided from.
import type { StopMember, StopReason, StopReport } from '../control/schema-copies.js'
import { connect, type JsonOption } from './daemon-commands.js'
import { EXIT } from './exit.js'
import type { CliIo } from './io.js'
import { formatBytes, formatCount, formatJson, printable } from './text.js'

export interface SafeToStopOptions extends JsonOption {
  /** Seconds. */
  readonly timeout: number
}

/** Prints whether every folder may do without this device. The exit code: 1 if one may not. */
export async function safeToStopCommand(
  io: CliIo,
  configFile: string,
  { json, timeout }: SafeToStopOptions,
): Promise<number> {
  const { client } = await connect(configFile)
  const reports = await client.safeToStop({ timeoutMs: timeout * 1000 })
  const isSafe = reports.every(({ safe }) => safe)
  io.out(json === true ? formatJson({ safe: isSafe, shares: reports }) : formatStopReports(reports))
  return isSafe ? EXIT.done : EXIT.no
}

export function formatStopReports(reports: readonly StopReport[]): string {
  if (reports.length === 0) return 'safe to stop: no shared folders\n'
  const verdict = reports.every(({ safe }) => safe) ? 'safe to stop' : 'NOT safe to stop'
  return `${verdict}\n${reports.map((report) => `\n${formatReport(report)}`).join('')}`
}

function formatReport(report: StopReport): string {
  const lines = report.safe ? [enough(report)] : report.reasons.map((reason) => `- ${sayWhy(reason, report)}`)
  const left = report.members.filter(({ word }) => word !== 'counted')
  return [
    `${printable(report.dir)}: ${report.safe ? 'safe' : 'not safe'}`,
    ...lines.map((line) => `  ${line}`),
    ...left.map((member) => `  not counted: ${whoOf(member)}, ${WORDS[member.word]}`),
  ]
    .map((line) => `${line}\n`)
    .join('')
}

const WORDS: Readonly<Record<StopMember['word'], string>> = {
  counted: '',
  unreachable: 'not connected',
  silent: 'did not answer in time',
  halted: 'its folder is halted',
  paused: 'its folder is paused',
}

function enough({ held, min, offsite }: StopReport): string {
  if (held.pieces === 0) return 'nothing of it is here'
  const away = offsite === 0 ? '' : `, ${offsite} of them off-site`
  return `all ${formatBytes(held.bytes)} are on ${min} or more other devices${away}`
}

function sayWhy(reason: StopReason, report: StopReport): string {
  const { min, offsite, onlyHere, belowMin, belowOffsite } = report
  switch (reason) {
    case 'not-looked':
      return 'this disk could not be looked at in time: try again, or give it longer with --timeout'
    case 'halted':
      return 'it is halted: what was changed here may be nowhere else (shoal status says why)'
    case 'paused':
      return 'it is paused: what was changed here since is nowhere else'
    case 'unread':
      return 'some of it cannot be read here, so nobody else can have that (shoal status lists it)'
    case 'only-here':
      return `${formatBytes(onlyHere.bytes)} (${formatCount(onlyHere.pieces, 'piece')}) would be on no other device that can be reached`
    case 'below-min': {
      const pieces = belowMin.pieces - onlyHere.pieces
      const bytes = belowMin.bytes - onlyHere.bytes
      return `${formatBytes(bytes)} (${formatCount(pieces, 'piece')}) would be on fewer than ${min} devices`
    }
    case 'below-offsite':
      return `${formatBytes(belowOffsite.bytes)} (${formatCount(belowOffsite.pieces, 'piece')}) would be on fewer than ${formatCount(offsite, 'device')} off-site`
    case 'not-read':
      return notRead(report)
  }
}

/** Too few members know of all that happened here. */
function notRead({ members, min, offsite, complete }: StopReport): string {
  const behind = members.filter((member) => member.word === 'counted' && member.behind > 0)
  const who = behind.map((member) => `${whoOf(member)} lacks ${formatCount(member.behind, 'record')}`)
  const needs = complete.count < min ? `${min}` : `${offsite} off-site`
  const has = complete.count < min ? complete.count : complete.offsite
  return `${has} of ${needs} other devices know of all changes${who.length === 0 ? '' : `: ${who.join(', ')}`}`
}

function whoOf({ name, device }: StopMember): string {
  return `${printable(name)} (${device.slice(0, 8)})`
}
