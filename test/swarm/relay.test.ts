// Devices that have no way to each other but a relay: no known hosts, no beacon, no DHT.
import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { silentLog } from '../../src/ports/log.js'
import { DEFAULT_LIMITS, type RelayLimits } from '../../src/relay/limits.js'
import { Relay } from '../../src/relay/relay.js'
import { proxyDial } from '../../src/swarm/proxy-dial.js'
import type { SwarmOptions } from '../../src/swarm/swarm.js'
import { dialTcp } from '../../src/swarm/tcp.js'
import { httpProxy, socksProxy } from '../support/proxies.js'
import { until } from '../support/until.js'
import { devicesInOrder, type Node, next, peerOf, shareKeys, startable, startNode } from './support.js'

interface Running {
  readonly relay: Relay
  readonly address: string
}

async function startRelay(
  t: TestContext,
  options: { limits?: Partial<RelayLimits>; port?: number; isAllowed?: (pass: string) => boolean } = {},
): Promise<Running> {
  const relay = await Relay.open({
    listen: { host: '127.0.0.1', port: options.port ?? 0 },
    isAllowed: options.isAllowed ?? (() => true),
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    log: silentLog,
  })
  t.after(() => relay.close())
  return { relay, address: `127.0.0.1:${relay.address.port}` }
}

/** By a relay alone, and soon. */
function by(...relays: string[]): Pick<SwarmOptions, 'relays' | 'relayHeadStartMs'> {
  return { relays, relayHeadStartMs: 10 }
}

test('two devices meet through a relay, and what they say arrives', async (t) => {
  const [keys] = shareKeys('write')
  const { relay, address } = await startRelay(t)
  const nodes: Node[] = []
  for (const device of devicesInOrder()) nodes.push(await startNode(t, keys!, { device, ...by(address) }))
  const [a, b] = nodes as [Node, Node]
  const [atA, atB] = await Promise.all([peerOf(a.share), peerOf(b.share)])
  assert.deepEqual([atA.transport, atB.transport], ['relayed', 'relayed'])
  assert.equal(atA.address, address, 'the relay is what is known of where the other is')
  const states = next(atB, 'states')
  const said = Buffer.alloc(60_000, 7)
  atA.sendStates([said])
  assert.deepEqual((await states)[0], [said])
  assert.ok(relay.facts.bytes > said.length)
  assert.deepEqual({ pairs: relay.facts.pairs, nodes: relay.facts.nodes }, { pairs: 1, nodes: 2 })
  assert.deepEqual(a.swarm.relays, [{ address, isConnected: true, problem: undefined, todo: undefined }])
  // What a relay's address tells of a device is nothing: none is remembered.
  assert.deepEqual([...a.share.known(), ...b.share.known()], [])
})

test('a direct way that is found replaces it, and the relay is left in peace', async (t) => {
  const [keys] = shareKeys('write')
  const { relay, address } = await startRelay(t)
  const a = await startNode(t, keys!, by(address))
  const b = await startNode(t, keys!, by(address))
  assert.equal((await peerOf(b.share)).transport, 'relayed')
  b.share.setKnownHosts([a.host])
  await until('both are direct', () =>
    [a, b].every(({ share }) => share.peers().length === 1 && share.peers()[0]!.transport === 'tcp'),
  )
  await until('the pair is gone', () => relay.facts.pairs === 0)
  assert.equal(relay.facts.joined, 1, 'and not asked for again')
})

test('a relay that is killed and comes back is found again, and so are the others', async (t) => {
  const [keys] = shareKeys('write')
  const { relay, address } = await startRelay(t)
  const a = await startNode(t, keys!, by(address))
  const b = await startNode(t, keys!, by(address))
  const first = await peerOf(a.share)
  const closed = next(first, 'close')
  await relay.close()
  await closed
  await until('the loss is known', () => b.share.peers().length === 0)
  assert.equal(a.swarm.relays[0]!.isConnected, false)
  await startRelay(t, { port: Number(address.split(':')[1]) })
  assert.equal((await peerOf(a.share)).transport, 'relayed')
  assert.equal((await peerOf(b.share)).transport, 'relayed')
})

test('a relay that does not serve the share is told of and connects nobody; another does', async (t) => {
  const [keys, others] = [shareKeys('write')[0]!, shareKeys('write')[0]!]
  const pass = keys.relay.pass.toString('hex')
  const ours = await startRelay(t, { isAllowed: (each) => each === pass })
  const a = await startNode(t, keys, by(ours.address))
  const stranger = await startNode(t, others, by(ours.address))
  await until('it is refused', () => stranger.swarm.relays[0]!.problem !== undefined)
  assert.equal(stranger.swarm.relays[0]!.problem, '1 of 1 shares: not-allowed')
  assert.match(stranger.swarm.relays[0]!.todo ?? '', /shoal secret relay-pass/)
  assert.equal(ours.relay.facts.nodes, 1)
  const open = await startRelay(t)
  const friend = await startNode(t, others, by(ours.address, open.address))
  const third = await startNode(t, others, by(open.address))
  assert.equal((await peerOf(friend.share)).transport, 'relayed')
  assert.equal((await peerOf(third.share)).address, open.address)
  assert.deepEqual([a.share.peers(), stranger.share.peers()], [[], []])
})

