// What the configuration says of members that are long gone or whose clocks are off (`peer_expiration_days`,
// `sync_max_time_diff`). Both only change what is told: an expired member is a member when it is heard of again, and
// files sync whatever the clocks say, for no decision about them reads a clock (V7). Pure.
import type { Problem } from './share/problems.js'

/** Config has these. */
export interface MemberLimits {
  /** 0: never. */
  readonly peerExpirationDays: number
  /** 0: clocks are not looked at. */
  readonly maxTimeDiffMs: number
}

/** SharePeer has these. */
export interface ClockedPeer {
  readonly device: string
  readonly name: string
  readonly connectedAtMs: number
  readonly clockAheadMs: number | undefined
}

const DAY_MS = 86_400_000

/** Whether a member that is not connected was last seen so long ago; never if that was in the future. */
export function isExpired(lastSeenMs: number, nowMs: number, peerExpirationDays: number): boolean {
  return peerExpirationDays > 0 && nowMs - lastSeenMs >= peerExpirationDays * DAY_MS
}

/** One problem for each connected member whose clock is further off than allowed. */
export function clockProblems(peers: readonly ClockedPeer[], maxTimeDiffMs: number): Problem[] {
  if (maxTimeDiffMs <= 0) return []
  return peers.flatMap(({ device, name, connectedAtMs, clockAheadMs }) => {
    if (clockAheadMs === undefined || Math.abs(clockAheadMs) <= maxTimeDiffMs) return []
    const off = `${duration(Math.abs(clockAheadMs))} ${clockAheadMs > 0 ? 'ahead of' : 'behind'} this device's`
    const allowed = `sync_max_time_diff is ${duration(maxTimeDiffMs)}`
    const detail = `the clock of ${name} (${device.slice(0, 8)}) is ${off}; ${allowed}. Files sync all the same`
    return [{ path: '', code: 'CLOCK_DIFFERS', detail, sinceMs: connectedAtMs }]
  })
}

/** "3 d 2 h", "12 min 5 s": the two largest units. */
function duration(ms: number): string {
  const seconds = Math.round(ms / 1000)
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const
  const first = parts.findIndex(([count]) => count > 0)
  if (first < 0) return '0 s'
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0)
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ')
}
