// What each end of a connection tells the other of addresses: as what it sees it, and by which addresses it believes to be
// reachable itself, where more than the connection shows: a port that a router opened, one that was opened by hand, addresses
// of its own that are known everywhere. Told once a connection is selected, and anew when it changes. What is told is believed
// as far as an address that was met: it is dialled with that device's key expected there, and told to others it may concern.
//
//   ways  seen host text <= 45 (an IP literal; empty: not known), seen port uint,
//         count uint <= 8, that many of: host text <= 45 (an IP literal; empty: the host that the receiver sees), port uint
//                                                                        channel shoal/link/1, message 3
import { isIP } from 'node:net'
import { ByteReader, ByteWriter } from '../core/bytes.js'
import { type Decoded, decoding, Malformed } from '../core/violation.js'
import { type Endpoint, formatEndpoint, mayTell, scopeOf } from './endpoint.js'
import type { Link } from './link.js'

/** An address by which a device believes to be reachable. */
export interface OwnWay {
  /** An IP literal; undefined: the host as which the other end sees the device, if that is a public one. */
  readonly host: string | undefined
  /** 1 to 65535. */
  readonly port: number
}

export interface WaysMessage {
  /** The receiver as the sender sees it; undefined: not directly. */
  readonly seen: Endpoint | undefined
  readonly ways: readonly OwnWay[]
}

/** Addresses of one device: more than a machine has that others could use. */
export const MAX_WAYS = 8
const MAX_HOST_BYTES = 45
/** Two hosts and eight, each with lengths and ports. */
export const MAX_WAYS_BYTES: number = (MAX_WAYS + 1) * (MAX_HOST_BYTES + 5) + 2

export function encodeWays({ seen, ways }: WaysMessage): Buffer {
  if (ways.length > MAX_WAYS) throw new RangeError(`${ways.length} ways in one message`)
  const writer = new ByteWriter(256).text(seen?.host ?? '').uint(seen?.port ?? 0)
  writer.uint(ways.length)
  for (const { host, port } of ways) writer.text(host ?? '').uint(port)
  return writer.finish()
}

export function decodeWays(bytes: Buffer): Decoded<WaysMessage> {
  return decoding(() => {
    const reader = new ByteReader(bytes)
    const host = readHost(reader)
    const port = reader.uintUpTo(65_535, 'port')
    if ((host === undefined) !== (port === 0)) throw new Malformed('bad-host', 'half an address')
    const count = reader.uintUpTo(MAX_WAYS, 'count of ways')
    const ways: OwnWay[] = []
    for (let at = 0; at < count; at++) {
      const way = { host: readHost(reader), port: reader.uintUpTo(65_535, 'port') }
      if (way.port === 0) throw new Malformed('bad-port', 'port 0')
      ways.push(way)
    }
    reader.end()
    return { seen: host === undefined ? undefined : { host, port }, ways }
  })
}

function readHost(reader: ByteReader): string | undefined {
  const host = reader.text(MAX_HOST_BYTES, 'host')
  if (host === '') return undefined
  if (isIP(host) === 0) throw new Malformed('bad-host', 'host is not an IP address')
  return host
}

/** What is asked of a connection here. */
type Seen = Pick<Link, 'transport' | 'remote' | 'scope'> & Partial<Pick<Link, 'isProxied'>>

/** The addresses that mean the sender of `ways` to whoever has this connection to it, each once. */
export function endpointsOf(ways: readonly OwnWay[], link: Seen): Endpoint[] {
  const found = new Map<string, Endpoint>()
  for (const { host: named, port } of ways) {
    // A relay's address is not the device's.
    const isSeen = named === undefined && link.transport !== 'relayed' && link.scope === 'public'
    const host = isSeen ? link.remote.host : named
    const scope = host === undefined ? undefined : scopeOf(host)
    if (host === undefined || scope === undefined || !mayTell(scope, link.scope)) continue
    found.set(formatEndpoint({ host, port }), { host, port })
  }
  return [...found.values()]
}

/** What is told over a connection: of our addresses those that mean us at its other end too. */
export function waysFor(ways: readonly OwnWay[], link: Seen): WaysMessage {
  const { host, port } = link.remote
  const isDirect = link.transport !== 'relayed' && scopeOf(host) !== undefined && port > 0
  const told = ways.filter(({ host: own }) => {
    // What the other end sees is the proxy.
    if (own === undefined && link.isProxied === true) return false
    const scope = own === undefined ? 'public' : scopeOf(own)
    return scope !== undefined && mayTell(scope, link.scope)
  })
  return { seen: isDirect ? { host, port } : undefined, ways: told.slice(0, MAX_WAYS) }
}

export interface OwnWaysOptions {
  /** The connections that carry shares. */
  readonly links: () => Iterable<Link>
  /** The device at the other end is reachable by these, it says. */
  readonly onWays: (link: Link, endpoints: readonly Endpoint[]) => void
}

/** As whom the devices at the other ends see us. */
export interface SeenAs {
  readonly host: string
  readonly devices: number
}

/** Our own addresses, and what others say of us. */
export class OwnWays {
  readonly #options: OwnWaysOptions
  #ways: readonly OwnWay[] = []

  constructor(options: OwnWaysOptions) {
    this.#options = options
  }

  /** These are our addresses from now on; told to all who are told something new by that. */
  set(ways: readonly OwnWay[]): void {
    if (JSON.stringify(ways) === JSON.stringify(this.#ways)) return
    this.#ways = ways
    for (const link of this.#options.links()) this.#tell(link)
  }

  /** A connection was selected. */
  attach(link: Link): void {
    link.on('ways', ({ ways }) => {
      link.ways = endpointsOf(ways, link)
      this.#options.onWays(link, link.ways)
    })
    this.#tell(link)
  }

  /** Most first. Only what members say who reach us directly, each device once. */
  seenAs(): SeenAs[] {
    const counts = new Map<string, number>()
    for (const { seenAs, isProxied } of this.#options.links())
      if (seenAs !== undefined && !isProxied) counts.set(seenAs.host, (counts.get(seenAs.host) ?? 0) + 1)
    return [...counts].map(([host, devices]) => ({ host, devices })).sort((a, b) => b.devices - a.devices)
  }

  #tell(link: Link): void {
    link.tellWays(waysFor(this.#ways, link))
  }
}
