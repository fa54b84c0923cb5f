// Fifty devices on one switch that goes away and comes back: their real address books and dialers on one virtual clock. What
// happens follows from the seed alone. A dial is a packet that the network takes or swallows; a connection is up at both ends
// three flights after it; a dead one is noticed by each end by itself, as keep-alives were due at different times.
import type { Socket } from 'node:net'
import type { DeviceId, ShareId } from '../../src/core/ids.js'
import { AddressBook } from '../../src/swarm/addresses.js'
import { Dialer } from '../../src/swarm/dialer.js'
import { DEFAULT_TIMINGS } from '../../src/swarm/link-timings.js'
import { Random } from '../sim/random.js'

const SHARE = '01'.repeat(32) as ShareId
const PORT = 3838
/** One flight on a local network, at most. */
const FLIGHT_MS = 3
const START_MS = 2_000
/** A kernel that gets no answer to ARP says so after about three seconds. */
const ARP_MS = 3_000

export interface StormOptions {
  readonly seed: number
  readonly devices: number
  /** How many of them stand on a second switch that stays up. Default: none. */
  readonly elsewhere?: number
}

interface Event {
  readonly atMs: number
  readonly turn: number
  readonly action: () => void
  isOff: boolean
}

interface Node {
  readonly device: DeviceId
  readonly host: string
  readonly isElsewhere: boolean
  readonly book: AddressBook
  readonly dialer: Dialer
  /** Since when each other device is connected, as this end sees it. */
  readonly links: Map<DeviceId, number>
}

export interface Dial {
  readonly atMs: number
  readonly from: number
}

export class Storm {
  nowMs = 0
  isUp = true
  readonly dials: Dial[] = []
  readonly nodes: Node[]
  readonly #random: Random
  readonly #byHost: ReadonlyMap<string, Node>
  readonly #byDevice: ReadonlyMap<DeviceId, Node>
  #events: Event[] = []
  #turn = 0

