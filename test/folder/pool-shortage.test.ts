// Threads under a limit of open files: a process of its own for this file, since it changes its own limit.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { FolderPool } from '../../src/folder/pool.js'
import { noLimits, ownLimit } from '../support/descriptors.js'

const KEYS = { sivKey: Buffer.alloc(32, 1), pieceKey: Buffer.alloc(32, 2) }
const TOKEN = 'a'.repeat(32)
const PART = { id: Buffer.alloc(32), sealedLength: 1, offset: 0 }

test('pool: without a descriptor for a thread, work waits for one; pieces that went with it are told as failed', {
  skip: noLimits,
}, async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-pool-'))
  const pool = new FolderPool({ threads: 2 })
  const limit = ownLimit()
  try {
    fs.mkdirSync(path.join(root, '.shoal/staging'), { recursive: true })
    fs.writeFileSync(path.join(root, 'file'), 'x')
    await limit.set(1)
    const source = { type: 'bytes' as const, at: 0, length: 1 }
    const stage = { type: 'file' as const, token: TOKEN, size: 1, begin: true, final: true, mode: 0o600 }
    const lost = pool.stage(root, KEYS, [{ ...stage, parts: [{ ...PART, source }] }], new ArrayBuffer(64))
    const scans = [pool.scan(root, ['']), pool.scan(root, ['']), pool.scan(root, [''])]
    const served = pool.readPieces(root, KEYS, [
      { path: 'file', stat: fs.lstatSync(path.join(root, 'file')) as never, offset: 0, length: 1 },
    ])
    // Whichever thread it was to go to: one of these has failed for good when it has.
    const [staged] = await lost
    await limit.set(4096)
    assert.equal(staged!.failed?.code, 'EMFILE')
    assert.match(staged!.failed!.detail, /LimitNOFILE/)
    for (const [listing] of await Promise.all(scans))
      assert.deepEqual([listing!.status, [...listing!.names]], ['ok', ['file']])
    assert.equal((await served).pieces.length, 1)
  } finally {
    await limit.set(4096)
    limit.close()
    await pool.close()
    fs.rmSync(root, { recursive: true })
  }
})
