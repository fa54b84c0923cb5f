// What waits to be sent over a connection, and whether any of it goes. A peer may be alive and yet take nothing: it is told
// apart from a slow one by the last byte that the system took from us, not by what it says.
import type NoiseSecretStream from '@hyperswarm/secret-stream'

/**
 * What may wait for one peer, bytes: pieces and feeds wait for the peer by themselves, so this is a flood of small things that
 * a peer does not read. Doubled, a hundred such peers would fill a small machine.
 */
export const MAX_UNSENT_BYTES: number = 32 * 1024 * 1024

/** What both kinds of streams tell of themselves: net.Socket, and those of streamx (Noise, UDX). */
interface Transport {
  readonly writableLength?: number
  /** Of libuv: what is left of the write that is under way. */
  readonly _handle?: { readonly writeQueueSize?: number } | null
  readonly _writableState?: { readonly buffered?: number } | null
  /** UDX: packets, those sent again as well. UDX itself ends a connection of which too many are not acknowledged. */
  readonly bytesTransmitted?: number
}

/** Bytes that wait in this process for the peer at the other end. */
export function unsentBytes(stream: NoiseSecretStream): number {
  return waitingIn(stream) + waitingIn(stream.rawStream)
}

function waitingIn(stream: object): number {
  const { writableLength, _writableState } = stream as Transport
  return writableLength ?? _writableState?.buffered ?? 0
}

/** Looks now and then whether what waits gets less. Pure but for the stream that it looks at. */
export class StuckWatch {
  readonly #stream: NoiseSecretStream
  #mark = ''
  #sinceMs = 0

  constructor(stream: NoiseSecretStream) {
    this.#stream = stream
  }

  /** For how long something has been waiting, of which nothing has gone, by the looks so far; 0: nothing waits, or it goes. */
  look(nowMs: number): number {
    const raw = this.#stream.rawStream as Transport
    const waiting = unsentBytes(this.#stream)
    const moved = [this.#stream.rawBytesWritten, raw.writableLength, raw._writableState?.buffered]
    const mark = [...moved, raw._handle?.writeQueueSize, raw.bytesTransmitted].join('/')
    if (waiting === 0 || mark !== this.#mark) {
      this.#mark = mark
      this.#sinceMs = nowMs
    }
    return nowMs - this.#sinceMs
  }
}
