import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ShoalError } from '../../src/core/error.js'
import { silentLog } from '../../src/ports/log.js'
import { type DialTcp, dialTcp } from '../../src/swarm/tcp.js'
import { until } from '../support/until.js'
import {
  devicesInOrder,
  freshDevice,
  type Node,
  next,
  peerOf,
  shareKeys,
  startable,
  startNode,
} from './support.js'

interface Clone {
  readonly instance: string
}

test('X6: two devices meet by a known host and exchange certificates and states', async (t) => {
  const [keys] = shareKeys('write')
  const a = await startNode(t, keys!, { deviceName: 'ada' })
  const b = await startNode(t, keys!, { deviceName: 'bob', knownHosts: [a.host] })
  const [atA, atB] = await Promise.all([peerOf(a.share), peerOf(b.share)])
  assert.equal(atA.name, 'bob')
  assert.equal(atB.name, 'ada')
  assert.equal(atA.instance, b.swarm.instance)
  assert.equal(atB.initiator, true)
  assert.equal(atA.transport, 'tcp')
  assert.equal(atB.address, a.host)
  assert.equal(atA.grade, 'read')

  const certificates = next(atA, 'certificates')
  atB.sendCertificates([Buffer.from('one'), Buffer.from('two')])
  assert.deepEqual((await certificates)[0], [Buffer.from('one'), Buffer.from('two')])
  const states = next(atB, 'states')
  atA.sendStates([Buffer.alloc(60_000, 7)])
  assert.deepEqual((await states)[0], [Buffer.alloc(60_000, 7)])
  assert.throws(() => atA.sendCertificates([Buffer.alloc(3000)]), RangeError)
})

test('X1: the grade is proven, and nobody without the read key sees it', async (t) => {
  const [write, blind] = shareKeys('write', 'blind')
  const a = await startNode(t, write!)
  const b = await startNode(t, blind!, { knownHosts: [a.host] })
  const [atA, atB] = await Promise.all([peerOf(a.share), peerOf(b.share)])
  assert.equal(atA.grade, 'blind')
  assert.equal(atB.grade, 'blind')
})

test('X6: A-B-C becomes a mesh by the addresses that members tell', async (t) => {
  const [keys] = shareKeys('read')
  const b = await startNode(t, keys!)
  const a = await startNode(t, keys!, { knownHosts: [b.host] })
  const c = await startNode(t, keys!, { knownHosts: [b.host] })
  const all = [a, b, c]
  await until('every node has two peers', () => all.every(({ share }) => share.peers().length === 2))
  const known = a.share.known()
  assert.ok(known.some(({ port }) => port === c.port))
})

test('X5: dials that cross collapse into one connection, and each side has one peer', async (t) => {
  const [keys] = shareKeys('read')
  const [lower, higher] = devicesInOrder()
  const a = await startNode(t, keys!, { device: lower })
  const b = await startNode(t, keys!, { device: higher })
  let peers = 0
  let ends = 0
  for (const { share } of [a, b])
    share.on('peer', (peer) => {
      peers++
      peer.on('close', () => ends++)
    })
  a.share.learn([{ device: higher.device, host: '127.0.0.1', port: b.port }])
  b.share.learn([{ device: lower.device, host: '127.0.0.1', port: a.port }])
  // Configured hosts on both sides as well: several connections in both directions at once.
  const other = shareKeys('read')[0]!
  a.swarm.addShare({
    keys: other,
    knownHosts: [b.host, `localhost:${b.port}`],
    searchLan: false,
    useDht: false,
  })
  b.swarm.addShare({
    keys: other,
    knownHosts: [a.host, `localhost:${a.port}`],
    searchLan: false,
    useDht: false,
  })
  await until('one peer each', () => a.share.peers().length === 1 && b.share.peers().length === 1)
  // Both ends mean the same connection, and what is sent over it arrives.
  const [atA] = a.share.peers()
  const [atB] = b.share.peers()
  assert.deepEqual(atA!.stream.handshakeHash, atB!.stream.handshakeHash)
  const states = next(atB!, 'states')
  atA!.sendStates([Buffer.from('state')])
  await states
  assert.equal(atA!.initiator, !atB!.initiator)
  assert.equal(a.share.peers().length, 1)
  assert.ok(peers <= 4, `${peers} peers`)
  assert.equal(peers - ends, 2)
})

