// The pieces that nobody fetches in the order in which they began to wait, so that none is overtaken for ever: rarest first
// alone leaves a piece that everybody holds for as long as rarer ones come, and its file rests meanwhile. Promises: what is
// wanted, held by somebody and fetched by nobody is in the line once; adding and looking cost the same however long it is.
import type { PeerNumber, Piece } from './picker-queue.js'

/**
 * So many bytes may be asked for before a piece that has waited longer goes first: twice what a share has asked for at a
 * time (fetcher.ts). Lower, a scarce piece waits for common ones; higher, nearly whole files rest longer.
 */
export const OVERTAKEN_BYTES: number = 32 << 20
/** Looked at for one pick: others are held by peers that do not answer, mostly. */
const MOST_LOOKED_AT = 64

export class WaitingLine {
  #items: Piece[] = []
  #head = 0
  /** Bytes of all that was picked. */
  #pickedBytes = 0

  /** A piece can be picked. `count`: how many can. */
  add(piece: Piece, count: number): void {
    if (piece.waitsSince !== undefined) return
    if (this.#items.length > 64 && this.#items.length > 2 * count) this.#compact()
    piece.waitsSince = this.#pickedBytes
    this.#items.push(piece)
  }

  picked(bytes: number): void {
    this.#pickedBytes += bytes
  }

  /** A piece that this peer holds and that was overtaken by too much; undefined: there is none. */
  overdue(peer: PeerNumber, priority: number): Piece | undefined {
    while (this.#head < this.#items.length && !isWaiting(this.#items[this.#head]!)) this.#leave()
    for (let at = this.#head; at < Math.min(this.#items.length, this.#head + MOST_LOOKED_AT); at++) {
      const piece = this.#items[at]!
      if (this.#pickedBytes - piece.waitsSince! <= OVERTAKEN_BYTES) return undefined
      if (isWaiting(piece) && piece.priority === priority && piece.group.peers.includes(peer)) return piece
    }
    return undefined
  }

  #leave(): void {
    this.#items[this.#head++]!.waitsSince = undefined
    if (this.#head >= 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
  }

  #compact(): void {
    const waiting: Piece[] = []
    for (const piece of this.#items.slice(this.#head)) {
      if (isWaiting(piece)) waiting.push(piece)
      else piece.waitsSince = undefined
    }
    this.#items = waiting
    this.#head = 0
  }
}

function isWaiting({ group, active }: Piece): boolean {
  return active === 0 && group.peers.length > 0
}
