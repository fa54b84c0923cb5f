// Liveness of pieces as public parts tell it, over histories of a small model: writers publish, delete, hear of each other
// late and checkpoint; somebody who sees public parts alone drops what he may, and must never miss a piece afterwards.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { WriterId } from '../../src/core/ids.js'
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
import type { RecordHeader } from '../../src/core/record.js'
import { CLOCK_SLACK_MS, type Retention, snapshotTimes } from '../../src/core/retention.js'

const HOUR = 3_600_000
const START = Date.UTC(2026, 0, 1)
const WRITERS = ['aa', 'bb', 'cc'].map((byte) => byte.repeat(8) as WriterId)

function header(over: Partial<RecordHeader>): RecordHeader {
  return { kind: 'delta', timeMs: 0, view: [], checkpoint: undefined, ...over }
}

function lifeOf(...headers: readonly Partial<RecordHeader>[]): FeedLife {
  return headers.map(header).reduce(followLife, lifeFrom(0))
}

describe('generations', () => {
  const begins = (life: FeedLife) => life.generations.map(({ from }) => from)

  it('begin with the first block and with each whole checkpoint', () => {
    assert.deepEqual(begins(lifeFrom(0)), [])
    assert.deepEqual(begins(lifeOf({})), [0])
    const three = lifeOf(
      { timeMs: 1 },
      { kind: 'checkpoint', timeMs: 2 },
      { kind: 'checkpoint', timeMs: 3, checkpoint: 1, view: [[WRITERS[1]!, 4]] },
      { timeMs: 4, checkpoint: 1 },
      { kind: 'checkpoint', timeMs: 5, checkpoint: 4 },
    )
    assert.deepEqual(begins(three), [0, 1, 4])
    assert.deepEqual(three.generations[1], {
      from: 1,
      atMs: 2,
      earliestMs: 2,
      latestMs: 5,
      view: [[WRITERS[1], 4]],
    })
  })

  it('do not begin with what no record calls whole', () => {
    assert.deepEqual(begins(lifeOf({}, { kind: 'checkpoint' }, {}, { checkpoint: 1 })), [0])
    assert.deepEqual(begins(lifeOf({}, { kind: 'checkpoint' }, { checkpoint: 1 })), [0, 1])
    assert.deepEqual(begins(lifeOf({}, {}, { checkpoint: 1 }, { checkpoint: 7 }, { checkpoint: 0 })), [0])
  })

  it('are few, whatever a writer says', () => {
    const view = Array.from(
      { length: 1000 },
      (_, i) => [i.toString(16).padStart(16, '0') as WriterId, 1] as const,
    )
    let life = lifeOf({ timeMs: 7 })
    for (let block = 1; block <= 100; block++)
      life = followLife(life, header({ kind: 'checkpoint', checkpoint: block, view, timeMs: block }))
    assert.ok(life.generations.length > 60 && life.generations.length < 70)
    assert.deepEqual([life.generations[0]!.from, life.generations[0]!.atMs], [0, 7])
    const last = new PieceSpans(life, () => 1).of({ firstBlock: 0, lastBlock: 0 })
    assert.ok(last.untilMs >= life.generations[1]!.atMs, 'what became one counts until its end')
  })

  it('that nothing is kept of become one', () => {
    const at = (day: number): Partial<RecordHeader> => ({ timeMs: START + day * 24 * HOUR })
    const days = [1, 2, 3, 4, 5].map((day) => ({ kind: 'checkpoint' as const, ...at(day), checkpoint: day }))
    const life = lifeOf(at(0), ...days)
    const nowMs = START + 5.5 * 24 * HOUR
    const none: Retention = { keepMs: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, maxBytes: undefined }
    const all = condensedLife(life, none, nowMs, () => 0)
    assert.deepEqual(begins(all), [0, 5])
    assert.equal(
      new PieceSpans(all, () => 0).of({ firstBlock: 0, lastBlock: 0 }).untilMs,
      days[4]!.timeMs! + CLOCK_SLACK_MS,
    )
    // The fourth of the month, at noon of the writer's clock, is a snapshot's.
    const noon = lifeOf(at(0.5), ...days.map((one, i) => ({ ...one, ...at(i + 1.5) })))
    assert.deepEqual(
      begins(condensedLife(noon, { ...none, daily: 3 }, START + 5.6 * 24 * HOUR, () => 0)),
      [0, 2, 3, 4, 5],
    )
  })

  it('end for those only who have what replaced the rest', () => {
    const life = lifeOf({}, { kind: 'checkpoint', checkpoint: 1, timeMs: 9, view: [[WRITERS[1]!, 4]] })
    const old = { firstBlock: 0, lastBlock: 0 }
    assert.equal(new PieceSpans(life, () => 3).of(old).untilMs, Number.POSITIVE_INFINITY)
    assert.equal(new PieceSpans(life, () => 4).of(old).untilMs, 9 + CLOCK_SLACK_MS)
    const restated = announcedIn(old, 1)
    assert.deepEqual(new PieceSpans(life, () => 4).of(restated), {
      fromMs: 0,
      untilMs: Number.POSITIVE_INFINITY,
    })
  })
})

