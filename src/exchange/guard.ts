// Stands between a peer's bytes and bittorrent-protocol, which bounds neither frames nor requests and reads lengths as
// signed numbers. The guard does its own framing of the byte stream (BEP 3: 68 bytes of handshake, then frames of a
// 4-byte big-endian length, an id and a payload), checks every field that is a number, and hands on whole frames only, so
// that the library never buffers, never joins chunks and never sees a message we did not agree to.
// Promises: nothing is allocated for a frame before its length and id are found to be allowed (F7); a stream that broke a
// rule is not listened to again.
import { MAX_PIECES } from '../core/bitfield.js'
import type { Violation } from '../core/violation.js'
import { MAX_RUN_MESSAGE_BYTES } from './runs/run-message.js'

/** What we ask for at a time, as in DESIGN's measurements: the wire is no faster with more. */
export const BLOCK_BYTES: number = 128 * 1024
/** What a peer may ask for at a time. */
export const MAX_BLOCK_BYTES: number = 256 * 1024
/** Unanswered requests that one peer may have, over all feeds; told to it as `reqq` (BEP 10). */
export const MAX_PEER_REQUESTS = 1024
/** Block offsets stay below; above the longest piece. */
const MAX_OFFSET: number = 1 << 28
const MAX_EXTENDED_BYTES: number = 64 * 1024

const HANDSHAKE_BYTES = 68
/** In its frame: after the length, the id of extended messages and the extension's number. */
const RUN_MESSAGE_AT = 6
const PROTOCOL_BYTES: Buffer = Buffer.from('\u0013BitTorrent protocol', 'latin1')
/** In the fifth and the seventh of the reserved bytes. */
const RESERVED_EXTENDED = 0x10
const RESERVED_FAST = 0x04

/** Message ids of BEP 3, 6 and 10 that we accept. Not among them: port and have-all, which are never sent. */
export const MESSAGE = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  notInterested: 3,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  suggest: 13,
  haveNone: 15,
  reject: 16,
  allowedFast: 17,
  extended: 20,
} as const

/** id -> fewest and most bytes of a frame's body, id included. */
const BODY_BYTES: ReadonlyMap<number, readonly [number, number]> = new Map([
  [MESSAGE.choke, [1, 1]],
  [MESSAGE.unchoke, [1, 1]],
  [MESSAGE.interested, [1, 1]],
  [MESSAGE.notInterested, [1, 1]],
  [MESSAGE.have, [5, 5]],
  [MESSAGE.bitfield, [1, 1 + MAX_PIECES / 8]],
  [MESSAGE.request, [13, 13]],
  [MESSAGE.piece, [10, 9 + MAX_BLOCK_BYTES]],
  [MESSAGE.cancel, [13, 13]],
  [MESSAGE.suggest, [5, 5]],
  [MESSAGE.haveNone, [1, 1]],
  [MESSAGE.reject, [13, 13]],
  [MESSAGE.allowedFast, [5, 5]],
  [MESSAGE.extended, [2, 2 + Math.max(MAX_EXTENDED_BYTES, MAX_RUN_MESSAGE_BYTES)]],
])

export class FrameGuard {
  readonly #infoHash: Buffer
  readonly #peerId: Buffer
  readonly #deliver: (frames: Buffer) => void
  readonly #run: { readonly id: number; readonly deliver: (message: Buffer) => void }
  #greeted = false
  #availabilityTold = false
  #broken: Violation | undefined
  #mayBeKept = false
  /** The start of a frame whose end has not arrived; its true length is known once 5 bytes are there. */
  #partial: Buffer = Buffer.alloc(0)
  #partialBytes = 0

  /**
   * `deliver` gets the handshake and then whole frames, as many as came together, views of what arrived. `run`: messages of the
   * extension with that number (BEP 10), 1 to 255, which the library need not see: likewise, one by one.
   */
  constructor(
    infoHash: Buffer,
    peerId: Buffer,
    deliver: (frames: Buffer) => void,
    run: { readonly id: number; readonly deliver: (message: Buffer) => void },
  ) {
    this.#infoHash = infoHash
    this.#peerId = peerId
    this.#deliver = deliver
    this.#run = run
  }

  /** Whether something of what was received last may be kept by the library: a handshake, or what it holds a view of. */
  get mayBeKept(): boolean {
    return this.#mayBeKept
  }

