// A world for fetching alone: a Fetch and its Picker against peers in memory, whose messages take their time in both
// directions, and which serve, refuse, lose requests, withdraw, choke, close wires and vanish, one step at a time.
// After each step the account is checked (G2, G7), and a peer checks what an honest Serve would call a violation.
import assert from 'node:assert/strict'
import { Bitfield } from '../../src/core/bitfield.js'
import { blake3 } from '../../src/core/hash.js'
import type { DeviceId, WriterId } from '../../src/core/ids.js'
import {
  Picker,
  type Piece,
  type PieceName,
  type PieceRef,
  pieceKeyOf,
  type WantedPiece,
} from '../../src/core/picker.js'
import type { FeedWire } from '../../src/exchange/feed-wire.js'
import { Fetch } from '../../src/exchange/fetch.js'
import type { Link } from '../../src/exchange/link.js'
import { Gate, Pacer } from '../../src/exchange/pacer.js'
import type { PieceRoom } from '../../src/exchange/piece-rooms.js'
import type { WantedRun } from '../../src/exchange/runs/run-fetch.js'
import { MAX_PEER_RUNS, type RunMessage, type RunRange } from '../../src/exchange/runs/run-message.js'
import { FakeTime } from './fake-time.js'

export const PIECES = 18
const LENGTHS = [1000, 200_000, 400_000] as const
const WRITERS = ['one', 'two'] as unknown as readonly WriterId[]
const ZEROS = Buffer.alloc(400_000)
const CONTENTS = Array.from({ length: PIECES }, (_, piece) => Buffer.alloc(400_000, `${piece}:ABCDEFG`))
/** Pieces that whoever wanted them has not done with. */
const LOOKED_AT = 3
/** What runs are of: pieces of other numbers, in both feeds. */
const RUNS_FROM = 100
const RUN_PIECE_BYTES = 1000

interface Request {
  readonly index: number
  readonly offset: number
  readonly length: number
}

/** Our end of a wire, and the peer's account of what was asked through it. */
class ModelWire {
  readonly writer: WriterId
  readonly held: Bitfield = new Bitfield()
  serving = false
  readonly requestLimit: number
  /** Some are of an older version. */
  readonly speaksOfRuns: boolean
  readonly peer: ModelPeer
  /** Runs that the peer was asked for, by first number. */
  readonly runs: Map<number, RunRange> = new Map()
  /** It has forgotten these. */
  readonly lostRuns: Set<number> = new Set()
  /** What the peer has and offers. */
  readonly offered: Set<number>
  readonly open: Map<string, Request> = new Map()
  /** The peer has forgotten these; they stay open until they are cancelled. */
  readonly lost: Set<string> = new Set()
  chokes = true

  constructor(peer: ModelPeer, writer: WriterId, offered: Iterable<number>, requestLimit: number) {
    this.peer = peer
    this.writer = writer
    this.offered = new Set(offered)
    this.requestLimit = requestLimit
    this.speaksOfRuns = peer.world.peers.length % 3 !== 2
  }

