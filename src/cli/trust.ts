// shoal verify and audit: what they ask the daemon, and what they print.
import type { ControlClient } from '../control/client.js'
import type {
  AuditReport,
  BlindScrubReport,
  MemberScrubReport,
  VerifyReport,
} from '../control/schema-trust.js'
import { connect, type JsonOption, shareAt } from './daemon-commands.js'
import { EXIT } from './exit.js'
import type { CliIo } from './io.js'
import type { Measure } from './progress/measure.js'
import { showProgress } from './progress/show.js'
import { oneShare } from './share-paths.js'
import { formatBytes, formatCount, formatJson, formatTable, printable, shortTime } from './text.js'

export interface VerifyOptions extends JsonOption {
  readonly status?: boolean
}

export interface AuditOptions extends JsonOption {
  readonly node: string
  /** Percent. */
  readonly confidence: number
  readonly missing: number
  readonly sample?: number
}

const LOOK_EVERY_MS = 500
const MAX_LISTED = 50

/** Has the daemon read what it holds, or tells what came of that. The exit code: 1 if there is damage. */
export async function verifyCommand(
  io: CliIo,
  configFile: string,
  dir: string | undefined,
  { status, json }: VerifyOptions,
): Promise<number> {
  const { client, config } = await connect(configFile)
  const share = dir === undefined ? undefined : shareAt(config, dir)
  const all = status === true ? await client.verified() : await verifyShown(io, client, share)
  const reports = share === undefined ? all : all.filter((report) => report.dir === config.shares[share]!.dir)
  io.out(
    json === true
      ? formatJson(reports)
      : reports.map((each) => formatVerify(each, status === true)).join('\n'),
  )
  const isDamaged = ({ open, last }: VerifyReport): boolean =>
    open.length > 0 || (status !== true && (last?.damaged ?? 0) > 0)
  return reports.some(isDamaged) ? EXIT.no : EXIT.done
}

/** Has a member audited. The exit code: that of the report. */
export async function auditCommand(
  io: CliIo,
  configFile: string,
  dir: string | undefined,
  { node, confidence, missing, sample, json }: AuditOptions,
): Promise<number> {
  const { client, config } = await connect(configFile)
  const share = oneShare(
    config.shares.map((each) => each.dir),
    dir,
  )
  const ask = { share, node, confidence: confidence / 100, part: missing / 100, sample }
  const report = await shown(
    io,
    'audit',
    () => auditsUnderWay(client, config.shares[share]!.dir),
    () => client.audit(ask),
  )
  io.out(json === true ? formatJson(report) : formatAudit(report))
  return auditExit(report)
}

/** 1: a piece was not proved; 3: the member answered nothing. */
export function auditExit({ proved, sampled, silent }: AuditReport): number {
  if (proved === sampled) return EXIT.done
  return silent === sampled ? EXIT.unreachable : EXIT.no
}

/** How far something is that the daemon does for this command; undefined: that cannot be told now. */
type Look = () => Promise<Measure | undefined>

/** Shows how far it is, while it is waited for. */
function shown<T>(io: CliIo, label: string, look: Look, work: () => Promise<T>): Promise<T> {
  if (io.progress?.isShown !== true) return work()
  return showProgress(io, label, async (progress) => {
    const update = async (): Promise<void> => {
      try {
        const measure = await look()
        if (measure !== undefined) progress.update(measure)
      } catch {
        // Not there yet, or gone: what the command itself asks says so.
      }
    }
    const timer = setInterval(() => void update(), LOOK_EVERY_MS)
    try {
      return await work()
    } finally {
      clearInterval(timer)
    }
  })
}

function verifyShown(
  io: CliIo,
  client: ControlClient,
  share: number | undefined,
): Promise<readonly VerifyReport[]> {
  let total: Promise<number> | undefined
  const look: Look = async () => {
    total ??= client.status().then(({ shares }) => shares.reduce((sum, { bytes }) => sum + bytes, 0))
    const passes = (await client.verified()).flatMap(({ pass }) => pass ?? [])
    const done = passes.reduce((sum, { bytes }) => sum + bytes, 0)
    return passes.length === 0 ? undefined : { done, total: Math.max(await total, done), unit: 'bytes' }
  }
  return shown(io, 'verify', look, () => client.verify({ share }))
}

/** Of a share. */
async function auditsUnderWay(client: ControlClient, dir: string): Promise<Measure | undefined> {
  const audit = (await client.audits()).find((each) => each.dir === dir)
  if (audit === undefined) return undefined
  const { checked, sample, name } = audit
  // Until the sample is drawn, nothing is known of its size.
  if (sample === 0) return { done: 0, unit: 'piece', detail: 'drawing the sample' }
  return { done: checked, total: sample, unit: 'piece', detail: `checked at ${printable(name)}` }
}

