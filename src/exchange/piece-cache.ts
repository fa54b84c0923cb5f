// The sealed pieces served last. A piece longer than a block is asked for block by block; without this each block would
// have its piece read and sealed again.

export class PieceCache {
  readonly #maxBytes: number
  readonly #pieces = new Map<string, Buffer>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get(key: string): Buffer | undefined {
    const piece = this.#pieces.get(key)
    if (piece === undefined) return undefined
    this.#pieces.delete(key)
    this.#pieces.set(key, piece)
    return piece
  }

  /** The newest piece stays even if it alone exceeds the bound. */
  put(key: string, piece: Buffer): void {
    this.remove(key)
    this.#pieces.set(key, piece)
    this.#bytes += piece.length
    for (const oldest of this.#pieces.keys()) {
      if (this.#bytes <= this.#maxBytes || oldest === key) break
      this.remove(oldest)
    }
  }

  remove(key: string): void {
    const piece = this.#pieces.get(key)
    if (piece === undefined) return
    this.#pieces.delete(key)
    this.#bytes -= piece.length
  }
}
