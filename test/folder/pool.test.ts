import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
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
