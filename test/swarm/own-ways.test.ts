// Own addresses: their bytes, which of them mean the same device at the other end, and who comes to know them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RateLimits } from '../../src/daemon/rate-limits.js'
import {
  decodeWays,
  encodeWays,
  endpointsOf,
  MAX_WAYS,
  MAX_WAYS_BYTES,
  type OwnWay,
  waysFor,
} from '../../src/swarm/own-ways.js'
import { actAs, type DialTcp, dialTcp } from '../../src/swarm/tcp.js'
import { until } from '../support/until.js'
import { peerOf, shareKeys, startNode } from './support.js'

const host = fc.oneof(fc.ipV4(), fc.ipV6())
const port = fc.integer({ min: 1, max: 65_535 })
const plain = { noNullPrototype: true }
const way = fc.record({ host: fc.option(host, { nil: undefined }), port }, plain)
const message = fc.record(
  {
    seen: fc.option(fc.record({ host, port }, plain), { nil: undefined }),
    ways: fc.array(way, { maxLength: MAX_WAYS }),
  },
  plain,
)

test('ways: what is written is read, within the bound, and any bytes are read or refused', () => {
  fc.assert(
    fc.property(message, (value) => {
      const bytes = encodeWays(value)
      assert.ok(bytes.length <= MAX_WAYS_BYTES)
      assert.deepEqual(decodeWays(bytes), { type: 'ok', value })
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (array) => {
      const bytes = Buffer.from(array)
      const read = decodeWays(bytes)
      if (read.type === 'ok') assert.deepEqual(encodeWays(read.value), bytes)
    }),
  )
  assert.throws(
    () => encodeWays({ seen: undefined, ways: Array(9).fill({ host: undefined, port: 1 }) }),
    RangeError,
  )
})

test('ways: names, port 0 and more than eight are refused', () => {
  const refused: [string, number[]][] = [
    ['a name', [0, 0, 1, 1, 0x61, 1]],
    ['port 0', [0, 0, 1, 0, 0]],
    ['half a host', [0, 7, 0]],
    ['nine', [0, 0, 9]],
    ['more bytes', [0, 0, 0, 0]],
  ]
  for (const [what, bytes] of refused) assert.equal(decodeWays(Buffer.from(bytes)).type, 'violation', what)
  assert.deepEqual(decodeWays(Buffer.from([0, 0, 0])), { type: 'ok', value: { seen: undefined, ways: [] } })
})

const PUBLIC = { transport: 'tcp', remote: { host: '198.51.100.4', port: 9 }, scope: 'public' } as const
const HOME = { transport: 'tcp', remote: { host: '192.168.1.9', port: 9 }, scope: 'private' } as const
const RELAYED = { ...PUBLIC, transport: 'relayed' } as const
const mapped = { host: '203.0.113.7', port: 1 }
const home = { host: '192.168.178.2', port: 1 }
const here = { host: '127.0.0.1', port: 1 }
const asSeen = { host: undefined, port: 2 }

test('ways: what of them means the sender to the receiver', () => {
  const all: OwnWay[] = [
    mapped,
    home,
    here,
    asSeen,
    { host: '0.0.0.0', port: 3 },
    { host: 'fe80::1', port: 3 },
  ]
  const seen = { host: '198.51.100.4', port: 2 }
  assert.deepEqual(endpointsOf(all, PUBLIC), [mapped, seen])
  // A host at home is that of a home network: the port that is open outside is not open there.
  assert.deepEqual(endpointsOf(all, HOME), [mapped, home])
  // What is seen there is the relay.
  assert.deepEqual(endpointsOf(all, RELAYED), [mapped])
  assert.deepEqual(endpointsOf([asSeen, { ...seen }], PUBLIC), [seen])
})

test('ways: what is told over a connection', () => {
  const all = [mapped, home, here, asSeen]
  assert.deepEqual(waysFor(all, PUBLIC), { seen: PUBLIC.remote, ways: [mapped, asSeen] })
  assert.deepEqual(waysFor(all, HOME), { seen: HOME.remote, ways: [mapped, home, asSeen] })
  assert.deepEqual(waysFor(all, RELAYED), { seen: undefined, ways: [mapped, asSeen] })
  const proxied = waysFor(all, { ...PUBLIC, isProxied: true })
  assert.deepEqual(proxied, { seen: PUBLIC.remote, ways: [mapped] }, 'a proxy is not us')
  assert.equal(waysFor(Array(20).fill(mapped), PUBLIC).ways.length, MAX_WAYS)
})

test('X6: members learn own addresses, from the device and from each other, and again when they change', async (t) => {
  const [keys] = shareKeys('read')
  const b = await startNode(t, keys!)
  const c = await startNode(t, keys!, { knownHosts: [b.host] })
  await peerOf(c.share)
  const a = await startNode(t, keys!, { knownHosts: [b.host] })
  a.swarm.devices.ownWays.set([{ host: '127.0.0.1', port: 4_001 }])
  const at = (node: typeof a, port: number): boolean => node.share.known().some((each) => each.port === port)
  await until('b and c know it', () => at(b, 4_001) && at(c, 4_001))
  a.swarm.devices.ownWays.set([{ host: '127.0.0.1', port: 4_002 }])
  await until('b and c know the new one', () => at(b, 4_002) && at(c, 4_002))
  // Who comes later, too.
  const d = await startNode(t, keys!, { knownHosts: [c.host] })
  await until('d knows it', () => at(d, 4_002))
  await until('all tell as what they see us', () => {
    const [seen] = a.swarm.devices.ownWays.seenAs()
    return seen?.host === '127.0.0.1' && seen.devices === 3
  })
})

test('through a proxy no port of ours is told, and nobody is told to dial the proxy', async (t) => {
  const [keys] = shareKeys('read')
  const far = await startNode(t, keys!)
  // To the other end, who comes through a proxy comes from the proxy's address.
  const dial: DialTcp = async (endpoint, timeoutMs, signal) => {
    const socket = await dialTcp(endpoint, timeoutMs, signal)
    actAs(socket, endpoint)
    return socket
  }
  const hidden = await startNode(t, keys!, { dial, knownHosts: [far.host] })
  const met = await peerOf(hidden.share)
  const limits = new RateLimits({ downloadLimit: 1, uploadLimit: 1, limits: [], rateLimitLocalPeers: false })
  assert.ok(!limits.isExempt(met), `${met.address} is as the proxy sees it, and limits hold`)
  const third = await startNode(t, keys!, { knownHosts: [far.host] })
  const known = (node: typeof far): number[] => node.share.known().map(({ port }) => port)
  await until(
    'the hidden one has dialled the third by what it was told',
    () => hidden.share.peers().length === 2,
  )
  for (const node of [far, third]) assert.ok(!known(node).includes(hidden.port), 'nobody knows its port')
  const direct = third.share.peers().find(({ initiator }) => initiator)
  assert.ok(direct !== undefined && limits.isExempt(direct), 'without one, it is on this network')
  assert.deepEqual(hidden.swarm.devices.ownWays.seenAs(), [], 'the proxy is not us')
})
