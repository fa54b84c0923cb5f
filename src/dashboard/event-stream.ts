// Follows the events of one daemon (GET /v1/events), and goes on where it was when the connection is lost or the daemon
// starts again. Promises: no failure comes out of it; close() ends it at once.
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { type EventReport, eventOf } from '../control/schema-events.js'
import { socketAddress } from '../control/socket.js'

const RETRY_MS = 3000
/** An event names a few paths. */
const MAX_EVENT_CHARS = 1 << 20

export class EventStream {
  readonly #storagePath: string
  readonly #onEvent: (event: EventReport) => void
  #last: number | undefined
  #request: ClientRequest | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(storagePath: string, onEvent: (event: EventReport) => void) {
    this.#storagePath = storagePath
    this.#onEvent = onEvent
    void this.#open()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#request?.destroy()
  }

  async #open(): Promise<void> {
    // A daemon that is not there is told of by whoever asks for its status.
    const address = await socketAddress(this.#storagePath).catch(() => undefined)
    if (this.#closed) return address?.release()
    if (address === undefined) return this.#again()
    const path = `/v1/events${this.#last === undefined ? '' : `?after=${this.#last}`}`
    const asked = request({ socketPath: address.path, path, agent: false, headers: { host: 'shoal' } })
    this.#request = asked
    asked.on('response', (response) => this.#read(response))
    asked.on('error', () => undefined)
    asked.on('close', () => {
      void address.release()
      this.#again()
    })
    asked.end()
  }

  #read(response: IncomingMessage): void {
    if (response.statusCode !== 200) return void response.destroy()
    let text = ''
    response.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (text + chunk).split('\n\n')
      text = parts.pop() ?? ''
      if (text.length > MAX_EVENT_CHARS) response.destroy()
      for (const part of parts) this.#take(part)
    })
    response.on('error', () => undefined)
  }

  #take(part: string): void {
    const data = part
      .split('\n')
      .filter((line) => line.startsWith('data:'))
      .map((line) => line.slice('data:'.length).trimStart())
      .join('\n')
    const event = data === '' ? undefined : eventOf(parsed(data))
    if (event === undefined || this.#closed) return
    this.#last = event.id
    this.#onEvent(event)
  }

  #again(): void {
    if (this.#closed) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#open(), RETRY_MS)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // What is not JSON is no event.
    return undefined
  }
}
