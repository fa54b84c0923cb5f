// Array buffers that go back and forth between threads with the bytes of many pieces, kept and used again. A new one for
// each batch would be garbage of megabytes that a collection frees much later, and memory that the system has to zero.
// Promises: whoever takes one owns it until giving it back; at most MAX_KEPT lie idle.

/** A batch is cut at 2 MiB; the piece that overfills it is seldom longer than a quarter of that. */
export const ROOM_BYTES: number = 2560 * 1024
const MAX_KEPT = 6

export class Rooms {
  readonly #idle: ArrayBuffer[] = []

  /** At least so many bytes, with anything in them. */
  take(bytes: number): ArrayBuffer {
    if (bytes <= ROOM_BYTES) return this.#idle.pop() ?? newRoom(ROOM_BYTES)
    return newRoom(bytes)
  }

  /** Nobody may look at it any more. One that was transferred away, or is of another size, is let go. */
  give(room: ArrayBuffer): void {
    if (room.byteLength === ROOM_BYTES && this.#idle.length < MAX_KEPT) this.#idle.push(room)
  }

  /** Lets all that lie idle go. */
  clear(): void {
    this.#idle.length = 0
  }
}

/** Not zeroed: what is read of it was written before. */
function newRoom(bytes: number): ArrayBuffer {
  return Buffer.allocUnsafeSlow(bytes).buffer as ArrayBuffer
}
