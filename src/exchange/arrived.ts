// What has arrived from peers: counted, put together where it came in parts, and handed on as whole pieces that nobody has looked at.
// Promises: a piece lies where nothing else will until it is left (piece-rooms.ts); a transfer that is given up keeps no memory.
import { trafficRooms } from '../ports/rooms.js'
import type { Source, Transfer } from './fetch-source.js'
import { type FetchedPiece, type KeptBytes, PieceRooms } from './piece-rooms.js'

export class Arrived {
  /** Of what comes as one: runs, and pieces that are one block. */
  readonly rooms: PieceRooms = new PieceRooms(trafficRooms)
  /** Of pieces in parts: a peer that is slow with one must not keep the others' memory. */
  readonly #partRooms = new PieceRooms(trafficRooms)
  #pieces: FetchedPiece[] = []
  /** Of all that was answered. */
  bytes = 0
  /** Pieces that have arrived whole, those that turned out wrong among them. */
  pieceCount = 0

  count(source: Source, bytes: number, nowMs: number): void {
    this.bytes += bytes
    source.downloadedBytes += bytes
    source.meter.add(bytes, nowMs)
  }

  /** Takes in a block; whether its piece is whole by that. */
  block(source: Source, transfer: Transfer, offset: number, block: Buffer): boolean {
    const { piece } = transfer
    const isWhole = block.length === piece.length
    const kept = isWhole ? this.rooms.keep(block) : this.#putTogether(transfer, offset, block)
    if (kept === undefined) return false
    this.pieceCount++
    this.#pieces.push({ id: piece.id, from: source.link.device, ...kept })
    return true
  }

  /** Nothing more of it is taken in. */
  giveUp({ kept }: Transfer): void {
    kept?.room?.leave()
  }

  /** Whole pieces since the last call. */
  take(): FetchedPiece[] {
    const pieces = this.#pieces
    this.#pieces = []
    return pieces
  }

  #putTogether(transfer: Transfer, offset: number, block: Buffer): KeptBytes | undefined {
    const { length } = transfer.piece
    transfer.kept ??= this.#partRooms.reserve(length)
    block.copy(transfer.kept.bytes, offset)
    transfer.arrivedBytes += block.length
    return transfer.arrivedBytes === length ? transfer.kept : undefined
  }
}
