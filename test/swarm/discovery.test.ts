// Finding each other without a configured host: the LAN beacon on loopback, and a private DHT of three nodes.
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { test } from 'node:test'
import { ShoalError } from '../../src/core/error.js'
import { silentLog } from '../../src/ports/log.js'
import { BEACON_BYTES, decodeBeacon, isFrom } from '../../src/swarm/beacon-packet.js'
import { BEACON_GROUP } from '../../src/swarm/beacon-sockets.js'
import { runDhtNode } from '../../src/swarm/dht-node.js'
import { formatEndpoint } from '../../src/swarm/endpoint.js'
import { MOVED } from '../../src/swarm/share-channel.js'
import { until } from '../support/until.js'
import { type Node, next, peerOf, shareKeys, startNode } from './support.js'

/** A port that nothing else on this machine is likely to beacon on. */
const testPort = (): number => randomInt(20_000, 32_000)

test('X6: two devices on one network find each other by beacon, and a third without the secret does not', async (t) => {
  const [keys] = shareKeys('read')
  const lan = { searchLan: true, interfaces: ['127.0.0.1'], beaconPort: testPort() }
  const a = await startNode(t, keys!, lan)
  const stranger = await startNode(t, shareKeys('read')[0]!, lan)
  const b = await startNode(t, keys!, lan)
  const [atA] = await Promise.all([peerOf(a.share), peerOf(b.share)])
  assert.equal(atA.instance, b.swarm.instance)
  assert.equal(stranger.share.peers().length, 0)
})

test('X6: what the beacon says changes each time and names neither topic nor key', async (t) => {
  const [keys] = shareKeys('read')
  const beaconPort = testPort()
  const ear = createSocket({ type: 'udp4', reuseAddr: true })
  t.after(() => ear.close())
  ear.bind(beaconPort, BEACON_GROUP)
  await next(ear, 'listening')
  ear.addMembership(BEACON_GROUP, '127.0.0.1')
  const packets: Buffer[] = []
  ear.on('message', (packet) => packets.push(packet))
  const node = await startNode(t, keys!, { searchLan: true, interfaces: ['lo'], beaconPort })
  await until('two beacons', () => packets.length >= 2)
  const [first, second] = packets
  assert.equal(first!.length, BEACON_BYTES)
  assert.notDeepEqual(first!.subarray(1, 17), second!.subarray(1, 17))
  assert.notDeepEqual(first!.subarray(19), second!.subarray(19))
  const beacon = decodeBeacon(first!)!
  assert.equal(beacon.port, node.port)
  assert.ok(isFrom(beacon, keys!.beaconKey, Date.now()))

  // Sent again by an eavesdropper, cut short, or made up: nothing is ever sent back, and nothing breaks.
  const before = packets.length
  ear.setMulticastInterface('127.0.0.1')
  for (const packet of [first!, first!.subarray(0, 20), Buffer.alloc(BEACON_BYTES, 1), Buffer.alloc(0)])
    ear.send(packet, beaconPort, BEACON_GROUP)
  await until('our own datagrams', () => packets.length >= before + 4)
  assert.equal(node.share.peers().length, 0)
})

test('X6: without a usable interface nothing is sent, and the daemon starts all the same', async (t) => {
  const [keys] = shareKeys('read')
  const node = await startNode(t, keys!, { searchLan: true, interfaces: ['none'], beaconPort: testPort() })
  assert.ok(node.port > 0)
})

test('X6: two devices find each other by topic in a private DHT of three nodes', {
  timeout: 25_000,
}, async (t) => {
  const log = silentLog
  const nodes = [await runDhtNode({ host: '127.0.0.1', port: 0, bootstrap: [], log })]
  t.after(() => Promise.all(nodes.map((node) => node.close())))
  for (let i = 0; i < 2; i++)
    nodes.push(await runDhtNode({ host: '127.0.0.1', port: 0, bootstrap: [nodes[0]!.address], log }))
  const bootstrap = nodes.map(({ address }) => formatEndpoint(address))
  const [keys] = shareKeys('read')
  const dht = { useDht: true, bootstrap, listeningPort: 0 }
  const a = await startNode(t, keys!, dht)
  const seen: string[] = []
  a.share.on('peer', (peer) => {
    seen.push(peer.transport)
    peer.on('close', (reason) => seen.push(`${reason}, ${a.share.peers().length} there`))
  })
  const b = await startNode(t, keys!, dht)
  await Promise.all([peerOf(a.share, 20_000), peerOf(b.share, 20_000)])
  assert.equal(seen[0], 'udx')

  // X5, D3: being reachable over TCP as well, they move there, and the UDX connection does not come back.
  const isTcp = (node: Node): boolean => node.share.peers()[0]?.transport === 'tcp'
  await until('TCP takes over', () => isTcp(a) && isTcp(b))
  const [atA] = a.share.peers()
  const [atB] = b.share.peers()
  const states = next(atA!, 'states')
  atB!.sendStates([Buffer.from('state')])
  assert.deepEqual((await states)[0], [Buffer.from('state')])
  // Without a moment in which nobody is there.
  assert.deepEqual(seen, ['udx', `${MOVED}, 1 there`, 'tcp'])
  assert.equal(a.share.peers()[0]!.instance, b.swarm.instance)
})

test('X6: a DHT node says which port is taken, and dead bootstrap nodes hold nothing up', async (t) => {
  const [keys] = shareKeys('read')
  const startMs = performance.now()
  const node = await startNode(t, keys!, {
    useDht: true,
    bootstrap: ['127.0.0.1:9', 'localhost:9'],
    dhtNode: true,
  })
  await assert.rejects(
    runDhtNode({ host: '127.0.0.1', port: node.port, bootstrap: [], log: silentLog }),
    (error) => error instanceof ShoalError && error.code === 'PORT_IN_USE',
  )
  assert.ok(performance.now() - startMs < 2_000)
  const stopMs = performance.now()
  await node.swarm.stop()
  assert.ok(performance.now() - stopMs < 4_000)
})
