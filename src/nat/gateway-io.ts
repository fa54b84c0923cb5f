// The sockets between the protocols of port mapping and one gateway: datagrams and HTTP, to and from that address alone, and
// bounded. A router, or whoever passes for one, can so make us neither read much nor speak to anybody else.
import { createSocket, type Socket } from 'node:dgram'
import { request } from 'node:http'

/** Descriptions of routers are some 10 KB; more than this is none. */
const MAX_BODY_BYTES = 256 * 1024
const MAX_DATAGRAM_BYTES = 8 * 1024
const HTTP_TIMEOUT_MS = 5_000

export interface HttpRequest {
  readonly url: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

export interface HttpResponse {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: Uint8Array
}

/** Calls back exactly once. */
export type HttpClient = (
  asked: HttpRequest,
  done: (error: Error | null, response?: HttpResponse) => void,
) => void

/** Asks `gateway`, an IPv4 literal, over HTTP; refuses every other host. */
export function gatewayHttp(gateway: string): HttpClient {
  return ({ url, method = 'GET', headers = {}, body }, done) => {
    let isDone = false
    const end = (error: Error | null, response?: HttpResponse): void => {
      if (isDone) return
      isDone = true
      if (error === null && response !== undefined) done(null, response)
      else done(error ?? new Error('no response'))
    }
    const target = URL.canParse(url) ? new URL(url) : undefined
    if (target?.protocol !== 'http:' || target.hostname !== gateway) {
      end(new Error('the router names an address that is not its own'))
      return
    }
    const asked = request(target, { method, headers: { ...headers }, agent: false, timeout: HTTP_TIMEOUT_MS })
    // In all, not only since the last byte: a router that drips would hold this open for ever.
    const timer = setTimeout(
      () => asked.destroy(new Error('the router does not answer in time')),
      HTTP_TIMEOUT_MS,
    )
    asked.once('close', () => {
      clearTimeout(timer)
      end(new Error('the router hung up'))
    })
    asked.once('error', (error) => end(error))
    asked.once('response', (response) => {
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > MAX_BODY_BYTES) asked.destroy(new Error('the router answers too much'))
        else chunks.push(chunk)
      })
      response.once('error', (error) => end(error))
      response.once('end', () =>
        end(null, {
          statusCode: response.statusCode ?? 0,
          headers: response.headers,
          body: new Uint8Array(Buffer.concat(chunks)),
        }),
      )
    })
    asked.end(body)
  }
}

/** A UDP socket of `local`; hands on what `gateway` sends, from any port of it, and nothing else. */
export async function gatewaySocket(
  local: string,
  gateway: string,
  onDatagram: (bytes: Buffer, from: { readonly address: string; readonly port: number }) => void,
): Promise<Socket> {
  const socket = createSocket({ type: 'udp4' })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ address: local, port: 0 }, () => {
      socket.removeListener('error', reject)
      resolve()
    })
  })
  // What is not answered shows as such; an error of one datagram says no more.
  socket.on('error', () => undefined)
  socket.on('message', (bytes, { address, port }) => {
    if (address === gateway && bytes.length <= MAX_DATAGRAM_BYTES) onDatagram(bytes, { address, port })
  })
  return socket
}
