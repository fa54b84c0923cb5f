// Packs in a bucket (src/vault/s3): what was promised survives outages, restarts at any moment and a lost spool (S1-S4).
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { ShoalError } from '../../src/core/error.js'
import { silentLog } from '../../src/ports/log.js'
import { packName } from '../../src/vault/pack-storage.js'
import type { Bucket } from '../../src/vault/s3/bucket.js'
import { type BucketHealth, S3Storage } from '../../src/vault/s3/s3-storage.js'
import { MemoryBucket } from '../support/memory-bucket.js'
import { awsBucket, startS3Server, useServer } from '../support/s3-server.js'

const [PACK_1, PACK_2, PACK_3] = [packName(1), packName(2), packName(3)]

let root: string
let bucket: MemoryBucket
const opened: S3Storage[] = []

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-spool-'))
  bucket = new MemoryBucket()
})
afterEach(async () => {
  for (const storage of opened.splice(0)) await storage.close()
  fs.rmSync(root, { recursive: true, force: true })
})

interface OpenOptions {
  readonly at?: Bucket
  readonly spool?: string
  readonly maxSpoolBytes?: number
  readonly onHealth?: (health: BucketHealth) => void
  readonly nowMs?: () => number
}

async function open({ at = bucket, spool = 'spool', ...rest }: OpenOptions = {}): Promise<S3Storage> {
  const storage = await S3Storage.open({
    bucket: at,
    spoolDir: path.join(root, spool),
    log: silentLog,
    ...rest,
  })
  opened.push(storage)
  return storage
}

async function openReadOnly(at: Bucket = bucket): Promise<S3Storage> {
  const storage = await S3Storage.open({ bucket: at, spoolDir: undefined, log: silentLog })
  opened.push(storage)
  return storage
}

/** Everything that a storage holds, as text. */
async function contentOf(storage: S3Storage): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const { name, bytes } of await storage.list())
    found[name] = (await storage.read(name, 0, bytes)).toString()
  return found
}

const b = (text: string): Buffer[] => [Buffer.from(text)]
const spooled = (spool = 'spool'): string[] =>
  ['open', 'sealed', 'removed'].flatMap((folder) =>
    fs.readdirSync(path.join(root, spool, folder)).map((name) => `${folder}/${name}`),
  )

