// Until when a piece that a blind node knows of is needed, told by all feeds that announce it (core/piece-life.ts).
import type { WriterId } from '../../core/ids.js'
import { type Announced, neededUntil, PieceSpans } from '../../core/piece-life.js'
import type { Retention, Span } from '../../core/retention.js'
import type { BlindIndex } from '../../store/blind-index.js'
import type { Needed } from './blind-counts.js'

const LIVE: Span = { fromMs: 0, untilMs: Number.POSITIVE_INFINITY }

/** By what the feeds say now; made for one survey. */
export function neededBy(index: BlindIndex, policy: Retention, nowMs: number): Needed {
  const heldLength = heldLengthIn(index)
  const spans = new Map(
    index.feeds
      .all()
      .filter(({ number }) => index.life(number).generations.length > 0)
      .map(({ number }) => [number, new PieceSpans(index.life(number), heldLength)] as const),
  )
  const oldestMs = Math.min(nowMs, ...[...spans.values()].map((each) => each.oldestMs))
  const needed = neededUntil(policy, nowMs, oldestMs)
  // A feed that has come since: all of it is new.
  const spanOf = (feed: number, announced: Announced): Span => spans.get(feed)?.of(announced) ?? LIVE
  // Of pieces that nobody else announced, hundreds in a row come from one record.
  let last: (Announced & { readonly feed: number; readonly until: number | undefined }) | undefined
  const untilOf = (feed: number, announced: Announced): number | undefined => {
    const { firstBlock, lastBlock } = announced
    if (last?.feed !== feed || last.firstBlock !== firstBlock || last.lastBlock !== lastBlock)
      last = { feed, firstBlock, lastBlock, until: needed([spanOf(feed, announced)]) }
    return last.until
  }
  return (refs) => {
    const first = refs[0]
    if (first !== undefined && refs.length === 1) {
      const announced = index.announcedAt(first.feed, first.index)
      return announced === undefined ? needed([]) : untilOf(first.feed, announced)
    }
    return needed(
      refs.flatMap(({ feed, index: number }) => {
        const announced = index.announcedAt(feed, number)
        return announced === undefined ? [] : [spanOf(feed, announced)]
      }),
    )
  }
}

/** How much of each feed is read here; Infinity for one that nobody can get any more. */
export function heldLengthIn(index: BlindIndex): (writer: WriterId) => number {
  return (writer) => {
    const feed = index.feeds.byWriter(writer)
    return feed === undefined ? 0 : feed.closed ? Number.POSITIVE_INFINITY : feed.next
  }
}
