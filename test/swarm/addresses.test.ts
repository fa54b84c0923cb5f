import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { DeviceId, ShareId } from '../../src/core/ids.js'
import { AddressBook, type DeviceView } from '../../src/swarm/addresses.js'

const OWN = '50'.repeat(32) as DeviceId
const LOWER = '10'.repeat(32) as DeviceId
const HIGHER = '90'.repeat(32) as DeviceId
const ONE = '01'.repeat(32) as ShareId
const TWO = '02'.repeat(32) as ShareId

function view(connected: readonly DeviceId[] = [], banned: readonly DeviceId[] = []): DeviceView {
  return {
    isConnected: (device) => connected.includes(device),
    isReached: (device) => connected.includes(device),
    wantsSmall: () => false,
    isBanned: (device) => banned.includes(device),
  }
}

/** Waits of a target that always fails, in milliseconds. */
function waits(book: AddressBook, rounds: number): number[] {
  const list: number[] = []
  let nowMs = 0
  for (let i = 0; i < rounds; i++) {
    const dueAtMs = book.dueAtMs(view())
    if (dueAtMs === undefined) break
    list.push(dueAtMs - nowMs)
    nowMs = Math.max(nowMs, dueAtMs)
    book.failed(book.take(view(), nowMs)!.key, nowMs)
  }
  return list
}

test('B3: a configured host is tried for ever, the wait doubling from 0.25 s to 30 s', () => {
  const book = new AddressBook(OWN, () => 1)
  book.addKnown(ONE, { host: 'h', port: 1 }, 0)
  const list = waits(book, 200)
  assert.deepEqual(list.slice(0, 9), [0, 250, 500, 1000, 2000, 4000, 8000, 16000, 30000])
  assert.equal(list.at(-1), 30000)
  assert.equal(list.length, 200)
})

test('B3: the jitter takes off at most half', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), (random) => {
      const book = new AddressBook(OWN, () => random)
      book.addKnown(ONE, { host: 'h', port: 1 }, 0)
      const [, first, ...rest] = waits(book, 12)
      assert.ok(first! >= 125 && first! <= 250)
      assert.ok(rest.every((wait) => wait <= 30000))
    }),
  )
})

test('B4: what was told waits longer and is dropped in the end', () => {
  const learnt = new AddressBook(OWN, () => 1)
  learnt.learn(ONE, { device: HIGHER, host: '10.0.0.1', port: 1 }, 0)
  const list = waits(learnt, 100)
  assert.equal(list.length, 20)
  assert.equal(Math.max(...list), 300_000)
  assert.equal(learnt.size, 0)
  const heard = new AddressBook(OWN, () => 1)
  heard.hear(ONE, { host: '10.0.0.1', port: 1 }, 0)
  assert.equal(waits(heard, 100).length, 6)
})

test('B2: connected, banned and dialled devices are not dialled', () => {
  const book = new AddressBook(OWN, () => 1)
  book.learn(ONE, { device: HIGHER, host: '10.0.0.1', port: 1 }, 0)
  book.learn(ONE, { device: HIGHER, host: '10.0.0.2', port: 1 }, 0)
  assert.equal(book.take(view([HIGHER]), 0), undefined)
  assert.equal(book.take(view([], [HIGHER]), 0), undefined)
  assert.equal(book.dueAtMs(view([HIGHER])), undefined)
  const target = book.take(view(), 0)!
  assert.equal(target.device, HIGHER)
  assert.equal(book.take(view(), 0), undefined)
  book.failed(target.key, 0)
  assert.notEqual(book.take(view(), 0)!.key, target.key)
  book.released(target.key)
})

test('B5: the lower device id dials first', () => {
  const book = new AddressBook(OWN, () => 1)
  book.learn(ONE, { device: LOWER, host: '10.0.0.1', port: 1 }, 0)
  assert.equal(book.take(view(), 0), undefined)
  assert.equal(book.dueAtMs(view()), 1000)
  book.learn(ONE, { device: HIGHER, host: '10.0.0.2', port: 1 }, 0)
  assert.equal(book.take(view(), 0)!.device, HIGHER)
})

test('B1: shares take turns at an address, each after the other failed', () => {
  const book = new AddressBook(OWN, () => 1)
  book.addKnown(ONE, { host: 'h', port: 1 }, 0)
  book.addKnown(TWO, { host: 'h', port: 1 }, 0)
  assert.equal(book.size, 1)
  const shares: ShareId[] = []
  for (let nowMs = 0; shares.length < 4; nowMs += 60_000) {
    const target = book.take(view(), nowMs)!
    assert.equal(book.take(view(), nowMs), undefined)
    shares.push(target.share)
    book.failed(target.key, nowMs)
  }
  assert.deepEqual(shares, [ONE, TWO, ONE, TWO])
  book.removeShare(ONE)
  assert.equal(book.take(view(), 1e9)!.share, TWO)
  book.removeShare(TWO)
  assert.equal(book.size, 0)
})

