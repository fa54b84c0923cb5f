// Which piece to ask whom for next (X3). Pure: events in, decisions out; time and the tie-break's seed are arguments.
//   I1. A pick is wanted, and held by that peer under one of the piece's references.
//   I2. No piece is fetched from two peers at once, but in the endgame or after the first of them stalled.
//   I3. Among what nobody fetches, a fresh small piece goes before bulk, and then what fewest peers hold goes first; but
//       bulk that OVERTAKEN_BYTES have overtaken goes before other bulk, so that no file rests for as long as rarer ones come.
//   I4. Endgame begins when nothing that anybody holds is unfetched; then what has been waited for long enough may be
//       asked of up to MAX_FETCHERS peers at once.
//   I5. Every wanted piece that somebody holds is picked sooner or later, if its fetches end in done() or release().
// No event costs more than the number of wanted pieces it touches; a pick is O(log n) but for the groups of equal holders
// (picker-queue.ts), which are few.
import type { Bitfield } from './bitfield.js'
import type { WriterId } from './ids.js'
import { WaitingLine } from './picker-line.js'
import {
  clampPriority,
  HolderGroup,
  NOWHERE,
  type PeerNumber,
  Piece,
  type PieceName,
  type PieceRef,
  PRIORITIES,
  pieceKeyOf,
  type WantedPiece,
} from './picker-queue.js'

export { OVERTAKEN_BYTES } from './picker-line.js'
export type { PeerNumber, Piece, PieceName, PieceRef, WantedPiece } from './picker-queue.js'
export { pieceKeyOf } from './picker-queue.js'

/** Peers that one piece may be asked of at once. Higher costs bytes that arrive twice; lower trusts a slow peer more. */
export const MAX_FETCHERS = 3
/** Fetches left at which the endgame may begin. More would read much twice from peers that are merely slower. */
export const ENDGAME_PIECES = 1024
/** A fetch younger than this is not doubled: in a small sync it is just on its way. */
export const ENDGAME_AFTER_MS = 500
/** Wanted pieces that stay together when the tie-break shuffles, so that a peer's disk is read in runs. */
const RUN_PIECES = 64

interface FeedView {
  readonly wanted: Map<number, Piece>
  readonly held: Map<PeerNumber, Bitfield>
}

interface PeerView {
  readonly fetching: Set<Piece>
  stalled: boolean
  /** Groups with unfetched pieces that this peer holds, by priority and then by number of holders. */
  readonly groups: Set<HolderGroup>[][]
}

export class Picker {
  readonly #seed: number
  #sequence = 0
  #nextPeer: PeerNumber = 0
  readonly #pieces = new Map<string, Piece>()
  readonly #feeds = new Map<WriterId, FeedView>()
  readonly #peers = new Map<PeerNumber, PeerView>()
  readonly #groups = new Map<string, HolderGroup>()
  /** In the order in which they were asked for. */
  readonly #fetched = new Set<Piece>()
  /** Unfetched pieces that somebody holds. */
  #pickable = 0
  readonly #line = new WaitingLine()

  /** Seeds differ between devices, so that they fetch different pieces first and can exchange them. */
  constructor(seed: number) {
    this.#seed = seed | 0
  }

  /** Wanted pieces, fetched or not. */
  get wantedCount(): number {
    return this.#pieces.size
  }

  /** Pieces that somebody who has not stalled is fetching. */
  get fetchedCount(): number {
    return this.#fetched.size
  }