interface Entry {
  readonly author: number
  readonly path: number
  /** Undefined: deleted. */
  readonly piece: number | undefined
  readonly version: readonly number[]
}

interface Block {
  readonly header: RecordHeader
  readonly announced: readonly (readonly [number: number, content: string])[]
  readonly entries: readonly Entry[]
}

/** What is wrong on purpose. */
type Plant = 'none' | 'reuses-what-died' | 'looks-at-no-view' | 'states-an-early-view' | 'forgets-slack'

class Model {
  readonly feeds: Block[][] = [[], [], []]
  readonly known: number[][] = [0, 1, 2].map(() => [0, 0, 0])
  readonly contents: Map<number, string>[] = [new Map(), new Map(), new Map()]
  readonly checkpoints = [0, 0, 0]
  readonly counters = [0, 0, 0]
  readonly #plant: Plant
  nowMs = START
  // The observer.
  readonly lives: FeedLife[] = [lifeFrom(0), lifeFrom(0), lifeFrom(0)]
  readonly announced: Map<number, Announced>[] = [new Map(), new Map(), new Map()]
  /** What it has dropped, and after how many announcements: another one has it fetched again. */
  readonly #droppedAfter = new Map<string, number>()
  readonly #announcements = new Map<string, number>()

  constructor(plant: Plant) {
    this.#plant = plant
  }

  publish(writer: number, path: number, content: string | undefined, skewMs: number): void {
    const announced: [number, string][] = []
    let piece: number | undefined
    if (content !== undefined) {
      piece = this.#numberOf(writer, content)
      if (piece === undefined) {
        piece = this.contents[writer]!.size
        announced.push([piece, content])
      }
    }
    const version = [0, 0, 0]
    for (const head of this.heads(this.known[writer]!, Number.POSITIVE_INFINITY))
      if (head.path === path) for (let i = 0; i < 3; i++) version[i] = Math.max(version[i]!, head.version[i]!)
    version[writer] = ++this.counters[writer]!
    this.#append(writer, 'delta', skewMs, announced, [{ author: writer, path, piece, version }])
  }

  /** `isCutOff`: it crashed before the end. */
  checkpoint(writer: number, skewMs: number, isCutOff: boolean, meanwhile: () => void): void {
    const from = this.feeds[writer]!.length
    const own = this.heads(this.known[writer]!, Number.POSITIVE_INFINITY).filter(
      ({ author }) => author === writer,
    )
    const early = this.#view(writer)
    const half = own.splice(0, Math.ceil(own.length / 2))
    const announce = (entries: readonly Entry[]) =>
      entries.flatMap(({ piece }): [number, string][] =>
        piece === undefined ? [] : [[piece, this.contents[writer]!.get(piece)!]],
      )
    this.#append(writer, 'checkpoint', skewMs, announce(half), half)
    meanwhile()
    if (isCutOff) return
    // Read as it goes on: what was replaced meanwhile is left out.
    const now = this.heads(this.known[writer]!, Number.POSITIVE_INFINITY)
    const rest = own.filter((entry) => now.includes(entry))
    const view = this.#plant === 'states-an-early-view' ? early : this.#view(writer)
    this.checkpoints[writer] = from
    this.#append(writer, 'checkpoint', skewMs, announce(rest), rest, view)
  }