export function formatVerify(report: VerifyReport, withMembers: boolean): string {
  const { dir, pass, last, due, open, found, repaired, members, blindMembers = [] } = report
  // A vault has no files: pieces and blocks of feeds, a frame each.
  const what = report.grade === 'blind' ? 'frame' : 'file'
  const lines = [printable(dir)]
  if (last === null) lines.push('  not verified yet')
  else {
    const { ended, files, bytes, damaged, changed, unread } = last
    const rest = [
      ...(changed > 0 ? [`${changed} left to the next look at the disk: changed, or being written`] : []),
      ...(unread > 0 ? [`${unread} could not be read`] : []),
    ]
    lines.push(
      `  verified ${shortTime(ended)}: ${formatCount(files, what)}, ${formatBytes(bytes)} as they should be, ${damaged} damaged`,
      ...rest.map((line) => `  ${line}`),
    )
  }
  if (pass !== null)
    lines.push(`  under way: ${formatCount(pass.files, what)}, ${formatBytes(pass.bytes)} so far`)
  if (due !== null) lines.push(`  next: ${shortTime(due)}`)
  if (found > 0) lines.push(`  damaged ${what}s in all: ${found}, put right: ${repaired}`)
  if (open.length > 0)
    lines.push('  damaged now; a whole copy takes their place once a connected member has one:')
  for (const { path, since, bytes } of open.slice(0, MAX_LISTED))
    lines.push(`    ${shortTime(since)}  ${formatBytes(bytes)}  ${printable(path)}`)
  if (open.length > MAX_LISTED) lines.push(`    and ${open.length - MAX_LISTED} more`)
  const table = withMembers && members.length > 0 ? formatMembers(members) : ''
  const blind = withMembers && blindMembers.length > 0 ? formatBlind(blindMembers) : ''
  return `${lines.join('\n')}\n${table}${blind}`
}

function formatMembers(members: readonly MemberScrubReport[]): string {
  const rows = members.map(({ name, last, open, found, repaired, asOf }) => [
    printable(name),
    last === null ? 'not yet' : shortTime(last),
    `${open}`,
    `${repaired} of ${found}`,
    asOf === null ? 'now' : shortTime(asOf),
  ])
  return formatTable([['MEMBER', 'VERIFIED', 'DAMAGED', 'PUT RIGHT', 'AS OF'], ...rows], '  ')
}

/** They say what they lack, and not why: what is damaged is lacking until it is fetched again. */
function formatBlind(members: readonly BlindScrubReport[]): string {
  const rows = members.map(({ name, missingPieces, missingBytes, problems, asOf }) => [
    printable(name),
    missingPieces === 0 ? 'nothing' : `${formatCount(missingPieces, 'piece')}, ${formatBytes(missingBytes)}`,
    `${problems}`,
    asOf === null ? 'now' : shortTime(asOf),
  ])
  return formatTable([['BLIND MEMBER', 'LACKS', 'PROBLEMS', 'AS OF'], ...rows], '  ')
}

export function formatAudit(report: AuditReport): string {
  const { name, device, grade, dir, population, sampled, proved, missing, wrong, silent, unchecked } = report
  const lines = [
    `${printable(name)} (${grade}, ${device.slice(0, 8)}) was asked for ${sampled} of the ${formatCount(population, 'piece')} of ${printable(dir)}, drawn at random, each alike`,
    `  proved ${proved}, missing ${missing}, wrong ${wrong}, not answered ${silent}`,
    ...claimLines(report),
  ]
  if (unchecked > 0)
    lines.push(
      `  ${unchecked} more could not be compared: this device cannot read its own copy (shoal verify)`,
    )
  const { seconds, slowestSeconds, bytes, fetchedBytes, paths } = report
  if (proved + missing + wrong > 0)
    lines.push(
      `  ${formatBytes(bytes)} read and hashed there in ${seconds.toFixed(1)} s, the slowest answer after ${slowestSeconds.toFixed(1)} s`,
    )
  if (fetchedBytes > 0)
    lines.push(
      `  meanwhile it fetched ${formatBytes(fetchedBytes)} of content from this device: it may have answered with that`,
    )
  for (const path of paths) lines.push(`  not proved: a piece of ${printable(path)}`)
  return `${lines.join('\n')}\n`
}

/** What the sample proves, and how that was worked out. */
function claimLines(report: AuditReport): string[] {
  const { population, sampled, proved, silent, confidence, mostMissing, leastMissing } = report
  if (sampled === 0) return ['  nothing was asked for, and nothing is proved']
  if (silent === sampled)
    return [
      '  NO ANSWER: nothing is proved, and nothing is known to be missing; it is connected, and may be stuck',
    ]
  const failed = sampled - proved - silent
  if (sampled === population) {
    const known = silent > 0 ? 'none is known to be missing' : 'none is missing'
    const unanswered = silent > 0 ? `, ${silent} were not answered for` : ''
    return [`  that is all of them: ${failed === 0 ? known : `${failed} are missing`}${unanswered}`]
  }
  const sure = percent(confidence)
  const most = `${mostMissing} of them are missing (${percent(mostMissing / population)})`
  const unanswered = silent > 0 ? ', those counted that were not answered for' : ''
  if (failed > 0)
    return [
      `  ${sure} confidence that at least ${leastMissing} of them are missing (${percent(leastMissing / population)}), and ${sure} that at most ${mostMissing} are (${percent(mostMissing / population)})${unanswered}`,
      '  computed from the hypergeometric distribution: with fewer, so many misses would come about less often than that; with more, so few',
    ]
  if (silent > 0) return [`  ${sure} confidence that at most ${most}${unanswered}`]
  const bound = (mostMissing + 1) / population
  return [
    `  ${sure} confidence that less than ${percent(bound)} is missing: at most ${mostMissing} of ${population} pieces`,
    `  computed so: were ${mostMissing + 1} missing, ${sampled} drawn without replacement would hold none of them in less than ${percent(1 - confidence)} of all draws (hypergeometric)`,
  ]
}

/** Rounded up, so that nothing sounds better than it is. */
function percent(part: number): string {
  const value = part * 100
  return `${Number((value < 1 ? Math.ceil(value * 1e4 - 1e-6) / 1e4 : value).toPrecision(6))} %`
}
