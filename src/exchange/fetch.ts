// The fetching half: keeps each peer's line of requests as long as its pace deserves, puts blocks together, and hands on
// whole pieces, unverified.
//   G1. A piece comes from one peer, so that a wrong one has a name to it (P1).
//   G2. Pieces being fetched take at most `maxInFlightBytes` over all peers, give or take a piece a peer; a stalled
//       peer's do not count, since nothing of them arrives.
//   G3. A peer that delivers no byte for `stallMs` is stalled: its pieces may be asked of others, and whoever delivers
//       first wins; it is asked for nothing more until it delivers.
//   G4. A rejected piece is not asked of that peer again until it announces it anew or REFUSED_FOR_MS are over.
//      A piece that came wrong from a device is not asked of that device again.
//   G5. A block that was never asked for is a violation; one that was and has been cancelled is dropped.
import type { DeviceId } from '../core/ids.js'
import type { PeerNumber, Picker, Piece } from '../core/picker.js'
import type { FeedWire } from './feed-wire.js'
import { type Block, newSource, type Source, type Transfer } from './fetch-source.js'
import { BLOCK_BYTES } from './guard.js'
import type { Link } from './link.js'
import type { RateLimit } from './rate-limit.js'

/** A piece as it arrived: `bytes` may be a view of a larger network buffer, and nobody has looked at them yet. */
export interface FetchedPiece {
  readonly id: Buffer
  readonly bytes: Buffer
  readonly from: DeviceId
}

/** A peer may hold a piece again that it could not serve before (its file was being written), without having said so. */
const REFUSED_FOR_MS = 15_000
/** Wrong pieces remembered of one device; it is banned long before. */
const MAX_DISTRUSTED = 1024
/** Share of the budget that a peer gets at least: one average piece in the worst of files. */
const MIN_SHARE_BYTES: number = 1024 * 1024

export interface SourceStats {
  readonly downloadedBytes: number
  readonly rateBytesPerSecond: number
  readonly inFlightBytes: number
  readonly stalled: boolean
}

export interface FetchOptions {
  readonly picker: Picker
  readonly maxInFlightBytes: number
  readonly stallMs: number
  readonly nowMs: () => number
  readonly violated: (link: Link, code: string, detail: string) => void
  /** Calls fill() soon. */
  readonly soon: () => void
  readonly later: (delayMs: number) => void
  readonly limit: RateLimit | undefined
  readonly exempt: (link: Link) => boolean
  /** A piece is whole, and the picker has forgotten it. */
  readonly completed: (piece: Piece) => void
  readonly stallChanged: (link: Link, stalled: boolean) => void
}

export class Fetch {
  readonly #o: FetchOptions
  readonly #sources = new Map<Link, Source>()
  readonly #byNumber = new Map<PeerNumber, Source>()
  #fetched: FetchedPiece[] = []
  /** Keys of the pieces that came wrong. */
  readonly #distrusted = new Map<DeviceId, Set<string>>()
  #inFlightBytes = 0
  #downloadedBytes = 0
  #paused = false

  constructor(options: FetchOptions) {
    this.#o = options
  }

  get downloadedBytes(): number {
    return this.#downloadedBytes
  }

  /** Of pieces being fetched, stalled peers' aside. */
  get inFlightBytes(): number {
    return this.#inFlightBytes
  }

  /** Whether time alone can change something: then tick() must be called. */
  get needsTicks(): boolean {
    for (const source of this.#sources.values())
      if (source.blockCount > 0 || source.refused.size > 0) return true
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
      inFlightBytes: source?.pieceBytes ?? 0,
      stalled: source?.stalled ?? false,
    }
  }

  addLink(link: Link): void {
    const number = this.#o.picker.addPeer()
    const source = newSource(link, number)
    this.#sources.set(link, source)
    this.#byNumber.set(number, source)
  }

  removeLink(link: Link): void {
    const source = this.#sources.get(link)
    if (source === undefined) return
    for (const transfer of [...source.transfers.values()]) this.#abandon(source, transfer, false)
    this.#sources.delete(link)
    this.#byNumber.delete(source.number)
    this.#o.picker.removePeer(source.number)
    this.#o.soon()
  }

  removeWire(link: Link, wire: FeedWire): void {
    const source = this.#sources.get(link)
    if (source === undefined) return
    this.#abandonWire(source, wire)
    source.blocks.delete(wire)
    source.refused.delete(wire)
    this.#o.picker.setHeld(source.number, wire.writer, undefined)
    this.#o.soon()
  }

