// A Noise connection over a socket whose large frames, sent and received, lie in memory that is used again (ports/rooms.ts). The
// library allocates one for each frame; at half a megabyte a frame that is most of the garbage of a node that sends or
// receives, and sets off most of its collections (docs/decisions/0069).
// Promises: the bytes on the wire are the library's; a room is given back when the socket has handed all to the system, or when
// whoever received a frame says that nobody looks at it. What is not given back is garbage, as it would be without this.
import { Socket } from 'node:net'
import NoiseSecretStream from '@hyperswarm/secret-stream'
import { letGo } from '../ports/let-go.js'
import { trafficRooms } from '../ports/rooms.js'
import { quickFrames } from './quick-frames.js'

/** Smaller frames are allocated; a peer that has proved nothing may send no larger ones (frame-guard.ts). */
const LEAST_BYTES: number = 64 * 1024 + 1
/** Less is not worth the call. */
const LEAST_LET_GO: number = 16 * 1024
const PREFIX_BYTES = 3
const PREFIX_END = 2 ** (8 * PREFIX_BYTES)
/** libsodium's secretstream: a tag before the message, a MAC after it. */
const TAG_BYTES = 1
const MAC_BYTES = 16
const AROUND_BYTES = PREFIX_BYTES + TAG_BYTES + MAC_BYTES

export class RoomyNoise extends NoiseSecretStream {
  /** Rooms of frames that came and were not given back. */
  readonly #received = new WeakSet<ArrayBufferLike>()
  /** The room of what alloc() gave last. */
  #filled: ArrayBuffer | undefined
  /** Rooms of frames that were handed to the socket. */
  #sent: ArrayBuffer[] = []

  /** Nobody looks at a frame that was received any more, nor at any part of it. */
  giveBack(frame: Buffer): void {
    const room = frame.buffer
    if (this.#received.delete(room)) trafficRooms.give(room as ArrayBuffer)
  }

  override alloc(length: number): Buffer {
    this.#giveSent()
    const bytes = length + AROUND_BYTES
    if (!isLarge(bytes)) return super.alloc(length)
    const room = trafficRooms.take(bytes)
    const wrapped = Buffer.from(room, 0, bytes)
    const plain = wrapped.subarray(PREFIX_BYTES + TAG_BYTES, bytes - MAC_BYTES)
    this._outgoingWrapped = wrapped
    this._outgoingPlain = plain
    this.#filled = room
    return plain
  }

  protected override _setupSecretStream(...keys: Parameters<NoiseSecretStream['_setupSecretStream']>): void {
    super._setupSecretStream(...keys)
    quickFrames.serve(this._encrypt!, this._decrypt!)
  }

  protected override _write(data: Buffer, done: (error?: Error | null) => void): void {
    // If another one was allocated meanwhile, the library copies this one, and its room goes with it.
    const room = data === this._outgoingPlain && data.buffer === this.#filled ? this.#filled : undefined
    if (room !== undefined) {
      this.#filled = undefined
      this.#sent.push(room)
    }
    super._write(data, done)
  }

  protected override _onrawdrain(): void {
    this.#giveSent()
    super._onrawdrain()
  }

  /** As the library does it, but for where a large frame is put together. */
  protected override _onrawdata(data: Buffer): void {
    this._timeoutTimer?.refresh()
    let at = 0
    let isLookedAt = false
    do {
      if (this._state === 0) {
        for (; this._tmp !== PREFIX_END && at < data.length; this._tmp *= 256)
          this._len += this._tmp * data[at++]!
        if (this._tmp !== PREFIX_END) continue
        this._tmp = 0
        this._state = 1
        continue
      }
      const end = at + this._len - this._tmp
      if (this._message === null && end <= data.length) {
        this._message = data.subarray(at, end)
        isLookedAt = true
        at = end
        this._incoming()
        continue
      }
      this._message ??= this.#room(this._len)
      const copied = data.copy(this._message, this._tmp, at, Math.min(end, data.length))
      this._tmp += copied
      at += copied
      if (at === end) this._incoming()
    } while (at < data.length && !this.destroying)
    // Nothing of it was handed on but copies; another kind of stream may have a use for it.
    if (!isLookedAt && data.length >= LEAST_LET_GO && this.rawStream instanceof Socket) letGo(data)
  }

  #room(bytes: number): Buffer {
    if (!isLarge(bytes)) return Buffer.allocUnsafe(bytes)
    const room = trafficRooms.take(bytes)
    this.#received.add(room)
    return Buffer.from(room, 0, bytes)
  }

  #giveSent(): void {
    if (this.#sent.length === 0) return
    // A socket counts what it has not handed to the system; another stream may hand on what it was given, and look at it later.
    const { rawStream } = this
    if (!(rawStream instanceof Socket) || rawStream.writableLength > 0) return
    for (const room of this.#sent) trafficRooms.give(room)
    this.#sent = []
  }
}

function isLarge(bytes: number): boolean {
  return bytes >= LEAST_BYTES && bytes <= trafficRooms.roomBytes
}
