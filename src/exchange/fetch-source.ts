// What fetching knows of one peer: what it was asked for, what of it has arrived, and how fast.
import type { PeerNumber, Piece } from '../core/picker.js'
import type { FeedWire } from './feed-wire.js'
import type { Link } from './link.js'
import { Pace } from './pace.js'

export interface Transfer {
  readonly piece: Piece
  readonly wire: FeedWire
  readonly index: number
  askedBytes: number
  arrivedBytes: number
  /** Undefined while there is nothing to put together. */
  bytes: Buffer | undefined
}

export interface Block {
  readonly transfer: Transfer
  readonly length: number
  readonly askedAtMs: number
}

export interface Source {
  readonly link: Link
  readonly number: PeerNumber
  readonly pace: Pace
  readonly transfers: Map<Piece, Transfer>
  readonly blocks: Map<FeedWire, Map<number, Block>>
  /** The one transfer of which not all blocks have been asked for. */
  unfinished: Transfer | undefined
  blockCount: number
  askedBytes: number
  /** Of pieces being fetched. */
  pieceBytes: number
  /** Blocks that may still arrive though they were cancelled. */
  cancelledBlocks: number
  /** Rejected pieces that the peer has not withdrawn: when to believe again that it holds them. */
  readonly refused: Map<FeedWire, Map<number, number>>
  progressAtMs: number
  stalled: boolean
  downloadedBytes: number
}

export function newSource(link: Link, number: PeerNumber): Source {
  return {
    link,
    number,
    pace: new Pace(),
    transfers: new Map(),
    blocks: new Map(),
    unfinished: undefined,
    blockCount: 0,
    askedBytes: 0,
    pieceBytes: 0,
    cancelledBlocks: 0,
    refused: new Map(),
    progressAtMs: 0,
    stalled: false,
    downloadedBytes: 0,
  }
}
