// The channel that belongs to a connection itself, beside those of its shares: each end tells its clock, and asks for more
// shares in common. Only on the connection that carries the shares (dedupe.ts).
import type { Channel, Message } from 'protomux'
import { decodeClock, decodeOffers, encodeClock, encodeOffers, MAX_OFFERS } from './messages.js'
import { bytesEncoding, type GuardedMux } from './mux.js'
import { PROOF_BYTES } from './proof.js'

const LINK_PROTOCOL = 'shoal/link/1'
/** A clock that is put right shows within this time. */
const CLOCK_EVERY_MS = 600_000
/** A varint of a time; devices that know no such message skip it. */
const MAX_CLOCK_BYTES = 8

export interface LinkChannelOptions {
  readonly mux: GuardedMux
  /** Milliseconds since 1970. */
  readonly wallNow: () => number
  /** The other side asks whether we have these shares as well. */
  readonly onOffers: (ids: Buffer[]) => void
  /** The other side closed it, or said what nobody may: the connection is to end. */
  readonly onEnd: (reason: string) => void
}

export class LinkChannel {
  readonly #options: LinkChannelOptions
  readonly #offers: Message<Buffer>
  readonly #clock: Message<Buffer>
  #timer: NodeJS.Timeout | undefined
  #clockAheadMs: number | undefined
  #isStopped = false

  /** Calls back when the other end opens its half. */
  static awaitOther(mux: GuardedMux, onOpened: () => void): void {
    mux.pair({ protocol: LINK_PROTOCOL }, onOpened)
  }

  /** Opens our half; undefined if there is one already, or the connection is ending. */
  static open(options: LinkChannelOptions): LinkChannel | undefined {
    const channel = options.mux.createChannel<null>({
      protocol: LINK_PROTOCOL,
      onclose: () => options.onEnd('the other side closed its link channel'),
    })
    if (channel === null) return undefined
    const opened = new LinkChannel(options, channel)
    channel.open()
    opened.#start()
    return opened
  }

  private constructor(options: LinkChannelOptions, channel: Channel<null>) {
    this.#options = options
    this.#offers = channel.addMessage({
      encoding: bytesEncoding(8 + MAX_OFFERS * PROOF_BYTES, 'offers'),
      onmessage: (bytes) => this.#onOffers(bytes),
    })
    this.#clock = channel.addMessage({
      encoding: bytesEncoding(MAX_CLOCK_BYTES, 'clock'),
      onmessage: (bytes) => this.#onClock(bytes),
    })
  }

  /** How far the other clock is ahead of ours, on the way included; undefined: not told, as by older versions. */
  get clockAheadMs(): number | undefined {
    return this.#clockAheadMs
  }

  offer(ids: readonly Buffer[]): void {
    for (let at = 0; at < ids.length; at += MAX_OFFERS)
      this.#offers.send(encodeOffers(ids.slice(at, at + MAX_OFFERS)))
  }

  /** The connection has ended: nothing is sent any more. */
  stop(): void {
    this.#isStopped = true
    clearInterval(this.#timer)
  }

  #start(): void {
    this.#tellClock()
    this.#timer = setInterval(() => this.#tellClock(), CLOCK_EVERY_MS)
  }

  #tellClock(): void {
    if (!this.#isStopped) this.#clock.send(encodeClock(this.#options.wallNow()))
  }

  #onClock(bytes: Buffer): void {
    const clock = decodeClock(bytes)
    if (clock.type === 'violation') this.#options.onEnd(`bad clock: ${clock.detail}`)
    else this.#clockAheadMs = clock.value - this.#options.wallNow()
  }

  #onOffers(bytes: Buffer): void {
    const offers = decodeOffers(bytes)
    if (offers.type === 'violation') this.#options.onEnd(`bad offers: ${offers.detail}`)
    else this.#options.onOffers(offers.value)
  }
}
