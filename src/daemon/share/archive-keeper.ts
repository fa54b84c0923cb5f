// Keeps a share's archive from growing for ever (`sync_trash_ttl`): removes versions that are older, at start and daily,
// a few at a time. What is old enough is judged by folder/archive-age.ts; this remembers for how long nothing was put
// into each day's folder, and sees to it that a commit and the removal are never at work in one folder together.
import { readFileSync } from 'node:fs'
import os from 'node:os'
import {
  type ArchiveLedger,
  advanceLedger,
  archiveDayEndMs,
  isDayExpired,
  NEW_LEDGER,
  noteArchiveDays,
  noteArchiveUse,
  type Uptime,
  unusedMs,
} from '../../folder/archive-age.js'
import type { Pruned, PruneTarget } from '../../folder/archive-prune.js'
import { ARCHIVE_DIR, type RootIdentity } from '../../folder/marker.js'
import type { FolderPool } from '../../folder/pool.js'
import type { Fault } from '../../folder/safefs.js'
import type { Log } from '../../ports/log.js'
import type { ProblemBook } from './problems.js'

/** How often the ledger is written and a pass may begin: what a reboot takes from the count. */
const TICK_MS = 3_600_000
const PASS_EVERY_MS = 86_400_000
const DAY_MS = 86_400_000
/** A use is written down at most this often for one day's folder; the ledger's slack of a day covers it. */
const NOTE_EVERY_MS = 600_000
/** Removed by one call, and the pause after it: some thousand a second at most, so that the disk serves others too. */
const REMOVE_AT_ONCE = 128
const PAUSE_MS = 25

export interface ArchiveKeeperOptions {
  readonly root: string
  readonly pool: Pick<FolderPool, 'listArchiveDays' | 'pruneArchive' | 'removeEmptyArchiveDirectories'>
  readonly meta: { archive: ArchiveLedger | undefined }
  readonly problems: ProblemBook
  readonly log: Log
  readonly nowMs: () => number
  /** 0: for ever. */
  readonly ttlDays: number
  readonly rootIdentity: () => RootIdentity | undefined
  /** Why nothing must be done now, or undefined. */
  readonly haltReason: () => string | undefined
  /** Tells the index which day folders are there, some rows at a time (ShareIndex.forgetArchived). */
  readonly forgetPieces: (isDayThere: (day: string) => boolean, after?: Buffer) => Buffer | undefined
  /** Default: this machine's. */
  readonly uptime?: () => Uptime
  /** Between two calls; for tests. */
  readonly pauseMs?: number
}

export class ArchiveKeeper {
  readonly #o: ArchiveKeeperOptions
  readonly #uptime: () => Uptime
  #ttlDays: number
  #ledger: ArchiveLedger
  /** Days' folders that commits are at work in, how many of them. */
  readonly #inUse = new Map<string, number>()
  /** The call under way, and whose folder it works in. */
  #call: { readonly day: string; readonly done: Promise<unknown> } | undefined
  #pass: Promise<void> | undefined
  #passedAtMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  /** Until fewer days count. */
  #lowering: NodeJS.Timeout | undefined
  #pause: { timer: NodeJS.Timeout; end: () => void } | undefined
  #stopped = false

  constructor(options: ArchiveKeeperOptions) {
    this.#o = options
    this.#uptime = options.uptime ?? machineUptime
    this.#ttlDays = options.ttlDays
    this.#ledger = advanceLedger(options.meta.archive ?? NEW_LEDGER, this.#uptime())
  }

  /** Prunes now and from now on daily. */
  start(): void {
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    this.#tick()
  }

