// A feed as restoring reads it: what is here at once, and what is not from peers for so long as is allowed.
//
// A record that is not here is asked for once, and awaited for three patiences at most. After one it is lost if something that
// comes after it was given meanwhile, and no peer who is there says that it holds the record: who has the one would have given the other.
// After three it is lost if, of what comes after it, a peer says that it holds some and not the record, something was given, or half and
// more is here, as it was given to an earlier restore. Else who is asked may just be away: NOT_FOUND, and the next restore asks again.
// A lost one is passed over and told of, which needs something after it that is here or offered; the next restore asks for it again, too.

import { ShoalError } from '../../core/error.js'
import { decodePublicPart } from '../../core/record.js'
import type { RecordHeader } from '../../core/record-public.js'
import type { Feed } from '../../feed/feed.js'
import type { IndexFeed } from '../../store/feeds.js'
import type { TimedFeed } from './moment.js'

/** Blocks [first, end). */
export type Range = readonly [first: number, end: number]

/** Patiences without an answer: the first one may be held up by what the way itself needs. */
const SILENCES = 3

export interface PastFeedOptions {
  /** Milliseconds that a record is waited for; 0: nobody is asked. */
  readonly patienceMs: number
  /** Why what is there beyond its length does not count; undefined: nothing is. */
  readonly beyond?: string | undefined
  /** Blocks before this one were cleared by the writer, who restated by then what counted (F3). Default 0. */
  readonly cleared?: number
}

type Block = { readonly index: number; readonly block: Buffer }

/** A feed, or what of one was taken out of a vault: nobody offers more of that. */
type Blocks = Pick<Feed, 'length' | 'has' | 'read'> & Partial<Pick<Feed, 'isOffered'>>

export class PastFeed implements TimedFeed {
  readonly row: IndexFeed
  readonly feed: Blocks
  readonly cleared: number
  readonly #patienceMs: number
  readonly #beyond: string | undefined
  /** Patiences that headers were asked for in vain, before the first one came: later ones get one each, or what the rule says. */
  #silences = 0
  readonly #headers = new Map<number, RecordHeader | undefined>()

  constructor(row: IndexFeed, feed: Blocks, { patienceMs, beyond, cleared = 0 }: PastFeedOptions) {
    this.row = row
    this.feed = feed
    this.cleared = cleared
    this.#beyond = beyond
    this.#patienceMs = patienceMs
  }

  /** Whether what is not here now will not come. */
  get asksNobody(): boolean {
    return this.#patienceMs === 0
  }

  get name(): string {
    return this.row.deviceName
  }

  get length(): number {
    return this.feed.length
  }

  /** What is to be said by who has read it up to here: which records are lost, and that there is more and why it does not count. */
  faultsAfter(to: number, lost: readonly Range[]): readonly string[] {
    const faults = lost.length === 0 ? [] : [`what ${this.name} wrote: ${wordsOfLost(lost, this.length)}`]
    if (this.#beyond !== undefined && to >= this.length)
      faults.push(`what ${this.name} wrote: ${this.#beyond}`)
    return faults
  }

  /** Blocks that are not here, in order. */
  async #lost(from: number, to: number): Promise<Range[]> {
    const lost: [number, number][] = []
    const look = async (first: number, end: number): Promise<void> => {
      if (first >= end || (await this.feed.has(first, end))) return
      if (end - first > 1) {
        const middle = Math.floor((first + end) / 2)
        await look(first, middle)
        return look(middle, end)
      }
      const last = lost.at(-1)
      if (last?.[1] === first) last[1] = end
      else lost.push([first, end])
    }
    await look(from, to)
    return lost
  }

  /** The newest record before `to` that is here. */
  async newest(from: number, to: number): Promise<RecordHeader | undefined> {
    if (!this.asksNobody) return this.header(to - 1)
    for (let index = to - 1; index >= from; index--) {
      const header = await this.header(index)
      if (header !== undefined) return header
    }
    return undefined
  }

  has(from: number, to: number): Promise<boolean> {
    return this.feed.has(from, to)
  }

  /** Undefined: it cannot be read, or nobody has given it this time. */
  async header(index: number): Promise<RecordHeader | undefined> {
    if (!this.#headers.has(index)) {
      const block = await this.#one(index)
      if (block === undefined) return undefined
      const decoded = decodePublicPart(block)
      // What comes before it counts all the same: whoever reads the feed in its order says so when he comes to it.
      this.#headers.set(index, decoded.type === 'ok' ? decoded.value.header : undefined)
    }
    return this.#headers.get(index)
  }

