// A limit in words: how much, who says so unless that is the configuration, and until when.
import type { HeldLimitReport, LimitsReport } from '../control/schema-limits.js'
import { formatBytes, shortTime } from './text.js'

/** "200.0 KiB/s by the schedule until 2026-11-22T18:00:00Z", "no limit". */
export function limitWords({ rate, by, until }: HeldLimitReport): string {
  const who = by === 'configuration' ? '' : by === 'set' ? ', set by hand' : ' by the schedule'
  return `${rate === 0 ? 'no limit' : `${formatBytes(rate)}/s`}${who}${until === null ? '' : ` until ${shortTime(until)}`}`
}

/** For a status: what holds for all shares, or for the one at `share`; undefined where nothing limits it. */
export function limitsLine(limits: LimitsReport | undefined, share?: number): string | undefined {
  const held = share === undefined ? limits?.held : limits?.shares?.find((each) => each.share === share)
  if (held === undefined) return undefined
  const told = (['download', 'upload'] as const)
    .filter(
      (direction) =>
        held[direction].rate > 0 || held[direction].by !== 'configuration' || held[direction].until !== null,
    )
    .map((direction) => `${direction} ${limitWords(held[direction])}`)
  return told.length === 0 ? undefined : told.join('; ')
}
