import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { ENDGAME_AFTER_MS } from '../../src/core/picker.js'
import { Gate, Pacer } from '../../src/exchange/pacer.js'
import { type TestPeer, testDevice } from '../support/streams.js'
import { until } from '../support/until.js'
import { makePiece, Net, range, wantedPiece, writer } from './support.js'

let net: Net
beforeEach(() => {
  net = new Net()
})
afterEach(async () => net.end())

function wantRange(count: number, bytes?: number): ReturnType<typeof wantedPiece>[] {
  return range(count).map((index) => wantedPiece(index, bytes))
}

test('X2: two peers exchange in both directions at once', async () => {
  const one = net.node({ holds: range(300) })
  const two = net.node({ holds: range(300, 300) })
  one.exchange.want(range(300, 300).map((index) => wantedPiece(index)))
  two.exchange.want(wantRange(300))
  await net.connect(one, two)
  await Promise.all([one.whenGot(300), two.whenGot(300)])
  assert.equal(one.exchange.stats().uploadedBytes, 300_000)
  assert.equal(one.exchange.stats().downloadedBytes, 300_000)
  assert.equal(one.exchange.stats().uploadedPieces, 300)
  assert.equal(one.exchange.stats().downloadedPieces, 300)
  assert.equal(one.exchange.stats().wanted, 0)
  assert.equal(one.exchange.stats().inFlightBytes, 0)
  assert.equal(one.exchange.stats().violations + two.exchange.stats().violations, 0)
})

test('a piece of many blocks is counted once', async () => {
  const bytes = 1_000_000
  const one = net.node({ holds: range(3), pieceBytes: bytes })
  const two = net.node()
  await net.connect(one, two)
  two.exchange.want(wantRange(3, bytes))
  await two.whenGot(3)
  assert.equal(one.exchange.stats().uploadedPieces, 3)
  assert.equal(two.exchange.stats().downloadedPieces, 3)
})

test('serving reads many pieces at once', async () => {
  const one = net.node({ holds: range(500) })
  const two = net.node()
  await net.connect(one, two)
  two.exchange.want(wantRange(500))
  await two.whenGot(500)
  assert.ok(one.reads.length <= 50, `${one.reads.length} reads for 500 pieces`)
})

test('X3: three peers in parallel, all of them used', async () => {
  const bytes = 20_000
  // One that could send all of it in no time would be asked for all of it.
  const uplink = (): Gate => new Gate(new Pacer(20e6))
  const sources = [
    net.node({ holds: range(600), pieceBytes: bytes, uploadLimit: uplink() }),
    net.node({ holds: range(600), pieceBytes: bytes, uploadLimit: uplink() }),
  ]
  const two = net.node()
  for (const source of sources) await net.connect(two, source)
  await until(
    'both serve',
    () => two.exchange.stats().perPeer.length === 2 && two.exchange.isAvailable([{ writer, index: 0 }]),
  )
  two.exchange.want(wantRange(600, bytes))
  await two.whenGot(600)
  for (const source of sources) assert.ok(source.exchange.stats().uploadedBytes > 100 * bytes)
  assert.equal(two.exchange.stats().downloadedBytes, 600 * bytes)
})

test('X3: leechers of one source exchange among themselves', async () => {
  const bytes = 10_000
  const source = net.node({ holds: range(800), pieceBytes: bytes, uploadLimit: new Gate(new Pacer(40e6)) })
  const one = net.node({ pieceBytes: bytes })
  const two = net.node({ pieceBytes: bytes })
  one.exchange.want(wantRange(800, bytes))
  two.exchange.want(wantRange(800, bytes))
  await net.connect(one, two)
  await net.connect(source, one)
  await net.connect(source, two)
  await Promise.all([one.whenGot(800), two.whenGot(800)])
  assert.ok(
    source.exchange.stats().uploadedBytes < 1.9 * 800 * bytes,
    'some pieces came from the other leecher',
  )
})

test('a peer that vanishes midway: the rest comes from another', async () => {
  const bytes = 50_000
  const vanishing = net.node({ holds: range(200), pieceBytes: bytes, uploadLimit: new Gate(new Pacer(2e6)) })
  const two = net.node()
  const [, end] = await net.connect(two, vanishing)
  two.exchange.want(wantRange(200, bytes))
  await two.whenGot(5)
  const steady = net.node({ holds: range(200), pieceBytes: bytes })
  await net.connect(two, steady)
  end.close('gone')
  await two.whenGot(200)
  assert.equal(two.exchange.stats().perPeer.length, 1)
})