  /** The peer told its bitfield, choked or unchoked us. */
  availability(link: Link, wire: FeedWire): void {
    const source = this.#sources.get(link)
    if (source === undefined) return
    // What the peer will not serve must not count as held. A choke is followed by rejects for all that was asked.
    if (!wire.serving) this.#abandonWire(source, wire)
    this.#o.picker.setHeld(source.number, wire.writer, wire.serving ? wire.held : undefined)
    this.#o.soon()
  }

  gained(link: Link, wire: FeedWire, index: number): void {
    const source = this.#sources.get(link)
    if (source === undefined) return
    source.refused.get(wire)?.delete(index)
    if (!wire.serving) return
    this.#o.picker.gained(source.number, wire.writer, index)
    this.#o.soon()
  }

  /** Withdrawn; what was asked for of it will be rejected. */
  lost(link: Link, wire: FeedWire, index: number): void {
    const source = this.#sources.get(link)
    if (source === undefined) return
    source.refused.get(wire)?.delete(index)
    this.#o.picker.lost(source.number, wire.writer, index)
    this.#o.soon()
  }

  block(link: Link, wire: FeedWire, index: number, offset: number, bytes: Buffer): void {
    const source = this.#sources.get(link)
    if (source === undefined) return
    const nowMs = this.#o.nowMs()
    this.#downloadedBytes += bytes.length
    source.downloadedBytes += bytes.length
    source.progressAtMs = nowMs
    if (source.stalled) this.#revive(source)
    const block = this.#takeBlock(source, wire, index, offset)
    if (block === undefined) {
      if (--source.cancelledBlocks < 0)
        this.#o.violated(link, 'unrequested', `block at ${offset} of piece ${index}`)
      return
    }
    if (block.length !== bytes.length) {
      this.#o.violated(link, 'bad-block', `${bytes.length} bytes where ${block.length} were asked for`)
      return
    }
    source.pace.block(bytes.length, block.askedAtMs, nowMs)
    this.#arrived(source, block.transfer, offset, bytes)
    this.#o.soon()
  }

