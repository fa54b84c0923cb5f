// A status report as text for people. What it says of members keeps to section 10 of the design: "in sync" only of one
// that is connected and whose signed digest equals ours.
import type { BlindReport, MemberReport, RelayReport, ShareReport, StatusReport } from '../control/schema.js'
import { isEmptyHead } from '../core/head.js'
import { hookState } from './hooks-text.js'
import { limitsLine } from './limit-text.js'
import { formatNetwork, formatProxyState } from './network-text.js'
import { formatBytes, formatCount, formatTable, printable, shortTime } from './text.js'

/** Longer lists of problems are for --json. */
const MAX_PROBLEMS = 20

/** The whole report, each line with its line end. */
export function formatStatus(report: StatusReport): string {
  const { name, device, version, pid, network, relays = [] } = report
  const process = `${printable(name)} (${device.slice(0, 16)}), shoal ${version}, process ${pid}\n`
  const limits = limitsLine(report.limits)
  const head = [
    process,
    ...formatRefused(report.refusedConfiguration),
    ...formatAwaiting(report.awaitingRestart),
    ...(network === undefined ? [] : [`${formatNetwork(network)}\n`]),
    ...(network?.proxy === undefined ? [] : [`${formatProxyState(network.proxy)}\n`]),
    ...relays.map(formatRelay),
    ...(limits === undefined ? [] : [`limits: ${limits}\n`]),
  ].join('')
  if (report.shares.length === 0) return `${head}no shared folders\n`
  const told = report.shares.map((share, at) => `\n${formatShare(share, limitsLine(report.limits, at))}`)
  return head + told.join('')
}

function formatRefused(refused: StatusReport['refusedConfiguration']): string[] {
  if (refused === undefined) return []
  const { since, problems } = refused
  return [
    `configuration: NOT USED since ${shortTime(since)}, the settings before it stay; put it right, it is read again by itself\n`,
    ...problems.map((line) => `  ${printable(line.trim())}\n`),
  ]
}

function formatAwaiting(keys: readonly string[] = []): string[] {
  if (keys.length === 0) return []
  return [`configuration: changed, and in effect after a restart: ${keys.map(printable).join(', ')}\n`]
}

function formatRelay({ address, connected, problem, todo }: RelayReport): string {
  const state = connected ? 'connected' : 'not connected'
  const why = problem === null ? '' : `, ${printable(problem)}${todo ? `; ${printable(todo)}` : ''}`
  return `relay ${printable(address)}: ${state}${why}\n`
}

/** What is said of a member in one word or two. */
export function memberState({
  connected,
  digestEqual,
  unreadable,
  expired,
}: MemberReport): 'in sync' | 'differs' | 'unreachable' | 'expired' | 'cannot tell' {
  if (!connected) return expired ? 'expired' : 'unreachable'
  if (unreadable) return 'cannot tell'
  // Not "behind": it may be this device that lacks something, or a reader's drift that makes the difference.
  return digestEqual ? 'in sync' : 'differs'
}

function formatShare(share: ShareReport, limits?: string): string {
  const { haltReason, pausedSince, state } = share
  const paused = pausedSince === null ? undefined : `paused since ${shortTime(pausedSince)}`
  const facts: [string, string][] = [
    ...(share.added ? [['folder', 'added by shoal add, not in the configuration'] as [string, string]] : []),
    ['grade', share.grade],
    ['state', haltReason === null ? (paused ?? state) : `${state}: ${haltReason}`],
    ...(limits === undefined ? [] : [['limits', limits] as [string, string]]),
    ...(share.blind === null ? formatContent(share) : formatBlind(share.blind, share.head)),
    ['moved', `${formatBytes(share.receivedBytes)} received, ${formatBytes(share.sentBytes)} sent`],
    ...(share.blind === null ? [['digest', share.digest.slice(0, 16)] as [string, string]] : []),
    ['head', share.head],
    ...(share.blind === null ? formatOwn(share) : []),
    ...formatScrub(share),
    ...formatCopies(share),
    ['problems', String(share.problems.length)],
  ]
  return `${printable(share.dir)}\n${formatTable(facts, '  ')}${formatProblems(share)}${formatMembers(share)}`
}

function formatContent(share: ShareReport): [string, string][] {
  const isWhole = share.needFiles + share.needBytes === 0
  const whole = share.grade === 'read' && isEmptyHead(share.head) ? NOTHING_HEARD : 'nothing'
  return [
    ['content', amount(share.files, share.bytes)],
    ['missing', isWhole ? whole : amount(share.needFiles, share.needBytes)],
  ]
}

function formatOwn(share: ShareReport): [string, string][] {
  return [['conflicts', String(share.conflicts)], ...formatDrift(share), ...formatHooks(share)]
}

/** It may be a new share, a new node, or one that has lost all that it knew. */
const NOTHING_HEARD = 'not known: nothing of what is in the share was heard of yet'

