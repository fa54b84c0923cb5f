// Whether a share keeps its promise of copies (`copies`), counted again and again from what connected members hold. Which
// pieces the share needs is read from the index anew when that has changed, and no more often than it may cost: a share of
// half a million files that changes all the time is not read all the time (docs/decisions/0046-copies.md).
// Promises: without a promise nothing is counted; that one is broken, or kept again, is told after two counts in a row
// that agree. Members that are not connected do not count.
import { type CopiesPromise, type CopyCounts, countingCopies, type Holder } from '../../core/copies.js'
import type { FeedHoldings } from '../../core/holdings.js'
import type { DeviceId, WriterId } from '../../core/ids.js'
import { type LivePieces, NO_LIVE_PIECES } from '../../core/live-pieces.js'
import type { Log } from '../../ports/log.js'
import type { NoteEvent } from '../events.js'
import type { HoldingsTalk } from './holdings-talk.js'
import { inSlices } from './slices.js'

/** What was counted last. */
export interface CopiesCounted {
  readonly promise: CopiesPromise
  readonly counts: CopyCounts
  /** Milliseconds since 1970. */
  readonly atMs: number
}

export interface CopiesOptions {
  readonly exchange: { holdings(inSync: ReadonlySet<DeviceId>): readonly FeedHoldings[] }
  readonly talk: Pick<HoldingsTalk, 'ask' | 'last'>
  /** Finds out which pieces the share needs. */
  readonly walk: () => Generator<unknown, LivePieces>
  readonly promise: () => CopiesPromise | undefined
  /** Whether this device counts as off-site. */
  readonly isOffsite: () => boolean
  readonly peers: () => readonly { readonly device: DeviceId }[]
  /** Connected members that hold all that we hold, by what they signed. */
  readonly holdingOurs: () => ReadonlySet<DeviceId>
  /** Whether it is known what this disk holds. */
  readonly isReady: () => boolean
  readonly note: NoteEvent
  readonly nowMs: () => number
  readonly log: Log
  /** Default: EVERY_MS. */
  readonly everyMs?: number
}

/** Counted at most this often. */
const EVERY_MS = 15_000
/** Counting may hold up the event loop for one part in so many of the time, and reading the index as much again. */
const COST_SHARE = 300
/** A member that may hold more than we know is asked again after so many counts that fall short. */
const ASK_AGAIN_ROUNDS = 4
const ASK_TIMEOUT_MS = 20_000

export class Copies {
  readonly #o: CopiesOptions
  readonly #everyMs: number
  #live: LivePieces = NO_LIVE_PIECES
  #isIndexNew = true
  #walkDueMs = Number.NEGATIVE_INFINITY
  #counted: CopiesCounted | undefined
  /** What was told, and what the newest count says. */
  #told: boolean | undefined
  #seems: boolean | undefined
  /** Counts that fell short, and in which of them a member was asked last. */
  #round = 0
  readonly #askedAt = new Map<DeviceId, number>()
  #busyMs = 0
  #timer: NodeJS.Timeout | undefined
  #isRunning = false
  #stopped = true

  constructor(options: CopiesOptions) {
    this.#o = options
    this.#everyMs = options.everyMs ?? EVERY_MS
  }