test('X5: a peer moves to another connection midway: what was asked of it is asked there, and the old one still stands', async () => {
  const bytes = 50_000
  const source = net.node({ holds: range(200), pieceBytes: bytes, uploadLimit: new Gate(new Pacer(20e6)) })
  const two = net.node()
  const [atTwo, atSource] = await net.connect(two, source)
  two.exchange.want(wantRange(200, bytes))
  await two.whenGot(5)
  // As the swarm does it: each end is told at a moment of its own, and the connection ends only later.
  atTwo.emit('close', 'moved')
  await net.connect(two, source)
  atSource.emit('close', 'moved')
  await two.whenGot(200)
  const { perPeer, violations, wrongPieces } = two.exchange.stats()
  assert.deepEqual([perPeer.length, violations, wrongPieces], [1, 0, 0])
  assert.equal(two.fetched.length, 200, 'nothing came twice')
  assert.deepEqual([atTwo.closed, atSource.closed], [false, false])
  assert.equal(source.exchange.stats().violations, 0)
})

test('G3: what a stalled peer was asked for moves on, and the peer is asked for nothing more', async () => {
  let nowMs = 0
  const never = new Promise<null>(() => {})
  const two = net.node({ nowMs: () => nowMs, ticking: false, stallMs: 10_000 })
  const stalling = net.node({ holds: range(10), serve: () => never })
  await net.connect(two, stalling)
  two.exchange.want(wantRange(10))
  await until('all is asked of the first', () => stalling.reads.flat().length === 10)
  const other = net.node({ holds: range(20) })
  await net.connect(two, other)
  await until('the second serves', () => two.exchange.isAvailable([{ writer, index: 15 }]))
  nowMs = 400
  two.exchange.tick()
  assert.equal(other.reads.length, 0, 'not yet')
  nowMs = 10_000
  two.exchange.tick()
  await two.whenGot(10)
  const stats = two.exchange.stats().perPeer.find(({ device }) => device === testDevice(stalling.number))
  assert.equal(stats?.stalled, true)
  assert.equal(two.exchange.stats().violations, 0)
})

test('G3: a stalled peer that delivers again is used again', async () => {
  let nowMs = 0
  let release = (): void => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const two = net.node({ nowMs: () => nowMs, ticking: false })
  const slow = net.node({ holds: range(20), serve: ({ index }) => gate.then(() => makePiece(index)) })
  await net.connect(two, slow)
  two.exchange.want(wantRange(10))
  await until('all is asked', () => slow.reads.flat().length === 10)
  nowMs = 20_000
  two.exchange.tick()
  assert.equal(two.exchange.stats().inFlight, 0)
  two.exchange.want(range(10, 10).map((index) => wantedPiece(index)))
  release()
  await two.whenGot(20)
  assert.equal(two.exchange.stats().perPeer[0]?.stalled, false)
})

test('G6: a stalled peer whose pieces others delivered is used again', async () => {
  let nowMs = 0
  const never = new Promise<null>(() => {})
  const two = net.node({ nowMs: () => nowMs, ticking: false })
  const stalling = net.node({
    holds: range(20),
    serve: ({ index }) => (index < 10 ? never : makePiece(index)),
  })
  await net.connect(two, stalling)
  two.exchange.want(wantRange(10))
  await until('all is asked of the first', () => stalling.reads.flat().length === 10)
  const other = net.node({ holds: range(10) })
  await net.connect(two, other)
  await until('the second serves', () => two.exchange.stats().perPeer.length === 2)
  nowMs = 10_000
  two.exchange.tick()
  await two.whenGot(10)
  two.exchange.want(range(10, 10).map((index) => wantedPiece(index)))
  nowMs = 40_000
  two.exchange.tick()
  await until('it has delivered', () => two.got.size === 20)
  assert.equal(two.exchange.stats().violations, 0)
})

