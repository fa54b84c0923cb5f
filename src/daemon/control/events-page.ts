// GET /v1/events: what happens, as server-sent events, while it happens. A client that comes back says the last id that it
// saw (Last-Event-ID, as browsers do, or ?after=) and is told what it has missed, or that there is a gap.
import type { Page } from '../../control/handler.js'
import type { ControlRequest } from '../../control/request.js'
import type { EventReport } from '../../control/schema-events.js'
import { ShoalError } from '../../core/error.js'
import type { EventBook } from '../events.js'

/** A line that says nothing, so often: whoever listens sees that the connection is there, and we that nobody listens. */
const ALIVE_MS = 15_000
const ALIVE = ': alive\n\n'
const ID = /^\d{1,15}$/

/** `aliveMs`: for tests. */
export function eventsPage(events: EventBook, aliveMs: number = ALIVE_MS): Page {
  return {
    path: '/v1/events',
    summary:
      'what happens, as server-sent events; ?after=ID goes on after one, ?follow=false ends with the newest',
    contentType: 'text/event-stream',
    answer: async (request) => {
      const { after, follow } = wishes(request)
      return { status: 200, events: new Lines(events.read(after, follow), aliveMs) }
    },
  }
}

/** What a client asks for. USAGE. */
function wishes({ query = '', lastEventId }: ControlRequest): { after: number | undefined; follow: boolean } {
  const asked = new URLSearchParams(query)
  const after = lastEventId ?? asked.get('after') ?? undefined
  const follow = asked.get('follow') ?? 'true'
  if ((after !== undefined && !ID.test(after)) || (follow !== 'true' && follow !== 'false'))
    throw new ShoalError('USAGE', 'the query of the request is not after=ID, follow=true or false')
  return { after: after === undefined ? undefined : Number(after), follow: follow === 'true' }
}

/** Events as the lines of a stream. Not a generator: return() must end it while next() waits for an event. */
class Lines implements AsyncIterator<string>, AsyncIterable<string> {
  readonly #events: AsyncIterator<EventReport>
  readonly #aliveMs: number
  #next: Promise<IteratorResult<EventReport>> | undefined

  constructor(events: AsyncIterator<EventReport>, aliveMs: number) {
    this.#events = events
    this.#aliveMs = aliveMs
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<string, undefined>> {
    this.#next ??= this.#events.next()
    const result = await orAfter(this.#next, this.#aliveMs)
    if (result === undefined) return { done: false, value: ALIVE }
    this.#next = undefined
    return result.done === true
      ? { done: true, value: undefined }
      : { done: false, value: lineOf(result.value) }
  }

  async return(): Promise<{ readonly done: true; readonly value: undefined }> {
    await this.#events.return?.()
    return { done: true, value: undefined }
  }
}

/** Undefined: the time is over and the promise has not settled. */
async function orAfter<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  try {
    return await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}

function lineOf(event: EventReport): string {
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
}
