// The pure parts: endpoints, messages, beacon datagrams, proofs, the frame guard and the choice between connections.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { NetworkInterfaceInfo } from 'node:os'
import { test } from 'node:test'
import fc from 'fast-check'
import type { DeviceId } from '../../src/core/ids.js'
import { BEACON_BYTES, decodeBeacon, encodeBeacon, isFrom } from '../../src/swarm/beacon-packet.js'
import { isChooser, type LinkFacts, replaces, SILENT_MS, type Way, wayRank } from '../../src/swarm/dedupe.js'
import { formatEndpoint, hostGroup, mayTell, parseEndpoint, scopeOf } from '../../src/swarm/endpoint.js'
import { FrameGuard } from '../../src/swarm/frame-guard.js'
import { isNear, isOnLink, lanInterfaces, linkInterfaces } from '../../src/swarm/interfaces.js'
import {
  clipName,
  decodeAddresses,
  decodeBuffers,
  decodeClock,
  decodeGate,
  decodeHello,
  decodeOffers,
  encodeAddresses,
  encodeBuffers,
  encodeClock,
  encodeGate,
  encodeHello,
  encodeOffers,
  splitBuffers,
} from '../../src/swarm/messages.js'
import { channelId, gateProof, gradeProof, offerId, shareProof } from '../../src/swarm/proof.js'

const bytes = (length: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array))
const device = bytes(32).map((key) => key.toString('hex') as DeviceId)
const port = fc.integer({ min: 1, max: 65535 })

test('endpoints: text forms', () => {
  assert.deepEqual(parseEndpoint('example.org:80'), { host: 'example.org', port: 80 })
  assert.deepEqual(parseEndpoint('10.0.0.1:65535'), { host: '10.0.0.1', port: 65535 })
  assert.deepEqual(parseEndpoint('[::1]:1'), { host: '::1', port: 1 })
  for (const bad of [
    '',
    'a',
    'a:',
    ':1',
    'a:0',
    'a:65536',
    '::1:80',
    '[a]:80',
    '[::1]',
    'a b:1',
    'a:1:2',
    'a:-1',
  ])
    assert.equal(parseEndpoint(bad), undefined, bad)
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), port, (host, port) => {
      assert.deepEqual(parseEndpoint(formatEndpoint({ host, port })), { host, port })
    }),
  )
})

test('X6: how far addresses reach, and to whom they may be told', () => {
  const cases: readonly (readonly [string, ReturnType<typeof scopeOf>])[] = [
    ['127.0.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['169.254.1.1', 'link'],
    ['fe80::1', 'link'],
    ['fe80::1%eth0', 'link'],
    ['10.1.2.3', 'private'],
    ['172.31.0.1', 'private'],
    ['172.32.0.1', 'public'],
    ['192.168.1.1', 'private'],
    ['100.64.0.1', 'private'],
    ['fd00::1', 'private'],
    ['8.8.8.8', 'public'],
    ['2001:db8::1', 'public'],
    ['0.0.0.0', undefined],
    ['::', undefined],
    ['224.0.0.1', undefined],
    ['255.255.255.255', undefined],
    ['ff02::1', undefined],
    ['localhost', undefined],
  ]
  for (const [host, scope] of cases) assert.equal(scopeOf(host), scope, host)
  assert.equal(mayTell('loopback', 'loopback'), true)
  assert.equal(mayTell('loopback', 'private'), false)
  assert.equal(mayTell('private', 'loopback'), true)
  assert.equal(mayTell('private', 'public'), false)
  assert.equal(mayTell('public', 'public'), true)
  assert.equal(mayTell('link', 'link'), false)
  assert.equal(hostGroup('2001:db8:1:2:3::1'), hostGroup('2001:db8:1:2:ffff::2'))
  assert.notEqual(hostGroup('2001:db8:1:2::1'), hostGroup('2001:db8:1:3::1'))
  assert.equal(hostGroup('2001:db8::1'), '2001:db8:0:0')
  assert.equal(hostGroup('10.0.0.1'), '10.0.0.1')
})

test('F7: messages come back as they went, and any bytes are an answer, never a crash', () => {
  const hello = fc.record(
    {
      instance: bytes(16).map((raw) => raw.toString('hex')),
      name: fc.string({ unit: 'grapheme', maxLength: 40, size: 'max' }).map(clipName),
      port: fc.integer({ min: 0, max: 65535 }),
    },
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(hello, (value) => assert.deepEqual(decodeHello(encodeHello(value)), { type: 'ok', value })),
  )
  fc.assert(
    fc.property(bytes(32), (value) => assert.deepEqual(decodeGate(encodeGate(value)), { type: 'ok', value })),
  )
  fc.assert(
    fc.property(fc.array(bytes(32), { maxLength: 64, size: 'max' }), (value) =>
      assert.deepEqual(decodeOffers(encodeOffers(value)), { type: 'ok', value }),
    ),
  )
  const address = fc.record({ device, host: fc.oneof(fc.ipV4(), fc.ipV6()), port }, { noNullPrototype: true })
  fc.assert(
    fc.property(fc.array(address, { maxLength: 64, size: 'max' }), (value) =>
      assert.deepEqual(decodeAddresses(encodeAddresses(value)), { type: 'ok', value }),
    ),
  )
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 8.64e15 }), (value) =>
      assert.deepEqual(decodeClock(encodeClock(value)), { type: 'ok', value }),
    ),
  )
  assert.deepEqual(decodeClock(encodeClock(-5)), { type: 'ok', value: 0 })
  assert.deepEqual(decodeClock(encodeClock(1e300)), { type: 'ok', value: 8.64e15 })
  const list = fc.array(
    fc.uint8Array({ maxLength: 100, size: 'max' }).map((array) => Buffer.from(array)),
    { maxLength: 600, size: 'max' },
  )
  fc.assert(
    fc.property(list, (value) => {
      const back = splitBuffers(value, 100, 1000).flatMap((part) => {
        const encoded = encodeBuffers(part)
        assert.ok(encoded.length <= 1000)
        const decoded = decodeBuffers(encoded, 100, 'things')
        return decoded.type === 'ok' ? decoded.value : assert.fail(decoded.detail)
      })
      assert.deepEqual(back, value)
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300, size: 'max' }), (array) => {
      const any = Buffer.from(array)
      for (const decode of [decodeHello, decodeGate, decodeOffers, decodeAddresses, decodeClock]) {
        const decoded = decode(any)
        assert.ok(decoded.type === 'ok' || decoded.code.length > 0)
      }
      decodeBuffers(any, 10, 'things')
    }),
  )
  const tooMany = Buffer.alloc(40_000, 1)
  tooMany.writeUInt16LE(0x01c1)
  assert.equal(decodeOffers(tooMany).type, 'violation')
  assert.equal(
    decodeAddresses(encodeAddresses([{ device: '00'.repeat(32) as DeviceId, host: 'x.org', port: 1 }])).type,
    'violation',
  )
})

