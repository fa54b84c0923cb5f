// The serving half: peers' requests become batched reads of whole sealed pieces, and their blocks go out while the
// connection takes them.
//   S1. Of one peer at most MAX_PEER_REQUESTS requests are open, as many are read or being read (those that were taken back
//       since, too), and READ_AHEAD_BYTES of pieces, give or take a piece; of all peers ALL_AHEAD_BYTES, but OWN_AHEAD_BYTES
//       of each whatever the others have, give or take a piece a peer. A part of a piece counts as all of it
//       (serve-costs.ts), as that is what is read. What goes beyond waits.
//   S2. Every request that is not cancelled is answered: with its block, or with a reject.
//   S3. A piece the source cannot serve is withdrawn from everybody (P2, BEP 54).
// Answers go in the order in which pieces were read, not by need: the asking side knows what it needs first. Under a limit,
// where a line may take seconds, whole small pieces go before it.
import type { WriterId } from '../core/ids.js'
import type { Log } from '../ports/log.js'
import type { FeedWire } from './feed-wire.js'
import type { Fifo } from './fifo.js'
import { MAX_PEER_REQUESTS } from './guard.js'
import { type Link, MAX_MESSAGE_BYTES } from './link.js'
import type { Gate } from './pacer.js'
import type { RunMessage } from './runs/run-message.js'
import { RunServe } from './runs/run-serve.js'
import { chargeFor, creditFor, isPaidFor } from './serve-costs.js'
import { type Lease, Leases } from './serve-lease.js'
import { type Asked, lineUp, newPeer, type Served } from './serve-peer.js'
import { PieceReads } from './serve-reads.js'

export interface PieceRequest {
  readonly writer: WriterId
  readonly index: number
}

/** Where sealed pieces come from. */
export interface PieceSource {
  /**
   * Answers in the order asked; null for what cannot be served (P2), which the exchange then withdraws as lost() does.
   * The buffers must not change afterwards. Throwing counts as null for all, but for TooManyBytes: that is thrown, before
   * anything is read, where all together come to more than `maxBytes`.
   */
  read(requests: readonly PieceRequest[], maxBytes?: number): Promise<readonly (Buffer | null)[]>
  /**
   * Sealed bytes of a piece, known without reading it; undefined if it is not known, and read() will answer null. Throwing
   * counts as null.
   */
  lengthOf(request: PieceRequest): number | undefined
  /** Nothing that an answer of read() held is looked at any more; its memory may be used again. Called once at most. */
  release?(answers: readonly (Buffer | null)[]): void
}

/** Pieces of one peer that are read or being read: some 20 ms of a fast link, which is a few worker round trips. */
const READ_AHEAD_BYTES: number = 4 * 1024 * 1024
/** Of all peers: slow ones must not fill the memory each with their own. */
const ALL_AHEAD_BYTES: number = 8 * READ_AHEAD_BYTES
/** Of each peer, should others that take nothing hold all of that: what a worker reads while its last answer is sent. */
const OWN_AHEAD_BYTES: number = 512 * 1024
/** A message is sent when it is this full; less than the maximum, so that the block that overfills it still fits. */
const MESSAGE_BYTES: number = MAX_MESSAGE_BYTES - 128 * 1024
/** Of answers behind a block that is under way on the same wire. */
const MAX_PILED_BYTES: number = 512 * 1024

export interface ServeOptions {
  readonly source: PieceSource
  readonly log: Log
  readonly nowMs: () => number
  /** Whether we hold all of `count` pieces from that one on. */
  readonly holds: (writer: WriterId, index: number, count: number) => boolean
  /** Not served any more: clear our bit and tell everybody. */
  readonly withdraw: (writer: WriterId, indices: readonly number[]) => void
  readonly violated: (link: Link, code: string, detail: string) => void
  /** Calls read() soon. */
  readonly soon: () => void
  readonly limit: Gate | undefined
  readonly exempt: (link: Link) => boolean
}

export class Serve {
  readonly #o: ServeOptions
  readonly #peers = new Map<Link, Served>()
  readonly #leases: Leases
  readonly #reads: PieceReads
  readonly #runs: RunServe
  #uploadedBytes = 0
  #aheadBytes = 0
  /** Those whose end was sent. */
  uploadedPieces = 0

