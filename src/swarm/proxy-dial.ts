// Dialling through a proxy: SOCKS5 and SOCKS4 by the socks package (RFC 1928, 1929; SOCKS 4A for names), HTTP CONNECT by
// node's own client (RFC 9110, 9.3.6; Basic, RFC 7617). Names are the proxy's to resolve, so that no question about them
// leaves by another way.
// Promises: nothing here dials past the proxy; no message holds the password, and what a library throws is never passed on,
// as it may; the time-out holds for all of it together.
import { request } from 'node:http'
import { isIPv4, isIPv6, type Socket } from 'node:net'
import type { Log } from '../ports/log.js'
import { failureWords } from './dial-failure.js'
import { type Endpoint, formatEndpoint } from './endpoint.js'
import { actAs, type DialTcp, dialTcp } from './tcp.js'

export interface ProxyPlace {
  readonly type: 'socks4' | 'socks5' | 'http_connect'
  readonly host: string
  readonly port: number
  readonly username?: string
  /** Never printed. */
  readonly password?: string
}

/**
 * What went wrong. unreachable: the proxy does not answer; login: it wants other credentials, or any; target: it could or
 * would not connect; slow: no connection in time, whoever is to blame; unfit: this kind of proxy cannot be asked for that;
 * broken: it does not speak as it should.
 */
export type ProxyFault = 'unreachable' | 'login' | 'target' | 'slow' | 'unfit' | 'broken'

export class ProxyError extends Error {
  readonly fault: ProxyFault

  constructor(fault: ProxyFault, message: string) {
    super(message)
    this.fault = fault
  }
}

/** Of the proxy itself: they hold for every dial, and whoever runs the daemon should know. */
const OF_PROXY: ReadonlySet<ProxyFault> = new Set(['unreachable', 'login', 'broken'])
/** A head longer than this is none. */
const MAX_HEAD_BYTES = 16 * 1024
const NAMES = { socks4: 'SOCKS4', socks5: 'SOCKS5', http_connect: 'HTTP' } as const

/** How a proxy is told of. */
export function showProxy({ type, host, port }: ProxyPlace): string {
  return `${NAMES[type]} proxy ${formatEndpoint({ host, port })}`
}

/** How it stands with a proxy. */
export interface ProxyStanding {
  /** "SOCKS5 proxy 192.0.2.1:1080". */
  readonly name: string
  /** What is wrong with the proxy itself, as of the last dial that showed; undefined: nothing is known to be. */
  readonly problem: string | undefined
  /** Whether it has answered since it last failed, if ever. */
  readonly hasAnswered: boolean
}

export interface ProxyDial extends DialTcp {
  readonly standing: () => ProxyStanding
}

/** Dials through the proxy; the log hears of it once when the proxy begins to fail, and when it works again. */
export function proxyDial(proxy: ProxyPlace, log: Log): ProxyDial {
  const name = showProxy(proxy)
  let failure: ProxyError | undefined
  let hasAnswered = false
  const answered = (): void => {
    if (failure !== undefined) log.info({}, `the ${name} works again`)
    failure = undefined
    hasAnswered = true
  }
  const dial: DialTcp = async (endpoint, timeoutMs, signal) => {
    try {
      const socket = await dialThrough(proxy, endpoint, timeoutMs, signal)
      answered()
      return socket
    } catch (thrown) {
      if (!(thrown instanceof ProxyError)) throw thrown
      // Who says that it does not connect there does its work.
      if (thrown.fault === 'target') answered()
      if (OF_PROXY.has(thrown.fault)) {
        const isNews = thrown.fault !== failure?.fault
        failure = thrown
        hasAnswered = false
        if (isNews) log.warn({ fault: thrown.fault }, thrown.message)
      }
      throw thrown
    }
  }
  return Object.assign(dial, { standing: () => ({ name, problem: failure?.message, hasAnswered }) })
}

