// Whether all are in sync, as a pure function of where everybody stands (schema-members.ts):
//   halted       a share does nothing until somebody approves it; waiting longer is of no use
//   behind       this device, or a member that can be reached, does not hold what is asked for, or has not said so
//   unreachable  everyone who can be reached does, but someone cannot be (section 10: never counted as up to date)
//   in-sync      this device and every member that counts hold it, by their answers to one inquiry
// A member that has expired (peer_expiration_days) is not waited for, and named, so that nobody takes it for up to date.
import { covers, type Head, isEmptyHead, parseHead } from '../core/head.js'
import type { MemberStanding, MembersReport } from './schema-members.js'

export interface Verdict {
  readonly type: 'in-sync' | 'behind' | 'unreachable' | 'halted'
  /** Who or what the verdict is about, for a person; empty if in sync. */
  readonly because: readonly string[]
  /** Members that the verdict says nothing of, for a person. */
  readonly notCounted: readonly string[]
}

/** What is waited for. */
export interface Goal {
  /** Hold at least what was published by then, whatever came later. Default: hold the same as this device, at rest. */
  readonly at?: Head | undefined
  /** How many members beside this device have to; default: all. */
  readonly members?: number | 'all' | undefined
}

interface Found {
  readonly halted: string[]
  readonly behind: string[]
  readonly unreachable: string[]
  readonly notCounted: string[]
}

/** What reports that were made for an inquiry say. Of no shares, nothing is in sync. */
export function verdictOf(reports: readonly MembersReport[], goal: Goal = {}): Verdict {
  const { at } = goal
  const meant = at === undefined ? reports : reports.filter(({ head }) => parseHead(head).tag === at.tag)
  const found: Found = { halted: [], behind: [], unreachable: [], notCounted: [] }
  if (meant.length === 0) found.behind.push(at === undefined ? 'no share' : 'no share that the head is of')
  for (const report of meant) lookAt(report, goal, meant.length === 1 ? '' : ` in ${report.dir}`, found)
  const { halted, behind, unreachable, notCounted } = found
  if (halted.length > 0) return { type: 'halted', because: halted, notCounted }
  // Who is away may be the only one to have what the others wait for.
  if (behind.length > 0) return { type: 'behind', because: [...behind, ...unreachable.map(away)], notCounted }
  if (unreachable.length > 0) return { type: 'unreachable', because: unreachable, notCounted }
  return { type: 'in-sync', because: [], notCounted }
}

function away(member: string): string {
  return `${member} cannot be reached`
}

function lookAt(report: MembersReport, goal: Goal, within: string, found: Found): void {
  const { haltReason, standing, dir } = report
  if (standing === 'halted') found.halted.push(`${dir}: ${haltReason ?? 'no reason given'}`)
  for (const reason of ownReasons(report, goal)) found.behind.push(`${reason}${within}`)
  const behind: string[] = []
  const unreachable: string[] = []
  const expired: string[] = []
  let held = 0
  for (const member of report.members) {
    const id = `${member.name} (${member.device.slice(0, 8)})${within}`
    if (member.expired) expired.push(`${id}, not seen for peer_expiration_days`)
    else if (member.unreachableSince !== null) unreachable.push(id)
    else if (holds(member, goal)) held++
    else behind.push(`${member.name}${reasonOf(member)}${within}`)
  }
  found.notCounted.push(...expired)
  const wanted = goal.members ?? 'all'
  if (wanted === 'all') {
    found.behind.push(...behind)
    found.unreachable.push(...unreachable)
  } else if (held < wanted) {
    const tally = `${held} of ${wanted} members${within}`
    if (behind.length > 0) found.behind.push(tally, ...behind)
    else found.unreachable.push(tally, ...unreachable)
  } else found.notCounted.push(...behind, ...unreachable)
}

function ownReasons(report: MembersReport, { at }: Goal): string[] {
  const { needFiles, needBytes, drift, acknowledged, standing, confirmed, grade } = report
  // A reader's own changes go nowhere and come from nowhere: waiting does not end them.
  const own = [
    ...(drift > 0 ? [`this device, with ${counted(drift, 'change')} of its own (shoal drift)`] : []),
    ...(acknowledged > 0
      ? [`this device, with ${counted(acknowledged, 'acknowledged change')} of its own`]
      : []),
  ]
  // Somebody may resume it before the time is up.
  if (standing === 'paused') return ['this device, which is paused (shoal resume)', ...own]
  const isBusy = needFiles > 0 || needBytes > 0
  if (at !== undefined) {
    const isThere = covers(parseHead(report.head).view, at.view) && !isBusy
    return isThere ? own : ['this device', ...own]
  }
  if (standing === 'unread') return ['this device, which cannot read some of its disk (shoal status)', ...own]
  if (confirmed && !isBusy) return own
  const isNew = grade !== 'write' && isEmptyHead(report.head)
  // A blind node has no head before its vault is open, however much lies there.
  const orClosed = grade === 'blind' ? ', or has not opened its vault' : ''
  const why = isNew ? `which has read nothing of the share yet${orClosed}` : 'which is still reading its disk'
  return [`this device${isBusy ? '' : `, ${why}`}`, ...own]
}

function holds(member: MemberStanding, { at }: Goal): boolean {
  if (at === undefined) return member.confirmed
  const { answered, scanned, needFiles, needBytes, drift, head } = member
  // The state says what it held; the answer, that it is there to hold it.
  const isHeld = scanned && needFiles === 0 && needBytes === 0 && drift === 0
  return answered !== null && isHeld && covers(parseHead(head).view, at.view)
}

function reasonOf({ answered, drift, behind, needFiles, grade, unreadable }: MemberStanding): string {
  if (unreadable) return ' (this device is blind and cannot tell what it holds)'
  if (answered === null) return ' (has not answered)'
  if (answered === 'halted' || answered === 'paused') return ` (${answered})`
  if (answered === 'unread') return ' (cannot read some of its disk)'
  if (drift > 0) return ` (${counted(drift, 'change')} of its own)`
  if (needFiles > 0) return ` (${counted(needFiles, grade === 'blind' ? 'piece' : 'path')} to do)`
  return behind > 0 ? ` (${counted(behind, 'record')} behind)` : ''
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