  hear(node: number, feed: number): void {
    if (this.known[node]![feed]! < this.feeds[feed]!.length) this.known[node]![feed]!++
  }

  observe(feed: number): void {
    const life = this.lives[feed]!
    const block = this.feeds[feed]![life.next]
    if (block === undefined) return
    this.lives[feed] = followLife(life, block.header)
    for (const [number, content] of block.announced) {
      this.#announcements.set(content, (this.#announcements.get(content) ?? 0) + 1)
      const before = this.announced[feed]!.get(number)
      this.announced[feed]!.set(number, announcedIn(before, life.next))
    }
  }

  /** The observer drops what it may. */
  drop(policy: Retention): void {
    const nowMs = this.#plant === 'forgets-slack' ? this.nowMs + CLOCK_SLACK_MS : this.nowMs
    const held = (writer: WriterId): number =>
      this.#plant === 'looks-at-no-view'
        ? Number.POSITIVE_INFINITY
        : this.lives[WRITERS.indexOf(writer)]!.next
    this.lives.forEach((life, i) => {
      this.lives[i] = condensedLife(life, policy, nowMs, held)
    })
    const spans = this.lives.map((life) => new PieceSpans(life, held))
    const needed = neededUntil(policy, nowMs, Math.min(...spans.map(({ oldestMs }) => oldestMs)))
    const byContent = new Map<string, [feed: number, number: number][]>()
    this.announced.forEach((numbers, feed) => {
      for (const number of numbers.keys()) {
        const content = this.contents[feed]!.get(number)!
        byContent.set(content, [...(byContent.get(content) ?? []), [feed, number]])
      }
    })
    for (const [content, refs] of byContent) {
      const all = refs.map(([feed, number]) => spans[feed]!.of(this.announced[feed]!.get(number)!))
      const announcements = this.#announcements.get(content)!
      if (needed(all) === undefined) this.#droppedAfter.set(content, announcements)
      else if (this.#droppedAfter.get(content) !== announcements) this.#droppedAfter.delete(content)
    }
  }

  isDropped(content: string): boolean {
    return this.#droppedAfter.has(content)
  }

  /** Contents that who has so much of the feeds needs as of a time, of those that the observer has heard of. */
  *needed(lengths: readonly number[], atMs: number): Generator<string> {
    for (const { author, piece } of this.heads(lengths, atMs))
      if (piece !== undefined && this.announced[author]!.has(piece)) yield this.contents[author]!.get(piece)!
  }

  heads(lengths: readonly number[], atMs: number): Entry[] {
    const all = this.feeds.flatMap((blocks, feed) =>
      blocks.slice(0, lengths[feed]).flatMap(({ header, entries }) => (header.timeMs <= atMs ? entries : [])),
    )
    const distinct = [...new Set(all)]
    return distinct.filter(
      (one) => !distinct.some((other) => other !== one && other.path === one.path && includes(other, one)),
    )
  }

  #numberOf(writer: number, content: string): number | undefined {
    const blocks = this.feeds[writer]!.slice(
      this.#plant === 'reuses-what-died' ? 0 : this.checkpoints[writer],
    )
    return blocks.flatMap(({ announced }) => announced).find(([, known]) => known === content)?.[0]
  }

