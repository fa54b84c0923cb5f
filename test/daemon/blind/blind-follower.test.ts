// A blind node's follower over a feed in memory: what fails for a while is tried again.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { it } from 'node:test'
import { deviceIdFromKey, writerIdOf } from '../../../src/core/ids.js'
import { decodePublicPart } from '../../../src/core/record.js'
import { keysOf } from '../../../src/core/secret.js'
import { BlindFollower, type FollowedFeed } from '../../../src/daemon/blind/blind-follower.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import { silentLog } from '../../../src/ports/log.js'
import { BlindIndex } from '../../../src/store/blind-index.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import { join2, World } from '../../feed/helpers.js'
import { PastWorld } from '../../support/past-world.js'
import { Blocks, KEYS } from '../share/support.js'

it('a feed that cannot be read for a while goes on when it can; an index that cannot be written ends it all', async () => {
  // The timer that is tried here keeps no process alive.
  const alive = setInterval(() => {}, 1000)
  const index = new BlindIndex(new MemoryDatabase(), 'x:')
  const key = KEYS[1]!
  const writer = writerIdOf(key)
  const device = deviceIdFromKey(Buffer.alloc(32, 10))
  const row = index.feeds.add({
    writer,
    key,
    device,
    deviceName: 'box',
    epoch: 0,
    certificate: Buffer.alloc(0),
  })
  const blocks = new Blocks(key)
  const add = (timeMs: number): void => {
    const header = { kind: 'delta', timeMs, view: [], checkpoint: undefined } as const
    blocks.add({ header, announcements: [], entries: [] })
  }
  for (let i = 0; i < 3; i++) add(i)
  const problems = new ProblemBook(() => 7)
  const failures: unknown[] = []
  let isFull = false
  const exported = async (from: number): Promise<unknown> => ({
    head: {},
    blocks: (async function* () {
      for await (const { index: at, block } of read(from, blocks.length))
        yield { writer, index: at, bytes: block }
    })(),
  })
  const read = blocks.read.bind(blocks)
  const seen: string[] = []
  let fails = 2
  const reading = async function* (from: number, to: number): ReturnType<typeof read> {
    seen.push(problems.list()[0]?.code ?? 'none')
    if (fails-- > 0) throw Object.assign(new Error('Input/output error'), { code: 'EIO' })
    yield* read(from, to)
  }
  const feed = Object.assign(blocks, { export: exported, read: reading }) as unknown as FollowedFeed
  let whole: () => void = () => {}
  const ended = new Promise<void>((resolve) => {
    whole = resolve
  })
  const follower = new BlindFollower(row, {
    ...{ index, feed, problems, log: silentLog, retryMs: 1 },
    takeOver: (of, at, part) => {
      if (isFull) throw Object.assign(new Error('No space left on device'), { code: 'ENOSPC' })
      index.takeOver(of, at, part)
    },
    fail: (thrown) => {
      failures.push(thrown)
      whole()
    },
    store: async () => undefined,
    onProgress: () => {
      if (!isFull && index.storedBlocks(row.number) === 3) whole()
    },
  })
  follower.start()
  await ended
  isFull = true
  const failed = new Promise<void>((resolve) => {
    whole = resolve
  })
  add(3)
  await failed
  await follower.stop()
  clearInterval(alive)
  assert.deepEqual(seen.slice(0, 3), ['none', 'FEED_UNREADABLE', 'FEED_UNREADABLE'])
  assert.equal(index.feeds.byWriter(writer)?.next, 3)
  assert.deepEqual(problems.list(), [])
  assert.match(String(failures), /No space left/)
})