test('a share that forbids relays is not made known to them, nor carried by a connection that another has', async (t) => {
  const [shared] = shareKeys('write')
  const [forbidden] = shareKeys('write')
  const { relay, address } = await startRelay(t)
  const nodes = [startable(t, by(address)), startable(t, by(address))]
  const shares = nodes.map((swarm) => {
    const ways = { knownHosts: [], searchLan: false, useDht: false }
    const share = swarm.addShare({ keys: shared!, ...ways })
    return { share, secret: swarm.addShare({ keys: forbidden!, ...ways, useRelay: false }) }
  })
  const [first, second] = await Promise.all(nodes.map((swarm) => swarm.start()))
  assert.ok(first && second)
  await Promise.all(shares.map(({ share }) => peerOf(share)))
  assert.equal(relay.facts.passes, 1)
  const offered = shares[0]!.share.peers()[0]!
  const states = next(offered, 'states')
  shares[1]!.share.peers()[0]!.sendStates([Buffer.from('after any offers')])
  await states
  assert.deepEqual(
    shares.map(({ secret }) => secret.peers().length),
    [0, 0],
  )
  // Directly it is carried, on the same devices.
  shares[0]!.secret.setKnownHosts([`127.0.0.1:${second.port}`])
  assert.equal((await peerOf(shares[0]!.secret)).transport, 'tcp')
})

test('a relay is reached through the proxy alone, by a name that only the proxy knows', async (t) => {
  const [keys] = shareKeys('write')
  const { relay, address } = await startRelay(t)
  const named = `relay.invalid:${address.split(':')[1]}`
  for (const open of [socksProxy, httpProxy]) {
    const proxy = await open({ names: { 'relay.invalid': '127.0.0.1' } })
    t.after(() => proxy.close())
    const type = open === socksProxy ? 'socks5' : 'http_connect'
    const dial = proxyDial({ type, host: '127.0.0.1', port: proxy.port }, silentLog)
    const a = await startNode(t, keys!, { ...by(named), dial })
    const b = await startNode(t, keys!, { ...by(named), dial })
    const [atA, atB] = await Promise.all([peerOf(a.share), peerOf(b.share)])
    assert.deepEqual([atA.transport, atB.address], ['relayed', named])
    const states = next(atB, 'states')
    const said = Buffer.alloc(60_000, 7)
    atA.sendStates([said])
    assert.deepEqual((await states)[0], [said])
    assert.deepEqual(new Set(proxy.asked), new Set([named]))
    assert.deepEqual([...a.share.known(), ...b.share.known()], [], 'and nobody is told to dial anybody')
    await Promise.all([a.swarm.stop(), b.swarm.stop()])
    await until('both have left', () => relay.facts.nodes === 0)
  }
})

test('a relay that garbles, lies or falls silent does no harm: another carries the share', async (t) => {
  const [keys] = shareKeys('write')
  const { address } = await startRelay(t)
  // Between a node and the honest relay: flips a bit in what is forwarded after the frames of the relay itself.
  const liar = createServer((socket) => {
    const upstream = dialTcp({ host: '127.0.0.1', port: Number(address.split(':')[1]) }, 5_000, t.signal)
    void upstream.then((to) => garble(socket, to))
  })
  await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', () => resolve()))
  const sockets = new Set<Socket>()
  liar.on('connection', (socket) => sockets.add(socket))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    liar.close()
  })
  const { port } = liar.address() as { port: number }
  const a = await startNode(t, keys!, by(address))
  const b = await startNode(t, keys!, by(`127.0.0.1:${port}`))
  await until('some were joined', () => garbled > 2, 15_000)
  assert.deepEqual([a.share.peers(), b.share.peers()], [[], []], 'Noise takes nothing that was changed')
  const honest = await startNode(t, keys!, by(address))
  assert.equal((await peerOf(honest.share)).transport, 'relayed')
})

let garbled = 0

/** Forwards, but for every byte after a node's own frames: those have a bit flipped. */
function garble(node: Socket, relay: Socket): void {
  let isJoined = false
  relay.on('data', (chunk: Buffer) => {
    if (isJoined) {
      garbled++
      chunk[chunk.length - 1]! ^= 1
    }
    // The frame "joined" is two bytes of length 1 and its kind.
    if (chunk.subarray(-3).equals(Buffer.of(0, 1, 8))) isJoined = true
    node.write(chunk)
  })
  node.on('data', (chunk: Buffer) => relay.write(chunk))
  for (const [one, other] of [
    [node, relay],
    [relay, node],
  ] as const) {
    one.on('close', () => other.destroy())
    one.on('error', () => other.destroy())
  }
}
