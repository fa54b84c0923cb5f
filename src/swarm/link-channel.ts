// The channel that belongs to a connection itself, beside those of its shares: each end tells its clock, asks for more
// shares in common, and times the way there and back. Only on the connection that carries the shares (dedupe.ts).
import type { Channel, Message } from 'protomux'
import { Allowance } from '../core/allowance.js'
import {
  decodeClock,
  decodeOffers,
  decodePing,
  encodeClock,
  encodeOffers,
  encodePing,
  MAX_OFFERS,
  PING_BYTES,
} from './messages.js'
import { bytesEncoding, type GuardedMux } from './mux.js'
import { decodeWays, encodeWays, MAX_WAYS_BYTES, type WaysMessage } from './own-ways.js'
import { PROOF_BYTES } from './proof.js'
import {
  decodeStandstill,
  encodeStandstill,
  STANDSTILL_BYTES,
  type StandstillMessage,
} from './standstills.js'

const LINK_PROTOCOL = 'shoal/link/1'
/** A clock that is put right shows within this time. */
const CLOCK_EVERY_MS = 600_000
/**
 * An idle connection carries a question and an answer of each end in this time, so one small message in half a minute each
 * way. Twice as often would keep a laptop's radio awake, half as often shows a route that is gone for minutes.
 */
const PING_EVERY_MS = 60_000
/** The first is sent while both ends are busy with each other; the second tells more. */
const SECOND_PING_MS = 5_000
/** Questions that are answered in a burst, and how fast the allowance grows back. */
const PING_BURST = 8
const PING_REFILL_MS = 1_000
/** Addresses change when a laptop moves or a router has a new one: some times a minute at worst. */
const WAYS_BURST = 8
const WAYS_REFILL_MS = 10_000
/** One per scope when a connection begins, and one when it stands still. */
const STANDSTILL_BURST = 8
const STANDSTILL_REFILL_MS = 10_000
/** A varint of a time; devices that know no such message skip it. */
const MAX_CLOCK_BYTES = 8

export interface LinkChannelOptions {
  readonly mux: GuardedMux
  /** Milliseconds since 1970. */
  readonly wallNow: () => number
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** The other side asks whether we have these shares as well. */
  readonly onOffers: (ids: Buffer[]) => void
  /** The other side tells as what it sees us, and where it can be reached. */
  readonly onWays: (message: WaysMessage) => void
  /** The other side tells that TCP between us stood still. */
  readonly onStandstill: (message: StandstillMessage) => void
  /** The other side closed it, or said what nobody may: the connection is to end. */
  readonly onEnd: (reason: string) => void
}

