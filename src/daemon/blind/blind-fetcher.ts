// Fetches what is missing from the vault, in the order in which it was announced, within a budget of bytes on their way or
// in memory: small pieces in runs, where somebody serves them as such, everything else piece by piece. Only what some connected
// peer holds is asked for: of the past, much may be gone everywhere. A piece counts as here once it is durable, and not before.
import type { WriterId } from '../../core/ids.js'
import type { FetchedRun, WantedRun } from '../../exchange/exchange-types.js'
import { MAX_RUN_PIECES } from '../../exchange/runs/run-message.js'
import type { AnnouncedPiece, BlindIndex } from '../../store/blind-index.js'
import type { PieceRef } from '../../store/pieces.js'
import { VerifiedPiece } from '../../vault/verified-piece.js'
import type { ArrivedPiece, PieceExchange, SharedRoom } from '../share/piece-exchange.js'
import { Arrivals } from './arrivals.js'
import { MAX_SMALL_BYTES, type MissingRun, RunGatherer } from './missing-runs.js'
import { type Try, triesOf } from './tries.js'

/** By feed, the numbers under which peers know pieces that were stored. */
export type StoredNumbers = ReadonlyMap<WriterId, readonly number[]>

/** What fetching needs of the exchange. */
export interface BlindExchange extends PieceExchange {
  readonly hasSources: boolean
  readonly runs: {
    want(runs: readonly WantedRun[]): void
    holds(writer: WriterId, index: number): boolean
    canServe(run: WantedRun): boolean
    readonly longestBytes: number
    takeUnserved(): readonly WantedRun[]
  }
  on(event: 'pieces', listener: (batch: readonly ArrivedPiece[]) => void): unknown
  on(event: 'availability', listener: () => void): unknown
  on(
    event: 'runs',
    listener: (
      fetched: readonly (Omit<FetchedRun, 'room'> & { readonly room?: SharedRoom | undefined })[],
      refused: readonly WantedRun[],
    ) => void,
  ): unknown
}

export interface BlindFetcherOptions {
  readonly index: BlindIndex
  readonly exchange: BlindExchange
  /** Resolves when they are durable, and noted as such. */
  readonly store: (pieces: readonly VerifiedPiece[]) => Promise<StoredNumbers>
  /** They are durable now. */
  readonly onStored: (
    pieces: readonly { readonly id: Buffer; readonly length: number }[],
    numbers: StoredNumbers,
  ) => void
  readonly fail: (thrown: unknown) => void
}

/** Asked for as one: a piece, or a run of them. Over once all that is right of it is durable. */
interface Fetch {
  readonly feed: number
  /** Those of a run that came wrong are taken out. */
  pieces: readonly AnnouncedPiece[]
  /** What it takes of the budget. */
  readonly bytes: number
  /** What the exchange knows a run by; undefined: a piece by itself. */
  readonly run: WantedRun | undefined
  /** Of a piece by itself; all are asked for. */
  tries: readonly Try[]
  /** Numbers looked at for that. */
  refCount: number
  hasArrived: boolean
}

/** Asked for and not durable: the bandwidth-delay product of 1 Gbit/s over 100 ms, and what waits for the disk's sync. */
const BUDGET_BYTES = 32 << 20
/** Small pieces cost more by their number than by their bytes. */
const BUDGET_PIECES = 8192
/** Asked for a good many at a time: the other side then reads and sends a good many at a time. */
const REFILL = 0.75
/** Rows looked at before others get their turn. */
const ROWS_A_TURN = 512
/** What was asked for and has not come is looked at this often: whoever held it may be gone. */
const SWEEP_MS = 2000
/** A round through all that is missing which found nothing to ask for is not repeated sooner, however much else is heard. */
const LEAST_ROUND_MS = 200
/** Nor before this many times as long as it took. */
const ROUND_COST = 20

