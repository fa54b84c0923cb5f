// Runs between real exchanges: what is asked for as one comes as one, and whatever goes wrong with one is told.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { Gate, Pacer } from '../../../src/exchange/pacer.js'
import type { FetchedRun, WantedRun } from '../../../src/exchange/runs/run-fetch.js'
import { TooManyBytes } from '../../../src/exchange/too-many-bytes.js'
import { until } from '../../support/until.js'
import { makePiece, Net, type Node, range, wantedPiece, writer } from '../support.js'

const PIECE_BYTES = 1000

let net: Net
beforeEach(() => {
  net = new Net()
})
afterEach(async () => net.end())

function run(first: number, count: number): WantedRun {
  return { writer, first, count, bytes: count * PIECE_BYTES }
}

/** So many runs of ten. */
function runs(count: number, first = 0): WantedRun[] {
  return range(count).map((i) => run(first + i * 10, 10))
}

function bytesOf({ first, count }: WantedRun): Buffer {
  return Buffer.concat(range(count, first).map((index) => makePiece(index)))
}

/** What comes of the runs that a node wants, compared as it comes. */
class Taker {
  readonly fetched: FetchedRun[] = []
  readonly refused: WantedRun[] = []

  constructor(node: Node) {
    node.exchange.on('runs', (fetched, refused) => {
      for (const each of fetched) {
        assert.ok(each.bytes.equals(bytesOf(each.run)), `the run from ${each.run.first}`)
        each.room?.leave()
      }
      this.fetched.push(...fetched)
      this.refused.push(...refused)
    })
  }

  get numbers(): number[] {
    return this.fetched.map((each) => each.run.first).sort((a, b) => a - b)
  }
}

/** A source that answers each piece when the test calls what it holds. */
function holding(): { held: (() => void)[]; serve: (request: { index: number }) => Promise<Buffer> } {
  const held: (() => void)[] = []
  const serve = ({ index }: { index: number }): Promise<Buffer> =>
    new Promise((resolve) => held.push(() => resolve(makePiece(index))))
  return { held, serve }
}

async function untilServed(node: Node, wanted: WantedRun): Promise<void> {
  await until('somebody serves runs', () => node.exchange.runs.canServe(wanted))
}

test('runs: come as they were asked for, in few reads, counted like pieces', async () => {
  const source = net.node({ holds: range(1000) })
  const two = net.node()
  const taker = new Taker(two)
  await net.connect(two, source)
  await untilServed(two, run(0, 10))
  two.exchange.runs.want(runs(100))
  assert.equal(two.exchange.stats().wanted, 1000)
  await until('all are here', () => taker.fetched.length === 100)
  assert.deepEqual(
    taker.numbers,
    range(100).map((i) => i * 10),
  )
  const { downloadedBytes, downloadedPieces, wanted, inFlight, inFlightBytes, violations } =
    two.exchange.stats()
  assert.deepEqual([downloadedBytes, downloadedPieces], [1000 * PIECE_BYTES, 1000])
  assert.deepEqual([wanted, inFlight, inFlightBytes, violations], [0, 0, 0, 0])
  const { uploadedBytes, uploadedPieces } = source.exchange.stats()
  assert.deepEqual([uploadedBytes, uploadedPieces], [1000 * PIECE_BYTES, 1000])
  assert.ok(source.reads.length <= 20, `${source.reads.length} reads`)
  // What it was sent, it is known to hold.
  const [held] = source.exchange.holdings(new Set())
  assert.deepEqual([...held!.peers.values()], [Buffer.concat([Buffer.alloc(125, 0xff), Buffer.alloc(1125)])])
})

test('runs: pieces by themselves come beside them', async () => {
  const source = net.node({ holds: range(1000) })
  const two = net.node()
  const taker = new Taker(two)
  await net.connect(two, source)
  await untilServed(two, run(0, 10))
  two.exchange.runs.want(runs(50))
  two.exchange.want(range(500, 500).map((index) => wantedPiece(index)))
  await two.whenGot(500)
  await until('all runs are here', () => taker.fetched.length === 50)
})

test('R1: whoever holds a part of a run is not asked for it', async () => {
  const part = net.node({ holds: range(15) })
  const two = net.node()
  await net.connect(two, part)
  await untilServed(two, run(0, 10))
  assert.equal(two.exchange.runs.canServe(run(10, 10)), false)
  const taker = new Taker(two)
  const [first, second] = runs(2)
  two.exchange.runs.want([second!, first!])
  await until('the one that it holds is here', () => taker.fetched.length === 1)
  assert.deepEqual(two.exchange.runs.takeUnserved(), [second])
  assert.equal(two.exchange.stats().wanted, 0)
})

