// Server-sent events, read from text as it comes, cut anywhere (HTML standard, "Parsing an event stream"; of it what our own
// stream uses: lines end with LF, and `retry` and byte order marks do not occur).

/** One event that has data. */
export interface ServerSentEvent {
  readonly id: string
  readonly event: string
  readonly data: string
}

/** An event tells of a handful of paths. */
const MAX_EVENT_CHARS = 1 << 20

export class EventParser {
  #rest = ''
  #id = ''
  #event = ''
  #data: string[] = []

  /** The events that are complete with this text. RangeError: one is beyond all measure. */
  push(text: string): ServerSentEvent[] {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    if (this.#rest.length > MAX_EVENT_CHARS) throw new RangeError('an event of a stream is too long')
    return lines.flatMap((line) => this.#line(line) ?? [])
  }

  #line(line: string): ServerSentEvent | undefined {
    if (line === '') return this.#end()
    const at = line.indexOf(':')
    const field = at < 0 ? line : line.slice(0, at)
    const value = at < 0 ? '' : line.slice(at + 1).replace(/^ /, '')
    if (field === 'id') this.#id = value
    else if (field === 'event') this.#event = value
    else if (field === 'data') this.#data.push(value)
    return undefined
  }

  #end(): ServerSentEvent | undefined {
    const event = { id: this.#id, event: this.#event, data: this.#data.join('\n') }
    const isAny = this.#data.length > 0
    this.#event = ''
    this.#data = []
    return isAny ? event : undefined
  }
}