export class BlindFetcher {
  readonly #o: BlindFetcherOptions
  /** Pieces by themselves, by id. */
  readonly #pieces = new Map<string, Fetch>()
  readonly #runs = new Map<WantedRun, Fetch>()
  /** What is on its way or in memory, by first ref. */
  readonly #underWay = new Set<number>()
  /** In a run that nobody answered as one, by first ref: asked for by themselves next. */
  readonly #alone = new Set<number>()
  /**
   * Came wrong from somebody: by themselves until they are here. By its id a piece is not asked of that device again, and all
   * else that it holds still is; in a run it would come wrong with each connection, and have the device banned.
   */
  readonly #wrong = new Set<number>()
  #bytes = 0
  readonly #arrivals: Arrivals<Fetch>
  /** Fetches asked for and not here. */
  #awaited = 0
  readonly #sweep: NodeJS.Timeout
  #place: PieceRef | undefined
  /** Rounds through what is missing that are still to be made: the one begun, and one after what was heard last. */
  #rounds = 0
  /** Milliseconds that the round has taken so far, without what others did in between. */
  #roundCostMs = 0
  #roundAsked = 0
  #notBeforeMs = 0
  #turn: NodeJS.Immediate | NodeJS.Timeout | undefined
  #paused = false
  #stopped = false

