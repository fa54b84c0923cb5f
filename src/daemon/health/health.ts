// GET /health and GET /ready: whether this process works at all, and whether it does what it is for. Asked by whoever would
// start it anew, or send work to it: both answer 200 or 503 and cost nothing per file. Over TCP, where no credentials are
// asked for them, they name no folder.

/** What GET /health answers with. */
export interface HealthReport {
  readonly healthy: boolean
  readonly uptimeMs: number
  /** How late the event loop was just now. */
  readonly eventLoopDelayMs: number
}

/** What GET /ready answers with. */
export interface ReadyReport {
  readonly ready: boolean
  /** Why not; empty if it is. */
  readonly reasons: readonly NotReady[]
}

export interface NotReady {
  /** starting: has no shares yet. scanning: not looked through since the start. */
  readonly code: 'starting' | 'scanning' | 'halted' | 'storage'
  /** The share's place in the configuration, from 0; null: it is about all. */
  readonly share: number | null
  /** Its folder; null also where it is not told. */
  readonly dir: string | null
  readonly detail: string
}

/** What is asked of a share; Share fits. */
export interface ReadyShare {
  readonly dir: string
  readonly hasScanned: boolean
  readonly haltReason: string | undefined
}

/** Later than this, it does nothing in time: peers are given up after 10 s without a byte. */
export const MAX_DELAY_MS = 5000
/** The index and the feeds grow by far less between two looks, and a database that cannot grow ends the daemon. */
export const MIN_STORAGE_BYTES: number = 16 << 20

/** `delayMs`: how late the event loop is. */
export function healthReport(delayMs: number, uptimeMs: number): HealthReport {
  return {
    healthy: delayMs <= MAX_DELAY_MS,
    uptimeMs: Math.round(uptimeMs),
    eventLoopDelayMs: Math.round(delayMs),
  }
}

/** `storageFault`: what is wrong with storage_path. `shares` undefined: there are none yet. */
export function readyReport(
  shares: readonly ReadyShare[] | undefined,
  storageFault: string | undefined,
  namesFolders: boolean,
): ReadyReport {
  const reasons: NotReady[] = []
  const add = (code: NotReady['code'], detail: string, at?: number): void => {
    const dir = at === undefined || !namesFolders ? null : (shares?.[at]?.dir ?? null)
    reasons.push({ code, share: at ?? null, dir, detail })
  }
  if (storageFault !== undefined) add('storage', storageFault)
  if (shares === undefined) add('starting', 'the shares are not open yet')
  for (const [at, { haltReason, hasScanned }] of (shares ?? []).entries())
    if (haltReason !== undefined)
      add('halted', namesFolders ? haltReason : 'see haltReason in shoal status', at)
    else if (!hasScanned) add('scanning', 'the folder was not looked through yet since the start', at)
  return { ready: reasons.length === 0, reasons }
}