test('device names are cleaned and cut at a character', () => {
  assert.equal(clipName('a\u0000b\u001b[31m\u202ec'), 'a?b?[31m?c')
  assert.equal(Buffer.byteLength(clipName('ü'.repeat(50))), 64)
  assert.equal(clipName(`${'x'.repeat(63)}ü`), 'x'.repeat(63))
  assert.equal(clipName('\ud800'), '\ufffd')
})

test('X1: every proof differs by purpose, role, key and connection', () => {
  const [key, other] = [randomBytes(32), randomBytes(32)]
  const [hash, later] = [randomBytes(64), randomBytes(64)]
  const all: Buffer[] = []
  for (const k of [key, other])
    for (const h of [hash, later]) {
      all.push(channelId(k, h))
      for (const prove of [gateProof, offerId, shareProof, gradeProof])
        for (const role of ['initiator', 'responder'] as const) all.push(prove(k, role, h))
    }
  assert.equal(new Set(all.map((proof) => proof.toString('hex'))).size, all.length)
})

test('X6: a beacon is known with its key and about its time, and looks random otherwise', () => {
  const key = randomBytes(32)
  const slotMs = 600_000
  fc.assert(
    fc.property(port, bytes(16), fc.integer({ min: 0, max: 4e12 }), (port, nonce, timeMs) => {
      const packet = encodeBeacon(key, port, nonce, timeMs)
      assert.equal(packet.length, BEACON_BYTES)
      const beacon = decodeBeacon(packet)!
      assert.equal(beacon.port, port)
      assert.deepEqual(beacon.nonce, nonce)
      for (const shift of [-slotMs, 0, slotMs]) assert.ok(isFrom(beacon, key, timeMs + shift))
      for (const shift of [-2 * slotMs, 2 * slotMs]) assert.ok(!isFrom(beacon, key, timeMs + shift))
      assert.ok(!isFrom(beacon, randomBytes(32), timeMs))
      const changed = Buffer.from(packet)
      changed[18]! ^= 1
      const moved = decodeBeacon(changed)
      assert.ok(moved === undefined || !isFrom(moved, key, timeMs))
    }),
    { numRuns: 50 },
  )
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60, size: 'max' }),
      (array) => void decodeBeacon(Buffer.from(array)),
    ),
  )
  assert.equal(decodeBeacon(encodeBeacon(key, 0, randomBytes(16), 0)), undefined)
})

test('X6: the beacon uses the interfaces it may, and listens to those on their networks', () => {
  const info = (address: string, netmask: string, internal: boolean) =>
    ({ family: 'IPv4', address, netmask, internal, mac: '', cidr: null }) as const
  const all = {
    lo: [info('127.0.0.1', '255.0.0.0', true)],
    eth0: [info('192.168.1.5', '255.255.255.0', false)],
    eth1: [info('10.0.0.5', '255.255.254.0', false)],
  }
  const names = (allowed?: string[]): string[] => lanInterfaces(all, allowed).map(({ name }) => name)
  assert.deepEqual(names(), ['eth0', 'eth1'])
  assert.deepEqual(names(['lo', '10.0.0.5']), ['lo', 'eth1'])
  assert.deepEqual(names([]), [])
  const near = lanInterfaces(all, undefined)
  assert.ok(isNear('192.168.1.77', near))
  assert.ok(isNear('10.0.1.77', near))
  assert.ok(!isNear('192.168.2.77', near))
  assert.ok(!isNear('127.0.0.1', near))
})