test('R2 and S3: a run with a piece that cannot be read is refused, and that piece withdrawn', async () => {
  const serve = ({ index }: { index: number }): Buffer | null => (index === 13 ? null : makePiece(index))
  const source = net.node({ holds: range(30), serve })
  const two = net.node()
  const taker = new Taker(two)
  await net.connect(two, source)
  await untilServed(two, run(0, 10))
  const wanted = runs(3)
  two.exchange.runs.want(wanted)
  await until('each is told of', () => taker.fetched.length + taker.refused.length === 3)
  assert.deepEqual(taker.refused, [wanted[1]])
  assert.equal(two.exchange.isAvailable([{ writer, index: 13 }]), false)
  assert.ok(two.exchange.isAvailable([{ writer, index: 14 }]))
  // The others are served as before.
  assert.ok(two.exchange.runs.canServe(run(14, 10)))
  two.exchange.runs.want([run(14, 10)])
  await until('it is here', () => taker.fetched.length === 3)
})

test('S5: a run that is said to come to less than its pieces do is refused unread, and nothing is withdrawn', async () => {
  let readBytes = 0
  const source = net.node({
    holds: range(30),
    source: {
      lengthOf: () => undefined,
      read: async (requests, maxBytes = Number.POSITIVE_INFINITY) => {
        const bytes = requests.length * PIECE_BYTES
        if (bytes > maxBytes) throw new TooManyBytes(bytes, maxBytes)
        readBytes += bytes
        return requests.map(({ index }) => makePiece(index))
      },
    },
  })
  const two = net.node()
  const taker = new Taker(two)
  await net.connect(two, source)
  await untilServed(two, run(0, 10))
  const wanted = { ...run(0, 10), bytes: 100 }
  two.exchange.runs.want([wanted])
  await until('it is told of', () => taker.fetched.length + taker.refused.length === 1)
  assert.deepEqual(taker.refused, [wanted])
  assert.equal(readBytes, 0)
  assert.ok(two.exchange.isAvailable([{ writer, index: 0 }]))
})

test('S4: under a limit runs are refused, and for a while not asked for any more', async () => {
  const limit = new Gate(new Pacer(0))
  const source = net.node({ holds: range(30), uploadLimit: limit })
  const two = net.node()
  const taker = new Taker(two)
  await net.connect(two, source)
  await untilServed(two, run(0, 10))
  limit.pacer.bytesPerSecond = 1e6
  const [first, second] = runs(2)
  two.exchange.runs.want([first!])
  await until('it is refused', () => taker.refused.length === 1)
  assert.equal(two.exchange.runs.canServe(second!), false)
  two.exchange.want(range(10).map((index) => wantedPiece(index)))
  await two.whenGot(10)
})

test('X4: nobody is asked for runs under a limit of our own', async () => {
  const source = net.node({ holds: range(30) })
  const two = net.node({ downloadLimit: new Gate(new Pacer(1e6)) })
  await net.connect(two, source)
  await until('it serves', () => two.exchange.isAvailable([{ writer, index: 0 }]))
  assert.equal(two.exchange.runs.canServe(run(0, 10)), false)
  assert.equal(two.exchange.runs.longestBytes, 0)
})

test('R3: what a peer that vanishes was asked for comes from another', async () => {
  const never = new Promise<null>(() => {})
  const vanishing = net.node({ holds: range(100), serve: () => never })
  const two = net.node()
  const taker = new Taker(two)
  const [, end] = await net.connect(two, vanishing)
  await untilServed(two, run(0, 10))
  two.exchange.runs.want(runs(10))
  await until('all is asked of the first', () => vanishing.reads.flat().length === 100)
  const steady = net.node({ holds: range(100) })
  await net.connect(two, steady)
  end.close('gone')
  await until('all are here', () => taker.fetched.length === 10)
  assert.deepEqual(taker.refused, [])
  assert.equal(two.exchange.stats().inFlightBytes, 0)
})