  #view(writer: number): RecordHeader['view'] {
    return WRITERS.map((id, i) => [id, this.known[writer]![i]!] as const)
  }

  #append(
    writer: number,
    kind: RecordHeader['kind'],
    skewMs: number,
    announced: readonly (readonly [number, string])[],
    entries: readonly Entry[],
    view: RecordHeader['view'] = this.#view(writer),
  ): void {
    for (const [number, content] of announced) this.contents[writer]!.set(number, content)
    const checkpoint = this.checkpoints[writer] === 0 ? undefined : this.checkpoints[writer]
    const about = { kind, timeMs: this.nowMs + skewMs, view, checkpoint }
    this.feeds[writer]!.push({ header: about, announced, entries })
    this.known[writer]![writer] = this.feeds[writer]!.length
  }
}

function includes(a: Entry, b: Entry): boolean {
  return a.version.every((count, i) => count >= b.version[i]!)
}

const writer = fc.nat(2)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('publish' as const), writer, fc.nat(3), fc.nat(6)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('delete' as const), writer, fc.nat(3), fc.constant(0)) },
  { weight: 6, arbitrary: fc.tuple(fc.constant('hear' as const), writer, writer, fc.nat(5)) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('observe' as const), writer, fc.constant(0), fc.nat(9)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('checkpoint' as const), writer, writer, fc.nat(7)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('time' as const), writer, fc.nat(3), fc.nat(60)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('drop' as const), writer, fc.constant(0), fc.constant(0)) },
)
const policy: fc.Arbitrary<Retention> = fc.record({
  keepMs: fc.constantFrom(0, HOUR, 12 * HOUR),
  hourly: fc.nat(3),
  daily: fc.nat(3),
  weekly: fc.nat(2),
  monthly: fc.nat(2),
  maxBytes: fc.constant(undefined),
})
/** Of the writers' clocks; any two differ by no more than the slack. */
const skews = fc.array(fc.integer({ min: -HOUR, max: HOUR }), { minLength: 3, maxLength: 3 })

function missed(plant: Plant) {
  return fc.property(
    policy,
    skews,
    fc.array(step, { minLength: 10, maxLength: 120, size: 'max' }),
    (kept, skew, steps) => {
      const model = new Model(plant)
      const hearAll = (node: number, feed: number, times: number): void => {
        for (let i = 0; i <= times; i++) model.hear(node, feed)
      }
      for (const [what, who, other, number] of steps) {
        if (what === 'publish') model.publish(who, other, `content ${number}`, skew[who]!)
        else if (what === 'delete') model.publish(who, other, undefined, skew[who]!)
        else if (what === 'hear') hearAll(who, other, number)
        else if (what === 'observe') for (let i = 0; i <= number; i++) model.observe(who)
        else if (what === 'checkpoint')
          model.checkpoint(who, skew[who]!, number === 0, () => hearAll(who, other, 2))
        else if (what === 'time') model.nowMs += other === 0 ? number * HOUR : number * 1000
        else check(model, kept)
      }
      check(model, kept)
    },
  )
}

function check(model: Model, kept: Retention): void {
  model.drop(kept)
  const observed = model.lives.map(({ next }) => next)
  const nodes = model.known.map((known) => known.map((length, feed) => Math.max(length, observed[feed]!)))
  for (const lengths of [observed, ...nodes])
    for (const content of model.needed(lengths, Number.POSITIVE_INFINITY))
      assert.ok(!model.isDropped(content), `${content} is live`)
  for (const time of snapshotTimes(kept, model.nowMs, START)) {
    for (const content of model.needed(observed, time))
      assert.ok(!model.isDropped(content), `${content} is in the snapshot of ${new Date(time).toISOString()}`)
  }
}

describe('who sees public parts alone', () => {
  it('never drops what a live entry or a kept snapshot needs', () =>
    fc.assert(missed('none'), { numRuns: 1000 }))

  for (const plant of [
    'reuses-what-died',
    'looks-at-no-view',
    'states-an-early-view',
    'forgets-slack',
  ] as const)
    it(`would if a writer or he broke a rule: ${plant}`, () => {
      assert.ok(fc.check(missed(plant), { numRuns: 5000, seed: 1, endOnFailure: true }).failed)
    })
})
