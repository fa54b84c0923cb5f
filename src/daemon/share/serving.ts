// Gives peers the pieces they ask for, out of the files they lie in (P2). What can no longer be served is looked at
// again: the file has changed.
import { parentOf, type RelPath } from '../../core/path.js'
import { SIV_BYTES } from '../../core/piece.js'
import type { PieceRequest, PieceSource } from '../../exchange/exchange.js'
import type { ReadPieceJob } from '../../folder/serve.js'
import type { ShareContext } from './context.js'

export class FilePieces implements PieceSource {
  readonly #context: ShareContext
  readonly #rescan: (directories: readonly (RelPath | '')[]) => void

  constructor(context: ShareContext, rescan: (directories: readonly (RelPath | '')[]) => void) {
    this.#context = context
    this.#rescan = rescan
  }

  async read(requests: readonly PieceRequest[]): Promise<readonly (Buffer | null)[]> {
    const { index, pool, root, pieceKeys } = this.#context
    const jobs: ReadPieceJob[] = []
    const positions: number[] = []
    requests.forEach(({ writer, index: number }, i) => {
      const feed = index.feeds.byWriter(writer)
      const piece = feed === undefined ? undefined : index.pieces.at(feed.number, number)
      const place = piece === undefined ? undefined : index.placeOf(piece.id)
      if (piece === undefined || place?.row.stat === undefined) return
      const { path, offset, row } = place
      jobs.push({ path, stat: row.stat!, offset, length: piece.length - SIV_BYTES, id: piece.id })
      positions.push(i)
    })
    const answers: (Buffer | null)[] = new Array(requests.length).fill(null)
    if (jobs.length === 0 || this.#context.haltReason() !== undefined) return answers
    const pieces = await pool.readPieces(root, pieceKeys, jobs)
    const changed = new Set<RelPath | ''>()
    pieces.forEach((piece, i) => {
      answers[positions[i]!] = piece
      if (piece === null) changed.add(parentOf(jobs[i]!.path as RelPath))
    })
    if (changed.size > 0) this.#rescan([...changed])
    return answers
  }
}
