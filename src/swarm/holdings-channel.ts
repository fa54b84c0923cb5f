// Asking one peer what it holds, and answering it: a channel of its own beside that of the share (holdings-messages.ts),
// opened when the first question is asked. Its id follows from the share's proof and the handshake, so that only who has
// proved the share can open it (X1). Peers of earlier versions know no such channel: theirs never opens.
// Promises: whatever does not decode ends the connection; an answer that nobody asked for is passed over.
import type Protomux from 'protomux'
import type { Channel, Message } from 'protomux'
import { Allowance } from '../core/allowance.js'
import type { Decoded } from '../core/violation.js'
import {
  ASK_BYTES,
  decodeAsk,
  decodeEnd,
  decodeFeed,
  encodeAsk,
  encodeEnd,
  encodeFeed,
  type HoldingsAsk,
  type HoldingsEnd,
  type HoldingsFeed,
  MAX_END_BYTES,
  MAX_FEED_BYTES,
} from './holdings-messages.js'
import { bytesEncoding } from './mux.js'
import { holdingsId } from './proof.js'

const PROTOCOL = 'shoal/holdings/1'
/** Each question costs a look at the disk and some bytes for every piece. */
const ASK_BURST = 8
const ASK_REFILL_MS = 4000
/** Feeds that may be told for one question. */
const MAX_FEEDS = 4096

export interface HoldingsChannelOptions {
  readonly mux: Protomux
  readonly authKey: Buffer
  /** Of the connection. */
  readonly handshakeHash: Buffer
  /** It asks; not more often than it may. */
  readonly onAsk: (ask: HoldingsAsk) => void
  /** Parts of the answer to the question that was asked last, its end at most once. */
  readonly onFeed: (feed: HoldingsFeed) => void
  readonly onEnd: (end: HoldingsEnd) => void
  /** Nothing more will come. */
  readonly onClose: () => void
  /** It said what nobody may. */
  readonly onViolation: (detail: string) => void
}

interface Open {
  readonly channel: Channel<null>
  readonly ask: Message<Buffer>
  readonly feed: Message<Buffer>
  readonly end: Message<Buffer>
}

export class HoldingsChannel {
  readonly #o: HoldingsChannelOptions
  readonly #id: Buffer
  readonly #allowance = new Allowance(ASK_BURST, ASK_REFILL_MS)
  #open: Open | undefined
  #asked: Buffer | undefined
  #feedsTold = 0
  #isStopped = false

  constructor(options: HoldingsChannelOptions) {
    this.#o = options
    this.#id = holdingsId(options.authKey, options.handshakeHash)
    options.mux.pair({ protocol: PROTOCOL, id: this.#id }, () => this.#openChannel())
  }

  /** Asks; the answer to an earlier question is not waited for any more. */
  ask(question: HoldingsAsk): void {
    this.#openChannel()
    this.#asked = question.nonce
    this.#feedsTold = 0
    this.#open?.ask.send(encodeAsk(question))
  }

  tellFeed(feed: HoldingsFeed): void {
    this.#open?.feed.send(encodeFeed(feed))
  }

  tellEnd(end: HoldingsEnd): void {
    this.#open?.end.send(encodeEnd(end))
  }

  /** Speaks no more; the connection stays. */
  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#o.mux.unpair({ protocol: PROTOCOL, id: this.#id })
    this.#open?.channel.close()
    this.#open = undefined
  }

  #openChannel(): void {
    if (this.#isStopped || this.#open !== undefined) return
    const channel: Channel<null> | null = this.#o.mux.createChannel<null>({
      protocol: PROTOCOL,
      id: this.#id,
      onclose: () => {
        if (this.#open?.channel !== channel) return
        this.#open = undefined
        this.#asked = undefined
        if (!this.#isStopped) this.#o.onClose()
      },
    })
    if (channel === null) return
    const ask = channel.addMessage({
      encoding: bytesEncoding(ASK_BYTES, 'question'),
      onmessage: (bytes) =>
        this.#take(decodeAsk(bytes), (question) => {
          if (this.#allowance.take(performance.now())) this.#o.onAsk(question)
        }),
    })
    const feed = channel.addMessage({
      encoding: bytesEncoding(MAX_FEED_BYTES, 'holdings of a feed'),
      // Unasked ones are not even inflated.
      onmessage: (bytes) => {
        if (this.#asked === undefined) return
        if (++this.#feedsTold > MAX_FEEDS) this.#o.onViolation('holdings of too many feeds')
        else this.#take(decodeFeed(bytes), (told) => this.#isAsked(told) && this.#o.onFeed(told))
      },
    })
    const end = channel.addMessage({
      encoding: bytesEncoding(MAX_END_BYTES, 'holdings'),
      onmessage: (bytes) =>
        this.#take(decodeEnd(bytes), (told) => {
          if (!this.#isAsked(told)) return
          this.#asked = undefined
          this.#o.onEnd(told)
        }),
    })
    this.#open = { channel, ask, feed, end }
    channel.open()
  }

  #isAsked({ nonce }: { readonly nonce: Buffer }): boolean {
    return this.#asked?.equals(nonce) ?? false
  }

  #take<T>(decoded: Decoded<T>, deliver: (value: T) => void): void {
    if (this.#isStopped) return
    if (decoded.type === 'violation') this.#o.onViolation(decoded.detail)
    else deliver(decoded.value)
  }
}