it('blocks that are lost here are waited for, once, while what comes is stored; then all of it counts', async () => {
  const home = fs.mkdtempSync(path.join(tmpdir(), 'shoal-follower-'))
  const world = new World()
  const past = await PastWorld.make(41, home, 1)
  try {
    const { feed: own, certificate } = past.writers[0]!
    const publish = async (name: string): Promise<void> => {
      fs.writeFileSync(path.join(past.dir, name), name)
      await past.publish(0)
    }
    for (let i = 0; i < 30; i++) await publish(`f${i}`)
    const carried = (await own.export())!
    const blocks = []
    for await (const block of carried.blocks) if (block.index !== 7) blocks.push(block)
    const { size, hash } = (await own.leaves(7, 8))![0]!
    const store = await world.store()
    const leaves = { get: (at: number) => (at === 7 ? { size, hash } : undefined) }
    await store.adopt({ feedKey: own.key, head: carried.head, blocks, leaves })
    const feed = await store.openRemote({ feedKey: own.key, blockKey: keysOf(past.secret).feedBlockKey })

    // Its index knows all of it, and its vault all but that one.
    const index = new BlindIndex(new MemoryDatabase(), 'x:')
    const device = deviceIdFromKey(Buffer.alloc(32, 10))
    const row = index.feeds.add({
      ...{ writer: own.writer, key: own.key, device, deviceName: 'box', epoch: 0, certificate },
    })
    for await (const { index: at, block } of own.read(0, 30)) {
      const part = decodePublicPart(block)
      assert.equal(part.type, 'ok')
      if (part.type === 'ok') index.takeOver(index.feeds.byWriter(own.writer)!, at, part.value)
    }
    index.setStoredBlocks(row.number, 7)
    const stored: number[] = []
    let exports = 0
    let told: () => void = () => undefined
    const until = async (isSo: () => boolean): Promise<void> => {
      while (!isSo())
        await new Promise<void>((resolve) => {
          told = resolve
        })
    }
    const counting: FollowedFeed = Object.assign(Object.create(feed) as FollowedFeed, {
      on: feed.on.bind(feed),
      read: feed.read.bind(feed),
      export: (from?: number) => {
        exports++
        return feed.export(from)
      },
    })
    Object.defineProperty(counting, 'length', { get: () => feed.length })
    const follower = new BlindFollower(row, {
      ...{ index, feed: counting, problems: new ProblemBook(() => 7), log: silentLog, retryMs: 1 },
      takeOver: (of, at, part) => index.takeOver(of, at, part),
      fail: (thrown) => assert.fail(String(thrown)),
      store: async ({ blocks: some = [] }) => {
        stored.push(...some.map(({ index: at }) => at))
        told()
      },
      onProgress: () => told(),
    })
    follower.start()
    await until(() => stored.length === 22)
    // Turns enough for whoever would go round and round.
    for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve))
    assert.ok(exports <= 2, `stored ${exports} times`)
    assert.equal(follower.isBehind, true)
    assert.equal(index.storedBlocks(row.number), 7)

    await join2(world, feed, own)
    await until(() => index.storedBlocks(row.number) === 30)
    assert.equal(follower.isBehind, false)
    await publish('later')
    await until(() => index.storedBlocks(row.number) === 31)
    assert.deepEqual(
      [...new Set(stored)].sort((a, b) => a - b),
      Array.from({ length: 24 }, (_, i) => i + 7),
    )
    await follower.stop()
  } finally {
    await world.close()
    await past.close()
    fs.rmSync(home, { recursive: true, force: true })
  }
})

