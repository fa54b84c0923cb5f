// The exchange of one share's pieces (DESIGN section 7): every feed is a growing torrent, every proven connection carries
// one BitTorrent wire per feed that both sides know. What is wanted is asked for by the picker's order (X3); what peers
// ask for comes from the PieceSource.
// Promises: one tick of the event loop is one round: deliver what arrived, ask for more, read what was asked for, write.
// Leaves to others: whether a piece is what its id says (P1). Whoever stages a piece checks it, and calls wrong() or,
// when it can be served, have().
import { EventEmitter } from 'node:events'
import type { Bitfield } from '../core/bitfield.js'
import type { FeedHoldings } from '../core/holdings.js'
import type { DeviceId, WriterId } from '../core/ids.js'
import {
  Picker,
  type Piece,
  type PieceName,
  type PieceRef,
  pieceKeyOf,
  type WantedPiece,
} from '../core/picker.js'
import type { Log } from '../ports/log.js'
import { Announcer } from './announcer.js'
import type { ExchangeFeed, ExchangeOptions, ExchangeStats, FetchedPiece } from './exchange-types.js'
import type { FeedWire } from './feed-wire.js'
import { Fetch } from './fetch.js'
import { holdingsOf, learn, type OwnHoldings, ownHoldings } from './holdings.js'
import { Link, type LinkedFeed, type PeerLink } from './link.js'
import { Recent } from './recent.js'
import type { FetchedRun, RunFetch, WantedRun } from './runs/run-fetch.js'
import { Serve } from './serve.js'

export type * from './exchange-types.js'

interface ExchangeEvents {
  pieces: [batch: readonly FetchedPiece[]]
  /** Runs that have come, and that were refused: those are to be wanted piece by piece. */
  runs: [fetched: readonly FetchedRun[], refused: readonly WantedRun[]]
  availability: []
}

interface Feed extends LinkedFeed {
  pieceCount: number
  readonly have: Bitfield
}

const DEFAULT_IN_FLIGHT_BYTES: number = 32 * 1024 * 1024
const DEFAULT_STALL_MS = 10_000
const DEFAULT_UPLOAD_SLOTS = 64
const TICK_MS = 250
const AVAILABILITY_MS = 200
/** A peer that sends a wrong piece once more is not spoken to for so long (P1). */
const BAN_MS = 10 * 60 * 1000

export class Exchange extends EventEmitter<ExchangeEvents> {
  readonly #o: ExchangeOptions
  readonly #log: Log
  readonly #nowMs: () => number
  readonly #picker: Picker
  readonly #fetch: Fetch
  readonly #serve: Serve
  readonly #feeds = new Map<WriterId, Feed>()
  readonly #links = new Set<Link>()
  readonly #untrack = new Map<Link, () => void>()
  readonly #offences = new Map<DeviceId, number>()
  readonly #delivered = new Recent<WantedPiece>()
  #round: NodeJS.Immediate | undefined
  #tickTimer: NodeJS.Timeout | undefined
  readonly #availability: Announcer
  #wrongPieces = 0
  #violations = 0
  #closed = false

