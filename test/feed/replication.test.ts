// Following, reading and re-serving feeds between stores.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { afterEach, beforeEach, test } from 'node:test'
import { ShoalError } from '../../src/core/error.js'
import { writerIdOf } from '../../src/core/ids.js'
import { feedKeyOf } from '../../src/feed/key.js'
import { blocks, join2, keyPairOf, own, reaches, remote, texts, turns, World } from './helpers.js'

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => world.close())

test('feed keys are frozen: the hash of a version 1 manifest with the one signer', async () => {
  assert.equal(
    feedKeyOf(Buffer.alloc(32, 7)).toString('hex'),
    '1e2eaa8bdea784f55baf7c2c4c84995d40463f2d8e1977d3737d6c2bc073b1f9',
  )
  const feed = await own(await world.store())
  assert.deepEqual(feed.key, feedKeyOf(keyPairOf(1).publicKey))
  assert.equal(feed.writer, writerIdOf(feed.key))
})

test('appends are read back in order, at home and by a follower', async () => {
  const mine = await own(await world.store())
  assert.equal(await mine.append(blocks('a', 'b', 'c')), 3)
  assert.deepEqual(await texts(mine, 0, 3), ['a', 'b', 'c'])
  const theirs = await remote(await world.store(), mine)
  await join2(world, mine, theirs)
  await reaches(theirs, 3)
  assert.deepEqual(await texts(theirs, 0, 3), ['a', 'b', 'c'])
  assert.equal(await theirs.has(0, 3), true)
})

test('a follower hears of appends while connected, over TCP', async () => {
  const mine = await own(await world.store())
  const theirs = await remote(await world.store(), mine)
  const [left, right] = await world.connectTcp()
  mine.replicate(left)
  theirs.replicate(right)
  const reading = texts(theirs, 0, 4)
  await mine.append(blocks('a', 'b'))
  await reaches(theirs, 2)
  await mine.append(blocks('c', 'd'))
  assert.deepEqual(await reading, ['a', 'b', 'c', 'd'])
})

test('a third store is served by the second when the writer is gone', async () => {
  const writerStore = await world.store()
  const mine = await own(writerStore)
  await mine.append(blocks('a', 'b', 'c'))
  const second = await remote(await world.store(), mine)
  await join2(world, mine, second)
  assert.deepEqual(await texts(second, 0, 3), ['a', 'b', 'c'])
  await writerStore.close()
  const third = await remote(await world.store(), mine)
  await join2(world, second, third)
  assert.deepEqual(await texts(third, 0, 3), ['a', 'b', 'c'])
})

test('blocks on disk and on the wire are encrypted: a wrong block key reads garbage', async () => {
  const mine = await own(await world.store())
  await mine.append(blocks('a record'))
  const theirs = await (await world.store()).openRemote({ feedKey: mine.key, blockKey: Buffer.alloc(32, 9) })
  await join2(world, mine, theirs)
  assert.notDeepEqual(await texts(theirs, 0, 1), ['a record'])
})

test('F3: a follower reads from a checkpoint though the blocks before it are cleared everywhere', async () => {
  const mine = await own(await world.store())
  await mine.append(blocks('a', 'b', 'checkpoint', 'd'))
  await mine.clear(0, 2)
  const theirs = await remote(await world.store(), mine)
  await join2(world, mine, theirs)
  assert.deepEqual(await texts(theirs, 2, 4), ['checkpoint', 'd'])
  assert.equal(await theirs.has(0, 1), false)
})

test('F7: the bounds on peers leave a long feed alone', async () => {
  const mine = await own(await world.store())
  const contents = Array.from({ length: 3000 }, (_, index) => `record ${index}`)
  await mine.append(blocks(...contents))
  const theirs = await remote(await world.store(), mine)
  const [left] = await join2(world, mine, theirs)
  assert.deepEqual(await texts(theirs, 0, 3000), contents)
  assert.equal(left.stream.destroyed, false)
})

test('reading waits for peers and ends with the reason of an abort', async () => {
  const mine = await own(await world.store())
  await mine.append(blocks('a'))
  const theirs = await remote(await world.store(), mine)
  await join2(world, mine, theirs)
  const controller = new AbortController()
  const seen: string[] = []
  const reading = (async () => {
    for await (const { block } of theirs.read(0, 5, { signal: controller.signal })) {
      seen.push(block.toString())
      controller.abort(new Error('enough'))
    }
  })()
  await assert.rejects(reading, /enough/)
  assert.deepEqual(seen, ['a'])
  const waiting = texts(theirs, 1, 2, AbortSignal.abort(new Error('at once')))
  await assert.rejects(waiting, /at once/)
  // What was cancelled does not stand in the way of reading again.
  const again = texts(theirs, 0, 2)
  await mine.append(blocks('b'))
  assert.deepEqual(await again, ['a', 'b'])
})

