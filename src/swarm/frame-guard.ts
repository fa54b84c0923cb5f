// Watches the frame lengths of a connection that has proved nothing yet. The Noise stream allocates whatever its 3-byte
// length prefix announces, up to 16 MiB, before it knows who speaks; the guard sees the same bytes first and names the
// fault. Pure: bytes in, fault out.

/** Handshake messages are 32, 96 and 64 bytes (Noise XX without payload), the stream's header is 56. */
const HANDSHAKE_FRAME_BYTES = 128
/** Room for the hello and for the first channel messages that may stand in the same chunk as it. */
const EARLY_FRAME_BYTES = 64 * 1024
/** All that may arrive before the proof is done; honest peers send below 40 KiB even with a thousand shares. */
const EARLY_TOTAL_BYTES = 256 * 1024
const PREFIX_BYTES = 3

export class FrameGuard {
  #prefix = 0
  #prefixBytes = 0
  #left = 0
  #frames = 0
  #total = 0
  readonly #handshakeFrames: number

  /** `handshakeFrames`: how many of the first frames belong to the handshake. */
  constructor(handshakeFrames: number) {
    this.#handshakeFrames = handshakeFrames
  }

  /** Looks at the next bytes of the transport; answers what is wrong with them, or undefined. */
  push(chunk: Uint8Array): string | undefined {
    this.#total += chunk.length
    let at = 0
    while (at < chunk.length) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, chunk.length - at)
        this.#left -= taken
        at += taken
        continue
      }
      this.#prefix += chunk[at++]! * 256 ** this.#prefixBytes
      if (++this.#prefixBytes < PREFIX_BYTES) continue
      const limit = this.#frames < this.#handshakeFrames ? HANDSHAKE_FRAME_BYTES : EARLY_FRAME_BYTES
      if (this.#prefix > limit) return `frame of ${this.#prefix} bytes before the proof, at most ${limit}`
      this.#left = this.#prefix
      this.#frames++
      this.#prefix = 0
      this.#prefixBytes = 0
    }
    if (this.#total > EARLY_TOTAL_BYTES) return `more than ${EARLY_TOTAL_BYTES} bytes before the proof`
    return undefined
  }
}