test('X5: one connection carries all shares in common, also those added later, and no others', async (t) => {
  const [one] = shareKeys('read')
  const [two] = shareKeys('read')
  const [mine] = shareKeys('read')
  const [late] = shareKeys('read')
  const a = await startNode(t, one!)
  const extra = { knownHosts: [], searchLan: false, useDht: false }
  const twoAtA = a.swarm.addShare({ keys: two!, ...extra })
  a.swarm.addShare({ keys: mine!, ...extra })
  const b = startable(t)
  const oneAtB = b.addShare({ keys: one!, ...extra, knownHosts: [a.host] })
  const twoAtB = b.addShare({ keys: two!, ...extra })
  await b.start()
  const peers = await Promise.all([peerOf(a.share), peerOf(twoAtA), peerOf(oneAtB), peerOf(twoAtB)])
  assert.equal(peers[0]!.stream, peers[1]!.stream)
  assert.equal(peers[2]!.stream, peers[3]!.stream)
  const lateAtA = a.swarm.addShare({ keys: late!, ...extra })
  const lateAtB = b.addShare({ keys: late!, ...extra })
  const [lateA] = await Promise.all([peerOf(lateAtA), peerOf(lateAtB)])
  assert.equal(lateA.stream, peers[0]!.stream)

  // Leaving one share leaves the others alone.
  const left = next(twoAtB.peers()[0]!, 'close')
  await twoAtA.close()
  await left
  assert.equal(lateAtB.peers().length, 1)
  assert.equal(oneAtB.peers().length, 1)
})

test('X6: a known host is dialled again after the peer went and came back', async (t) => {
  const [keys] = shareKeys('read')
  const device = freshDevice()
  const first = await startNode(t, keys!, { device })
  const b = await startNode(t, keys!, { knownHosts: [first.host] })
  const peer = await peerOf(b.share)
  const closed = next(peer, 'close')
  await first.swarm.stop()
  await closed
  assert.equal(b.share.peers().length, 0)
  const again = await startNode(t, keys!, { device, listeningPort: first.port })
  assert.equal((await peerOf(b.share)).instance, again.swarm.instance)
})

test('a peer that falls silent is gone after the time-out, and an idle one that lives is not', async (t) => {
  const [keys] = shareKeys('read')
  const a = await startNode(t, keys!, { timings: { keepAliveMs: 40, deadPeerMs: 250 } })
  const mute = await startNode(t, keys!, { knownHosts: [a.host], timings: { keepAliveMs: 0 } })
  const live = await startNode(t, keys!, { knownHosts: [a.host], timings: { keepAliveMs: 40 } })
  await until('two peers', () => a.share.peers().length === 2)
  const of = (node: Node) => a.share.peers().find(({ instance }) => instance === node.swarm.instance)!
  let isLiveLost = false
  of(live).on('close', () => {
    isLiveLost = true
  })
  const [reason] = await next(of(mute), 'close')
  assert.match(String(reason), /timed out/)
  assert.equal(isLiveLost, false)
})

test('X1: ban refuses a device in both directions, and only for so long', async (t) => {
  const [keys] = shareKeys('read')
  const a = await startNode(t, keys!)
  const b = await startNode(t, keys!, { knownHosts: [a.host] })
  const [atA] = await Promise.all([peerOf(a.share), peerOf(b.share)])
  const startMs = performance.now()
  atA.ban('lied', 400)
  assert.equal(a.share.peers().length, 0)
  await peerOf(a.share)
  assert.ok(performance.now() - startMs >= 390)
})

test('F4: meeting ourselves is noticed and harmless', async (t) => {
  const [keys] = shareKeys('read')
  const a = await startNode(t, keys!)
  let clones = 0
  a.swarm.on('clone', () => clones++)
  let isMet = false
  const second = shareKeys('read')[0]!
  const log = {
    ...silentLog,
    debug: (fields: Readonly<Record<string, unknown>>) => {
      if (fields.reason === 'this is ourselves') isMet = true
    },
  }
  const b = await startNode(t, second, { log })
  b.swarm.on('clone', () => clones++)
  b.share.learn([{ device: freshDevice().device, host: '127.0.0.1', port: a.port }])
  const own = await startNode(t, second, { log, knownHosts: [] })
  own.swarm.addShare({ keys: keys!, knownHosts: [own.host], searchLan: false, useDht: false })
  await until('meeting ourselves', () => isMet)
  assert.equal(clones, 0)
  assert.equal(own.share.peers().length, 0)
})

test('F4: a second process with our device key is announced as a clone, on both', async (t) => {
  const [keys] = shareKeys('read')
  const device = freshDevice()
  const a = await startNode(t, keys!, { device })
  const seenAtA = next(a.swarm, 'clone')
  const b = startable(t, { device })
  const seenAtB = next(b, 'clone')
  b.addShare({ keys: keys!, knownHosts: [a.host], searchLan: false, useDht: false })
  await b.start()
  assert.equal(((await seenAtA)[0] as Clone).instance, b.instance)
  assert.equal(((await seenAtB)[0] as Clone).instance, a.swarm.instance)
  assert.equal(a.share.peers().length, 0)
})

