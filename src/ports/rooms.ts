// Memory for the bytes of many pieces, kept and used again. New memory for each batch or frame would be garbage of half a
// megabyte and more, which a collection frees much later, and V8 begins one for each 64 MB of it however little else there
// is to collect (docs/decisions/0069); and the system has to zero it.
// Rooms that threads share are no garbage of anybody's: V8 counts none of them, neither where they are made nor in each message
// that they cross with, where a buffer that is transferred counts as new memory each time (docs/decisions/0073).
// Promises: whoever takes a room owns it until giving it back; a bounded number lies idle.
import { invariant } from '../core/error.js'

type Memory = ArrayBuffer | SharedArrayBuffer

export interface RoomsOptions<Room extends Memory = ArrayBuffer> {
  /** What rooms have; larger ones are made, and not kept. */
  readonly roomBytes: number
  /** Idle ones. */
  readonly maxKept: number
  /** A new room of so many bytes. */
  readonly make: (bytes: number) => Room
}

export class Rooms<Room extends Memory = ArrayBuffer> {
  readonly roomBytes: number
  readonly #maxKept: number
  readonly #make: (bytes: number) => Room
  readonly #idle: Room[] = []

  constructor({ roomBytes, maxKept, make }: RoomsOptions<Room>) {
    this.roomBytes = roomBytes
    this.#maxKept = maxKept
    this.#make = make
  }

  /** At least so many bytes, with anything in them. */
  take(bytes: number): Room {
    if (bytes <= this.roomBytes) return this.#idle.pop() ?? this.#make(this.roomBytes)
    return this.#make(bytes)
  }

  /** Nobody may look at it any more. One that was transferred away, or is of another size, is let go. */
  give(room: Room): void {
    if (room.byteLength !== this.roomBytes || this.#idle.length >= this.#maxKept) return
    invariant(!this.#idle.includes(room), 'a room is given back once')
    this.#idle.push(room)
  }

  /** Lets all that lie idle go. */
  clear(): void {
    this.#idle.length = 0
  }
}

/**
 * For what comes and goes over the network: frames, and pieces that have arrived. One for the process: connections and shares are
 * seldom busy at the same time. A room fits the longest message of pieces (exchange/link.ts) and what is around it. As many are kept
 * as a blind node uses that fills: those beyond would be new memory, and V8 collects for each 64 MB of it (docs/decisions/0077); the
 * idle ones come to no more than what it would leave as garbage.
 */
export const trafficRooms: Rooms = new Rooms({
  ...{ roomBytes: 513 * 1024, maxKept: 96 },
  make: newRoom,
})

/** For threads to share: of no use with transferring. */
export function newSharedRoom(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(bytes)
}

/** Not zeroed: what is read of it was written before. */
export function newRoom(bytes: number): ArrayBuffer {
  return Buffer.allocUnsafeSlow(bytes).buffer as ArrayBuffer
}
