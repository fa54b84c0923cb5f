// shoal members: who is in the shares and how far each is, as text. What it says keeps to section 10 of the design: "in
// sync" only of one that has answered just now, and of one that cannot be reached, since when.
import type { MemberStanding, MembersReport, RemovedMemberReport } from '../control/schema-members.js'
import { askMembers } from '../control/wait.js'
import { ShoalError } from '../core/error.js'
import { parseHead } from '../core/head.js'
import { connect, isNamed, type JsonOption } from './daemon-commands.js'
import type { CliIo } from './io.js'
import { formatBytes, formatCount, formatJson, formatTable, printable, shortTime } from './text.js'

/** How long members get to answer, and those at least who are not connected here. */
const ANSWER_MS = 3000
const THROUGH_OTHERS_MS = 700

export async function membersCommand(io: CliIo, configFile: string, { json }: JsonOption): Promise<number> {
  const { client } = await connect(configFile)
  const reports = await askMembers(client, { timeoutMs: ANSWER_MS, quietMs: THROUGH_OTHERS_MS })
  io.out(json === true ? formatJson(reports) : formatMembers(reports))
  return 0
}

/** Removes a member that cannot be reached, named by name or by the start of its id. */
export async function removeMemberCommand(
  io: CliIo,
  configFile: string,
  named: string,
  { json }: JsonOption,
): Promise<number> {
  const { client } = await connect(configFile)
  const reports = await askMembers(client, { timeoutMs: ANSWER_MS, quietMs: THROUGH_OTHERS_MS })
  const { device } = unreachableMember(
    reports.flatMap(({ members }) => members),
    named,
  )
  const report = await client.removeMember({ device })
  io.out(json === true ? formatJson(report) : formatRemoved(report))
  return 0
}

/** A table for each folder. */
export function formatMembers(reports: readonly MembersReport[]): string {
  return reports
    .map((report) => {
      const { dir, members, name, device, grade, head } = report
      const own = [
        name,
        device.slice(0, 8),
        grade,
        `${ownState(report)} (this device)`,
        recordsOf(head),
        'now',
      ]
      const rows = members.map((member) => [
        member.name,
        member.device.slice(0, 8),
        member.grade,
        stateOf(member),
        // What a member who reads has read, a blind device cannot tell.
        grade === 'blind' && member.grade !== 'blind' ? '-' : recordsOf(member.head),
        member.unreachableSince === null ? 'now' : seenText(member.lastSeen),
      ])
      const headings = ['MEMBER', 'DEVICE', 'GRADE', 'STATE', 'HEAD', 'LAST SEEN']
      const table = formatTable([headings, own, ...rows], '  ')
      return `${printable(dir)}\n  head  ${head}\n${table}`
    })
    .join('\n')
}

function seenText(lastSeen: string | null): string {
  return lastSeen === null ? 'never' : shortTime(lastSeen)
}

function ownState({ haltReason, standing, needFiles, drift }: MembersReport): string {
  if (haltReason !== null) return 'halted'
  if (standing === 'unread') return 'cannot read some of its disk'
  if (drift > 0) return `${formatCount(drift, 'change')} of its own`
  if (needFiles > 0) return `${formatCount(needFiles, 'path')} to do`
  return standing === 'working' ? 'looks at its disk' : standing === 'at-rest' ? 'at rest' : standing
}

/** How far a member is, by its newest signed state and by what it has answered. */
export function stateOf(member: MemberStanding): string {
  const { confirmed, answered, unreachableSince, expired, drift, needFiles, needBytes, behind, ahead } =
    member
  const { grade, unreadable, lastSeen } = member
  if (unreachableSince !== null && lastSeen === null && !expired)
    return `only heard of, last ${shortTime(unreachableSince)}`
  if (unreachableSince !== null)
    return `${expired ? 'expired' : 'unreachable'} since ${shortTime(unreachableSince)}`
  if (confirmed) return 'in sync'
  if (answered === null) return 'has not answered'
  if (unreadable) return 'holds what this blind device cannot tell'
  if (answered === 'halted' || answered === 'paused') return answered
  if (answered === 'unread') return 'cannot read some of its disk'
  if (drift > 0) return `${formatCount(drift, 'change')} of its own`
  if (needFiles > 0)
    return `${formatCount(needFiles, grade === 'blind' ? 'piece' : 'path')} to do, ${formatBytes(needBytes)}`
  if (behind > 0) return `${formatCount(behind, 'record')} behind`
  if (ahead > 0) return `${formatCount(ahead, 'record')} ahead`
  return answered === 'working' ? 'looks at its disk' : 'differs'
}

function recordsOf(head: string): string {
  const records = head === '' ? 0 : parseHead(head).view.reduce((sum, [, length]) => sum + length, 0)
  return formatCount(records, 'record')
}

function unreachableMember(members: readonly MemberStanding[], named: string): MemberStanding {
  const meant = members.filter((member) => isNamed(member, named))
  const silent = new Map(meant.filter(({ connected }) => !connected).map((one) => [one.device, one]))
  const [found, second] = silent.values()
  const quoted = printable(named)
  if (second !== undefined) {
    const ids = [...silent.keys()].map((device) => device.slice(0, 16))
    throw new ShoalError('USAGE', `several unreachable members are called ${quoted}: ${ids.join(', ')}`)
  }
  if (found?.unreachableSince === null)
    throw new ShoalError('USAGE', `cannot remove ${quoted}: it can be reached through others`)
  if (found !== undefined) return found
  if (meant.length > 0) throw new ShoalError('USAGE', `cannot remove ${quoted}: it is connected`)
  throw new ShoalError('NOT_FOUND', `no member is called ${quoted}, see shoal members`)
}

function formatRemoved({ name, device, shares }: RemovedMemberReport): string {
  const lines = shares.map(({ dir, grade, lastSeen, records, digestEqual }) => {
    const wrote =
      grade === 'write' ? `; of what it wrote, ${formatCount(records, 'record')} here, which stay` : ''
    const held = digestEqual ? 'it held the same as this device' : 'it may hold changes that nobody else has'
    return `  ${printable(dir)}: ${lastSeen === null ? 'never seen, but others told that' : `last seen ${shortTime(lastSeen)}, then`} ${held}${wrote}\n`
  })
  return (
    `removed ${printable(name)} (${device.slice(0, 16)})\n${lines.join('')}` +
    'This device does not wait for it any more; the others do until it is removed there as well.\n' +
    'It still has its secret: if it comes back it is a member again, gets all that is new, and what it changed\n' +
    'meanwhile is published. To keep somebody out, make a new share.\n'
  )
}
