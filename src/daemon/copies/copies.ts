// Whether a share keeps its promise of copies (`copies`), counted again and again from what connected members hold. Which
// pieces the share needs is read from the index anew when that has changed, and no more often than it may cost: a share of
// half a million files that changes all the time is not read all the time (docs/decisions/0046-copies.md).
// Promises: without a promise nothing is counted; that one is broken, or kept again, is told once it was so for a while,
// as every new file is short of copies for a moment. Members that are not connected do not count.
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
  /** Monotonic milliseconds. Default: performance.now. */
  readonly clockMs?: () => number
  /** How long not to do again what has held up the event loop for so long. Default: COST_SHARE times that. */
  readonly pauseMs?: (work: 'count' | 'index', busyMs: number) => number
}

/** Counted so long after something has changed, and this often anyway. */
const SOON_MS = 1000
const EVERY_MS = 30_000
/** What is not so for so long is not told. */
const TELL_AFTER_MS = 60_000
/** Counting may hold up the event loop for one part in so many of the time, and reading the index as much again. */
const COST_SHARE = 300
/** A member that may hold more than we know is asked again after so long, if copies are short. */
const ASK_AGAIN_MS = 60_000
const ASK_TIMEOUT_MS = 20_000

export class Copies {
  readonly #o: CopiesOptions
  readonly #clockMs: () => number
  readonly #pauseMs: (work: 'count' | 'index', busyMs: number) => number
  #live: LivePieces = NO_LIVE_PIECES
  #isIndexNew = true
  /** Before these the index is not read again, and nothing is counted. */
  #walkDueMs = Number.NEGATIVE_INFINITY
  #countDueMs = Number.NEGATIVE_INFINITY
  #counted: CopiesCounted | undefined
  /** What was told, and what counts have said since when. */
  #told = true
  #seems = { isKept: true, sinceMs: Number.NEGATIVE_INFINITY }
  /** When members were asked last. */
  readonly #askedAt = new Map<DeviceId, number>()
  #busyMs = 0
  #timer: NodeJS.Timeout | undefined
  #timerMs = Number.POSITIVE_INFINITY
  #isPoked = false
  #isRunning = false
  #stopped = true

  constructor(options: CopiesOptions) {
    this.#o = options
    this.#clockMs = options.clockMs ?? (() => performance.now())
    this.#pauseMs = options.pauseMs ?? ((_, busyMs) => busyMs * COST_SHARE)
  }

  start(): void {
    this.#stopped = false
    this.poke()
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  /** The index has changed. */
  changed(): void {
    this.#isIndexNew = true
    this.poke()
  }

  /** Who is connected, what they hold or what is promised may be another. */
  poke(): void {
    if (this.#stopped || this.#o.promise() === undefined) return
    if (this.#isRunning) this.#isPoked = true
    else this.#again(SOON_MS)
  }

  /** Undefined: nothing is promised, or that was not counted yet. */
  get counted(): CopiesCounted | undefined {
    const promise = this.#o.promise()
    const of = this.#counted?.promise
    return promise?.min === of?.min && promise?.offsite === of?.offsite ? this.#counted : undefined
  }

  #again(afterMs: number): void {
    const nowMs = this.#clockMs()
    const dueMs = Math.max(nowMs + afterMs, this.#countDueMs)
    if (this.#timer !== undefined && this.#timerMs <= dueMs) return
    clearTimeout(this.#timer)
    this.#timerMs = dueMs
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      void this.#run()
    }, dueMs - nowMs).unref()
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    this.#isPoked = false
    this.#busyMs = 0
    try {
      await this.#countAndTell()
    } catch (err) {
      this.#o.log.error({ err }, 'copies cannot be counted')
    }
    this.#isRunning = false
    if (this.#stopped || this.#o.promise() === undefined) return
    this.#countDueMs = this.#clockMs() + this.#pauseMs('count', this.#busyMs)
    this.#again(this.#isPoked || this.#counted === undefined ? SOON_MS : EVERY_MS)
  }

  async #countAndTell(): Promise<void> {
    const promise = this.#o.promise()
    if (promise === undefined || !this.#o.isReady()) {
      this.#counted = undefined
      this.#seems = { isKept: true, sinceMs: Number.NEGATIVE_INFINITY }
      this.#told = true
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
    const nowMs = this.#clockMs()
    if (!this.#isIndexNew || nowMs < this.#walkDueMs) return
    this.#isIndexNew = false
    const walked = await inSlices(this.#o.walk(), () => this.#stopped)
    if (walked === undefined) return
    this.#live = walked.value
    this.#walkDueMs = nowMs + this.#pauseMs('index', walked.busyMs)
  }

  async #count(promise: CopiesPromise): Promise<CopyCounts | undefined> {
    const sinceMs = performance.now()
    const feeds = this.#o.exchange.holdings(this.#o.holdingOurs())
    const own = new Map(feeds.map((feed) => [feed.writer, feed.own]))
    const isOffsite = (device: DeviceId): boolean => this.#o.talk.last(device)?.isOffsite ?? false
    const holders: Holder[] = [
      { isOffsite: this.#o.isOffsite(), feeds: own },
      ...[...byDevice(feeds)].map(([device, held]) => ({ isOffsite: isOffsite(device), feeds: held })),
    ]
    // Of an index that has changed since, what nobody needs any more is known by what is not held here any more.
    const within = this.#isIndexNew ? own : undefined
    this.#busyMs += performance.now() - sinceMs
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
    const nowMs = this.#clockMs()
    const due = [...connected].filter((device) => {
      if (known.has(device) && talk.last(device) !== undefined) return false
      return nowMs - (this.#askedAt.get(device) ?? Number.NEGATIVE_INFINITY) >= ASK_AGAIN_MS
    })
    for (const device of due) this.#askedAt.set(device, nowMs)
    if (due.length === 0) return false
    const answers = await talk.ask({ looksFirst: false, timeoutMs: ASK_TIMEOUT_MS }, due)
    return answers.size > 0
  }

  #tell({ short }: CopyCounts): void {
    const isKept = short.pieces === 0
    const nowMs = this.#clockMs()
    if (isKept !== this.#seems.isKept) this.#seems = { isKept, sinceMs: nowMs }
    if (isKept === this.#told || nowMs - this.#seems.sinceMs < TELL_AFTER_MS) return
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
