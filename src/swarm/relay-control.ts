// One relay as a node sees it: a connection kept up for as long as there is a share to be found by, over which the node says
// under which passes it is there, hears who else is, and calls and is called. Costs some 10 bytes a second. Promises: a relay,
// whatever it says or does not read, costs no more than a connection, some memory, and a signature for each share.
import type { Socket } from 'node:net'
import { Allowance } from '../core/allowance.js'
import type { ShareId } from '../core/ids.js'
import { signRelay } from '../core/relay-pass.js'
import { encodeNodeMessage, type NodeMessage, type Refusal, type RelayMessage } from '../core/relay-wire.js'
import type { RelayKeys } from '../core/secret.js'
import type { Log } from '../ports/log.js'
import { type Endpoint, formatEndpoint } from './endpoint.js'
import { readRelay } from './relay-frames.js'
import { lostTrouble, type RelayTrouble, refusedTodo } from './relay-trouble.js'
import type { DialTcp } from './tcp.js'

/** A share as a relay knows it. */
export interface RelayShare {
  readonly share: ShareId
  readonly keys: RelayKeys
  /** Our own. */
  readonly tag: Buffer
}

/** How it stands with a relay. */
export interface RelayStanding {
  /** "host:port" as configured. */
  readonly address: string
  readonly isConnected: boolean
  /** Why not, or which shares are not served; undefined: nothing is wrong. */
  readonly problem: string | undefined
  /** What to do about it; undefined: nothing is wrong, or it is not known yet. */
  readonly todo: string | undefined
}

export interface RelayControlOptions {
  readonly endpoint: Endpoint
  readonly dial: DialTcp
  readonly onHere: (share: ShareId, tag: string) => void
  readonly onGone: (share: ShareId, tag: string) => void
  /** Nobody is there any more, in this share or all. */
  readonly onLost: (share?: ShareId) => void
  /** We are to join by a ticket, as the one who called or who was. */
  readonly onTicket: (share: ShareId, tag: string, role: 'caller' | 'called', ticket: Buffer) => void
  readonly onNotCalled: (share: ShareId, tag: string, why: string) => void
  readonly log: Log
}

const DIAL_MS = 10_000
/** A connection through which nothing came for so long is dead; pings are answered. */
const SILENT_MS = 45_000
const PING_MS = 20_000
const BACKOFF_MIN_MS = 1_000
const BACKOFF_MAX_MS = 60_000
/** A relay that does not serve a share is asked again so often: somebody may have given it the pass. */
const REFUSED_MS = 300_000
/** A connection that lasted so long was a success. */
const SUCCESS_MS = 10_000
/** What a relay that does not read may have waiting: a thousand shares are made known with less. */
const MAX_UNREAD_BYTES = 256 * 1024
/** How often we may be called: as often as a relay lets one node call. */
const TICKET_BURST = 64
const TICKET_REFILL_MS = 250
/** How often the log is told of refusals. */
const TOLD_BURST = 16
const TOLD_REFILL_MS = 60_000

export class RelayControl {
  readonly address: string
  readonly #o: RelayControlOptions
  readonly #shares = new Map<string, RelayShare>()
  readonly #refused = new Map<ShareId, Refusal>()
  readonly #tickets = new Allowance(TICKET_BURST, TICKET_REFILL_MS)
  readonly #told = new Allowance(TOLD_BURST, TOLD_REFILL_MS)
  readonly #abort = new AbortController()
  #socket: Socket | undefined
  #challenge: Buffer | undefined
  #timer: NodeJS.Timeout | undefined
  #ping: NodeJS.Timeout | undefined
  #again: NodeJS.Timeout | undefined
  #failures = 0
  #heardMs = 0
  #isDialling = false
  #isClosed = false
  #problem: RelayTrouble | undefined

  constructor(options: RelayControlOptions) {
    this.#o = options
    this.address = formatEndpoint(options.endpoint)
  }

  get standing(): RelayStanding {
    const isConnected = this.#challenge !== undefined
    const { problem, todo } = this.#unserved ?? this.#problem ?? {}
    return { address: this.address, isConnected, problem, todo }
  }