  /**
   * From now on if more is kept, else after an hour without another change: half a number that was being typed, or a key
   * that was gone for a moment, must not cost what the whole one keeps. 0: keeps everything.
   */
  set ttlDays(days: number) {
    clearTimeout(this.#lowering)
    if (keepsMore(days, this.#ttlDays)) {
      this.#ttlDays = days
      return
    }
    this.#lowering = setTimeout(() => {
      this.#ttlDays = days
      this.#passedAtMs = Number.NEGATIVE_INFINITY
      if (this.#timer !== undefined) this.#tick()
    }, TICK_MS).unref()
  }

  /**
   * A commit of this instant is about to put things into the archive: resolves when nothing is removed from its folder,
   * and nothing will be until the returned function is called, nor for the ttl after that.
   */
  async use(atMs: number): Promise<() => void> {
    const day = archiveDay(atMs)
    this.#inUse.set(day, (this.#inUse.get(day) ?? 0) + 1)
    this.#noteUse(day)
    while (this.#call?.day === day) await this.#call.done
    return () => {
      const left = (this.#inUse.get(day) ?? 1) - 1
      if (left > 0) this.#inUse.set(day, left)
      else this.#inUse.delete(day)
      this.#noteUse(day)
    }
  }

  /** One look through the archive; ends early at stop(). Never rejects. */
  prune(): Promise<void> {
    this.#pass ??= this.#prune()
      .catch((err: unknown) => this.#o.log.warn({ err }, 'cannot look through the archive'))
      .finally(() => {
        this.#pass = undefined
      })
    return this.#pass
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    clearInterval(this.#timer)
    clearTimeout(this.#lowering)
    this.#pause?.end()
    await this.#pass
    this.#save()
  }

  #tick(): void {
    this.#save()
    if (this.#ledger.totalMs - this.#passedAtMs < PASS_EVERY_MS) return
    this.#passedAtMs = this.#ledger.totalMs
    void this.prune()
  }

  #advance(): ArchiveLedger {
    this.#ledger = advanceLedger(this.#ledger, this.#uptime())
    return this.#ledger
  }

  #save(): void {
    this.#o.meta.archive = this.#advance()
  }

  #noteUse(day: string): void {
    const known = this.#o.meta.archive?.days[day]
    this.#ledger = noteArchiveUse(this.#advance(), day)
    if (known === undefined || this.#ledger.totalMs - known >= NOTE_EVERY_MS) this.#save()
  }

  async #prune(): Promise<void> {
    const { pool, log, problems } = this.#o
    const target = this.#target()
    if (target === undefined) return
    const { days, faults } = await pool.listArchiveDays(target)
    this.#tell('', faults)
    // A folder in use may be listed a moment too early: it keeps its own note.
    const used = [...this.#inUse.keys()]
    this.#ledger = noteArchiveDays(this.#advance(), [...new Set([...days, ...used])])
    this.#save()
    let removed = 0
    for (const day of days) {
      if (!this.#mayPrune(day)) continue
      const found: Fault[] = []
      removed += await this.#pruneDay(day, found)
      this.#tell(day, found)
    }
    if (removed > 0) {
      problems.clear('archive', '')
      log.info({ removed, olderThanDays: this.#ttlDays }, 'removed old versions from the archive')
    }
    await this.#forgetPieces()
  }

  /** What lay in folders that are gone, by us or by hand, is not to be had from the archive any more (P3). */
  async #forgetPieces(): Promise<void> {
    const target = this.#target()
    if (target === undefined) return
    const sinceMs = this.#advance().totalMs
    const { days, isThere, faults } = await this.#o.pool.listArchiveDays(target)
    if (!isThere || faults.length > 0) return
    const listed = new Set(days)
    // A folder that a commit makes meanwhile is noted at its end.
    const isDayThere = (day: string): boolean =>
      archiveDayEndMs(day) === undefined ||
      listed.has(day) ||
      this.#inUse.has(day) ||
      (this.#ledger.days[day] ?? -1) >= sinceMs
    for (let after: Buffer | undefined; this.#target() !== undefined; await this.#rest()) {
      after = this.#o.forgetPieces(isDayThere, after)
      if (after === undefined) return
    }
  }

  /** Depth first; a directory is removed after all in it was looked at. */
  async #pruneDay(day: string, faults: Fault[]): Promise<number> {
    const top = `${ARCHIVE_DIR}/${day}`
    const open = [top]
    const seen: string[] = []
    let removed = 0
    while (open.length > 0 && this.#mayPrune(day)) {
      const directory = open.at(-1)!
      const pruned = await this.#pruneOnce(day, directory)
      if (pruned === undefined) return removed
      removed += pruned.removed
      faults.push(...pruned.faults)
      if (!pruned.more) {
        open.pop()
        open.push(...pruned.directories)
        seen.push(directory)
      }
      if (pruned.removed > 0) await this.#rest()
    }
    // Every directory was seen after the one it lies in.
    const target = this.#target()
    if (target === undefined || !this.#mayPrune(day)) return removed
    const call = this.#o.pool.removeEmptyArchiveDirectories({ ...target, directories: seen.reverse() })
    faults.push(...(await this.#calling(day, call)).faults)
    return removed
  }

  async #pruneOnce(day: string, directory: string): Promise<Pruned | undefined> {
    const target = this.#target()
    if (target === undefined) return undefined
    const time = this.#timeOf(day)
    return this.#calling(
      day,
      this.#o.pool.pruneArchive({ ...target, directory, time, limit: REMOVE_AT_ONCE }),
    )
  }

  async #calling<T>(day: string, done: Promise<T>): Promise<T> {
    this.#call = { day, done: done.catch(() => undefined) }
    try {
      return await done
    } finally {
      this.#call = undefined
    }
  }

  #mayPrune(day: string): boolean {
    return (
      !this.#stopped && this.#ttlDays > 0 && !this.#inUse.has(day) && isDayExpired(day, this.#timeOf(day))
    )
  }

  #timeOf(day: string): { readonly nowMs: number; readonly unusedMs: number; readonly ttlMs: number } {
    return {
      nowMs: this.#o.nowMs(),
      unusedMs: unusedMs(this.#advance(), day),
      ttlMs: this.#ttlDays * DAY_MS,
    }
  }

  #target(): PruneTarget | undefined {
    const { root, rootIdentity, haltReason } = this.#o
    const identity = rootIdentity()
    if (this.#stopped || this.#ttlDays <= 0 || haltReason() !== undefined || identity === undefined)
      return undefined
    return { root, expectRoot: { dev: identity.dev, ino: identity.ino } }
  }

  #tell(day: string, faults: readonly Fault[]): void {
    const { problems, log } = this.#o
    const path = day === '' ? ARCHIVE_DIR : `${ARCHIVE_DIR}/${day}`
    const [first] = faults
    if (first === undefined) return problems.clear('archive', path)
    problems.set('archive', path, first.code, `old versions cannot be removed: ${first.detail}`)
    log.warn({ path, count: faults.length, ...first }, 'cannot remove old versions from the archive')
  }

  async #rest(): Promise<void> {
    if (this.#stopped) return
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#pause = undefined
        resolve()
      }
      const timer = setTimeout(end, this.#o.pauseMs ?? PAUSE_MS)
      this.#pause = { timer, end }
    })
  }
}

/** Whether these days keep at least what the others keep. */
function keepsMore(days: number, others: number): boolean {
  return days === 0 || (others !== 0 && days >= others)
}

/** The archive's folder for what is put there at an instant (folder/archive.ts). */
function archiveDay(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10)
}

function machineUptime(): Uptime {
  try {
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return { bootId, uptimeMs: Math.floor(os.uptime() * 1000) }
  } catch {
    // Not told here: nothing counts as passed, and so nothing is removed.
    return { bootId: '', uptimeMs: 0 }
  }
}