async function dialThrough(
  proxy: ProxyPlace,
  target: Endpoint,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Socket> {
  mustBeFit(proxy, target)
  const startMs = performance.now()
  const socket = await toProxy(proxy, timeoutMs, signal)
  const leftMs = Math.max(1, timeoutMs - (performance.now() - startMs))
  const deadline = AbortSignal.timeout(Math.ceil(leftMs))
  const ends = [signal, deadline]
  const abort = (): void => void socket.destroy()
  for (const end of ends) end.addEventListener('abort', abort)
  try {
    if (signal.aborted) throw new Error('stopped')
    if (proxy.type === 'http_connect') await throughHttp(proxy, socket, target)
    else await throughSocks(proxy, socket, target, leftMs)
    actAs(socket, target)
    return socket
  } catch (thrown) {
    socket.destroy()
    if (signal.aborted) throw new Error('stopped')
    if (deadline.aborted)
      throw new ProxyError(
        'slow',
        `the ${showProxy(proxy)} had no connection in ${Math.round(timeoutMs / 1000)} s`,
      )
    throw thrown
  } finally {
    for (const end of ends) end.removeEventListener('abort', abort)
  }
}

function mustBeFit(proxy: ProxyPlace, { host }: Endpoint): void {
  const what = host.includes('%')
    ? 'an address of one link alone'
    : proxy.type === 'socks4' && isIPv6(host)
      ? 'an IPv6 address'
      : undefined
  if (what !== undefined)
    throw new ProxyError('unfit', `the ${showProxy(proxy)} cannot be asked for ${what}: ${host}`)
}

async function toProxy(proxy: ProxyPlace, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  try {
    return await dialTcp(proxy, timeoutMs, signal)
  } catch (thrown) {
    if (signal.aborted) throw thrown
    throw new ProxyError('unreachable', `cannot reach the ${showProxy(proxy)}: ${failureWords(thrown)}`)
  }
}

async function throughSocks(
  proxy: ProxyPlace,
  socket: Socket,
  target: Endpoint,
  timeoutMs: number,
): Promise<void> {
  const { type, username, password } = proxy
  // Loaded when it is used: most daemons have no proxy.
  const { SocksClient } = await import('socks')
  const { host, port } = proxy
  try {
    await SocksClient.createConnection({
      command: 'connect',
      proxy: {
        ...{ host, port, type: type === 'socks4' ? 4 : 5 },
        ...(username !== undefined && { userId: username }),
        ...(password !== undefined && { password }),
      },
      destination: target,
      timeout: Math.ceil(timeoutMs),
      existing_socket: socket,
    })
  } catch (thrown) {
    // Only its text: the package's errors carry its options, and the password among them.
    throw socksFault(proxy, target, thrown instanceof Error ? thrown.message : '')
  }
}

function socksFault(proxy: ProxyPlace, target: Endpoint, message: string): ProxyError {
  const name = showProxy(proxy)
  if (/authentication/i.test(message)) return loginFault(proxy)
  const rejected = /rejected connection(?: - \(?(\w+)\)?)?/i.exec(message)
  // A code that the package has no name for is none.
  if (rejected !== null && rejected[1] !== 'undefined')
    return new ProxyError(
      'target',
      `the ${name} did not connect to ${formatEndpoint(target)}: ${wordsOf(rejected[1])}`,
    )
  if (/closed/i.test(message)) return new ProxyError('broken', `the ${name} hung up`)
  return new ProxyError('broken', `the ${name} does not answer as a ${NAMES[proxy.type]} proxy does`)
}

function loginFault(proxy: ProxyPlace): ProxyError {
  const why =
    proxy.username === undefined
      ? 'asks for a name and password (proxy_auth, proxy_username, proxy_password)'
      : 'refuses the name and password'
  return new ProxyError('login', `the ${showProxy(proxy)} ${why}`)
}

/** "HostUnreachable" in words. */
function wordsOf(name: string | undefined): string {
  return name === undefined ? 'refused' : name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()
}

function throughHttp(proxy: ProxyPlace, socket: Socket, target: Endpoint): Promise<void> {
  const { username, password = '' } = proxy
  const authority =
    isIPv4(target.host) || isIPv6(target.host) ? formatEndpoint(target) : `${target.host}:${target.port}`
  const login = Buffer.from(`${username}:${password}`).toString('base64')
  return new Promise((resolve, reject) => {
    const asked = request({
      createConnection: () => socket,
      method: 'CONNECT',
      path: authority,
      maxHeaderSize: MAX_HEAD_BYTES,
      headers: {
        host: authority,
        ...(username !== undefined && { 'proxy-authorization': `Basic ${login}` }),
      },
    })
    asked.on('connect', ({ statusCode = 0 }, _socket, head) => {
      if (statusCode >= 200 && statusCode < 300) {
        if (head.length > 0) socket.unshift(head)
        resolve()
      } else if (statusCode === 407) reject(loginFault(proxy))
      else {
        const told = `the ${showProxy(proxy)} did not connect to ${formatEndpoint(target)}: it answered ${statusCode}`
        reject(new ProxyError('target', told))
      }
    })
    asked.on('error', () => {
      reject(
        new ProxyError('broken', `the ${showProxy(proxy)} hung up, or does not answer as an HTTP proxy does`),
      )
    })
    asked.end()
  })
}