  constructor(options: ServeOptions) {
    this.#o = options
    this.#leases = new Leases(options.source, (peer, bytes) => this.#countAhead(peer, bytes))
    this.#reads = new PieceReads({
      ...options,
      leases: this.#leases,
      found: (asked, piece, lease) => this.#found(asked, piece, lease),
      over: (peers) => {
        for (const { link } of peers) this.pump(link)
        this.#leases.release()
      },
    })
    this.#runs = new RunServe({
      ...options,
      leases: this.#leases,
      isPaced: (link) => this.isPaced(link),
      mayReadAhead: (peer) => this.#mayReadAhead(peer),
      countAhead: (peer, bytes) => this.#countAhead(peer, bytes),
      pump: (link) => this.pump(link),
      sent: ({ peer, wire, first, count, length }) => {
        this.#countSent(peer, length)
        for (let index = first; index < first + count; index++) wire.given.set(index)
        this.uploadedPieces += count
      },
    })
  }

  get uploadedBytes(): number {
    return this.#uploadedBytes
  }

  uploadedTo(link: Link): number {
    return this.#peers.get(link)?.uploadedBytes ?? 0
  }

  /** Bytes per second over the last seconds. */
  rateTo(link: Link): number {
    return this.#peers.get(link)?.meter.rate(this.#o.nowMs()) ?? 0
  }

  addLink(link: Link): void {
    this.#peers.set(
      link,
      newPeer(link, (maxBytes) => this.#turn(link, maxBytes)),
    )
  }

  removeLink(link: Link): void {
    const peer = this.#peers.get(link)
    if (peer === undefined) return
    for (const wire of [...peer.open.keys(), ...peer.runs.open.keys()]) this.removeWire(link, wire)
    for (const line of [peer.ready, peer.small])
      for (let asked = line.shift(); asked !== undefined; asked = line.shift()) {
        this.#over(asked)
        this.#endLease(asked)
      }
    this.#runs.removePeer(peer)
    this.#o.limit?.pacer.drop(peer.lane)
    this.#peers.delete(link)
    this.#leases.release()
  }

  removeWire(link: Link, wire: FeedWire): void {
    const peer = this.#peers.get(link)
    if (peer === undefined) return
    for (const asked of [...(peer.open.get(wire)?.values() ?? [])]) this.#forget(asked)
    peer.open.delete(wire)
    this.#runs.removeWire(peer, wire)
    this.#o.soon()
  }

  request(
    link: Link,
    wire: FeedWire,
    index: number,
    offset: number,
    length: number,
    respond: (block?: Uint8Array) => void,
  ): void {
    const peer = this.#peers.get(link)
    if (peer === undefined) return
    if (peer.openCount >= MAX_PEER_REQUESTS) {
      this.#o.violated(link, 'too-many-requests', `more than ${MAX_PEER_REQUESTS} unanswered requests`)
      return
    }
    const key = keyOf(index, offset)
    let open = peer.open.get(wire)
    if (open === undefined) {
      open = new Map()
      peer.open.set(wire, open)
    }
    if (open.has(key)) {
      this.#o.violated(link, 'repeated-request', `block at ${offset} of piece ${index} asked for twice`)
      return
    }
    if (!this.#o.holds(wire.writer, index, 1)) {
      respond()
      wire.dontHave(index)
      return
    }
    const asked: Asked = {
      peer,
      wire,
      key,
      pieceKey: `${wire.writer}:${index}`,
      index,
      offset,
      length,
      askedAtMs: this.#o.nowMs(),
      respond,
      gone: false,
      isPart: false,
      block: undefined,
      isLast: false,
      lease: undefined,
    }
    open.set(key, asked)
    peer.openCount++
    peer.queued.push(asked)
    this.#o.soon()
  }

  /** The peer took a request back. */
  cancelled(link: Link, wire: FeedWire, index: number, offset: number): void {
    const peer = this.#peers.get(link)
    const asked = peer?.open.get(wire)?.get(keyOf(index, offset))
    if (peer === undefined || asked === undefined) return
    this.#forget(asked)
    // Requests that are cancelled at once must not fill the queue unseen by S1.
    if (peer.queued.length > 2 * MAX_PEER_REQUESTS) peer.queued.filter((each) => !each.gone)
  }

  /** What the peer says of runs that it asks for. */
  run(link: Link, wire: FeedWire, message: RunMessage): void {
    const peer = this.#peers.get(link)
    if (peer === undefined) return
    if (message.type === 'ask') this.#runs.asked(peer, wire, message, message.bytes)
    else if (message.type === 'cancel') this.#runs.cancelled(peer, wire, message.first)
  }

  /** Starts the reads of what was asked for since the last call. */
  read(): void {
    for (const peer of this.#peers.values()) {
      for (let asked = peer.queued.peek(); asked !== undefined; asked = peer.queued.peek()) {
        const mayRead = this.#mayReadAhead(peer) || isPaidFor(asked)
        if (!asked.gone && !(mayRead && peer.begunCount < MAX_PEER_REQUESTS)) break
        peer.queued.shift()
        if (!asked.gone) this.#begin(asked)
      }
      // No two peers' in one batch: who takes nothing holds on to the memory of all that is in it.
      this.#reads.start()
      if (this.#hasReady(peer)) this.pump(peer.link)
    }
    this.#runs.read(this.#peers.values())
  }

  /** Sends what is ready while the connection takes it. */
  pump(link: Link): void {
    const peer = this.#peers.get(link)
    if (peer === undefined) return
    if (!this.isPaced(link)) this.#pump(link, peer)
    else {
      this.#runs.pump(peer)
      if (peer.ready.length + peer.small.length + link.outBytes > 0 && link.drained)
        this.#o.limit!.want(peer.lane, link.connection)
    }
    this.#leases.release()
  }

  /** Whether answers to that peer wait for their turns. */
  isPaced(link: Link): boolean {
    const { limit } = this.#o
    return limit !== undefined && !limit.isFree && !this.#o.exempt(link)
  }

  #pump(link: Link, peer: Served): void {
    let moved = false
    for (const line of [peer.small, peer.ready])
      while (line.length > 0 && link.drained) {
        let outBytes = link.outBytes
        while (line.length > 0 && outBytes < MESSAGE_BYTES) {
          moved = true
          outBytes += this.#answerNext(line, false)
        }
        link.flush()
      }
    if (this.#runs.pump(peer)) moved = true
    if (moved) this.#o.soon() // there is room to read ahead again
  }

  /** A turn under a limit: a part of a block may be all that there is time for. */
  #turn(link: Link, maxBytes: number): number {
    const peer = this.#peers.get(link)
    if (peer === undefined || !link.drained) return 0
    const before = link.outBytes
    let outBytes = before
    if (peer.small.length > 0 && outBytes < MAX_PILED_BYTES) outBytes += this.#answerNext(peer.small, true)
    while (outBytes < maxBytes && peer.small.length + peer.ready.length > 0)
      outBytes += this.#answerNext(peer.small.length > 0 ? peer.small : peer.ready, true)
    this.#leases.release()
    if (outBytes > before) this.#o.soon()
    return link.send(maxBytes)
  }

  /** Its bytes. A copy outlives what the source has lent. */
  #answerNext(line: Fifo<Asked>, copy: boolean): number {
    const asked = line.shift()!
    this.#endLease(asked)
    if (asked.gone) {
      this.#over(asked)
      this.#o.soon()
      return 0
    }
    if (copy && asked.block !== undefined) asked.block = Buffer.from(asked.block)
    this.#answer(asked)
    return asked.length
  }

  #hasReady(peer: Served): boolean {
    return peer.ready.length + peer.small.length + peer.runs.ready.length > 0
  }

  #mayReadAhead(peer: Served): boolean {
    const { aheadBytes } = peer
    return (
      aheadBytes < OWN_AHEAD_BYTES || (aheadBytes < READ_AHEAD_BYTES && this.#aheadBytes < ALL_AHEAD_BYTES)
    )
  }

  #countAhead(peer: Served, bytes: number): void {
    peer.aheadBytes += bytes
    this.#aheadBytes += bytes
  }

  #begin(asked: Asked): void {
    const { peer, wire, index } = asked
    const { source, log, withdraw } = this.#o
    peer.begunCount++
    try {
      const pieceBytes = source.lengthOf({ writer: wire.writer, index })
      this.#countAhead(peer, chargeFor(asked, pieceBytes))
      this.#reads.add(asked, pieceBytes)
    } catch (thrown) {
      log.warn({ err: thrown, index }, 'cannot look up a piece to serve')
      this.#countAhead(peer, asked.length)
      this.#answer(asked)
      withdraw(wire.writer, [index])
    }
  }

  #over(asked: Asked): void {
    this.#countAhead(asked.peer, -this.#creditFor(asked))
  }

  #creditFor(asked: Asked): number {
    asked.peer.begunCount--
    return creditFor(asked)
  }

  /** Its piece is read, if it can be served. */
  #found(asked: Asked, piece: Buffer | undefined, lease?: Lease): void {
    if (asked.gone) {
      if (lease === undefined) this.#over(asked)
      else lease.takenBack += this.#creditFor(asked)
      // Nothing is written that would bring about the next round, but there is room to read ahead again.
      this.#o.soon()
      return
    }
    if (piece === undefined || asked.offset + asked.length > piece.length) {
      this.#answer(asked)
      return
    }
    asked.block =
      asked.length === piece.length ? piece : piece.subarray(asked.offset, asked.offset + asked.length)
    asked.isLast = asked.offset + asked.length === piece.length
    if (lease !== undefined) {
      asked.lease = lease
      lease.open++
    }
    lineUp(asked, piece.length, this.isPaced(asked.peer.link), this.#o.nowMs())
  }

  /** The block goes out with the next flush, or not at all. */
  #endLease(asked: Asked): void {
    const { lease } = asked
    if (lease === undefined) return
    asked.lease = undefined
    this.#leases.end(lease)
  }

  /** With the block if there is one, else a reject. */
  #answer(asked: Asked): void {
    const { peer, block } = asked
    this.#forget(asked)
    this.#over(asked)
    asked.respond(block)
    if (block === undefined) return
    this.#countSent(peer, block.length)
    if (!asked.isLast) return
    asked.wire.given.set(asked.index)
    this.uploadedPieces++
  }

  #countSent(peer: Served, bytes: number): void {
    peer.uploadedBytes += bytes
    peer.meter.add(bytes, this.#o.nowMs())
    this.#uploadedBytes += bytes
  }

  #forget(asked: Asked): void {
    if (asked.gone) return
    asked.gone = true
    asked.peer.openCount--
    asked.peer.open.get(asked.wire)?.delete(asked.key)
  }
}

function keyOf(index: number, offset: number): number {
  // Below 2^53: the guard keeps numbers under 2^24 and offsets under 2^28.
  return index * 2 ** 28 + offset
}
