// Paths that were set aside because nobody could give a piece of their content, this disk included: hundreds of thousands
// while a peer is away, so each costs no more than the number of that piece. They are tried again when peers come to have
// more, or when that very piece comes to this disk some other way.
import type { RelPath } from '../../core/path.js'
import type { PieceRef } from '../../store/pieces.js'
import type { IndexChanges } from '../../store/share-index.js'

/** Above every piece number (docs/design.md, section 4); feeds are few. */
const PIECE_NUMBERS = 2 ** 31

export class Unavailable {
  readonly #missing = new Map<RelPath, number>()
  readonly #waiting = new Map<number, Set<RelPath>>()

  get size(): number {
    return this.#missing.size
  }

  has(path: RelPath): boolean {
    return this.#missing.has(path)
  }

  /** Sets a path aside for want of a piece. */
  add(path: RelPath, { feed, index }: PieceRef): void {
    this.delete(path)
    const piece = keyOf(feed, index)
    this.#missing.set(path, piece)
    const waiting = this.#waiting.get(piece)
    if (waiting === undefined) this.#waiting.set(piece, new Set([path]))
    else waiting.add(path)
  }

  delete(path: RelPath): void {
    const piece = this.#missing.get(path)
    if (piece === undefined) return
    this.#missing.delete(path)
    const waiting = this.#waiting.get(piece)!
    waiting.delete(path)
    if (waiting.size === 0) this.#waiting.delete(piece)
  }

  clear(): void {
    this.#missing.clear()
    this.#waiting.clear()
  }

  /** Takes out the paths whose missing piece this disk has come to hold. */
  take(held: IndexChanges['held']): RelPath[] {
    if (this.size === 0) return []
    const paths: RelPath[] = []
    for (const [feed, pieces] of held) {
      for (const [index, isHeld] of pieces) {
        if (!isHeld) continue
        for (const path of this.#waiting.get(keyOf(feed, index)) ?? []) paths.push(path)
      }
    }
    for (const path of paths) this.delete(path)
    return paths
  }
}

function keyOf(feed: number, index: number): number {
  return feed * PIECE_NUMBERS + index
}
