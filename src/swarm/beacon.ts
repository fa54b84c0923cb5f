// Finds members on the local network (X6): one small multicast datagram per share, to one hop, from every allowed
// interface: a few at start, one a minute after, and again when the interfaces change. A datagram that belongs to one
// of our shares is answered by dialling its sender over TCP, never by another datagram, so the beacon amplifies nothing.
// An open invite is announced the same way, but more often, because somebody is waiting for it; who holds one listens.
import { randomBytes } from 'node:crypto'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import type { Log } from '../ports/log.js'
import { decodeBeacon, encodeBeacon, isFrom, NONCE_BYTES } from './beacon-packet.js'
import type { Endpoint } from './endpoint.js'
import { isNear, type LanInterface, lanInterfaces } from './interfaces.js'

/** Organisation-local scope (RFC 2365): routers do not forward it, and a TTL of 1 stops at the first anyway. */
export const BEACON_GROUP = '239.192.83.104'
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
  readonly #port: number
  readonly #log: Log
  readonly #subjects = new Map<string, BeaconSubject>()
  readonly #ownNonces = new Set<string>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #look: NodeJS.Timeout | undefined
  #receiver: Socket | undefined
  readonly #senders = new Map<string, Socket>()
  #interfaces: readonly LanInterface[] = []
  #second = 0
  #inSecond = 0
  #isClosed = false

  constructor(options: BeaconOptions) {
    this.#options = options
    this.#port = options.beaconPort ?? BEACON_PORT
    this.#log = options.log
  }

  /** Never rejects: without multicast the LAN is simply not searched, and the log says so. */
  async start(): Promise<void> {
    await this.#openReceiver()
    if (this.#isClosed) return
    this.#lookAround()
    this.#look = setInterval(() => this.#lookAround(), LOOK_MS)
    this.#look.unref()
    this.#repeat('minutely', REPEAT_MS)
    this.#repeat('often', REPEAT_OFTEN_MS)
  }

  add(subject: BeaconSubject): void {
    this.#subjects.set(subject.id, subject)
    if (this.#receiver !== undefined) this.#announceEagerly([subject])
  }

  remove(id: string): void {
    this.#subjects.delete(id)
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#look)
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#receiver?.close()
    this.#receiver = undefined
    for (const sender of this.#senders.values()) sender.close()
    this.#senders.clear()
  }

  #openReceiver(): Promise<void> {
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    return new Promise((resolve) => {
      socket.on('error', (err) => {
        this.#log.warn({ err, port: this.#port }, 'the local network is not searched')
        this.#dropReceiver(socket)
        resolve()
      })
      socket.on('message', (packet, sender) => this.#onPacket(packet, sender))
      // Bound to the group, the socket hears nothing that was sent to this machine alone. Windows cannot do that.
      const address = process.platform === 'win32' ? '0.0.0.0' : BEACON_GROUP
      socket.bind({ port: this.#port, address }, () => {
        if (this.#isClosed) socket.close()
        else this.#receiver = socket
        resolve()
      })
    })
  }

  #dropReceiver(socket: Socket): void {
    if (this.#receiver === socket) this.#receiver = undefined
    try {
      socket.close()
    } catch (err) {
      // It had not been opened, so nothing is left to close.
      this.#log.trace({ err }, 'beacon socket was closed already')
    }
  }

  /** Joins interfaces that have come, leaves those that have gone. */
  #lookAround(): void {
    const now = lanInterfaces(networkInterfaces(), this.#options.interfaces)
    const addresses = new Set(now.map(({ address }) => address))
    this.#interfaces = now
    for (const [address, sender] of this.#senders) {
      if (addresses.has(address)) continue
      sender.close()
      this.#senders.delete(address)
    }
    for (const address of addresses) if (!this.#senders.has(address)) this.#join(address)
  }

  #join(address: string): void {
    if (this.#receiver === undefined) return
    try {
      this.#receiver.addMembership(BEACON_GROUP, address)
    } catch (err) {
      // An address that came back is still joined; everything else means no multicast here.
      this.#log.debug({ err, address }, 'cannot listen for beacons on an interface')
    }
    const sender = createSocket({ type: 'udp4', reuseAddr: true })
    this.#senders.set(address, sender)
    sender.on('error', (err) => {
      this.#log.debug({ err, address }, 'cannot send beacons on an interface')
      if (this.#senders.get(address) !== sender) return
      // The next look around tries again.
      this.#senders.delete(address)
      sender.close()
    })
    sender.bind({ port: 0, address }, () => {
      if (this.#senders.get(address) !== sender) return
      try {
        sender.setMulticastTTL(1)
        sender.setMulticastLoopback(true)
        sender.setMulticastInterface(address)
      } catch (err) {
        // The interface went away meanwhile, or knows no multicast.
        sender.emit('error', err)
        return
      }
      this.#announceEagerly([...this.#subjects.values()], address)
    })
  }

  #announceEagerly(subjects: readonly BeaconSubject[], address?: string): void {
    for (const afterMs of EAGER_AFTER_MS) this.#later(afterMs, () => this.#announce(subjects, address))
  }

  #repeat(pace: BeaconPace, everyMs: number): void {
    // Jitter, so that machines that were switched on together do not speak together for ever.
    this.#later(everyMs * (0.8 + Math.random() * 0.4), () => {
      this.#announce([...this.#subjects.values()].filter((subject) => subject.pace === pace))
      this.#repeat(pace, everyMs)
    })
  }

  #announce(subjects: readonly BeaconSubject[], address?: string): void {
    for (const { id, beaconKey, pace } of subjects) {
      if (pace === 'never' || !this.#subjects.has(id)) continue
      for (const [from, sender] of this.#senders) {
        if (address !== undefined && address !== from) continue
        const nonce = randomBytes(NONCE_BYTES)
        this.#rememberNonce(nonce)
        const packet = encodeBeacon(beaconKey, this.#options.listeningPort, nonce, Date.now())
        sender.send(packet, this.#port, BEACON_GROUP, (err) => {
          if (err !== null) this.#log.debug({ err, address: from }, 'cannot send a beacon')
        })
      }
    }
  }

  #onPacket(packet: Buffer, sender: RemoteInfo): void {
    if (!this.#isWithinRate()) return
    const beacon = decodeBeacon(packet)
    if (beacon === undefined || this.#ownNonces.has(beacon.nonce.toString('hex'))) return
    if (!isNear(sender.address, this.#interfaces)) return
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

  #later(afterMs: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      action()
    }, afterMs)
    timer.unref()
    this.#timers.add(timer)
  }
}
