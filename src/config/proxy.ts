// The proxy of a configuration: the six keys of BitTorrent Sync, and one of Shoal's own that says whether what no proxy can
// carry may go beside it.
import { isIP } from 'node:net'
import type { PositionedJson, Problem } from './json.js'
import type { ConfigShape } from './root-keys.js'

/** What a file says of its proxy, or a command line in its place. */
export type ProxyKeys = Partial<
  Pick<
    ConfigShape,
    | 'proxy_type'
    | 'proxy_addr'
    | 'proxy_port'
    | 'proxy_auth'
    | 'proxy_username'
    | 'proxy_password'
    | 'proxy_allow_direct'
  >
>

export type ProxyType = 'socks4' | 'socks5' | 'http_connect'

export interface ProxyConfig {
  readonly type: ProxyType
  readonly host: string
  readonly port: number
  readonly username?: string
  readonly password?: string
  /** Whether the DHT, hole punching and the router's port mapping are used all the same, which show this machine's address. */
  readonly allowsDirect: boolean
}

const TYPES: ReadonlySet<string> = new Set<ProxyType>(['socks4', 'socks5', 'http_connect'])
/** SOCKS has one byte for the length of each (RFC 1929). */
const MAX_LOGIN_BYTES = 255

/** Undefined where none is asked for; what is missing or cannot be is added to `problems`, never with its text. */
export function proxyOf(
  shape: ConfigShape,
  json: PositionedJson,
  problems: Problem[],
): ProxyConfig | undefined {
  return proxyOfKeys(shape, (key, message) => {
    problems.push({ position: json.positionOf([key]), key, message })
  })
}

/** The same of keys that stand in no file. */
export function proxyOfKeys(
  keys: ProxyKeys,
  fault: (key: keyof ProxyKeys, message: string) => void,
): ProxyConfig | undefined {
  const type = keys.proxy_type?.toLowerCase() ?? ''
  if (!TYPES.has(type)) return undefined
  const { proxy_addr: host = '', proxy_port: port = 0, proxy_auth: hasLogin = false } = keys
  if (!isHost(host))
    fault('proxy_addr', 'is missing or no host, expected the name or address of the proxy, without a port')
  if (port === 0) fault('proxy_port', 'is missing or 0, expected the port of the proxy, from 1 to 65535')
  if (hasLogin) {
    const { proxy_username: username = '', proxy_password: password = '' } = keys
    if (!isLogin(username))
      fault('proxy_username', 'is missing or too long, expected a name, as "proxy_auth" says there is one')
    if (password !== '' && !isLogin(password))
      fault(
        'proxy_password',
        `is too long, expected at most ${MAX_LOGIN_BYTES} bytes without control characters`,
      )
  }
  if (hasLogin && type === 'http_connect' && keys.proxy_username?.includes(':'))
    fault('proxy_username', 'has a colon in it, which HTTP cannot carry, expected a name without one')
  return {
    type: type as ProxyType,
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port,
    ...(hasLogin && { username: keys.proxy_username ?? '', password: keys.proxy_password ?? '' }),
    allowsDirect: keys.proxy_allow_direct ?? false,
  }
}

/** What is said of a proxy and has no effect, as a slip that leaves this machine without one must not pass unseen. */
export function proxyRemarks(shape: ConfigShape, json: PositionedJson): Problem[] {
  const type = shape.proxy_type?.toLowerCase() ?? ''
  const remark = (key: string, message: string, isNote = false): Problem[] => [
    { position: json.positionOf([key]), key, message, isNote },
  ]
  const isNone = type === '' || type === 'none'
  if (!TYPES.has(type) && !isNone)
    return remark(
      'proxy_type',
      'is no kind of proxy that is known, so none is used, expected "socks4", "socks5", "http_connect" or "none"',
    )
  if (shape.proxy_type === undefined && (shape.proxy_addr ?? '') !== '')
    return remark('proxy_addr', 'has no effect without "proxy_type", so no proxy is used', true)
  if (isNone) return []
  if (!shape.proxy_auth)
    return (shape.proxy_username ?? '') === '' && (shape.proxy_password ?? '') === ''
      ? []
      : remark('proxy_auth', 'is not true, so no name and password are given to the proxy')
  if (type === 'socks4' && (shape.proxy_password ?? '') !== '')
    return remark('proxy_password', 'has no effect: SOCKS4 has names and no passwords')
  return []
}

/** Whether nothing may be done that shows where this machine is: there is a proxy, and nobody said otherwise. */
export function isHidden(proxy: ProxyConfig | undefined): boolean {
  return proxy !== undefined && !proxy.allowsDirect
}

/** As --proxy has it, without its login. */
export function formatProxy({ type, host, port }: ProxyConfig): string {
  return `${type}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** A name or address, without a port. */
function isHost(text: string): boolean {
  return isIP(text.replace(/^\[(.*:.*)\]$/, '$1')) !== 0 || /^(?=.{1,253}$)[\w-]+(\.[\w-]+)*\.?$/.test(text)
}

function isLogin(text: string): boolean {
  return text !== '' && Buffer.byteLength(text) <= MAX_LOGIN_BYTES && !/\p{Cc}/u.test(text)
}
