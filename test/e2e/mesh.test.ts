// How devices find each other: known hosts only between neighbours, a private DHT, the local network; and the lifetime of
// a daemon as scripts see it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { converged, eventually, type TestNode, type World, withWorld } from '../support/daemons.js'
import { privateDht } from '../support/dht.js'
import { assertEqualTrees } from '../support/trees.js'

async function peersOf(node: TestNode): Promise<string[]> {
  return (await node.client.peers()).map(({ name }) => name).sort()
}

test('A-B-C with known_hosts only between neighbours becomes a mesh', async () => {
  await withWorld({}, async (world) => {
    const a = await world.node('a', { knows: ['b'] })
    const b = await world.node('b', { knows: [] })
    const c = await world.node('c', { knows: ['b'] })
    const nodes = [a, b, c]
    await Promise.all(nodes.map((node) => node.start()))
    a.write('from-a', 'a')
    c.write('from-c', 'c')
    await eventually('a and c are connected', async () => (await peersOf(a)).includes('c'))
    assert.deepEqual(await peersOf(a), ['b', 'c'])
    assert.deepEqual(await peersOf(c), ['a', 'b'])
    await converged(nodes)
    // And without the one in the middle, also after a restart: addresses are remembered.
    await b.stop()
    await a.restart()
    await eventually('a and c meet again', async () => (await peersOf(a)).includes('c'))
    a.write('without-b', 'x')
    await converged([a, c])
    assert.equal(c.read('without-b'), 'x')
  })
})

test('a chain passes on what it does not make itself: content of a, over b, to c that never meets a', async () => {
  await withWorld({}, async (world) => {
    const a = await world.node('a', { knows: ['b'] })
    const b = await world.node('b', { grade: 'read', knows: [] })
    const c = await world.node('c', { knows: ['b'] })
    await Promise.all([a.start(), b.start()])
    a.write('big', Buffer.alloc(3_000_000, 'content of a'))
    a.write('small', 'small')
    await converged([a, b])
    await a.stop()
    await c.start()
    await converged([b, c])
    assertEqualTrees([a.dir, b.dir, c.dir])
    // What c makes gets to a by way of the reader as well.
    c.write('from-c', 'c')
    await converged([b, c])
    await c.stop()
    await a.start()
    await eventually('it arrives', () => a.exists('from-c'))
    assert.equal(a.read('from-c'), 'c')
  })
})

test('devices find each other in a private DHT, without known_hosts', async () => {
  await withWorld({}, async (world) => {
    const bootstrap = await privateDht(world, 3)
    const options = { knows: [], config: { bootstrap }, share: { use_dht: true } }
    const nodes = await world.start(['a', 'b', 'c'], options)
    for (const node of nodes) node.write(`from-${node.name}`, node.name)
    for (const node of nodes)
      await eventually(`${node.name} finds the others`, async () => (await peersOf(node)).length === 2)
    await converged(nodes)
    assertEqualTrees(nodes.map(({ dir }) => dir))
    for (const node of nodes) assert.equal(await node.stop(), 0)
  })
})

test('devices find each other on the local network, loopback alone, without known_hosts', async () => {
  await withWorld({}, async (world) => {
    const nodes = await world.start(['a', 'b', 'c'], { knows: [], share: { search_lan: true } })
    for (const node of nodes) node.write(`from-${node.name}`, node.name)
    for (const node of nodes)
      await eventually(`${node.name} finds the others`, async () => (await peersOf(node)).length === 2)
    await converged(nodes)
    assertEqualTrees(nodes.map(({ dir }) => dir))
  })
})

test('status --wait: 0 in sync, 2 behind, 3 someone unreachable; a second daemon; SIGTERM', async () => {
  await withWorld({}, async (world) => {
    const nodes = await world.start(['a', 'b'])
    const [a, b] = nodes as [TestNode, TestNode]
    a.write('f', 'x')
    const wait = (node: TestNode, seconds: number): ReturnType<World['run']> =>
      world.run(['status', node.configFile, '--wait', '--timeout', String(seconds), '--json'])
    await eventually('each knows the other', async () => (await a.share()).members.length === 1)
    const inSync = await wait(a, 30)
    assert.equal(inSync.exit, 0, inSync.out + inSync.err)
    assert.equal(b.read('f'), 'x')

    // A reader that holds something else is behind.
    const behind = await world.node('behind', { grade: 'read' })
    await behind.start()
    await converged([a, b, behind])
    behind.write('f', 'the reader keeps its own version')
    await behind.client.settle()
    await eventually('a hears of it', async () =>
      (await a.share()).members.some(({ name, digestEqual }) => name === 'behind' && !digestEqual),
    )
    const late = await wait(a, 1)
    assert.equal(late.exit, 2, late.out)
    assert.equal(await behind.stop(), 0)
    await b.stop()
    const alone = await wait(a, 1)
    assert.equal(alone.exit, 3, alone.out)

    // Another daemon on the same storage path is told who holds it.
    const second = await world.run(['run', a.configFile])
    assert.notEqual(second.exit, 0)
    assert.match(second.err, new RegExp(`pid ${a.pid}\\b`))

    const before = performance.now()
    assert.equal(await a.stop(), 0)
    assert.ok(performance.now() - before < 5000)
    const down = await world.run(['status', a.configFile])
    assert.notEqual(down.exit, 0)
    // The kernel lets go of the lock however the daemon ended.
    await a.start()
    await a.kill()
    await a.start()
  })
})
