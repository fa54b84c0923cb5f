// Asking connected members what they hold, all of it and now, and answering those who ask (swarm/holdings-channel.ts). What
// a member says in answer is its word at one moment; what it withdraws later the exchange notes (Exchange.learn).
// Promises: of a member that does not answer in time nothing is said; questions to one member do not overtake one another,
// so that an answer is always to a question asked after the call.
import { randomBytes } from 'node:crypto'
import type { DeviceId, WriterId } from '../../core/ids.js'
import type { Standing } from '../../core/inquiry.js'
import type { FeedView } from '../../core/record-public.js'
import type { OwnHoldings } from '../../exchange/holdings.js'
import type { Log } from '../../ports/log.js'
import { HoldingsChannel } from '../../swarm/holdings-channel.js'
import {
  type HoldingsAsk,
  type HoldingsEnd,
  type HoldingsFeed,
  NONCE_BYTES,
} from '../../swarm/holdings-messages.js'
import type { SharePeer } from '../../swarm/share-channel.js'

/** What a member said that it holds. */
export interface HoldingsAnswer {
  readonly standing: Standing
  readonly isOffsite: boolean
  /** How much of each feed it had read. */
  readonly view: FeedView
  /** BEP 3's form, as far as we know the feeds and their pieces. */
  readonly feeds: ReadonlyMap<WriterId, Uint8Array>
  /** Monotonic milliseconds. */
  readonly atMs: number
}

/** What is needed of a peer; SharePeer fits. */
export type HoldingsPeer = Pick<SharePeer, 'device' | 'mux' | 'stream' | 'close'> & {
  on(event: 'close', listener: () => void): unknown
}

export interface HoldingsTalkOptions {
  readonly authKey: Buffer
  readonly exchange: {
    own(): readonly OwnHoldings[]
    learn(device: DeviceId, holdings: ReadonlyMap<WriterId, Uint8Array>): void
  }
  /** Resolves when all that changed on this disk before is seen; rejects where it is not looked at. */
  readonly settle: () => Promise<void>
  readonly standing: () => Standing
  readonly view: () => FeedView
  /** Whether this device says that it is off-site. */
  readonly isOffsite: () => boolean
  /** Somebody came or left. */
  readonly onPeers: () => void
  readonly log: Log
}

export interface AskOptions {
  /** Whether they are to look at their disks first. */
  readonly looksFirst: boolean
  readonly timeoutMs: number
}

interface Talk {
  readonly channel: HoldingsChannel
  /** The newest answer of this connection. */
  last: HoldingsAnswer | undefined
  question: Question | undefined
  /** Settles when the question before has ended. */
  turn: Promise<unknown>
  /** The newest question of the peer, which alone is answered. */
  asked: HoldingsAsk | undefined
}

interface Question {
  readonly feeds: Map<WriterId, Uint8Array>
  /** How many pieces of each feed are known here: of more, nothing is kept (F7). */
  readonly known: ReadonlyMap<WriterId, number>
  readonly end: (answer: HoldingsAnswer | undefined) => void
}

export class HoldingsTalk {
  readonly #o: HoldingsTalkOptions
  readonly #talks = new Map<DeviceId, Talk>()

  constructor(options: HoldingsTalkOptions) {
    this.#o = options
  }

