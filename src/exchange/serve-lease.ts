// Answers of the piece source that are lent: their memory is the source's again once no block of them is still to be sent.
// Promises: a lease is over once; what is on its way into a frame is sent before the source hears of it.
import type { PieceSource } from './serve.js'

/** An answer of the source, and how many requests are still to be answered from it. */
export interface Lease {
  readonly answers: readonly (Buffer | null)[]
  open: number
}

export class Leases {
  readonly #source: PieceSource
  /** Those whose last block is on its way into a frame: over at the next flush. */
  #ended: Lease[] = []

  constructor(source: PieceSource) {
    this.#source = source
  }

  /** Takes an answer; `open` is counted up for each request that is to be answered from it, then start() called. */
  begin(answers: readonly (Buffer | null)[]): Lease {
    return { answers, open: 0 }
  }

  /** All requests are counted. */
  counted(lease: Lease): void {
    if (lease.open === 0) this.#ended.push(lease)
  }

  /** One that was counted goes out with the next flush, or not at all. */
  end(lease: Lease): void {
    if (--lease.open === 0) this.#ended.push(lease)
  }

  /** To be called when all links are flushed, so that no answer waits to be copied into a frame. */
  release(): void {
    const ended = this.#ended
    if (ended.length === 0) return
    this.#ended = []
    for (const { answers } of ended) this.#source.release?.(answers)
  }
}