test('F4: clones that only meet through a third member find each other', async (t) => {
  const [keys] = shareKeys('read')
  const device = freshDevice()
  const middle = await startNode(t, keys!)
  const a = await startNode(t, keys!, { device, knownHosts: [middle.host] })
  await peerOf(a.share)
  const seen = next(a.swarm, 'clone')
  const b = startable(t, { device })
  b.addShare({ keys: keys!, knownHosts: [middle.host], searchLan: false, useDht: false })
  await b.start()
  assert.equal(((await seen)[0] as Clone).instance, b.instance)
})

test('start says which port is taken, and stop is prompt', async (t) => {
  const [keys] = shareKeys('read')
  const a = await startNode(t, keys!)
  const b = startable(t, { listeningPort: a.port })
  await assert.rejects(b.start(), (error) => error instanceof ShoalError && error.code === 'PORT_IN_USE')
  assert.throws(
    () =>
      a.swarm.addShare({
        keys: shareKeys('read')[0]!,
        knownHosts: ['nonsense'],
        searchLan: false,
        useDht: false,
      }),
    (error) => error instanceof ShoalError && error.code === 'CONFIG_INVALID',
  )
  const startMs = performance.now()
  await a.swarm.stop()
  assert.ok(performance.now() - startMs < 1000)
})

test('each side knows how far the other clock is ahead, and files need not care', async (t) => {
  const [keys] = shareKeys('read')
  const aheadMs = 3_600_000
  const a = await startNode(t, keys!, { wallNow: () => Date.now() + aheadMs })
  const b = await startNode(t, keys!, { knownHosts: [a.host] })
  const [ofB, ofA] = [await peerOf(a.share), await peerOf(b.share)]
  await until('both clocks are known', () => ofA.clockAheadMs !== undefined && ofB.clockAheadMs !== undefined)
  // The way is included, so only the order of magnitude is sure.
  assert.ok(Math.abs(ofA.clockAheadMs! - aheadMs) < 60_000, `${ofA.clockAheadMs}`)
  assert.ok(Math.abs(ofB.clockAheadMs! + aheadMs) < 60_000, `${ofB.clockAheadMs}`)
})

test('each side measures the way there and back', async (t) => {
  const [keys] = shareKeys('read')
  const a = await startNode(t, keys!)
  const b = await startNode(t, keys!, { knownHosts: [a.host] })
  const [ofB, ofA] = [await peerOf(a.share), await peerOf(b.share)]
  await until('both have an answer', () => ofA.rttMs !== undefined && ofB.rttMs !== undefined)
  for (const { rttMs } of [ofA, ofB]) assert.ok(rttMs! >= 0 && rttMs! < 60_000, `${rttMs}`)
})

test('a port that is only preferred is left to who has it', async (t) => {
  const [keys] = shareKeys('read')
  const a = await startNode(t, keys!)
  const b = startable(t, { listeningPort: a.port, anyPortIfTaken: true })
  const { port } = await b.start()
  assert.notEqual(port, a.port)
  await b.stop()
  const c = startable(t, { listeningPort: port, anyPortIfTaken: true })
  assert.equal((await c.start()).port, port)
})

test('B2: dead addresses of a device do not hold up its live one', async (t) => {
  const [keys] = shareKeys('read')
  const device = freshDevice()
  const a = await startNode(t, keys!, { device })
  const dialled: string[] = []
  let givenUp = 0
  const dial: DialTcp = (endpoint, timeoutMs, signal) => {
    dialled.push(endpoint.host)
    if (endpoint.host === '127.0.0.1') return dialTcp(endpoint, timeoutMs, signal)
    // Swallowed by the network.
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        givenUp++
        reject(new Error('stopped'))
      })
    })
  }
  const b = await startNode(t, keys!, { dial })
  const hosts = ['127.0.0.2', '127.0.0.3', '127.0.0.1']
  b.share.learn(hosts.map((host) => ({ device: device.device, host, port: a.port })))
  assert.equal((await peerOf(b.share)).device, device.device)
  assert.deepEqual(dialled, hosts)
  assert.equal(givenUp, 2)
})

test('X6: a name is dialled at all its addresses, in both families', async (t) => {
  const [keys] = shareKeys('read')
  // Nobody listens on ::1, which comes first where the system has it for this name.
  const a = await startNode(t, keys!)
  const b = await startNode(t, keys!, { knownHosts: [`localhost:${a.port}`] })
  assert.equal((await peerOf(b.share)).address, a.host)
})
