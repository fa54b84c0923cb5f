// The third way to find others, and the last to reach them: relays (docs/relay.md). Shares are made known to every relay of
// the configuration; whom no direct way has reached for a while is called there, by the roster's rules. What comes out are
// sockets that lead to a stranger, as a socket that was accepted does.
import type { Socket } from 'node:net'
import type { DeviceId, ShareId } from '../core/ids.js'
import { relayTagOf } from '../core/relay-pass.js'
import type { RelayKeys } from '../core/secret.js'
import type { Log } from '../ports/log.js'
import type { Endpoint } from './endpoint.js'
import { RelayControl, type RelayStanding } from './relay-control.js'
import { joinAtRelay } from './relay-data.js'
import { RelayRoster } from './relay-roster.js'
import type { DialTcp } from './tcp.js'

/** A connection through a relay, paused; who called is the initiator. */
export interface RelayedSocket {
  readonly socket: Socket
  /** The relay. */
  readonly remote: Endpoint
  readonly isInitiator: boolean
  readonly share: ShareId
  /** To be called once, when it has become a link or has failed. */
  readonly onSettled: () => void
}

export interface RelayFinderOptions {
  readonly device: DeviceId
  readonly relays: readonly Endpoint[]
  readonly dial: DialTcp
  readonly onSocket: (relayed: RelayedSocket) => void
  readonly log: Log
  /** Of direct ways; default 3 s. */
  readonly headStartMs?: number
}

/** For joining, the other's dial included; a ticket lasts as long. */
const JOIN_MS = 15_000
/** A relay that does not answer a call. */
const CALL_MS = 15_000
/** Joins at a time that one relay may ask of us. */
const MAX_JOINS = 16

export class RelayFinder {
  readonly #o: RelayFinderOptions
  readonly #roster: RelayRoster
  readonly #controls = new Map<string, RelayControl>()
  readonly #keys = new Map<ShareId, RelayKeys>()
  readonly #reached = new Set<DeviceId>()
  readonly #abort = new AbortController()
  /** Calls that wait for a ticket, by share and tag. */
  readonly #asked = new Map<string, NodeJS.Timeout>()
  /** Joins that relays have asked for, by relay. */
  readonly #joins = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: RelayFinderOptions) {
    this.#o = options
    this.#roster = new RelayRoster(Math.random, options.headStartMs)
    for (const endpoint of options.relays) {
      const control = this.#control(endpoint)
      this.#controls.set(control.address, control)
    }
  }

  get standings(): RelayStanding[] {
    return [...this.#controls.values()].map(({ standing }) => standing)
  }

  add(share: ShareId, keys: RelayKeys): void {
    const tag = relayTagOf(keys, this.#o.device)
    this.#keys.set(share, keys)
    this.#roster.addShare(share, tag.toString('hex'))
    for (const device of this.#reached) this.#note(share, keys, device, true)
    for (const control of this.#controls.values()) control.add({ share, keys, tag })
  }

  remove(share: ShareId): void {
    if (!this.#keys.delete(share)) return
    for (const control of this.#controls.values()) control.remove(share)
    this.#roster.removeShare(share)
  }

  /** There is a connection with a device now, by whatever way, or there is none any more. */
  reached(device: DeviceId, isReached: boolean): void {
    if (isReached) this.#reached.add(device)
    else this.#reached.delete(device)
    for (const [share, keys] of this.#keys) this.#note(share, keys, device, isReached)
    this.#wake()
  }

  close(): void {
    clearTimeout(this.#timer)
    for (const timer of this.#asked.values()) clearTimeout(timer)
    this.#asked.clear()
    this.#abort.abort()
    for (const control of this.#controls.values()) control.close()
  }

  #control(endpoint: Endpoint): RelayControl {
    const { dial, log } = this.#o
    const control: RelayControl = new RelayControl({
      ...{ endpoint, dial, log },
      onHere: (share, tag) => {
        this.#roster.here(control.address, share, tag, now())
        this.#wake()
      },
      onGone: (share, tag) => this.#roster.gone(control.address, share, tag),
      onLost: (share) => this.#roster.lostRelay(control.address, share),
      onTicket: (share, tag, role, ticket) =>
        this.#onTicket(control.address, endpoint, share, tag, role, ticket),
      onNotCalled: (share, tag, why) => {
        log.debug(
          { relay: control.address, share: share.slice(0, 8), reason: why },
          'a relay did not connect us',
        )
        if (this.#answered(share, tag)) this.#settle(share, tag)
      },
    })
    return control
  }

  #note(share: ShareId, keys: RelayKeys, device: DeviceId, isReached: boolean): void {
    this.#roster.reached(share, relayTagOf(keys, device).toString('hex'), isReached, now())
  }

  #wake(): void {
    clearTimeout(this.#timer)
    const dueAtMs = this.#roster.dueAtMs()
    if (dueAtMs === undefined || this.#abort.signal.aborted) return
    this.#timer = setTimeout(() => this.#callDue(), Math.max(0, dueAtMs - now()))
    this.#timer.unref()
  }

  #callDue(): void {
    for (let call = this.#roster.take(now()); call !== undefined; call = this.#roster.take(now())) {
      const { relay, share, tag } = call
      this.#asked.set(
        keyOf(share, tag),
        setTimeout(() => {
          if (this.#answered(share, tag)) this.#settle(share, tag)
        }, CALL_MS),
      )
      if (this.#controls.get(relay)?.call(share, tag) !== true && this.#answered(share, tag))
        this.#settle(share, tag)
    }
    this.#wake()
  }

  /** Whether that was asked for, and is not answered yet. */
  #answered(share: ShareId, tag: string): boolean {
    const key = keyOf(share, tag)
    clearTimeout(this.#asked.get(key))
    return this.#asked.delete(key)
  }

  #settle(share: ShareId, tag: string): void {
    this.#roster.settled(share, tag, now())
    this.#wake()
  }

  #onTicket(
    relay: string,
    endpoint: Endpoint,
    share: ShareId,
    tag: string,
    role: 'caller' | 'called',
    ticket: Buffer,
  ): void {
    const isInitiator = role === 'caller'
    // A relay cannot have us call more often than we would ourselves, nor hold more of its connections.
    if (isInitiator && !this.#answered(share, tag)) return
    const joins = (): number => this.#joins.get(relay) ?? 0
    const settle = (): void => {
      if (isInitiator) this.#settle(share, tag)
      else this.#joins.set(relay, joins() - 1)
    }
    if (!isInitiator && joins() >= MAX_JOINS) return
    if (!isInitiator) this.#joins.set(relay, joins() + 1)
    this.#join(endpoint, share, isInitiator, ticket, settle).catch((thrown: unknown) => {
      this.#o.log.debug({ share: share.slice(0, 8), reason: String(thrown) }, 'no connection through a relay')
      settle()
    })
  }

  async #join(
    endpoint: Endpoint,
    share: ShareId,
    isInitiator: boolean,
    ticket: Buffer,
    onSettled: () => void,
  ): Promise<void> {
    const keys = this.#keys.get(share)
    if (keys === undefined) throw new Error('the share was left')
    const { dial, onSocket } = this.#o
    const { signal } = this.#abort
    const socket = await joinAtRelay({ dial, endpoint, keys, ticket, timeoutMs: JOIN_MS, signal })
    onSocket({ socket, remote: endpoint, isInitiator, share, onSettled })
  }
}

function keyOf(share: ShareId, tag: string): string {
  return `${share} ${tag}`
}

/** Milliseconds of a clock that never goes back. */
function now(): number {
  return performance.now()
}
