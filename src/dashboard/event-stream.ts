// Follows the events of one daemon, and goes on where it was when the connection is lost or the daemon starts again.
// Promises: no failure comes out of it; close() ends it at once.
import { readEvents } from '../control/event-client.js'
import type { EventReport } from '../control/schema-events.js'

const RETRY_MS = 3000

export class EventStream {
  readonly #storagePath: string
  readonly #onEvent: (event: EventReport) => void
  readonly #ended = new AbortController()
  #last: number | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(storagePath: string, onEvent: (event: EventReport) => void) {
    this.#storagePath = storagePath
    this.#onEvent = onEvent
    void this.#follow()
  }

  close(): void {
    this.#ended.abort()
    clearTimeout(this.#timer)
  }

  async #follow(): Promise<void> {
    const { signal } = this.#ended
    try {
      for await (const event of readEvents(this.#storagePath, { after: this.#last, signal })) {
        if (signal.aborted) return
        this.#last = event.id
        this.#onEvent(event)
      }
    } catch {
      // That a daemon does not answer is told by whoever asks for its status.
    }
    if (!signal.aborted) this.#timer = setTimeout(() => void this.#follow(), RETRY_MS)
  }
}