test('B3: a connection that lasted starts over, a short one does not', () => {
  const book = new AddressBook(OWN, () => 1)
  book.addKnown(ONE, { host: 'h', port: 1 }, 0)
  for (let i = 0; i < 5; i++) {
    const dueAtMs = book.dueAtMs(view())!
    book.failed(book.take(view(), dueAtMs)!.key, dueAtMs)
  }
  const first = book.take(view(), 1e6)!
  book.connected(first.key, HIGHER)
  assert.equal(book.take(view([HIGHER]), 1e9), undefined)
  book.lost(HIGHER, 100, 2e6)
  assert.equal(book.dueAtMs(view())! - 2e6, 8000)
  book.connected(book.take(view(), 3e6)!.key, HIGHER)
  book.lost(HIGHER, 20_000, 4e6)
  assert.equal(book.dueAtMs(view())! - 4e6, 250)
})

test('F4: our own address is left alone for a while; another device at a told address ends it', () => {
  const book = new AddressBook(OWN, () => 1)
  book.addKnown(ONE, { host: 'h', port: 1 }, 0)
  book.self(book.take(view(), 0)!.key, 0)
  assert.equal(book.dueAtMs(view()), 600_000)
  for (let i = 0; i < 50; i++) book.learn(ONE, { device: OWN, host: '10.0.0.1', port: 1 + i }, 0)
  assert.equal(book.size, 17)
  book.learn(ONE, { device: HIGHER, host: '10.0.0.9', port: 9 }, 0)
  book.mismatched('10.0.0.9:9')
  assert.ok(!book.known(ONE).some(({ port }) => port === 9))
})

test('F7: a flood of addresses stays bounded and does not push out configured hosts', () => {
  const book = new AddressBook(OWN, () => 1)
  book.addKnown(ONE, { host: 'h', port: 1 }, 0)
  let taken = 0
  for (let i = 0; i < 3000; i++)
    if (
      book.learn(
        ONE,
        { device: i.toString(16).padStart(64, 'f') as DeviceId, host: '10.0.0.1', port: 1 + i },
        0,
      )
    )
      taken++
  assert.equal(taken, 1000)
  assert.equal(book.size, 1001)
  const target = book.take(view(), 0)!
  book.failed(target.key, 0)
  const target2 = book.take(view(), 10)!
  book.failed(target2.key, 10)
  assert.ok(book.learn(ONE, { device: HIGHER, host: '10.9.9.9', port: 1 }, 20))
  assert.equal(book.size, 1001)
})

test('what is remembered: told and met addresses of this share, those met first', () => {
  const book = new AddressBook(OWN, () => 1)
  book.addKnown(ONE, { host: '10.0.0.7', port: 7 }, 0)
  book.learn(ONE, { device: LOWER, host: '10.0.0.1', port: 1 }, 0)
  book.learn(ONE, { device: HIGHER, host: '10.0.0.2', port: 2 }, 0)
  book.learn(TWO, { device: HIGHER, host: '10.0.0.3', port: 3 }, 0)
  const target = book.take(view([HIGHER]), 5000)!
  book.failed(target.key, 5000)
  book.connected('10.0.0.2:2', HIGHER)
  assert.deepEqual(book.known(ONE), [
    { device: HIGHER, host: '10.0.0.2', port: 2 },
    { device: LOWER, host: '10.0.0.1', port: 1 },
  ])
})

test('B6: after a sleep configured hosts are tried at once, the rest a few at a time', () => {
  const nowMs = 2_000_000_000
  let drawn = 0
  const book = new AddressBook(OWN, () => (drawn++ % 1001) / 1001)
  book.addKnown(ONE, { host: 'office', port: 1 }, 0)
  for (let i = 0; i < 1000; i++) {
    const device = i.toString(16).padStart(64, '0') as DeviceId
    book.learn(ONE, { device, host: '10.0.0.1', port: 1 + i }, 0)
  }
  book.woke(nowMs)
  const dials = new Map<number, string[]>()
  for (let second = 0; second <= 200; second++) {
    const keys: string[] = []
    for (;;) {
      const target = book.take(view(), nowMs + second * 1000)
      if (target === undefined) break
      keys.push(target.key)
    }
    dials.set(second, keys)
  }
  const all = [...dials.values()]
  assert.equal(all.flat().length, 1001, 'each once')
  assert.ok(
    all.every((keys) => keys.length <= 20),
    'no more than some a second',
  )
  assert.ok(all.slice(0, 4).flat().includes('office:1'), 'what is configured in the first seconds')
})

