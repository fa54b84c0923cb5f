// Finds members on the local network (X6): one small multicast datagram per share, to one hop, from every allowed
// interface: a few at start, one a minute after, and again when the interfaces change. A datagram that belongs to one
// of our shares is answered by dialling its sender over TCP, never by another datagram, so the beacon amplifies nothing.
// Announced over IPv4, and over IPv6 from interfaces that have no IPv4 address; listened for over both, so that of a machine
// with both families and one with IPv6 alone the first hears the second.
// An open invite is announced the same way, but more often, because somebody is waiting for it; who holds one listens.
import { randomBytes } from 'node:crypto'
import type { RemoteInfo } from 'node:dgram'
import type { Log } from '../ports/log.js'
import { interfacesNow } from '../ports/network-interfaces.js'
import { decodeBeacon, encodeBeacon, isFrom, NONCE_BYTES } from './beacon-packet.js'
import { BeaconSockets } from './beacon-sockets.js'
import type { Endpoint } from './endpoint.js'
import {
  isNear,
  isOnLink,
  type LanInterface,
  type LinkInterface,
  lanInterfaces,
  linkInterfaces,
} from './interfaces.js'
import { Timers } from './timers.js'

/** UDP; ours alone, and not one that IANA gave to anybody. */
export const BEACON_PORT = 37_104
/** After start or a change: one datagram can be lost, and some access points lose many. */
const EAGER_AFTER_MS: readonly number[] = [0, 1_000, 4_000]
const REPEAT_MS = 60_000
/** The same for an invite. */
const REPEAT_OFTEN_MS = 5_000
/** How often the list of interfaces is looked at. */
const LOOK_MS = 15_000
/** Datagrams looked at in a second: each costs three keyed hashes a share. */
const MAX_PER_SECOND = 100
/** Own nonces remembered, to know our own datagrams that multicast brings back. */
const OWN_NONCES = 4096

export interface BeaconOptions {
  /** The TCP port to announce. */
  readonly listeningPort: number
  /** Default BEACON_PORT. */
  readonly beaconPort?: number
  /** Names or addresses; undefined: all but loopback. */
  readonly interfaces?: readonly string[]
  readonly onFound: (id: string, endpoint: Endpoint) => void
  readonly log: Log
}

/** What is announced, listened for, or both. */
export interface BeaconSubject {
  /** What onFound names it by. */
  readonly id: string
  readonly beaconKey: Buffer
  readonly pace: BeaconPace
}

/** How often something is announced; 'never': only listened for. */
export type BeaconPace = 'minutely' | 'often' | 'never'

export class LanBeacon {
  readonly #options: BeaconOptions
  readonly #subjects = new Map<string, BeaconSubject>()
  readonly #ownNonces = new Set<string>()
  readonly #timers = new Timers()
  #look: NodeJS.Timeout | undefined
  readonly #sockets: Readonly<Record<4 | 6, BeaconSockets>>
  #lan: readonly LanInterface[] = []
  #links: readonly LinkInterface[] = []
  #second = 0
  #inSecond = 0
  #isClosed = false

  constructor(options: BeaconOptions) {
    this.#options = options
    this.#sockets = { 4: this.#newSockets(4), 6: this.#newSockets(6) }
  }

  /** Never rejects: without multicast the LAN is simply not searched, and the log says so. */
  async start(): Promise<void> {
    await Promise.all([this.#sockets[4].listen(), this.#sockets[6].listen()])
    if (this.#isClosed) return
    this.#lookAround()
    this.#look = setInterval(() => this.#lookAround(), LOOK_MS)
    this.#look.unref()
    this.#repeat('minutely', REPEAT_MS)
    this.#repeat('often', REPEAT_OFTEN_MS)
  }

  add(subject: BeaconSubject): void {
    this.#subjects.set(subject.id, subject)
    if (this.#look !== undefined) this.#announceEagerly([subject])
  }

  remove(id: string): void {
    this.#subjects.delete(id)
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#look)
    this.#timers.clearAll()
    for (const sockets of Object.values(this.#sockets)) sockets.close()
  }

  #newSockets(family: 4 | 6): BeaconSockets {
    const { beaconPort = BEACON_PORT, log } = this.#options
    return new BeaconSockets({
      family,
      port: beaconPort,
      onPacket: (packet, sender) => this.#onPacket(packet, sender),
      onSender: (address) => this.#announceEagerly([...this.#subjects.values()], address),
      log,
    })
  }

  /** Joins interfaces that have come, leaves those that have gone. */
  #lookAround(): void {
    const all = interfacesNow()
    this.#lan = lanInterfaces(all, this.#options.interfaces)
    this.#links = linkInterfaces(all, this.#options.interfaces)
    const lan = [...new Set(this.#lan.map(({ address }) => address))]
    this.#sockets[4].use(lan, lan)
    this.#sockets[6].use(
      this.#links.map(({ address }) => address),
      this.#links.filter(({ hasIPv4 }) => !hasIPv4).map(({ address }) => address),
    )
  }

  #announceEagerly(subjects: readonly BeaconSubject[], address?: string): void {
    for (const afterMs of EAGER_AFTER_MS) this.#timers.after(afterMs, () => this.#announce(subjects, address))
  }

  #repeat(pace: BeaconPace, everyMs: number): void {
    // Jitter, so that machines that were switched on together do not speak together for ever.
    this.#timers.after(everyMs * (0.8 + Math.random() * 0.4), () => {
      this.#announce([...this.#subjects.values()].filter((subject) => subject.pace === pace))
      this.#repeat(pace, everyMs)
    })
  }

  #announce(subjects: readonly BeaconSubject[], address?: string): void {
    for (const { id, beaconKey, pace } of subjects) {
      if (pace === 'never' || !this.#subjects.has(id)) continue
      const packet = (): Buffer => {
        const nonce = randomBytes(NONCE_BYTES)
        this.#rememberNonce(nonce)
        return encodeBeacon(beaconKey, this.#options.listeningPort, nonce, Date.now())
      }
      for (const sockets of Object.values(this.#sockets)) sockets.send(packet, address)
    }
  }

  #onPacket(packet: Buffer, sender: RemoteInfo): void {
    if (!this.#isWithinRate()) return
    const beacon = decodeBeacon(packet)
    if (beacon === undefined || this.#ownNonces.has(beacon.nonce.toString('hex'))) return
    const isHere = isNear(sender.address, this.#lan) || isOnLink(sender.address, this.#links)
    if (!isHere) return
    const nowMs = Date.now()
    for (const { id, beaconKey } of this.#subjects.values()) {
      if (!isFrom(beacon, beaconKey, nowMs)) continue
      this.#options.onFound(id, { host: sender.address, port: beacon.port })
      return
    }
  }

  #isWithinRate(): boolean {
    const second = Math.floor(performance.now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#inSecond = 0
    }
    return ++this.#inSecond <= MAX_PER_SECOND
  }

  #rememberNonce(nonce: Buffer): void {
    this.#ownNonces.add(nonce.toString('hex'))
    if (this.#ownNonces.size > OWN_NONCES) this.#ownNonces.delete(this.#ownNonces.values().next().value!)
  }
}