  constructor(options: ExchangeOptions) {
    super()
    this.#o = options
    this.#log = options.log
    this.#nowMs = options.nowMs ?? (() => performance.now())
    this.#availability = new Announcer(() => this.emit('availability'), AVAILABILITY_MS, this.#nowMs)
    const seed = options.seed ?? Number.parseInt(options.device.slice(0, 8), 16)
    this.#picker = new Picker(seed)
    const exempt = (link: Link): boolean => options.exempt?.(link.peer) ?? false
    const shared = {
      nowMs: this.#nowMs,
      exempt,
      violated: (link: Link, code: string, detail: string) => this.#violated(link, code, detail),
      soon: () => this.#soon(),
    }
    this.#fetch = new Fetch({
      ...shared,
      picker: this.#picker,
      seed,
      maxInFlightBytes: options.maxInFlightBytes ?? DEFAULT_IN_FLIGHT_BYTES,
      stallMs: options.stallMs ?? DEFAULT_STALL_MS,
      limit: options.downloadLimit,
      completed: (piece) => this.#remember(piece),
      stallChanged: (link, stalled) =>
        this.#log.debug({ device: link.device, stalled }, 'peer stalled or delivers again'),
    })
    this.#serve = new Serve({
      ...shared,
      source: options.source,
      log: options.log,
      holds: (writer, index, count) => this.#feeds.get(writer)?.have.hasAll(index, count) ?? false,
      withdraw: (writer, indices) => this.lost(writer, indices),
      limit: options.uploadLimit,
    })
  }

  /** Offers a feed to all peers, present and future. A second call for the same writer only grows it. */
  addFeed(f: ExchangeFeed): void {
    if (this.#closed) return
    if (this.#feeds.has(f.writer)) {
      this.grow(f.writer, f.pieceCount)
      return
    }
    const feed: Feed = {
      writer: f.writer,
      discoveryKey: f.discoveryKey,
      pieceCount: f.pieceCount,
      have: f.have,
      heldBytes: () => (feed.have.count === 0 ? undefined : feed.have.toWire(feed.pieceCount)),
    }
    this.#feeds.set(f.writer, feed)
    for (const link of this.#links) link.addFeed(feed)
  }

  /** The feed has announced more pieces; a lower count changes nothing. */
  grow(writer: WriterId, pieceCount: number): void {
    const feed = this.#feeds.get(writer)
    if (feed !== undefined) feed.pieceCount = Math.max(feed.pieceCount, pieceCount)
  }

  /** We hold these pieces now; peers that lack them are told. Unknown feeds are ignored. */
  have(writer: WriterId, indices: readonly number[]): void {
    const feed = this.#feeds.get(writer)
    if (feed === undefined || this.#closed) return
    for (const index of indices) {
      this.grow(writer, index + 1)
      if (!feed.have.set(index)) continue
      for (const link of this.#links) link.wires.get(writer)?.have(index)
    }
  }

  /** We no longer hold these pieces; peers are told (BEP 54). */
  lost(writer: WriterId, indices: readonly number[]): void {
    const feed = this.#feeds.get(writer)
    if (feed === undefined || this.#closed) return
    for (const index of indices) {
      if (!feed.have.clear(index)) continue
      for (const link of this.#links) link.wires.get(writer)?.dontHave(index)
    }
  }

  /** Speaks with a proven peer until its connection closes. */
  attach(peer: PeerLink): void {
    const { stream } = peer.mux
    if (this.#closed || stream.destroying || stream.destroyed) return
    const link: Link = new Link(this.#o.device, peer, {
      availability: (wire) => {
        this.#fetch.availability(link, wire)
        if (wire.serving && wire.held.count > 0) this.#availability.changed()
      },
      gained: (wire, index) => {
        this.#fetch.gained(link, wire, index)
        if (wire.serving) this.#availability.changed()
      },
      lost: (wire, index) => {
        this.#fetch.lost(link, wire, index)
        // While the peer held it, we did not tell it that we do.
        if (this.#feeds.get(wire.writer)?.have.get(index)) wire.have(index)
      },
      block: (wire, index, offset, block) => this.#fetch.block(link, wire, index, offset, block),
      rejected: (...answer) => this.#fetch.rejected(link, ...answer),
      request: (wire, index, offset, length, respond) =>
        this.#serve.request(link, wire, index, offset, length, respond),
      cancelled: (wire, index, offset) => this.#serve.cancelled(link, wire, index, offset),
      run: (wire, message) => {
        const { type } = message
        if (type === 'ask' || type === 'cancel') this.#serve.run(link, wire, message)
        else this.#fetch.run(link, wire, message)
      },
      violated: (_wire, code, detail) => this.#violated(link, code, detail),
      output: () => this.#soon(),
      drained: () => this.#serve.pump(link),
      wireClosed: (wire) => this.#wireClosed(link, wire),
      isPaced: () => this.#serve.isPaced(link),
    })
    this.#links.add(link)
    this.#fetch.addLink(link)
    this.#serve.addLink(link)
    this.#giveSlots()
    this.#track(link)
    peer.on('close', () => this.#detach(link))
    for (const feed of this.#feeds.values()) link.addFeed(feed)
  }

  /** Fetches these pieces from whoever holds them, now or later. Wanting one twice is wanting it once. */
  want(pieces: readonly WantedPiece[]): void {
    if (this.#closed) return
    for (const piece of pieces) {
      this.#delivered.delete(pieceKeyOf(piece))
      this.#picker.want(piece)
    }
    this.#soon()
  }

  /** Stops fetching these pieces. Those delivered are forgotten. */
  unwant(pieces: readonly PieceName[]): void {
    for (const name of pieces) {
      this.#delivered.delete(pieceKeyOf(name))
      const piece = this.#picker.find(name)
      if (piece !== undefined) this.#fetch.cancel(piece, this.#picker.done(piece))
    }
    this.#soon()
  }

  /**
   * A delivered piece is not what its id says (P1). The peer is dropped, on a repeat banned, and the piece wanted again,
   * but never from that device: its disk may have rotten there, and all else it holds is still welcome.
   * False if the piece was delivered too long ago to be remembered: then want() it again.
   */
  wrong(name: PieceName, from: DeviceId): boolean {
    this.#wrongPieces++
    this.#log.warn({ device: from }, 'peer sent a wrong piece')
    const key = pieceKeyOf(name)
    this.#fetch.distrust(from, key)
    this.#offend(from, 'sent a wrong piece')
    const wanted = this.#delivered.get(key)
    if (wanted === undefined) return this.#picker.find(name) !== undefined
    this.#delivered.delete(key)
    this.want([wanted])
    return true
  }

  /** Whether a connected peer that serves us holds the piece under any of these references. */
  isAvailable(refs: readonly PieceRef[]): boolean {
    return this.#picker.isHeld(refs)
  }

  /** Whether a connected peer that serves us holds anything. Before one does, and `availability` says so, nothing can be had. */
  get hasSources(): boolean {
    return this.#picker.hasHolders
  }

  /** Small pieces in a row can be wanted as one; what else is wanted must not be in it. */
  get runs(): Pick<RunFetch, 'want' | 'holds' | 'canServe' | 'longestBytes' | 'takeUnserved'> {
    return this.#fetch.runs
  }

  /** Asks for nothing more until resume(); what was asked for still arrives, at most the in-flight budget. */
  pause(): void {
    this.#fetch.paused = true
  }

  resume(): void {
    this.#fetch.paused = false
    this.#soon()
  }

  stats(): ExchangeStats {
    return {
      downloadedBytes: this.#fetch.downloadedBytes,
      uploadedBytes: this.#serve.uploadedBytes,
      downloadedPieces: this.#fetch.downloadedPieces,
      uploadedPieces: this.#serve.uploadedPieces,
      inFlight: this.#picker.fetchedCount + this.#fetch.runs.askedCount,
      inFlightBytes: this.#fetch.inFlightBytes,
      wanted: this.#picker.wantedCount + this.#fetch.runs.wantedCount,
      wrongPieces: this.#wrongPieces,
      violations: this.#violations,
      perPeer: [...this.#links].map((link) => ({
        device: link.device,
        uploadedBytes: this.#serve.uploadedTo(link),
        upRate: this.#serve.rateTo(link),
        choked: link.wires.size > 0 && ![...link.wires.values()].some(({ serving }) => serving),
        ...this.#fetch.statsOf(link),
      })),
    }
  }

  /**
   * Who holds which pieces, as far as we know: what peers told, what they were sent, and all that we hold for the devices
   * `inSync`. New copies; costs something per piece.
   */
  holdings(inSync: ReadonlySet<DeviceId>): FeedHoldings[] {
    const wanted = (writer: WriterId): readonly number[] => [
      ...this.#picker.wantedIn(writer),
      ...this.#fetch.runs.wantedIn(writer),
    ]
    return holdingsOf(this.#feeds.values(), this.#links, wanted, inSync)
  }

  /** What we hold of each feed. New copies. */
  own(): OwnHoldings[] {
    return ownHoldings(this.#feeds.values())
  }

  /** A connected device has just said all that it holds, by feed in BEP 3's form. The exchange's from now on. */
  learn(device: DeviceId, holdings: ReadonlyMap<WriterId, Uint8Array>): void {
    learn(this.#links, device, holdings)
  }

  /** What time alone changes: stalls, the endgame, old refusals. Called by a timer unless `ticking` is false. */
  tick(): void {
    if (this.#closed) return
    this.#fetch.tick()
    this.#soon()
  }

  /** Leaves all connections open, speaks on none any more. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const link of [...this.#links]) this.#detach(link)
    clearImmediate(this.#round)
    clearTimeout(this.#tickTimer)
    this.#availability.stop()
    this.#feeds.clear()
    this.#delivered.clear()
  }

  /** All that its connection carries counts for the limits, unless the peer is exempt. */
  #track(link: Link): void {
    const { downloadLimit, uploadLimit, exempt } = this.#o
    const { connection } = link
    const counted = (bytes: () => number): number => (exempt?.(link.peer) === true ? 0 : bytes())
    const stops = [
      downloadLimit?.pacer.track(connection, { moved: () => counted(() => connection.rawBytesRead) }),
      uploadLimit?.pacer.track(connection, { moved: () => counted(() => connection.rawBytesWritten) }),
    ]
    this.#untrack.set(link, () => {
      for (const stop of stops) stop?.()
    })
  }

  #soon(): void {
    if (this.#round !== undefined || this.#closed) return
    this.#round = setImmediate(() => {
      this.#round = undefined
      this.#runRound()
    })
  }

  #runRound(): void {
    this.#deliver()
    this.#fetch.fill()
    this.#serve.read()
    for (const link of this.#links) {
      link.flush()
      // Under a limit something may be left that waits for a turn.
      if (link.outBytes > 0) this.#serve.pump(link)
    }
    if (this.#tickTimer === undefined && this.#o.ticking !== false && this.#fetch.needsTicks)
      this.#tickTimer = setTimeout(() => {
        this.#tickTimer = undefined
        this.tick()
      }, TICK_MS).unref()
  }

  #deliver(): void {
    const batch = this.#fetch.takeFetched()
    if (batch.length > 0) this.emit('pieces', batch)
    const { runs } = this.#fetch
    const fetched = runs.takeFetched()
    const refused = runs.takeRefused()
    if (fetched.length + refused.length > 0) this.emit('runs', fetched, refused)
  }

  #remember(piece: Piece): void {
    const { id, length, refs, priority } = piece
    this.#delivered.set(piece.key, { id, length, refs, priority })
  }

  #detach(link: Link): void {
    if (!this.#links.delete(link)) return
    link.close()
    this.#fetch.removeLink(link)
    this.#serve.removeLink(link)
    this.#untrack.get(link)?.()
    this.#untrack.delete(link)
    this.#giveSlots()
  }

  #wireClosed(link: Link, wire: FeedWire): void {
    this.#fetch.removeWire(link, wire)
    this.#serve.removeWire(link, wire)
  }

  /** First come, first served: tit for tat has no place among a person's own devices. */
  #giveSlots(): void {
    let free = this.#o.uploadSlots ?? DEFAULT_UPLOAD_SLOTS
    for (const link of this.#links) {
      if (free-- <= 0) return
      if (!link.unchoked) link.unchoke()
    }
  }

  #violated(link: Link, code: string, detail: string): void {
    if (!this.#links.has(link)) return
    this.#violations++
    this.#log.warn({ device: link.device, code, detail }, 'peer broke the wire protocol')
    this.#detach(link)
    link.peer.close(`wire protocol: ${code}`)
  }

  #offend(device: DeviceId, reason: string): void {
    const offences = (this.#offences.get(device) ?? 0) + 1
    this.#offences.set(device, offences)
    for (const link of [...this.#links]) {
      if (link.device !== device) continue
      this.#detach(link)
      if (offences > 1) link.peer.ban(reason, BAN_MS)
      else link.peer.close(reason)
    }
  }
}
