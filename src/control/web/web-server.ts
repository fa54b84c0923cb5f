// The control API on a TCP port: bytes to requests for the routes and back, for whoever gets past the door (door.ts).
// Promises: connections, headers, bodies and the time they take are bounded, in all and for each address; no request is
// answered with a file, and no answer lets a page of another site read it; settings change without a restart, and then
// nobody stays connected on the old ones; close() leaves no handle behind.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { ShoalError, toShoalError } from '../../core/error.js'
import type { Log } from '../../ports/log.js'
import { interfacesNow } from '../../ports/network-interfaces.js'
import { type ControlResponse, errorResponse } from '../request.js'
import { respond } from '../server.js'
import { Door } from './door.js'
import { type Refusal, refuse } from './refusal.js'
import { canonicalAddress } from './request-form.js'
import { routeOf, type WebRoute } from './route.js'
import type { WebSettings } from './settings.js'

/** As on the socket: the largest request is a list of paths. */
const MAX_BODY_BYTES = 64 << 10
/** What is read, and thrown away, of a body that is too long, so that its sender reads the answer. */
const MAX_DISCARDED_BYTES = 4 << 20
const MAX_HEADER_BYTES = 16 << 10
const MAX_HEADERS = 60
const MIN_TLS = 'TLSv1.2'
const KEEP_ALIVE_PROBE_MS = 60_000

export interface WebLimits {
  readonly connections: number
  /** Of one address. A browser has six. */
  readonly connectionsOfOne: number
  /** Until the TLS handshake is done, until headers are there, until a whole request is. */
  readonly requestMs: number
  /** Until the next request of a connection begins. */
  readonly keepAliveMs: number
}

const LIMITS: WebLimits = { connections: 128, connectionsOfOne: 32, requestMs: 10_000, keepAliveMs: 15_000 }

/** Beside those of the connection. Nothing of an answer is for a browser to keep, run, frame or guess the kind of. */
const HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
} as const

export interface WebOptions {
  readonly settings: WebSettings
  /** The first that takes a path answers. */
  readonly routes: readonly WebRoute[]
  readonly log: Log
  readonly limits?: Partial<WebLimits>
  /** How long a wrong try waits for its answer, as a share of the usual. For tests. */
  readonly patience?: number
}

export interface WebServer {
  /** The port it listens on; 0: it does not. */
  readonly port: number
  /**
   * Serves with other settings, and closes the connections that are open. Throws what serveWeb throws; then the old ones
   * are in force if the place is all that was to change, and else nothing is served until the next change.
   */
  adjust(settings: WebSettings): Promise<void>
  close(): Promise<void>
}

/** Serves routes over TCP. Throws PORT_IN_USE, and CONFIG_INVALID for what cannot be served with. */
export async function serveWeb(options: WebOptions): Promise<WebServer> {
  const server = new TcpServer(options)
  await server.adjust(options.settings)
  return server
}

/** A port that is listened on, and all who are connected. */
interface Listener {
  readonly server: Server
  readonly settings: WebSettings
  /** Those that are still shaking hands, too. */
  readonly sockets: Set<Socket>
}