test('closing ends readings that wait, and never lets them look complete', async () => {
  const mine = await own(await world.store())
  const theirs = await remote(await world.store(), mine)
  const first = texts(theirs, 0, 1)
  const second = texts(mine, 0, 3)
  await turns(3)
  const rejected = [first, second].map((reading) =>
    assert.rejects(reading, (error) => error instanceof ShoalError && error.code === 'IO'),
  )
  await Promise.all([theirs.close(), mine.close()])
  await Promise.all(rejected)
  assert.throws(() => theirs.replicate({ userData: {} }), /closed/)
  await assert.rejects(mine.append(blocks('x')), /closed/)
})

test('a feed can be closed and opened again, also while peers are connected', async () => {
  const store = await world.store()
  const mine = await own(store)
  await mine.append(blocks('a'))
  const followerStore = await world.store()
  let theirs = await remote(followerStore, mine)
  const [left, right] = await join2(world, mine, theirs)
  await reaches(theirs, 1)
  await assert.rejects(remote(followerStore, mine), /opened once/)
  for (let round = 2; round <= 5; round++) {
    await theirs.close()
    theirs = await remote(followerStore, mine)
    theirs.replicate(right)
    await mine.append(blocks('more'))
    await reaches(theirs, round)
  }
  assert.equal((await texts(theirs, 0, 5)).length, 5)
  assert.equal(left.stream.destroyed, false)
})

test('D3: many feeds and reconnections leave no listeners behind', async () => {
  const store = await world.store()
  const followerStore = await world.store()
  const feeds = []
  const followers = []
  for (let seed = 1; seed <= 20; seed++) {
    const feed = await own(store, seed)
    await feed.append(blocks(`feed ${seed}`))
    feeds.push(feed)
    followers.push(await remote(followerStore, feed))
  }
  const [left, right] = await world.connect()
  const before = left.stream.listenerCount('close')
  for (const feed of feeds) {
    feed.replicate(left)
    feed.replicate(left)
  }
  for (const follower of followers) follower.replicate(right)
  await Promise.all(followers.map((follower) => reaches(follower, 1)))
  assert.equal(left.stream.listenerCount('close'), before + feeds.length)
  await Promise.all(feeds.slice(0, 10).map((feed) => feed.close()))
  assert.equal(left.stream.listenerCount('close'), before + 10)
  const gone = once(left.stream, 'close')
  left.stream.destroy()
  await gone
  assert.equal(left.stream.listenerCount('close'), before)
  // The rest goes on over a second connection.
  for (const [index, feed] of feeds.entries()) {
    if (index < 10) continue
    await join2(world, feed, followers[index]!)
    await feed.append(blocks('again'))
    await reaches(followers[index]!, 2)
  }
})

test('X7: a peer that asks for a feed that is not replicated with it gets nothing', async () => {
  const store = await world.store()
  const shown = await own(store, 1)
  const hidden = await own(store, 2)
  await hidden.append(blocks('not for you'))
  await shown.append(blocks('for you'))
  const peerStore = await world.store()
  const wanted = await remote(peerStore, hidden)
  const allowed = await remote(peerStore, shown)
  const [left, right] = await world.connect()
  shown.replicate(left)
  wanted.replicate(right)
  allowed.replicate(right)
  await reaches(allowed, 1)
  assert.deepEqual(await texts(allowed, 0, 1), ['for you'])
  assert.equal(wanted.length, 0)
  assert.equal(left.mux.opened({ protocol: 'hypercore/alpha', id: hidden.discoveryKey }), false)
  // Even a raw request for the discovery key is rejected.
  const channel = right.mux.createChannel({
    protocol: 'hypercore/alpha',
    id: Buffer.from(hidden.discoveryKey).fill(0, 31),
    onclose: () => refused(),
  })
  let refused = (): void => {}
  const refusal = new Promise<void>((resolve) => {
    refused = resolve
  })
  channel?.open()
  await refusal
  assert.equal(left.stream.destroyed, false)
})

test('the store opens remote feeds it has kept, without peers', async () => {
  const directory = await world.directory()
  const mine = await own(await world.store())
  await mine.append(blocks('a', 'b'))
  const store = await world.store({ directory })
  const theirs = await remote(store, mine)
  await join2(world, mine, theirs)
  await texts(theirs, 0, 2)
  await store.close()
  const again = await remote(await world.store({ directory }), mine)
  assert.equal(again.length, 2)
  assert.deepEqual(await texts(again, 0, 2), ['a', 'b'])
})
