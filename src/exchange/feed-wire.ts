// One bittorrent-protocol Wire for one feed on one connection (X2), inside a protomux channel. The guard (guard.ts) stands
// before it; this file adds what the library lacks: what the peer holds, followed from its messages alone, BEP 54's
// donthave, and the account of requests. Whole frames go straight into the library's stream hook and its output is
// collected here, so that nothing waits in stream queues that know no bounds.
// Promises: a broken rule is reported once through `violated`, and after that no handler is called any more.
// Leaves to others: what to ask for (fetch.ts), what to answer (serve.ts), when to send (link.ts).
import Wire, { type ExtensionClass } from 'bittorrent-protocol'
import { Bitfield, MAX_PIECES } from '../core/bitfield.js'
import { blake3Parts } from '../core/hash.js'
import type { DeviceId, WriterId } from '../core/ids.js'
import { FrameGuard, MAX_PEER_REQUESTS, MESSAGE } from './guard.js'
import {
  answerHeader,
  decodeRun,
  encodeRun,
  RUNS,
  type RunMessage,
  type RunRange,
} from './runs/run-message.js'

/** What a wire tells its owner. */
export interface FeedWireEvents {
  /** What the peer holds, or whether it serves us, has changed as a whole. */
  availability(wire: FeedWire): void
  gained(wire: FeedWire, index: number): void
  lost(wire: FeedWire, index: number): void
  /** The bytes are another frame's when it returns. */
  block(wire: FeedWire, index: number, offset: number, block: Buffer): void
  rejected(wire: FeedWire, index: number, offset: number, length: number): void
  /** `respond` answers with a block, or rejects when called with nothing; after a cancel it does nothing. */
  request(
    wire: FeedWire,
    index: number,
    offset: number,
    length: number,
    respond: (block?: Uint8Array) => void,
  ): void
  cancelled(wire: FeedWire, index: number, offset: number): void
  /** The bytes of an answer are another frame's when it returns. */
  run(wire: FeedWire, message: RunMessage): void
  violated(wire: FeedWire, code: string, detail: string): void
  /** There is something to send. */
  output(wire: FeedWire): void
}

const INFO_HASH_LABEL: Buffer = Buffer.from('shoal/infohash')
const PEER_ID_LABEL: Buffer = Buffer.from('shoal/peerid')
const DONT_HAVE = 'lt_donthave'
/** Our numbers of extensions, which the library counts from 1 in the order of use(). */
const OWN_NUMBERS: readonly string[] = [DONT_HAVE, RUNS]

/** BEP 3's info hash for a feed, 20 bytes. */
export function infoHashOf(discoveryKey: Buffer): Buffer {
  return blake3Parts([INFO_HASH_LABEL, discoveryKey]).subarray(0, 20)
}

/** BEP 3's peer id for a device, 20 bytes; the Noise key is what proves the device. */
export function peerIdOf(device: DeviceId): Buffer {
  return blake3Parts([PEER_ID_LABEL, Buffer.from(device, 'hex')]).subarray(0, 20)
}

// The library's respond() only looks whether there is an error; one object spares a stack trace per reject.
const REFUSED = new Error('not held')

export class FeedWire {
  readonly writer: WriterId
  /** What the peer says it holds. The picker sees it while the peer does not choke us. */
  readonly held: Bitfield = new Bitfield()
  /**
   * What we have sent it whole, or it said that it holds when it was asked for all: it need not tell us that it holds what we
   * hold, and we tell it no more than it us.
   */
  readonly given: Bitfield = new Bitfield()
  readonly #wire: QuietWire
  readonly #guard: FrameGuard
  readonly #events: FeedWireEvents
  readonly #infoHash: Buffer
  readonly #ownPeerId: Buffer
  #out: Uint8Array[] = []
  #outBytes = 0
  #ready = false
  #stopped = false
  /** Withdrawn before the peer's half of BEP 10's handshake was there; undefined once it is. */
  #withdrawnEarly: number[] | undefined = []

