// The store itself: its lock, its guard against copies (F4), and what it keeps.
import assert from 'node:assert/strict'
import { cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { ShoalError } from '../../src/core/error.js'
import { blocks, keyPairOf, own, texts, World } from './helpers.js'

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => world.close())

async function directoryWithFeed(): Promise<string> {
  const directory = await world.directory()
  const { store, moved, created } = await world.open({ directory })
  assert.deepEqual({ moved, created }, { moved: false, created: true })
  await (await own(store)).append(blocks('a', 'b'))
  await store.close()
  return directory
}

test('a store opens again unmoved, with its feeds', async () => {
  const directory = await directoryWithFeed()
  const { store, moved, created } = await world.open({ directory })
  assert.deepEqual({ moved, created }, { moved: false, created: false })
  const feed = await own(store)
  assert.deepEqual(await texts(feed, 0, 2), ['a', 'b'])
  assert.equal(await feed.append(blocks('c')), 3)
})

test('F4 S1: a copied store is reported as moved until that is settled', async () => {
  const directory = await directoryWithFeed()
  const copy = await world.directory()
  await rm(copy, { recursive: true })
  await cp(directory, copy, { recursive: true })
  for (let round = 0; round < 2; round++) {
    const { store, moved } = await world.open({ directory: copy })
    assert.equal(moved, true)
    await store.close()
  }
  const { store } = await world.open({ directory: copy })
  await store.settleMove()
  await store.close()
  const after = await world.open({ directory: copy })
  assert.equal(after.moved, false)
  assert.equal((await own(after.store)).length, 2)
  await after.store.close()
  // The original was not touched by any of this.
  assert.equal((await world.open({ directory })).moved, false)
})

test('F4 S1: a store whose guard was deleted, or that was repaired with loss, counts as moved', async () => {
  const directory = await directoryWithFeed()
  await rm(join(directory, 'cores', 'CORESTORE'))
  assert.equal((await world.open({ directory })).moved, true)
  const other = await directoryWithFeed()
  await writeFile(join(other, 'cores', 'db', 'RECOVERING'), '')
  assert.equal((await world.open({ directory: other })).moved, true)
})

test('a store is open once: the second opener is told that it is locked', async () => {
  const directory = await directoryWithFeed()
  const { store } = await world.open({ directory })
  await assert.rejects(
    world.open({ directory }),
    (error) => error instanceof ShoalError && error.code === 'STORAGE_LOCKED',
  )
  assert.equal(await (await own(store)).append(blocks('c')), 3)
  await store.close()
  assert.equal((await world.open({ directory })).moved, false)
})

test('a directory that cannot be a store is unusable', async () => {
  const directory = await world.directory()
  await writeFile(join(directory, 'file'), '')
  await assert.rejects(
    world.open({ directory: join(directory, 'file') }),
    (error) => error instanceof ShoalError && error.code === 'STORAGE_UNUSABLE',
  )
})

test('S3: secret keys are nowhere in the store, and the directory is private', async () => {
  const directory = await directoryWithFeed()
  assert.equal((await stat(join(directory, 'cores'))).mode & 0o77, 0)
  const secret = keyPairOf(1).secretKey.subarray(0, 32)
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const bytes = await readFile(join(entry.parentPath, entry.name))
    assert.equal(bytes.includes(secret), false, entry.name)
  }
})

test('closing the store closes its feeds, twice is once, and nothing opens afterwards', async () => {
  const store = await world.store()
  const feed = await own(store)
  const opening = own(store, 2)
  const closed: string[] = []
  feed.on('close', () => closed.push('feed'))
  await Promise.all([store.close(), store.close()])
  assert.deepEqual(closed, ['feed'])
  assert.equal(feed.closed, true)
  assert.equal((await opening).closed, true)
  await assert.rejects(own(store), /closed/)
})