class TcpServer implements WebServer {
  readonly #o: WebOptions
  readonly #limits: WebLimits
  readonly #closing = new AbortController()
  #listener: Listener | undefined
  /** In force for every request that comes, whichever listener it comes to. */
  #door: Door | undefined
  /** One change at a time. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: WebOptions) {
    this.#o = options
    this.#limits = { ...LIMITS, ...options.limits }
  }

  get port(): number {
    return (this.#listener?.server.address() as AddressInfo | null)?.port ?? 0
  }

  adjust(settings: WebSettings): Promise<void> {
    const mine = this.#last.then(() => this.#adjust(settings))
    this.#last = mine.catch(() => undefined)
    return mine
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#last
    await stop(this.#listener)
    this.#listener = undefined
  }

  async #adjust(settings: WebSettings): Promise<void> {
    if (this.#closing.signal.aborted) return
    const before = this.#listener
    try {
      await this.#change(before, settings)
    } catch (thrown) {
      // Whoever the new settings keep out must not get in by the old ones.
      if (before !== undefined && !isSameBut(before.settings, settings)) {
        this.#listener = undefined
        await stop(before)
      }
      throw thrown
    }
  }

  async #change(before: Listener | undefined, settings: WebSettings): Promise<void> {
    const door = await Door.open(
      settings,
      {
        log: this.#o.log,
        nowMs: () => performance.now(),
        isOwnAddress,
        pause: (ms) => this.#pause(ms * (this.#o.patience ?? 1)),
      },
      this.#door?.tries,
    )
    const isSamePlace = before?.settings.host === settings.host && before.settings.port === settings.port
    const isSameKind = (before?.settings.tls === undefined) === (settings.tls === undefined)
    if (before === undefined || !isSamePlace) {
      this.#listener = await this.#listen(settings)
      this.#door = door
      return stop(before)
    }
    if (!isSameKind) {
      // The place is taken by ourselves.
      await stop(before)
      this.#listener = undefined
      this.#listener = await this.#listen(settings)
      this.#door = door
      return
    }
    if (settings.tls !== undefined) {
      const { certificate: cert, privateKey: key } = settings.tls
      ;(before.server as TlsServer).setSecureContext({ cert, key, minVersion: MIN_TLS })
    }
    this.#listener = { ...before, settings }
    this.#door = door
    for (const socket of before.sockets) socket.destroy()
  }

  async #listen(settings: WebSettings): Promise<Listener> {
    const listener = { server: this.#make(settings), settings, sockets: new Set<Socket>() }
    const { server } = listener
    this.#bound(listener)
    const { host, port } = settings
    const refused = (cause: NodeJS.ErrnoException): void => fail(unusable(settings, cause))
    let fail: (thrown: ShoalError) => void = () => undefined
    await new Promise<void>((resolve, reject) => {
      fail = reject
      server.once('error', refused)
      server.listen({ host, port, exclusive: true }, resolve)
    })
    server.removeListener('error', refused)
    server.on('error', (err) => this.#o.log.error({ err }, 'the web interface failed'))
    return listener
  }

  #make({ tls }: WebSettings): Server {
    const { connections, requestMs, keepAliveMs } = this.#limits
    const options = {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: requestMs,
      requestTimeout: requestMs,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: Math.max(20, requestMs / 10),
      requireHostHeader: true,
      insecureHTTPParser: false,
      // Whoever is gone without a word does not keep an event stream for ever.
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_PROBE_MS,
    }
    const server =
      tls === undefined
        ? createServer(options)
        : createTlsServer({
            ...options,
            cert: tls.certificate,
            key: tls.privateKey,
            minVersion: MIN_TLS,
            handshakeTimeout: requestMs,
          })
    server.maxConnections = connections
    server.maxHeadersCount = MAX_HEADERS
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      this.#answer(request, response, tls !== undefined).catch((err: unknown) => {
        this.#o.log.debug({ err }, 'a client of the control API went away')
        response.destroy()
      })
    }
    server.on('request', serve)
    // Whether the body may come is for the door to say.
    server.on('checkContinue', serve)
    server.on('checkExpectation', (_request, response: ServerResponse) => {
      response.writeHead(417, { ...HEADERS, connection: 'close' }).end()
    })
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => sayBad(error, socket))
    return server
  }

  /** Limits the connections of each address, and knows all of them. */
  #bound({ server, sockets }: Listener): void {
    const counts = new Map<string, number>()
    server.on('connection', (socket: Socket) => {
      const from = addressOf(socket)
      const count = (counts.get(from) ?? 0) + 1
      counts.set(from, count)
      sockets.add(socket)
      socket.once('close', () => {
        sockets.delete(socket)
        const left = counts.get(from)! - 1
        if (left === 0) counts.delete(from)
        else counts.set(from, left)
      })
      // Else a reset would be the process's end.
      socket.on('error', () => socket.destroy())
      if (count > this.#limits.connectionsOfOne) socket.destroy()
    })
  }

