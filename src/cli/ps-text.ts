// What `shoal ps` shows: the supervisor's report, with the shares that each daemon tells of on its own socket, if who asks
// may ask it.
import type { ControlClient } from '../control/client.js'
import type { InstanceReport } from '../supervisor/report.js'
import { formatBytes, formatDuration, formatTable } from './text.js'

export interface ShareState {
  readonly dir: string
  readonly state: string
  readonly haltReason: string | null
}

/** `shares` is null where the daemon could not be asked. */
export type InstanceWithShares = InstanceReport & { readonly shares: readonly ShareState[] | null }

/** A daemon that is busy answers a moment later; one that hangs must not hide the others. */
const ASK_TIMEOUT_MS = 3000

/** Asks all that run, at once. */
export async function askDaemons(
  instances: readonly InstanceReport[],
  clientOf: (storagePath: string) => Pick<ControlClient, 'status'>,
): Promise<InstanceWithShares[]> {
  return Promise.all(
    instances.map(async (instance) => {
      if (instance.state !== 'running' || instance.storagePath === null) return { ...instance, shares: null }
      const signal = AbortSignal.timeout(ASK_TIMEOUT_MS)
      const status = clientOf(instance.storagePath).status({ signal })
      // Not permitted, or gone this moment: the rest of the row is known all the same.
      const report = await status.catch(() => undefined)
      const shares = report?.shares.map(({ dir, state, haltReason }) => ({ dir, state, haltReason })) ?? null
      return { ...instance, shares }
    }),
  )
}

export function formatInstances(instances: readonly InstanceWithShares[]): string {
  if (instances.length === 0) return 'no configurations\n'
  const headings = ['NAME', 'USER', 'STATE', 'PID', 'UP', 'RESTARTS', 'PORT', 'MEMORY', 'SHARES']
  const rows = instances.map((instance) => [
    instance.name,
    instance.user ?? '-',
    stateText(instance),
    orDash(instance.pid),
    instance.uptimeSeconds === null ? '-' : formatDuration(instance.uptimeSeconds),
    String(instance.restarts),
    orDash(instance.port),
    instance.rssBytes === null ? '-' : formatBytes(instance.rssBytes),
    sharesText(instance),
  ])
  const reasons = instances.flatMap(({ name, reason }) =>
    reason === null ? [] : reason.split('\n').map((line) => [name, line]),
  )
  return formatTable([headings, ...rows]) + (reasons.length === 0 ? '' : `\n${formatTable(reasons)}`)
}

function stateText({ state, retryInSeconds }: InstanceReport): string {
  if (state === 'not-autostarted') return 'not autostarted'
  if (state === 'waiting') return `restart in ${retryInSeconds ?? 0}s`
  return state
}

/** "2 idle, 1 halted" */
function sharesText({ shares, state }: InstanceWithShares): string {
  if (shares === null) return state === 'running' ? '?' : '-'
  const counts = new Map<string, number>()
  for (const share of shares) counts.set(share.state, (counts.get(share.state) ?? 0) + 1)
  return counts.size === 0 ? 'none' : [...counts].map(([name, count]) => `${count} ${name}`).join(', ')
}

function orDash(value: number | null): string {
  return value === null ? '-' : String(value)
}