  start(): void {
    this.#stopped = false
    this.#again(0)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  /** The index has changed. */
  changed(): void {
    this.#isIndexNew = true
  }

  /** Another promise may be in force. */
  adjusted(): void {
    if (!this.#stopped && !this.#isRunning) this.#again(0)
  }

  /** Undefined: nothing is promised, or that was not counted yet. */
  get counted(): CopiesCounted | undefined {
    const promise = this.#o.promise()
    const of = this.#counted?.promise
    return promise?.min === of?.min && promise?.offsite === of?.offsite ? this.#counted : undefined
  }

  #again(afterMs: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#run(), afterMs).unref()
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    this.#busyMs = 0
    try {
      await this.#countAndTell()
    } catch (err) {
      this.#o.log.error({ err }, 'copies cannot be counted')
    }
    this.#isRunning = false
    if (!this.#stopped) this.#again(Math.max(this.#everyMs, this.#busyMs * COST_SHARE))
  }

  async #countAndTell(): Promise<void> {
    const promise = this.#o.promise()
    if (promise === undefined || !this.#o.isReady()) {
      this.#counted = undefined
      this.#seems = undefined
      this.#told = undefined
      this.#live = NO_LIVE_PIECES
      this.#isIndexNew = true
      return
    }
    await this.#readIndex()
    let counts = await this.#count(promise)
    if (counts !== undefined && counts.short.pieces > 0 && (await this.#askMore()))
      counts = await this.#count(promise)
    if (counts === undefined || this.#stopped) return
    this.#counted = { promise, counts, atMs: this.#o.nowMs() }
    this.#tell(counts)
  }

  async #readIndex(): Promise<void> {
    const nowMs = performance.now()
    if (!this.#isIndexNew || nowMs < this.#walkDueMs) return
    this.#isIndexNew = false
    const walked = await inSlices(this.#o.walk(), () => this.#stopped)
    if (walked === undefined) return
    this.#live = walked.value
    this.#walkDueMs = nowMs + walked.busyMs * COST_SHARE
  }

  async #count(promise: CopiesPromise): Promise<CopyCounts | undefined> {
    const feeds = this.#o.exchange.holdings(this.#o.holdingOurs())
    const own = new Map(feeds.map((feed) => [feed.writer, feed.own]))
    const isOffsite = (device: DeviceId): boolean => this.#o.talk.last(device)?.isOffsite ?? false
    const holders: Holder[] = [
      { isOffsite: this.#o.isOffsite(), feeds: own },
      ...[...byDevice(feeds)].map(([device, held]) => ({ isOffsite: isOffsite(device), feeds: held })),
    ]
    // Of an index that has changed since, what nobody needs any more is known by what is not held here any more.
    const within = this.#isIndexNew ? own : undefined
    const counted = await inSlices(countingCopies(this.#live, holders, promise, within), () => this.#stopped)
    this.#busyMs += counted?.busyMs ?? 0
    return counted?.value
  }

  /** Asks members that may hold more than we know, or that have not said yet whether they are off-site. */
  async #askMore(): Promise<boolean> {
    const { peers, holdingOurs, talk } = this.#o
    const known = holdingOurs()
    const connected = new Set(peers().map(({ device }) => device))
    for (const device of this.#askedAt.keys()) if (!connected.has(device)) this.#askedAt.delete(device)
    this.#round++
    const due = [...connected].filter((device) => {
      if (known.has(device) && talk.last(device) !== undefined) return false
      return this.#round - (this.#askedAt.get(device) ?? Number.NEGATIVE_INFINITY) >= ASK_AGAIN_ROUNDS
    })
    for (const device of due) this.#askedAt.set(device, this.#round)
    if (due.length === 0) return false
    const answers = await talk.ask({ looksFirst: false, timeoutMs: ASK_TIMEOUT_MS }, due)
    return answers.size > 0
  }

  #tell({ short }: CopyCounts): void {
    const isKept = short.pieces === 0
    const isSure = isKept === this.#seems
    this.#seems = isKept
    // That all is well is worth a word only after it was not.
    if (!isSure || isKept === this.#told || (isKept && this.#told === undefined)) return
    this.#told = isKept
    const { pieces, bytes } = short
    this.#o.note({ type: 'copies', kept: isKept, pieces, bytes })
    this.#o.log.info({ isKept, pieces, bytes }, 'promise of copies')
  }
}

function byDevice(feeds: readonly FeedHoldings[]): Map<DeviceId, Map<WriterId, Uint8Array>> {
  const held = new Map<DeviceId, Map<WriterId, Uint8Array>>()
  for (const { writer, peers } of feeds)
    for (const [device, bits] of peers) {
      const of = held.get(device) ?? new Map<WriterId, Uint8Array>()
      held.set(device, of.set(writer, bits))
    }
  return held
}
