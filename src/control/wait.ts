// Waits until all are in sync, for `shoal status --wait` and for programs that embed the client: first everything that
// stands on this disk is announced (settle), then the status is asked for again and again until all agree or the time is
// up. The verdict is a pure function of a status report:
//   halted       a share does nothing until approved; waiting longer is of no use
//   behind       this device, or a member that can be reached, does not hold the newest tree yet
//   unreachable  everyone who can be reached does, but someone cannot be (section 10: never counted as up to date)
//   in-sync      this device and every enrolled member hold the same digest
// A member that has expired (peer_expiration_days) is not waited for, and named, so that nobody takes it for up to date.
import { ShoalError } from '../core/error.js'
import type { ControlClient } from './client.js'
import type { StatusReport } from './schema.js'

export interface Verdict {
  readonly type: 'in-sync' | 'behind' | 'unreachable' | 'halted'
  /** Who or what the verdict is about, for a person; empty if in sync. */
  readonly because: readonly string[]
  /** Members that the verdict says nothing of, since they have expired; for a person. */
  readonly notCounted: readonly string[]
}

export interface WaitOptions {
  readonly timeoutMs: number
  /** Between two looks at the status. */
  readonly pollMs?: number
  readonly now?: () => number
  readonly sleep?: (ms: number) => Promise<void>
}

/** A daemon that was started a moment ago may not listen yet. */
const START_GRACE_MS = 5000
/** However short the wait, the first settling gets this long. */
const LEAST_SETTLE_MS = 2000

/** What a status report says about being in sync. */
export function verdictOf({ shares }: StatusReport): Verdict {
  const halted: string[] = []
  const behind: string[] = []
  const unreachable: string[] = []
  const notCounted: string[] = []
  for (const share of shares) {
    const within = shares.length === 1 ? '' : ` in ${share.dir}`
    if (share.state === 'halted') halted.push(`${share.dir}: ${share.haltReason ?? 'no reason given'}`)
    // Somebody may resume it before the time is up.
    if (share.state === 'paused') behind.push(`this device, which is paused (shoal resume)${within}`)
    else if (share.state !== 'idle' || share.needFiles > 0 || share.needBytes > 0)
      behind.push(`this device${within}`)
    // A reader's own changes go nowhere and come from nowhere: waiting does not end them.
    if (share.drift > 0)
      behind.push(`this device, with ${counted(share.drift, 'change')} of its own (shoal drift)${within}`)
    const { acknowledged } = share.driftDetail
    if (acknowledged > 0)
      behind.push(`this device, with ${counted(acknowledged, 'acknowledged change')} of its own${within}`)
    for (const member of share.members)
      if (!member.connected)
        (member.expired ? notCounted : unreachable).push(
          `${member.name} (${member.device.slice(0, 8)})${within}`,
        )
      else if (!member.digestEqual) behind.push(`${member.name}${within}`)
  }
  if (halted.length > 0) return { type: 'halted', because: halted, notCounted }
  if (behind.length > 0) return { type: 'behind', because: behind, notCounted }
  if (unreachable.length > 0) return { type: 'unreachable', because: unreachable, notCounted }
  return { type: 'in-sync', because: [], notCounted }
}

/**
 * Waits until all are in sync, or a share is halted, or the time is up; the newest report and its verdict. Throws what
 * the client throws, except that a daemon not there yet is waited for a few seconds within the time.
 */
export async function waitForSync(
  client: ControlClient,
  options: WaitOptions,
): Promise<{ report: StatusReport; verdict: Verdict }> {
  const { timeoutMs, pollMs = 100, now = () => performance.now(), sleep = sleepFor } = options
  const start = now()
  const left = (): number => timeoutMs - (now() - start)
  const signal = AbortSignal.timeout(Math.ceil(Math.max(timeoutMs, LEAST_SETTLE_MS)))
  const settled = await settle(client, { signal, left, start, now, pollMs, sleep })
  let report = await client.status()
  for (;;) {
    const verdict = settled ? verdictOf(report) : unsettled(verdictOf(report))
    if (verdict.type === 'in-sync' || verdict.type === 'halted' || left() <= 0) return { report, verdict }
    await sleep(Math.min(pollMs, left()))
    report = await client.status()
  }
}

interface Settling {
  readonly signal: AbortSignal
  readonly left: () => number
  readonly start: number
  readonly now: () => number
  readonly pollMs: number
  readonly sleep: (ms: number) => Promise<void>
}

/** False: the time was up before everything on this disk was announced. */
async function settle(client: ControlClient, settling: Settling): Promise<boolean> {
  const { signal, left, start, now, pollMs, sleep } = settling
  for (;;)
    try {
      await client.settle({ signal })
      return true
    } catch (error) {
      if (signal.aborted) return false
      // A halted share settles when it is approved; the status says so.
      if (error instanceof ShoalError && error.code === 'SHARE_HALTED') return true
      const starting = error instanceof ShoalError && error.code === 'DAEMON_UNREACHABLE'
      if (!starting || left() <= 0 || now() - start > START_GRACE_MS) throw error
      await sleep(pollMs)
    }
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}

function unsettled(verdict: Verdict): Verdict {
  if (verdict.type === 'halted' || verdict.type === 'behind') return verdict
  return { ...verdict, type: 'behind', because: ['this device, which is still reading its disk'] }
}

function sleepFor(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