  /** Speaks with a proven peer until its connection closes. */
  attach(peer: HoldingsPeer): void {
    const handshakeHash = peer.stream.handshakeHash
    if (handshakeHash === null) return
    const talk: Talk = {
      channel: new HoldingsChannel({
        mux: peer.mux,
        authKey: this.#o.authKey,
        handshakeHash,
        onAsk: (ask) => void this.#answer(peer, talk, ask),
        onFeed: (feed) => keep(talk.question, feed),
        onEnd: (end) => this.#ended(peer.device, talk, end),
        onClose: () => talk.question?.end(undefined),
        onViolation: (detail) => peer.close(`bad holdings: ${detail}`),
      }),
      last: undefined,
      question: undefined,
      turn: Promise.resolve(),
      asked: undefined,
    }
    this.#talks.set(peer.device, talk)
    this.#o.onPeers()
    peer.on('close', () => {
      talk.channel.stop()
      talk.question?.end(undefined)
      if (this.#talks.get(peer.device) === talk) this.#talks.delete(peer.device)
      this.#o.onPeers()
    })
  }

  /** What a connected member said last, since it connected. */
  last(device: DeviceId): HoldingsAnswer | undefined {
    return this.#talks.get(device)?.last
  }

  /** Asks these members, or all that are connected; the answers of those who gave one in time. */
  async ask(
    options: AskOptions,
    devices: Iterable<DeviceId> = this.#talks.keys(),
  ): Promise<ReadonlyMap<DeviceId, HoldingsAnswer>> {
    const talks = [...devices].flatMap((device) => {
      const talk = this.#talks.get(device)
      return talk === undefined ? [] : [{ device, talk }]
    })
    const answers = new Map<DeviceId, HoldingsAnswer>()
    await Promise.all(
      talks.map(async ({ device, talk }) => {
        const answer = talk.turn.then(() => this.#askOne(device, talk, options))
        talk.turn = answer
        const said = await answer
        if (said !== undefined) answers.set(device, said)
      }),
    )
    return answers
  }

  /** Nobody is asked or answered any more. */
  stop(): void {
    for (const { channel, question } of this.#talks.values()) {
      channel.stop()
      question?.end(undefined)
    }
    this.#talks.clear()
  }

  #askOne(device: DeviceId, talk: Talk, options: AskOptions): Promise<HoldingsAnswer | undefined> {
    if (this.#talks.get(device) !== talk) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const end = (answer: HoldingsAnswer | undefined): void => {
        clearTimeout(timer)
        talk.question = undefined
        resolve(answer)
      }
      const timer = setTimeout(() => end(undefined), options.timeoutMs)
      const known = new Map(this.#o.exchange.own().map(({ writer, pieceCount }) => [writer, pieceCount]))
      talk.question = { feeds: new Map(), known, end }
      talk.channel.ask({ nonce: randomBytes(NONCE_BYTES), looksFirst: options.looksFirst })
    })
  }

  #ended(device: DeviceId, talk: Talk, { standing, isOffsite, view }: HoldingsEnd): void {
    const { question } = talk
    if (question === undefined) return
    const answer = { standing, isOffsite, view, feeds: question.feeds, atMs: performance.now() }
    talk.last = answer
    this.#o.exchange.learn(device, answer.feeds)
    question.end(answer)
  }

  async #answer(peer: HoldingsPeer, talk: Talk, ask: HoldingsAsk): Promise<void> {
    const { settle, standing, exchange, view, isOffsite, log } = this.#o
    talk.asked = ask
    try {
      if (ask.looksFirst) await settle()
    } catch (err) {
      // A share that does nothing says so itself; of another disk that cannot be looked at nothing is said.
      if (standing() !== 'halted' && standing() !== 'paused') {
        log.warn(
          { err, peer: peer.device.slice(0, 8) },
          'asked what it holds, and cannot look at the disk now',
        )
        return
      }
    }
    if (talk.asked !== ask || this.#talks.get(peer.device) !== talk) return
    talk.asked = undefined
    // All at once, before anything else changes: what is withdrawn later is told later.
    for (const { writer, pieceCount, have } of exchange.own())
      talk.channel.tellFeed({ nonce: ask.nonce, writer, pieceCount, have })
    talk.channel.tellEnd({ nonce: ask.nonce, standing: standing(), isOffsite: isOffsite(), view: view() })
  }
}

function keep(question: Question | undefined, { writer, have }: HoldingsFeed): void {
  const pieceCount = question?.known.get(writer)
  if (question === undefined || pieceCount === undefined) return
  question.feeds.set(writer, have.slice(0, (pieceCount + 7) >> 3))
}
