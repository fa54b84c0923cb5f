// Reads what a daemon tells while it happens (GET /v1/events). Promises: what this version does not know is passed over;
// every failure is a ShoalError, DAEMON_UNREACHABLE if nobody answers or the daemon has ended.
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { ShoalError } from '../core/error.js'
import { errorOf, parseJson, unreachable } from './client.js'
import { type EventReport, eventOf } from './schema-events.js'
import { socketAddress } from './socket.js'
import { EventParser } from './sse.js'

export interface EventOptions {
  /** Only events after this one; a gap comes first if some of them cannot be told any more. Default: all that are kept. */
  readonly after?: number | undefined
  /** Goes on when the newest is told, until the signal; default true. */
  readonly follow?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** The events of the daemon that runs on a storage path, one after the other. Ends quietly with the signal. */
export async function* readEvents(
  storagePath: string,
  { after, follow = true, signal }: EventOptions = {},
): AsyncGenerator<EventReport, void> {
  const query = new URLSearchParams({
    ...(after === undefined ? {} : { after: String(after) }),
    follow: String(follow),
  })
  const address = await socketAddress(storagePath).catch((cause: unknown) => {
    throw unreachable(storagePath, cause)
  })
  const call = request({
    ...{ socketPath: address.path, path: `/v1/events?${query}`, agent: false, signal },
    headers: { host: 'shoal', accept: 'text/event-stream' },
  })
  try {
    const response = await responseOf(call)
    if (response.statusCode !== 200) throw errorOf(parseJson(await textOf(response)))
    yield* eventsOf(response)
    if (follow)
      throw new ShoalError('DAEMON_UNREACHABLE', `the daemon of storage path ${storagePath} has ended`)
  } catch (thrown) {
    if (signal?.aborted === true) return
    throw thrown instanceof ShoalError ? thrown : unreachable(storagePath, thrown)
  } finally {
    call.destroy()
    await address.release()
  }
}

async function* eventsOf(response: IncomingMessage): AsyncGenerator<EventReport, void> {
  const parser = new EventParser()
  for await (const text of response.setEncoding('utf8') as AsyncIterable<string>)
    for (const { data } of parser.push(text)) {
      const event = eventOf(parseJson(data))
      if (event !== undefined) yield event
    }
}

function responseOf(call: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    call.once('response', resolve)
    call.on('error', reject)
    call.end()
  })
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) text += chunk
  return text
}
