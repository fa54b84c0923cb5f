// Numbers of pieces in the own feed (F1): one that was announced since the newest checkpoint began, or restated by it, is used
// again; any other piece is announced under a new number, even if an older part of the feed has one for it. Else who starts
// at the checkpoint would never learn of the piece, and a blind node might have dropped it (core/piece-life.ts).
import { type PieceInfo, packedLengthOf } from '../../core/piece.js'
import type { IndexFeed } from '../../store/feeds.js'
import type { ShareIndex } from '../../store/share-index.js'

/** For the records of one append: what they announce is remembered. */
export class PieceNumbers {
  readonly #index: ShareIndex
  readonly #feed: IndexFeed
  readonly #known = new Map<string, number>()
  #pieceCount: number

  /** `feed` is the own feed as it stands. */
  constructor(index: ShareIndex, feed: IndexFeed) {
    this.#index = index
    this.#feed = feed
    this.#pieceCount = feed.pieceCount
  }

  /** The number of a piece; a fresh one is still to be announced. */
  of(piece: PieceInfo): { readonly number: number; readonly isFresh: boolean } {
    const key = `${piece.id.toString('latin1')}${packedLengthOf(piece)}`
    const known = this.#known.get(key) ?? this.#inGeneration(piece)
    const number = known ?? this.#pieceCount++
    this.#known.set(key, number)
    return { number, isFresh: known === undefined }
  }

  #inGeneration(piece: PieceInfo): number | undefined {
    const { pieces } = this.#index
    const { number, checkpoint } = this.#feed
    return pieces
      .refsOf(piece)
      .find(
        ({ feed, index }) =>
          feed === number &&
          pieces.announcedIn(feed, index)! >= checkpoint &&
          pieces.at(feed, index)?.plain === piece.plain,
      )?.index
  }
}