export class LinkChannel {
  readonly #options: LinkChannelOptions
  readonly #offers: Message<Buffer>
  readonly #clock: Message<Buffer>
  /** Peers of earlier versions have no such message, pass over it, and so never answer. */
  readonly #ping: Message<Buffer>
  /** As with pings, earlier versions pass over it. */
  readonly #ways: Message<Buffer>
  /** Earlier versions pass over it as well. */
  readonly #standstill: Message<Buffer>
  readonly #standstillsHeard = new Allowance(STANDSTILL_BURST, STANDSTILL_REFILL_MS)
  readonly #waysHeard = new Allowance(WAYS_BURST, WAYS_REFILL_MS)
  #waysTold: Buffer | undefined
  readonly #answers = new Allowance(PING_BURST, PING_REFILL_MS)
  #timer: NodeJS.Timeout | undefined
  #pingTimer: NodeJS.Timeout | undefined
  /** The question that is not answered yet. */
  #asked: { readonly number: number; readonly atMs: number } | undefined
  #pings = 0
  #rttMs: number | undefined
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
    this.#ping = channel.addMessage({
      encoding: bytesEncoding(PING_BYTES, 'ping'),
      onmessage: (bytes) => this.#onPing(bytes),
    })
    this.#ways = channel.addMessage({
      encoding: bytesEncoding(MAX_WAYS_BYTES, 'ways'),
      onmessage: (bytes) => this.#onWays(bytes),
    })
    this.#standstill = channel.addMessage({
      encoding: bytesEncoding(STANDSTILL_BYTES, 'standstill'),
      onmessage: (bytes) => this.#onStandstill(bytes),
    })
  }

  /** How far the other clock is ahead of ours, on the way included; undefined: not told, as by older versions. */
  get clockAheadMs(): number | undefined {
    return this.#clockAheadMs
  }

  /** The way there and back of the last question, milliseconds; undefined: none was answered yet. */
  get rttMs(): number | undefined {
    return this.#rttMs
  }

  offer(ids: readonly Buffer[]): void {
    for (let at = 0; at < ids.length; at += MAX_OFFERS)
      this.#offers.send(encodeOffers(ids.slice(at, at + MAX_OFFERS)))
  }

  /** Nothing is sent if it is what was told last. */
  tellWays(message: WaysMessage): void {
    const bytes = encodeWays(message)
    if (this.#isStopped || this.#waysTold?.equals(bytes)) return
    this.#waysTold = bytes
    this.#ways.send(bytes)
  }

  tellStandstill(message: StandstillMessage): void {
    if (!this.#isStopped) this.#standstill.send(encodeStandstill(message))
  }

  /** The connection has ended: nothing is sent any more. */
  stop(): void {
    this.#isStopped = true
    clearInterval(this.#timer)
    clearTimeout(this.#pingTimer)
  }

  #start(): void {
    this.#tellClock()
    this.#timer = setInterval(() => this.#tellClock(), CLOCK_EVERY_MS)
    this.#askPing()
  }

  /** Asks now; whether an answer comes shows in what is heard. */
  ask(): void {
    clearTimeout(this.#pingTimer)
    this.#askPing()
  }

  #askPing(): void {
    if (this.#isStopped) return
    const number = this.#pings++ >>> 0
    this.#asked = { number, atMs: this.#options.now() }
    this.#ping.send(encodePing({ kind: 'ask', number }))
    const waitMs = number === 0 ? SECOND_PING_MS : PING_EVERY_MS
    this.#pingTimer = setTimeout(() => this.#askPing(), waitMs)
  }

  #onPing(bytes: Buffer): void {
    const ping = decodePing(bytes)
    if (ping.type === 'violation') return this.#options.onEnd(`bad ping: ${ping.detail}`)
    const { kind, number } = ping.value
    const nowMs = this.#options.now()
    if (kind === 'ask') {
      if (!this.#isStopped && this.#answers.take(nowMs))
        this.#ping.send(encodePing({ kind: 'answer', number }))
    } else if (this.#asked?.number === number) {
      this.#rttMs = nowMs - this.#asked.atMs
      this.#asked = undefined
    }
  }

  #tellClock(): void {
    if (!this.#isStopped) this.#clock.send(encodeClock(this.#options.wallNow()))
  }

  #onClock(bytes: Buffer): void {
    const clock = decodeClock(bytes)
    if (clock.type === 'violation') this.#options.onEnd(`bad clock: ${clock.detail}`)
    else this.#clockAheadMs = clock.value - this.#options.wallNow()
  }

  #onWays(bytes: Buffer): void {
    const message = decodeWays(bytes)
    if (message.type === 'violation') this.#options.onEnd(`bad ways: ${message.detail}`)
    else if (this.#waysHeard.take(this.#options.now())) this.#options.onWays(message.value)
  }

  #onStandstill(bytes: Buffer): void {
    const message = decodeStandstill(bytes)
    if (message.type === 'violation') this.#options.onEnd(`bad standstill: ${message.detail}`)
    else if (this.#standstillsHeard.take(this.#options.now())) this.#options.onStandstill(message.value)
  }

  #onOffers(bytes: Buffer): void {
    const offers = decodeOffers(bytes)
    if (offers.type === 'violation') this.#options.onEnd(`bad offers: ${offers.detail}`)
    else this.#options.onOffers(offers.value)
  }
}