  async #answer(request: IncomingMessage, response: ServerResponse, isTls: boolean): Promise<void> {
    const { method = '', url: target = '', headers, rawHeaders, socket } = request
    const admitted = await this.#door!.admit({
      method,
      target,
      headers: headers as Readonly<Record<string, string | undefined>>,
      rawHeaders,
      isTls,
      from: addressOf(socket),
    })
    if ('response' in admitted) return refuseWith(request, response, admitted)
    const route = routeOf(this.#o.routes, admitted.path)
    if (route === undefined)
      return refuseWith(request, response, refuse('NOT_FOUND', 'nothing is served at this path'))
    const body = await bodyOf(request, response)
    if (body === undefined)
      return refuseWith(
        request,
        response,
        refuse('USAGE', `the body of the request is over ${MAX_BODY_BYTES} bytes`, { status: 413 }),
      )
    // Whoever was let in by settings that are not in force any more has been cut off, and gets nothing done.
    if (socket.destroyed) return
    const { path, query } = admitted
    const lastEventId = headers['last-event-id']
    const result = await route
      .handle({
        method,
        path,
        query,
        body,
        via: 'tcp',
        ...(typeof lastEventId === 'string' && { lastEventId }),
      })
      .catch((thrown: unknown) => this.#failed(thrown))
    await respond(response, result, HEADERS)
  }

  #failed(thrown: unknown): ControlResponse {
    const error = toShoalError(thrown)
    if (error.code === 'INTERNAL') this.#o.log.error({ err: thrown }, 'a call over TCP failed')
    return errorResponse(error)
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#closing
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal.addEventListener('abort', done)
      if (signal.aborted) done()
    })
  }
}

/** Undefined: too long. */
async function bodyOf(request: IncomingMessage, response: ServerResponse): Promise<string | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return undefined
  if (request.headers.expect !== undefined) response.writeContinue()
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_BODY_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/**
 * Says no. What nobody wants of a body that is on its way is read first and thrown away, within bounds: else the answer
 * would be lost with the connection.
 */
async function refuseWith(
  request: IncomingMessage,
  response: ServerResponse,
  { response: result, headers }: Refusal,
): Promise<void> {
  // Who asks whether to send a body does not send it before the answer.
  if (request.headers.expect === undefined && !request.complete) await discard(request)
  const end = request.complete ? {} : { connection: 'close' }
  await respond(response, result, { ...HEADERS, ...headers, ...end })
}

function discard(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let length = 0
    const count = (chunk: Buffer): void => {
      length += chunk.length
      if (length <= MAX_DISCARDED_BYTES) return
      request.pause()
      resolve()
    }
    request.on('data', count)
    // Time-outs end it as well.
    request.once('end', resolve).once('error', resolve).once('close', resolve)
    request.resume()
  })
}

/** What is no HTTP, or takes too long, gets a word of it, and its connection ends. What is no TLS gets none. */
function sayBad(error: NodeJS.ErrnoException, socket: Socket): void {
  const { code = '' } = error
  const status =
    code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? '408 Request Timeout'
      : code === 'HPE_HEADER_OVERFLOW'
        ? '431 Request Header Fields Too Large'
        : '400 Bad Request'
  if (!socket.writable || !/^(?:HPE|ERR_HTTP)_/.test(code)) socket.destroy()
  else
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, () => socket.destroy())
}

function addressOf(socket: Socket): string {
  return canonicalAddress((socket.remoteAddress ?? '').replace(/%.*$/, '')) ?? ''
}

/** Loopback, and what the interfaces have now: it may change. */
function isOwnAddress(address: string): boolean {
  if (address.startsWith('127.') || address === '::1') return true
  return Object.values(interfacesNow()).some((list) =>
    (list ?? []).some((own) => canonicalAddress(own.address.replace(/%.*$/, '')) === address),
  )
}

function unusable({ host, port }: WebSettings, cause: NodeJS.ErrnoException): ShoalError {
  const place = `webui.listen ${host}:${port}`
  if (cause.code === 'EADDRINUSE')
    return new ShoalError('PORT_IN_USE', `cannot listen on ${place}: it is in use`, { cause })
  return new ShoalError('CONFIG_INVALID', `cannot listen on ${place}: ${cause.message}`, { cause })
}

/** But for the place. */
function isSameBut(one: WebSettings, other: WebSettings): boolean {
  const { host, port } = one
  return isDeepStrictEqual({ ...other, host, port }, one)
}

function stop(listener: Listener | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (listener?.server.listening !== true) return resolve()
    listener.server.close(() => resolve())
    for (const socket of listener.sockets) socket.destroy()
  })
}
