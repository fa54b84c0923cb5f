import assert from 'node:assert/strict'
import { test } from 'node:test'
import { availabilityOf, countHoldings } from '../../src/core/holdings.js'
import type { DeviceId } from '../../src/core/ids.js'
import { testDevice } from '../support/streams.js'
import { until } from '../support/until.js'
import { Net, range, wantedPiece, writer } from './support.js'

const NOBODY: ReadonlySet<DeviceId> = new Set()

test('both sides know what moves, and how much a peer holds that was given all of it', async () => {
  const net = new Net()
  const [seed, leecher] = [net.node({ holds: range(100), pieceCount: 100 }), net.node({ pieceCount: 100 })]
  await net.connect(seed, leecher)
  leecher.exchange.want(range(100).map((index) => wantedPiece(index)))
  await leecher.whenGot(100)
  const [down] = leecher.exchange.stats().perPeer
  const [up] = seed.exchange.stats().perPeer
  assert.ok(down!.downRate > 0 && down!.upRate === 0, JSON.stringify(down))
  assert.ok(up!.upRate > 0 && up!.downRate === 0, JSON.stringify(up))
  assert.deepEqual([down!.choked, up!.choked], [false, false])
  // The leecher does not tell what the seed holds as well: the seed knows what it has sent.
  const bySeed = countHoldings(seed.exchange.holdings(NOBODY))
  assert.deepEqual([bySeed.pieces, bySeed.held, bySeed.peers.get(testDevice(2))], [100, 100, 100])
  const byLeecher = availabilityOf(leecher.exchange.holdings(NOBODY), 10)
  assert.deepEqual([byLeecher.held, byLeecher.rarestCopies, byLeecher.rarestPieces], [100, 2, 100])
  // Withdrawn: it is not believed to hold it any more.
  leecher.exchange.lost(writer, [7])
  const copies = (): number => countHoldings(seed.exchange.holdings(NOBODY)).peers.get(testDevice(2))!
  await until('the loss is known', () => copies() === 99)
  await net.end()
})

test('who is in sync holds all that we hold, and what is wanted counts though nobody has it', async () => {
  const net = new Net()
  const [one, other] = [net.node({ holds: range(5) }), net.node()]
  await net.connect(one, other)
  one.exchange.want([wantedPiece(9)])
  const counts = countHoldings(one.exchange.holdings(new Set([testDevice(2)])))
  assert.deepEqual([counts.pieces, counts.held, counts.peers.get(testDevice(2))], [6, 5, 5])
  assert.equal(countHoldings(one.exchange.holdings(NOBODY)).peers.get(testDevice(2)), 0)
  const { rarestCopies, rarestPieces } = availabilityOf(one.exchange.holdings(NOBODY), 10)
  assert.deepEqual([rarestCopies, rarestPieces], [0, 1])
  await net.end()
})

test('what a peer says when it is asked for all counts, until it is withdrawn', async () => {
  const net = new Net()
  const [one, other] = [net.node({ holds: range(5) }), net.node({ holds: [4] })]
  await net.connect(one, other)
  const held = (): number | undefined => countHoldings(one.exchange.holdings(NOBODY)).peers.get(testDevice(2))
  await until('the channel is open', () => held() === 1)
  // From elsewhere: of what we hold, it tells us nothing.
  other.exchange.have(writer, [0, 1, 2, 3])
  assert.equal(held(), 1)
  const [{ have } = assert.fail()] = other.exchange.own()
  one.exchange.learn(testDevice(2), new Map([[writer, have]]))
  assert.equal(held(), 5)
  other.exchange.lost(writer, [2])
  await until('the loss is known', () => held() === 4)
  // Asked again, it says less: nothing is kept of before.
  one.exchange.learn(testDevice(2), new Map([[writer, Uint8Array.of(0x80)]]))
  assert.equal(held(), 2)
  one.exchange.learn(testDevice(2), new Map())
  assert.equal(held(), 1)
  await net.end()
})

test('a peer that waits for a slot is choked', async () => {
  const net = new Net()
  const seed = net.node({ holds: range(5), uploadSlots: 0 })
  const leecher = net.node()
  await net.connect(seed, leecher)
  const choked = (): boolean | undefined => leecher.exchange.stats().perPeer[0]?.choked
  await until('the channel is open', () => choked() === true)
  await net.end()
})
