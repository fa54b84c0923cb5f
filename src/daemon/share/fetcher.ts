// Asks the exchange for pieces that no file here holds, within a budget of bytes that may be on their way or in memory,
// small fresh changes first (X3). One piece that several files need is fetched once; an id with two lengths is two pieces.
import type { DeviceId, WriterId } from '../../core/ids.js'
import { pieceKeyOf } from '../../core/picker.js'
import type { PieceInfo } from '../../core/piece.js'
import type { PieceRef } from '../../store/pieces.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { ApplyTask, TaskPart } from './apply-task.js'
import type { ArrivedPiece, PieceExchange } from './piece-exchange.js'

/** Bytes asked for and not yet staged: the bandwidth-delay product of 1 Gbit/s over 100 ms, and a third. */
const BUDGET_BYTES = 16 << 20
const REFILL_BYTES = 12 << 20

interface Fetch {
  readonly piece: PieceInfo
  /** Whether the exchange was asked; until then it waits in a queue here. */
  isAsked: boolean
  /** Whether it waits among the fresh ones, and maybe among the others as well. */
  isFresh: boolean
  /** Taken from its queue when nobody waited for it any more. */
  isGone: boolean
  readonly waiters: { readonly task: ApplyTask; readonly part: TaskPart }[]
}

export class Fetcher {
  readonly #index: ShareIndex
  readonly #exchange: PieceExchange
  readonly #deliver: (task: ApplyTask, part: TaskPart, piece: ArrivedPiece) => void
  readonly #fetches = new Map<string, Fetch>()
  readonly #fresh: Fetch[] = []
  readonly #bulk: Fetch[] = []
  #outstanding = 0

  constructor(
    index: ShareIndex,
    exchange: PieceExchange,
    deliver: (task: ApplyTask, part: TaskPart, piece: ArrivedPiece) => void,
  ) {
    this.#index = index
    this.#exchange = exchange
    this.#deliver = deliver
    exchange.on('pieces', (batch) => {
      for (const piece of batch) this.#arrived(piece)
    })
  }

  /** Fetches a part's piece, sooner or later. Call pump() after adding some. */
  add(task: ApplyTask, part: TaskPart): void {
    const key = pieceKeyOf(part.piece)
    const known = this.#fetches.get(key)
    if (known !== undefined) {
      known.waiters.push({ task, part })
      if (!task.fresh || known.isFresh || known.isAsked) return
      known.isFresh = true
      this.#fresh.push(known)
      return
    }
    const { piece } = part
    const fetch: Fetch = {
      piece,
      isAsked: false,
      isFresh: task.fresh,
      isGone: false,
      waiters: [{ task, part }],
    }
    this.#fetches.set(key, fetch)
    if (task.fresh) this.#fresh.push(fetch)
    else this.#bulk.push(fetch)
  }

  /** Asks for as much as the budget allows. */
  pump(): void {
    const wanted = []
    for (const [queue, priority] of [
      [this.#fresh, 0],
      [this.#bulk, 1],
    ] as const) {
      // A fresh small change goes out even when bulk has used up the budget.
      const limit = priority === 0 ? 2 * BUDGET_BYTES : BUDGET_BYTES
      // Asked for a good many at a time: the other side then reads and sends a good many at a time.
      if (priority === 1 && this.#outstanding > REFILL_BYTES) continue
      let taken = 0
      while (taken < queue.length && this.#outstanding < limit) {
        const fetch = queue[taken++]!
        // It was in both queues.
        if (fetch.isAsked || fetch.isGone) continue
        if (fetch.waiters.every(({ task }) => task.dropped)) {
          fetch.isGone = true
          this.#fetches.delete(pieceKeyOf(fetch.piece))
          continue
        }
        this.#outstanding += fetch.piece.length
        fetch.isAsked = true
        wanted.push({
          id: fetch.piece.id,
          length: fetch.piece.length,
          refs: this.#named(this.#index.pieces.refsOf(fetch.piece)),
          priority,
        })
      }
      queue.splice(0, taken)
    }
    if (wanted.length > 0) this.#exchange.want(wanted)
  }

  /** Bytes that had arrived are staged, or thrown away. */
  released(bytes: number): void {
    this.#outstanding -= bytes
    this.pump()
  }

  /** The sender lied: its bytes are refused, the piece is asked for again (P1). */
  wrong(part: TaskPart, from: DeviceId): void {
    this.#exchange.wrong(part.piece, from)
  }

  /** Nobody waits for these any more. */
  drop(task: ApplyTask): void {
    const gone: PieceInfo[] = []
    for (const part of task.parts) {
      if (part.state !== 'missing') continue
      const key = pieceKeyOf(part.piece)
      const fetch = this.#fetches.get(key)
      if (fetch === undefined || fetch.waiters.some((waiter) => !waiter.task.dropped)) continue
      // Still in a queue: pump() will see that nobody waits.
      if (!fetch.isAsked) continue
      this.#fetches.delete(key)
      this.#outstanding -= fetch.piece.length
      gone.push(fetch.piece)
    }
    if (gone.length > 0) this.#exchange.unwant(gone)
  }

  /** Whether some connected peer has a piece of these refs. */
  isAvailable(refs: readonly PieceRef[]): boolean {
    return this.#exchange.isAvailable(this.#named(refs))
  }

  #named(refs: readonly PieceRef[]): { writer: WriterId; index: number }[] {
    return refs.flatMap(({ feed, index }) => {
      const writer = this.#index.feeds.byNumber(feed)?.writer
      return writer === undefined ? [] : [{ writer, index }]
    })
  }

  #arrived(arrived: ArrivedPiece): void {
    const { id, bytes, room } = arrived
    const key = pieceKeyOf({ id, length: bytes.length })
    const fetch = this.#fetches.get(key)
    if (fetch === undefined) return room?.leave()
    this.#fetches.delete(key)
    const waiters = fetch.waiters.filter(({ task }) => !task.dropped)
    // Each waiter's copy is released on its own, so each counts.
    this.#outstanding += (waiters.length - 1) * bytes.length
    room?.enter(waiters.length)
    for (const { task, part } of waiters) this.#deliver(task, part, arrived)
    room?.leave()
    if (waiters.length === 0) this.pump()
  }
}
