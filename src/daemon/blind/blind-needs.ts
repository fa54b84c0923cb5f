// Until when a piece that a blind node knows of is needed, told by all feeds that announce it (core/piece-life.ts).
import type { WriterId } from '../../core/ids.js'
import { neededUntil, PieceSpans } from '../../core/piece-life.js'
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
  return (refs) =>
    needed(
      refs.flatMap(({ feed, index: number }) => {
        const announced = index.announcedAt(feed, number)
        if (announced === undefined) return []
        // A feed that has come since: all of it is new.
        return [spans.get(feed)?.of(announced) ?? LIVE]
      }),
    )
}

/** How much of each feed is read here; Infinity for one that nobody can get any more. */
export function heldLengthIn(index: BlindIndex): (writer: WriterId) => number {
  return (writer) => {
    const feed = index.feeds.byWriter(writer)
    return feed === undefined ? 0 : feed.closed ? Number.POSITIVE_INFINITY : feed.next
  }
}