  rejected(link: Link, wire: FeedWire, index: number, offset: number): void {
    const source = this.#sources.get(link)
    if (source === undefined) return
    const block = this.#takeBlock(source, wire, index, offset)
    if (block === undefined) {
      if (--source.cancelledBlocks < 0)
        this.#o.violated(link, 'unrequested', `reject of ${offset} of piece ${index}`)
      return
    }
    const { transfer } = block
    this.#abandon(source, transfer, true)
    if (wire.held.clear(index)) {
      let refused = source.refused.get(wire)
      if (refused === undefined) {
        refused = new Map()
        source.refused.set(wire, refused)
      }
      refused.set(index, this.#o.nowMs() + REFUSED_FOR_MS)
      this.#o.picker.lost(source.number, wire.writer, index)
    }
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
    const keys = this.#distrusted.get(device)
    if (keys === undefined) this.#distrusted.set(device, new Set([key]))
    else if (keys.size < MAX_DISTRUSTED) keys.add(key)
  }

  /** Asks for more wherever there is room. */
  fill(): void {
    if (this.#paused) return
    const nowMs = this.#o.nowMs()
    for (const source of this.#sources.values()) this.#fill(source, nowMs)
  }

  /** What has arrived since the last call. */
  takeFetched(): FetchedPiece[] {
    const fetched = this.#fetched
    this.#fetched = []
    return fetched
  }

  /** Notices what did not happen: stalls, and refusals that are old enough to be forgotten. */
  tick(): void {
    const nowMs = this.#o.nowMs()
    for (const source of this.#sources.values()) {
      if (!source.stalled && source.blockCount > 0 && nowMs - source.progressAtMs >= this.#o.stallMs)
        this.#stall(source)
      for (const [wire, refused] of source.refused) {
        for (const [index, untilMs] of refused) {
          if (untilMs > nowMs) break // oldest first
          refused.delete(index)
          wire.held.set(index)
          if (wire.serving) this.#o.picker.gained(source.number, wire.writer, index)
        }
        if (refused.size === 0) source.refused.delete(wire)
      }
    }
    this.fill()
  }

  #fill(source: Source, nowMs: number): void {
    if (source.stalled) return
    const target = source.pace.targetBytes
    while (source.askedBytes < target) {
      source.unfinished ??= this.#nextTransfer(source, nowMs)
      const transfer = source.unfinished
      if (transfer === undefined) return
      if (source.blockCount >= transfer.wire.requestLimit) return
      if (!this.#mayDownload(source, transfer, nowMs)) return
      this.#ask(source, transfer, nowMs)
    }
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
    if (this.#distrusted.get(source.link.device)?.has(piece.key)) {
      wire.held.clear(ref.index)
      picker.lost(source.number, ref.writer, ref.index)
      picker.release(piece, source.number)
      return this.#nextTransfer(source, nowMs)
    }
    const transfer = { piece, wire, index: ref.index, askedBytes: 0, arrivedBytes: 0, bytes: undefined }
    source.transfers.set(piece, transfer)
    source.pieceBytes += piece.length
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

  #mayDownload(source: Source, transfer: Transfer, nowMs: number): boolean {
    const { limit } = this.#o
    if (limit === undefined || this.#o.exempt(source.link)) return true
    if (limit.take(Math.min(BLOCK_BYTES, transfer.piece.length - transfer.askedBytes), nowMs)) return true
    this.#o.later(limit.waitMs(nowMs))
    return false
  }

  #ask(source: Source, transfer: Transfer, nowMs: number): void {
    const { piece, wire, index } = transfer
    const offset = transfer.askedBytes
    const length = Math.min(BLOCK_BYTES, piece.length - offset)
    let blocks = source.blocks.get(wire)
    if (blocks === undefined) {
      blocks = new Map()
      source.blocks.set(wire, blocks)
    }
    if (source.blockCount === 0) {
      source.progressAtMs = nowMs
      source.pace.begin(nowMs)
    }
    blocks.set(keyOf(index, offset), { transfer, length, askedAtMs: nowMs })
    source.blockCount++
    source.askedBytes += length
    transfer.askedBytes += length
    if (transfer.askedBytes === piece.length) source.unfinished = undefined
    wire.request(index, offset, length)
  }

  #takeBlock(source: Source, wire: FeedWire, index: number, offset: number): Block | undefined {
    if (offset % BLOCK_BYTES !== 0) return undefined
    const key = keyOf(index, offset)
    const blocks = source.blocks.get(wire)
    const block = blocks?.get(key)
    if (blocks === undefined || block === undefined) return undefined
    blocks.delete(key)
    source.blockCount--
    source.askedBytes -= block.length
    return block
  }

  #arrived(source: Source, transfer: Transfer, offset: number, bytes: Buffer): void {
    const { piece } = transfer
    transfer.arrivedBytes += bytes.length
    if (bytes.length < piece.length) {
      transfer.bytes ??= Buffer.allocUnsafeSlow(piece.length)
      bytes.copy(transfer.bytes, offset)
    }
    if (transfer.arrivedBytes < piece.length) return
    this.#fetched.push({ id: piece.id, bytes: transfer.bytes ?? bytes, from: source.link.device })
    this.#drop(source, transfer)
    const fetchers = this.#o.picker.done(piece)
    this.#o.completed(piece)
    if (fetchers.length > 1) this.cancel(piece, fetchers)
  }

  #abandonWire(source: Source, wire: FeedWire): void {
    for (const transfer of [...source.transfers.values()])
      if (transfer.wire === wire) this.#abandon(source, transfer, false)
  }

  /** Gives up a transfer; `tell` cancels at the peer what it has not answered. */
  #abandon(source: Source, transfer: Transfer, tell: boolean): void {
    const { wire, index, askedBytes } = transfer
    for (let offset = 0; offset < askedBytes; offset += BLOCK_BYTES) {
      const block = this.#takeBlock(source, wire, index, offset)
      if (block === undefined) continue
      source.cancelledBlocks++
      if (tell) wire.cancel(index, offset, block.length)
    }
    this.#drop(source, transfer)
    this.#o.picker.release(transfer.piece, source.number)
  }

  #drop(source: Source, transfer: Transfer): void {
    source.transfers.delete(transfer.piece)
    source.pieceBytes -= transfer.piece.length
    if (!source.stalled) this.#inFlightBytes -= transfer.piece.length
    if (source.unfinished === transfer) source.unfinished = undefined
  }

  #stall(source: Source): void {
    source.stalled = true
    this.#inFlightBytes -= source.pieceBytes
    this.#o.picker.stall(source.number)
    this.#o.stallChanged(source.link, true)
  }

  #revive(source: Source): void {
    source.stalled = false
    this.#inFlightBytes += source.pieceBytes
    this.#o.picker.revive(source.number)
    this.#o.stallChanged(source.link, false)
  }
}

/** Only offsets that are multiples of BLOCK_BYTES are ever asked for. */
function keyOf(index: number, offset: number): number {
  return index + (offset / BLOCK_BYTES) * 2 ** 24
}