it('what is lost beside the blocks while something is stored is looked for once that is done', async () => {
  const index = new BlindIndex(new MemoryDatabase(), 'x:')
  const key = KEYS[1]!
  const device = deviceIdFromKey(Buffer.alloc(32, 10))
  const row = index.feeds.add({
    ...{ writer: writerIdOf(key), key, device, deviceName: 'box', epoch: 0, certificate: Buffer.alloc(0) },
  })
  const blocks = new Blocks(key)
  const header = { kind: 'delta', timeMs: 1, view: [], checkpoint: undefined } as const
  blocks.add({ header, announcements: [], entries: [] })
  const exported = async (from: number): Promise<unknown> => ({
    head: { length: 1 },
    blocks: (async function* () {
      for await (const { index: at, block } of blocks.read(from, 1))
        yield { writer: row.writer, index: at, bytes: block }
    })(),
  })
  let looks = 0
  let told: () => void = () => undefined
  const twice = new Promise<void>((resolve) => {
    told = resolve
  })
  let isLost = false
  const follower: BlindFollower = new BlindFollower(row, {
    ...{ index, problems: new ProblemBook(() => 7), log: silentLog },
    feed: Object.assign(blocks, { export: exported }) as unknown as FollowedFeed,
    takeOver: (of, at, part) => index.takeOver(of, at, part),
    fail: (thrown) => assert.fail(String(thrown)),
    leaves: {
      lost: () => undefined,
      due: async function* () {
        if (++looks === 2) told()
        yield []
      },
    },
    store: async () => {
      if (isLost) return
      isLost = true
      follower.lostLeaves()
    },
    onProgress: () => undefined,
  })
  follower.start()
  const alive = setInterval(() => undefined, 1000)
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error('it was not looked for')), 5000).unref()
  })
  await Promise.race([twice, late]).finally(() => clearInterval(alive))
  await follower.stop()
})

it('blocks that the vault loses while something is stored are stored again', async () => {
  const index = new BlindIndex(new MemoryDatabase(), 'x:')
  const key = KEYS[1]!
  const device = deviceIdFromKey(Buffer.alloc(32, 10))
  const row = index.feeds.add({
    ...{ writer: writerIdOf(key), key, device, deviceName: 'box', epoch: 0, certificate: Buffer.alloc(0) },
  })
  const blocks = new Blocks(key)
  const header = { kind: 'delta', timeMs: 1, view: [], checkpoint: undefined } as const
  for (let i = 0; i < 3; i++) blocks.add({ header, announcements: [], entries: [] })
  const exported = async (from: number): Promise<unknown> => ({
    head: { length: blocks.length },
    blocks: (async function* () {
      for await (const { index: at, block } of blocks.read(from, blocks.length))
        yield { writer: row.writer, index: at, bytes: block }
    })(),
  })
  const inVault = new Set<number>()
  let onStored: () => void = () => undefined
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo())
      await new Promise<void>((resolve) => {
        onStored = resolve
      })
  }
  let loses = 0
  let stores = 0
  const follower: BlindFollower = new BlindFollower(row, {
    ...{ index, problems: new ProblemBook(() => 7), log: silentLog },
    feed: Object.assign(blocks, { export: exported }) as unknown as FollowedFeed,
    takeOver: (of, at, part) => index.takeOver(of, at, part),
    fail: (thrown) => assert.fail(String(thrown)),
    // A pack went: what is written after that is there, and what stood in the pack is told (keeping.ts).
    store: async ({ blocks: some = [] }) => {
      stores++
      for (const { index: at } of some) inVault.add(at)
      if (loses-- <= 0) return
      inVault.delete(1)
      if (index.storedBlocks(row.number) > 1) index.setStoredBlocks(row.number, 1)
      follower.lost(1)
    },
    onProgress: () => onStored(),
  })
  follower.start()
  await until(() => !follower.isBehind)
  assert.deepEqual([...inVault], [0, 1, 2])

  loses = 1
  blocks.add({ header, announcements: [], entries: [] })
  follower.wake()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`in the vault: ${[...inVault]}`)), 5000)
  })
  await Promise.race([until(() => inVault.size === 4 && !follower.isBehind), late])
  clearTimeout(timer)
  assert.equal(index.storedBlocks(row.number), 4)

  // A disk that loses all that it takes is not written to round and round.
  const before = stores
  loses = Number.POSITIVE_INFINITY
  blocks.add({ header, announcements: [], entries: [] })
  follower.wake()
  for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(stores - before <= 3, `stored ${stores - before} times`)
  assert.equal(follower.isBehind, true)
  await follower.stop()
})