  get #unserved(): RelayTrouble | undefined {
    const [why] = this.#refused.values()
    if (why === undefined) return undefined
    return { problem: `${this.#refused.size} of ${this.#shares.size} shares: ${why}`, todo: refusedTodo(why) }
  }

  add(share: RelayShare): void {
    this.#shares.set(share.keys.pass.toString('hex'), share)
    if (this.#challenge === undefined) this.#connectSoon()
    else this.#present(share)
  }

  remove(id: ShareId): void {
    for (const [pass, { share, keys }] of [...this.#shares]) {
      if (share !== id) continue
      this.#shares.delete(pass)
      this.#refused.delete(id)
      if (this.#challenge !== undefined) this.#send({ type: 'leave', pass: keys.pass })
    }
    if (this.#shares.size === 0) this.#socket?.destroy()
  }

  /** Asks to be connected; answered by onTicket or onNotCalled, or by onLost. False: there is no connection. */
  call(id: ShareId, tag: string): boolean {
    const share = [...this.#shares.values()].find((each) => each.share === id)
    if (share === undefined || this.#challenge === undefined) return false
    this.#send({ type: 'call', pass: share.keys.pass, tag: Buffer.from(tag, 'hex') })
    return true
  }

  close(): void {
    this.#isClosed = true
    for (const timer of [this.#timer, this.#ping, this.#again]) clearTimeout(timer)
    this.#abort.abort()
    this.#socket?.destroy()
  }

  #connectSoon(waitMs = 0): void {
    if (this.#isClosed || this.#isDialling || this.#socket !== undefined || this.#shares.size === 0) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#connect(), waitMs * (0.5 + Math.random() / 2))
    this.#timer.unref()
  }

  async #connect(): Promise<void> {
    if (this.#isDialling || this.#socket !== undefined) return
    this.#isDialling = true
    try {
      const socket = await this.#o.dial(this.#o.endpoint, DIAL_MS, this.#abort.signal)
      this.#isDialling = false
      this.#use(socket)
    } catch (thrown) {
      this.#isDialling = false
      // What it said when it was there is not what is wrong now.
      this.#refused.clear()
      this.#failed(thrown)
    }
  }

  #use(socket: Socket): void {
    if (this.#isClosed || this.#shares.size === 0) {
      socket.destroy()
      return
    }
    this.#socket = socket
    const startedMs = performance.now()
    this.#heardMs = startedMs
    let why = new Error('it ended the connection')
    socket.on('error', (error) => {
      why = error
    })
    socket.on('close', () => {
      clearTimeout(this.#ping)
      clearTimeout(this.#again)
      const wasHere = this.#challenge !== undefined
      this.#socket = undefined
      this.#challenge = undefined
      this.#o.onLost()
      if (wasHere && performance.now() - startedMs >= SUCCESS_MS) this.#failures = 0
      if (!this.#isClosed) this.#failed(why)
    })
    this.#watch(socket)
    readRelay(socket, (message) => {
      this.#heardMs = performance.now()
      this.#onMessage(message)
      return undefined
    })
  }

  #onMessage(message: RelayMessage): void {
    if (message.type === 'welcome') {
      if (this.#challenge !== undefined) {
        this.#socket?.destroy(new Error('it welcomes twice'))
        return
      }
      this.#challenge = message.challenge
      this.#problem = undefined
      this.#refused.clear()
      for (const share of this.#shares.values()) this.#present(share)
      return
    }
    if (message.type === 'pong' || message.type === 'joined') return
    const known = this.#shares.get(message.pass.toString('hex'))
    // We may have left the share meanwhile.
    if (known === undefined) return
    const { share } = known
    if (message.type === 'accepted') this.#onAccepted(share)
    else if (message.type === 'refused') this.#onRefused(share, message.why)
    else if (message.type === 'here')
      for (const tag of message.tags) this.#o.onHere(share, tag.toString('hex'))
    else if (message.type === 'gone')
      for (const tag of message.tags) this.#o.onGone(share, tag.toString('hex'))
    else if (message.type === 'ticket') {
      // Answers to our own calls are bounded by those.
      if (message.role === 'caller' || this.#tickets.take(performance.now()))
        this.#o.onTicket(share, message.tag.toString('hex'), message.role, message.ticket)
    } else this.#o.onNotCalled(share, message.tag.toString('hex'), message.why)
  }

  #onAccepted(share: ShareId): void {
    this.#refused.delete(share)
    this.#o.log.debug({ relay: this.address, share: share.slice(0, 8) }, 'found by a relay')
  }

  #onRefused(share: ShareId, why: Refusal): void {
    const isNews = this.#refused.get(share) !== why
    this.#refused.set(share, why)
    this.#o.onLost(share)
    if (!isNews) return
    if (this.#told.take(performance.now()))
      this.#o.log.warn(
        { relay: this.address, share: share.slice(0, 8), reason: why },
        'a relay does not serve a share',
      )
    clearTimeout(this.#again)
    this.#again = setTimeout(
      () => {
        for (const each of this.#shares.values()) if (this.#refused.delete(each.share)) this.#present(each)
      },
      REFUSED_MS * (0.5 + Math.random() / 2),
    )
    this.#again.unref()
  }

  #present({ keys, tag }: RelayShare): void {
    const challenge = this.#challenge
    if (challenge === undefined) return
    const signature = signRelay(keys, 'present', challenge, tag)
    this.#send({ type: 'present', pass: keys.pass, tag, signature })
  }

  #send(message: NodeMessage): void {
    const socket = this.#socket
    if (socket === undefined || socket.destroyed) return
    socket.write(encodeNodeMessage(message))
    if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy(new Error('it does not read'))
  }

  #watch(socket: Socket): void {
    const wait = PING_MS * (0.75 + Math.random() / 4)
    this.#ping = setTimeout(() => {
      if (performance.now() - this.#heardMs >= SILENT_MS) {
        socket.destroy(new Error('it is silent'))
        return
      }
      if (this.#challenge !== undefined) this.#send({ type: 'ping' })
      this.#watch(socket)
    }, wait)
    this.#ping.unref()
  }

  #failed(thrown: unknown): void {
    // Without a share there is nothing to be found by, and nothing is wrong.
    if (this.#isClosed || this.#shares.size === 0) return
    const trouble = lostTrouble(thrown)
    if (this.#problem === undefined && this.#refused.size === 0)
      this.#o.log.info(
        { relay: this.address, reason: trouble.problem },
        'no connection to a relay; trying again',
      )
    this.#problem = trouble
    // It closes what it serves nothing for.
    const isRefused = this.#shares.size > 0 && this.#refused.size >= this.#shares.size
    const backoffMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(this.#failures++, 10))
    this.#connectSoon(isRefused ? REFUSED_MS : backoffMs)
  }
}
