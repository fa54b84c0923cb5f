// The part of the exchange (src/exchange) that applying needs, as an interface, so that tests can stand in for peers.
import type { DeviceId, WriterId } from '../../core/ids.js'
import type { PieceName } from '../../core/picker.js'

/** A piece that has come, and where it lies with others: to be left once nobody looks at it any more, or never. */
export interface ArrivedPiece {
  readonly id: Buffer
  readonly bytes: Buffer
  readonly from: DeviceId
  readonly room?: SharedRoom | undefined
}

export interface SharedRoom {
  /** So many more will leave. */
  enter(times: number): void
  leave(): void
}

export interface PieceExchange {
  want(
    pieces: readonly {
      readonly id: Buffer
      readonly length: number
      readonly refs: readonly { readonly writer: WriterId; readonly index: number }[]
      readonly priority: number
    }[],
  ): void
  unwant(pieces: readonly PieceName[]): void
  /** A piece that came with that length is not what its id says. */
  wrong(piece: PieceName, from: DeviceId): unknown
  /** Bytes of pieces being fetched from peers that deliver. */
  stats(): { readonly inFlightBytes: number }
  isAvailable(refs: readonly { readonly writer: WriterId; readonly index: number }[]): boolean
  on(event: 'pieces', listener: (batch: readonly ArrivedPiece[]) => void): unknown
  on(event: 'availability', listener: () => void): unknown
}
