// What requests cost whoever answers them. A piece is read as a whole for a byte of it, so a peer's account (S1) is charged for
// all of a piece with the first part that it asks for, and for nothing with the others, as far as they are in it.
// Promises: what chargeFor() counts of a peer's requests, creditFor() takes back once the last of them is over; a part that was
// answered no longer counts, and one that was taken back does: the piece is held for the others.
import type { Asked } from './serve-peer.js'

/** Parts of one piece that a peer waits for. */
export interface PartsAsked {
  open: number
  /** Of the piece, charged and not asked for. */
  left: number
}

/** Whether it is part of what was charged already. */
export function isPaidFor({ peer, pieceKey, length }: Asked): boolean {
  return (peer.parts.get(pieceKey)?.left ?? 0) >= length
}

/** Bytes to charge for a request of a piece that is so long; undefined: nobody knows, so there will be nothing to read. */
export function chargeFor(asked: Asked, pieceBytes: number | undefined): number {
  const { peer, pieceKey, length } = asked
  const parts = peer.parts.get(pieceKey)
  if (parts === undefined) {
    const left = Math.max(0, (pieceBytes ?? 0) - length)
    if (left > 0) peer.parts.set(pieceKey, { open: 1, left })
    asked.isPart = left > 0
    return length + left
  }
  const paid = Math.min(parts.left, length)
  parts.left -= paid
  parts.open++
  asked.isPart = true
  return length - paid
}

/** The request is answered, or never will be: bytes that it counts for no longer. */
export function creditFor({ peer, pieceKey, length, isPart, block }: Asked): number {
  const parts = isPart ? peer.parts.get(pieceKey) : undefined
  if (parts === undefined) return length
  parts.open--
  if (parts.open > 0 && block !== undefined) return length
  parts.left += length
  if (parts.open > 0) return 0
  peer.parts.delete(pieceKey)
  return parts.left
}
