// Places to dial, "host:port" in configuration and { host, port } inside. Pure: no look-ups. Also says how far an IP
// address reaches, which decides to whom it may be told: an address of a home network means another machine elsewhere.
import { BlockList, isIP } from 'node:net'
import { ShoalError } from '../core/error.js'

export interface Endpoint {
  /** A name or an IP literal, without brackets. */
  readonly host: string
  /** 1 to 65535. */
  readonly port: number
}

/** How far an IP address reaches, nearest first. */
export const SCOPES = ['loopback', 'link', 'private', 'public'] as const
export type Scope = (typeof SCOPES)[number]

/** Reads "host:port", IPv6 literals in brackets. Undefined if it is anything else. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+(?:%[^\s\]]+)?)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text)
  if (match === null) return undefined
  const port = Number(match[3])
  if (port < 1 || port > 65535) return undefined
  const bracketed = match[1]
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? { host: bracketed, port } : undefined
  return { host: match[2]!, port }
}

/** Like parseEndpoint, for texts of our own configuration. @throws ShoalError CONFIG_INVALID */
export function endpointOf(text: string): Endpoint {
  const endpoint = parseEndpoint(text)
  if (endpoint === undefined)
    throw new ShoalError('CONFIG_INVALID', `not a host and port: ${JSON.stringify(text.slice(0, 100))}`)
  return endpoint
}

/** The text form of an endpoint, also its identity in tables. */
export function formatEndpoint(endpoint: Endpoint): string {
  return isIP(endpoint.host) === 6
    ? `[${endpoint.host}]:${endpoint.port}`
    : `${endpoint.host}:${endpoint.port}`
}

/** An IP literal as sockets report it: IPv4 seen through a dual-stack socket loses its "::ffff:". */
export function plainHost(host: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)
  return mapped?.[1] ?? host
}

/** How far an IP literal reaches; undefined for names and for what no one can dial (any, multicast, broadcast). */
export function scopeOf(host: string): Scope | undefined {
  if (isIP(host) === 0) return undefined
  const address = plainHost(host.split('%', 1)[0]!)
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
  if (NOWHERE.check(address, family)) return undefined
  if (LOOPBACK.check(address, family)) return 'loopback'
  if (LINK.check(address, family)) return 'link'
  return PRIVATE.check(address, family) ? 'private' : 'public'
}

/**
 * Whether an address that reaches as far as `address` means the same machine to a peer whose own connection to us
 * reaches as far as `peer`. Loopback stays on loopback; a home network's addresses are not told to the wide world.
 */
export function mayTell(address: Scope, peer: Scope): boolean {
  // A link-local address needs a zone, which only the machine itself can name.
  if (address === 'link') return false
  return SCOPES.indexOf(peer) <= SCOPES.indexOf(address)
}

/** What limits per remote host count: an IPv4 address, or the /64 network that one IPv6 customer has for himself. */
export function hostGroup(host: string): string {
  if (isIP(host) !== 6) return host
  const [head = '', tail] = host.split('%', 1)[0]!.toLowerCase().split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length)
  return [...front, ...Array<string>(zeros).fill('0'), ...back]
    .slice(0, 4)
    .map((part) => part.replace(/^0+(?=.)/, ''))
    .join(':')
}

function blockList(subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList()
  for (const [net, bits] of subnets) list.addSubnet(net, bits, isIP(net) === 4 ? 'ipv4' : 'ipv6')
  return list
}

const NOWHERE = blockList([
  ['0.0.0.0', 8],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['::', 128],
  ['ff00::', 8],
])
const LOOPBACK = blockList([
  ['127.0.0.0', 8],
  ['::1', 128],
])
const LINK = blockList([
  ['169.254.0.0', 16],
  ['fe80::', 10],
])
const PRIVATE = blockList([
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['100.64.0.0', 10],
  ['fc00::', 7],
])
