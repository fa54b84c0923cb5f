// The control API on its Unix socket: bytes to requests for the handler and back. Promises: the socket has mode 0600; a
// stale one is replaced (the caller holds the storage lock, so no other daemon listens on it); nothing else is ever
// removed; requests are bounded; close() ends open requests and leaves neither socket nor handle behind.
import { chmod, lstat, unlink } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { ShoalError } from '../core/error.js'
import type { Log } from '../ports/log.js'
import type { ControlBackend } from './calls.js'
import { controlHandler, type Page } from './handler.js'
import { type ControlRequest, type ControlResponse, errorResponse } from './request.js'
import { type SocketAddress, socketAddress } from './socket.js'

/** The largest request is a few bytes. */
const MAX_BODY_BYTES = 64 << 10
/** To send a request; answering may take as long as a scan. */
const REQUEST_TIMEOUT_MS = 10_000

export interface ControlServer {
  close(): Promise<void>
}

/** Serves the backend on `<storagePath>/shoal.sock`. Throws STORAGE_UNUSABLE if it cannot listen there. */
export async function serveControl(options: {
  readonly storagePath: string
  readonly backend: ControlBackend
  readonly pages?: readonly Page[]
  readonly log: Log
}): Promise<ControlServer> {
  const { storagePath, backend, pages, log } = options
  return serveRequests(storagePath, controlHandler(backend, log, pages), log)
}

/** Serves a function from requests to responses on `<folder>/shoal.sock`. STORAGE_UNUSABLE, as above. */
export async function serveRequests(
  folder: string,
  handle: (request: ControlRequest) => Promise<ControlResponse>,
  log: Log,
): Promise<ControlServer> {
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    answer(request, response, handle).catch((err: unknown) => {
      log.debug({ err }, 'a control client went away')
      response.destroy()
    })
  })
  const unusable = (cause: unknown): ShoalError =>
    cause instanceof ShoalError
      ? cause
      : new ShoalError('STORAGE_UNUSABLE', `cannot listen in ${folder}: ${messageOf(cause)}`, { cause })
  const address = await socketAddress(folder).catch((cause: unknown) => {
    throw unusable(cause)
  })
  try {
    await removeStale(address.path, folder)
    await listen(server, address.path)
    // The folder has mode 0700, so nobody gets between these two lines. A umask would hold for every thread.
    await chmod(address.path, 0o600)
  } catch (cause) {
    await stop(server, address)
    throw unusable(cause)
  }
  server.on('error', (err) => log.error({ err }, 'the control socket failed'))
  return { close: () => stop(server, address) }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  handle: (request: ControlRequest) => Promise<ControlResponse>,
): Promise<void> {
  const body = await bodyOf(request)
  const [path = '', query = ''] = splitAt(request.url ?? '', '?')
  const lastEventId = request.headers['last-event-id']
  const result =
    body === undefined
      ? errorResponse(new ShoalError('USAGE', `the body of the request is over ${MAX_BODY_BYTES} bytes`))
      : await handle({
          method: request.method ?? '',
          path,
          query,
          body,
          ...(typeof lastEventId === 'string' ? { lastEventId } : {}),
        })
  await respond(response, result)
}

/** One call, one connection: a stopping daemon need not wait for idle ones. */
const HEADERS = { connection: 'close', 'cache-control': 'no-store' } as const

/** Sends a response; of a stream of events, until either side ends it. */
export async function respond(
  response: ServerResponse,
  result: ControlResponse,
  headers: Readonly<Record<string, string>> = HEADERS,
): Promise<void> {
  if ('events' in result) {
    response.writeHead(result.status, { ...headers, 'content-type': 'text/event-stream' })
    return pipeEvents(response, result.events)
  }
  const [text, contentType] =
    'text' in result ? [result.text, result.contentType] : [JSON.stringify(result.body), 'application/json']
  const bytes = Buffer.from(text)
  response.writeHead(result.status, {
    ...headers,
    'content-type': contentType,
    'content-length': bytes.length,
  })
  response.end(bytes)
}

async function pipeEvents(response: ServerResponse, events: AsyncIterable<string>): Promise<void> {
  const iterator = events[Symbol.asyncIterator]()
  // Whoever went away must not keep the source waiting for its next event.
  response.on('close', () => void iterator.return?.())
  for (;;) {
    const { done, value } = await iterator.next()
    if (done === true || response.destroyed) break
    if (!response.write(value))
      await new Promise<void>((resolve) => {
        response.once('drain', resolve)
        response.once('close', resolve)
      })
  }
  // Whoever went away before anybody listened for that is not waited for either.
  void iterator.return?.()
  response.end()
}

function splitAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

/** Undefined: too long. Rejects if the client goes away. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    // Read on to the end all the same: leaving here would end the connection before the answer.
    if (length <= MAX_BODY_BYTES) chunks.push(chunk)
  }
  return length <= MAX_BODY_BYTES ? Buffer.concat(chunks).toString('utf8') : undefined
}

async function removeStale(path: string, storagePath: string): Promise<void> {
  try {
    if (!(await lstat(path)).isSocket())
      throw new ShoalError(
        'STORAGE_UNUSABLE',
        `cannot listen in ${storagePath}: shoal.sock is there and is not a socket`,
      )
    await unlink(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path }, () => {
      server.removeListener('error', reject)
      resolve()
    })
  })
}

async function stop(server: Server, address: SocketAddress): Promise<void> {
  if (server.listening)
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  await address.release()
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