  constructor(options: BlindFetcherOptions) {
    this.#o = options
    this.#arrivals = new Arrivals({
      store: async (pieces, by) => {
        const numbers = await options.store(pieces)
        for (const fetch of by) this.#drop(fetch)
        options.onStored(
          pieces.map(({ id, bytes }) => ({ id, length: bytes.length })),
          numbers,
        )
      },
      isMoreAwaited: () => this.#awaited > 0,
      over: () => this.#soon(),
      fail: options.fail,
    })
    options.exchange.on('pieces', (batch) => {
      for (const piece of batch) if (!this.#receive(piece)) piece.room?.leave()
      this.#arrivals.look()
    })
    options.exchange.on('runs', (fetched, refused) => {
      for (const run of fetched) if (!this.#receiveRun(run)) run.room?.leave()
      for (const run of refused) this.#part(run)
      if (refused.length > 0) this.look()
      this.#arrivals.look()
    })
    options.exchange.on('availability', () => this.look())
    this.#sweep = setInterval(() => this.#giveUp(), SWEEP_MS).unref()
  }

  /** Whether nothing that was asked for is on its way or in memory. */
  get isIdle(): boolean {
    return this.#underWay.size === 0
  }

  /** Something is missing that was not, or can be had that could not. */
  look(): void {
    this.#rounds = 2
    this.#soon()
  }

  /** Asks for nothing more until told otherwise; what was asked for is taken. */
  set isPaused(isPaused: boolean) {
    this.#paused = isPaused
    if (!isPaused) this.look()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#sweep)
    clearTurn(this.#turn)
    await this.#arrivals.stop()
  }

  #soon(): void {
    if (this.#turn !== undefined || this.#stopped || this.#paused || this.#rounds === 0) return
    if (this.#bytes >= BUDGET_BYTES * REFILL || this.#underWay.size >= BUDGET_PIECES * REFILL) return
    // A round begun before anybody holds anything would find nothing, and put off the one that does.
    if (this.#place === undefined && !this.#o.exchange.hasSources) return
    const waitMs = this.#place === undefined ? this.#notBeforeMs - performance.now() : 0
    const turn = (): void => {
      this.#turn = undefined
      this.#ask()
    }
    this.#turn = waitMs > 0 ? setTimeout(turn, waitMs).unref() : setImmediate(turn)
  }

  #ask(): void {
    const { index, exchange } = this.#o
    if (this.#stopped || this.#paused) return
    const startMs = performance.now()
    if (this.#place === undefined) {
      this.#roundCostMs = 0
      this.#roundAsked = 0
    }
    const { refs, isEnd } = index.missingAfter(this.#place, ROWS_A_TURN)
    const wanted: Fetch[] = []
    const limits = { maxBytes: exchange.runs.longestBytes, maxPieces: MAX_RUN_PIECES }
    const gatherer = new RunGatherer(limits, (run) => this.#begin(run, wanted))
    let isFull = false
    let bytes = this.#bytes
    let pieces = this.#underWay.size
    for (const ref of refs) {
      if (bytes >= BUDGET_BYTES || pieces >= BUDGET_PIECES) {
        isFull = true
        break
      }
      this.#place = ref
      const key = keyOfRef(ref)
      const piece = index.at(ref.feed, ref.index)
      const writer = index.feeds.byNumber(ref.feed)?.writer
      if (piece === undefined || writer === undefined) continue
      if (this.#underWay.has(key)) {
        this.#tryMore(piece)
        continue
      }
      const isInRuns =
        piece.length <= MAX_SMALL_BYTES &&
        !this.#alone.has(key) &&
        !this.#wrong.has(key) &&
        exchange.runs.holds(writer, ref.index)
      gatherer.add(ref.feed, piece, !isInRuns)
      bytes += piece.length
      pieces++
    }
    gatherer.end()
    const runs = wanted.flatMap(({ run }) => run ?? [])
    if (runs.length > 0) exchange.runs.want(runs)
    if (runs.length < wanted.length) exchange.want(wanted.flatMap(wantedPieces))
    this.#roundAsked += wanted.length
    this.#roundCostMs += performance.now() - startMs
    if (!isFull && isEnd) this.#endRound()
    this.#soon()
  }

  #endRound(): void {
    this.#place = undefined
    this.#rounds--
    const restMs = Math.max(LEAST_ROUND_MS, ROUND_COST * this.#roundCostMs)
    this.#notBeforeMs = this.#roundAsked > 0 ? 0 : performance.now() + restMs
  }

  /** Asks for a run if somebody serves it as such, for its pieces one by one otherwise. */
  #begin({ feed, first, pieces, bytes }: MissingRun, wanted: Fetch[]): void {
    const { index, exchange } = this.#o
    const writer = index.feeds.byNumber(feed)?.writer
    const run = writer === undefined ? undefined : { writer, first, count: pieces.length, bytes }
    if (run !== undefined && pieces.length > 1 && exchange.runs.canServe(run)) {
      const fetch = { feed, pieces, bytes, run, tries: [], refCount: 0, hasArrived: false }
      this.#runs.set(run, fetch)
      this.#note(fetch)
      wanted.push(fetch)
      return
    }
    for (const piece of pieces) {
      const key = keyOf(piece.id)
      if (this.#pieces.has(key)) continue
      const fetch: Fetch = {
        ...{ feed, pieces: [piece], bytes: piece.length, run: undefined },
        ...{ tries: triesOf(piece, index, exchange), refCount: index.refsOf(piece.id).length },
        hasArrived: false,
      }
      if (!this.#canBeHad(fetch)) continue
      this.#pieces.set(key, fetch)
      this.#note(fetch)
      wanted.push(fetch)
    }
  }

  /** Another feed may have announced since, with another length, what is asked for by itself. */
  #tryMore(piece: AnnouncedPiece): void {
    const { index, exchange } = this.#o
    const known = this.#pieces.get(keyOf(piece.id))
    if (known === undefined || known.hasArrived) return
    const { length: refCount } = index.refsOf(piece.id)
    if (known.refCount === refCount) return
    known.tries = triesOf(piece, index, exchange)
    known.refCount = refCount
    exchange.want(wantedPieces(known))
  }

  #canBeHad({ tries }: Fetch): boolean {
    return tries.some(({ refs }) => this.#o.exchange.isAvailable(refs))
  }

  #note({ feed, pieces, bytes }: Fetch): void {
    for (const { number } of pieces) this.#underWay.add(keyOfRef({ feed, index: number }))
    this.#awaited++
    this.#bytes += bytes
  }

  /** P1: nothing is taken that is not what its id says. False: nobody looks at it any more. */
  #receive({ id, bytes, from, room }: ArrivedPiece): boolean {
    const fetch = this.#pieces.get(keyOf(id))
    if (fetch === undefined || fetch.hasArrived || this.#stopped) return false
    const piece = VerifiedPiece.of(id, bytes)
    if (piece === undefined) {
      for (const { number } of fetch.pieces) this.#wrong.add(keyOfRef({ feed: fetch.feed, index: number }))
      // Asked for again, elsewhere; if the exchange has forgotten it, the next round finds it.
      if (this.#o.exchange.wrong({ id, length: bytes.length }, from) === false) {
        this.#o.exchange.unwant(fetch.tries)
        this.#drop(fetch)
        this.look()
      }
      return false
    }
    if (fetch.tries.length > 1) this.#o.exchange.unwant(fetch.tries)
    this.#take(fetch, [piece], room)
    return true
  }

  /** P1, likewise: what is right of it is taken, the rest asked for by itself. */
  #receiveRun({
    run,
    bytes,
    from,
    room,
  }: { run: WantedRun; bytes: Buffer } & Omit<ArrivedPiece, 'id'>): boolean {
    const fetch = this.#runs.get(run)
    if (fetch === undefined || fetch.hasArrived || this.#stopped) return false
    const right: VerifiedPiece[] = []
    const kept: AnnouncedPiece[] = []
    let at = 0
    for (const piece of fetch.pieces) {
      const verified = VerifiedPiece.of(piece.id, bytes.subarray(at, at + piece.length))
      at += piece.length
      if (verified !== undefined) {
        right.push(verified)
        kept.push(piece)
        continue
      }
      const key = keyOfRef({ feed: fetch.feed, index: piece.number })
      this.#wrong.add(key)
      this.#underWay.delete(key)
      this.#o.exchange.wrong(piece, from)
    }
    if (kept.length < fetch.pieces.length) this.look()
    fetch.pieces = kept
    if (right.length === 0) this.#drop(fetch)
    else this.#take(fetch, right, room)
    return right.length > 0
  }

  #take(fetch: Fetch, pieces: readonly VerifiedPiece[], room: SharedRoom | undefined): void {
    fetch.hasArrived = true
    this.#awaited--
    this.#arrivals.add(pieces, fetch, room)
  }

  #giveUp(): void {
    const { exchange } = this.#o
    const pieces = [...this.#pieces.values()].filter((fetch) => !fetch.hasArrived && !this.#canBeHad(fetch))
    // Perhaps somebody holds a part of it: the next round tells.
    const runs = exchange.runs.takeUnserved().flatMap((run) => this.#runs.get(run) ?? [])
    if (pieces.length + runs.length === 0) return
    exchange.unwant(pieces.flatMap(({ tries }) => tries))
    for (const fetch of [...pieces, ...runs]) this.#drop(fetch)
    this.#arrivals.look()
    this.look()
  }

  /** Nobody answers it as a run. */
  #part(run: WantedRun): void {
    const fetch = this.#runs.get(run)
    if (fetch === undefined) return
    for (const { number } of fetch.pieces) this.#alone.add(keyOfRef({ feed: fetch.feed, index: number }))
    this.#drop(fetch)
  }

  #drop(fetch: Fetch): void {
    const { feed, pieces, run } = fetch
    const wasThere =
      run === undefined ? pieces.some(({ id }) => this.#pieces.delete(keyOf(id))) : this.#runs.delete(run)
    if (!wasThere) return
    for (const { number } of pieces) {
      const key = keyOfRef({ feed, index: number })
      this.#underWay.delete(key)
      // Whatever was wrong with it: it is here now, or is looked at anew.
      if (run === undefined) this.#alone.delete(key)
      if (fetch.hasArrived) this.#wrong.delete(key)
    }
    this.#bytes -= fetch.bytes
    if (!fetch.hasArrived) this.#awaited--
  }
}

/** Nothing of a run. */
function wantedPieces({ tries }: Fetch): Parameters<PieceExchange['want']>[0] {
  return tries.map((each) => ({ ...each, priority: 1 }))
}

function keyOf(id: Buffer): string {
  return id.toString('latin1')
}

/** Below 2^53: feeds are numbered from 0, one for each writer. */
function keyOfRef({ feed, index }: PieceRef): number {
  return feed * 2 ** 24 + index
}

function clearTurn(turn: NodeJS.Immediate | NodeJS.Timeout | undefined): void {
  clearImmediate(turn as NodeJS.Immediate)
  clearTimeout(turn as NodeJS.Timeout)
}