test('I4: endgame: what is late is asked of another peer too, and cancelled where it comes second', async () => {
  let nowMs = 0
  const two = net.node({ nowMs: () => nowMs, ticking: false })
  let release = (): void => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const slow = net.node({
    holds: [...range(5), 7, 8],
    serve: ({ index }) => (index === 7 ? makePiece(7) : gate.then(() => makePiece(index))),
  })
  const fast = net.node({ holds: range(6) })
  await net.connect(two, slow)
  two.exchange.want(wantRange(5))
  await until('all is asked of the slow one', () => slow.reads.flat().length === 5)
  await net.connect(two, fast)
  await until('the fast one serves', () => two.exchange.isAvailable([{ writer, index: 5 }]))
  nowMs = ENDGAME_AFTER_MS
  two.exchange.tick()
  await two.whenGot(5)
  assert.ok(two.fetched.every(({ from }) => from === testDevice(fast.number)))
  // Asked for on the same connection, so answered after the cancels have arrived.
  two.exchange.want([wantedPiece(7)])
  await two.whenGot(6)
  release()
  two.exchange.want([wantedPiece(8)])
  await two.whenGot(7)
  assert.equal(two.fetched.length, 7, 'nothing is delivered twice')
  assert.equal(slow.exchange.stats().uploadedBytes, 2000, 'the rest was cancelled in time')
})

test('P1: a liar is dropped, its piece comes from another peer, and on a repeat it is banned', async () => {
  const liar = net.node({ holds: range(3), serve: () => Buffer.alloc(1000, 0xee) })
  const two = net.node()
  const [end] = await net.connect(two, liar)
  two.exchange.want([wantedPiece(1)])
  await end.whenClosed()
  assert.equal(end.bans.length, 0)
  assert.equal(two.exchange.stats().perPeer.length, 0)
  const [again] = await net.connect(two, liar)
  two.exchange.want([wantedPiece(2)])
  await again.whenClosed()
  assert.deepEqual(again.bans, [{ reason: 'sent a wrong piece', forMs: 600_000 }])
  assert.equal(two.exchange.stats().wrongPieces, 2)
  const honest = net.node({ holds: range(3) })
  await net.connect(two, honest)
  await two.whenGot(2)
})

test('P1: a peer whose disk has rotten in one place is asked for all the rest, never for that piece', async () => {
  const rotten = net.node({
    holds: range(50),
    serve: ({ index }) => (index === 7 ? Buffer.alloc(1000) : makePiece(index)),
  })
  const two = net.node()
  const [end] = await net.connect(two, rotten)
  two.exchange.want([wantedPiece(7)])
  await end.whenClosed()
  const [again] = await net.connect(two, rotten)
  two.exchange.want(wantRange(50))
  await two.whenGot(49)
  assert.equal(two.exchange.isAvailable([{ writer, index: 7 }]), false)
  assert.equal(two.exchange.stats().wanted, 1)
  assert.equal(again.closed, false)
})

test('P2: what the source cannot serve is rejected, withdrawn, and had from another', async () => {
  const broken = net.node({ holds: range(10), serve: ({ index }) => (index < 5 ? null : makePiece(index)) })
  const two = net.node()
  await net.connect(two, broken)
  two.exchange.want(wantRange(10))
  await two.whenGot(5)
  await until('it is withdrawn', () => !two.exchange.isAvailable([{ writer, index: 0 }]))
  assert.equal(two.exchange.isAvailable([{ writer, index: 7 }]), true)
  assert.equal(two.exchange.stats().wanted, 5)
  assert.equal(broken.reads.flat().length, 10, 'not asked again')
  const other = net.node({ holds: range(10) })
  await net.connect(two, other)
  await two.whenGot(10)
})

test('P2: what was rejected and withdrawn is not believed to be held again after a while', async () => {
  let nowMs = 0
  const broken = net.node({ holds: [0, 1], serve: ({ index }) => (index === 0 ? null : makePiece(index)) })
  const two = net.node({ nowMs: () => nowMs, ticking: false })
  await net.connect(two, broken)
  two.exchange.want([wantedPiece(0)])
  const refs = [{ writer, index: 0 }]
  await until('it is withdrawn', () => broken.reads.length === 1 && !two.exchange.isAvailable(refs))
  // Answered after the withdrawal.
  two.exchange.want([wantedPiece(1)])
  await two.whenGot(1)
  nowMs = 60_000
  two.exchange.tick()
  assert.equal(two.exchange.isAvailable(refs), false)
})

test('P2: a source that throws rejects, and have() offers the piece again', async () => {
  let broken = true
  const one = net.node({
    holds: [0],
    serve: ({ index }) => {
      if (broken) throw new Error('worker died')
      return makePiece(index)
    },
  })
  const two = net.node()
  await net.connect(two, one)
  two.exchange.want([wantedPiece(0)])
  await until(
    'it is withdrawn',
    () => one.reads.length === 1 && !two.exchange.isAvailable([{ writer, index: 0 }]),
  )
  broken = false
  one.exchange.have(writer, [0])
  await two.whenGot(1)
})

