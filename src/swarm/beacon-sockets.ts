// The sockets of the LAN beacon for one family of addresses: one that listens to the group on all allowed interfaces, and
// one for each interface to send from. Interfaces come and go; without multicast the network is simply not searched.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import type { Log } from '../ports/log.js'

/** Organisation-local scope (RFC 2365): routers do not forward it, and a TTL of 1 stops at the first anyway. */
export const BEACON_GROUP = '239.192.83.104'
/** Link-local scope, not permanently assigned (RFC 4291, 2.7). */
export const BEACON_GROUP_6 = 'ff12::53:686f:616c'

/** Where one family listens and sends; all as the system calls take it. */
interface Family {
  readonly type: 'udp4' | 'udp6'
  readonly group: string
  /** What the listening socket is bound to. */
  readonly bindTo: string
  /** The interface that has this address. */
  interfaceOf(address: string): string
}

// Bound to the group, the socket hears nothing that was sent to this machine alone. Windows cannot do that, and a
// link-local group would need a zone; who receives looks at the sender.
const FAMILIES: Readonly<Record<4 | 6, Family>> = {
  4: {
    type: 'udp4',
    group: BEACON_GROUP,
    bindTo: process.platform === 'win32' ? '0.0.0.0' : BEACON_GROUP,
    interfaceOf: (address) => address,
  },
  6: {
    type: 'udp6',
    group: BEACON_GROUP_6,
    bindTo: '::',
    interfaceOf: (address) => `::%${address.split('%', 2)[1]}`,
  },
}

export interface BeaconSocketsOptions {
  readonly family: 4 | 6
  readonly port: number
  readonly onPacket: (packet: Buffer, sender: RemoteInfo) => void
  /** Can be sent from now on. */
  readonly onSender: (address: string) => void
  readonly log: Log
}

export class BeaconSockets {
  readonly #o: BeaconSocketsOptions
  readonly #family: Family
  readonly #joined = new Set<string>()
  readonly #senders = new Map<string, Socket>()
  #receiver: Socket | undefined
  #isClosed = false

  constructor(options: BeaconSocketsOptions) {
    this.#o = options
    this.#family = FAMILIES[options.family]
  }

  get isListening(): boolean {
    return this.#receiver !== undefined
  }

  /** Never rejects: without the family the log says so. */
  listen(): Promise<void> {
    const { port, family, log, onPacket } = this.#o
    const { type, bindTo } = this.#family
    const socket = createSocket({ type, reuseAddr: true, ipv6Only: type === 'udp6' })
    return new Promise((resolve) => {
      socket.on('error', (err) => {
        // A machine without IPv6 is nothing to warn of.
        log[family === 4 ? 'warn' : 'debug']({ err, port, family }, 'the local network is not searched')
        this.#dropReceiver(socket)
        resolve()
      })
      socket.on('message', onPacket)
      socket.bind({ port, address: bindTo }, () => {
        if (this.#isClosed) socket.close()
        else this.#receiver = socket
        resolve()
      })
    })
  }

  /** Listens and sends by these addresses, and by no others from now on. */
  use(listenBy: readonly string[], sendFrom: readonly string[]): void {
    for (const address of this.#joined) if (!listenBy.includes(address)) this.#joined.delete(address)
    for (const address of listenBy) this.#join(address)
    for (const [address, sender] of this.#senders) {
      if (sendFrom.includes(address)) continue
      sender.close()
      this.#senders.delete(address)
    }
    for (const address of sendFrom) if (!this.#senders.has(address)) this.#openSender(address)
  }

  /** Sends what `packet` makes for each address, or for one alone. */
  send(packet: () => Buffer, only?: string): void {
    for (const [address, sender] of this.#senders) {
      if (only !== undefined && only !== address) continue
      sender.send(packet(), this.#o.port, this.#groupFrom(address), (err) => {
        if (err !== null) this.#o.log.debug({ err, address }, 'cannot send a beacon')
      })
    }
  }

  close(): void {
    this.#isClosed = true
    this.#receiver?.close()
    this.#receiver = undefined
    for (const sender of this.#senders.values()) sender.close()
    this.#senders.clear()
  }

  #groupFrom(address: string): string {
    const zone = address.split('%', 2)[1]
    return zone === undefined ? this.#family.group : `${this.#family.group}%${zone}`
  }

  #join(address: string): void {
    if (this.#receiver === undefined || this.#joined.has(address)) return
    this.#joined.add(address)
    try {
      this.#receiver.addMembership(this.#family.group, this.#family.interfaceOf(address))
    } catch (err) {
      // An address that came back is still joined; everything else means no multicast here.
      this.#o.log.debug({ err, address }, 'cannot listen for beacons on an interface')
    }
  }

  #openSender(address: string): void {
    if (this.#receiver === undefined) return
    const sender = createSocket({ type: this.#family.type, reuseAddr: true })
    this.#senders.set(address, sender)
    sender.on('error', (err) => {
      this.#o.log.debug({ err, address }, 'cannot send beacons on an interface')
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
        sender.setMulticastInterface(this.#family.interfaceOf(address))
      } catch (err) {
        // The interface went away meanwhile, or knows no multicast.
        sender.emit('error', err)
        return
      }
      this.#o.onSender(address)
    })
  }

  #dropReceiver(socket: Socket): void {
    if (this.#receiver === socket) this.#receiver = undefined
    try {
      socket.close()
    } catch (err) {
      // It had not been opened, so nothing is left to close.
      this.#o.log.trace({ err }, 'beacon socket was closed already')
    }
  }
}
