// The fetching half: keeps each peer's line of requests as long as its pace deserves, and hands on whole pieces, unverified
// (arrived.ts).
//   G1. A piece comes from one peer, so that a wrong one has a name to it (P1).
//   G2. Pieces being fetched take at most `maxInFlightBytes` over all peers, give or take a piece a peer; a stalled
//       peer's do not count, since nothing of them arrives.
//   G3. A peer that answers nothing for `stallMs` is stalled: its pieces may be asked of others, and whoever delivers
//       first wins; it is asked for nothing more until it answers.
//   G4. A rejected piece is not asked of that peer again until it announces it anew or REFUSED_FOR_MS are over.
//      A piece that came wrong from a device is not asked of that device again.
//   G5. A block that was never asked for is a violation; one that was and has been cancelled is dropped.
//   G6. No lost answer is waited for for ever: a stalled peer is asked again for what it owes, at growing intervals, and
//       one that owes nothing may prove itself with one block. What a peer passes over by `stallMs` counts as rejected.
//   G7. The picker counts a piece as fetched exactly while a peer that is not stalled has a transfer of it.
import type { DeviceId } from '../core/ids.js'
import type { PeerNumber, Picker, Piece } from '../core/picker.js'
import { Arrived } from './arrived.js'
import { Distrust } from './distrust.js'
import type { FeedWire } from './feed-wire.js'
import { type Block, blockBytesFor, Source, type SourceStats, type Transfer } from './fetch-source.js'
import { FetchTurns } from './fetch-turns.js'
import type { Link } from './link.js'
import type { Gate } from './pacer.js'
import type { FetchedPiece } from './piece-rooms.js'
import { RunFetch } from './runs/run-fetch.js'
import type { RunMessage } from './runs/run-message.js'
import { Stalls } from './stalls.js'

/** Share of the budget that a peer gets at least: one average piece in the worst of files. */
const MIN_SHARE_BYTES: number = 1024 * 1024

export interface FetchOptions {
  readonly picker: Picker
  readonly seed: number
  readonly maxInFlightBytes: number
  readonly stallMs: number
  readonly nowMs: () => number
  readonly violated: (link: Link, code: string, detail: string) => void
  /** Calls fill() soon. */
  readonly soon: () => void
  readonly limit: Gate | undefined
  readonly exempt: (link: Link) => boolean
  /** A piece is whole, and the picker has forgotten it. */
  readonly completed: (piece: Piece) => void
  readonly stallChanged: (link: Link, stalled: boolean) => void
}

export class Fetch {
  readonly #o: FetchOptions
  readonly #sources = new Map<Link, Source>()
  readonly #byNumber = new Map<PeerNumber, Source>()
  readonly #arrivals = new Arrived()
  readonly #distrust = new Distrust()
  readonly #turns: FetchTurns
  /** Small pieces in a row, which go beside what the picker picks. */
  readonly runs: RunFetch
  readonly #stalls: Stalls
  #inFlightBytes = 0
  #paused = false

