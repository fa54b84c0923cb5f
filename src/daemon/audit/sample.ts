// Draws pieces of the files that this disk holds, each place of a piece in a file counting alike (core/audit.ts).
import { randomInt } from 'node:crypto'
import { Reservoir } from '../../core/audit.js'
import type { RelPath } from '../../core/path.js'
import { LAYOUT_BYTES, unpackLayout } from '../../store/pieces.js'
import type { ShareIndex } from '../../store/share-index.js'

export interface DrawnPiece {
  /** Piece id. */
  readonly id: Buffer
  /** Sealed bytes. */
  readonly length: number
  /** The file that it was drawn from. */
  readonly path: RelPath
}

export interface Drawn {
  /** Pieces that were drawn from. */
  readonly population: number
  /** In random order. */
  readonly pieces: readonly DrawnPiece[]
}

/** Rows looked at before others get their turn. */
const ROWS = 512

/** How many pieces there are to draw from. */
export async function countPieces(index: ShareIndex): Promise<number> {
  let count = 0
  for await (const { layout } of layoutsOf(index)) count += layout.length / LAYOUT_BYTES
  return count
}

/** Draws at most so many without replacement. `below`: random whole numbers; default: the system's, which nobody can foresee. */
export async function drawPieces(
  index: ShareIndex,
  size: number,
  below: (limit: number) => number = randomInt,
): Promise<Drawn> {
  const reservoir = new Reservoir<DrawnPiece>(size, below)
  // A copy: a view would keep the layout of the whole file.
  for await (const { path, layout } of layoutsOf(index))
    for (const { id, length } of unpackLayout(layout))
      reservoir.offer(() => ({ id: Buffer.from(id), length, path }))
  return { population: reservoir.seen, pieces: shuffled(reservoir.kept, below) }
}

/** Draws files that hold what the share says, at most so many, and says how many there are. */
export async function drawFiles(
  index: ShareIndex,
  size: number,
  below: (limit: number) => number = randomInt,
): Promise<{ readonly files: number; readonly paths: readonly RelPath[] }> {
  const reservoir = new Reservoir<RelPath>(size, below)
  for await (const { path } of layoutsOf(index)) reservoir.offer(() => path)
  return { files: reservoir.seen, paths: shuffled(reservoir.kept, below) }
}

/** Of all files that hold what the share says, as far as this disk was looked at. */
async function* layoutsOf(index: ShareIndex): AsyncGenerator<{ path: RelPath; layout: Buffer }> {
  let after: RelPath | undefined
  for (;;) {
    const rows = index.diskRowsAfter(after, ROWS)
    for (const { path, row } of rows) {
      if (row.stat === undefined || row.drift !== undefined || row.applied.fact.type !== 'file') continue
      const layout = index.layout(path)
      yield { path, layout: layout ?? Buffer.alloc(0) }
    }
    if (rows.length < ROWS) return
    after = rows.at(-1)!.path
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** What is asked first must say nothing of what follows. */
function shuffled<T>(items: readonly T[], below: (limit: number) => number): T[] {
  const list = [...items]
  for (let last = list.length - 1; last > 0; last--) {
    const other = below(last + 1)
    const item = list[last]!
    list[last] = list[other]!
    list[other] = item
  }
  return list
}
