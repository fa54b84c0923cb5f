// Which blocks of a feed make up what its writer had said by a moment. Times are the writer's clock, which goes forwards
// but for what somebody does to it; the place is looked for by halving, so that a feed of years costs twenty records. Where
// it went back, a span may end too late, never too early: whoever reads it ends at the first record of a later time, so that
// nobody gets into the past by what he writes afterwards (takeOver in past-share.ts).
import { ShoalError } from '../../core/error.js'
import type { RecordHeader } from '../../core/record-public.js'

/** A feed as far as its records can be had. */
export interface TimedFeed {
  /** For messages. */
  readonly name: string
  readonly length: number
  /** Undefined: that record is not kept any more, or cannot be read. */
  header(index: number): Promise<RecordHeader | undefined>
  /** Whether all of these records are here without asking anybody. */
  has(from: number, to: number): Promise<boolean>
  /** Whether what is not here now will not come: then it is lost, wherever it stood. */
  readonly asksNobody?: boolean
  /** Records before this one were cleared by the writer (F3). */
  readonly cleared?: number
}

/** Blocks `from` (inclusive) to `to` (exclusive). */
export interface Span {
  readonly from: number
  readonly to: number
}

/**
 * The records that tell all that counted at `atMs` (milliseconds since 1970; undefined: all there are): the whole feed if
 * it is here, else from its newest checkpoint of that time on (F3). Empty if it said nothing by then. NOT_FOUND if those
 * records are not kept any more. Where nobody is asked, some in between may be lost: what is read besides them tells the most.
 */
export async function spanAt(feed: TimedFeed, atMs: number | undefined): Promise<Span> {
  const to = await endAt(feed, atMs)
  if (to === 0) return { from: 0, to }
  if (await feed.has(0, to)) return { from: 0, to }
  const { asksNobody = false, cleared = 0 } = feed
  if (asksNobody && cleared === 0) return { from: 0, to }
  const newest = await newestBefore(feed, to)
  if (newest === undefined) throw await tooOld(feed, to, atMs)
  const from = newest.checkpoint ?? 0
  return { from: asksNobody && from < cleared ? 0 : from, to }
}

/** Nobody had written anything by a moment: since when there is something. */
export async function nothingBy(feeds: Iterable<TimedFeed>, atMs: number): Promise<ShoalError> {
  let oldestMs = Number.POSITIVE_INFINITY
  for (const feed of feeds) {
    const first = feed.length === 0 ? undefined : await feed.header(0)
    if (first !== undefined) oldestMs = Math.min(oldestMs, first.timeMs)
  }
  const since =
    oldestMs === Number.POSITIVE_INFINITY
      ? ''
      : `; the oldest record is of ${new Date(oldestMs).toISOString()}`
  return new ShoalError(
    'NOT_FOUND',
    `nobody had written anything by then (${new Date(atMs).toISOString()})${since}`,
  )
}

/** For a note, where a feed was read no further than to a record of a later time. */
export function clockWentBack(name: string, atMs: number): string {
  return `the clock of ${name} went back: what it wrote after a record of ${new Date(atMs).toISOString()} is left out, whatever time it bears`
}

/** The end of the records up to a moment. Those that are gone are the oldest. */
async function endAt(feed: TimedFeed, atMs: number | undefined): Promise<number> {
  if (atMs === undefined) return feed.length
  let low = 0
  let high = feed.length
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    let told = middle
    let header = await feed.header(told)
    // The next one that is here speaks for what is lost.
    while (feed.asksNobody === true && header === undefined && told + 1 < high)
      header = await feed.header(++told)
    if (header === undefined ? feed.asksNobody !== true : header.timeMs <= atMs) low = told + 1
    else high = middle
  }
  if (feed.asksNobody !== true) return low
  // What is lost right after those, or cannot be read, may have been of that time: who reads so far says that it is lacking.
  while (low < feed.length && (await feed.header(low)) === undefined) low++
  return low
}

async function newestBefore(feed: TimedFeed, to: number): Promise<RecordHeader | undefined> {
  let index = to - 1
  let header = await feed.header(index)
  while (feed.asksNobody === true && header === undefined && index > (feed.cleared ?? 0))
    header = await feed.header(--index)
  return header
}

async function tooOld(feed: TimedFeed, gone: number, atMs: number | undefined): Promise<ShoalError> {
  const oldest = gone < feed.length ? await feed.header(gone) : undefined
  const since = oldest === undefined ? '' : `; it begins at ${new Date(oldest.timeMs).toISOString()}`
  const when = atMs === undefined ? '' : ` of ${new Date(atMs).toISOString()}`
  return new ShoalError('NOT_FOUND', `what ${feed.name} had written${when} is not kept here any more${since}`)
}
