// Fetches what is missing from the vault, in the order in which it was announced, within a budget of bytes on their way or
// in memory. Only what some connected peer holds is asked for: of the past, much may be gone everywhere. A piece counts as here
// once it is durable, and not before.
import type { WriterId } from '../../core/ids.js'
import type { BlindIndex } from '../../store/blind-index.js'
import type { PieceRef } from '../../store/pieces.js'
import { VerifiedPiece } from '../../vault/verified-piece.js'
import type { ArrivedPiece, PieceExchange, SharedRoom } from '../share/piece-exchange.js'
import { type Try, triesOf } from './tries.js'

/** By feed, the numbers under which peers know pieces that were stored. */
export type StoredNumbers = ReadonlyMap<WriterId, readonly number[]>

export interface BlindFetcherOptions {
  readonly index: BlindIndex
  readonly exchange: PieceExchange & { readonly hasSources: boolean }
  /** Resolves when they are durable, and noted as such. */
  readonly store: (pieces: readonly VerifiedPiece[]) => Promise<StoredNumbers>
  /** They are durable now. */
  readonly onStored: (
    pieces: readonly { readonly id: Buffer; readonly length: number }[],
    numbers: StoredNumbers,
  ) => void
  readonly fail: (thrown: unknown) => void
}

interface Fetch {
  readonly id: Buffer
  /** What it takes of the budget. */
  readonly length: number
  /** All are asked for. */
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
/** Written at once at most; the sync after it costs the same for a little as for much. */
const BATCH_BYTES = 8 << 20
/**
 * What arrives within so long is written together, unless nothing else is on its way: each write costs a sync of the pack and
 * two commits of the index. Longer would fill batches of links slower than 40 MB/s, and tell peers later what is here.
 */
const GATHER_MS = 200
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
  readonly #fetches = new Map<string, Fetch>()
  #bytes = 0
  #arrived: VerifiedPiece[] = []
  /** Where they lie, with others. */
  #rooms: SharedRoom[] = []
  #arrivedBytes = 0
  /** Asked for and not here. */
  #awaited = 0
  #gathering: NodeJS.Timeout | undefined
  /** What has arrived has waited for company long enough. */
  #isDue = false
  #writing: Promise<void> | undefined
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
    options.exchange.on('pieces', (batch) => {
      for (const piece of batch) if (!this.#receive(piece)) piece.room?.leave()
      this.#writeSoon()
    })
    options.exchange.on('availability', () => this.look())
    this.#sweep = setInterval(() => this.#giveUp(), SWEEP_MS).unref()
  }

