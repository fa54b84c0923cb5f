// The newest events of a daemon, in memory, for whoever follows them (GET /v1/events). Each follower reads on by number,
// so that a slow one costs nothing: it is told of a gap when what it has not read is gone.
import { EVENTS_KEPT, type EventFact, type EventReport } from '../control/schema-events.js'

export interface EventBookOptions {
  /** Milliseconds since 1970. */
  readonly nowMs: () => number
  /** How many are kept. Default: EVENTS_KEPT. */
  readonly kept?: number
}

/** Notes an event of one share. */
export type NoteEvent = (fact: EventFact) => void

export class EventBook {
  readonly #nowMs: () => number
  readonly #kept: number
  readonly #events: EventReport[] = []
  readonly #followers = new Set<Follower>()
  #next: number

  constructor({ nowMs, kept = EVENTS_KEPT }: EventBookOptions) {
    this.#nowMs = nowMs
    this.#kept = kept
    // Ids begin above those of earlier runs, which had less than one event a millisecond: so it shows that they are gone.
    this.#next = nowMs()
  }

  /** The id that the next event gets. */
  get nextId(): number {
    return this.#next
  }

  add(dir: string | null, fact: EventFact): void {
    this.#events.push({ id: this.#next++, at: new Date(this.#nowMs()).toISOString(), dir, ...fact })
    if (this.#events.length > this.#kept) this.#events.shift()
    for (const follower of this.#followers) follower.wake()
  }

  /**
   * The events after one, in order, beginning with a gap if not all that came after it can be told. `after` undefined: all
   * that are kept. Ends after the newest one unless `follow`, then when return() is called.
   */
  read(after: number | undefined, follow: boolean): AsyncIterator<EventReport> & AsyncIterable<EventReport> {
    const follower = new Follower(
      (from) => this.#take(from),
      after,
      follow,
      () => this.#followers.delete(follower),
    )
    if (follow) this.#followers.add(follower)
    return follower
  }

  /** The first event from a number on; a gap if that one is gone or was never made; undefined if it is yet to come. */
  #take(from: number | undefined): EventReport | undefined {
    const oldest = this.#next - this.#events.length
    if (from === undefined) return this.#events[0]
    if (from === this.#next) return undefined
    if (from > this.#next || from < oldest)
      return { id: oldest - 1, at: new Date(this.#nowMs()).toISOString(), dir: null, type: 'gap' }
    return this.#events[from - oldest]
  }
}

class Follower implements AsyncIterator<EventReport>, AsyncIterable<EventReport> {
  readonly #take: (from: number | undefined) => EventReport | undefined
  readonly #follow: boolean
  readonly #onEnd: () => void
  /** Undefined: from the first one. */
  #from: number | undefined
  #waiting: (() => void) | undefined
  #isOver = false

  constructor(
    take: (from: number | undefined) => EventReport | undefined,
    after: number | undefined,
    follow: boolean,
    onEnd: () => void,
  ) {
    this.#take = take
    this.#from = after === undefined ? undefined : after + 1
    this.#follow = follow
    this.#onEnd = onEnd
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<EventReport, undefined>> {
    for (;;) {
      const event = this.#isOver ? undefined : this.#take(this.#from)
      if (event !== undefined) {
        this.#from = event.id + 1
        return { done: false, value: event }
      }
      if (this.#isOver || !this.#follow) return this.return()
      await new Promise<void>((resolve) => {
        this.#waiting = resolve
      })
    }
  }

  /** Ends it, also while somebody waits for the next. */
  async return(): Promise<{ readonly done: true; readonly value: undefined }> {
    this.#isOver = true
    this.#onEnd()
    this.wake()
    return { done: true, value: undefined }
  }

  wake(): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.()
  }
}
