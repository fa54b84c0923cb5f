// What changed in the index goes to all whom it concerns: the exchange (pieces that this node now holds, or has lost),
// the applier (paths with something to do), the members (our state) and the settler. Collected, so that many transactions
// cost one round.
import type { WriterId } from '../../core/ids.js'
import type { IndexChanges, ShareIndex } from '../../store/share-index.js'

export interface IndexNewsOptions {
  readonly index: Pick<ShareIndex, 'drain' | 'feeds'>
  /** Whether a feed has a place in the exchange. */
  readonly isOpen: (writer: WriterId) => boolean
  readonly exchange: {
    grow(writer: WriterId, pieceCount: number): void
    have(writer: WriterId, indices: readonly number[]): void
    lost(writer: WriterId, indices: readonly number[]): void
  }
  /** Paths that have something to do now, and what this disk has come to hold. */
  readonly onChanges: (changes: IndexChanges) => void
  /** Once a round, after all else. */
  readonly onRound: () => void
}

export class IndexNews {
  readonly #o: IndexNewsOptions
  #isDue = false
  #stopped = false

  constructor(options: IndexNewsOptions) {
    this.#o = options
  }

  /** Something may have changed: everybody concerned is told soon. */
  tellSoon(): void {
    if (this.#isDue || this.#stopped) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      if (!this.#stopped) this.#tell()
    })
  }

  /** Everybody concerned is told now of all that has changed. */
  tellNow(): void {
    if (!this.#stopped) this.#tell()
  }

  /** Nobody is told anything after this. */
  stop(): void {
    this.#stopped = true
  }

  #tell(): void {
    const { index, exchange, isOpen, onChanges, onRound } = this.#o
    const changes = index.drain()
    for (const { number, writer, pieceCount } of index.feeds.all()) {
      if (!isOpen(writer)) continue
      exchange.grow(writer, pieceCount)
      const held = changes.held.get(number)
      if (held === undefined) continue
      const gained: number[] = []
      const lost: number[] = []
      for (const [piece, isHeld] of held) (isHeld ? gained : lost).push(piece)
      exchange.have(writer, gained)
      exchange.lost(writer, lost)
    }
    onChanges(changes)
    onRound()
  }
}
