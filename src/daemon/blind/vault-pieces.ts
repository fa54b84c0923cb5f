// Gives peers the pieces they ask for out of a vault: sealed as they lie there.
import type { PieceRequest, PieceSource } from '../../exchange/exchange.js'
import type { BlindIndex } from '../../store/blind-index.js'

/** The part of a vault (src/vault) that this needs. */
export interface ReadsPieces {
  read(ids: readonly Buffer[]): Promise<(Buffer | null)[]>
}

export interface VaultPiecesOptions {
  readonly index: Pick<BlindIndex, 'feeds' | 'at'>
  /** Undefined while nothing is served. */
  readonly vault: () => ReadsPieces | undefined
}

export class VaultPieces implements PieceSource {
  readonly #o: VaultPiecesOptions

  constructor(options: VaultPiecesOptions) {
    this.#o = options
  }

  async read(requests: readonly PieceRequest[]): Promise<readonly (Buffer | null)[]> {
    const { index, vault } = this.#o
    const open = vault()
    const answers: (Buffer | null)[] = new Array(requests.length).fill(null)
    if (open === undefined) return answers
    const ids: Buffer[] = []
    const places: number[] = []
    requests.forEach(({ writer, index: number }, place) => {
      const feed = index.feeds.byWriter(writer)
      const piece = feed === undefined ? undefined : index.at(feed.number, number)
      if (piece === undefined) return
      ids.push(piece.id)
      places.push(place)
    })
    const pieces = ids.length === 0 ? [] : await open.read(ids)
    pieces.forEach((piece, i) => {
      answers[places[i]!] = piece
    })
    return answers
  }
}
