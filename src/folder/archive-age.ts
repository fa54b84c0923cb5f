// When a version in the archive is old enough to go (`sync_trash_ttl`). This is the one place where Shoal deletes what a
// user once had on purpose, so every witness must agree, and whatever is in doubt stays. Pure.
//
//   G1  The day in its archive folder's name ended at least the ttl ago, by the wall clock.
//   G2  Its ctime, which its way into the archive has set, is at least the ttl ago, by the wall clock.
//   G3  For the ttl and a day, counted by a clock that nobody can set, nothing was put into its day's folder.
//
// G3 is what holds when the wall clock was wild: a machine that starts in 2001 until it has asked for the time archives
// under 2001, with a ctime of 2001, and an hour later both G1 and G2 say that this is 25 years old. The clock of G3 (the
// ledger's `totalMs`) adds up how long the machine was surely running between two looks at its uptime; what cannot be
// known, such as how long it was switched off, counts as nothing. So it never runs ahead of the true time.
import { type Retention, reachMs } from '../core/retention.js'

/** What a share remembers of time and of its archive; see G3. */
export interface ArchiveLedger {
  /** Kernel's id of the present boot when last looked; empty: unknown. */
  readonly bootId: string
  /** Since that boot, when last looked. */
  readonly uptimeMs: number
  /** Surely passed since the ledger was begun. */
  readonly totalMs: number
  /** By day folder: `totalMs` when it was last put into, or first seen. */
  readonly days: Readonly<Record<string, number>>
}

/** What the kernel says of the time since it started. */
export interface Uptime {
  readonly bootId: string
  readonly uptimeMs: number
}

const DAY_MS = 86_400_000
/** For what a ledger that was put back from a backup, or written late, does not know. */
const SLACK_MS: number = DAY_MS

export const NEW_LEDGER: ArchiveLedger = { bootId: '', uptimeMs: 0, totalMs: 0, days: {} }

/**
 * For how many days versions are kept, 0 for ever: as `sync_trash_ttl` says, or less if nothing that old is asked for by what
 * is kept of the past. A version does not tell since when it stood, so all of them are kept as far back as any snapshot is.
 */
export function archiveDays(ttlDays: number, history: Retention): number {
  const reach = Math.max(1, Math.ceil(reachMs(history) / DAY_MS))
  if (!Number.isFinite(reach)) return ttlDays
  return ttlDays === 0 ? reach : Math.min(ttlDays, reach)
}

/** The ledger now: within one boot the uptime tells how much has passed, across two nothing does. */
export function advanceLedger(ledger: ArchiveLedger, { bootId, uptimeMs }: Uptime): ArchiveLedger {
  const isSameBoot = bootId !== '' && bootId === ledger.bootId
  const passedMs = isSameBoot ? Math.max(0, uptimeMs - ledger.uptimeMs) : 0
  return { bootId, uptimeMs, totalMs: ledger.totalMs + passedMs, days: ledger.days }
}

/** Something is about to be put into a day's folder. */
export function noteArchiveUse(ledger: ArchiveLedger, day: string): ArchiveLedger {
  return { ...ledger, days: { ...ledger.days, [day]: ledger.totalMs } }
}

/** The day folders that there are: unknown ones begin to count now, those that are gone are forgotten. */
export function noteArchiveDays(ledger: ArchiveLedger, days: readonly string[]): ArchiveLedger {
  const kept = days.map((day) => [day, ledger.days[day] ?? ledger.totalMs] as const)
  return { ...ledger, days: Object.fromEntries(kept) }
}

/** For how long nothing was put into a day's folder; 0 if that is not known. */
export function unusedMs(ledger: ArchiveLedger, day: string): number {
  const usedMs = ledger.days[day]
  return usedMs === undefined ? 0 : Math.max(0, ledger.totalMs - usedMs)
}

/** Milliseconds since 1970 of the end of a day folder's day, in UTC; undefined if that is not the name of one. */
export function archiveDayEndMs(name: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(name)) return undefined
  const startMs = Date.parse(`${name}T00:00:00.000Z`)
  // Date.parse takes 31 February for the 3rd of March.
  if (!Number.isFinite(startMs) || new Date(startMs).toISOString().slice(0, 10) !== name) return undefined
  return startMs + DAY_MS
}

/** What the clocks say about one day's folder. */
export interface ArchiveTime {
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: number
  /** See unusedMs. */
  readonly unusedMs: number
  /** How long versions are kept, at least a day. */
  readonly ttlMs: number
}

/** Whether anything in a day's folder may be old enough: G1 and G3. */
export function isDayExpired(day: string, { nowMs, unusedMs: unused, ttlMs }: ArchiveTime): boolean {
  const endMs = archiveDayEndMs(day)
  // All conditions are put so that a NaN keeps the version.
  return endMs !== undefined && ttlMs >= DAY_MS && nowMs - endMs >= ttlMs && unused >= ttlMs + SLACK_MS
}

/** Whether a version in a day's folder is to go: G1, G2 and G3. */
export function isVersionExpired(day: string, ctimeMs: number, time: ArchiveTime): boolean {
  return isDayExpired(day, time) && time.nowMs - ctimeMs >= time.ttlMs
}
