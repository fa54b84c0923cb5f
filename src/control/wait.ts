// Waits until all are in sync, for `shoal status --wait` and for programs that embed the client: asks all members where they
// stand (core/inquiry.ts), and looks at what they answer until all agree or the time is up. What that means: verdict.ts.
import { ShoalError } from '../core/error.js'
import type { ControlClient } from './client.js'
import type { StatusReport } from './schema.js'
import type { MembersReport } from './schema-members.js'
import { type Goal, type Verdict, verdictOf } from './verdict.js'

export type { Goal, Verdict } from './verdict.js'

export interface WaitOptions extends Goal {
  readonly timeoutMs: number
  /** Between two looks. */
  readonly pollMs?: number
  readonly now?: () => number
  readonly sleep?: (ms: number) => Promise<void>
  /** Hears of each look. */
  readonly onLook?: (reports: readonly MembersReport[], verdict: Verdict) => void
}

/** A daemon that was started a moment ago may not listen yet. */
const START_GRACE_MS = 5000
const ASK_POLL_MS = 50
/** However short the wait, members get this long to answer. */
const LEAST_ANSWER_MS = 400

/**
 * Waits until all are in sync, or a share is halted, or the time is up; the newest report and its verdict. Throws what
 * the client throws, except that a daemon not there yet is waited for a few seconds within the time.
 */
export async function waitForSync(
  client: ControlClient,
  options: WaitOptions,
): Promise<{ report: StatusReport; members: readonly MembersReport[]; verdict: Verdict }> {
  const { timeoutMs, pollMs = 100, now = () => performance.now(), sleep = sleepFor, onLook } = options
  const start = now()
  const left = (): number => Math.max(timeoutMs, LEAST_ANSWER_MS) - (now() - start)
  const isStarting = (error: unknown): boolean =>
    isCode(error, 'DAEMON_UNREACHABLE') && timeoutMs - (now() - start) > 0 && now() - start <= START_GRACE_MS
  let inquiry: string | undefined
  for (;;) {
    let members: readonly MembersReport[]
    try {
      inquiry ??= (await client.askMembers()).inquiry
      members = await client.members({ inquiry })
    } catch (error) {
      // The daemon was started again, or began anew as another device: what it was told before, it does not know.
      const isOver = inquiry !== undefined && isCode(error, 'NOT_FOUND') && left() > 0
      if (!isOver && !isStarting(error)) throw error
      inquiry = undefined
      await sleep(pollMs)
      continue
    }
    const verdict = verdictOf(members, options)
    onLook?.(members, verdict)
    const isDone = verdict.type === 'in-sync' || verdict.type === 'halted'
    if (isDone || left() <= 0) return { report: await client.status(), members, verdict }
    await sleep(Math.max(1, Math.min(pollMs, left())))
  }
}

function isCode(error: unknown, code: ShoalError['code']): boolean {
  return error instanceof ShoalError && error.code === code
}

function sleepFor(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/**
 * Asks all members where they stand, and gives them a moment to answer: until all have said more than that they are still
 * looking, at least `quietMs` for those who are not connected and may be reached through others, at most `timeoutMs`.
 */
export async function askMembers(
  client: ControlClient,
  { timeoutMs, quietMs }: { readonly timeoutMs: number; readonly quietMs: number },
): Promise<readonly MembersReport[]> {
  const start = performance.now()
  const { inquiry } = await client.askMembers()
  for (;;) {
    const reports = await client.members({ inquiry })
    const passedMs = performance.now() - start
    const all = reports.flatMap(({ members }) => members)
    const isDone = all.every(({ answered, connected, confirmed }) =>
      answered === null ? !connected && passedMs >= quietMs : answered !== 'working' || confirmed,
    )
    if (isDone || passedMs >= timeoutMs) return reports
    await sleepFor(ASK_POLL_MS)
  }
}
