// Which pieces of a feed still count, told from the public parts of its records alone, so that a blind node can tell, too.
//
// A feed has generations: one begins with its first block, each later one where a whole checkpoint begins (F3). A
// checkpoint is whole when a record says so: its own last one, or a later one. A writer keeps two rules (publisher.ts):
//   1. every entry refers to pieces that were announced in the generation it stands in, or restated by its checkpoint;
//   2. the last record of a checkpoint states how far its writer then knew all feeds: what it left out of its own entries
//      was replaced there.
// So a piece counts from the generation in which it was announced first to the one in which it was announced last. A
// generation is over for somebody who has the next one's checkpoint and every feed as far as that one's view: only then
// does he know himself that what was left out is replaced.
// A writer that breaks the rules loses its own pieces and nobody else's. Pure.
import { invariant } from './error.js'
import type { WriterId } from './ids.js'
import type { FeedView, RecordHeader } from './record-public.js'
import { type GenerationTimes, keeperOf, type Retention, type Span, spansOf } from './retention.js'

export interface Generation extends GenerationTimes {
  /** The block it begins with. */
  readonly from: number
  /** How far its writer knew all feeds when its checkpoint was whole; empty for the first. */
  readonly view: FeedView
}

/**
 * Most that the views of one feed's generations name together; beyond, the two oldest generations become one, which keeps
 * more than is needed, never less. Ten writers may make 6,500 checkpoints each. Some 100 bytes of memory each.
 */
const MAX_VIEWED = 65_536

/** What the records of one feed tell of its generations. Grows by one generation a checkpoint. */
export interface FeedLife {
  /** The next block to follow. */
  readonly next: number
  /** In their order; none before the first record. */
  readonly generations: readonly Generation[]
  /** Checkpoint records just before `next` that nobody has called whole yet. */
  readonly unproven: Generation | undefined
}

/** In which blocks a piece number was announced first and last. */
export interface Announced {
  readonly firstBlock: number
  readonly lastBlock: number
}

/** Nothing is followed yet. All of the past needs all blocks: who begins at a later one knows of none before. */
export function lifeFrom(block: number): FeedLife {
  return { next: block, generations: [], unproven: undefined }
}

/** Takes over the record of block `life.next`. */
export function followLife(life: FeedLife, header: RecordHeader): FeedLife {
  const block = life.next
  const generations = [...life.generations]
  const last = generations.pop()
  // What may be a checkpoint stands in the generation before until that is known.
  generations.push(last === undefined ? begin(header, block, []) : withTime(last, header.timeMs))
  const run = header.kind === 'delta' ? undefined : extended(life.unproven, header, block)
  const whole = [run, life.unproven].find((one) => one !== undefined && one.from === header.checkpoint)
  if (whole === undefined || whole.from <= generations.at(-1)!.from)
    return { next: block + 1, generations, unproven: run }
  generations.push(withTime(whole, header.timeMs))
  return { next: block + 1, generations: bounded(generations), unproven: undefined }
}

/**
 * The same with generations made one that follow each other and that nothing is kept of, so that a feed with many checkpoints
 * stays small. Which pieces are needed stays as it was.
 */
export function condensedLife(
  life: FeedLife,
  policy: Retention,
  nowMs: number,
  heldLength: (writer: WriterId) => number,
): FeedLife {
  const spans = openSpansOf(life, heldLength)
  const isKept = keeperOf(policy, nowMs, oldestOf(spans))
  const generations: Generation[] = []
  life.generations.forEach((generation, i) => {
    const canJoin = i > 0 && !isKept(spans[i - 1]!) && !isKept(spans[i]!)
    if (canJoin) generations.push(joined(generations.pop()!, generation))
    else generations.push(generation)
  })
  return { ...life, generations }
}

/** A number was announced, perhaps not for the first time; records come in their order. */
export function announcedIn(before: Announced | undefined, block: number): Announced {
  if (before === undefined) return { firstBlock: block, lastBlock: block }
  return { firstBlock: before.firstBlock, lastBlock: Math.max(before.lastBlock, block) }
}

