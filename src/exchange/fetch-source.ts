// What fetching knows of one peer: what it was asked for, what of it has arrived, how fast, and how patient to be with it.
// Promises: the counts are those of what stands in the account, and a block stands in it from the request until it is
// answered or given up.
// Leaves to others: which piece to ask for and when (fetch.ts), and what the picker must hear of it.
import type { PeerNumber, Piece } from '../core/picker.js'
import { RateMeter } from '../core/rate-meter.js'
import type { FeedWire } from './feed-wire.js'
import { BLOCK_BYTES } from './guard.js'
import type { Link } from './link.js'
import { type Asked, Pace } from './pace.js'
import type { KeptBytes } from './piece-rooms.js'
import { Refusals } from './refusals.js'
import type { RunAsked } from './runs/run-fetch.js'

export interface Transfer {
  readonly piece: Piece
  readonly wire: FeedWire
  readonly index: number
  /** What it is asked for in; a multiple of MIN_BLOCK_BYTES. */
  readonly blockBytes: number
  askedBytes: number
  arrivedBytes: number
  /** Where it is put together; undefined while there is nothing to be. */
  kept: KeptBytes | undefined
}

export interface Block {
  readonly transfer: Transfer
  readonly offset: number
  readonly length: number
  readonly asked: Asked
  /** Whether a limit was charged for it. */
  readonly isPaced: boolean
}

/** Only offsets that are multiples of this are ever asked for. */
export const MIN_BLOCK_BYTES = 4096
/** A block is to take no longer on the way: what is urgent waits for it, and a limit is kept no closer. */
const LIMITED_BLOCKS_PER_SECOND = 16
const BLOCKS_PER_SECOND = 2
/** Without a limit, smaller ones cost more than they bring. */
const SLOW_BLOCK_BYTES: number = 16 * 1024

/** How much to ask for at a time, at these rates in bytes per second; undefined: no limit, 0: not measured. */
export function blockBytesFor(limit: number | undefined, measured: number): number {
  const slow =
    measured === 0 ? BLOCK_BYTES : Math.max(SLOW_BLOCK_BYTES, powerBelow(measured / BLOCKS_PER_SECOND))
  const limited = limit === undefined ? BLOCK_BYTES : powerBelow(limit / LIMITED_BLOCKS_PER_SECOND)
  return Math.max(MIN_BLOCK_BYTES, Math.min(BLOCK_BYTES, slow, limited))
}

function powerBelow(bytes: number): number {
  return 2 ** Math.floor(Math.log2(Math.max(1, bytes)))
}

/** A stalled peer's first time to make good, in stall times: a home uplink's block may take that long. */
const FIRST_PATIENCE = 3
/** Its longest: each failure doubles the last, so that a peer that is gone costs little. */
const MAX_PATIENCE = 12

export interface SourceStats {
  readonly downloadedBytes: number
  readonly rateBytesPerSecond: number
  /** Over the last seconds. */
  readonly downRate: number
  readonly inFlightBytes: number
  readonly stalled: boolean
}

export class Source {
  readonly link: Link
  readonly number: PeerNumber
  readonly pace: Pace = new Pace()
  readonly transfers: Map<Piece, Transfer> = new Map()
  /** The one transfer of which not all blocks have been asked for. */
  unfinished: Transfer | undefined
  /** Under a limit, one that goes before it. */
  urgent: Transfer | undefined
  /** By feed and first number, oldest first. */
  readonly runs: Map<string, RunAsked> = new Map()
  /** Blocks and runs that it owes. */
  blockCount = 0
  /** Of them. */
  askedBytes = 0
  /** Of pieces being fetched. */
  pieceBytes = 0
  /** Blocks that may still arrive though they were cancelled. */
  cancelledBlocks = 0
  /** And runs. */
  cancelledRuns = 0
  noRunsUntilMs: number = Number.NEGATIVE_INFINITY
  /** Rejected pieces that the peer has not withdrawn: when to believe again that it holds them. */
  readonly refused: Refusals = new Refusals()
  downloadedBytes = 0
  /** For people; what to ask for goes by the pace. */
  readonly meter: RateMeter = new RateMeter()
  stalled = false
  /** What it is asked for next, if there are both. */
  isRunNext = false
  /** It may prove with one block that it answers again. */
  onTrial = false
  readonly #stallMs: number
  /** Oldest first. */
  readonly #blocks = new Map<FeedWire, Map<number, Block>>()
  /** What was ever cancelled on a wire. */
  readonly #cancelled = new Map<FeedWire, Set<number>>()
  /** The last answer, or the first request after which there was none to wait for. */
  #progressAtMs = 0
  /** When the latest request that has been answered was made. */
  #answeredAskMs = Number.NEGATIVE_INFINITY
  #patience = FIRST_PATIENCE
  #retryAtMs = 0

  constructor(link: Link, number: PeerNumber, stallMs: number) {
    this.link = link
    this.number = number
    this.#stallMs = stallMs
  }

  begin(transfer: Transfer): void {
    this.transfers.set(transfer.piece, transfer)
    this.pieceBytes += transfer.piece.length
  }

  end(transfer: Transfer): void {
    this.transfers.delete(transfer.piece)
    this.pieceBytes -= transfer.piece.length
    this.#allAsked(transfer)
  }

