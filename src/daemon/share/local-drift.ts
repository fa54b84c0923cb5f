// All that a reader does about its own changes besides noticing them (judge.ts): says which are undone now (policy, pace,
// acknowledgements), counts and logs what became of them, lists them, and moves extra files to the archive when told to.
// Undoing itself is the applier's: it goes by the index, and the index asks here (IndexOptions.overwriteDrift).
import type { DriftKind } from '../../core/drift.js'
import { DEFAULT_DRIFT_POLICY, type DriftPolicy, type DriftRule } from '../../core/drift-rules.js'
import { ShoalError } from '../../core/error.js'
import type { RelPath } from '../../core/path.js'
import { PathPatterns } from '../../folder/path-patterns.js'
import type { DiskRow } from '../../store/rows.js'
import type { ShareIndex } from '../../store/share-index.js'
import {
  Acknowledgements,
  type AcknowledgementsOptions,
  type SignedAcknowledgement,
  stateOf,
} from './acknowledgements.js'
import { type ArchivedExtras, ExtraRun } from './extra-run.js'
import { Restores } from './restores.js'

/** One drifted path. */
export interface DriftItem {
  readonly path: RelPath
  /** Not empty. */
  readonly kinds: readonly DriftKind[]
  /** When the path was first found to differ, milliseconds since 1970. */
  readonly sinceMs: number
  readonly policy: DriftPolicy
  /** How often in a row it was put back. */
  readonly restores: number
  /** Until when the next time waits, milliseconds since 1970; undefined: it does not. */
  readonly notBeforeMs: number | undefined
  readonly acknowledgement: SignedAcknowledgement | undefined
}

export interface DriftSummary {
  /** Paths that differ and that nobody has acknowledged. */
  readonly open: number
  readonly acknowledged: number
  /** How often changes were undone, and local changes replaced by newer versions; since the index was made. */
  readonly restored: number
  readonly replaced: number
  /** Paths that wait to be undone, and when the first one's time comes. */
  readonly waiting: number
  readonly nextRestoreMs: number | undefined
}

/** A reader's change that ended because something was put over it. */
export interface EndedDrift {
  readonly path: RelPath
  readonly row: DiskRow
  /** The share says nothing new of the path: it was put back. Else a newer version replaced the change. */
  readonly isRestore: boolean
  /** Where the local version is, relative to the archive; undefined if there was no content to keep. */
  readonly archived: string | undefined
}

export interface LocalDriftOptions extends AcknowledgementsOptions {
  readonly rules: readonly DriftRule[]
  /** What is to be done has changed: the applier and the members are to hear of it. */
  readonly onChange: () => void
  /** Throws if nothing must be changed now. */
  readonly mustRun: () => void
}

type Counts = { restored: number; replaced: number }

/** Clocks may jump and timers take no more than 24 days: looked at again at least this often. */
const MAX_WAIT_MS = 600_000
/** Holds end together, as far as nobody notices. */
const MIN_WAIT_MS = 50
/** So many held paths are looked at one by one for a status; of more, all count. */
const MAX_SURVEYED = 10_000
const COUNTS_KEY = Buffer.from('counts')

export class LocalDrift {
  readonly #o: LocalDriftOptions
  readonly #acknowledgements: Acknowledgements
  readonly #restores: Restores
  readonly #counts: { get(key: Buffer): Counts | undefined; put(key: Buffer, value: Counts): void }
  #rules: readonly { readonly patterns: PathPatterns | undefined; readonly policy: DriftPolicy }[] = []
  #index: ShareIndex | undefined
  #run: ExtraRun | undefined
  #running: Promise<unknown> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #isArming = false
  #stopped = false

  constructor(options: LocalDriftOptions) {
    this.#o = options
    this.#acknowledgements = new Acknowledgements(options)
    this.#restores = new Restores(options.database, options.prefix, options.nowMs)
    this.#counts = options.database.table<Counts>(`${options.prefix}drift`)
    this.#compile(options.rules)
  }

  /** The index is there: what an earlier run left is looked at by the rules of today. */
  start(index: ShareIndex): void {
    this.#index = index
    this.#refresh()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#run?.end('STOPPING', 'the daemon is stopping')
  }

  /** New rules, from now on. */
  setRules(rules: readonly DriftRule[]): void {
    this.#compile(rules)
    this.#restores.letGo()
    this.#refresh()
  }

