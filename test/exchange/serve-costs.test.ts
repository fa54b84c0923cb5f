// What requests cost whoever answers them: a byte of a piece is a whole piece that is read.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Bitfield } from '../../src/core/bitfield.js'
import type { WriterId } from '../../src/core/ids.js'
import type { FeedWire } from '../../src/exchange/feed-wire.js'
import { MAX_PEER_REQUESTS } from '../../src/exchange/guard.js'
import type { Link } from '../../src/exchange/link.js'
import type { RunRange } from '../../src/exchange/runs/run-message.js'
import { Serve } from '../../src/exchange/serve.js'
import { silentLog } from '../../src/ports/log.js'
import { range } from './support.js'

const KIB = 1024
const MIB: number = 1024 * KIB
/** What serving keeps in hand of a peer, and of all (S1), give or take a piece. */
const AHEAD_MIB = 4
const ALL_AHEAD_MIB = 32
/** What each peer may have in hand whatever the others have. */
const OWN_AHEAD_BYTES: number = 512 * KIB
const BLOCK_BYTES: number = 128 * 1024
const writer = 'writer' as WriterId

/** One peer's connection: what it is answered with stays in its frames until it takes it. */
class SlowLink {
  drained = true
  outBytes = 0
  readonly unchoked = true
  readonly answered: number[] = []
  readonly wire = {
    ...{ writer, given: new Bitfield(), dontHave: () => {}, speaksOfRuns: true },
    answerRun: ({ first, count }: RunRange) => this.answered.push(...range(count, first)),
  } as unknown as FeedWire
  rejected = 0
  flush(): void {
    this.outBytes = 0
  }
}

/** A Serve of pieces of one length, whose memory is counted for as long as it is lent. */
class Serving {
  readonly serve: Serve
  readonly read: number[] = []
  /** Bytes that the source is reading or has lent, and the most that they ever were. */
  inHand = 0
  most = 0
  #ends: (() => void)[] = []
  #soon = false

  readonly withdrawn: number[] = []

  /** How often the source was asked to the end, all that it was asked for at a time being one. */
  turns = 0

  constructor(
    pieceBytes: number | ((index: number) => number),
    lengthOf?: (index: number) => number | undefined,
  ) {
    const bytesOf = typeof pieceBytes === 'number' ? () => pieceBytes : pieceBytes
    const total = (indices: readonly number[]): number => sum(indices.map(bytesOf))
    this.serve = new Serve({
      source: {
        lengthOf: ({ index }) => (lengthOf ?? bytesOf)(index),
        read: async (requests) => {
          const indices = requests.map(({ index }) => index)
          this.read.push(...indices)
          this.#count(total(indices))
          await new Promise<void>((resolve) => this.#ends.push(resolve))
          return indices.map((index) => Buffer.alloc(bytesOf(index), index))
        },
        release: (answers) => this.#count(-sum(answers.map((answer) => answer?.length ?? 0))),
      },
      log: silentLog,
      nowMs: () => 0,
      holds: () => true,
      withdraw: (_writer, indices) => this.withdrawn.push(...indices),
      violated: (_link, code) => assert.fail(code),
      soon: () => {
        this.#soon = true
      },
      limit: undefined,
      exempt: () => false,
    })
  }

  #count(bytes: number): void {
    this.inHand += bytes
    this.most = Math.max(this.most, this.inHand)
  }

  link(): SlowLink {
    const link = new SlowLink()
    this.serve.addLink(link as unknown as Link)
    return link
  }

  ask(link: SlowLink, index: number, offset: number, length: number): void {
    this.serve.request(link as unknown as Link, link.wire, index, offset, length, (block) => {
      if (block === undefined) link.rejected++
      else {
        assert.equal(block.length, length)
        assert.ok(block.every((byte) => byte === index % 256))
        link.answered.push(index)
        link.outBytes += length
      }
    })
  }

  askRun(link: SlowLink, first: number, count: number, bytes: number): void {
    this.serve.run(link as unknown as Link, link.wire, { type: 'ask', first, count, bytes })
  }

  /** Rounds until nobody asks for another. */
  round(): void {
    while (this.#soon) {
      this.#soon = false
      this.serve.read()
    }
  }