  /** Whether nothing that was asked for is on its way or in memory. */
  get isIdle(): boolean {
    return this.#fetches.size === 0
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
    clearTimeout(this.#gathering)
    clearTurn(this.#turn)
    await this.#writing
  }

  #soon(): void {
    if (this.#turn !== undefined || this.#stopped || this.#paused || this.#rounds === 0) return
    if (this.#bytes >= BUDGET_BYTES * REFILL || this.#fetches.size >= BUDGET_PIECES * REFILL) return
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
    const { index } = this.#o
    if (this.#stopped || this.#paused) return
    const startMs = performance.now()
    if (this.#place === undefined) {
      this.#roundCostMs = 0
      this.#roundAsked = 0
    }
    const { refs, isEnd } = index.missingAfter(this.#place, ROWS_A_TURN)
    const wanted: Fetch[] = []
    let isFull = false
    for (const ref of refs) {
      if (this.#bytes >= BUDGET_BYTES || this.#fetches.size >= BUDGET_PIECES) {
        isFull = true
        break
      }
      this.#place = ref
      const fetch = this.#fetchOf(ref)
      if (fetch === undefined || !this.#canBeHad(fetch)) continue
      this.#fetches.set(keyOf(fetch.id), fetch)
      this.#awaited++
      this.#bytes += fetch.length
      wanted.push(fetch)
    }
    this.#roundAsked += wanted.length
    if (wanted.length > 0) this.#want(wanted)
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

  #fetchOf(ref: PieceRef): Fetch | undefined {
    const { index, exchange } = this.#o
    const piece = index.at(ref.feed, ref.index)
    if (piece === undefined) return undefined
    const { id, length } = piece
    const { length: refCount } = index.refsOf(id)
    const known = this.#fetches.get(keyOf(id))
    if (known === undefined)
      return { id, length, tries: triesOf(piece, index, exchange), refCount, hasArrived: false }
    if (known.hasArrived || known.refCount === refCount) return undefined
    known.tries = triesOf(piece, index, exchange)
    known.refCount = refCount
    this.#want([known])
    return undefined
  }

  #canBeHad({ tries }: Fetch): boolean {
    return tries.some(({ refs }) => this.#o.exchange.isAvailable(refs))
  }

  #want(fetches: readonly Fetch[]): void {
    this.#o.exchange.want(fetches.flatMap(({ tries }) => tries.map((each) => ({ ...each, priority: 1 }))))
  }

  /** P1: nothing is taken that is not what its id says. False: nobody looks at it any more. */
  #receive({ id, bytes, from, room }: ArrivedPiece): boolean {
    const fetch = this.#fetches.get(keyOf(id))
    if (fetch === undefined || fetch.hasArrived || this.#stopped) return false
    const piece = VerifiedPiece.of(id, bytes)
    if (piece === undefined) {
      // Asked for again, elsewhere; if the exchange has forgotten it, the next round finds it.
      if (this.#o.exchange.wrong({ id, length: bytes.length }, from) === false) {
        this.#o.exchange.unwant(fetch.tries)
        this.#drop(fetch)
      }
      return false
    }
    if (fetch.tries.length > 1) this.#o.exchange.unwant(fetch.tries)
    fetch.hasArrived = true
    this.#awaited--
    this.#arrived.push(piece)
    if (room !== undefined) this.#rooms.push(room)
    this.#arrivedBytes += bytes.length
    return true
  }

  #writeSoon(): void {
    if (this.#arrived.length === 0 || this.#stopped) return
    if (this.#isDue || this.#awaited === 0 || this.#arrivedBytes >= BATCH_BYTES) return this.#write()
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined
      this.#isDue = true
      this.#writeSoon()
    }, GATHER_MS)
  }

  #write(): void {
    if (this.#writing !== undefined) return
    clearTimeout(this.#gathering)
    this.#gathering = undefined
    this.#isDue = false
    const pieces = this.#arrived
    const rooms = this.#rooms
    this.#arrived = []
    this.#rooms = []
    this.#arrivedBytes = 0
    this.#writing = this.#o
      .store(pieces)
      .then((numbers) => {
        for (const { id } of pieces) {
          const fetch = this.#fetches.get(keyOf(id))
          if (fetch !== undefined) this.#drop(fetch)
        }
        this.#o.onStored(
          pieces.map(({ id, bytes }) => ({ id, length: bytes.length })),
          numbers,
        )
        // Not after a failure: whether a write is still under way, nobody knows.
        for (const room of rooms) room.leave()
      })
      .catch((thrown: unknown) => {
        if (!this.#stopped) this.#o.fail(thrown)
      })
      .finally(() => {
        this.#writing = undefined
        this.#writeSoon()
        this.#soon()
      })
  }

  #giveUp(): void {
    const { exchange } = this.#o
    const gone = [...this.#fetches.values()].filter((fetch) => !fetch.hasArrived && !this.#canBeHad(fetch))
    if (gone.length === 0) return
    exchange.unwant(gone.flatMap(({ tries }) => tries))
    for (const fetch of gone) this.#drop(fetch)
    this.#writeSoon()
    this.look()
  }

  #drop(fetch: Fetch): void {
    if (!this.#fetches.delete(keyOf(fetch.id))) return
    this.#bytes -= fetch.length
    if (!fetch.hasArrived) this.#awaited--
  }
}

function keyOf(id: Buffer): string {
  return id.toString('latin1')
}

function clearTurn(turn: NodeJS.Immediate | NodeJS.Timeout | undefined): void {
  clearImmediate(turn as NodeJS.Immediate)
  clearTimeout(turn as NodeJS.Timeout)
}