/** What a blind node's vault holds. */
function formatBlind(blind: BlindReport, head: string): [string, string][] {
  // Zeros would read as if nothing were missing: so they would before anything of the share was heard.
  if (!blind.isOpen) return [['content', 'not known until the vault is open']]
  const held = pieces(blind.pieces - blind.missingPieces, blind.bytes - blind.missingBytes)
  const isWhole = blind.missingPieces === 0
  const whole = isEmptyHead(head) ? NOTHING_HEARD : 'nothing'
  const gone = pieces(blind.missingPastPieces, blind.missingPastBytes)
  const past = pieces(blind.pastPieces, blind.pastBytes)
  const dead = blind.deadBytes === 0 ? '' : `, ${formatBytes(blind.deadBytes)} of it to be reclaimed`
  return [
    ['content', `${held}, sealed`],
    ['missing', isWhole ? whole : pieces(blind.missingPieces, blind.missingBytes)],
    ['history', blind.missingPastPieces === 0 ? past : `${past}; ${gone} more are not to be had`],
    ['vault', `${formatCount(blind.packs, 'pack')}, ${formatBytes(blind.vaultBytes)}${dead}`],
  ]
}

function pieces(count: number, bytes: number): string {
  return `${formatCount(count, 'piece')}, ${formatBytes(bytes)}`
}

/** A reader's own changes; more than their number only where there is more to say. */
function formatDrift({ drift, driftDetail }: ShareReport): [string, string][] {
  const { acknowledged, restored, replaced, waiting, nextRestore } = driftDetail
  const lines: [string, string][] = [
    ['drift', acknowledged === 0 ? String(drift) : `${drift}, and ${acknowledged} acknowledged`],
  ]
  const next = nextRestore === null ? '' : `, the next at ${shortTime(nextRestore)}`
  const waits = waiting === 0 ? '' : `; ${formatCount(waiting, 'path')} held back${next}`
  if (restored + waiting > 0) lines.push(['put back', `${formatCount(restored, 'time')}${waits}`])
  if (replaced > 0) lines.push(['replaced', `${formatCount(replaced, 'local change')}, by newer versions`])
  return lines
}

/** Only where somebody looks for damage, or has found some. */
function formatScrub({ scrub, members }: ShareReport): [string, string][] {
  const others = members.filter((member) => (member.scrub?.damaged ?? 0) > 0)
  const damaged = others.map((member) => `${member.scrub!.damaged} on ${printable(member.name)}`)
  const lines: [string, string][] = []
  if (scrub !== undefined && scrub.last !== null)
    lines.push(['verified', `${shortTime(scrub.last)}, ${formatCount(scrub.damaged, 'file')} damaged now`])
  if (damaged.length > 0) lines.push(['damaged', damaged.join(', ')])
  return lines
}

/** Those that have something to do. */
function formatHooks({ hooks }: ShareReport): [string, string][] {
  const busy = hooks.filter(({ state }) => state !== 'idle')
  if (hooks.length === 0) return []
  const rest = hooks.length - busy.length
  const states = busy.map((hook) => `hook ${hook.number} ${hookState(hook)}`)
  return [['hooks', [...(rest > 0 ? [`${rest} idle`] : []), ...states].join('; ')]]
}

/** Where copies are promised. */
function formatCopies({ copies }: ShareReport): [string, string][] {
  if (copies === null) return []
  const { min, offsite, counted } = copies
  const promise = `${min} promised${offsite === 0 ? '' : `, ${offsite} off-site`}`
  if (counted === null) return [['copies', `${promise}; not counted yet`]]
  if (counted.kept) return [['copies', `${promise}; all ${formatBytes(counted.total.bytes)} have them`]]
  const { pieces, bytes } = counted.short
  const where = counted.paths.length === 0 ? '' : `, in ${counted.paths.slice(0, 2).join(', ')}`
  const of = `${formatCount(pieces, 'piece')}, ${formatBytes(bytes)} of ${formatBytes(counted.total.bytes)}`
  return [['copies', `${promise}; too few of ${of}${where}${pieces > 1 ? ' ...' : ''}`]]
}

function formatProblems({ problems }: ShareReport): string {
  const shown = problems.slice(0, MAX_PROBLEMS).map(({ path, code, detail }) => [path, code, detail])
  const more = problems.length - shown.length
  return formatTable(shown, '    ') + (more > 0 ? `    and ${more} more, see --json\n` : '')
}

function formatMembers({ members }: ShareReport): string {
  if (members.length === 0) return '  no other members\n'
  const rows = members.map((member) => [
    member.name,
    member.device.slice(0, 8),
    member.grade,
    memberState(member),
    String(member.drift),
    member.address === null ? '-' : `${member.transport} ${member.address}`,
    member.lastSeen === null ? 'never' : shortTime(member.lastSeen),
  ])
  return formatTable([['MEMBER', 'DEVICE', 'GRADE', 'STATE', 'DRIFT', 'ADDRESS', 'LAST SEEN'], ...rows], '  ')
}

function amount(files: number, bytes: number): string {
  return `${formatCount(files, 'file')}, ${formatBytes(bytes)}`
}
