// Which pieces the feeds of a share announced, by their numbers, for the time of a restore: 36 bytes a piece in memory.
import type { PieceRun } from '../../core/entry.js'
import { type PieceInfo, packedLengthOf, unpackedLength } from '../../core/piece.js'
import { LAYOUT_BYTES } from '../../store/pieces.js'

const ID_BYTES = 32
const FIRST_ROWS = 64

/** Numbers without a gap. */
interface Run {
  readonly first: number
  count: number
  rows: Buffer
}

export class PastPieces {
  /** By feed; ascending. */
  readonly #runs = new Map<number, Run[]>()
  /** Numbers that came after higher ones: honest writers have none. By feed. */
  readonly #odd = new Map<number, Map<number, Buffer>>()

  /** False: the feed announced another piece under this number before, which stays. */
  announce(feed: number, index: number, piece: PieceInfo): boolean {
    const known = this.#row(feed, index)
    const row = rowOf(piece)
    if (known !== undefined) return known.equals(row)
    const runs = this.#runs.get(feed) ?? []
    this.#runs.set(feed, runs)
    const last = runs.at(-1)
    const end = last === undefined ? 0 : last.first + last.count
    if (index < end) {
      const odd = this.#odd.get(feed) ?? new Map<number, Buffer>()
      this.#odd.set(feed, odd)
      odd.set(index, row)
      return true
    }
    if (last === undefined || index > end) runs.push({ first: index, count: 1, rows: row })
    else append(last, row)
    return true
  }

  /** The piece that a feed announced under a number; its id is a view of what is kept. */
  at(feed: number, index: number): PieceInfo | undefined {
    const row = this.#row(feed, index)
    return row === undefined
      ? undefined
      : { id: row.subarray(0, ID_BYTES), ...unpackedLength(row.readUInt32LE(ID_BYTES)) }
  }

  /** The pieces of a file entry in file order; undefined if one was never announced. */
  ofRuns(feed: number, runs: readonly PieceRun[]): PieceInfo[] | undefined {
    const pieces: PieceInfo[] = []
    for (const { first, count } of runs)
      for (let number = first; number < first + count; number++) {
        const piece = this.at(feed, number)
        if (piece === undefined) return undefined
        pieces.push(piece)
      }
    return pieces
  }

  #row(feed: number, index: number): Buffer | undefined {
    const run = runWith(this.#runs.get(feed) ?? [], index)
    if (run === undefined) return this.#odd.get(feed)?.get(index)
    const at = (index - run.first) * LAYOUT_BYTES
    return run.rows.subarray(at, at + LAYOUT_BYTES)
  }
}

function rowOf(piece: PieceInfo): Buffer {
  const row = Buffer.allocUnsafe(LAYOUT_BYTES)
  piece.id.copy(row)
  row.writeUInt32LE(packedLengthOf(piece), ID_BYTES)
  return row
}

function append(run: Run, row: Buffer): void {
  const at = run.count * LAYOUT_BYTES
  if (at === run.rows.length) {
    const rows = Buffer.allocUnsafeSlow(Math.max(FIRST_ROWS, 2 * run.count) * LAYOUT_BYTES)
    run.rows.copy(rows)
    run.rows = rows
  }
  row.copy(run.rows, at)
  run.count++
}

function runWith(runs: readonly Run[], index: number): Run | undefined {
  let low = 0
  let high = runs.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const { first, count } = runs[middle]!
    if (index < first) high = middle
    else if (index >= first + count) low = middle + 1
    else return runs[middle]
  }
  return undefined
}