test('B6: what waits for long is tried sooner after a sleep, and what is soon is not put off', () => {
  const book = new AddressBook(OWN, () => 0.5)
  book.addKnown(ONE, { host: 'h', port: 1 }, 0)
  for (let i = 0; i < 12; i++) book.failed(book.take(view(), i * 1_000_000)!.key, i * 1_000_000)
  const waitedFrom = 11_000_000
  assert.ok(book.dueAtMs(view())! > waitedFrom + 20_000)
  book.woke(waitedFrom + 1)
  const dueAtMs = book.dueAtMs(view())!
  assert.ok(dueAtMs <= waitedFrom + 3001)
  book.woke(dueAtMs - 1)
  assert.equal(book.dueAtMs(view()), dueAtMs)
})

test('B2: several addresses of a device are dialled side by side, the nearest first, a quarter of a second apart', () => {
  const book = new AddressBook(OWN, () => 1)
  const hosts = ['198.51.100.7', '192.168.1.7', '2001:db8::7', '10.0.0.7', '10.0.0.8', '10.0.0.9']
  for (const host of hosts) book.learn(ONE, { device: HIGHER, host, port: 1 }, 0)
  const dialled: string[] = []
  let nowMs = 0
  for (let i = 0; i < 4; i++) {
    assert.equal(book.dueAtMs(view()), i * 250)
    nowMs = i * 250
    dialled.push(book.take(view(), nowMs)!.endpoint.host)
    assert.equal(book.take(view(), nowMs), undefined, 'no two at once')
  }
  assert.deepEqual(dialled, ['192.168.1.7', '10.0.0.7', '10.0.0.8', '10.0.0.9'])
  assert.equal(book.dueAtMs(view()), undefined, 'and no more than four')
  // One that fails makes room at once; the rest is not needed once one has answered.
  book.failed('10.0.0.9:1', nowMs)
  assert.equal(book.take(view(), nowMs + 250)!.endpoint.host, '198.51.100.7')
  book.connected('10.0.0.7:1', HIGHER)
  assert.equal(book.dueAtMs(view([HIGHER])), undefined)
  for (const host of ['192.168.1.7', '10.0.0.8', '198.51.100.7']) book.released(`${host}:1`)
  book.lost(HIGHER, 20_000, 60_000)
  assert.ok(book.dueAtMs(view())! >= 60_000)
})

test('B2: dials to one device hold up no other', () => {
  const book = new AddressBook(OWN, () => 1)
  const other = '91'.repeat(32) as DeviceId
  for (let i = 1; i < 9; i++) book.learn(ONE, { device: HIGHER, host: `10.0.0.${i}`, port: 1 }, 0)
  book.learn(ONE, { device: other, host: '10.0.0.77', port: 1 }, 0)
  assert.equal(book.take(view(), 0)!.device, HIGHER)
  assert.equal(book.take(view(), 0)!.device, other)
})

test('B4: a flood of told addresses goes behind configured hosts and those where somebody was met', () => {
  const book = new AddressBook(OWN, () => 1)
  const idOf = (n: number): DeviceId => n.toString(16).padStart(64, 'f') as DeviceId
  for (let i = 0; i < 500; i++) book.learn(ONE, { device: idOf(i), host: '10.0.0.1', port: 1 + i }, 0)
  const met = book.take(view(), 0)!
  book.connected(met.key, met.likely!)
  book.lost(met.likely!, 20_000, 1_000)
  book.addKnown(ONE, { host: 'office', port: 1 }, 1_000)
  const first = [book.take(view(), 5_000)!.key, book.take(view(), 5_000)!.key]
  assert.deepEqual(first.sort(), [met.key, 'office:1'].sort())
})

test('X5: while a worse way works a better one is looked for with longer waits, and soon again once it is lost', () => {
  const book = new AddressBook(OWN, () => 1)
  book.addKnown(ONE, { host: 'h', port: 1 }, 0)
  const reached: DeviceView = { ...view(), isReached: () => true }
  const first = book.take(view(), 0)!
  book.failed(first.key, 0, HIGHER)
  let nowMs = 0
  for (let i = 0; i < 15; i++) {
    nowMs = book.dueAtMs(reached)!
    book.failed(book.take(reached, nowMs)!.key, nowMs)
  }
  assert.equal(book.dueAtMs(reached)! - nowMs, 300_000)
  book.lost(HIGHER, 20_000, nowMs)
  assert.equal(book.dueAtMs(view())! - nowMs, 250)
})