describe('packs in a bucket', () => {
  it('are here until the bucket has them, and there alone after (S1)', async () => {
    const storage = await open()
    await storage.append(PACK_1, b('one '))
    await storage.append(PACK_1, b('two'))
    assert.deepEqual(spooled(), ['open/00000001.pack'])
    assert.deepEqual(bucket.done, ['put owner'])
    await storage.seal(PACK_1)
    await storage.append(PACK_2, b('three'))
    await storage.flush()
    assert.deepEqual(spooled(), ['open/00000002.pack'], 'what still grows stays here, too')
    assert.deepEqual(await contentOf(storage), { [PACK_1]: 'one two', [PACK_2]: 'three' })
    assert.deepEqual(await contentOf(await openReadOnly()), { [PACK_1]: 'one two', [PACK_2]: 'three' })
    assert.equal(storage.spooled?.waitingBytes, 0)
  })

  it('are removed only when the bucket has what was added before (S2)', async () => {
    const storage = await open()
    await storage.append(PACK_1, b('alive dead'))
    await storage.seal(PACK_1)
    await storage.flush()
    await storage.append(PACK_2, b('alive'))
    await storage.remove(PACK_1)
    // Its copy is moved again before it was ever sent: the original still has to wait.
    await storage.append(PACK_3, b('alive'))
    await storage.remove(PACK_2)
    assert.deepEqual(await contentOf(storage), { [PACK_3]: 'alive' })
    await assert.rejects(storage.read(PACK_1, 0, 5), { code: 'NOT_FOUND' })
    bucket.done.length = 0
    await storage.flush()
    assert.deepEqual(bucket.done, [
      'put packs/00000003.pack',
      'remove packs/00000002.pack',
      'remove packs/00000001.pack',
    ])
    assert.deepEqual(spooled(), ['open/00000003.pack'])
  })

  it('are removed in that order also after a restart between', async () => {
    const first = await open()
    await first.append(PACK_1, b('alive dead'))
    await first.seal(PACK_1)
    await first.flush()
    bucket.isDown = true
    await first.append(PACK_2, b('alive'))
    await first.remove(PACK_1)
    await first.close()
    const second = await open()
    assert.deepEqual(await contentOf(second), { [PACK_2]: 'alive' })
    bucket.isDown = false
    bucket.done.length = 0
    await second.flush()
    assert.deepEqual(bucket.done.slice(-2), ['put packs/00000002.pack', 'remove packs/00000001.pack'])
  })

  it('may be removed while they are sent: the bucket is well, and what is left is sent', async () => {
    const seen: string[] = []
    const storage = await open({ onHealth: ({ type }) => seen.push(type) })
    let removing: Promise<void> | undefined
    bucket.before = async (what) => {
      if (what !== `put packs/${PACK_1}` || removing !== undefined) return
      // As compaction does it, beside the courier.
      removing = storage.remove(PACK_1)
      await removing
    }
    await storage.append(PACK_1, [Buffer.from('one')])
    await storage.seal(PACK_1)
    await storage.append(PACK_2, [Buffer.from('two')])
    await storage.flush()
    assert.notEqual(removing, undefined)
    assert.deepEqual(seen, [])
    assert.deepEqual(await contentOf(await openReadOnly()), { [PACK_2]: 'two' })
  })

  it('go on being added while the bucket is away, as far as the spool has room', async () => {
    const health: BucketHealth[] = []
    const storage = await open({ maxSpoolBytes: 25, onHealth: (now) => health.push(now) })
    await storage.append(PACK_1, b('0123456789'))
    await storage.seal(PACK_1)
    await storage.flush()
    bucket.isDown = true
    await storage.append(PACK_2, b('0123456789'))
    await storage.seal(PACK_2)
    await assert.rejects(storage.flush(), { code: 'BUCKET_UNREACHABLE' })
    await storage.append(PACK_3, b('0123456789'))
    assert.equal(await storage.freeBytes(), 5)
    await assert.rejects(storage.append(PACK_3, b('0123456789')), (error: ShoalError) => {
      assert.equal(error.code, 'IO')
      assert.deepEqual(error.details, { isVaultFull: true })
      assert.match(
        error.message,
        /^cannot store more for s3:\/\/memory\/vault: its spool is full, 25 bytes wait/,
      )
      return true
    })
    assert.equal((await storage.read(PACK_2, 3, 2)).toString(), '34')
    await assert.rejects(
      storage.read(PACK_1, 0, 1),
      { code: 'BUCKET_UNREACHABLE' },
      'S4: not here is another answer',
    )
    assert.deepEqual(
      health.map(({ type }) => type),
      ['failing'],
    )
    bucket.isDown = false
    await storage.flush()
    await storage.append(PACK_3, b('0123456789'))
    assert.deepEqual(
      health.map(({ type }) => type),
      ['failing', 'well'],
    )
    assert.deepEqual(await contentOf(storage), {
      [PACK_1]: '0123456789',
      [PACK_2]: '0123456789',
      [PACK_3]: '01234567890123456789',
    })
  })

  it('wait for a slow bucket rather than fail', async () => {
    const storage = await open({ maxSpoolBytes: 25 })
    let go: (() => void) | undefined
    const started = new Promise<void>((resolve) => {
      bucket.before = (what) => {
        if (what !== 'put packs/00000001.pack') return
        resolve()
        return new Promise((end) => {
          go = end
        })
      }
    })
    await storage.append(PACK_1, b('01234567890123456789'))
    await storage.seal(PACK_1)
    const adding = storage.append(PACK_2, b('0123456789'))
    await started
    assert.deepEqual(spooled(), ['sealed/00000001.pack'], 'the second has to wait')
    go?.()
    await adding
    assert.deepEqual(spooled(), ['open/00000002.pack'])
  })

  it('begin only with a bucket that answers, and go on without one', async () => {
    bucket.isDown = true
    await assert.rejects(open(), { code: 'BUCKET_UNREACHABLE' })
    bucket.isDown = false
    const storage = await open()
    await storage.append(PACK_1, b('one'))
    await storage.seal(PACK_1)
    await storage.putMeta('vault.json', Buffer.from('{}'))
    await storage.flush()
    await storage.close()
    bucket.isDown = true
    const again = await open()
    assert.deepEqual(await again.list(), [{ name: PACK_1, bytes: 3 }])
    assert.deepEqual(await again.getMeta('vault.json'), Buffer.from('{}'))
    assert.equal(again.health.type, 'failing')
    await again.append(PACK_2, b('two'))
    bucket.isDown = false
    await again.flush()
    assert.deepEqual(await contentOf(await openReadOnly()), { [PACK_1]: 'one', [PACK_2]: 'two' })
    assert.deepEqual(await (await openReadOnly()).getMeta('vault.json'), Buffer.from('{}'))
    assert.equal(await again.getMeta('other.json'), undefined)
  })

  it('belong to one node; to another one once it is said that the first is gone (S3)', async () => {
    const first = await open()
    await first.append(PACK_1, b('one'))
    await first.flush()
    await assert.rejects(open({ spool: 'other' }), {
      code: 'BUCKET_REFUSED',
      message: /another node keeps its vault there.*delete the object "owner" there$/,
    })
    bucket.objects.delete('owner')
    const second = await open({ spool: 'other' })
    await second.append(PACK_1, b(' more'))
    await second.flush()
    assert.deepEqual(await contentOf(await openReadOnly()), { [PACK_1]: 'one more' })
  })

  it('are not overwritten out of a spool that came from an old backup', async () => {
    const first = await open()
    await first.append(PACK_1, b('one'))
    await first.flush()
    fs.cpSync(path.join(root, 'spool'), path.join(root, 'old'), { recursive: true })
    await first.append(PACK_1, b(' two'))
    await first.flush()
    await first.close()
    const second = await open({ spool: 'old' })
    assert.deepEqual(await contentOf(second), { [PACK_1]: 'one two' })
    await second.append(PACK_1, b(' three'))
    await second.flush()
    await second.close()
    const third = path.join(root, 'spool')
    fs.appendFileSync(path.join(third, 'open', PACK_1), 'x')
    await assert.rejects(open(), {
      code: 'BUCKET_REFUSED',
      message: /differ, both hold what the other does not/,
    })
  })

  it('that are removed or grow while a bucket is met late are not replaced by what it has', async () => {
    for (const [at, change] of [1, 2].flatMap((n) => [[n, 'remove'] as const, [n, 'append'] as const])) {
      bucket = new MemoryBucket()
      const spool = `late-${at}-${change}`
      const first = await open({ spool })
      await first.append(PACK_1, [Buffer.from('one')])
      await first.flush()
      fs.cpSync(path.join(root, spool), path.join(root, `${spool}-old`), { recursive: true })
      await first.append(PACK_1, [Buffer.from('two')])
      await first.flush()
      await first.close()
      bucket.isDown = true
      const late = await open({ spool: `${spool}-old` })
      let reads = 0
      const read = bucket.read.bind(bucket)
      bucket.read = async (...args) => {
        if (++reads === at) {
          if (change === 'remove') await late.remove(PACK_1)
          else await late.append(PACK_1, [Buffer.from('n')])
        }
        return read(...args)
      }
      bucket.isDown = false
      if (change === 'remove') {
        await late.flush()
        assert.deepEqual(await contentOf(await openReadOnly()), {}, `${at}`)
      } else {
        await assert.rejects(late.flush(), { code: 'BUCKET_REFUSED' })
        assert.deepEqual(await contentOf(late), { [PACK_1]: 'onen' }, `${at}`)
      }
    }
  })

  it('can be cut here though the bucket has more', async () => {
    const first = await open()
    await first.append(PACK_1, b('one torn'))
    await first.flush()
    await first.truncate(PACK_1, 3)
    await first.append(PACK_1, b(' ok'))
    await first.close()
    const second = await open()
    assert.deepEqual(await contentOf(second), { [PACK_1]: 'one ok' })
    await second.flush()
    assert.deepEqual(await contentOf(await openReadOnly()), { [PACK_1]: 'one ok' })
  })

  it('that were cut and grew to the same length are sent again, and those begun again as well', async () => {
    const storage = await open()
    await storage.append(PACK_1, b('one torn'))
    await storage.append(PACK_2, b('gone'))
    await storage.flush()
    await storage.truncate(PACK_1, 3)
    await storage.append(PACK_1, b(' good'))
    await storage.remove(PACK_2)
    await storage.append(PACK_2, b('back'))
    await storage.close()
    const again = await open()
    await again.flush()
    assert.deepEqual(await contentOf(again), { [PACK_1]: 'one good', [PACK_2]: 'back' })
    assert.deepEqual(await contentOf(await openReadOnly()), await contentOf(again))
  })

  it('are sent when they are quiet for a while, and not again for a trickle', async () => {
    let nowMs = 0
    const storage = await open({ nowMs: () => nowMs })
    const sent = async (): Promise<number> => {
      // Anything that changes wakes it; its meta goes first, so a pack that is due has gone when the meta after it has.
      for (const name of ['x', 'y']) {
        const before = bucket.done.length
        await storage.putMeta(name, Buffer.from(String(nowMs)))
        while (!bucket.done.slice(before).includes(`put ${name}`)) await new Promise(setImmediate)
      }
      return bucket.done.filter((what) => what === 'put packs/00000001.pack').length
    }
    await storage.append(PACK_1, [Buffer.alloc(32 * 1024 * 100)])
    assert.equal(await sent(), 0)
    nowMs = 60_000
    assert.equal(await sent(), 1)
    nowMs += 1000
    await storage.append(PACK_1, b('a'))
    nowMs += 60_000
    assert.equal(await sent(), 1, 'it was sent a minute ago, and takes 100 seconds of the low rate')
    nowMs += 40_000
    assert.equal(await sent(), 2)
  })

  it('open for reading alone change nothing', async () => {
    const storage = await openReadOnly()
    assert.equal(storage.isReadOnly, true)
    for (const change of [
      storage.append(PACK_1, b('x')),
      storage.truncate(PACK_1, 0),
      storage.seal(PACK_1),
      storage.remove(PACK_1),
      storage.putMeta('x', Buffer.from('x')),
    ])
      await assert.rejects(change, { code: 'STORAGE_UNUSABLE' })
    assert.deepEqual(bucket.done, [])
  })
})

describe('packs in the bucket of a server', () => {
  it('survive that it goes away and comes back', async () => {
    const server = await startS3Server()
    useServer(server)
    try {
      const storage = await open({ at: awsBucket(server, 'vault') })
      await storage.append(PACK_1, b('one'))
      await storage.seal(PACK_1)
      await storage.flush()
      await server.stop()
      await storage.append(PACK_2, b('two'))
      await storage.seal(PACK_2)
      await storage.remove(PACK_1)
      await assert.rejects(storage.flush(), { code: 'BUCKET_UNREACHABLE', message: /s3:\/\/off-site\/vault/ })
      await storage.close()
      const again = await open({ at: awsBucket(server, 'vault') })
      assert.deepEqual(await contentOf(again), { [PACK_2]: 'two' })
      await server.start()
      await again.flush()
      assert.deepEqual(spooled(), [])
      assert.equal(fs.readFileSync(server.fileOf('vault/packs/00000002.pack'), 'utf8'), 'two')
      assert.ok(!fs.existsSync(server.fileOf('vault/packs/00000001.pack')))
    } finally {
      await server.end()
    }
  })
})