  /** Takes any slice of the stream; the first violation ends it for good. */
  receive(bytes: Buffer): Violation | undefined {
    this.#mayBeKept = false
    if (this.#broken !== undefined) return this.#broken
    let rest = bytes
    while (rest.length > 0 && this.#broken === undefined) {
      if (this.#partialBytes > 0 || !this.#greeted) rest = this.#continue(rest)
      else rest = this.#take(rest)
    }
    return this.#broken
  }

  /** Delivers all whole frames at the start; keeps an unfinished last one. */
  #take(bytes: Buffer): Buffer {
    let at = 0
    let delivered = 0
    while (bytes.length - at >= 5 || (bytes.length - at === 4 && bytes.readUInt32BE(at) === 0)) {
      const total = this.#frameBytes(bytes, at)
      if (total === undefined) return bytes
      if (total > bytes.length - at) break
      if (!this.#check(bytes, at)) return bytes
      at += total
      if (!this.#isRun(bytes, at - total)) continue
      if (delivered < at - total) this.#deliver(bytes.subarray(delivered, at - total))
      this.#run.deliver(bytes.subarray(at - total + RUN_MESSAGE_AT, at))
      delivered = at
    }
    if (at > delivered) this.#deliver(at - delivered === bytes.length ? bytes : bytes.subarray(delivered, at))
    if (at === bytes.length || this.#broken !== undefined) return bytes.subarray(bytes.length)
    return this.#begin(bytes.subarray(at))
  }

  #begin(bytes: Buffer): Buffer {
    const total = bytes.length < 5 ? 5 : this.#frameBytes(bytes, 0)
    if (total === undefined) return bytes
    this.#partial = Buffer.allocUnsafe(total)
    this.#partialBytes = bytes.copy(this.#partial)
    return bytes.subarray(bytes.length)
  }

  #continue(bytes: Buffer): Buffer {
    if (!this.#greeted && this.#partialBytes === 0) this.#partial = Buffer.allocUnsafe(HANDSHAKE_BYTES)
    const took = bytes.copy(this.#partial, this.#partialBytes)
    this.#partialBytes += took
    const rest = bytes.subarray(took)
    if (!this.#greeted) {
      if (this.#partialBytes === HANDSHAKE_BYTES) this.#greet(this.#finish())
      return rest
    }
    // A keep-alive is the one frame shorter than the five bytes that are waited for.
    if (this.#partialBytes >= 4 && this.#partial.readUInt32BE(0) === 0) {
      const whole = this.#finish()
      this.#deliver(whole.subarray(0, 4))
      const extra = whole.subarray(4)
      return extra.length === 0 ? rest : Buffer.concat([extra, rest])
    }
    if (this.#partialBytes < this.#partial.length) return rest
    const total = this.#frameBytes(this.#partial, 0)
    if (total === undefined) return rest
    if (total > this.#partial.length) {
      const grown = Buffer.allocUnsafe(total)
      this.#partial.copy(grown)
      this.#partial = grown
      return rest
    }
    if (this.#check(this.#partial, 0)) {
      const whole = this.#finish()
      if (this.#isRun(whole, 0)) this.#run.deliver(whole.subarray(RUN_MESSAGE_AT))
      else this.#deliver(whole)
    }
    return rest
  }

  /** Of a frame that was checked. */
  #isRun(bytes: Buffer, at: number): boolean {
    return bytes[at + 4] === MESSAGE.extended && bytes.readUInt32BE(at) > 0 && bytes[at + 5] === this.#run.id
  }

  #finish(): Buffer {
    const whole = this.#partial.subarray(0, this.#partialBytes)
    this.#partial = Buffer.alloc(0)
    this.#partialBytes = 0
    return whole
  }

  #greet(handshake: Buffer): void {
    if (!handshake.subarray(0, 20).equals(PROTOCOL_BYTES))
      this.#break('bad-handshake', 'not the BitTorrent protocol')
    else if (!(handshake[25]! & RESERVED_EXTENDED) || !(handshake[27]! & RESERVED_FAST))
      this.#break('bad-handshake', 'the peer lacks the fast extension or the extension protocol')
    else if (!handshake.subarray(28, 48).equals(this.#infoHash))
      this.#break('bad-handshake', 'info hash of another feed')
    else if (!handshake.subarray(48, 68).equals(this.#peerId))
      this.#break('bad-handshake', 'peer id of another device')
    else {
      this.#greeted = true
      this.#mayBeKept = true
      this.#deliver(handshake)
    }
  }

  /** Length of the frame at `at`, prefix included, of which at least 5 bytes (4 of a keep-alive) are there. */
  #frameBytes(bytes: Buffer, at: number): number | undefined {
    const body = bytes.readUInt32BE(at)
    if (body === 0) return 4
    const id = bytes[at + 4]!
    const limits = BODY_BYTES.get(id)
    if (limits === undefined) return this.#break('bad-message', `message id ${id}`)
    if (body < limits[0] || body > limits[1])
      return this.#break('bad-length', `message id ${id} of ${body} bytes`)
    return 4 + body
  }

  /** Checks the numbers of a whole frame. */
  #check(bytes: Buffer, at: number): boolean {
    const body = bytes.readUInt32BE(at)
    if (body === 0) return true
    const id = bytes[at + 4]!
    switch (id) {
      case MESSAGE.have:
      case MESSAGE.suggest:
      case MESSAGE.allowedFast:
        return this.#checkIndex(bytes, at)
      case MESSAGE.piece:
        return this.#checkIndex(bytes, at) && this.#checkRange(bytes, at, body - 9)
      case MESSAGE.request:
      case MESSAGE.cancel:
      case MESSAGE.reject:
        return this.#checkIndex(bytes, at) && this.#checkRange(bytes, at, bytes.readUInt32BE(at + 13))
      case MESSAGE.extended:
        if (this.#isRun(bytes, at)) return true
        this.#mayBeKept = true
        if (body > 2 + MAX_EXTENDED_BYTES) this.#break('bad-length', `extended message of ${body} bytes`)
        return this.#broken === undefined
      case MESSAGE.bitfield:
      case MESSAGE.haveNone:
        this.#mayBeKept = true
        if (this.#availabilityTold) this.#break('bad-message', 'availability told twice')
        this.#availabilityTold = true
        return this.#broken === undefined
      default:
        return true
    }
  }

  #checkIndex(bytes: Buffer, at: number): boolean {
    const index = bytes.readUInt32BE(at + 5)
    if (index < MAX_PIECES) return true
    this.#break('bad-index', `piece number ${index}`)
    return false
  }

  #checkRange(bytes: Buffer, at: number, length: number): boolean {
    const offset = bytes.readUInt32BE(at + 9)
    if (offset < MAX_OFFSET && length > 0 && length <= MAX_BLOCK_BYTES) return true
    this.#break('bad-range', `${length} bytes at ${offset}`)
    return false
  }

  #break(code: string, detail: string): undefined {
    this.#broken ??= { type: 'violation', code, detail }
    this.#partial = Buffer.alloc(0)
    this.#partialBytes = 0
    return undefined
  }
}
