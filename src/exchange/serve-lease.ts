// Answers of the piece source that are lent: their memory is the source's again once no block of them is still to be sent.
// Promises: a lease is over once; what is on its way into a frame is sent before the source hears of it; what was taken back of it
// counts as long as it lasts, as its memory does (S1).
import type { PieceSource } from './serve.js'
import type { Served } from './serve-peer.js'

/** An answer of the source, and how many requests are still to be answered from it. */
export interface Lease {
  readonly answers: readonly (Buffer | null)[]
  /** Who it was read for. */
  readonly peer: Served
  open: number
  /** Bytes of requests that the peer took back while they were read. */
  takenBack: number
}

export class Leases {
  readonly #source: PieceSource
  readonly #countAhead: (peer: Served, bytes: number) => void
  /** Those whose last block is on its way into a frame: over at the next flush. */
  #ended: Lease[] = []

  constructor(source: PieceSource, countAhead: (peer: Served, bytes: number) => void) {
    this.#source = source
    this.#countAhead = countAhead
  }

  /**
   * Takes an answer; `open` is counted up for each request that is to be answered from it, `takenBack` for those that are not any
   * more, then counted() called.
   */
  begin(answers: readonly (Buffer | null)[], peer: Served): Lease {
    return { answers, peer, open: 0, takenBack: 0 }
  }

  /** All requests are counted. */
  counted(lease: Lease): void {
    if (lease.open === 0) this.#over(lease)
  }

  /** One that was counted goes out with the next flush, or not at all. */
  end(lease: Lease): void {
    if (--lease.open === 0) this.#over(lease)
  }

  #over(lease: Lease): void {
    this.#ended.push(lease)
    this.#countAhead(lease.peer, -lease.takenBack)
  }

  /** To be called when all links are flushed, so that no answer waits to be copied into a frame. */
  release(): void {
    const ended = this.#ended
    if (ended.length === 0) return
    this.#ended = []
    for (const { answers } of ended) this.#source.release?.(answers)
  }
}