test('BEP 54: lost() withdraws before anybody asks, have() gives back', async () => {
  const one = net.node({ holds: [0, 1] })
  const two = net.node()
  await net.connect(two, one)
  await until('both are offered', () => two.exchange.isAvailable([{ writer, index: 1 }]))
  one.exchange.lost(writer, [1])
  await until('it is withdrawn', () => !two.exchange.isAvailable([{ writer, index: 1 }]))
  two.exchange.want([wantedPiece(0), wantedPiece(1)])
  await two.whenGot(1)
  one.exchange.have(writer, [1])
  await two.whenGot(2)
})

test('BEP 54: who loses a piece learns that a peer has come to hold it meanwhile', async () => {
  const one = net.node()
  const two = net.node({ holds: [0] })
  await net.connect(one, two)
  const refs = [{ writer, index: 0 }]
  await until('two is known to hold it', () => one.exchange.isAvailable(refs))
  one.exchange.have(writer, [0])
  assert.equal(two.exchange.isAvailable(refs), false, 'what a peer holds already is not told')
  two.exchange.lost(writer, [0])
  two.exchange.want([wantedPiece(0)])
  await two.whenGot(1)
})

test('a feed that grows while connected, and availability is announced', async () => {
  const one = net.node({ holds: [0], pieceCount: 1 })
  const two = net.node({ pieceCount: 1 })
  await net.connect(two, one)
  two.exchange.want(wantRange(3000))
  await two.whenGot(1)
  const announced = new Promise<void>((resolve) => two.exchange.once('availability', resolve))
  one.exchange.grow(writer, 3000)
  two.exchange.grow(writer, 3000)
  one.exchange.have(writer, range(2999, 1))
  await announced
  await two.whenGot(3000)
})

test('X2: a feed that either side adds later', async () => {
  for (const late of ['asker', 'holder', 'both'] as const) {
    const one = net.node({ holds: range(5), withoutFeed: late !== 'asker' })
    const two = net.node({ withoutFeed: late !== 'holder' })
    await net.connect(two, one)
    two.exchange.want(wantRange(5))
    if (late !== 'asker') one.addFeed()
    if (late !== 'holder') two.addFeed()
    await two.whenGot(5)
  }
})

test('a 5 MiB piece in blocks, read once, next to small ones', async () => {
  const big = 5 * 1024 * 1024 + 17
  const one = net.node({ holds: range(30), serve: ({ index }) => makePiece(index, index === 3 ? big : 700) })
  const two = net.node()
  await net.connect(two, one)
  two.exchange.want(range(30).map((index) => wantedPiece(index, index === 3 ? big : 700)))
  await two.whenGot(30)
  assert.equal(one.reads.flat().filter(({ index }) => index === 3).length, 1)
})

test('G2: pieces being fetched stay within the budget, even one larger than all of it', async () => {
  const bytes = 100_000
  const two = net.node({ maxInFlightBytes: 50_000 })
  const one = net.node({ holds: range(40), pieceBytes: bytes })
  let most = 0
  two.exchange.on('pieces', () => {
    most = Math.max(most, two.exchange.stats().inFlightBytes)
  })
  await net.connect(two, one)
  two.exchange.want(wantRange(40, bytes))
  await two.whenGot(40)
  assert.ok(most <= 1024 * 1024, `${most} bytes in flight`)
})

test('X3: fresh small pieces overtake bulk', async () => {
  const one = net.node({ holds: range(2000), pieceBytes: 10_000 })
  const two = net.node()
  await net.connect(two, one)
  two.exchange.want(range(1990).map((index) => wantedPiece(index, 10_000)))
  await two.whenGot(1)
  two.exchange.want(range(10, 1990).map((index) => wantedPiece(index, 10_000, 0)))
  await two.whenGot(2000)
  const fresh = new Set(range(10, 1990).map((index) => wantedPiece(index, 10_000).id.toString('hex')))
  const last = two.fetched.findLastIndex(({ id }) => fresh.has(id.toString('hex')))
  assert.ok(last < 1500, `the last fresh one came as number ${last}`)
})

test('unwant: what is not needed is not fetched', async () => {
  let release = (): void => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const one = net.node({
    holds: range(11),
    serve: ({ index }) => (index === 10 ? makePiece(10) : gate.then(() => makePiece(index))),
  })
  const two = net.node()
  await net.connect(two, one)
  two.exchange.want(wantRange(10))
  await until('all is asked', () => one.reads.flat().length === 10)
  two.exchange.unwant(range(5).map((index) => wantedPiece(index)))
  assert.equal(two.exchange.stats().wanted, 5)
  // Asked for on the same connection, so answered after the cancels have arrived.
  two.exchange.want([wantedPiece(10)])
  await two.whenGot(1)
  release()
  await two.whenGot(6)
  assert.equal(one.exchange.stats().uploadedBytes, 6000)
})