  constructor(o: {
    writer: WriterId
    discoveryKey: Buffer
    device: DeviceId
    remoteDevice: DeviceId
    events: FeedWireEvents
  }) {
    this.writer = o.writer
    this.#events = o.events
    this.#infoHash = infoHashOf(o.discoveryKey)
    this.#ownPeerId = peerIdOf(o.device)
    this.#wire = new QuietWire((chunk) => this.#collect(chunk))
    this.#guard = new FrameGuard(
      ...([this.#infoHash, peerIdOf(o.remoteDevice), (frames: Buffer) => this.#deliver(frames)] as const),
      { id: 1 + OWN_NUMBERS.indexOf(RUNS), deliver: (message) => this.#onRun(message) },
    )
    this.#listen(o.events)
  }

  /** Both handshakes are done: messages may be sent. */
  get ready(): boolean {
    return this.#ready
  }

  /** Whether the peer answers requests. */
  get serving(): boolean {
    return this.#ready && !this.#wire.peerChoking
  }

  /** Unanswered requests that the peer allows us (BEP 10's reqq), 1 to MAX_PEER_REQUESTS. */
  get requestLimit(): number {
    const { reqq } = this.#wire.peerExtendedHandshake
    return typeof reqq === 'number' && reqq >= 1 ? Math.min(reqq, MAX_PEER_REQUESTS) : MAX_PEER_REQUESTS
  }

  get outBytes(): number {
    return this.#outBytes
  }

  /** Sends our half of the handshake. `ownHeld` is asked for when the peer's half is there. */
  start(ownHeld: () => Buffer | undefined, unchoked: () => boolean): void {
    this.#wire.once('handshake', () => {
      const bitfield = ownHeld()
      if (bitfield === undefined) this.#wire.haveNone()
      else this.#wire.bitfield(bitfield)
      this.#wire.interested()
      this.#ready = true
      if (unchoked()) this.#wire.unchoke()
    })
    this.#wire.handshake(this.#infoHash, this.#ownPeerId, { fast: true })
  }