  sayOfRun(message: RunMessage): void {
    assert.ok(this.speaksOfRuns, 'an older version is not spoken to of runs')
    this.peer.toPeer.push({ wire: this, act: () => this.#onRun(message) })
  }

  /** An answer, or else a refusal. */
  endRun(first: number, isAnswer: boolean): void {
    const { count } = this.runs.get(first)!
    this.runs.delete(first)
    this.lostRuns.delete(first)
    const range = { first, count }
    const pieces = ZEROS.subarray(0, count * RUN_PIECE_BYTES)
    const message: RunMessage = isAnswer ? { type: 'answer', ...range, pieces } : { type: 'refuse', ...range }
    this.say(() => this.peer.world.fetch.run(this.peer.link, this.asWire, message))
  }

  request(index: number, offset: number, length: number): void {
    assert.ok(this.serving, 'nothing is asked of who does not serve')
    this.peer.toPeer.push({ wire: this, act: () => this.#onRequest({ index, offset, length }) })
  }

  cancel(index: number, offset: number): void {
    this.peer.toPeer.push({ wire: this, act: () => this.#onCancel(`${index}:${offset}`) })
  }

  /** One message to us. */
  say(act: () => void): void {
    this.peer.toUs.push({ wire: this, act })
  }

  reject(key: string): void {
    const { index, offset, length } = this.open.get(key)!
    this.open.delete(key)
    this.lost.delete(key)
    this.say(() => this.peer.world.fetch.rejected(this.peer.link, this.asWire, index, offset, length))
  }

  answer(key: string): void {
    const { index, offset, length } = this.open.get(key)!
    this.open.delete(key)
    const { fetch } = this.peer.world
    this.say(() => {
      // The frame it comes in is another's at once.
      const frame = Buffer.from(contentOf(index).subarray(offset, offset + length))
      fetch.block(this.peer.link, this.asWire, index, offset, frame)
      frame.fill(0xee)
    })
  }

  get asWire(): FeedWire {
    return this as unknown as FeedWire
  }

  #onRequest(request: Request): void {
    const key = `${request.index}:${request.offset}`
    assert.ok(!this.open.has(key), 'no block is asked for twice')
    this.open.set(key, request)
    if (this.chokes || !this.offered.has(request.index)) this.reject(key)
  }

  #onRun(message: RunMessage): void {
    const { type, first, count } = message
    if (type === 'cancel') {
      this.runs.delete(first)
      this.lostRuns.delete(first)
    }
    if (type !== 'ask') return
    assert.ok(!this.runs.has(first), 'no run is asked for twice')
    this.runs.set(first, { first, count })
    assert.ok(this.peer.openRuns <= MAX_PEER_RUNS, 'no more runs than are agreed')
    assert.equal(message.bytes, count * RUN_PIECE_BYTES)
    for (let index = first; index < first + count; index++)
      if (!this.offered.has(index)) return this.endRun(first, false)
  }

  #onCancel(key: string): void {
    this.open.delete(key)
    this.lost.delete(key)
  }
}

interface Message {
  readonly wire: ModelWire
  readonly act: () => void
}

class ModelPeer {
  readonly world: FetchModel
  readonly device: DeviceId
  readonly wires: Map<WriterId, ModelWire> = new Map()
  readonly toPeer: Message[] = []
  readonly toUs: Message[] = []

  constructor(world: FetchModel, device: DeviceId) {
    this.world = world
    this.device = device
  }

  get link(): Link {
    return this as unknown as Link
  }

  get openRuns(): number {
    return [...this.wires.values()].reduce((sum, { runs }) => sum + runs.size, 0)
  }

  open(writer: WriterId, offered: Iterable<number>, requestLimit: number): void {
    if (this.wires.has(writer)) return
    const wire = new ModelWire(this, writer, offered, requestLimit)
    this.wires.set(writer, wire)
    wire.say(() => {
      for (const index of wire.offered) wire.held.set(index)
      this.world.fetch.availability(this.link, wire.asWire)
    })
    this.unchoke(wire)
  }

  close(writer: WriterId): void {
    const wire = this.wires.get(writer)
    if (wire === undefined) return
    this.wires.delete(writer)
    wire.serving = false
    this.world.fetch.removeWire(this.link, wire.asWire)
  }

  unchoke(wire: ModelWire): void {
    if (!wire.chokes) return
    wire.chokes = false
    wire.say(() => {
      wire.serving = true
      this.world.fetch.availability(this.link, wire.asWire)
    })
  }

  /** BEP 6: a choke, and rejects for all that was asked. */
  choke(wire: ModelWire): void {
    if (wire.chokes) return
    wire.chokes = true
    wire.say(() => {
      wire.serving = false
      this.world.fetch.availability(this.link, wire.asWire)
    })
    for (const key of [...wire.open.keys()]) wire.reject(key)
  }

  gain(wire: ModelWire, index: number): void {
    if (wire.offered.has(index)) return
    wire.offered.add(index)
    wire.say(() => {
      if (wire.held.set(index)) this.world.fetch.gained(this.link, wire.asWire, index)
    })
  }

  /** BEP 54; what is open of it is rejected before or after. */
  withdraw(wire: ModelWire, index: number, rejectFirst: boolean): void {
    if (!wire.offered.delete(index)) return
    const rejectAll = (): void => {
      for (const [key, request] of [...wire.open]) if (request.index === index) wire.reject(key)
    }
    if (rejectFirst) rejectAll()
    wire.say(() => {
      wire.held.clear(index)
      this.world.fetch.lost(this.link, wire.asWire, index)
    })
    rejectAll()
  }

  /** Answers the oldest requests it has not forgotten. */
  serve(count: number): void {
    for (const wire of this.wires.values()) {
      let left = count
      for (const key of [...wire.open.keys()]) {
        if (left === 0) break
        if (wire.lost.has(key)) continue
        wire.answer(key)
        left--
      }
      for (const first of [...wire.runs.keys()]) {
        if (left-- <= 0) break
        if (!wire.lostRuns.has(first)) wire.endRun(first, true)
      }
    }
  }

  /** Messages of a wire that is closed go nowhere. */
  carry(queue: Message[], count: number): void {
    for (const { wire, act } of queue.splice(0, count)) {
      if (this.wires.get(wire.writer) === wire && this.world.peers.includes(this)) act()
    }
  }
}

/** `a` and `b` choose what the step is about, `n` how much. */
export interface Step {
  readonly type: (typeof STEPS)[number]
  readonly a: number
  readonly b: number
  readonly n: number
}

export const STEPS = [
  'want',
  'want',
  'want',
  'unwant',
  'join',
  'leave',
  'open wire',
  'close wire',
  'choke',
  'unchoke',
  'gain',
  'withdraw',
  'lose',
  'reject',
  'serve',
  'serve',
  'carry',
  'carry',
  'carry',
  'wait',
  'wait long',
  'tick',
  'round',
  'round',
  'wrong',
  'pause',
  'want run',
  'want run',
  'want run',
  'take unserved',
  'lose run',
  'refuse run',
  'blink',
  'blink',
] as const

export class FetchModel {
  readonly picker: Picker = new Picker(1)
  readonly fetch: Fetch
  peers: ModelPeer[] = []
  readonly #time = new FakeTime()
  #devices = 0
  /** Devices that sent a piece that was called wrong, by the piece's key. */
  readonly #liars = new Map<string, Set<DeviceId>>()
  /** Pieces that came last, and what they are to be. */
  readonly #looked: { bytes: Buffer; expected: Buffer; room: PieceRoom | undefined }[] = []
  readonly #delivered = new Map<string, { wanted: WantedPiece; from: DeviceId | undefined }>()
  readonly #requestLimit: number
  /** Wanted, and not told of. */
  readonly #runs = new Set<WantedRun>()

  constructor(options: { bytesPerSecond: number; requestLimit: number; maxInFlightBytes: number }) {
    this.#requestLimit = options.requestLimit
    this.fetch = new Fetch({
      picker: this.picker,
      seed: 1,
      maxInFlightBytes: options.maxInFlightBytes,
      stallMs: 10_000,
      nowMs: () => this.#time.nowMs(),
      violated: (_link, code, detail) => assert.fail(`an honest peer is called a liar: ${code}, ${detail}`),
      soon: () => {},
      limit:
        options.bytesPerSecond === 0 ? undefined : new Gate(new Pacer(options.bytesPerSecond, this.#time)),
      exempt: () => false,
      completed: (piece) => this.#completed(piece),
      stallChanged: () => {},
    })
  }

  get nowMs(): number {
    return this.#time.nowMs()
  }

  step({ type, a, b, n }: Step): void {
    const piece = a % PIECES
    const peer = this.peers[b % Math.max(1, this.peers.length)]
    const writer = WRITERS[n % 2]!
    const wire = peer?.wires.get(writer)
    if (type === 'want') this.picker.want(this.#wanted(piece, n))
    else if (type === 'unwant') this.#unwant(piece)
    else if (type === 'join') this.#join(a, b, n)
    else if (type === 'wait') this.#time.advance(50 * n)
    else if (type === 'wait long') this.#time.advance(1000 * n)
    else if (type === 'tick') this.fetch.tick()
    else if (type === 'round') this.#round()
    else if (type === 'pause') this.fetch.paused = n % 2 === 0
    else if (type === 'wrong') this.#wrong(a)
    else if (type === 'want run') this.#wantRun(writer, RUNS_FROM + (a % 4), 1 + (b % 5))
    else if (type === 'take unserved') this.#takeUnserved()
    else if (peer === undefined) return
    else if (type === 'leave') this.#leave(peer)
    else if (type === 'serve') peer.serve(n)
    else if (type === 'carry') {
      peer.carry(peer.toPeer, n)
      peer.carry(peer.toUs, n)
    } else if (type === 'open wire') peer.open(writer, this.#some(a), this.#requestLimit)
    else if (type === 'close wire') peer.close(writer)
    else if (wire === undefined) return
    else if (type === 'choke') peer.choke(wire)
    else if (type === 'unchoke') peer.unchoke(wire)
    else if (type === 'blink') this.#blink(peer, wire, n)
    else if (type === 'gain') peer.gain(wire, piece)
    else if (type === 'withdraw') peer.withdraw(wire, piece, n % 3 === 0)
    else if (type === 'lose run' || type === 'refuse run') {
      const first = [...wire.runs.keys()][a % Math.max(1, wire.runs.size)]
      if (first === undefined) return
      if (type === 'lose run') wire.lostRuns.add(first)
      else if (!wire.lostRuns.has(first)) wire.endRun(first, false)
    } else {
      const key = [...wire.open.keys()][a % Math.max(1, wire.open.size)]
      if (key === undefined) return
      if (type === 'lose') wire.lost.add(key)
      else if (!wire.lost.has(key)) wire.reject(key)
    }
  }

  /** G2, G7; and that pieces somebody still looks at are as they came, whatever has come since. */
  check(): void {
    for (const { bytes, expected } of this.#looked) assert.ok(bytes.equals(expected), 'a piece is as it came')
    while (this.#looked.length > LOOKED_AT) this.#looked.shift()!.room?.leave()
    assert.equal(this.picker.fetchedCount, this.fetch.countFetched(), 'G7')
    const stats = this.peers.map((peer) => this.fetch.statsOf(peer.link))
    const bytes = stats.reduce((sum, each) => sum + (each.stalled ? 0 : each.inFlightBytes), 0)
    assert.equal(this.fetch.inFlightBytes, bytes, 'G2')
    this.#takeRuns()
    const pieces = [...this.#runs].reduce((sum, { count }) => sum + count, 0)
    assert.equal(this.fetch.runs.wantedCount, pieces, 'a run is told of, at last')
  }

  /** Lets everybody answer from now on; what is wanted and held must be here within ten minutes. */
  settle(): void {
    this.fetch.paused = false
    this.#makeHeld()
    const end = this.#time.nowMs() + 600_000
    while (this.picker.wantedCount + this.#runs.size > 0) {
      assert.ok(this.#time.nowMs() < end, `${this.picker.wantedCount} pieces never come (I5, G6)`)
      this.pass()
      this.#takeUnserved()
    }
    assert.equal(this.fetch.runs.askedCount, 0)
    assert.equal(this.fetch.inFlightBytes, 0)
    assert.equal(this.fetch.countFetched(), 0)
  }

  /** Nobody looks at anything that has come. */
  leaveAll(): void {
    for (const { room } of this.fetch.takeFetched()) room?.leave()
    this.#takeRuns()
    for (const { room } of this.#looked.splice(0)) room?.leave()
  }

  /** A quarter of a second in which everybody answers. */
  pass(): void {
    this.#time.advance(250)
    this.fetch.tick()
    this.#round()
    for (const peer of this.peers) {
      peer.carry(peer.toPeer, Number.POSITIVE_INFINITY)
      peer.serve(Number.POSITIVE_INFINITY)
      peer.carry(peer.toUs, Number.POSITIVE_INFINITY)
    }
    this.check()
  }

  /** Everything wanted is offered by at least one peer whose copy has not been called wrong, and nobody is choked. */
  #makeHeld(): void {
    if (this.peers.length === 0) this.#join(0, 0, 0)
    for (const peer of this.peers) for (const wire of peer.wires.values()) peer.unchoke(wire)
    for (let index = 0; index < PIECES; index++) {
      const piece = this.picker.find(nameOf(index))
      if (piece === undefined) continue
      const liars = this.#liars.get(piece.key)
      const honest = this.peers.filter((peer) => liars?.has(peer.device) !== true)
      const { writer } = piece.refs[0]!
      if (honest.some((peer) => peer.wires.get(writer)?.offered.has(index))) continue
      if (honest.length === 0) honest.push(this.#join(0, 0, 0))
      honest[0]!.open(writer, [], this.#requestLimit)
      honest[0]!.gain(honest[0]!.wires.get(writer)!, index)
    }
  }

  #wanted(piece: number, n: number): WantedPiece {
    const refs: PieceRef[] = [{ writer: WRITERS[piece % 2]!, index: piece }]
    if (n % 3 === 0 && piece % 3 === 0) refs.push({ writer: WRITERS[(piece + 1) % 2]!, index: piece })
    return { ...nameOf(piece), refs, priority: n % 2 }
  }

  /** Chokes us for a moment, and answers before it hears what we make of that. */
  #blink(peer: ModelPeer, wire: ModelWire, n: number): void {
    peer.choke(wire)
    peer.carry(peer.toUs, Number.POSITIVE_INFINITY)
    // What was one run is wanted in other parts.
    const taken = n % 3 === 0 ? this.#takeUnserved() : []
    for (const { writer, first, count } of taken) this.#wantRun(writer, first, Math.max(1, count - 1))
    peer.unchoke(wire)
    peer.serve(n % 4)
    peer.carry(peer.toUs, 1)
  }

  /** Runs of one feed do not overlap, and begin and end where they like. */
  #wantRun(writer: WriterId, first: number, count: number): void {
    for (const each of this.#runs)
      if (each.writer === writer && each.first < first + count && first < each.first + each.count) return
    const run = { writer, first, count, bytes: count * RUN_PIECE_BYTES }
    this.#runs.add(run)
    this.fetch.runs.want([run])
  }

  #takeRuns(): void {
    const { runs } = this.fetch
    for (const { run, bytes, room } of runs.takeFetched()) {
      assert.ok(this.#runs.delete(run), 'a run is told of once')
      assert.equal(bytes.length, run.bytes)
      room?.leave()
    }
    for (const run of runs.takeRefused()) assert.ok(this.#runs.delete(run), 'a run is told of once')
  }

  #takeUnserved(): WantedRun[] {
    const taken = this.fetch.runs.takeUnserved()
    for (const run of taken) assert.ok(this.#runs.delete(run), 'a run is told of once')
    return taken
  }

  #unwant(piece: number): void {
    const known = this.picker.find(nameOf(piece))
    if (known !== undefined) this.fetch.cancel(known, this.picker.done(known))
  }

  #some(seed: number): number[] {
    const numbers = Array.from({ length: RUNS_FROM + 16 }, (_, index) => index)
    return numbers.filter((index) => (index < PIECES && (seed >> (index % 8)) & 1) || index >= RUNS_FROM)
  }

  #join(a: number, b: number, n: number): ModelPeer {
    const peer = new ModelPeer(this, `device ${this.#devices++}` as DeviceId)
    this.peers.push(peer)
    this.fetch.addLink(peer.link)
    if (n % 4 !== 1) peer.open(WRITERS[0]!, this.#some(a), this.#requestLimit)
    if (n % 4 !== 2) peer.open(WRITERS[1]!, this.#some(b), this.#requestLimit)
    return peer
  }

  #leave(peer: ModelPeer): void {
    this.peers = this.peers.filter((each) => each !== peer)
    this.fetch.removeLink(peer.link)
  }

  #completed(piece: Piece): void {
    const { id, length, refs, priority } = piece
    this.#delivered.set(piece.key, { wanted: { id, length, refs, priority }, from: undefined })
  }

  #round(): void {
    for (const { id, bytes, from, room } of this.fetch.takeFetched()) {
      const key = pieceKeyOf({ id, length: bytes.length })
      this.#looked.push({ bytes, expected: contentOf(INDEX_OF.get(key)!), room })
      this.#delivered.set(key, { wanted: this.#delivered.get(key)!.wanted, from })
    }
    this.fetch.fill()
    this.#time.advance(0)
  }

  /** What Exchange.wrong() does. */
  #wrong(a: number): void {
    const [key, delivered] = [...this.#delivered][a % Math.max(1, this.#delivered.size)] ?? []
    if (key === undefined || delivered?.from === undefined) return
    const { from, wanted } = delivered
    const liars = this.#liars.get(key) ?? new Set()
    this.#liars.set(key, liars.add(from))
    this.fetch.distrust(from, key)
    for (const peer of this.peers.filter(({ device }) => device === from)) this.#leave(peer)
    this.picker.want(wanted)
    // It comes back: all else it holds is welcome.
    const again = new ModelPeer(this, from)
    this.peers.push(again)
    this.fetch.addLink(again.link)
    for (const writer of WRITERS) again.open(writer, this.#some(0xff), this.#requestLimit)
  }
}

/** What a piece is wanted by. */
/** No two pieces have the same bytes anywhere. */
function contentOf(piece: number): Buffer {
  return CONTENTS[piece]!.subarray(0, LENGTHS[piece % LENGTHS.length]!)
}

export function nameOf(piece: number): PieceName {
  return { id: idOf(piece), length: LENGTHS[piece % LENGTHS.length]! }
}

const INDEX_OF: ReadonlyMap<string, number> = new Map(
  Array.from({ length: PIECES }, (_, piece) => [pieceKeyOf(nameOf(piece)), piece]),
)

function idOf(piece: number): Buffer {
  return blake3(Buffer.from(`piece ${piece}`))
}