  #allAsked(transfer: Transfer): void {
    if (this.unfinished === transfer) this.unfinished = undefined
    if (this.urgent === transfer) this.urgent = undefined
  }

  /** Asks for the transfer's next block; its length. */
  ask(transfer: Transfer, nowMs: number, isPaced: boolean): number {
    const { piece, wire, index } = transfer
    const offset = transfer.askedBytes
    const length = Math.min(transfer.blockBytes, piece.length - offset)
    let blocks = this.#blocks.get(wire)
    if (blocks === undefined) {
      blocks = new Map()
      this.#blocks.set(wire, blocks)
    }
    const asked = this.begun(length, nowMs)
    blocks.set(keyOf(index, offset), { transfer, offset, length, asked, isPaced })
    transfer.askedBytes += length
    if (transfer.askedBytes === piece.length) this.#allAsked(transfer)
    wire.request(index, offset, length)
    return length
  }

  /** So much is asked for in one request. */
  begun(bytes: number, nowMs: number): Asked {
    if (this.blockCount === 0) this.#progressAtMs = nowMs
    const asked = this.pace.ask(this.askedBytes, nowMs)
    this.blockCount++
    this.askedBytes += bytes
    return asked
  }

  /** A request of so many bytes is answered or given up. */
  over(bytes: number): void {
    this.blockCount--
    this.askedBytes -= bytes
  }

  /** It has answered what was asked for then. */
  answeredTo({ atMs }: Asked): void {
    if (atMs > this.#answeredAskMs) this.#answeredAskMs = atMs
  }

  /** The request that an answer of that length belongs to, now out of the account; undefined if it is not in it. */
  answered(wire: FeedWire, index: number, offset: number, length: number): Block | undefined {
    if (offset % MIN_BLOCK_BYTES !== 0) return undefined
    const key = keyOf(index, offset)
    const block = this.#blocks.get(wire)?.get(key)
    if (block === undefined) return undefined
    // The answer to a cancelled request: the place has been asked for again since, in blocks of another size.
    if (length !== block.length && this.cancelledBlocks > 0) return undefined
    // Of two requests of one size nobody knows which was answered. The later one must not stand at the peer when the
    // place is asked for once more: that would be a repeated request.
    if (this.#cancelled.get(wire)?.has(key)) wire.cancel(index, offset, block.length)
    this.answeredTo(block.asked)
    return this.#take(wire, key)
  }

  #take(wire: FeedWire, key: number): Block | undefined {
    const blocks = this.#blocks.get(wire)
    const block = blocks?.get(key)
    if (blocks === undefined || block === undefined) return undefined
    blocks.delete(key)
    this.over(block.length)
    return block
  }

  /** Takes all blocks of a transfer out; `tell` cancels them at the peer. Bytes of those that a limit was charged for. */
  giveUp(transfer: Transfer, tell: boolean): number {
    const { wire, index, askedBytes, blockBytes } = transfer
    let paced = 0
    for (let offset = 0; offset < askedBytes; offset += blockBytes) {
      const key = keyOf(index, offset)
      const block = this.#take(wire, key)
      if (block === undefined) continue
      if (block.isPaced) paced += block.length
      this.#noteCancelled(wire, key)
      if (tell) wire.cancel(index, offset, block.length)
    }
    return paced
  }

  #noteCancelled(wire: FeedWire, key: number): void {
    this.cancelledBlocks++
    const keys = this.#cancelled.get(wire)
    if (keys === undefined) this.#cancelled.set(wire, new Set([key]))
    else keys.add(key)
  }

  /** The wire is closed, and nothing of it stands in the account. */
  forget(wire: FeedWire): void {
    this.#blocks.delete(wire)
    this.#cancelled.delete(wire)
    this.refused.forget(wire)
  }

  /** The peer has answered something. */
  progressed(nowMs: number): void {
    this.#progressAtMs = nowMs
    this.onTrial = false
    this.#patience = FIRST_PATIENCE
  }

  /** Whether the peer owes answers and has given none for the stall time. */
  isStalling(nowMs: number): boolean {
    return !this.stalled && this.blockCount > 0 && nowMs - this.#progressAtMs >= this.#stallMs
  }

  /** From now on; isRetryDue() later, the later the more often nothing came of it. */
  bePatient(nowMs: number): void {
    this.#retryAtMs = nowMs + this.#patience * this.#stallMs
    this.#patience = Math.min(MAX_PATIENCE, 2 * this.#patience)
  }

  isRetryDue(nowMs: number): boolean {
    return this.stalled && nowMs >= this.#retryAtMs
  }

  /** Asks once more for all that is owed. What the first request brings after all still counts. */
  askAgain(nowMs: number): void {
    const asked = this.pace.ask(0, nowMs)
    for (const [wire, blocks] of this.#blocks) {
      for (const [key, block] of [...blocks]) {
        const { transfer, offset, length } = block
        wire.cancel(transfer.index, offset, length)
        wire.request(transfer.index, offset, length)
        this.#noteCancelled(wire, key)
        blocks.delete(key)
        blocks.set(key, { ...block, asked })
      }
    }
  }

  /** Whether what was asked for a stall time after it has been answered. */
  hasPassedOver({ atMs }: Asked): boolean {
    return this.#answeredAskMs - atMs >= this.#stallMs
  }

  /** Transfers with a block that was passed over. */
  passedOver(): Transfer[] {
    const transfers: Transfer[] = []
    for (const blocks of this.#blocks.values())
      for (const { transfer, asked } of blocks.values()) {
        if (!this.hasPassedOver(asked)) break // oldest first
        if (!transfers.includes(transfer)) transfers.push(transfer)
      }
    return transfers
  }
}

function keyOf(index: number, offset: number): number {
  return index + (offset / MIN_BLOCK_BYTES) * 2 ** 24
}
