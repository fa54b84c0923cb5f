// A feed is checked as it lies in the storage: its signature, every block, and where not.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import Hypercore from 'hypercore'
import CoreStorage from 'hypercore-storage'
import { feedKeyPairOf } from '../../src/core/device.js'
import type { ShareId } from '../../src/core/ids.js'
import { discoveryKeyOf } from '../../src/feed/discovery.js'
import { FeedStore } from '../../src/feed/store.js'
import { type CheckedFeed, FeedChecker } from '../../src/feed/verify.js'
import { silentLog } from '../../src/ports/log.js'

const KEYS = feedKeyPairOf(Buffer.alloc(32, 3), 'ab'.repeat(32) as ShareId, 0)
const BLOCK_KEY = Buffer.alloc(32, 4)
const BLOCKS = 37

let directory: string
let feedKey: Buffer

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'shoal-verify-'))
  const { store } = await FeedStore.open(directory, { log: silentLog })
  const feed = await store.openOwn({ keyPair: KEYS, blockKey: BLOCK_KEY })
  feedKey = Buffer.from(feed.key)
  for (let i = 0; i < BLOCKS; i++) await feed.append([Buffer.from(`block ${i}`)])
  await store.close()
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

async function check(
  said: (index: number, block: string) => string | undefined = () => undefined,
): Promise<CheckedFeed> {
  const checker = await FeedChecker.open(directory)
  try {
    return await checker.check({ feedKey, blockKey: BLOCK_KEY }, (index, block) =>
      said(index, block.toString()),
    )
  } finally {
    await checker.close()
  }
}

/** Writes into the storage what no writer has signed. */
async function damage(body: (tx: Writing) => void): Promise<void> {
  const storage = new CoreStorage(join(directory, 'cores'), {})
  await storage.ready()
  const core = Hypercore.createCore(storage, {
    key: feedKey,
    discoveryKey: discoveryKeyOf(feedKey),
    compat: false,
    eagerUpgrade: true,
  })
  await core.ready()
  const tx = (core.state.storage as unknown as { write(): Writing & { flush(): Promise<void> } }).write()
  body(tx)
  await tx.flush()
  await core.close()
  await storage.close()
}

interface Writing {
  putBlock(index: number, block: Buffer): void
  deleteBlock(index: number): void
  putTreeNode(node: { index: number; size: number; hash: Buffer }): void
}

test('a feed that is as its writer signed it holds, block by block', async () => {
  const read: string[] = []
  const checked = await check((index, block) => {
    read.push(`${index} ${block}`)
    return undefined
  })
  assert.deepEqual(checked, { length: BLOCKS, blocks: BLOCKS, faults: [] })
  assert.deepEqual(
    [read[0], read.at(-1), read.length],
    ['0 block 0', `${BLOCKS - 1} block ${BLOCKS - 1}`, BLOCKS],
  )
})

test('what the reader finds wrong with a block is a fault of it', async () => {
  const { faults } = await check((index) => (index === 5 ? 'no record' : undefined))
  assert.deepEqual(faults, [{ block: 5, what: 'no record' }])
})

test('another block in a block’s place is found there, and nowhere else', async () => {
  await damage((tx) => tx.putBlock(11, Buffer.from('0123456 another')))
  const { faults, blocks } = await check()
  assert.equal(blocks, BLOCKS)
  assert.deepEqual(faults, [{ block: 11, what: 'it is not the block that was signed' }])
})

test('blocks that were moved are found in both places', async () => {
  await damage((tx) => {
    tx.putBlock(20, Buffer.from('x'))
    tx.putBlock(36, Buffer.from('y'))
  })
  assert.deepEqual(
    (await check()).faults.map(({ block }) => block),
    [20, 36],
  )
})

test('a changed hash in the tree is found below the signature', async () => {
  await damage((tx) => tx.putTreeNode({ index: 7, size: 8 * 15, hash: Buffer.alloc(32, 1) }))
  const { faults } = await check()
  assert.ok(faults.length > 0)
  assert.ok(
    faults.every(({ what }) => /not the block that was signed|not signed/.test(what)),
    JSON.stringify(faults),
  )
})

test('blocks that are not here are no fault, and counted', async () => {
  await damage((tx) => {
    for (let i = 0; i < 10; i++) tx.deleteBlock(i)
  })
  const checked = await check()
  assert.deepEqual([checked.blocks, checked.faults], [BLOCKS - 10, []])
})

test('a feed that is not in the storage is a fault, and nothing is written for it', async () => {
  const checker = await FeedChecker.open(directory)
  const { faults, length } = await checker.check(
    { feedKey: Buffer.alloc(32, 8), blockKey: BLOCK_KEY },
    () => undefined,
  )
  await checker.close()
  assert.equal(length, 0)
  assert.ok(faults.length <= 1)
})