  /** Reads end and are answered, until there are none. */
  async settle(): Promise<void> {
    this.round()
    while (this.#ends.length > 0) {
      this.turns++
      for (const end of this.#ends.splice(0)) end()
      await new Promise((next) => setImmediate(next))
      this.round()
    }
  }
}

test('S1: requests for a byte each do not read a whole piece each at once', async () => {
  const serving = new Serving(MIB)
  const link = serving.link()
  for (const index of range(MAX_PEER_REQUESTS)) serving.ask(link, index, 0, 1)
  serving.round()
  assert.ok(serving.inHand <= (AHEAD_MIB + 1) * MIB, `${serving.inHand / MIB} MiB are being read`)
  await serving.settle()
  assert.equal(link.answered.length, MAX_PEER_REQUESTS, 'S2: what waited is answered')
  assert.ok(serving.most <= (AHEAD_MIB + 1) * MIB, `${serving.most / MIB} MiB in hand`)
})

test('S1: nor do they while the peer takes nothing, and what it asks for later waits', async () => {
  const serving = new Serving(MIB)
  const link = serving.link()
  link.drained = false
  for (const index of range(MAX_PEER_REQUESTS)) serving.ask(link, index, 0, 1)
  await serving.settle()
  assert.ok(serving.read.length <= AHEAD_MIB + 1, `${serving.read.length} pieces were read`)
  link.drained = true
  serving.serve.pump(link as unknown as Link)
  await serving.settle()
  assert.equal(link.answered.length, MAX_PEER_REQUESTS)
  assert.equal(serving.inHand, 0, 'all memory was given back')
})

test('S1: many peers that take nothing leave room for the one that does', async () => {
  const serving = new Serving(MIB)
  const hostile = range(12).map(() => serving.link())
  for (const [at, link] of hostile.entries()) {
    link.drained = false
    for (const index of range(80)) serving.ask(link, at * 80 + index, index, 1)
  }
  await serving.settle()
  const most = ALL_AHEAD_MIB + hostile.length
  assert.ok(serving.read.length <= most, `${serving.read.length} pieces were read`)
  const honest = serving.link()
  for (const index of range(20))
    for (const block of range(8)) serving.ask(honest, 2000 + index, block * BLOCK_BYTES, BLOCK_BYTES)
  await serving.settle()
  assert.equal(honest.answered.length, 160)
})

/** What the honest one asks for: 1 MiB in pieces of 16 KiB. */
for (const [name, ask] of [
  [
    'pieces',
    (serving: Serving, link: SlowLink) => {
      for (const index of range(64)) serving.ask(link, index, 0, 16 * KIB)
    },
  ],
  [
    'runs',
    (serving: Serving, link: SlowLink) => {
      for (const run of range(8)) serving.askRun(link, run * 8, 8, 128 * KIB)
    },
  ],
] as const)
  test(`S1: one that asks for long pieces and takes nothing leaves the others more than one at a time: ${name}`, async () => {
    const [LONG, LONG_MIB] = [100_000, 64]
    const serving = new Serving((index) => (index < LONG ? 16 * KIB : LONG_MIB * MIB))
    const hostile = serving.link()
    hostile.drained = false
    serving.ask(hostile, LONG, 0, BLOCK_BYTES)
    await serving.settle()
    assert.ok(LONG_MIB > ALL_AHEAD_MIB, 'it has all that is for all')
    assert.deepEqual(serving.read, [LONG])

    const honest = serving.link()
    ask(serving, honest)
    serving.turns = 0
    await serving.settle()
    assert.deepEqual(
      honest.answered.sort((a, b) => a - b),
      range(64),
    )
    assert.equal(serving.turns, MIB / OWN_AHEAD_BYTES)
  })

/** For each peer how many pieces it asks for a byte of, and how long they are. */
const few = fc.record({ count: fc.nat(8), bytes: fc.integer({ min: 1, max: 64 * MIB }) })
const many = fc.record({ count: fc.nat(400), bytes: fc.integer({ min: 1, max: 2 * MIB }) })
const all = fc.record({ count: fc.constant(400), bytes: fc.integer({ min: 8 * KIB, max: 64 * KIB }) })
const asks = fc.oneof(
  fc.array(fc.oneof(few, many), { maxLength: 24 }),
  // So many that together they come to the bound.
  fc.array(all, { minLength: 20, maxLength: 30 }),
)

test('S1: whatever others ask for, each has its own share, and all together no more than that beyond the bound', () => {
  fc.assert(
    fc.property(asks, (peers) => {
      const EACH = 1000
      const peerOf = (index: number): number => Math.floor(index / EACH)
      const serving = new Serving((index) => peers[peerOf(index)]!.bytes)
      for (const [at, { count }] of peers.entries()) {
        const link = serving.link()
        for (const index of range(count, at * EACH)) serving.ask(link, index, 0, 1)
      }
      serving.round()
      for (const [at, { count, bytes }] of peers.entries()) {
        const inHand = serving.read.filter((index) => peerOf(index) === at).length * bytes
        const own = Math.min(count * bytes, OWN_AHEAD_BYTES)
        assert.ok(inHand >= own, `peer ${at} has ${inHand} of the ${own} bytes that it may have`)
        assert.ok(inHand <= AHEAD_MIB * MIB + bytes, `peer ${at} has ${inHand} bytes`)
      }
      const most = ALL_AHEAD_MIB * MIB + sum(peers.map(({ bytes }) => OWN_AHEAD_BYTES + bytes))
      assert.ok(serving.inHand <= most, `${serving.inHand} bytes in all`)
    }),
  )
})

test('the blocks of a piece share one read, however long it is and however many there are', async () => {
  for (const [pieceMib, pieces] of [
    [1, 16],
    [16, 4],
  ] as const) {
    const serving = new Serving(pieceMib * MIB)
    const link = serving.link()
    for (const index of range(pieces))
      for (const block of range(pieceMib * 8)) serving.ask(link, index, block * BLOCK_BYTES, BLOCK_BYTES)
    serving.round()
    assert.ok(
      serving.read.length >= Math.min(pieces, AHEAD_MIB / pieceMib),
      'as much is read ahead as may be',
    )
    await serving.settle()
    assert.deepEqual(serving.read, range(pieces))
    assert.equal(link.answered.length, pieces * pieceMib * 8)
  }
})

test('S1: what was taken back, or asked for by a peer that has left, is counted no longer', async () => {
  const serving = new Serving(MIB)
  const link = serving.link()
  for (const index of range(100)) serving.ask(link, index, 7, 1)
  serving.round()
  for (const index of range(100)) serving.serve.cancelled(link as unknown as Link, link.wire, index, 7)
  for (const index of range(3)) serving.ask(link, index, 0, 1)
  await serving.settle()
  assert.deepEqual(link.answered, [0, 1, 2])
  for (const index of range(200, 200)) serving.ask(link, index, 0, 1)
  link.drained = false
  await serving.settle()
  const before = serving.read.length
  serving.serve.removeLink(link as unknown as Link)
  const next = serving.link()
  for (const index of range(AHEAD_MIB, 500)) serving.ask(next, index, 0, MIB / 4)
  serving.round()
  assert.equal(serving.read.length, before + AHEAD_MIB, 'the next one has the room')
  await serving.settle()
  assert.equal(next.answered.length, AHEAD_MIB)
  assert.equal(serving.inHand, 0)
})

test('S1: what was taken back while it was read counts for as long as what was read with it is held', async () => {
  const cases = [
    {
      name: 'other pieces in the same memory',
      pieceBytes: 16 * 1024,
      length: 16 * 1024,
      parts: 1,
      pieces: 64,
    },
    { name: 'other parts of one piece', pieceBytes: MIB, length: 16 * 1024, parts: 64, pieces: 1 },
  ]
  for (const { name, pieceBytes, length, parts, pieces } of cases) {
    const serving = new Serving(pieceBytes)
    const link = serving.link()
    link.drained = false
    for (const round of range(100)) {
      const asked = range(pieces, round * pieces).flatMap((index) =>
        range(parts).map((part) => [index, part * length] as const),
      )
      for (const [index, offset] of asked) serving.ask(link, index, offset, length)
      serving.round()
      for (const [index, offset] of asked.slice(1))
        serving.serve.cancelled(link as unknown as Link, link.wire, index, offset)
      await serving.settle()
    }
    const readMib = (serving.read.length * pieceBytes) / MIB
    assert.ok(readMib <= AHEAD_MIB + 1, `${name}: ${readMib} MiB were read for a peer that takes nothing`)
    link.drained = true
    serving.serve.pump(link as unknown as Link)
    await serving.settle()
    assert.equal(new Set(link.answered).size, 100, name)
    assert.equal(serving.inHand, 0, name)
    // Nothing of it counts any more.
    link.drained = false
    const ahead = (AHEAD_MIB * MIB) / pieceBytes
    for (const index of range(ahead, 100_000))
      for (const block of range(pieceBytes / length)) serving.ask(link, index, block * length, length)
    const before = serving.read.length
    serving.round()
    assert.equal(serving.read.length, before + ahead, name)
  }
})

test('S1: what was asked for and taken back is not lined up without end for a peer that takes nothing', async () => {
  let lookups = 0
  const serving = new Serving(MIB, () => {
    lookups++
    return MIB
  })
  const link = serving.link()
  link.drained = false
  serving.ask(link, 0, 0, 1)
  await serving.settle()
  const times = 10 * MAX_PEER_REQUESTS
  for (const offset of range(times, 1)) {
    serving.ask(link, 0, offset, 1)
    serving.round()
    serving.serve.cancelled(link as unknown as Link, link.wire, 0, offset)
  }
  assert.ok(lookups <= 2 * MAX_PEER_REQUESTS, `${lookups} requests of ${times} are lined up`)
  link.drained = true
  serving.ask(link, 0, times + 1, 1)
  serving.serve.pump(link as unknown as Link)
  await serving.settle()
  assert.deepEqual(link.answered, [0, 0])
})

test('S2, S3: a piece whose length cannot be looked up is rejected and withdrawn, and the others are served', async () => {
  const serving = new Serving(MIB, (index) => (index === 3 ? assert.fail('a bad page') : MIB))
  const link = serving.link()
  for (const index of range(6)) serving.ask(link, index, 0, BLOCK_BYTES)
  await serving.settle()
  assert.deepEqual([link.answered, link.rejected, serving.withdrawn], [[0, 1, 2, 4, 5], 1, [3]])
  assert.equal(serving.inHand, 0)
})

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
