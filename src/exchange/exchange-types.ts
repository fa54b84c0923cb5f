// What an Exchange is made of and what it tells: the shapes that its callers see.
import type { Bitfield } from '../core/bitfield.js'
import type { DeviceId, WriterId } from '../core/ids.js'
import type { Log } from '../ports/log.js'
import type { PeerLink } from './link.js'
import type { Gate } from './pacer.js'
import type { PieceSource } from './serve.js'

export type { WantedPiece } from '../core/picker.js'
export type { PeerLink } from './link.js'
export type { FetchedPiece, PieceRoom } from './piece-rooms.js'
export type { FetchedRun, WantedRun } from './runs/run-fetch.js'
export type { PieceRequest, PieceSource } from './serve.js'

export interface ExchangeOptions {
  /** Our own; peers check it against the Noise key. */
  readonly device: DeviceId
  readonly source: PieceSource
  readonly log: Log
  /** Of pieces being fetched, default 32 MiB: what a gigabit link holds in a quarter of a second. */
  readonly maxInFlightBytes?: number
  /** Without a byte for so long, a peer's requests move on. Default 10 s. */
  readonly stallMs?: number
  /** Peers served at a time, default 64. */
  readonly uploadSlots?: number
  /** Breaks ties between equally rare pieces; should differ between devices. Default: from the device id. */
  readonly seed?: number
  /** Monotonic milliseconds, default performance.now. */
  readonly nowMs?: () => number
  /** Whether tick() is called by a timer; default true, tests call it themselves. */
  readonly ticking?: boolean
  /** Shared with other exchanges (X4). */
  readonly downloadLimit?: Gate
  readonly uploadLimit?: Gate
  /** Peers that the limits do not hold for. Default: none. */
  readonly exempt?: (peer: PeerLink) => boolean
}

export interface ExchangeFeed {
  readonly writer: WriterId
  readonly discoveryKey: Buffer
  /** How many pieces the feed has announced, as far as we know. */
  readonly pieceCount: number
  /** What can be served; the exchange owns it from now on. */
  readonly have: Bitfield
}

export interface PeerStats {
  readonly device: DeviceId
  readonly downloadedBytes: number
  readonly uploadedBytes: number
  /** What is asked of it goes by this one: it stands still while nothing is asked. */
  readonly rateBytesPerSecond: number
  /** Over the last seconds. */
  readonly downRate: number
  readonly upRate: number
  readonly inFlightBytes: number
  readonly stalled: boolean
  /** It serves no feed that we share. */
  readonly choked: boolean
}

export interface ExchangeStats {
  readonly downloadedBytes: number
  readonly uploadedBytes: number
  /** Whole pieces. */
  readonly downloadedPieces: number
  readonly uploadedPieces: number
  /** Pieces being fetched. */
  readonly inFlight: number
  readonly inFlightBytes: number
  readonly wanted: number
  readonly wrongPieces: number
  readonly violations: number
  readonly perPeer: readonly PeerStats[]
}
