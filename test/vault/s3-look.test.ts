// What a bucket has lost under a node that runs (S5): it counts no longer, what is in the spool still is sent again, and what
// only looks lost is kept.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { blake3 } from '../../src/core/hash.js'
import type { ShareId } from '../../src/core/ids.js'
import { silentLog } from '../../src/ports/log.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { packName } from '../../src/vault/pack-storage.js'
import type { BucketObject } from '../../src/vault/s3/bucket.js'
import { type BucketHealth, S3Storage } from '../../src/vault/s3/s3-storage.js'
import { type Damaged, Vault } from '../../src/vault/vault.js'
import { MemoryBucket } from '../support/memory-bucket.js'
import { until } from '../support/until.js'

const [PACK_1, PACK_2] = [packName(1), packName(2)]

let root: string
let bucket: MemoryBucket
let nowMs: number
let health: BucketHealth
let storage: S3Storage

beforeEach(async () => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-look-'))
  bucket = new MemoryBucket()
  nowMs = 0
  health = { type: 'well' }
  storage = await S3Storage.open({
    ...{ bucket, spoolDir: path.join(root, 'spool'), log: silentLog, nowMs: () => nowMs },
    onHealth: (now) => {
      health = now
    },
  })
})
afterEach(async () => {
  await storage.close()
  fs.rmSync(root, { recursive: true, force: true })
})

async function sealed(name: string, text: string): Promise<void> {
  await storage.append(name, [Buffer.from(text)])
  await storage.seal(name)
  await storage.flush()
}

const names = async (): Promise<string[]> => (await storage.list()).map(({ name }) => name).sort()
const cut = (key: string, bytes: number): void => {
  const { bytes: all, tag } = bucket.objects.get(key)!
  bucket.objects.set(key, { bytes: all.subarray(0, bytes), tag })
}

describe('a look into a bucket', () => {
  it('finds what somebody has deleted or cut there, and no more', async () => {
    for (const [i, text] of ['one', 'two', 'three', 'four'].entries()) await sealed(packName(i + 1), text)
    await storage.look()
    assert.equal((await names()).length, 4)
    bucket.objects.delete(`packs/${packName(2)}`)
    cut(`packs/${packName(3)}`, 4)
    await storage.look()
    assert.equal((await names()).length, 4, 'it was looked at a moment ago')
    nowMs += 10_000
    await storage.look()
    assert.deepEqual(await names(), [packName(1), packName(4)])
  })

  it('is one for all who ask at the same time, and fails for all of them', async () => {
    await sealed(PACK_1, 'one')
    let listings = 0
    const list = bucket.list.bind(bucket)
    bucket.list = (start) => {
      listings++
      return list(start)
    }
    await Promise.all([storage.look(), storage.look(), storage.look()])
    assert.equal(listings, 1)
    await storage.look()
    assert.equal(listings, 1, 'nor soon after it')
    nowMs += 10_000
    bucket.isDown = true
    const looks = await Promise.allSettled([storage.look(), storage.look()])
    assert.deepEqual(
      looks.map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    bucket.isDown = false
    await until('it is met again', () => health.type === 'well')
    listings = 0
    await storage.look()
    assert.equal(listings, 1, 'a look that failed is no answer')
  })

  it('sends again what is here', async () => {
    await storage.append(PACK_1, [Buffer.from('grows')])
    await storage.flush()
    bucket.objects.delete(`packs/${PACK_1}`)
    await storage.look()
    assert.deepEqual(await names(), [PACK_1])
    await storage.flush()
    assert.equal(String(bucket.objects.get(`packs/${PACK_1}`)?.bytes), 'grows')
  })

  it('asks for what a listing leaves out', async () => {
    await sealed(PACK_1, 'one')
    bucket.list = async (): Promise<BucketObject[]> => []
    await storage.look()
    assert.deepEqual(await names(), [PACK_1])
  })

  it('takes a removal under way for no loss', async () => {
    await sealed(PACK_1, 'one')
    await sealed(PACK_2, 'two')
    const listed = bucket.list.bind(bucket)
    bucket.list = async (start) => {
      await storage.remove(PACK_1)
      await storage.flush()
      return listed(start)
    }
    await storage.look()
    assert.deepEqual(await names(), [PACK_2])
  })

  it('forgets nothing where all is gone, or is another one now', async () => {
    await sealed(PACK_1, 'one')
    bucket.objects.clear()
    await assert.rejects(storage.look(), { code: 'IO', message: /not in s3:\/\/memory\/vault any more/ })
    assert.deepEqual(await names(), [PACK_1])
    await bucket.putSmall('owner', Buffer.from('somebody else'))
    await assert.rejects(storage.look(), { code: 'BUCKET_REFUSED', message: /another node/ })
    assert.deepEqual(await names(), [PACK_1])
  })

  it('says that nobody answers, as the health does, and knows nothing by it', async () => {
    await sealed(PACK_1, 'one')
    bucket.isDown = true
    await assert.rejects(storage.look(), { code: 'BUCKET_UNREACHABLE' })
    assert.equal(health.type, 'failing')
    assert.deepEqual(await names(), [PACK_1])
    await assert.rejects(storage.look(), { code: 'BUCKET_UNREACHABLE' })
    bucket.isDown = false
    await until('it is met again', () => health.type === 'well')
    bucket.objects.delete(`packs/${PACK_1}`)
    await storage.look()
    assert.deepEqual(await names(), [])
  })
})

it('a vault in a bucket forgets what was deleted there once it is looked at, and takes it again', async () => {
  const pieces = Array.from({ length: 40 }, (_, i) => Buffer.alloc(1000, `piece ${i} `)).map((bytes) => ({
    ...{ id: blake3(bytes), bytes },
  }))
  const damaged: Damaged[] = []
  const vault = await Vault.open({
    ...{ storage, shareId: 'ab'.repeat(32) as ShareId, database: new MemoryDatabase(), log: silentLog },
    ...{ packBytes: 10_000, reserveBytes: 0, onDamaged: (each: Damaged) => damaged.push(each) },
  })
  await vault.add({ pieces })
  await storage.flush()
  await vault.look()
  assert.deepEqual(damaged, [])
  bucket.objects.delete(`packs/${PACK_2}`)
  nowMs += 10_000
  await vault.look()
  assert.ok(damaged.length > 5 && damaged.length < 12, `${damaged.length} of 40`)
  const lost = pieces.filter(({ id }) => !vault.has(id))
  assert.equal(lost.length, damaged.length)
  await vault.add({ pieces: lost })
  assert.ok((await vault.read(pieces.map(({ id }) => id))).every((bytes) => bytes !== null))
})