  constructor({ seed, devices, elsewhere = 0 }: StormOptions) {
    this.#random = new Random(seed)
    this.nodes = Array.from({ length: devices }, (_, number) => this.#newNode(number, number < elsewhere))
    this.#byHost = new Map(this.nodes.map((node) => [node.host, node]))
    this.#byDevice = new Map(this.nodes.map((node) => [node.device, node]))
    // All were there before, and remember each other.
    for (const { book, device } of this.nodes)
      for (const other of this.nodes)
        if (other.device !== device)
          book.learn(SHARE, { device: other.device, host: other.host, port: PORT }, 0)
    // Machines that are switched on together are up within some seconds of each other.
    for (const { dialer } of this.nodes) this.#at(this.#random.next() * START_MS, () => dialer.start())
  }

  /** Lets this much time pass. */
  async run(forMs: number): Promise<void> {
    const untilMs = this.nowMs + forMs
    for (;;) {
      const next = this.#nextEvent(untilMs)
      if (next === undefined) break
      this.nowMs = next.atMs
      next.isOff = true
      next.action()
      // What was promised is settled before the clock goes on.
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.nowMs = untilMs
  }

  /** The switch loses its power: whatever goes over it is swallowed. */
  down(): void {
    this.isUp = false
    const { deadPeerMs, keepAliveMs } = DEFAULT_TIMINGS
    for (const node of this.nodes) {
      for (const [device, sinceMs] of node.links) {
        if (this.#reaches(node, this.#byDevice.get(device)!)) continue
        const silentMs = deadPeerMs - this.#random.next() * keepAliveMs
        this.#at(silentMs, () => {
          if (!this.isUp && node.links.get(device) === sinceMs) this.#lose(node, device)
        })
      }
    }
  }

  up(): void {
    this.isUp = true
  }

  /** Pairs of devices of which both ends are connected, from 0 to 1. */
  get meshed(): number {
    let pairs = 0
    let connected = 0
    for (const [i, a] of this.nodes.entries()) {
      for (const b of this.nodes.slice(i + 1)) {
        pairs++
        if (a.links.has(b.device) && b.links.has(a.device)) connected++
      }
    }
    return connected / pairs
  }

  /** The most dials in any `windowMs` from an instant on, by one device or by all. */
  peak(windowMs: number, sinceMs: number, untilMs: number, from?: number): number {
    const list = this.dials.filter(
      (dial) => dial.atMs >= sinceMs && dial.atMs < untilMs && (from === undefined || dial.from === from),
    )
    let most = 0
    for (let first = 0, last = 0; last < list.length; last++) {
      while (list[first]!.atMs <= list[last]!.atMs - windowMs) first++
      most = Math.max(most, last - first + 1)
    }
    return most
  }

  #newNode(number: number, isElsewhere: boolean): Node {
    const device = this.#random
      .below(2 ** 32)
      .toString(16)
      .padStart(64, '0') as DeviceId
    const links = new Map<DeviceId, number>()
    const book = new AddressBook(device, () => this.#random.next())
    const node: Node = {
      device,
      host: `10.0.${Math.floor(number / 250)}.${(number % 250) + 1}`,
      isElsewhere,
      book,
      links,
      dialer: new Dialer({
        book,
        view: {
          isConnected: (other) => links.has(other),
          isReached: (other) => links.has(other),
          wantsSmall: () => false,
          isBanned: () => false,
        },
        dial: ({ host }, timeoutMs, signal) => this.#dial(number, this.#byHost.get(host)!, timeoutMs, signal),
        timeoutMs: DEFAULT_TIMINGS.proofTimeoutMs,
        now: () => this.nowMs,
        onSocket: (_socket, { key, device: other }, done) => {
          // Proofs: there, back, and there again.
          this.#at(3 * this.#flight(), () => {
            this.#connect(node, this.#byDevice.get(other!)!, key)
            done()
          })
        },
        onFailure: () => {},
        timers: {
          set: (action, afterMs) => this.#at(afterMs, action),
          clear: (event) => {
            if (event !== undefined) (event as Event).isOff = true
          },
        },
      }),
    }
    return node
  }

  #dial(from: number, to: Node, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
    this.dials.push({ atMs: this.nowMs, from })
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('stopped')))
      const isHeard = this.#reaches(this.nodes[from]!, to)
      if (isHeard) this.#at(2 * this.#flight(), () => resolve({} as Socket))
      else this.#at(Math.min(timeoutMs, ARP_MS), () => reject(new Error('no route to host')))
    })
  }

  #connect(a: Node, b: Node, key: string): void {
    a.book.connected(key, b.device)
    for (const [node, other] of [
      [a, b],
      [b, a],
    ] as const) {
      if (!node.links.has(other.device)) node.book.back(other.device, this.nowMs)
      node.links.set(other.device, this.nowMs)
      node.dialer.wake()
    }
  }

  #lose(node: Node, device: DeviceId): void {
    const sinceMs = node.links.get(device)!
    node.links.delete(device)
    node.book.lost(device, this.nowMs - sinceMs, this.nowMs)
    node.dialer.wake()
  }

  #reaches(a: Node, b: Node): boolean {
    return this.isUp || (a.isElsewhere && b.isElsewhere)
  }

  #flight(): number {
    return 0.1 + this.#random.next() * FLIGHT_MS
  }

  #at(afterMs: number, action: () => void): Event {
    const event = { atMs: this.nowMs + Math.max(0, afterMs), turn: this.#turn++, action, isOff: false }
    // Kept in order; most come late, so the place is searched from the end.
    let place = this.#events.length
    while (place > 0 && this.#events[place - 1]!.atMs > event.atMs) place--
    this.#events.splice(place, 0, event)
    return event
  }

  #nextEvent(untilMs: number): Event | undefined {
    const index = this.#events.findIndex(({ isOff }) => !isOff)
    const next = this.#events[index]
    if (next === undefined || next.atMs > untilMs) return undefined
    this.#events = this.#events.slice(index + 1)
    return next
  }
}