  async #one(index: number): Promise<Buffer | undefined> {
    const isHere = await this.feed.has(index, index + 1)
    if (!isHere && this.asksNobody) return undefined
    const givenUp = new AbortController()
    const blocks = this.feed.read(index, index + 1, { signal: givenUp.signal })
    try {
      const coming = blocks.next()
      if (!isHere) {
        const isOver = (silences: number): true | undefined =>
          silences >= SILENCES ||
          (++this.#silences >= SILENCES && !this.#isOffered(index, index + 1)) ||
          undefined
        if (await this.#awaited(coming, isOver)) return undefined
        this.#silences = SILENCES
      }
      const { value } = await coming
      return value?.block
    } finally {
      givenUp.abort()
      await blocks.return()
    }
  }

  /** Whether a record from this one on bears a time up to a moment. Where not all are here, the newest alone is looked at. */
  async goesBackTo(atMs: number, from: number, signal: AbortSignal): Promise<boolean> {
    if (from >= this.length) return false
    if (!this.asksNobody && !(await this.feed.has(from, this.length))) {
      const newest = await this.header(this.length - 1)
      return newest !== undefined && newest.timeMs <= atMs
    }
    for await (const { block } of this.blocks(from, this.length, signal)) {
      const decoded = decodePublicPart(block)
      if (decoded.type === 'ok' && decoded.value.header.timeMs <= atMs) return true
    }
    return false
  }

  /**
   * All blocks of a span, in order; where nobody is asked, those that are here, else those that are not lost. NOT_FOUND if it cannot
   * be told whether one is.
   */
  async *blocks(from: number, to: number, signal: AbortSignal): AsyncGenerator<Block> {
    if (!this.asksNobody) return yield* this.#asked(from, to, signal)
    let next = from
    for (const [first, end] of [...(await this.#lost(from, to)), [to, to] as const]) {
      if (next < first) yield* this.feed.read(next, first, { signal })
      next = end
    }
  }

  async *#asked(from: number, to: number, signal: AbortSignal): AsyncGenerator<Block> {
    const lacking = await this.#lost(from, to)
    let next = from
    while (next < to) {
      const passed = new AbortController()
      const blocks = this.feed.read(next, to, { signal: AbortSignal.any([signal, passed.signal]) })
      try {
        for (;;) {
          const coming = blocks.next()
          const at = await this.#awaited(coming, (silences) => this.#goOnAt(next, to, lacking, silences))
          if (at === 'nowhere')
            throw new ShoalError(
              'NOT_FOUND',
              `nobody gives what ${this.name} had written by then: it may not be kept any more`,
            )
          if (at !== undefined) {
            next = at
            break
          }
          const { done, value } = await coming
          if (done === true) return
          yield value
          next = value.index + 1
        }
      } finally {
        passed.abort()
        await blocks.return()
      }
    }
  }

  /**
   * Undefined once it has come, or failed; else what is said after so many silences. It stays asked for all along: what is asked for
   * anew comes no sooner, and the answer to what was withdrawn is not taken.
   */
  async #awaited<T>(
    coming: Promise<unknown>,
    afterSilence: (silences: number) => T | undefined | Promise<T | undefined>,
  ): Promise<T | undefined> {
    let hasCome = false
    const come = (): void => {
      hasCome = true
    }
    const settled = coming.then(come, come)
    for (let silences = 1; ; silences++) {
      await within(settled, this.#patienceMs)
      const said = hasCome ? undefined : await afterSilence(silences)
      // It may have, while that was looked for.
      if (hasCome) return undefined
      if (said !== undefined) return said
    }
  }

  /** The record to go on at, as this one is lost, by the rule above. Undefined: it is to be waited for. */
  async #goOnAt(
    from: number,
    to: number,
    lacking: readonly Range[],
    silences: number,
  ): Promise<number | 'nowhere' | undefined> {
    // It has come in the last moment, perhaps before the timer of those that were to be waited for was looked at.
    if (await this.feed.has(from, from + 1)) return from
    const isOver = silences >= SILENCES
    const isOffered = this.#isOffered(from, from + 1)
    if (isOffered && !isOver) return undefined
    const lackedAfter = countAfter(lacking, from)
    const isGiven = countAfter(await this.#lost(from + 1, to), from) < lackedAfter
    const isPassedOver = !isOffered && this.#isOffered(from + 1, to)
    if (isGiven || (isOver && (isPassedOver || 2 * lackedAfter < to - from)))
      for (let index = from + 1; index < to; index++)
        if (this.#isOffered(index, index + 1) || (await this.feed.has(index, index + 1))) return index
    return isOver ? 'nowhere' : undefined
  }

  #isOffered(from: number, to: number): boolean {
    return this.feed.isOffered?.(from, to) === true
  }
}

/** Resolves when that has, which never rejects, or after so many milliseconds. */
function within(settled: Promise<void>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms).unref()
    void settled.then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/** How many come after that one. */
function countAfter(ranges: readonly Range[], index: number): number {
  return ranges.reduce((sum, [first, end]) => sum + Math.max(0, end - Math.max(first, index + 1)), 0)
}

/** Told of the first; the others are counted. */
const MAX_TOLD = 8

function wordsOfLost(lost: readonly Range[], length: number): string {
  const count = lost.reduce((sum, [first, end]) => sum + end - first, 0)
  const told = lost
    .slice(0, MAX_TOLD)
    .map(([first, end]) => (end - first === 1 ? `${first}` : `${first}-${end - 1}`))
  const more = lost.length > MAX_TOLD ? ' and others' : ''
  const which =
    count === 1
      ? `record ${told[0]} of ${length} is`
      : `${count} records of ${length} (${told.join(', ')}${more}) are`
  return `${which} damaged or not there: what was said in ${count === 1 ? 'it' : 'them'} is lacking, so that a path may come in an older version, be absent, or be there although it was deleted`
}