  /** The numbers in a feed of wanted pieces, fetched or not. */
  wantedIn(writer: WriterId): readonly number[] {
    return [...(this.#feeds.get(writer)?.wanted.keys() ?? [])]
  }

  /** Pieces that nobody fetches and somebody holds. */
  get pickableCount(): number {
    return this.#pickable
  }

  addPeer(): PeerNumber {
    const peer = this.#nextPeer++
    const groups = Array.from({ length: PRIORITIES }, () => [])
    this.#peers.set(peer, { fetching: new Set(), stalled: false, groups })
    return peer
  }

  removePeer(peer: PeerNumber): void {
    const view = this.#view(peer)
    for (const piece of [...view.fetching]) this.release(piece, peer)
    for (const writer of this.#feeds.keys()) this.setHeld(peer, writer, undefined)
    this.#peers.delete(peer)
  }

  /** What the peer holds of a feed, from now on shared with the picker; undefined: nothing, or it does not serve us. */
  setHeld(peer: PeerNumber, writer: WriterId, held: Bitfield | undefined): void {
    const feed = this.#feed(writer)
    const before = feed.held.get(peer)
    if (before === undefined && held === undefined) return
    if (held === undefined) feed.held.delete(peer)
    else feed.held.set(peer, held)
    const moves = new Map<HolderGroup, HolderGroup>()
    for (const [index, piece] of feed.wanted)
      if (before?.get(index) || held?.get(index)) this.#regroup(piece, peer, moves)
  }

  /** The peer has got that piece; its bitfield is already changed. */
  gained(peer: PeerNumber, writer: WriterId, index: number): void {
    const piece = this.#feeds.get(writer)?.wanted.get(index)
    if (piece !== undefined) this.#regroup(piece, peer)
  }

  /** The peer no longer has that piece; its bitfield is already changed. */
  lost(peer: PeerNumber, writer: WriterId, index: number): void {
    this.gained(peer, writer, index)
  }

  /** Whether a connected peer holds it under any of these references. */
  isHeld(refs: readonly PieceRef[]): boolean {
    for (const { writer, index } of refs) {
      const held = this.#feeds.get(writer)?.held
      if (held !== undefined) for (const field of held.values()) if (field.get(index)) return true
    }
    return false
  }

  /** Whether any peer holds anything at all. */
  get hasHolders(): boolean {
    for (const { held } of this.#feeds.values())
      for (const field of held.values()) if (field.count > 0) return true
    return false
  }

  /** The reference under which that peer holds the piece. */
  refAt(piece: Piece, peer: PeerNumber): PieceRef | undefined {
    for (const ref of piece.refs) if (this.#feeds.get(ref.writer)?.held.get(peer)?.get(ref.index)) return ref
    return undefined
  }

  /** Wants a piece. One that is wanted already gains the references, and the priority if it is more urgent. */
  want(wanted: WantedPiece): Piece {
    const key = pieceKeyOf(wanted)
    const known = this.#pieces.get(key)
    if (known !== undefined) {
      this.#widen(known, wanted)
      return known
    }
    const piece = new Piece(wanted, key, this.#nextOrder(), this.#group(this.#holdersOf(wanted.refs)))
    this.#pieces.set(key, piece)
    for (const { writer, index } of piece.refs) this.#feed(writer).wanted.set(index, piece)
    this.#enter(piece)
    return piece
  }

  /** The wanted piece of that name. */
  find(name: PieceName): Piece | undefined {
    return this.#pieces.get(pieceKeyOf(name))
  }

  /** The next piece to ask of this peer, now fetched by it; 'no-room' if the next is longer than `maxLength`. */
  pick(peer: PeerNumber, nowMs: number, maxLength: number): Piece | 'no-room' | undefined {
    const view = this.#view(peer)
    if (view.stalled) return undefined
    for (let priority = 0; priority < PRIORITIES; priority++) {
      const overdue = priority === 0 ? undefined : this.#line.overdue(peer, priority)
      if (overdue !== undefined) {
        if (overdue.length > maxLength) return 'no-room'
        this.#fetch(overdue, peer, nowMs)
        return overdue
      }
      for (const groups of view.groups[priority]!) {
        if (groups === undefined) continue
        for (const group of groups) {
          const piece = group.first(priority)
          if (piece === undefined) continue
          if (piece.length > maxLength) return 'no-room'
          this.#fetch(piece, peer, nowMs)
          return piece
        }
      }
    }
    return this.#pickable === 0 ? this.#pickAgain(view, peer, nowMs, maxLength) : undefined
  }

  /** Whether that peer holds something fresh and small that nobody fetches. */
  hasFresh(peer: PeerNumber): boolean {
    const view = this.#view(peer)
    if (view.stalled) return false
    return view.groups[0]!.some(
      (groups) => groups !== undefined && [...groups].some((group) => group.open[0]! > 0),
    )
  }

  /** The peer will not deliver that piece; somebody may be asked for it again. */
  release(piece: Piece, peer: PeerNumber): void {
    const at = piece.fetchers.indexOf(peer)
    if (at < 0) return
    const view = this.#view(peer)
    view.fetching.delete(piece)
    piece.fetchers.splice(at, 1)
    if (!view.stalled) this.#deactivate(piece)
  }

  /** The piece is here, or no longer wanted. Returns who was asked for it, to be told. */
  done(piece: Piece): PeerNumber[] {
    if (this.#pieces.get(piece.key) !== piece) return []
    this.#leave(piece)
    piece.group = NOWHERE
    this.#pieces.delete(piece.key)
    this.#fetched.delete(piece)
    for (const { writer, index } of piece.refs) this.#feed(writer).wanted.delete(index)
    for (const peer of piece.fetchers) this.#view(peer).fetching.delete(piece)
    return piece.fetchers.splice(0)
  }

  /** The peer delivers nothing: what it fetches may be asked of others, and it is asked for nothing more. */
  stall(peer: PeerNumber): void {
    const view = this.#view(peer)
    if (view.stalled) return
    view.stalled = true
    for (const piece of view.fetching) this.#deactivate(piece)
  }

  /** The peer delivers again: what it still fetches is waited for. */
  revive(peer: PeerNumber): void {
    const view = this.#view(peer)
    if (!view.stalled) return
    view.stalled = false
    for (const piece of view.fetching) this.#activate(piece)
  }

  #pickAgain(
    view: PeerView,
    peer: PeerNumber,
    nowMs: number,
    maxLength: number,
  ): Piece | 'no-room' | undefined {
    if (this.#fetched.size > ENDGAME_PIECES) return undefined
    // The newest first: of a slow peer's line the oldest is about to arrive, the newest is what all would wait for.
    for (const piece of [...this.#fetched].reverse()) {
      if (nowMs - piece.askedAtMs < ENDGAME_AFTER_MS || piece.fetchers.length >= MAX_FETCHERS) continue
      if (view.fetching.has(piece) || !piece.group.peers.includes(peer)) continue
      if (piece.length > maxLength) return 'no-room'
      this.#fetch(piece, peer, nowMs)
      return piece
    }
    return undefined
  }

  #fetch(piece: Piece, peer: PeerNumber, nowMs: number): void {
    if (piece.active === 0) piece.askedAtMs = nowMs
    this.#line.picked(piece.length)
    piece.fetchers.push(peer)
    this.#view(peer).fetching.add(piece)
    this.#activate(piece)
  }

  #activate(piece: Piece): void {
    if (piece.active++ > 0) return
    this.#close(piece)
    this.#fetched.add(piece)
  }

  #deactivate(piece: Piece): void {
    if (--piece.active > 0) return
    this.#fetched.delete(piece)
    this.#open(piece)
  }

  #enter(piece: Piece): void {
    piece.group.pieces++
    if (piece.active === 0) this.#open(piece)
  }

  #leave(piece: Piece): void {
    const { group } = piece
    if (piece.active === 0) this.#close(piece)
    if (--group.pieces === 0) this.#groups.delete(group.key)
  }

  #open(piece: Piece): void {
    const { group, priority } = piece
    if (group.peers.length === 0) return
    this.#pickable++
    this.#line.add(piece, this.#pickable)
    if (group.open[priority]!++ === 0)
      for (const peer of group.peers) {
        const byRarity = this.#view(peer).groups[priority]!
        byRarity[group.peers.length] ??= new Set()
        byRarity[group.peers.length]!.add(group)
      }
    group.push(piece)
  }

  #close(piece: Piece): void {
    const { group, priority } = piece
    if (group.peers.length === 0) return
    this.#pickable--
    if (--group.open[priority]! > 0) return
    group.emptied(priority)
    for (const peer of group.peers) this.#view(peer).groups[priority]![group.peers.length]!.delete(group)
  }

  /** Moves a piece after what one peer holds of it may have changed. */
  #regroup(piece: Piece, peer: PeerNumber, moves?: Map<HolderGroup, HolderGroup>): void {
    const { peers } = piece.group
    const holds = this.refAt(piece, peer) !== undefined
    if (holds === peers.includes(peer)) return
    let target = moves?.get(piece.group)
    if (target === undefined || this.#groups.get(target.key) !== target) {
      target = this.#group(
        holds ? [...peers, peer].sort((a, b) => a - b) : peers.filter((each) => each !== peer),
      )
      moves?.set(piece.group, target)
    }
    this.#move(piece, target)
  }

  #move(piece: Piece, target: HolderGroup): void {
    this.#leave(piece)
    piece.group = target
    this.#enter(piece)
  }

  #widen(piece: Piece, wanted: WantedPiece): void {
    const more = wanted.refs.filter(
      ({ writer, index }) => !piece.refs.some((ref) => ref.writer === writer && ref.index === index),
    )
    const priority = Math.min(piece.priority, clampPriority(wanted.priority))
    if (more.length === 0 && priority === piece.priority) return
    this.#leave(piece)
    piece.refs = [...piece.refs, ...more]
    piece.priority = priority
    for (const { writer, index } of more) this.#feed(writer).wanted.set(index, piece)
    piece.group = this.#group(this.#holdersOf(piece.refs))
    this.#enter(piece)
  }

  #holdersOf(refs: readonly PieceRef[]): PeerNumber[] {
    const holders: PeerNumber[] = []
    for (const { writer, index } of refs)
      for (const [peer, held] of this.#feed(writer).held)
        if (held.get(index) && !holders.includes(peer)) holders.push(peer)
    return holders.sort((a, b) => a - b)
  }

  /** The group of these holders (ascending), made if there is none. */
  #group(peers: readonly PeerNumber[]): HolderGroup {
    const key = peers.join(',')
    let group = this.#groups.get(key)
    if (group === undefined) {
      group = new HolderGroup(peers, key)
      this.#groups.set(key, group)
    }
    return group
  }

  #feed(writer: WriterId): FeedView {
    let feed = this.#feeds.get(writer)
    if (feed === undefined) {
      feed = { wanted: new Map(), held: new Map() }
      this.#feeds.set(writer, feed)
    }
    return feed
  }

  #view(peer: PeerNumber): PeerView {
    const view = this.#peers.get(peer)
    if (view === undefined) throw new RangeError(`no such peer: ${peer}`)
    return view
  }

  #nextOrder(): number {
    const sequence = this.#sequence++
    return mix(this.#seed ^ Math.floor(sequence / RUN_PIECES)) * RUN_PIECES + (sequence % RUN_PIECES)
  }
}

/** MurmurHash3's finaliser: 32 bits to 32 bits, one to one, no pattern left. */
function mix(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