  /**
   * Bytes of the channel, in order, cut anywhere. True: nobody looks at them any more, as they were blocks, of which `block` takes
   * what it needs, and messages of numbers.
   */
  receive(bytes: Buffer): boolean {
    if (this.#stopped) return false
    const violation = this.#guard.receive(bytes)
    if (violation !== undefined) this.#violate(violation.code, violation.detail)
    return violation === undefined && !this.#guard.mayBeKept
  }

  /** Nothing is reported or sent any more. */
  stop(): void {
    this.#stopped = true
    this.#ready = false
    this.#wire.removeAllListeners()
    this.#out = []
    this.#outBytes = 0
  }

  /** What is to be sent next, at most `maxBytes`, at least 1; the other side takes it cut anywhere. Empty: there is nothing. */
  take(maxBytes: number): Uint8Array[] {
    if (this.#outBytes <= maxBytes) {
      const all = this.#out
      this.#out = []
      this.#outBytes = 0
      return all
    }
    let bytes = 0
    let count = 0
    while (bytes + this.#out[count]!.length <= maxBytes) bytes += this.#out[count++]!.length
    const taken = this.#out.splice(0, count)
    const cut = this.#out[0]!
    taken.push(cut.subarray(0, maxBytes - bytes))
    this.#out[0] = cut.subarray(maxBytes - bytes)
    this.#outBytes -= maxBytes
    return taken
  }

  unchoke(): void {
    if (this.#ready) this.#wire.unchoke()
  }

  /** We hold that piece now; said only to a peer that does not. */
  have(index: number): void {
    if (this.#ready && !this.held.get(index)) this.#wire.have(index)
  }

  /** We no longer hold that piece (BEP 54). */
  dontHave(index: number): void {
    if (!this.#ready) return
    if (this.#withdrawnEarly !== undefined) this.#withdrawnEarly.push(index)
    else if (this.#wire.peerExtendedMapping[DONT_HAVE]) this.#wire.extended(DONT_HAVE, indexBytes(index))
  }

  request(index: number, offset: number, length: number): void {
    this.#wire.request(index, offset, length)
  }

  cancel(index: number, offset: number, length: number): void {
    this.#wire.cancel(index, offset, length)
  }

  /** Whether the peer knows runs; false until its half of BEP 10's handshake is there. */
  get speaksOfRuns(): boolean {
    return this.#runNumber !== undefined
  }

  /** A request for a run, or what is said of one; an answer goes with answerRun(). Only to a peer that speaks of runs. */
  sayOfRun(message: RunMessage): void {
    this.#sendRun([encodeRun(message)])
  }

  /** The pieces of a run that was asked for. */
  answerRun(run: RunRange, pieces: readonly Uint8Array[]): void {
    this.#sendRun([answerHeader(run), ...pieces])
  }

  get #runNumber(): number | undefined {
    const number = this.#wire.peerExtendedMapping[RUNS]
    return number !== undefined && number >= 1 && number <= 255 ? number : undefined
  }

  /** As the library would, but for copying all into one buffer first. */
  #sendRun(parts: readonly Uint8Array[]): void {
    const number = this.#runNumber
    if (!this.#ready || number === undefined) return
    const head = Buffer.allocUnsafe(6)
    head.writeUInt32BE(2 + parts.reduce((sum, part) => sum + part.length, 0), 0)
    head[4] = MESSAGE.extended
    head[5] = number
    for (const part of [head, ...parts]) this.#collect(part)
  }

  #listen(events: FeedWireEvents): void {
    const wire = this.#wire
    wire.extendedHandshake = { reqq: MAX_PEER_REQUESTS }
    wire.use(extension(DONT_HAVE, (payload) => this.#onDontHave(payload)))
    // Its messages come past the library.
    wire.use(extension(RUNS, ignore))
    wire.on('extended', () => {
      const withdrawn = this.#withdrawnEarly ?? []
      this.#withdrawnEarly = undefined
      for (const index of withdrawn) this.dontHave(index)
    })
    wire.on('bitfield', (field: { readonly buffer: Uint8Array }) => {
      wire.forgetPieces()
      const decoded = Bitfield.fromWire(field.buffer)
      if (decoded.type === 'violation') this.#violate(decoded.code, decoded.detail)
      else {
        // A `have` may not come before the bitfield, but from a peer that does so nothing is forgotten.
        this.held.assign(this.held.count === 0 ? decoded.value : decoded.value.union(this.held))
        events.availability(this)
      }
    })
    wire.on('have', (index: number) => {
      if (this.held.set(index)) events.gained(this, index)
    })
    wire.on('choke', () => events.availability(this))
    wire.on('unchoke', () => events.availability(this))
    wire.on('piece', (index: number, offset: number, block: Buffer) =>
      events.block(this, index, offset, block),
    )
    wire.on('reject', (...where: [index: number, offset: number, length: number]) =>
      events.rejected(this, ...where),
    )
    wire.on('cancel', (index: number, offset: number) => events.cancelled(this, index, offset))
    wire.on(
      'request',
      (
        index: number,
        offset: number,
        length: number,
        respond: (error: Error | null, block?: Uint8Array) => void,
      ) =>
        events.request(this, index, offset, length, (block) =>
          block === undefined ? respond(REFUSED) : respond(null, block),
        ),
    )
  }

  #onDontHave(payload: Uint8Array): void {
    const index = payload.length === 4 ? Buffer.from(payload).readUInt32BE(0) : MAX_PIECES
    if (index >= MAX_PIECES) this.#violate('bad-message', 'malformed donthave')
    else {
      // Told also of what it has rejected before: then it is not believed to hold it again after a while.
      this.held.clear(index)
      this.given.clear(index)
      this.#events.lost(this, index)
    }
  }

  #onRun(bytes: Buffer): void {
    if (this.#stopped) return
    const message = decodeRun(bytes)
    if (message.type === 'violation') this.#violate(message.code, message.detail)
    else if (this.#ready) this.#events.run(this, message)
  }

  #deliver(frames: Buffer): void {
    if (this.#stopped) return
    try {
      this.#wire._write(frames, ignore)
    } catch (thrown) {
      // What the guard let through must not throw; if the library does, it is this peer's bytes that made it.
      this.#violate('wire-failed', thrown instanceof Error ? thrown.message : String(thrown))
    }
  }

  #violate(code: string, detail: string): void {
    if (this.#stopped) return
    this.stop()
    this.#events.violated(this, code, detail)
  }

  #collect(chunk: Uint8Array): void {
    if (this.#stopped) return
    const wasEmpty = this.#outBytes === 0
    this.#out.push(chunk)
    this.#outBytes += chunk.length
    if (wasEmpty) this.#events.output(this)
  }
}

/** The library's Wire without what costs per message and serves nobody here: stream queues, debug texts, speedometers. */
class QuietWire extends Wire {
  readonly #collect: (chunk: Uint8Array) => void

  constructor(collect: (chunk: Uint8Array) => void) {
    super('shoal')
    this.#collect = collect
    this.uploadSpeed = zero
    this.downloadSpeed = zero
    this.forgetPieces()
  }

  /** The library keeps what the peer holds only up to the first bitfield, and hides a `have` of what it believes held. */
  forgetPieces(): void {
    this.peerPieces = NO_PIECES
  }

  override push(chunk: Uint8Array | null): boolean {
    if (chunk !== null) this.#collect(chunk)
    return true
  }

  override _debug(): void {}
}

const NO_PIECES = { get: (): boolean => false, set: ignore }

function extension(name: string, onMessage: (payload: Uint8Array) => void): ExtensionClass {
  class Extension {
    declare readonly name: string
    onMessage(payload: Uint8Array): void {
      onMessage(payload)
    }
  }
  Object.defineProperty(Extension.prototype, 'name', { value: name })
  return Extension
}

function indexBytes(index: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(index)
  return bytes
}

function zero(): number {
  return 0
}

function ignore(): void {}
