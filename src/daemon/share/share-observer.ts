// Notes what the parts of a share do, for people who look on: collects single paths into events of batches (events.ts) and
// measures how long changes take (instruments.ts). Costs little per path and changes nothing.

import type { ShareState } from '../../control/schema.js'
import { EVENT_PATHS, type EventFact } from '../../control/schema-events.js'
import { isConflictCopy, originalOf } from '../../core/conflict.js'
import type { Entry } from '../../core/entry.js'
import type { RelPath } from '../../core/path.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { NoteEvent } from '../events.js'
import { Instruments } from '../instruments.js'
import type { Problem } from './problems.js'

/** Paths are collected for so long. */
const GATHER_MS = 250
/** Something is under way: whether it has ended is looked at after so long, the first time and at most. */
const WATCH_MS = 1000
const MAX_WATCH_MS = 16_000
/** What ends by something that pokes. */
const AT_REST: ReadonlySet<ShareState | undefined> = new Set(['idle', 'halted', 'paused'])
/** Problems told one by one of those that came or went together; of more, only how many. */
const MAX_TOLD = 20
/** Longer paths are counted and not named: a thousand events must not take up the memory. */
const MAX_NAMED = 1024
/** Entries measured at a time, of those that wait to be applied. */
const MAX_MEASURED = 2048
/** One that waits longer gives its place to another. */
const FORGOTTEN_MS = 600_000

export interface ShareObserverOptions {
  readonly note: NoteEvent
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
  /** Monotonic milliseconds. Default: performance.now. */
  readonly clockMs?: () => number
  readonly share: ObservedShare
}

/** How the share stands, whenever it is asked. */
export interface ObservedShare {
  readonly state: ShareState
  /** Conflict copies in the tree. */
  readonly copies: ReadonlySet<RelPath>
  /** How many paths of a reader differ from the share, and how many of them nobody has acknowledged. */
  readonly driftCount: number
  readonly openDrift: number
  /** Those paths, the newest last. */
  drifted(): readonly RelPath[]
  /** Whether something is to be done at a path. */
  isWanted(path: RelPath): boolean
}

/** Paths that one event tells of. */
interface Batch {
  count: number
  readonly paths: string[]
  /** Named where there is room: directories change with whatever changes in them, and no content came. */
  readonly others: string[]
}

interface Measured {
  readonly heardMs: number
  /** When the change was published, by the clock of the device that did. */
  readonly changedMs: number
  readonly origin: string
}

export class ShareObserver {
  readonly instruments: Instruments = new Instruments()
  readonly #o: ShareObserverOptions
  readonly #clockMs: () => number
  /** By the device that has changed them; null: this one. */
  readonly #changed = new Map<string | null, Batch>()
  #applied: (Batch & { bytes: number }) | undefined
  readonly #problems = new Map<string, { readonly problem: Problem; readonly isThere: boolean }>()
  readonly #measured = new Map<RelPath, Measured>()
  readonly #copiesTold = new Set<RelPath>()
  readonly #copiesSeen = new Set<RelPath>()
  /** Changes from before are no measure of how fast this node is. */
  readonly #startedMs: number
  #drifted = 0
  #state: ShareState | undefined
  #timer: NodeJS.Timeout | undefined
  #dueMs = 0
  #watchMs = WATCH_MS
  #stopped = false

  constructor(options: ShareObserverOptions) {
    this.#o = options
    this.#clockMs = options.clockMs ?? (() => performance.now())
    this.#startedMs = options.nowMs()
  }

  /** All is there to be looked at: what is so already is nothing new. */
  start(): void {
    const { state, copies, driftCount } = this.#o.share
    this.#state = state
    for (const copy of copies) this.#copiesTold.add(copy)
    this.#drifted = driftCount
    this.poke()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#state !== undefined) this.#tell()
  }

  /** Tells of something at once; the state may be another, too. */
  note(fact: EventFact): void {
    this.#o.note(fact)
    this.poke()
  }

  /** The state may be another. */
  poke(): void {
    this.#watchMs = WATCH_MS
    this.#soon(GATHER_MS)
  }

  /** Another device's entries were taken over, which it published at `atMs` by its clock. */
  taken(origin: string, entries: readonly Entry[], atMs: number): void {
    for (const { path, type } of entries) {
      this.#add(this.#changedBy(origin), path, type === 'directory')
      this.#seeCopy(path)
      this.#measure(path, origin, atMs)
    }
    this.poke()
  }

  /** A change found on this disk was published. */
  published(path: RelPath, isDirectory: boolean): void {
    this.#add(this.#changedBy(null), path, isDirectory)
    this.#seeCopy(path)
    this.poke()
  }

