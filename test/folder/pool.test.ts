import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import type { HashResult } from '../../src/folder/hash-result.js'
import { FolderPool } from '../../src/folder/pool.js'
import { Threads } from '../../src/folder/threads.js'

async function threadsGone(pool: FolderPool): Promise<void> {
  while (pool.hasThreads) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('pool: threads are there only from the first task until there has been none for a while, and come back', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-pool-'))
  const pool = new FolderPool({ threads: 2, idleMs: 20 })
  try {
    fs.writeFileSync(path.join(root, 'file'), 'x')
    assert.equal(pool.hasThreads, false)
    for (let round = 0; round < 3; round++) {
      const scans = await Promise.all([pool.scan(root, ['']), pool.scan(root, ['']), pool.scan(root, [''])])
      assert.equal(pool.hasThreads, true)
      assert.equal(scans.length, 3)
      await threadsGone(pool)
    }
  } finally {
    await pool.close()
    fs.rmSync(root, { recursive: true })
  }
  assert.equal(pool.hasThreads, false)
  await assert.rejects(pool.scan(root, ['']), /the pool is closed/)
})

test('pool: threads that are at work do not end however long it takes', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-pool-'))
  const pool = new FolderPool({ threads: 1, idleMs: 0 })
  try {
    for (let i = 0; i < 20; i++) fs.writeFileSync(path.join(root, `${i}`), 'x')
    const results = await Promise.all(Array.from({ length: 40 }, () => pool.scan(root, [''])))
    assert.equal(results.length, 40)
  } finally {
    await pool.close()
    fs.rmSync(root, { recursive: true })
  }
})

test('pool: threads that come back from another version of the program do nothing', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-pool-'))
  // As the daemon of an earlier version finds them after an upgrade.
  const threads = new Threads({ threads: 1, lowPriority: false, version: '0.0.1' })
  try {
    fs.mkdirSync(path.join(root, '.shoal', 'staging'), { recursive: true })
    fs.writeFileSync(path.join(root, '.shoal', 'staging', 'left'), 'x')
    const task = { job: 'cleanStaging', payload: { root, keepTokens: [] } }
    await assert.rejects(threads.run(task, []), /version 0\.0\.1 runs, but .* is installed/)
    assert.deepEqual(fs.readdirSync(path.join(root, '.shoal', 'staging')), ['left'])
  } finally {
    await threads.close()
    fs.rmSync(root, { recursive: true })
  }
})

test('pool: close() lets what every thread is at work with finish, and rejects what waits', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-pool-'))
  const pool = new FolderPool({ threads: 2 })
  const keys = { sivKey: Buffer.alloc(32, 1), pieceKey: Buffer.alloc(32, 2) }
  const hash = (name: string): Promise<HashResult[]> =>
    pool.hash(root, keys, [{ path: name, openCheck: false }])
  try {
    for (const [name, megabytes] of [
      ['short', 0],
      ['long', 24],
      ['longest', 96],
    ] as const) {
      fs.writeFileSync(path.join(root, name), '')
      fs.truncateSync(path.join(root, name), megabytes * 2 ** 20)
    }
    // The thread that has ended the short one goes on with the longest, and is still at it when the other has ended.
    const [short, long, longest, waiting] = ['short', 'long', 'longest', 'short'].map(hash)
    await short
    const ends = Promise.allSettled([long, longest, waiting])
    await pool.close()
    const [first, second, third] = await ends
    assert.deepEqual([first!.status, second!.status, third!.status], ['fulfilled', 'fulfilled', 'rejected'])
    assert.equal(second!.status === 'fulfilled' && second.value![0]!.status, 'ok')
  } finally {
    await pool.close()
    fs.rmSync(root, { recursive: true })
  }
})
