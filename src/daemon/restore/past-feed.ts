// A feed as restoring reads it: what is here at once, and what is not from peers for so long as is allowed.

import { ShoalError } from '../../core/error.js'
import { decodePublicPart } from '../../core/record.js'
import type { RecordHeader } from '../../core/record-public.js'
import type { Feed } from '../../feed/feed.js'
import type { IndexFeed } from '../../store/feeds.js'
import type { TimedFeed } from './moment.js'

export class PastFeed implements TimedFeed {
  readonly row: IndexFeed
  readonly feed: Pick<Feed, 'length' | 'has' | 'read'>
  /** Milliseconds that a record is waited for; 0: nobody is asked. */
  readonly #patienceMs: number
  /** Why what is there beyond its length does not count; undefined: nothing is. */
  readonly #beyond: string | undefined
  readonly #headers = new Map<number, RecordHeader | undefined>()

  constructor(
    row: IndexFeed,
    feed: Pick<Feed, 'length' | 'has' | 'read'>,
    patienceMs: number,
    beyond?: string,
  ) {
    this.row = row
    this.feed = feed
    this.#beyond = beyond
    this.#patienceMs = patienceMs
  }

  get name(): string {
    return this.row.deviceName
  }

  get length(): number {
    return this.feed.length
  }

  /** What is to be said by who has read it up to here: that there is more, and why it does not count. */
  faultsAfter(to: number): readonly string[] {
    return this.#beyond === undefined || to < this.length ? [] : [`what ${this.name} wrote: ${this.#beyond}`]
  }

  has(from: number, to: number): Promise<boolean> {
    return this.feed.has(from, to)
  }

  async header(index: number): Promise<RecordHeader | undefined> {
    if (!this.#headers.has(index)) this.#headers.set(index, await this.#read(index))
    return this.#headers.get(index)
  }

  async #read(index: number): Promise<RecordHeader | undefined> {
    const isHere = await this.feed.has(index, index + 1)
    if (!isHere && this.#patienceMs === 0) return undefined
    try {
      const signal = isHere ? {} : { signal: AbortSignal.timeout(this.#patienceMs) }
      for await (const { block } of this.feed.read(index, index + 1, signal)) {
        const decoded = decodePublicPart(block)
        // What comes before it counts all the same: whoever reads the feed in its order says so when he comes to it.
        return decoded.type === 'ok' ? decoded.value.header : undefined
      }
    } catch (thrown) {
      if (!(thrown instanceof Error) || thrown.name !== 'TimeoutError') throw thrown
    }
    return undefined
  }

  /** Whether a record from this one on bears a time up to a moment. Where not all are here, the newest alone is looked at. */
  async goesBackTo(atMs: number, from: number, signal: AbortSignal): Promise<boolean> {
    if (from >= this.length) return false
    if (!(await this.feed.has(from, this.length))) {
      const newest = await this.header(this.length - 1)
      return newest !== undefined && newest.timeMs <= atMs
    }
    for await (const { block } of this.feed.read(from, this.length, { signal })) {
      const decoded = decodePublicPart(block)
      if (decoded.type === 'ok' && decoded.value.header.timeMs <= atMs) return true
    }
    return false
  }

  /**
   * All blocks of a span, in order. NOT_FOUND if one of them is not here and nobody gives it in time.
   */
  async *blocks(
    from: number,
    to: number,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly index: number; readonly block: Buffer }> {
    if (this.#patienceMs === 0 && !(await this.feed.has(from, to)))
      throw new ShoalError(
        'NOT_FOUND',
        `some of what ${this.name} had written by then is not kept here any more`,
      )
    const stalled = new AbortController()
    const patience = (): NodeJS.Timeout =>
      setTimeout(() => stalled.abort(), this.#patienceMs === 0 ? 2 ** 30 : this.#patienceMs).unref()
    let timer = patience()
    try {
      for await (const each of this.feed.read(from, to, {
        signal: AbortSignal.any([signal, stalled.signal]),
      })) {
        clearTimeout(timer)
        yield each
        timer = patience()
      }
    } catch (thrown) {
      signal.throwIfAborted()
      if (!stalled.signal.aborted) throw thrown
      throw new ShoalError(
        'NOT_FOUND',
        `nobody gives what ${this.name} had written by then: it may not be kept any more`,
      )
    } finally {
      clearTimeout(timer)
    }
  }
}