/**
 * While a feed's pieces count, for somebody who has the feeds as far as `heldLength` says (0: unknown feed; Infinity: one
 * that nobody can get any more, so that nothing waits for it).
 */
export class PieceSpans {
  readonly #generations: readonly Generation[]
  readonly #spans: readonly Span[]

  constructor(life: FeedLife, heldLength: (writer: WriterId) => number) {
    this.#generations = life.generations
    this.#spans = openSpansOf(life, heldLength)
  }

  /** The earliest instant that the feed tells of; Infinity before its first record. */
  get oldestMs(): number {
    return oldestOf(this.#spans)
  }

  /** While a piece counts that was announced in these blocks. */
  of({ firstBlock, lastBlock }: Announced): Span {
    const first = this.#at(firstBlock)
    const last = this.#at(lastBlock)
    let span = this.#spans[last]!
    for (let i = first; i < last; i++) {
      const { fromMs, untilMs } = this.#spans[i]!
      span = { fromMs: Math.min(span.fromMs, fromMs), untilMs: Math.max(span.untilMs, untilMs) }
    }
    return span
  }

  /** The generation a block stands in. */
  #at(block: number): number {
    let low = 0
    let high = this.#generations.length - 1
    invariant(high >= 0, 'a piece was announced in a block that was followed')
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (this.#generations[middle]!.from <= block) low = middle
      else high = middle - 1
    }
    return low
  }
}

/**
 * Says of each piece of a share until when it is needed: the latest end among those of its spans (one for each feed and
 * number it was announced under) that the policy keeps; Infinity: live; undefined: it may go.
 */
export function neededUntil(
  policy: Retention,
  nowMs: number,
  oldestMs: number,
): (spans: Iterable<Span>) => number | undefined {
  const isKept = keeperOf(policy, nowMs, oldestMs)
  return (spans) => {
    let until: number | undefined
    for (const span of spans) {
      if (isKept(span) && (until === undefined || span.untilMs > until)) until = span.untilMs
    }
    return until
  }
}

function begin({ timeMs }: RecordHeader, from: number, view: FeedView): Generation {
  return { from, atMs: timeMs, earliestMs: timeMs, latestMs: timeMs, view }
}

function extended(run: Generation | undefined, header: RecordHeader, block: number): Generation {
  // The newest view is the one that counts: what it was made of was looked at one after the other.
  const { view } = header
  return run === undefined ? begin(header, block, view) : { ...withTime(run, header.timeMs), view }
}

function bounded(generations: Generation[]): Generation[] {
  let viewed = generations.reduce((sum, { view }) => sum + view.length + 1, 0)
  while (viewed > MAX_VIEWED && generations.length > 2) {
    const [oldest, next] = generations.splice(0, 2) as [Generation, Generation]
    viewed -= next.view.length + 1
    generations.unshift(joined(oldest, next))
  }
  return generations
}

function joined(one: Generation, next: Generation): Generation {
  return withTime(withTime(one, next.earliestMs), next.latestMs)
}

/** A generation whose successor's view is not held yet goes on. */
function openSpansOf({ generations }: FeedLife, heldLength: (writer: WriterId) => number): Span[] {
  const isKnown = generations.map(({ view }) =>
    view.every(([writer, length]) => heldLength(writer) >= length),
  )
  return spansOf(generations).map((span, i) =>
    isKnown[i + 1] ? span : { ...span, untilMs: Number.POSITIVE_INFINITY },
  )
}

function oldestOf(spans: readonly Span[]): number {
  return spans.reduce((oldest, { fromMs }) => Math.min(oldest, fromMs), Number.POSITIVE_INFINITY)
}

function withTime(generation: Generation, timeMs: number): Generation {
  return {
    ...generation,
    earliestMs: Math.min(generation.earliestMs, timeMs),
    latestMs: Math.max(generation.latestMs, timeMs),
  }
}
