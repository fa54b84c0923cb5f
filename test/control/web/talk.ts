// Speaks to a web server in tests: whole requests by node's client, and bytes of any kind.
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { connect, type Socket } from 'node:net'
import type { WebSettings } from '../../../src/control/web/settings.js'
import { serveWeb, type WebOptions, type WebServer } from '../../../src/control/web/web-server.js'
import { silentLog } from '../../../src/ports/log.js'
import { repository } from '../../support/repository.js'

export const KEY = 'shoal-correct-horse-battery'
export const LOGIN = { name: 'ann', password: { type: 'plain', text: 'open sesame' } } as const
export const BASIC: string = `Basic ${Buffer.from('ann:open sesame').toString('base64')}`
export const SETTINGS: WebSettings = { host: '127.0.0.1', port: 0, hosts: [], login: LOGIN, apiKey: KEY }

type Pair = NonNullable<WebSettings['tls']>
export const CERTIFICATES: { readonly one: Pair; readonly two: Pair } = JSON.parse(
  readFileSync(new URL('test/fixtures/web-certificates.json', repository), 'utf8'),
)

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

export interface Ask {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string | Buffer
  /** Of the server, trusted alone; absent: no TLS. */
  readonly certificate?: string
}

/** A server whose wrong tries are answered at once. */
export function serve(options: Partial<WebOptions> = {}): Promise<WebServer> {
  const routes = [{ prefix: '/', handle: async () => ({ status: 200, body: 'in' }) } as const]
  return serveWeb({ settings: SETTINGS, routes, log: silentLog, patience: 0, ...options })
}

/** One request on a connection of its own. */
export function ask(
  port: number,
  { method = 'GET', path = '/', headers, body, certificate }: Ask = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method, path, headers: { ...headers }, agent: false as const }
    const call = certificate === undefined ? request(options) : tlsRequest({ ...options, ca: certificate })
    call.on('response', (response) => {
      let text = ''
      // It has no end.
      if (response.headers['content-type'] === 'text/event-stream') {
        call.destroy()
        return resolve({ status: response.statusCode!, headers: response.headers, text })
      }
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }))
    })
    call.on('error', reject)
    call.end(body)
  })
}

/** Sends bytes and gives what comes back until the other side ends the connection. */
export function talk(port: number, bytes: string | Buffer, then?: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let text = ''
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part
    })
    // A reset is an answer, too.
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text))
    socket.on('connect', () => {
      socket.write(bytes)
      then?.(socket)
    })
  })
}
