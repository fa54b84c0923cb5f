// TCP: listening and dialling, and the lobby where connections wait that have proved nothing yet. Those are few,
// short-lived and cheap (X6): when the lobby is full the one that has waited longest makes way, because an honest peer
// needs milliseconds and a hostile one never finishes.
import { lookup } from 'node:dns/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { ShoalError } from '../core/error.js'
import type { Log } from '../ports/log.js'
import { type Endpoint, hostGroup } from './endpoint.js'
import { Eyeballs } from './eyeballs.js'
import { useSmallSegments } from './small-segments.js'

/** Connections that have proved nothing, in all and per remote address. */
const MAX_WAITING = 64
const MAX_WAITING_PER_HOST = 8

/** Listens for connections until closed. Every socket gets an error handler before anybody else sees it. */
export class TcpListener {
  readonly #server: Server
  readonly port: number

  /**
   * @param host undefined: all addresses, IPv6 and IPv4; IPv4 alone where there is no IPv6.
   * @param port 0: any free one.
   * @throws ShoalError PORT_IN_USE, IO
   */
  static async open(
    host: string | undefined,
    port: number,
    onSocket: (socket: Socket) => void,
    log: Log,
  ): Promise<TcpListener> {
    const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
      socket.on('error', ignoreError)
      onSocket(socket)
    })
    try {
      await listen(server, host ?? '::', port)
    } catch (thrown) {
      const code = codeOf(thrown)
      if (host === undefined && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL')) {
        await listen(server, '0.0.0.0', port).catch((second: unknown) => {
          throw listenError('0.0.0.0', port, second)
        })
      } else throw listenError(host ?? '::', port, thrown)
    }
    // A failing accept (too many open files) is the machine's trouble, not the end of the daemon.
    server.on('error', (err) => log.warn({ err }, 'cannot accept a connection'))
    const address = server.address()
    return new TcpListener(server, typeof address === 'object' && address !== null ? address.port : port)
  }

  private constructor(server: Server, port: number) {
    this.#server = server
    this.port = port
  }

  /** Stops accepting; resolves when every accepted socket is closed too, which is up to their owners. */
  close(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }
}

/**
 * Makes a TCP connection. Rejects with the socket's error, after `timeoutMs`, or when `signal` is aborted. The socket has an
 * error handler, no delay (Nagle) and the system's keep-alive. `isSmall`: with small segments where they can be had; ignored
 * where the way is not ours to choose.
 */
export type DialTcp = (
  endpoint: Endpoint,
  timeoutMs: number,
  signal: AbortSignal,
  isSmall?: boolean,
) => Promise<Socket>

const names = {
  lookup: (name: string) => lookup(name, { all: true, verbatim: true }),
  discard: (socket: Socket) => socket.destroy(),
}
const eyeballs = new Eyeballs<Socket>({ ...names, connect: connectTcp })
const smallEyeballs = new Eyeballs<Socket>({
  ...names,
  connect: (endpoint, signal) => connectTcp(endpoint, signal, true),
})

/** Dials from here: all addresses of a name, in both families, side by side (eyeballs.ts). */
export const dialTcp: DialTcp = (endpoint, timeoutMs, signal, isSmall = false) =>
  (isSmall ? smallEyeballs : eyeballs).dial(endpoint, timeoutMs, signal)

/** Connects to an IP address; IPv6 link-local ones with their zone, as in fe80::1%eth0. */
function connectTcp({ host, port }: Endpoint, signal: AbortSignal, isSmall = false): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, keepAlive: true })
    if (isSmall) useSmallSegments(socket, host)
    socket.on('error', ignoreError)
    const abort = (): void => fail(new Error('stopped'))
    const done = (): void => {
      signal.removeEventListener('abort', abort)
      socket.removeListener('error', fail)
      socket.removeListener('connect', connected)
    }
    const fail = (error: Error): void => {
      done()
      socket.destroy()
      reject(error)
    }
    const connected = (): void => {
      done()
      resolve(socket)
    }
    socket.on('error', fail)
    socket.on('connect', connected)
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
  })
}

/** Whom sockets that end at a proxy lead to. */
const BEHIND = new WeakMap<object, Endpoint>()

/** Tells that a socket, though it ends elsewhere, leads to that endpoint. */
export function actAs(socket: Socket, endpoint: Endpoint): void {
  BEHIND.set(socket, endpoint)
}

/** Whether a socket ends at a proxy, whose address is then what the other end sees. */
export function isProxied(socket: object): boolean {
  return BEHIND.has(socket)
}

/** The other end of a socket; behind a proxy, the host that was asked for, which may be a name. */
export function remoteOf(socket: Socket): Endpoint {
  const behind = BEHIND.get(socket)
  if (behind !== undefined) return behind
  return { host: socket.remoteAddress ?? '0.0.0.0', port: socket.remotePort ?? 0 }
}

/** Something that waits for its proof. */
export interface Guest {
  readonly remote: Endpoint
  close(reason: string): void
}

/** Who has proved nothing yet, oldest first. */
export class Lobby {
  readonly #guests = new Set<Guest>()

  get size(): number {
    return this.#guests.size
  }

  /** Lets a guest in; the oldest of the same host, or of all, makes way if there are too many. */
  enter(guest: Guest): void {
    const group = hostGroup(guest.remote.host)
    const sameHost = [...this.#guests].filter(({ remote }) => hostGroup(remote.host) === group)
    if (sameHost.length >= MAX_WAITING_PER_HOST) this.#evict(sameHost[0]!)
    else if (this.#guests.size >= MAX_WAITING) this.#evict([...this.#guests][0]!)
    this.#guests.add(guest)
  }

  leave(guest: Guest): void {
    this.#guests.delete(guest)
  }

  #evict(guest: Guest): void {
    this.#guests.delete(guest)
    guest.close('too many connections that proved nothing')
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
}

function listenError(host: string, port: number, cause: unknown): ShoalError {
  if (codeOf(cause) === 'EADDRINUSE')
    return new ShoalError('PORT_IN_USE', `cannot listen on port ${port}: it is in use`, { cause })
  const why = cause instanceof Error ? cause.message : String(cause)
  return new ShoalError('IO', `cannot listen on ${host} port ${port}: ${why}`, { cause })
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error ? (thrown as NodeJS.ErrnoException).code : undefined
}

/** The stream above hears of the same error and ends the connection; without a listener the process would end. */
function ignoreError(): void {}
