// What the picker works on: wanted pieces, and the line of those that nobody fetches yet, grouped by who holds them. All
// pieces with the same holders are equally rare and equally good for each of these peers, so a group is one heap and a
// peer looks through few groups instead of all wanted pieces; a piece that one more peer gets moves to another group in
// O(log n). Promises: `open` counts are exact; a heap may hold stale items, which are recognised when they surface: those
// that moved to another group or priority, that somebody fetches, or that are no longer wanted.
import type { WriterId } from './ids.js'

/** Fresh small changes before bulk. */
export const PRIORITIES = 2

/** Names a peer inside one picker; never used twice. */
export type PeerNumber = number

/** Where a piece stands: its number in a writer's feed. */
export interface PieceRef {
  readonly writer: WriterId
  readonly index: number
}

/**
 * What of a piece makes it one: feeds may announce an id with several lengths, and only who has got it knows which of them is
 * true. Each is fetched by itself, from who offers it under that length, so that none is asked for bytes that the piece does not have.
 */
export interface PieceName {
  /** 32 bytes. */
  readonly id: Buffer
  /** Sealed bytes. */
  readonly length: number
}

export interface WantedPiece extends PieceName {
  /** Any of them will do; at least one. All of this length. */
  readonly refs: readonly PieceRef[]
  /** 0: fresh and small, 1: bulk. */
  readonly priority: number
}

/** A wanted piece and who fetches it. The picker's own; others only read it. */
export class Piece {
  readonly key: string
  readonly id: Buffer
  readonly length: number
  refs: readonly PieceRef[]
  priority: number
  /** Among equals the lower goes first. */
  readonly order: number
  group: HolderGroup
  readonly fetchers: PeerNumber[] = []
  /** Fetchers that are not stalled. 0: nobody waits for it. */
  active = 0
  askedAtMs = 0
  /** In the line of those that wait (picker-line.ts): since so many bytes were picked. */
  waitsSince: number | undefined

  constructor(wanted: WantedPiece, key: string, order: number, group: HolderGroup) {
    this.key = key
    this.id = wanted.id
    this.length = wanted.length
    this.refs = wanted.refs
    this.priority = clampPriority(wanted.priority)
    this.order = order
    this.group = group
  }
}

/** Pieces that exactly these peers hold. */
export class HolderGroup {
  /** Ascending. */
  readonly peers: readonly PeerNumber[]
  readonly key: string
  /** Wanted pieces in this group, fetched by somebody or not. */
  pieces = 0
  /** Per priority, pieces that nobody fetches. */
  readonly open: number[] = new Array<number>(PRIORITIES).fill(0)
  readonly #heaps: Piece[][] = Array.from({ length: PRIORITIES }, () => [])

  constructor(peers: readonly PeerNumber[], key: string) {
    this.peers = peers
    this.key = key
  }

  /** The caller has counted the piece in `open`. */
  push(piece: Piece): void {
    const heap = this.#heaps[piece.priority]!
    // Stale items come from pieces that moved away and back; rebuilt before they outweigh the live ones.
    if (heap.length > 64 && heap.length > 2 * this.open[piece.priority]!) {
      const live = new Set(heap.filter((item) => this.#isLive(item, piece.priority)))
      live.delete(piece)
      heap.length = 0
      for (const item of live) siftUp(heap, item)
    }
    siftUp(heap, piece)
  }

  /** The first in order of those that nobody fetches; it stays in the line until its state says otherwise. */
  first(priority: number): Piece | undefined {
    const heap = this.#heaps[priority]!
    for (let top = heap[0]; top !== undefined; top = heap[0]) {
      if (this.#isLive(top, priority)) return top
      dropTop(heap)
    }
    return undefined
  }

  /** Forgets all items: nobody may be waiting in that priority. */
  emptied(priority: number): void {
    this.#heaps[priority]!.length = 0
  }

  #isLive(piece: Piece, priority: number): boolean {
    return piece.group === this && piece.active === 0 && piece.priority === priority
  }
}

/** Where pieces are that are no longer wanted, so that a heap in which one still lies takes it for stale. */
export const NOWHERE: HolderGroup = new HolderGroup([], 'nowhere')

/** Equal for what is one piece. */
export function pieceKeyOf({ id, length }: PieceName): string {
  return `${id.toString('latin1')}${length}`
}

export function clampPriority(priority: number): number {
  return priority <= 0 ? 0 : PRIORITIES - 1
}

function siftUp(heap: Piece[], piece: Piece): void {
  let at = heap.push(piece) - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (heap[parent]!.order <= piece.order) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = piece
}

function dropTop(heap: Piece[]): void {
  const last = heap.pop()!
  const length = heap.length
  if (length === 0) return
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= length) break
    if (child + 1 < length && heap[child + 1]!.order < heap[child]!.order) child++
    if (heap[child]!.order >= last.order) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
}