test('X6: over IPv6 the beacon uses link-local addresses with their zone, and listens to those of the same link', () => {
  const info = (family: 'IPv4' | 'IPv6', address: string, internal = false) =>
    ({ family, address, netmask: '', internal, mac: '', cidr: null, scopeid: 0 }) as NetworkInterfaceInfo
  const all = {
    lo: [info('IPv4', '127.0.0.1', true), info('IPv6', '::1', true)],
    eth0: [info('IPv4', '192.168.1.5'), info('IPv6', '2001:db8::5'), info('IPv6', 'fe80::5')],
    'br-0': [info('IPv6', 'fe80::6')],
    eth1: [info('IPv4', '10.0.0.5'), info('IPv6', '2001:db8::7')],
  }
  const both = [
    { name: 'eth0', address: 'fe80::5%eth0', hasIPv4: true },
    { name: 'br-0', address: 'fe80::6%br-0', hasIPv4: false },
  ]
  assert.deepEqual(linkInterfaces(all, undefined), both)
  assert.deepEqual(linkInterfaces(all, ['192.168.1.5', 'lo', 'eth1']), both.slice(0, 1))
  assert.deepEqual(linkInterfaces(all, []), [])
  assert.ok(isOnLink('fe80::99%br-0', both))
  for (const other of ['fe80::99%eth1', 'fe80::99', '2001:db8::9%eth0', '192.168.1.9'])
    assert.ok(!isOnLink(other, both), other)
  assert.ok(!isNear('fe80::99%eth0', lanInterfaces(all, undefined)))
  // Such an address is a place to dial like any other.
  const there = { host: 'fe80::99%br-0', port: 7 }
  assert.deepEqual(parseEndpoint(formatEndpoint(there)), there)
})

test('X1: the frame guard sees the same frames however the bytes are cut', () => {
  const frames = (...lengths: number[]): Buffer =>
    Buffer.concat(
      lengths.map((length) =>
        Buffer.concat([Buffer.of(length & 255, (length >> 8) & 255, length >> 16), Buffer.alloc(length)]),
      ),
    )
  const faultOf = (stream: Buffer, cuts: readonly number[]): string | undefined => {
    const guard = new FrameGuard(3)
    const sorted = [0, ...cuts.map((cut) => cut % stream.length), stream.length].sort((a, b) => a - b)
    for (let i = 1; i < sorted.length; i++) {
      const fault = guard.push(stream.subarray(sorted[i - 1], sorted[i]))
      if (fault !== undefined) return fault
    }
    return undefined
  }
  const cuts = fc.array(fc.nat(70_000), { maxLength: 8 })
  fc.assert(
    fc.property(cuts, (cuts) => {
      assert.equal(faultOf(frames(32, 64, 56, 50, 0, 300, 65_536), cuts), undefined)
      assert.match(faultOf(frames(32, 64, 129), cuts)!, /^frame of 129 bytes/)
      assert.match(faultOf(frames(32, 64, 56, 65_537), cuts)!, /^frame of 65537 bytes/)
      assert.match(faultOf(frames(32, 64, 56, ...Array<number>(5).fill(60_000)), cuts)!, /^more than/)
    }),
    { numRuns: 40 },
  )
})

test('X5: one chooser of two (D1), who keeps what works (D2), prefers the better way (D3) and follows a restart (D4)', () => {
  fc.assert(
    fc.property(device, device, (a, b) => {
      if (a !== b) assert.notEqual(isChooser(a, b), isChooser(b, a))
    }),
  )
  const lastHeardMs = 1000
  const link = (way: Way, instance = 'a'): LinkFacts => ({ ...way, instance, lastHeardMs })
  const better: Way[] = [
    { transport: 'tcp', scope: 'private' },
    { transport: 'tcp', scope: 'public' },
    { transport: 'udx', scope: 'private' },
    { transport: 'relayed', scope: 'private' },
  ]
  for (const [i, current] of better.entries()) {
    for (const [k, candidate] of better.entries()) {
      const what = `${candidate.transport} for ${current.transport}`
      assert.equal(replaces(link(current), link(candidate), lastHeardMs), k < i, what)
      assert.equal(replaces(link(current), link(candidate, 'b'), lastHeardMs), true, `${what}, restarted`)
      assert.equal(
        replaces(link(current), link(candidate), lastHeardMs + SILENT_MS + 1),
        true,
        `${what}, silent`,
      )
    }
  }
  assert.equal(
    wayRank({ transport: 'udx', scope: 'public' }),
    wayRank({ transport: 'udx', scope: 'private' }),
  )
  assert.equal(wayRank({ transport: 'tcp', scope: 'loopback' }), wayRank({ transport: 'tcp', scope: 'link' }))
})
