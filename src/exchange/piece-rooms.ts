// Where whole pieces lie between their arrival and whoever wanted them: side by side in rooms that are used again. A piece is
// copied there out of its frame, whose memory the next frame gets (link.ts).
// Promises: a room is given back when every piece in it was left, and never before; a piece that is never left costs the
// room its use, and nothing else: the memory is then garbage like any other.
import { invariant } from '../core/error.js'
import type { DeviceId } from '../core/ids.js'
import type { Rooms } from '../ports/rooms.js'

/** A piece as it arrived; nobody has looked at the bytes yet. */
export interface FetchedPiece {
  readonly id: Buffer
  readonly bytes: Buffer
  readonly from: DeviceId
  /** Where the bytes lie with others: to be left once nobody looks at them any more, or never. */
  readonly room: PieceRoom | undefined
}

/** Bytes, and the room they lie in. */
export type KeptBytes = Pick<FetchedPiece, 'bytes' | 'room'>

/** One room, as those see it whose pieces lie in it. */
export class PieceRoom {
  readonly memory: ArrayBuffer
  used = 0
  #pieces = 0
  readonly #emptied: (room: PieceRoom) => void

  constructor(memory: ArrayBuffer, emptied: (room: PieceRoom) => void) {
    this.memory = memory
    this.#emptied = emptied
  }

  /** So many more will leave: for a new piece, or more who look at one. */
  enter(times: number): void {
    this.#pieces += times
  }

  /** One that had entered looks at its piece no longer. */
  leave(): void {
    invariant(this.#pieces > 0, 'who leaves a room had entered it')
    if (--this.#pieces === 0) this.#emptied(this)
  }
}

export class PieceRooms {
  readonly #rooms: Rooms
  /** Where the next piece goes, if it fits. */
  #current: PieceRoom | undefined

  constructor(rooms: Rooms) {
    this.#rooms = rooms
  }

  /** Copies what has arrived: a piece, or several that belong together. */
  keep(bytes: Buffer): KeptBytes {
    const kept = this.reserve(bytes.length)
    bytes.copy(kept.bytes)
    return kept
  }

  /** Memory for what is to arrive, with anything in it. */
  reserve(length: number): KeptBytes {
    if (length > this.#rooms.roomBytes) return { bytes: Buffer.allocUnsafeSlow(length), room: undefined }
    const room = this.#roomFor(length)
    const bytes = Buffer.from(room.memory, room.used, length)
    room.used += length
    room.enter(1)
    return { bytes, room }
  }

  #roomFor(bytes: number): PieceRoom {
    const current = this.#current
    if (current !== undefined && current.used + bytes <= this.#rooms.roomBytes) return current
    this.#current = new PieceRoom(this.#rooms.take(this.#rooms.roomBytes), (room) => this.#emptied(room))
    return this.#current
  }

  #emptied(room: PieceRoom): void {
    if (this.#current === room) this.#current = undefined
    this.#rooms.give(room.memory)
  }
}
