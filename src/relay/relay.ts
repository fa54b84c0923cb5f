// `shoal relay`: forwards ciphertext between two nodes of a share that cannot meet (docs/relay.md). A thin shell: who may
// do what is the desk's to say (desk.ts), and pair.ts forwards. Promises: a stranger costs one socket and a few hundred
// bytes for some seconds at most; what nodes send each other is never looked at, kept or logged.
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { decodeNodeMessage, encodeRelayMessage, MAX_NODE_FRAME_BYTES, nextFrame } from '../core/relay-wire.js'
import type { Log } from '../ports/log.js'
import { type Endpoint, hostGroup, plainHost } from '../swarm/endpoint.js'
import { TcpListener } from '../swarm/tcp.js'
import { type Caller, Desk, type DeskCounts, type Effect } from './desk.js'
import type { RelayLimits } from './limits.js'
import { Pace, Pair } from './pair.js'

export interface RelayOptions {
  /** '::' and '0.0.0.0' stand for all addresses; port 0: any free one. */
  readonly listen: Endpoint
  /** Whether a pass, in hex, may be used. */
  readonly isAllowed: (pass: string) => boolean
  readonly limits: RelayLimits
  readonly log: Log
}

/** What has happened since the start, and how it is now. */
export interface RelayFacts extends DeskCounts {
  /** Forwarded, both ways. */
  readonly bytes: number
  /** Pairs joined since the start. */
  readonly joined: number
  /** Connections taken in since the start. */
  readonly arrived: number
  /** Connections ended by the relay, and those never taken in, by why. */
  readonly ended: ReadonlyMap<string, number>
}

/** What a node that does not read its frames may have waiting. */
const MAX_UNREAD_BYTES = 256 * 1024
/** For what is on its way when a connection is ended. */
const LINGER_MS = 2_000
const SWEEP_MS = 1_000

interface Guest {
  readonly socket: Socket
  /** Of a frame that is not complete. */
  rest: Buffer
  pair: Pair | undefined
  readonly onData: (chunk: Buffer) => void
}

export class Relay {
  readonly #o: RelayOptions
  readonly #desk: Desk
  readonly #guests = new Map<Caller, Guest>()
  readonly #pairs = new Map<Pair, Caller>()
  readonly #sockets = new Set<Socket>()
  readonly #total: Pace
  readonly #ended = new Map<string, number>()
  #listener: TcpListener | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  #bytes = 0
  #joined = 0
  #arrived = 0

  /** Listens. @throws ShoalError PORT_IN_USE, IO */
  static async open(options: RelayOptions): Promise<Relay> {
    const relay = new Relay(options)
    await relay.#listen()
    return relay
  }

  private constructor(options: RelayOptions) {
    this.#o = options
    this.#desk = new Desk({ limits: options.limits, isAllowed: options.isAllowed, random: randomBytes })
    this.#total = new Pace(options.limits.totalBytesPerSecond)
  }

