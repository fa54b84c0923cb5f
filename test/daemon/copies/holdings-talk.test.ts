// Asking members what they hold, over real connections: what is answered, what counts as no answer, and who is cut off.
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type { DeviceId, WriterId } from '../../../src/core/ids.js'
import type { Standing } from '../../../src/core/inquiry.js'
import { HoldingsTalk, type HoldingsTalkOptions } from '../../../src/daemon/copies/holdings-talk.js'
import { silentLog } from '../../../src/ports/log.js'
import { connect, type TestPeer, testDevice, testKeyPair } from '../../support/streams.js'
import { until } from '../../support/until.js'

const W = '0102030405060708' as WriterId
const V = '0807060504030201' as WriterId
const LONG_MS = 20_000

class Side {
  have = Buffer.of(0xf0)
  pieceCount = 8
  standing: Standing = 'at-rest'
  settle: () => Promise<void> = async () => {}
  readonly learnt: [DeviceId, ReadonlyMap<WriterId, Uint8Array>][] = []
  peersChanged = 0
  readonly talk: HoldingsTalk

  constructor(changes: Partial<HoldingsTalkOptions> = {}) {
    this.talk = new HoldingsTalk({
      authKey: Buffer.alloc(32, 7),
      exchange: {
        own: () => [{ writer: W, pieceCount: this.pieceCount, have: this.have }],
        learn: (device, holdings) => this.learnt.push([device, holdings]),
      },
      settle: () => this.settle(),
      standing: () => this.standing,
      view: () => [[W, 12]],
      isOffsite: () => true,
      onPeers: () => this.peersChanged++,
      log: silentLog,
      ...changes,
    })
  }
}

const ends: TestPeer[] = []
afterEach(async () => {
  for (const end of ends) end.close('test over')
  await Promise.all(ends.splice(0).map((end) => end.whenClosed()))
})

/** Devices 1 and 2, connected; the second end is attached only if there is a side for it. */
async function joined(one: Side, two: Side | undefined): Promise<[TestPeer, TestPeer]> {
  const [first, second] = await connect(testKeyPair(1), testKeyPair(2))
  ends.push(first, second)
  one.talk.attach(first)
  two?.talk.attach(second)
  return [first, second]
}

test('a member says all that it holds, and what it is; it can ask as well', async () => {
  const [one, two] = [new Side(), new Side({ isOffsite: () => false })]
  two.have = Buffer.of(0x0f)
  await joined(one, two)
  const [byOne, byTwo] = await Promise.all([
    one.talk.ask({ looksFirst: false, timeoutMs: LONG_MS }),
    two.talk.ask({ looksFirst: false, timeoutMs: LONG_MS }),
  ])
  const { standing, isOffsite, view, feeds } = byOne.get(testDevice(2))!
  assert.deepEqual([standing, isOffsite, view], ['at-rest', false, [[W, 12]]])
  assert.deepEqual([...feeds], [[W, Buffer.of(0x0f)]])
  assert.equal(byTwo.get(testDevice(1))!.isOffsite, true)
  assert.deepEqual(one.learnt, [[testDevice(2), feeds]])
  assert.equal(one.talk.last(testDevice(2)), byOne.get(testDevice(2)))
  assert.equal(one.talk.last(testDevice(9)), undefined)
})

test('feeds that are not known here, and pieces beyond what is known of one, are left out (F7)', async () => {
  const [one, two] = [new Side(), new Side()]
  two.talk.stop()
  const other = new Side({
    exchange: {
      own: () => [
        { writer: V, pieceCount: 8, have: Buffer.of(0xff) },
        { writer: W, pieceCount: 800, have: Buffer.alloc(100, 0xff) },
      ],
      learn: () => {},
    },
  })
  await joined(one, other)
  const answers = await one.talk.ask({ looksFirst: false, timeoutMs: LONG_MS })
  assert.deepEqual([...answers.get(testDevice(2))!.feeds], [[W, Buffer.of(0xff)]])
})

test('asked to look first, a member answers what it holds after that, and only then', async () => {
  const [one, two] = [new Side(), new Side()]
  two.settle = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    two.have = Buffer.of(0x80)
  }
  await joined(one, two)
  const quick = await one.talk.ask({ looksFirst: false, timeoutMs: LONG_MS })
  assert.deepEqual(quick.get(testDevice(2))!.feeds.get(W), Buffer.of(0xf0))
  const looked = await one.talk.ask({ looksFirst: true, timeoutMs: LONG_MS })
  assert.deepEqual(looked.get(testDevice(2))!.feeds.get(W), Buffer.of(0x80))
})

test('questions to one member wait for each other, and each is answered anew', async () => {
  const [one, two] = [new Side(), new Side()]
  let looks = 0
  two.settle = async () => {
    two.have = Buffer.of(++looks)
  }
  await joined(one, two)
  const ask = () => one.talk.ask({ looksFirst: true, timeoutMs: LONG_MS })
  const answers = await Promise.all([ask(), ask(), ask()])
  assert.deepEqual(
    answers.map((each) => each.get(testDevice(2))!.feeds.get(W)![0]),
    [1, 2, 3],
  )
})

test('who cannot look, is halted, is of an earlier version, is slow or leaves', async () => {
  const [one, two] = [new Side(), new Side()]
  two.settle = () => Promise.reject(new Error('no such disk'))
  const [end] = await joined(one, two)
  const ask = (timeoutMs: number) => one.talk.ask({ looksFirst: true, timeoutMs })
  assert.equal((await ask(50)).size, 0)
  two.standing = 'halted'
  assert.equal((await ask(LONG_MS)).get(testDevice(2))!.standing, 'halted')
  // An answer that comes too late is an answer to nobody.
  const held: (() => void)[] = []
  two.standing = 'at-rest'
  two.settle = () => new Promise((resolve) => held.push(resolve))
  assert.equal((await ask(20)).size, 0)
  const next = ask(LONG_MS)
  await until('it is asked again', () => held.length === 2)
  two.have = Buffer.of(0x01)
  held[0]!()
  await new Promise((resolve) => setImmediate(resolve))
  two.have = Buffer.of(0x02)
  held[1]!()
  assert.deepEqual((await next).get(testDevice(2))!.feeds.get(W), Buffer.of(0x02))
  const left = ask(LONG_MS)
  end.close('gone')
  assert.equal((await left).size, 0)
  assert.equal(one.talk.last(testDevice(2)), undefined)
  assert.equal(one.peersChanged, 2)

  await joined(one, undefined)
  assert.equal((await ask(LONG_MS)).size, 0)
})

test('whoever is not in the share, or says what nobody may, hears and says nothing', async () => {
  const [one, stranger] = [new Side(), new Side({ authKey: Buffer.alloc(32, 8) })]
  await joined(one, stranger)
  assert.equal((await stranger.talk.ask({ looksFirst: false, timeoutMs: 50 })).size, 0)

  const [hostile, victim] = [new Side(), new Side()]
  hostile.have = Buffer.alloc(9)
  const [, end] = await joined(hostile, victim)
  const asked = victim.talk.ask({ looksFirst: false, timeoutMs: LONG_MS })
  assert.equal(await end.whenClosed(), 'bad holdings: bitfield that cannot be inflated')
  assert.equal((await asked).size, 0)
})
