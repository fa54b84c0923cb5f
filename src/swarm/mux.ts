// Protomux with the limits it lacks. It only ever meets peers that have proved a secret, but one hostile member must
// cost a connection, never the process: protomux rethrows a RangeError or TypeError met while it decodes as uncaught,
// recurses through nested batches as deep as a frame is long, and counts no channels.
import type NoiseSecretStream from '@hyperswarm/secret-stream'
import Protomux, { type Encoding, type EncodingState } from 'protomux'
import { Malformed } from '../core/violation.js'
import { RoomyNoise } from './roomy-noise.js'
import { MAX_UNSENT_BYTES, unsentBytes } from './unsent.js'

/** Feeds of a share take two channels each, so this allows for thousands of writers over one connection. */
const MAX_CHANNELS = 16_384
/** An open message is a channel name, an id and a small handshake. */
const MAX_OPEN_BYTES = 64 * 1024
/**
 * Of a frame with one message, what stands around it at most: the channel's number, and the message's. Of a large batch it is one
 * more at least, so no message of it can be hidden behind the others.
 */
const AROUND_BYTES = 8

export class GuardedMux extends Protomux {
  /** Protomux's own constructor sets it first, when this class has no fields yet. */
  declare private _isDrained: boolean
  #inBatch = false
  /** Bytes of the frame that is being handled which nobody looks at any more. */
  #spent = 0

  constructor(stream: NoiseSecretStream) {
    super(stream)
  }

  override get drained(): boolean {
    return this._isDrained
  }

  /** Protomux notes here after every write whether the stream is below its mark: the one place that all writes pass. */
  override set drained(isBelow: boolean) {
    this._isDrained = isBelow
    if (!isBelow && unsentBytes(this.stream) > MAX_UNSENT_BYTES)
      this.destroy(new Error('more waits to be sent than may be kept'))
  }

  /**
   * To be called while a message is handled, by whoever keeps none of its bytes: a frame of which all messages say so gives its
   * memory to another one. What nobody says so of is kept for as long as it is looked at, as ever.
   */
  spend(bytes: number): void {
    this.#spent += bytes
  }

  protected override _ondata(frame: Buffer): void {
    if (frame.length === 0) return
    this.#spent = 0
    try {
      const state: EncodingState = { buffer: frame, start: 0, end: frame.length }
      this._decode(readUint(state), state)
    } catch (thrown) {
      this._safeDestroy(thrown instanceof Error ? thrown : new Error(String(thrown)))
      return
    }
    const isSpent = this.#spent > 0 && this.#spent >= frame.length - AROUND_BYTES
    if (isSpent && this.stream instanceof RoomyNoise) this.stream.giveBack(frame)
  }

  protected override _onbatch(state: EncodingState): void {
    if (this.#inBatch) throw new Malformed('nested', 'batch inside a batch')
    this.#inBatch = true
    try {
      super._onbatch(state)
    } finally {
      this.#inBatch = false
    }
  }

  protected override _onopensession(state: EncodingState): unknown {
    if (state.end - state.start > MAX_OPEN_BYTES) throw new Malformed('too-large', 'channel open message')
    if (this._remote.length >= MAX_CHANNELS) throw new Malformed('too-many', 'channels on one connection')
    return super._onopensession(state)
  }

  /** Everything that goes wrong while a remote message is handled ends here, and ends only this connection. */
  protected override _safeDestroy(error: Error): void {
    this.destroy(error)
  }
}

/** compact-encoding's uint, for the channel number a frame begins with. */
function readUint(state: EncodingState): number {
  const bytes = state.buffer!
  const first = bytes[state.start]!
  const width = first <= 0xfc ? 0 : first === 0xfd ? 2 : first === 0xfe ? 4 : 8
  if (state.start + 1 + width > state.end) throw new Malformed('truncated', 'channel number')
  state.start++
  if (width === 0) return first
  let value = 0
  for (let i = width - 1; i >= 0; i--) value = value * 256 + bytes[state.start + i]!
  state.start += width
  return value
}

/** Messages as plain bytes of at most `maxBytes`; the receiver gets a copy that it owns. */
export function bytesEncoding(maxBytes: number, what: string): Encoding<Buffer> {
  return {
    preencode(state, value) {
      state.end += value.length
    },
    encode(state, value) {
      state.buffer!.set(value, state.start)
      state.start += value.length
    },
    decode(state) {
      const length = state.end - state.start
      if (length > maxBytes) throw new Malformed('too-large', `${what} of ${length} bytes`)
      const bytes = Buffer.from(state.buffer!.subarray(state.start, state.end))
      state.start = state.end
      return bytes
    },
  }
}
