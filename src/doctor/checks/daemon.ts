// The daemon of a configuration: whether it runs, and what it says of itself. Pure: facts in, findings out.
import type { MemberReport, StatusReport } from '../../control/schema.js'
import { type Finding, fail, ok, warn } from '../finding.js'
import { countText, timeText } from '../sizes.js'

export type DaemonFacts =
  | { readonly state: 'running'; readonly report: StatusReport }
  /** Nothing has the storage. */
  | { readonly state: 'stopped' }
  /** Somebody has it, and does not answer; the pid as the lock says. */
  | { readonly state: 'silent'; readonly pid: string; readonly why: string }
  /** Of another user. */
  | { readonly state: 'forbidden' }

export function checkDaemon(daemon: DaemonFacts, version: string): Finding[] {
  switch (daemon.state) {
    case 'stopped':
      return [warn('daemon', 'is not running', 'start it: shoal run CONFIG, or shoal up')]
    case 'silent':
      return [
        fail(
          'daemon',
          `process ${daemon.pid} has the storage and does not answer: ${daemon.why}`,
          `is it starting still? else see its log; if it is stuck: kill ${daemon.pid}`,
        ),
      ]
    case 'forbidden':
      return [warn('daemon', 'belongs to another user', 'run shoal doctor as that user, or as root')]
    case 'running': {
      const { pid, version: its, shares } = daemon.report
      if (its !== version)
        return [warn('daemon', `runs (process ${pid}) as shoal ${its}, and this is ${version}`, 'restart it')]
      return [ok('daemon', `runs (process ${pid}), ${countText(shares.length, 'folder')}`)]
    }
  }
}

const SHOWN = 3

/** What it says is wrong with each share. */
export function checkProblems({ shares }: StatusReport): Finding[] {
  return shares.flatMap(({ dir, state, haltReason, pausedSince, problems, conflicts, drift }) => {
    const findings: Finding[] = []
    if (pausedSince !== null)
      findings.push(
        warn('problems', `${dir} is paused since ${pausedSince}`, 'to go on: shoal resume CONFIG'),
      )
    if (state === 'halted')
      findings.push(
        fail(
          'problems',
          `${dir} is halted: ${haltReason ?? 'no reason given'}`,
          'when that is right as it is: shoal approve CONFIG',
        ),
      )
    if (problems.length > 0) {
      const first = problems
        .slice(0, SHOWN)
        .map(({ path, code, detail }) => `${path === '' ? '' : `${path}: `}${detail} (${code})`)
      const more = problems.length > SHOWN ? `; and ${problems.length - SHOWN} more` : ''
      findings.push(
        warn(
          'problems',
          `${dir}: ${countText(problems.length, 'problem')}: ${first.join('; ')}${more}`,
          'see shoal status CONFIG',
        ),
      )
    }
    if (conflicts > 0)
      findings.push(
        warn('problems', `${dir}: ${countText(conflicts, 'conflict copy')}`, 'see shoal conflicts CONFIG'),
      )
    if (drift > 0)
      findings.push(
        warn('problems', `${dir}: ${countText(drift, 'path')} changed by hand`, 'see shoal drift CONFIG'),
      )
    return findings.length > 0 ? findings : [ok('problems', `${dir}: none`)]
  })
}

/** Of the newest of two edits the time decides: a clock that is off lets old ones win. */
export function checkClocks({ shares }: StatusReport, maxTimeDiffMs: number): Finding[] {
  const members = new Map<string, MemberReport>()
  for (const share of shares)
    for (const member of share.members)
      if (member.connected && member.clockAheadMs !== null) members.set(member.device, member)
  if (members.size === 0) return []
  // 0 turns the daemon's own warning off; this is what it has unless told.
  const allowedMs = maxTimeDiffMs > 0 ? maxTimeDiffMs : 600_000
  const off = [...members.values()].filter(({ clockAheadMs }) => Math.abs(clockAheadMs!) > allowedMs)
  const todo = 'set the clock that is wrong: timedatectl set-ntp true there'
  if (off.length > 1 && off.length === members.size)
    return [
      fail(
        'clock',
        `this device's clock differs from all ${off.length} connected members', from ${off[0]!.name}'s by ${timeText(off[0]!.clockAheadMs!)}`,
        'it is rather this one that is wrong: timedatectl set-ntp true',
      ),
    ]
  if (off.length > 0)
    return off.map(({ name, clockAheadMs }) =>
      warn(
        'clock',
        `${name}'s clock is ${timeText(clockAheadMs!)} ${clockAheadMs! > 0 ? 'ahead' : 'behind'}`,
        todo,
      ),
    )
  const most = Math.max(...[...members.values()].map(({ clockAheadMs }) => Math.abs(clockAheadMs!)))
  return [ok('clock', `${countText(members.size, 'connected member')}, at most ${timeText(most)} apart`)]
}