  constructor(options: FetchOptions) {
    this.#o = options
    const { limit, exempt, picker, nowMs } = options
    const ask = (source: Source): number => {
      return this.#mayAsk(source) ? this.#ask(source, true, nowMs()) : 0
    }
    this.#turns = new FetchTurns({ limit, exempt, picker, ask })
    this.runs = new RunFetch({
      ...options,
      sources: this.#sources,
      rooms: this.#arrivals.rooms,
      isPaced: (source) => this.#turns.gateOf(source) !== undefined,
      violated: (source, ...what) => options.violated(source.link, ...what),
      countInFlight: (source, bytes) => {
        if (!source.stalled) this.#inFlightBytes += bytes
      },
    })
    this.#stalls = new Stalls({
      ...{ picker, runs: this.runs },
      countInFlight: (bytes) => {
        this.#inFlightBytes += bytes
      },
      changed: ({ link, stalled }) => options.stallChanged(link, stalled),
    })
  }

  /** Pieces that have arrived whole, those that turned out wrong among them. */
  get downloadedPieces(): number {
    return this.#arrivals.pieceCount
  }

  get downloadedBytes(): number {
    return this.#arrivals.bytes
  }

  /** Of pieces being fetched, stalled peers' aside. */
  get inFlightBytes(): number {
    return this.#inFlightBytes
  }

  /** Pieces that a peer which has not stalled has a transfer of: counted one by one, to check G7. */
  countFetched(): number {
    const pieces = new Set<Piece>()
    for (const source of this.#sources.values())
      if (!source.stalled) for (const piece of source.transfers.keys()) pieces.add(piece)
    return pieces.size
  }

  /** Whether time alone can change something: then tick() must be called. */
  get needsTicks(): boolean {
    for (const source of this.#sources.values())
      if (source.blockCount > 0 || source.stalled || !source.refused.isEmpty) return true
    return false
  }

  set paused(value: boolean) {
    this.#paused = value
  }

  statsOf(link: Link): SourceStats {
    const source = this.#sources.get(link)
    return {
      downloadedBytes: source?.downloadedBytes ?? 0,
      rateBytesPerSecond: Math.round(source?.pace.rateBytesPerSecond ?? 0),
      downRate: source?.meter.rate(this.#o.nowMs()) ?? 0,
      inFlightBytes: source?.pieceBytes ?? 0,
      stalled: source?.stalled ?? false,
    }
  }

  addLink(link: Link): void {
    const number = this.#o.picker.addPeer()
    const source = new Source(link, number, this.#o.stallMs)
    this.#sources.set(link, source)
    this.#byNumber.set(number, source)
  }

  removeLink(link: Link): void {
    const source = this.#sources.get(link)
    if (source === undefined) return
    for (const transfer of [...source.transfers.values()]) this.#abandon(source, transfer, false)
    this.runs.giveBack(source, undefined, false)
    this.#turns.drop(source)
    this.#sources.delete(link)
    this.#byNumber.delete(source.number)
    this.#o.picker.removePeer(source.number)
    this.#o.soon()
  }

  removeWire(link: Link, wire: FeedWire): void {
    const source = this.#sources.get(link)
    if (source === undefined) return
    this.#abandonWire(source, wire, false)
    this.runs.giveBack(source, wire, false)
    source.forget(wire)
    this.#o.picker.setHeld(source.number, wire.writer, undefined)
    this.#o.soon()
  }

  /** The peer told its bitfield, choked or unchoked us. */
  availability(link: Link, wire: FeedWire): void {
    const source = this.#sources.get(link)
    if (source === undefined) return
    // What the peer will not serve must not count as held. It rejects all that it was asked for (BEP 6), except what it
    // receives after it has unchoked us again: that would stand at the peer unknown to us, were it not cancelled.
    if (!wire.serving) {
      this.#abandonWire(source, wire, true)
      this.runs.giveBack(source, wire)
    }
    this.#o.picker.setHeld(source.number, wire.writer, wire.serving ? wire.held : undefined)
    this.#o.soon()
  }

  gained(link: Link, wire: FeedWire, index: number): void {
    const source = this.#sources.get(link)
    if (source === undefined) return
    source.refused.forget(wire, index)
    if (!wire.serving) return
    this.#o.picker.gained(source.number, wire.writer, index)
    this.#o.soon()
  }

  /** Withdrawn; what was asked for of it will be rejected. */
  lost(link: Link, wire: FeedWire, index: number): void {
    const source = this.#sources.get(link)
    if (source === undefined) return
    source.refused.forget(wire, index)
    this.#o.picker.lost(source.number, wire.writer, index)
    this.#o.soon()
  }

  block(link: Link, wire: FeedWire, index: number, offset: number, bytes: Buffer): void {
    const source = this.#sources.get(link)
    if (source === undefined) return
    const nowMs = this.#o.nowMs()
    this.#arrivals.count(source, bytes.length, nowMs)
    const block = this.#answered(source, wire, index, offset, bytes.length)
    if (block === undefined) return
    if (block.length !== bytes.length) {
      this.#o.violated(link, 'bad-block', `${bytes.length} bytes where ${block.length} were asked for`)
      return
    }
    source.pace.block(bytes.length, block.asked, nowMs)
    this.#arrived(source, block.transfer, offset, bytes)
    this.#o.soon()
  }

  /** What the peer says of a run that it was asked for. */
  run(link: Link, wire: FeedWire, message: RunMessage): void {
    const source = this.#sources.get(link)
    if (source === undefined) return
    const nowMs = this.#o.nowMs()
    this.#stalls.progressed(source, nowMs)
    if (message.type === 'answer') this.#arrivals.count(source, message.pieces.length, nowMs)
    this.#arrivals.pieceCount += this.runs.answered(source, wire, message, nowMs)
    this.#o.soon()
  }

  rejected(link: Link, wire: FeedWire, index: number, offset: number, length: number): void {
    const source = this.#sources.get(link)
    if (source === undefined) return
    const nowMs = this.#o.nowMs()
    const block = this.#answered(source, wire, index, offset, length)
    if (block?.isPaced === true) this.#turns.refund(source, block.length)
    if (block !== undefined) this.#refused(source, block.transfer, nowMs)
    this.#o.soon()
  }

  /** Takes back what was asked for of a piece that the picker no longer wants. */
  cancel(piece: Piece, fetchers: readonly PeerNumber[]): void {
    for (const number of fetchers) {
      const source = this.#byNumber.get(number)
      const transfer = source?.transfers.get(piece)
      if (source !== undefined && transfer !== undefined) this.#abandon(source, transfer, true)
    }
  }

  /** That device's copy of the piece is wrong. */
  distrust(device: DeviceId, key: string): void {
    this.#distrust.add(device, key)
  }

  /** Asks for more wherever there is room. */
  fill(): void {
    if (this.#paused) return
    const nowMs = this.#o.nowMs()
    for (const source of this.#sources.values()) this.#fill(source, nowMs)
  }

  /** What has arrived since the last call. */
  takeFetched(): FetchedPiece[] {
    return this.#arrivals.take()
  }

  /** Notices what did not happen: answers, and refusals that are old enough to be forgotten. */
  tick(): void {
    const nowMs = this.#o.nowMs()
    for (const source of this.#sources.values()) {
      this.#stalls.look(source, nowMs)
      this.runs.passedOver(source)
      for (const transfer of source.passedOver()) this.#refused(source, transfer, nowMs)
      for (const [wire, index] of source.refused.takeOld(nowMs)) {
        wire.held.set(index)
        if (wire.serving) this.#o.picker.gained(source.number, wire.writer, index)
      }
    }
    this.fill()
  }

  #fill(source: Source, nowMs: number): void {
    if (!this.#mayAsk(source)) return
    const gate = this.#turns.gateOf(source)
    if (gate !== undefined) this.#turns.want(source, gate)
    else while (this.#mayAsk(source) && this.#askNext(source, nowMs));
    if (source.askedBytes < source.pace.targetBytes) source.pace.starved(source.askedBytes)
  }

  #mayAsk(source: Source): boolean {
    if (source.stalled || this.#paused) return false
    const target = source.onTrial ? 1 : source.pace.targetBytes
    return source.askedBytes < Math.min(target, this.#turns.targetOf(source))
  }

  /** Asks for a run and for a block by turns, as long as there are both. */
  #askNext(source: Source, nowMs: number): boolean {
    const run = (): boolean => this.runs.ask(source, this.#roomFor(source), nowMs) > 0
    const block = (): boolean => this.#ask(source, false, nowMs) > 0
    source.isRunNext = !source.isRunNext
    return source.isRunNext ? block() || run() : run() || block()
  }

  /** Asks for one block; its length, 0: there is none to ask for. */
  #ask(source: Source, isPaced: boolean, nowMs: number): number {
    // A limit makes transfers long: what is fresh does not wait for the end of one.
    if (isPaced && this.#o.picker.hasFresh(source.number)) source.urgent ??= this.#nextTransfer(source, nowMs)
    if (source.urgent === undefined) source.unfinished ??= this.#nextTransfer(source, nowMs)
    const transfer = source.urgent ?? source.unfinished
    if (transfer === undefined || source.blockCount >= transfer.wire.requestLimit) return 0
    return source.ask(transfer, nowMs, isPaced)
  }

  #nextTransfer(source: Source, nowMs: number): Transfer | undefined {
    const { picker } = this.#o
    const piece = picker.pick(source.number, nowMs, this.#roomFor(source))
    if (piece === undefined || piece === 'no-room') return undefined
    const ref = picker.refAt(piece, source.number)
    const wire = ref === undefined ? undefined : source.link.wires.get(ref.writer)
    if (ref === undefined || wire === undefined) {
      picker.release(piece, source.number)
      return undefined
    }
    if (this.#distrust.has(source.link.device, piece.key)) {
      wire.held.clear(ref.index)
      picker.lost(source.number, ref.writer, ref.index)
      picker.release(piece, source.number)
      return this.#nextTransfer(source, nowMs)
    }
    const limit = this.#turns.gateOf(source)?.bytesPerSecond
    const blockBytes = blockBytesFor(limit, source.pace.rateBytesPerSecond)
    const transfer: Transfer = {
      piece,
      wire,
      index: ref.index,
      blockBytes,
      askedBytes: 0,
      arrivedBytes: 0,
      kept: undefined,
    }
    source.begin(transfer)
    this.#inFlightBytes += piece.length
    return transfer
  }

  /** Longest piece that may be fetched from this peer on top of what is (G2). */
  #roomFor(source: Source): number {
    const { maxInFlightBytes } = this.#o
    if (this.#inFlightBytes === 0) return Number.POSITIVE_INFINITY
    const share = Math.max(MIN_SHARE_BYTES, maxInFlightBytes / this.#sources.size)
    const left = share - source.pieceBytes
    return source.pieceBytes === 0 ? Math.max(left, maxInFlightBytes - this.#inFlightBytes) : left
  }

  /** The request that an answer belongs to; undefined if it was cancelled, or never made (G5). */
  #answered(
    source: Source,
    wire: FeedWire,
    index: number,
    offset: number,
    length: number,
  ): Block | undefined {
    this.#stalls.progressed(source, this.#o.nowMs())
    const block = source.answered(wire, index, offset, length)
    if (block === undefined && --source.cancelledBlocks < 0)
      this.#o.violated(source.link, 'unrequested', `answer for ${offset} of piece ${index}`)
    return block
  }

  /** The peer will not deliver that piece now (G4). */
  #refused(source: Source, transfer: Transfer, nowMs: number): void {
    const { wire, index } = transfer
    this.#abandon(source, transfer, true)
    if (!wire.held.clear(index)) return
    source.refused.add(wire, index, nowMs)
    this.#o.picker.lost(source.number, wire.writer, index)
  }

  #arrived(source: Source, transfer: Transfer, offset: number, bytes: Buffer): void {
    const { piece } = transfer
    if (!this.#arrivals.block(source, transfer, offset, bytes)) return
    this.#drop(source, transfer)
    const fetchers = this.#o.picker.done(piece)
    this.#o.completed(piece)
    if (fetchers.length > 1) this.cancel(piece, fetchers)
  }

  #abandonWire(source: Source, wire: FeedWire, tell: boolean): void {
    for (const transfer of [...source.transfers.values()])
      if (transfer.wire === wire) this.#abandon(source, transfer, tell)
  }

  /** Gives up a transfer; `tell` cancels at the peer what it has not answered. */
  #abandon(source: Source, transfer: Transfer, tell: boolean): void {
    this.#turns.refund(source, source.giveUp(transfer, tell))
    this.#arrivals.giveUp(transfer)
    this.#drop(source, transfer)
    this.#o.picker.release(transfer.piece, source.number)
  }

  #drop(source: Source, transfer: Transfer): void {
    source.end(transfer)
    if (!source.stalled) this.#inFlightBytes -= transfer.piece.length
  }
}
