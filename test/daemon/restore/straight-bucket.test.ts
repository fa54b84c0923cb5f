// The straight way out of a vault in a bucket (fill.ts): spans come as bytes, and what the bucket lacks takes nothing from the rest.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { keysOf } from '../../../src/core/secret.js'
import type { RestoreReport } from '../../../src/daemon/restore/report.js'
import { type RestoreFrom, restore } from '../../../src/daemon/restore/restore.js'
import { FolderPool } from '../../../src/folder/pool.js'
import { silentLog } from '../../../src/ports/log.js'
import type { Bucket } from '../../../src/vault/s3/bucket.js'
import { S3Storage } from '../../../src/vault/s3/s3-storage.js'
import { Vault } from '../../../src/vault/vault.js'
import { MemoryBucket } from '../../support/memory-bucket.js'
import { PastWorld } from '../../support/past-world.js'
import { awsBucket, BUCKET, type S3Server, startS3Server, useServer } from '../../support/s3-server.js'
import { differencesOf, snapshot } from '../../support/trees.js'

const SMALL_FILES = 30

describe('restoring straight from a bucket', () => {
  const pool = new FolderPool()
  let home: string
  let world: PastWorld
  let vault: string
  let to: string
  let hadIndex: boolean

  before(async () => {
    home = fs.mkdtempSync(path.join(tmpdir(), 'shoal-bucket-'))
    world = await PastWorld.make(14, home, 1)
    for (let i = 0; i < SMALL_FILES; i++) fs.writeFileSync(path.join(world.dir, `f${i}`), `${i}\n`.repeat(i))
    const big = Buffer.alloc(5 << 20)
    for (let i = 0; i < big.length; i += 4) big.writeUInt32LE((i * 2_654_435_761) % 2 ** 32, i)
    fs.writeFileSync(path.join(world.dir, 'big'), big)
    await world.publish(0)
    vault = path.join(home, 'vault')
    await world.writeVault(vault)
  })
  after(async () => {
    await pool.close()
    await world.close()
    fs.rmSync(home, { recursive: true, force: true })
  })
  beforeEach(() => {
    to = fs.mkdtempSync(path.join(home, 'to-'))
    hadIndex = false
  })

  async function fillBucket(bucket: Bucket): Promise<void> {
    await bucket.putSmall('vault.json', fs.readFileSync(path.join(vault, 'vault.json')))
    for (const name of fs.readdirSync(path.join(vault, 'packs')))
      await bucket.putSmall(`packs/${name}`, fs.readFileSync(path.join(vault, 'packs', name)))
  }

  function run(from: RestoreFrom): Promise<RestoreReport> {
    const { signal } = new AbortController()
    const onProgress = (): void => {
      hadIndex ||= fs.existsSync(path.join(to, '.shoal/restore/index'))
    }
    return restore({ secret: world.secret, from, to, pool, signal, onProgress, stallMs: 5000 })
  }

  it('brings all back from a server', async () => {
    const server: S3Server = await startS3Server()
    try {
      useServer(server)
      const bucket = awsBucket(server, 'straight')
      await fillBucket(bucket)
      bucket.close()
      const report = await run({ type: 'vault', vault: `s3://${BUCKET}/straight` })
      assert.deepEqual([report.complete, report.files, hadIndex], [true, SMALL_FILES + 1, false])
      assert.deepEqual(differencesOf(snapshot(world.dir), snapshot(to)), [])
    } finally {
      await server.end()
    }
  })

  it('what the bucket does not have any more where it stood is left to the ordinary way', async () => {
    const bucket = new MemoryBucket()
    await fillBucket(bucket)
    const storage = await S3Storage.open({ bucket, spoolDir: undefined, log: silentLog })
    const { shareId } = keysOf(world.secret)
    const held = await Vault.open({ storage, shareId, log: silentLog })
    let asked = 0
    try {
      const moved = {
        bytesOf: (pack: number, offset: number, length: number): Promise<Buffer> => {
          // As after a compaction elsewhere.
          asked++
          return held.bytesOf(pack + 1, offset, length)
        },
        read: (ids: readonly Buffer[]) => held.read(ids),
        blocks: (...args: Parameters<Vault['blocks']>) => held.blocks(...args),
        has: (id: Buffer) => held.has(id),
        placeOf: (id: Buffer) => held.placeOf(id),
        fileOf: (pack: number) => held.fileOf(pack),
        certificates: () => held.certificates(),
        heads: () => held.heads(),
      }
      const report = await run({ type: 'vault', vault: moved })
      assert.deepEqual([asked > 0, report.complete, hadIndex], [true, true, true])
      assert.deepEqual(differencesOf(snapshot(world.dir), snapshot(to)), [])
    } finally {
      await held.close()
    }
  })
})
