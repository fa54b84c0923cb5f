import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import { test } from 'node:test'
import { FolderPool } from '../../src/folder/pool.js'
import { currentThread } from '../../src/folder/priority.js'
import { AT_MS, Share } from './commit-kit.js'

const skip = currentThread() === undefined ? '/proc does not tell threads here' : false

/** How many threads of this process are nicer than its first one, by how much. */
function nicerThreads(): number[] {
  const own = os.getPriority(process.pid)
  return fs
    .readdirSync('/proc/self/task')
    .map((thread) => {
      try {
        return os.getPriority(Number(thread)) - own
      } catch {
        // It has ended since.
        return 0
      }
    })
    .filter((nicer) => nicer > 0)
}

test('what can wait runs on nicer threads, all else as before', { skip }, async () => {
  const share = new Share()
  const own = os.getPriority(process.pid)
  const pool = new FolderPool({ threads: 1, lowPriority: true })
  try {
    share.write('a', 'x')
    await pool.commit(share.root, [], { archive: true, atMs: AT_MS })
    assert.deepEqual(nicerThreads(), [], 'committing keeps its priority')
    const [scanned] = await pool.scan(share.root, [''])
    assert.ok(scanned!.names.includes('a'))
    assert.deepEqual(nicerThreads(), [Math.min(19 - own, 10)], 'one thread, and only that')
    assert.equal(os.getPriority(process.pid), own)
  } finally {
    await pool.close()
    share.remove()
  }
})

test('without it, one pool does all', { skip }, async () => {
  const share = new Share()
  const pool = new FolderPool({ threads: 1 })
  try {
    await pool.scan(share.root, [''])
    assert.deepEqual(nicerThreads(), [])
  } finally {
    await pool.close()
    share.remove()
  }
})