test('R3 and G3: what a stalled peer was asked for moves on, and what it says later is no violation', async () => {
  let nowMs = 0
  const { held, serve } = holding()
  const two = net.node({ nowMs: () => nowMs, ticking: false, stallMs: 10_000 })
  const taker = new Taker(two)
  const stalling = net.node({ holds: range(100), serve })
  await net.connect(two, stalling)
  await untilServed(two, run(0, 10))
  two.exchange.runs.want(runs(10))
  await until('all is asked of the first', () => held.length === 100)
  nowMs = 10_000
  two.exchange.tick()
  assert.equal(two.exchange.stats().perPeer[0]!.stalled, true)
  assert.equal(two.exchange.stats().inFlightBytes, 0)
  const other = net.node({ holds: range(100) })
  await net.connect(two, other)
  await until('all are here', () => taker.fetched.length === 10)
  for (const release of held) release()
  // Once it is due to be tried again, it is asked for one run, and delivers from then on.
  two.exchange.runs.want([run(5, 10)])
  await until('it is here', () => taker.fetched.length === 11)
  assert.equal(two.exchange.stats().violations, 0)
})

/** A client whose source has a run's answer on the way when the client takes it for stalled, and then asks for `next`. */
async function crossing(
  next: WantedRun,
): Promise<{ two: Node; source: Node; taker: Taker; held: (() => void)[] }> {
  let nowMs = 0
  const { held, serve } = holding()
  const two = net.node({ nowMs: () => nowMs, ticking: false, stallMs: 10_000 })
  const taker = new Taker(two)
  const source = net.node({ holds: range(100), serve })
  await net.connect(two, source)
  await untilServed(two, run(0, 10))
  two.exchange.runs.want([run(0, 10)])
  await until('it is asked for', () => held.length === 10)
  for (const release of held.splice(0)) release()
  // Before what was released can be on its way.
  nowMs = 10_000
  two.exchange.tick()
  assert.equal(two.exchange.runs.takeUnserved().length, 1)
  two.exchange.runs.want([next])
  nowMs = 40_000
  two.exchange.tick()
  return { two, source, taker, held }
}

test('R3: a late answer to a run that was cancelled is not taken for that to a shorter one from there', async () => {
  const { two, taker, held } = await crossing(run(0, 5))
  await until('the shorter one is read', () => held.length === 5)
  for (const release of held) release()
  await until('it is here', () => taker.fetched.length === 1)
  assert.equal(taker.fetched[0]!.run.count, 5)
  const { violations, inFlightBytes } = two.exchange.stats()
  assert.deepEqual([violations, inFlightBytes], [0, 0])
})

test('R3: what a late answer is taken for does not stand at the peer any more', async () => {
  const { two, source, taker, held } = await crossing(run(0, 10))
  await until('the late answer is here', () => taker.fetched.length === 1)
  two.exchange.runs.want([run(0, 10), run(50, 10)])
  const { exchange, reads } = source
  await until('it has come to be asked for', () =>
    exchange.stats().violations > 0 ? true : reads.flat().some(({ index }) => index === 50),
  )
  for (const release of held) release()
  await until('it is here', () => taker.fetched.length === 3)
  assert.deepEqual([two.exchange.stats().violations, exchange.stats().violations], [0, 0])
})

test('R4: leechers of one source exchange runs among themselves', async () => {
  const source = net.node({ holds: range(2000) })
  const leechers = [net.node(), net.node()]
  const takers = leechers.map((node) => new Taker(node))
  for (const node of leechers)
    node.exchange.on('runs', (fetched) => {
      for (const each of fetched) node.exchange.have(writer, range(each.run.count, each.run.first))
    })
  await net.connect(leechers[0]!, leechers[1]!)
  for (const node of leechers) await net.connect(source, node)
  for (const node of leechers) await untilServed(node, run(0, 10))
  for (const node of leechers) node.exchange.runs.want(runs(200))
  await until('both have all', () => takers.every((taker) => taker.fetched.length === 200))
  assert.ok(source.exchange.stats().uploadedPieces < 4000, 'some came from the other leecher')
})

test('runs: what is closed in the middle gives back all that it was lent', async () => {
  const leased = new Set<readonly (Buffer | null)[]>()
  const source = net.node({
    holds: range(1000),
    source: {
      lengthOf: () => undefined,
      read: async (requests) => {
        const answers = requests.map(({ index }) => makePiece(index))
        leased.add(answers)
        return answers
      },
      release: (answers) => assert.ok(leased.delete(answers), 'released once'),
    },
  })
  const two = net.node()
  const taker = new Taker(two)
  const [end] = await net.connect(two, source)
  await untilServed(two, run(0, 10))
  two.exchange.runs.want(runs(100))
  await until('some are here', () => taker.fetched.length > 0)
  end.close('gone')
  await until('nothing is lent any more', () => leased.size === 0)
})
