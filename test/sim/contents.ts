// Contents of simulated files: a list of numbered chunks, each one piece. Ids are real (BLAKE3, content ids of piece.ts),
// bytes are not needed: a chunk's number stands for them. Made once for all histories of a process.
import { blake3 } from '../../src/core/hash.js'
import { contentIdOf, type PieceInfo, SIV_BYTES } from '../../src/core/piece.js'
import { type Layout, packLayout } from '../../src/store/pieces.js'

export interface Content {
  /** The chunks, as a text for maps and messages. */
  readonly key: string
  readonly chunks: readonly number[]
  readonly size: number
  readonly pieces: readonly PieceInfo[]
  readonly id: Buffer
  readonly layout: Layout
}

const made = new Map<string, Content>()
const pieces = new Map<number, PieceInfo>()
const chunkOf = new Map<string, number>()

export function contentOf(chunks: readonly number[]): Content {
  const key = chunks.join('+')
  const known = made.get(key)
  if (known !== undefined) return known
  const list = chunks.map(pieceOf)
  const content: Content = {
    key,
    chunks,
    size: list.reduce((sum, { length }) => sum + length - SIV_BYTES, 0),
    pieces: list,
    id: contentIdOf(list.map(({ id }) => id)),
    layout: packLayout(list),
  }
  made.set(key, content)
  return content
}

/** The chunk whose piece has this id. */
export function chunkWithId(id: Buffer): number | undefined {
  return chunkOf.get(id.toString('latin1'))
}

/** The content with these pieces. */
export function contentOfPieces(list: readonly PieceInfo[]): Content {
  return contentOf(list.map(({ id }) => chunkWithId(id)!))
}

function pieceOf(chunk: number): PieceInfo {
  let piece = pieces.get(chunk)
  if (piece === undefined) {
    piece = { id: blake3(Buffer.from(`chunk ${chunk}`)), length: SIV_BYTES + 5 + (chunk % 7) }
    pieces.set(chunk, piece)
    chunkOf.set(piece.id.toString('latin1'), chunk)
  }
  return piece
}