  get address(): Endpoint {
    return { host: this.#o.listen.host, port: this.#listener?.port ?? 0 }
  }

  get facts(): RelayFacts {
    return {
      ...this.#desk.counts,
      bytes: this.#bytes,
      joined: this.#joined,
      arrived: this.#arrived,
      ended: this.#ended,
    }
  }

  /** Bytes held for all pairs. */
  get heldBytes(): number {
    let held = 0
    for (const pair of this.#pairs.keys()) held += pair.heldBytes
    return held
  }

  /** Other passes are allowed now than before. */
  recheck(): void {
    this.#apply(this.#desk.recheck())
  }

  /** Takes nobody in any more, sends what is on its way, and ends all connections; within some 2 s. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    clearInterval(this.#timer)
    const closed = this.#listener?.close()
    for (const pair of this.#pairs.keys()) pair.stop()
    for (const socket of this.#sockets) endSoon(socket)
    await closed
    for (const caller of [...this.#guests.keys()]) {
      this.#release(caller)
      this.#desk.depart(caller)
    }
  }

  async #listen(): Promise<void> {
    const { listen, log } = this.#o
    this.#listener = await TcpListener.open(listen.host, listen.port, (socket) => this.#onSocket(socket), log)
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS)
    this.#timer.unref()
  }

  #onSocket(socket: Socket): void {
    if (this.#isClosed) {
      socket.destroy()
      return
    }
    const arrival = this.#desk.arrive(hostGroup(plainHost(socket.remoteAddress ?? '')), now())
    if (arrival.type === 'turned-away') {
      this.#count(arrival.why)
      socket.destroy()
      return
    }
    const { caller, effects } = arrival
    this.#arrived++
    const guest: Guest = {
      socket,
      rest: Buffer.alloc(0),
      pair: undefined,
      onData: (chunk) => this.#onData(caller, guest, chunk),
    }
    this.#guests.set(caller, guest)
    this.#sockets.add(socket)
    socket.on('data', guest.onData)
    socket.on('close', () => {
      this.#sockets.delete(socket)
      this.#release(caller)
      this.#apply(this.#desk.depart(caller))
    })
    this.#apply(effects)
  }

  #onData(caller: Caller, guest: Guest, chunk: Buffer): void {
    let bytes = guest.rest.length === 0 ? chunk : Buffer.concat([guest.rest, chunk])
    // It may be ended, or joined, by what it says.
    while (this.#guests.get(caller) === guest && guest.pair === undefined) {
      const next = nextFrame(bytes, MAX_NODE_FRAME_BYTES)
      if (next.type === 'violation') return this.#end(caller, 'bad frame')
      if (next.value === undefined) {
        // A copy: a few bytes must not keep a whole read alive.
        guest.rest = Buffer.from(bytes)
        return
      }
      const message = decodeNodeMessage(next.value.frame)
      if (message.type === 'violation') return this.#end(caller, 'bad frame')
      bytes = bytes.subarray(next.value.took)
      guest.rest = Buffer.alloc(0)
      // Who joins has to wait for the other's word that it is joined.
      if (message.value.type === 'join' && bytes.length > 0) return this.#end(caller, 'spoke out of turn')
      this.#apply(this.#desk.hear(caller, message.value, now()))
    }
  }

  #apply(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'send') this.#send(effect.to, encodeRelayMessage(effect.message))
      else if (effect.type === 'close') {
        this.#count(effect.why)
        const guest = this.#guests.get(effect.caller)
        this.#release(effect.caller)
        if (guest !== undefined) endSoon(guest.socket)
      } else this.#join(effect.a, effect.b)
    }
  }

  #send(to: Caller, bytes: Buffer): void {
    const socket = this.#guests.get(to)?.socket
    if (socket === undefined || socket.destroyed) return
    socket.write(bytes)
    if (socket.writableLength > MAX_UNREAD_BYTES) {
      // Its end is told to the desk when the socket has closed; nothing else is sent to it until then.
      this.#count('does not read')
      socket.destroy()
    }
  }

  #join(a: Caller, b: Caller): void {
    const [first, second] = [this.#guests.get(a), this.#guests.get(b)]
    if (first === undefined || second === undefined) return
    for (const { socket, onData } of [first, second]) socket.removeListener('data', onData)
    const pair = new Pair(first.socket, second.socket, {
      paces: [new Pace(this.#o.limits.pairBytesPerSecond), this.#total],
      onBytes: (bytes) => {
        this.#bytes += bytes
      },
      now,
    })
    first.pair = pair
    second.pair = pair
    this.#pairs.set(pair, a)
    this.#joined++
    for (const { socket } of [first, second]) socket.resume()
  }

  #sweep(): void {
    const { idleMs } = this.#o.limits
    const nowMs = now()
    this.#apply(this.#desk.sweep(nowMs))
    for (const [pair, caller] of [...this.#pairs]) {
      const fault = pair.fault(idleMs, nowMs)
      if (fault !== undefined) this.#end(caller, fault)
    }
  }

  /** Ends one, and by the desk what it is joined with. */
  #end(caller: Caller, why: string): void {
    const guest = this.#guests.get(caller)
    this.#count(why)
    this.#release(caller)
    guest?.socket.destroy()
    this.#apply(this.#desk.depart(caller))
  }

  /** What it says is of no interest any more. */
  #release(caller: Caller): void {
    const guest = this.#guests.get(caller)
    if (guest === undefined) return
    this.#guests.delete(caller)
    guest.socket.removeListener('data', guest.onData)
    if (guest.pair !== undefined) this.#pairs.delete(guest.pair)
  }

  #count(why: string): void {
    this.#ended.set(why, (this.#ended.get(why) ?? 0) + 1)
  }
}

/** Sends what waits and closes; by force if the other end is slow about it. */
function endSoon(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
  // What still comes is read and dropped, or its end would never be seen.
  socket.resume()
  socket.end()
}

/** Milliseconds of a clock that never goes back. */
function now(): number {
  return performance.now()
}
