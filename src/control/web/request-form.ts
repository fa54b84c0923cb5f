// Whether an HTTP request is one that the control API takes at all, before anybody asks who sent it. Pure. Promises: a path
// that is let through consists of plain segments, none of them ".", ".." or empty, and has no percent sign; a header
// that decides about anything is there once at most; a request that a web page of another site made is refused.
import { isIP } from 'node:net'
import { type Refusal, refuse } from './refusal.js'

/** What came in, before its body. */
export interface RequestHead {
  readonly method: string
  /** As it came: path, question mark, query. */
  readonly target: string
  /** Lower case; of one that is there several times, the first. */
  readonly headers: Readonly<Record<string, string | undefined>>
  /** As they came, names and values in turn. */
  readonly rawHeaders: readonly string[]
  readonly isTls: boolean
}

/** What this machine is called. */
export interface OwnNames {
  /** From the configuration, lower case. */
  readonly hosts: readonly string[]
  /** Addresses in the form of canonicalAddress. */
  readonly isOwnAddress: (address: string) => boolean
}

export interface RequestForm {
  readonly path: string
  readonly query: string
}

/** Longest target, in characters. A path in a query is 4096 bytes at most, each three characters. */
const MAX_TARGET = 12_500 + 512
const METHODS: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'DELETE'])
/** Two of them, and two readers of the request might each believe another one. */
const SINGLE = [
  ...['host', 'authorization', 'x-api-key', 'origin', 'sec-fetch-site', 'referer', 'last-event-id'],
  ...['content-length', 'transfer-encoding', 'content-type'],
]
/** BitTorrent Sync's API, which changes things by GET. */
const CHANGED_BY_GET = /^\/api(?:[/?]|$)/
const SEGMENT = /^[A-Za-z0-9_~.-]+$/

/** The request's path and query, or why it is refused. */
export function formOf(head: RequestHead, names: OwnNames): RequestForm | Refusal {
  if (!METHODS.has(head.method))
    return refuse('USAGE', 'the method of the request is not one of this API', {
      status: 405,
      headers: { allow: [...METHODS].join(', ') },
    })
  const twice = SINGLE.find((name) => countOf(name, head.rawHeaders) > 1)
  if (twice !== undefined) return refuse('USAGE', `the request has two ${twice} headers, expected one`)
  const form = splitTarget(head.target)
  if (form === undefined)
    return refuse('USAGE', 'the path of the request is none of this API: plain segments, nothing encoded')
  return hostRefusal(head, names) ?? originRefusal(head) ?? form
}

/** Undefined for what is no plain path. */
function splitTarget(target: string): RequestForm | undefined {
  // Printable ASCII alone: what else belongs into a query is encoded there.
  if (target.length > MAX_TARGET || !/^\/[\x21-\x7e]*$/.test(target) || target.includes('#')) return undefined
  const mark = target.indexOf('?')
  const [path, query] = mark < 0 ? [target, ''] : [target.slice(0, mark), target.slice(mark + 1)]
  // No text of any call holds the byte zero, and none should meet code that ends texts with it.
  if (/%00/.test(query)) return undefined
  if (path === '/') return { path, query }
  const segments = path.slice(1).split('/')
  const isPlain = segments.every((name) => SEGMENT.test(name) && name !== '.' && name !== '..')
  return isPlain ? { path, query } : undefined
}

/** A name that anybody may have pointed at this machine (DNS rebinding) makes their page's requests same-origin. */
function hostRefusal({ headers }: RequestHead, { hosts, isOwnAddress }: OwnNames): Refusal | undefined {
  const name = hostNameOf(headers.host)
  if (name === undefined) return refuse('USAGE', 'the Host header of the request is missing or is none')
  const address = canonicalAddress(name)
  const isOurs = address === undefined ? name === 'localhost' : isOwnAddress(address)
  if (isOurs || hosts.some((host) => (canonicalAddress(host) ?? host) === (address ?? name))) return undefined
  return refuse(
    'FORBIDDEN',
    'the Host header of the request names no address of this machine; names it goes by are listed in "webui": {"hosts": [...]}',
  )
}

/** Without port, brackets and final dot, lower case; undefined for what is no Host header. */
export function hostNameOf(host: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?)(?::\d{1,5})?$/i.exec(
    host ?? '',
  )
  if (match === null || host!.length > 260) return undefined
  return (match[1] ?? match[2]!).toLowerCase()
}

/** One spelling for each address; IPv4 within IPv6 as IPv4. Undefined for what is no address. */
export function canonicalAddress(text: string): string | undefined {
  const kind = isIP(text)
  if (kind === 4) return text
  if (kind !== 6 || text.includes('%')) return undefined
  const address = new URL(`http://[${text}]`).hostname.slice(1, -1)
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address) ?? []
  if (high === undefined) return address
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low!, 16)]
  return [a >> 8, a & 255, b >> 8, b & 255].join('.')
}

/** What browsers say of where a request comes from. Programs say nothing of it. */
function originRefusal({ headers, isTls, method, target }: RequestHead): Refusal | undefined {
  const { host = '', origin, referer, authorization } = headers
  const site = headers['sec-fetch-site']
  const foreign = refuse('FORBIDDEN', 'requests that a web page of another site makes are refused')
  // Whoever types the address is "none", and so is a link in a mail. A neighbour of this site is "same-site", and is not
  // this site.
  const isTyped = site === 'none' && method === 'GET' && !CHANGED_BY_GET.test(target)
  if (site !== undefined && site !== 'same-origin' && !isTyped) return foreign
  // A proxy may add TLS in front, none takes it away in between.
  const own = (isTls ? ['https'] : ['http', 'https']).map((scheme) => `${scheme}://${host.toLowerCase()}`)
  if (origin !== undefined && !own.includes(origin.toLowerCase())) return foreign
  if (referer !== undefined && !own.some((start) => `${referer.toLowerCase()}/`.startsWith(`${start}/`)))
    return foreign
  // A browser adds the name and password that it knows to whatever a page of any site asks for, and says so only where
  // it trusts the connection. Keys in headers of their own it never adds by itself.
  const isBrowser = /^mozilla\//i.test(headers['user-agent'] ?? '')
  if (isBrowser && /^basic /i.test(authorization ?? '') && site === undefined && origin === undefined)
    return refuse(
      'FORBIDDEN',
      'a browser does not say here which page a request comes from; use https, this machine\'s "localhost", or an API key',
    )
  return undefined
}

function countOf(name: string, rawHeaders: readonly string[]): number {
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]!.toLowerCase() === name) count++
  return count
}
