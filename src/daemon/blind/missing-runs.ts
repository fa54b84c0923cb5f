// Groups what is missing into runs (src/exchange/runs): small pieces of one feed whose numbers follow each other. Pure.
import type { AnnouncedPiece } from '../../store/blind-index.js'

/** Larger ones gain nothing by company. */
export const MAX_SMALL_BYTES: number = 64 * 1024

/** Pieces with numbers that follow each other; one alone is a run, too. */
export interface MissingRun {
  readonly feed: number
  readonly first: number
  readonly pieces: readonly AnnouncedPiece[]
  readonly bytes: number
}

export interface RunLimits {
  readonly maxBytes: number
  readonly maxPieces: number
}

/** Gathers pieces in the order in which they come, and gives away each run as it ends. */
export class RunGatherer {
  readonly #limits: RunLimits
  readonly #ended: (run: MissingRun) => void
  #feed = 0
  #pieces: AnnouncedPiece[] = []
  #bytes = 0

  constructor(limits: RunLimits, ended: (run: MissingRun) => void) {
    this.#limits = limits
    this.#ended = ended
  }

  /** The next piece; `isAlone`: it is to be in no run. */
  add(feed: number, piece: AnnouncedPiece, isAlone: boolean): void {
    const { maxBytes, maxPieces } = this.#limits
    const last = this.#pieces[this.#pieces.length - 1]
    const isNext = last !== undefined && feed === this.#feed && piece.number === last.number + 1
    const fits = this.#bytes + piece.length <= maxBytes && this.#pieces.length < maxPieces
    if (isAlone || !isNext || !fits) this.end()
    this.#feed = feed
    this.#pieces.push(piece)
    this.#bytes += piece.length
    if (isAlone) this.end()
  }

  /** No more come. */
  end(): void {
    const pieces = this.#pieces
    const [first] = pieces
    if (first === undefined) return
    const run = { feed: this.#feed, first: first.number, pieces, bytes: this.#bytes }
    this.#pieces = []
    this.#bytes = 0
    this.#ended(run)
  }
}
