// Seeded rounds of a storage on a bucket: anything is done in any order, the bucket fails at any step, and it stops and
// starts again at any moment. What a call has promised is there after each start, and in the end in the bucket alone.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ShoalError } from '../../src/core/error.js'
import { silentLog } from '../../src/ports/log.js'
import { packName } from '../../src/vault/pack-storage.js'
import { S3Storage } from '../../src/vault/s3/s3-storage.js'
import { MemoryBucket } from '../support/memory-bucket.js'
import { awsBucket, type S3Server, startS3Server, useServer } from '../support/s3-server.js'

/** Numbers from 0 to `below`, the same for the same seed (mulberry32). */
function dice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below)
  }
}

async function contentOf(storage: S3Storage): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const { name, bytes } of await storage.list())
    found[name] = (await storage.read(name, 0, bytes)).toString()
  return found
}

async function round(seed: number, root: string): Promise<void> {
  const roll = dice(seed)
  const bucket = new MemoryBucket()
  const spoolDir = path.join(root, String(seed))
  const start = (): Promise<S3Storage> => S3Storage.open({ bucket, spoolDir, log: silentLog })
  let storage = await start()
  const expected: Record<string, string> = {}
  let number = 1
  for (let step = 0; step < 40; step += 1) {
    bucket.isDown = roll(4) === 0
    const isFailing = roll(3) === 0
    bucket.before = () => {
      if (isFailing) throw new ShoalError('BUCKET_UNREACHABLE', 'cannot reach it')
    }
    const name = packName(number)
    switch (roll(8)) {
      case 0:
        if (expected[name] === undefined) break
        await storage.seal(name)
        number += 1
        break
      case 1: {
        const names = Object.keys(expected).filter((other) => other !== name)
        const gone = names[roll(names.length || 1)]
        if (gone === undefined) break
        // As compaction does it.
        const alive = expected[gone]!.slice(0, 3)
        await storage.append(name, [Buffer.from(alive)])
        expected[name] = (expected[name] ?? '') + alive
        await storage.remove(gone)
        delete expected[gone]
        break
      }
      case 2:
        await storage.flush().catch((thrown: unknown) => {
          assert.equal((thrown as ShoalError).code, 'BUCKET_UNREACHABLE')
        })
        break
      case 3:
        await storage.close()
        storage = await start()
        break
      case 4: {
        const text = expected[name]
        if (text === undefined) break
        const bytes = roll(text.length + 1)
        await storage.truncate(name, bytes)
        expected[name] = text.slice(0, bytes)
        break
      }
      default: {
        const text = `${step},`
        await storage.append(name, [Buffer.from(text)])
        expected[name] = (expected[name] ?? '') + text
      }
    }
    const listed = Object.fromEntries((await storage.list()).map(({ name: at, bytes }) => [at, bytes]))
    assert.deepEqual(
      listed,
      Object.fromEntries(Object.entries(expected).map(([at, text]) => [at, text.length])),
      `seed ${seed}, step ${step}`,
    )
  }
  bucket.isDown = false
  bucket.before = undefined
  assert.deepEqual(await contentOf(storage), expected, `seed ${seed}`)
  await storage.flush()
  await storage.close()
  const alone = await S3Storage.open({ bucket, spoolDir: undefined, log: silentLog })
  assert.deepEqual(await contentOf(alone), expected, `seed ${seed}, from the bucket alone`)
}

describe('a storage on a bucket', () => {
  it('keeps what it promised whatever happens, 12 seeds', async () => {
    const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-rounds-'))
    try {
      for (let seed = 1; seed <= 12; seed += 1) await round(seed, root)
    } finally {
      fs.rmSync(root, { recursive: true, force: true })
    }
  })
})

describe('a process that stores into a bucket', () => {
  let server: S3Server
  before(async () => {
    server = await startS3Server()
    useServer(server)
  })
  after(async () => server.end())

  it('loses nothing that it promised when it is killed, 2 seeds', async () => {
    const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-killed-'))
    const child = fileURLToPath(new URL('s3-writer.js', import.meta.url))
    try {
      for (let seed = 1; seed <= 2; seed += 1) {
        const roll = dice(seed)
        const prefix = `killed-${seed}`
        const spoolDir = path.join(root, prefix)
        const promised: Record<string, number> = {}
        for (let start = 0; start < 2; start += 1) {
          const writer = spawn(process.execPath, [child, String(server.port), prefix, spoolDir], {
            stdio: ['ignore', 'pipe', 'inherit'],
          })
          const enough = 5 + roll(60)
          let lines = 0
          for await (const line of createInterface(writer.stdout)) {
            const [name, bytes] = line.split(' ')
            if (bytes === 'removed') delete promised[name!]
            else promised[name!] = Number(bytes)
            lines += 1
            if (lines === enough) writer.kill('SIGKILL')
          }
          if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit')
          assert.equal(writer.signalCode, 'SIGKILL')
          const storage = await S3Storage.open({
            bucket: awsBucket(server, prefix),
            spoolDir,
            log: silentLog,
          })
          await storage.flush()
          // The pack that was to be removed when it was killed may be gone, which nobody has been told.
          const next = Object.keys(promised).sort()[0]!
          if ((await storage.list()).every(({ name }) => name !== next)) delete promised[next]
          await storage.close()
        }
        const storage = await S3Storage.open({ bucket: awsBucket(server, prefix), spoolDir, log: silentLog })
        await storage.flush()
        await storage.close()
        const alone = await S3Storage.open({
          bucket: awsBucket(server, prefix),
          spoolDir: undefined,
          log: silentLog,
        })
        const sizes = new Map((await alone.list()).map(({ name, bytes }) => [name, bytes]))
        for (const [name, bytes] of Object.entries(promised)) {
          assert.ok(
            (sizes.get(name) ?? -1) >= bytes,
            `seed ${seed}: ${name} has ${sizes.get(name)} of ${bytes}`,
          )
          const content = await alone.read(name, 0, bytes)
          assert.ok(content.equals(Buffer.alloc(bytes, name)), `seed ${seed}: ${name} holds what was stored`)
        }
        await alone.close()
      }
    } finally {
      fs.rmSync(root, { recursive: true, force: true })
    }
  })
})
