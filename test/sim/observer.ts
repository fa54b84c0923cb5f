// A simulated blind node, as far as it decides what to drop: it sees the public parts of records, late and in any order of
// feeds, and holds every piece that they tell it to. Beside it stands somebody who may read everything, and asks whether it
// still holds what the tree of any node, and any kept snapshot of what it has itself, is made of.
import type { RelPath } from '../../src/core/path.js'
import {
  type Announced,
  announcedIn,
  condensedLife,
  type FeedLife,
  followLife,
  lifeFrom,
  neededUntil,
  PieceSpans,
} from '../../src/core/piece-life.js'
import type { FeedRecord } from '../../src/core/record.js'
import { type Retention, snapshotTimes } from '../../src/core/retention.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { ShareIndex } from '../../src/store/share-index.js'
import type { SimFeed, SimNode } from './node.js'
import type { Random } from './random.js'
import type { Rules } from './rules.js'

const HOUR_MS = 3_600_000

/** What it knows of one feed. */
interface Followed {
  readonly feed: SimFeed
  life: FeedLife
  readonly announced: Map<number, { readonly id: string; blocks: Announced }>
}

export class Observer {
  readonly policy: Retention
  /** How many pieces it has dropped; a history in which it is none proves nothing. */
  dropped = 0
  readonly #rules: Rules
  readonly #followed: readonly Followed[]
  /** Pieces it has dropped, and after how many announcements: another one has it fetched again. */
  readonly #droppedAfter = new Map<string, number>()
  readonly #announcements = new Map<string, number>()

  constructor(feeds: readonly SimFeed[], random: Random, rules: Rules) {
    this.#rules = rules
    this.#followed = feeds.map((feed) => ({ feed, life: lifeFrom(0), announced: new Map() }))
    this.policy = {
      keepMs: random.pick([0, 0, HOUR_MS, 24 * HOUR_MS])!,
      hourly: random.below(4),
      daily: random.below(3),
      weekly: random.below(2),
      monthly: 0,
      maxBytes: undefined,
    }
  }

  /** Follows one feed a little. */
  observe(random: Random): void {
    const one = random.pick(this.#followed)!
    this.#follow(one, one.life.next + 1 + random.below(6))
  }

  observeAll(): void {
    for (const one of this.#followed) this.#follow(one, one.feed.durable.length)
  }

  #follow(one: Followed, until: number): void {
    for (; one.life.next < Math.min(until, one.feed.durable.length); ) {
      const { header, announcements } = one.feed.durable[one.life.next]!
      for (const { first, pieces } of announcements) {
        pieces.forEach((piece, i) => {
          const id = piece.id.toString('hex')
          const blocks = announcedIn(one.announced.get(first + i)?.blocks, one.life.next)
          one.announced.set(first + i, { id, blocks })
          this.#announcements.set(id, (this.#announcements.get(id) ?? 0) + 1)
        })
      }
      one.life = followLife(one.life, header)
    }
  }

  /** Drops what the policy does not want, and tells what was missed. */
  *drop(nowMs: number, nodes: readonly SimNode[], nowUs: number): Generator<string> {
    const lengths = new Map(this.#followed.map(({ feed, life }) => [feed.writer, life.next]))
    const held = (writer: SimFeed['writer']): number =>
      this.#rules.looksAtViews ? (lengths.get(writer) ?? 0) : Number.POSITIVE_INFINITY
    for (const one of this.#followed) one.life = condensedLife(one.life, this.policy, nowMs, held)
    const spans = this.#followed.map(({ life }) => new PieceSpans(life, held))
    const needed = neededUntil(this.policy, nowMs, Math.min(...spans.map(({ oldestMs }) => oldestMs)))
    const byId = new Map<string, [at: number, blocks: Announced][]>()
    this.#followed.forEach(({ announced }, at) => {
      for (const { id, blocks } of announced.values()) byId.set(id, [...(byId.get(id) ?? []), [at, blocks]])
    })
    for (const [id, refs] of byId) {
      const announcements = this.#announcements.get(id)!
      if (needed(refs.map(([at, blocks]) => spans[at]!.of(blocks))) === undefined) {
        if (!this.#droppedAfter.has(id)) this.dropped++
        this.#droppedAfter.set(id, announcements)
      } else if (this.#droppedAfter.get(id) !== announcements) this.#droppedAfter.delete(id)
    }
    yield* this.#misses(nowMs, nodes, nowUs)
  }

  *#misses(nowMs: number, nodes: readonly SimNode[], nowUs: number): Generator<string> {
    for (const node of nodes) {
      if (this.#isCurrent(node, nowUs)) yield* this.#missing(node.index, `the tree of ${node.options.name}`)
    }
    yield* this.#missing(this.#restored(Number.POSITIVE_INFINITY, false), 'what it has itself')
    yield* this.#missing(this.#restored(Number.POSITIVE_INFINITY, true), 'what begins at checkpoints')
    const times = snapshotTimes(this.policy, nowMs, 0).filter((time) => time > nowMs - 90 * HOUR_MS)
    for (const time of new Set([...times, nowMs - this.policy.keepMs / 2]))
      yield* this.#missing(this.#restored(time, false), `what stood ${(nowMs - time) / HOUR_MS} h ago`)
  }

  /** Whether a node lacks nothing that is known here, or only what is younger than all that is kept. */
  #isCurrent({ index }: SimNode, nowUs: number): boolean {
    return this.#followed.every(({ feed, life }) => {
      const { next } = index.feeds.byWriter(feed.writer)!
      return next >= life.next || nowUs - feed.timesUs[next]! < this.policy.keepMs * 1000
    })
  }

  *#missing(index: ShareIndex, where: string): Generator<string> {
    for (const heads of index.allHeads()) {
      for (const head of heads) {
        for (const { id } of index.piecesOf(head) ?? []) {
          if (this.#droppedAfter.has(id.toString('hex')))
            yield `the blind node DROPPED a piece of ${head.path}, which ${where} needs`
        }
      }
    }
  }

  /** The index of who has what is here of the feeds, up to a time, from the first block or from the newest checkpoint. */
  #restored(untilMs: number, atCheckpoints: boolean): ShareIndex {
    const index = new ShareIndex(new MemoryDatabase(), '', { overwriteDrift: false, isIgnored: () => false })
    index.transaction(() => {
      for (const { feed, life } of this.#followed) {
        const row = { writer: feed.writer, key: feed.key, certificate: feed.key, epoch: 0 }
        index.feeds.add({ ...row, device: 'simulated' as never, deviceName: feed.writer })
        const from = atCheckpoints ? (life.generations.at(-1)?.from ?? 0) : 0
        for (let block = from; block < life.next; block++) {
          const record: FeedRecord = feed.durable[block]!
          if (record.header.timeMs > untilMs) continue
          const refusals = index.ingest(index.feeds.byWriter(feed.writer)!, record, block + 1)
          // What is cut out of the middle of a feed by its times may lack the announcements before it.
          if (untilMs === Number.POSITIVE_INFINITY && refusals.length > 0)
            throw new Error(`${refusals[0]!.path as RelPath}: ${refusals[0]!.detail}`)
        }
      }
    })
    return index
  }
}