test('pause: nothing more is asked for until resume', async () => {
  const one = net.node({ holds: range(10) })
  const two = net.node()
  two.exchange.pause()
  two.exchange.want(wantRange(10))
  await net.connect(two, one)
  await until('it is available', () => two.exchange.isAvailable([{ writer, index: 0 }]))
  two.exchange.tick()
  assert.equal(two.exchange.stats().inFlight, 0)
  two.exchange.resume()
  await two.whenGot(10)
})

test('upload slots: who waits is served when a slot is free', async () => {
  const one = net.node({ holds: [0], uploadSlots: 1 })
  const first = net.node()
  const second = net.node()
  const [end] = await net.connect(first, one)
  await until('the first is served', () => first.exchange.isAvailable([{ writer, index: 0 }]))
  await net.connect(second, one)
  second.exchange.want([wantedPiece(0)])
  first.exchange.want([wantedPiece(0)])
  await first.whenGot(1)
  assert.equal(second.exchange.isAvailable([{ writer, index: 0 }]), false)
  end.close('done')
  await second.whenGot(1)
})

test('X4: rate limits hold, and exempt peers are not held up', async () => {
  const limit = new Gate(new Pacer(1e6))
  const one = net.node({ holds: range(40), pieceBytes: 10_000, uploadLimit: limit })
  const two = net.node()
  await net.connect(two, one)
  const start = performance.now()
  two.exchange.want(wantRange(40, 10_000))
  await two.whenGot(40)
  assert.ok(performance.now() - start > 250, 'faster than the limit')
  const free = net.node({
    holds: range(40),
    pieceBytes: 10_000,
    uploadLimit: new Gate(new Pacer(1)),
    exempt: () => true,
  })
  const three = net.node({ downloadLimit: new Gate(new Pacer(4e6)) })
  await net.connect(three, free)
  three.exchange.want(wantRange(40, 10_000))
  await three.whenGot(40)
})

test('close: leaves the connection open and speaks no more', async () => {
  const one = net.node({ holds: [0] })
  const two = net.node()
  const [end] = await net.connect(two, one)
  await until('it is available', () => two.exchange.isAvailable([{ writer, index: 0 }]))
  one.exchange.close()
  await until('it is gone', () => !two.exchange.isAvailable([{ writer, index: 0 }]))
  assert.equal(end.closed, false)
  two.exchange.want([wantedPiece(0)])
  assert.equal(two.exchange.stats().inFlight, 0)
})

test('X3: five nodes with random parts, refusals and broken connections all end with everything', async () => {
  const count = 400
  let random = 12345
  const chance = (percent: number): boolean => {
    random = (Math.imul(random, 1103515245) + 12345) >>> 0
    return (random >>> 16) % 100 < percent
  }
  const nodes = range(5).map((number) => {
    const holds = range(count).filter((index) => index % 5 === number || chance(20))
    return net.node({ holds, serve: ({ index }) => makePiece(index, index % 40 === 0 ? 300_000 : 1000) })
  })
  const ends: TestPeer[] = []
  const meet = async (): Promise<void> => {
    for (const one of range(5))
      for (const other of range(5))
        if (one < other) ends.push((await net.connect(nodes[one]!, nodes[other]!))[0])
  }
  await meet()
  for (const node of nodes)
    node.exchange.want(range(count).map((index) => wantedPiece(index, index % 40 === 0 ? 300_000 : 1000)))
  await nodes[0]!.whenGot(20)
  for (const end of ends.splice(0)) if (chance(60)) end.close('broken')
  for (const index of range(count)) if (chance(10)) nodes[index % 5]!.exchange.lost(writer, [index])
  await nodes[1]!.whenGot(40)
  for (const index of range(count)) nodes[index % 5]!.exchange.have(writer, [index])
  await meet()
  await Promise.all(nodes.map((node) => until('all is here', () => node.exchange.stats().wanted === 0)))
  for (const node of nodes) {
    assert.equal(node.exchange.stats().violations, 0)
    assert.equal(node.exchange.stats().wrongPieces, 0)
    assert.equal(node.exchange.stats().inFlightBytes, 0)
  }
})