  /** Whether a reader's change is to be undone now; for the index. */
  isToBeUndone(path: RelPath, row: DiskRow): boolean {
    if (this.#run?.takes(path, row) === true) return true
    if (this.policyOf(path, row) !== 'restore' || this.#acknowledgements.of(path, row) !== undefined)
      return false
    const may = this.#restores.mayRestore(path)
    if (!may) this.#arm()
    return may
  }

  policyOf(path: RelPath, { drift, applied }: DiskRow): DriftPolicy {
    const isDirectory = drift?.fact.type === 'directory' || applied.fact.type === 'directory'
    if (drift?.kinds.includes('damage') === true) return 'restore'
    const rule = this.#rules.find(
      ({ patterns }) => patterns === undefined || patterns.matches(path, isDirectory),
    )
    return rule?.policy ?? DEFAULT_DRIFT_POLICY
  }

  /** Something was put over a reader's change. Call inside the transaction that notes it. */
  noteEnded({ path, row, isRestore, archived }: EndedDrift): void {
    const { log } = this.#o
    const kinds = row.drift?.kinds
    const counts = this.#counted
    const isAsked = this.#run?.noteDone(path, archived) === true
    if (isAsked && kinds?.includes('extra') === true)
      log.info({ path, archived }, 'an extra file was moved to the archive')
    else if (isAsked) {
      // On a person's word: that is no loop, and nobody has to wait for the next time.
      this.#counts.put(COUNTS_KEY, { ...counts, restored: counts.restored + 1 })
      log.info({ path, kinds, archived }, 'a local change was undone, as asked')
    } else if (isRestore) {
      this.#restores.note(path)
      this.#counts.put(COUNTS_KEY, { ...counts, restored: counts.restored + 1 })
      log.info({ path, kinds, archived, times: this.#restores.times(path) }, 'a local change was undone')
    } else {
      this.#acknowledgements.remove(path)
      this.#counts.put(COUNTS_KEY, { ...counts, replaced: counts.replaced + 1 })
      log.warn({ path, kinds, archived }, 'a newer version replaced a local change')
    }
    this.#arm()
  }

  /** A path could not be brought to what the share says. */
  noteFailed(path: RelPath, code: string, detail: string): void {
    this.#run?.noteLeft(path, code, detail)
  }

  *items(): Generator<DriftItem> {
    for (const path of this.#index?.drifted() ?? []) {
      const item = this.item(path)
      if (item !== undefined) yield item
    }
  }

  /** Undefined if a path has no drift. */
  item(path: RelPath): DriftItem | undefined {
    const row = this.#index?.disk(path)
    if (row?.drift === undefined) return undefined
    const { kinds, sinceMs } = row.drift
    const policy = this.policyOf(path, row)
    const acknowledgement = this.#acknowledgements.of(path, row)
    const isRestored = policy === 'restore' && acknowledgement === undefined
    const notBeforeMs = isRestored ? this.#restores.held.get(path) : undefined
    const restores = this.#restores.times(path)
    return { path, kinds, sinceMs, policy, restores, notBeforeMs, acknowledgement }
  }

  /** Paths that differ, without those that are acknowledged. */
  get open(): number {
    return (this.#index?.counts.drift ?? 0) - this.#countAcknowledged()
  }

  summary(): DriftSummary {
    const { held } = this.#restores
    const isSurveyable = held.size <= MAX_SURVEYED
    let waiting = 0
    let nextRestoreMs: number | undefined
    for (const [path, untilMs] of held) {
      if (isSurveyable && !this.#isWaiting(path)) continue
      waiting++
      nextRestoreMs = Math.min(nextRestoreMs ?? untilMs, untilMs)
    }
    const acknowledged = this.#countAcknowledged()
    return { open: this.open, acknowledged, ...this.#counted, waiting, nextRestoreMs }
  }

  /** Says that the drift of a path is meant. NOT_FOUND, USAGE. */
  acknowledge(path: RelPath, reason: string, lifeMs: number): DriftItem {
    const row = this.#index?.disk(path)
    if (row?.drift === undefined) throw new ShoalError('NOT_FOUND', `there is no drift at ${path}`)
    const { value } = this.#o.database.transaction(() =>
      this.#acknowledgements.add(path, row, reason, lifeMs),
    )
    this.#o.log.info({ path, reason, until: new Date(value.untilMs).toISOString() }, 'drift was acknowledged')
    this.#refresh([path])
    return this.item(path)!
  }

  /** Takes back what was said of a path. NOT_FOUND. */
  withdraw(path: RelPath): void {
    const isThere = this.#o.database.transaction(() => this.#acknowledgements.remove(path))
    if (!isThere) throw new ShoalError('NOT_FOUND', `nobody has acknowledged drift at ${path}`)
    this.#o.log.info({ path }, 'the acknowledgement of drift was withdrawn')
    this.#refresh([path])
  }

  /**
   * Moves files that the share does not have to the archive: those at and below `paths`, or all; what is acknowledged stays
   * unless it is named itself. Each only as long as it is as it was at the call (A3). SHARE_HALTED.
   */
  archiveExtras(paths: readonly RelPath[] | undefined): Promise<ArchivedExtras> {
    return this.#inTurn((path, row) => {
      const isNamed = paths?.includes(path) === true
      if (row.drift?.kinds.includes('extra') !== true) return false
      return isNamed || (isBelow(path, paths) && !this.#isAcknowledged(path))
    })
  }

  /**
   * Brings these paths to what the share says, whatever the policy; what was there goes to the archive. Each only as long as
   * it is as it was at the call (A3). SHARE_HALTED.
   */
  restore(paths: readonly RelPath[]): Promise<ArchivedExtras> {
    return this.#inTurn((path) => paths.includes(path))
  }

  #inTurn(takes: (path: RelPath, row: DiskRow) => boolean): Promise<ArchivedExtras> {
    const mine = this.#running.then(() => this.#undo(takes))
    this.#running = mine.catch(() => undefined)
    return mine
  }

  async #undo(takes: (path: RelPath, row: DiskRow) => boolean): Promise<ArchivedExtras> {
    const index = this.#index
    this.#o.mustRun()
    if (index === undefined || this.#stopped) return { moved: [], left: [] }
    const chosen = new Map<RelPath, Buffer>()
    for (const path of index.drifted()) {
      const row = index.disk(path)
      if (row?.drift !== undefined && takes(path, row)) chosen.set(path, stateOf(path, row))
    }
    const run = new ExtraRun(chosen)
    this.#run = run
    try {
      this.#refresh(chosen.keys())
      for (const path of chosen.keys())
        if (index.step(path).type === 'none') run.noteLeft(path, 'NOT_EMPTY', 'something in it stays')
      return await run.ended
    } finally {
      this.#run = undefined
      if (!this.#stopped) this.#refresh(chosen.keys())
    }
  }

  #countAcknowledged(): number {
    let count = 0
    for (const path of this.#acknowledgements.paths) if (this.#isAcknowledged(path)) count++
    return count
  }

  /** A path may have been put right by hand while it was held. */
  #isWaiting(path: RelPath): boolean {
    return this.#index?.disk(path)?.drift !== undefined && !this.#isAcknowledged(path)
  }

  #isAcknowledged(path: RelPath): boolean {
    const row = this.#index?.disk(path)
    return row !== undefined && this.#acknowledgements.of(path, row) !== undefined
  }

  get #counted(): Counts {
    return this.#counts.get(COUNTS_KEY) ?? { restored: 0, replaced: 0 }
  }

  #compile(rules: readonly DriftRule[]): void {
    this.#rules = rules.map(({ match, policy }) => ({
      patterns: match === undefined ? undefined : new PathPatterns(match),
      policy,
    }))
  }

  #refresh(paths?: Iterable<RelPath>): void {
    const index = this.#index
    if (index === undefined) return
    index.transaction(() => index.refreshDrift(paths))
    this.#arm()
    this.#o.onChange()
  }

  /** Collected: a commit ends many at once. */
  #arm(): void {
    if (this.#isArming) return
    this.#isArming = true
    setImmediate(() => {
      this.#isArming = false
      this.#setTimer()
    })
  }

  #setTimer(): void {
    clearTimeout(this.#timer)
    const next = Math.min(this.#restores.nextMs, this.#acknowledgements.nextEndMs)
    if (this.#stopped || this.#index === undefined || next === Number.POSITIVE_INFINITY) return
    const waitMs = Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, next - this.#o.nowMs() + 1))
    this.#timer = setTimeout(() => this.#wake(), waitMs).unref()
  }

  #wake(): void {
    const { database, log } = this.#o
    const { over, due } = database.transaction(() => ({
      over: this.#acknowledgements.expire(),
      due: this.#restores.release(),
    }))
    for (const path of over) log.warn({ path }, 'the acknowledgement of drift has ended')
    if (over.length + due.length > 0) this.#refresh([...over, ...due])
    else this.#arm()
  }
}

function isBelow(path: RelPath, paths: readonly RelPath[] | undefined): boolean {
  return paths === undefined || paths.some((above) => path.startsWith(`${above}/`))
}