test('X5: a connection that was not wanted is not made again at once', () => {
  const book = new AddressBook(OWN, () => 1)
  book.addKnown(ONE, { host: 'h', port: 1 }, 0)
  const reached: DeviceView = { ...view(), isReached: () => true }
  let nowMs = 0
  const waits: number[] = []
  for (let i = 0; i < 12; i++) {
    const { key } = book.take(reached, nowMs)!
    book.connected(key, HIGHER)
    book.needless(key, nowMs)
    waits.push(book.dueAtMs(reached)! - nowMs)
    nowMs = book.dueAtMs(reached)!
  }
  assert.deepEqual(waits.slice(0, 4), [250, 500, 1000, 2000])
  assert.equal(waits.at(-1), 300_000)
})

test('B7: devices lost together come back together, spread over time', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 60 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (count, random) => {
        const book = new AddressBook(OWN, () => random)
        const ids = Array.from(
          { length: count },
          (_, i) => (0x90 + i).toString(16).padEnd(64, '0') as DeviceId,
        )
        for (const [i, device] of ids.entries()) {
          const host = `10.0.0.${i + 1}`
          book.learn(ONE, { device, host, port: 1 }, 0)
          book.connected(`${host}:1`, device)
        }
        for (const device of ids) book.lost(device, 20_000, 100_000)
        // Half an hour of failures: every wait has grown to its longest.
        const endMs = 1_900_000
        for (let dueAtMs = book.dueAtMs(view())!; dueAtMs < endMs; dueAtMs = book.dueAtMs(view())!)
          book.failed(book.take(view(), dueAtMs)!.key, dueAtMs)
        const [first, ...others] = ids
        book.back(first!, endMs)
        const here = view([first!])
        const dueMs: number[] = []
        for (const _ of others) {
          const dueAtMs = book.dueAtMs(here)!
          dueMs.push(dueAtMs - endMs)
          book.take(here, dueAtMs)
        }
        assert.ok(
          dueMs.every((ms) => ms >= 0 && ms <= count * 100 + 1_000),
          dueMs.join(' '),
        )
      },
    ),
    { numRuns: 15 },
  )
})

test('F7: a device has so many addresses and no more; one that fails makes way for where it is now', () => {
  const book = new AddressBook(OWN, () => 1)
  for (let i = 1; i <= 40; i++) book.learn(ONE, { device: HIGHER, host: `10.0.0.${i}`, port: 1 }, 0)
  assert.equal(book.size, 16)
  const now = { device: HIGHER, host: '192.168.1.1', port: 1 }
  assert.equal(book.learn(ONE, now, 0), false)
  book.failed(book.take(view(), 0)!.key, 0)
  assert.equal(book.learn(ONE, now, 0), true)
  assert.equal(book.size, 16)
  assert.ok(book.known(ONE).some(({ host }) => host === now.host))
})

/** Dials at one host in a minute in which a peer names five devices more there ten times a second. */
function dialsAt(book: AddressBook, host: string): number {
  let dials = 0
  let port = 1
  for (let nowMs = 0; nowMs < 60_000; nowMs += 100) {
    for (let i = 0; i < 5; i++, port++) {
      const device = port.toString(16).padStart(64, '0') as DeviceId
      book.learn(ONE, { device, host, port }, nowMs)
    }
    for (let to = book.take(view(), nowMs); to !== undefined; to = book.take(view(), nowMs)) {
      dials++
      book.failed(to.key, nowMs)
    }
  }
  return dials
}

test('B8: a peer that names one public host again and again does not have us dial it all the time', () => {
  const random = (): number => 0.5
  assert.ok(dialsAt(new AddressBook(OWN, random), '203.0.113.9') <= 16 + 30)
  assert.ok(dialsAt(new AddressBook(OWN, random), '2001:db8::7') <= 16 + 30)
  assert.ok(dialsAt(new AddressBook(OWN, random), '192.168.1.9') > 1_000, 'the local network is not held up')
})

test('B8: what is configured there waits for nothing, and once somebody was met there, nobody does', () => {
  const book = new AddressBook(OWN, () => 0.5)
  const host = '203.0.113.9'
  dialsAt(book, host)
  book.addKnown(TWO, { host, port: 65_000 }, 60_000)
  const target = book.take(view(), 60_000)
  assert.equal(target?.endpoint.port, 65_000)
  assert.equal(book.take(view(), 60_000), undefined)
  book.connected(target!.key, HIGHER)
  assert.notEqual(book.take(view(), 60_000), undefined)
})