  /** A path was brought to what the share says; `bytes` of content were written. */
  applied(path: RelPath, bytes: number): void {
    this.#applied ??= { count: 0, paths: [], others: [], bytes: 0 }
    this.#add(this.#applied, path, bytes === 0)
    this.#applied.bytes += bytes
    this.#seeCopy(path)
    const measured = this.#measured.get(path)
    if (measured !== undefined) {
      this.#measured.delete(path)
      this.instruments.applyLatency.add(this.#clockMs() - measured.heardMs)
      if (measured.changedMs >= this.#startedMs)
        this.instruments.changeApplied(measured.origin, this.#o.nowMs() - measured.changedMs)
    }
    this.poke()
  }

  /** A problem came, changed, or has gone. */
  problem(problem: Problem, isThere: boolean): void {
    const key = `${problem.code}\0${problem.path}`
    const before = this.#problems.get(key)
    // What came and went again meanwhile is not worth a word.
    if (before !== undefined && before.isThere !== isThere) this.#problems.delete(key)
    else this.#problems.set(key, { problem, isThere })
    this.poke()
  }

  /** A look at the whole tree has ended. */
  fullScan(durationMs: number): void {
    this.instruments.fullScans.add(durationMs)
    this.poke()
  }

  #seeCopy(path: RelPath): void {
    if (isConflictCopy(path)) this.#copiesSeen.add(path)
  }

  #changedBy(origin: string | null): Batch {
    let batch = this.#changed.get(origin)
    if (batch === undefined) {
      batch = { count: 0, paths: [], others: [] }
      this.#changed.set(origin, batch)
    }
    return batch
  }

  #add(batch: Batch, path: RelPath, isOther: boolean): void {
    batch.count++
    const list = isOther ? batch.others : batch.paths
    if (list.length < EVENT_PATHS && path.length <= MAX_NAMED) list.push(path)
  }

  #measure(path: RelPath, origin: string, changedMs: number): void {
    if (this.#measured.size >= MAX_MEASURED) {
      const [oldest, { heardMs }] = this.#measured.entries().next().value!
      if (this.#clockMs() - heardMs < FORGOTTEN_MS) return
      this.#measured.delete(oldest)
    }
    const before = this.#measured.get(path)
    if (!this.#o.share.isWanted(path)) return
    // Overtaken before it was applied: the wait began with the first.
    this.#measured.set(path, { heardMs: before?.heardMs ?? this.#clockMs(), changedMs, origin })
  }

  #soon(delayMs: number): void {
    if (this.#stopped || this.#state === undefined) return
    const dueMs = this.#clockMs() + delayMs
    if (this.#timer !== undefined && this.#dueMs <= dueMs) return
    clearTimeout(this.#timer)
    this.#dueMs = dueMs
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#tell()
      if (AT_REST.has(this.#state)) return
      this.#soon(this.#watchMs)
      this.#watchMs = Math.min(MAX_WATCH_MS, 2 * this.#watchMs)
    }, delayMs).unref()
  }

  #tell(): void {
    const { note, share } = this.#o
    for (const [from, batch] of this.#changed) note({ type: 'changed', ...namesOf(batch), from })
    this.#changed.clear()
    if (this.#applied !== undefined)
      note({ type: 'applied', ...namesOf(this.#applied), bytes: this.#applied.bytes })
    this.#applied = undefined
    this.#tellCopies()
    this.#tellDrift()
    this.#tellProblems()
    const { state } = share
    if (state !== this.#state) note({ type: 'state', state, before: this.#state! })
    this.#state = state
  }

  #tellCopies(): void {
    const { copies } = this.#o.share
    for (const copy of this.#copiesSeen) {
      if (!copies.has(copy)) this.#copiesTold.delete(copy)
      else if (!this.#copiesTold.has(copy)) {
        this.#copiesTold.add(copy)
        this.#o.note({ type: 'conflict', path: originalOf(copy), copy })
      }
    }
    this.#copiesSeen.clear()
  }

  #tellDrift(): void {
    const { driftCount, openDrift } = this.#o.share
    const more = driftCount - this.#drifted
    this.#drifted = driftCount
    if (more <= 0) return
    const paths = this.#o.share.drifted().slice(-Math.min(more, EVENT_PATHS))
    this.#o.note({ type: 'drift', count: more, paths, open: openDrift })
  }

  #tellProblems(): void {
    let told = 0
    let untold = 0
    for (const { problem, isThere } of this.#problems.values()) {
      const { path, code, detail } = problem
      if (told < MAX_TOLD) this.#o.note({ type: isThere ? 'problem' : 'problem-gone', path, code, detail })
      else if (isThere) untold++
      told++
    }
    this.#problems.clear()
    if (untold > 0)
      this.#o.note({ type: 'problem', path: '', code: 'MORE', detail: `${untold} more problems` })
  }
}

function namesOf({ count, paths, others }: Batch): { readonly count: number; readonly paths: string[] } {
  return { count, paths: [...paths, ...others].slice(0, EVENT_PATHS) }
}

/** What is observed of a share that runs. */
export function observed(share: {
  readonly state: ShareState
  readonly index: Pick<ShareIndex, 'conflicts' | 'counts' | 'drifted' | 'isWanted'>
  readonly drift: { readonly open: number }
}): ObservedShare {
  return {
    get state() {
      return share.state
    },
    get copies() {
      return share.index.conflicts.copies
    },
    get driftCount() {
      return share.index.counts.drift
    },
    get openDrift() {
      return share.drift.open
    },
    drifted: () => share.index.drifted(),
    isWanted: (path) => share.index.isWanted(path),
  }
}

/** What is observed of a blind share: how it stands. It knows no paths. */
export function observedBlind(share: { readonly state: ShareState }): ObservedShare {
  return {
    get state() {
      return share.state
    },
    copies: new Set(),
    driftCount: 0,
    openDrift: 0,
    drifted: () => [],
    isWanted: () => false,
  }
}
