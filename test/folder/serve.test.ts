// Reading pieces again for peers (P2): exactly the sealed range of the file that was indexed, or nothing.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import crypto from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { mock, test } from 'node:test'
import { type PieceKeys, pieceIdOf, SIV_BYTES, sealPiece } from '../../src/core/piece.js'
import { type DiskStat, statOf } from '../../src/core/stat.js'
import { hashBatch } from '../../src/folder/hash.js'
import { unpackHashes } from '../../src/folder/hash-result.js'
import { FolderPool } from '../../src/folder/pool.js'
import {
  packReadJobs,
  type ReadPieceJob,
  readPiecesBatch,
  sealedBytes,
  unpackPieces,
} from '../../src/folder/serve.js'
import type { CallsAt } from '../../src/ports/calls-at.js'
import { forBothWays } from '../support/ways.js'

const keys: PieceKeys = { sivKey: Buffer.alloc(32, 1), pieceKey: Buffer.alloc(32, 2) }

async function withRoot(body: (root: string) => void | Promise<void>): Promise<void> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-serve-'))
  try {
    await body(root)
  } finally {
    mock.restoreAll()
    fs.rmSync(root, { recursive: true, force: true })
  }
}

function read(root: string, ...jobs: ReadPieceJob[]): (Buffer | null)[] {
  return readBy(undefined, root, ...jobs)
}

function readBy(calls: CallsAt | undefined, root: string, ...jobs: ReadPieceJob[]): (Buffer | null)[] {
  const payload = packReadJobs(root, keys, jobs, new ArrayBuffer(sealedBytes(jobs)))
  return unpackPieces(payload, readPiecesBatch(payload, { calls }))
}

function write(root: string, name: string, content: Buffer | string): DiskStat {
  fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true })
  fs.writeFileSync(path.join(root, name), content)
  return statOf(fs.lstatSync(path.join(root, name)))
}

test('P2: pieces that were announced come back as they were hashed, several of a file, files mixed', () =>
  withRoot(async (root) => {
    const pool = new FolderPool({ threads: 1 })
    try {
      const names = ['large', 'small', '.shoal/archive/old']
      write(root, 'large', crypto.randomBytes(3_000_000))
      write(root, 'small', 'small')
      write(root, '.shoal/archive/old', 'archived')
      const hashed = unpackHashes(
        hashBatch({ root, ...keys, jobs: names.map((name) => ({ path: name, openCheck: false })) }),
      )
      const jobs: (ReadPieceJob & { readonly id: Buffer })[] = []
      for (const [index, result] of hashed.entries()) {
        assert.ok(result.status === 'ok')
        let offset = 0
        for (const [piece, sealed] of result.lengths.entries()) {
          const id = result.pieces.subarray(piece * 32, piece * 32 + 32)
          jobs.push({ path: names[index]!, stat: result.stat, offset, length: sealed - SIV_BYTES, id })
          offset += sealed - SIV_BYTES
        }
      }
      const shuffled = jobs.map((job, index) => jobs[(index * 5 + 3) % jobs.length] ?? job)
      const { pieces, room } = await pool.readPieces(root, keys, [...jobs, ...shuffled])
      assert.equal(pieces.length, jobs.length * 2)
      for (const [index, job] of [...jobs, ...shuffled].entries()) {
        const piece = pieces[index]
        assert.ok(Buffer.isBuffer(piece) && piece.length === job.length + SIV_BYTES)
        assert.ok(pieceIdOf(piece).equals(job.id))
      }
      // Used again or not, a room given back with other bytes in it changes nothing.
      pool.giveRoom(room)
      for (let round = 0; round < 3; round++) {
        const again = await pool.readPieces(root, keys, jobs.slice(-2))
        for (const [index, job] of jobs.slice(-2).entries())
          assert.ok(pieceIdOf(again.pieces[index]!).equals(job.id))
        new Uint8Array(again.room).fill(round + 1)
        pool.giveRoom(again.room)
      }
      assert.deepEqual((await pool.readPieces(root, keys, [])).pieces, [])
    } finally {
      await pool.close()
    }
  }))

test('P2: without an id the range is sealed as it is', () =>
  withRoot((root) => {
    const stat = write(root, 'file', '0123456789')
    const [piece] = read(root, { path: 'file', stat, offset: 2, length: 3 })
    assert.deepEqual(piece, sealPiece(keys, Buffer.from('234')))
  }))

test('P2: a file that is not the indexed one, or a range beyond its end, is not served', () =>
  withRoot((root) => {
    const stat = write(root, 'file', '0123456789')
    const job = { path: 'file', stat, offset: 0, length: 10 }
    assert.notEqual(read(root, job)[0], null)
    const others: ReadPieceJob[] = [
      { ...job, stat: { ...stat, size: 11 } },
      { ...job, stat: { ...stat, mtimeMs: stat.mtimeMs + 0.001 } },
      { ...job, stat: { ...stat, ctimeMs: stat.ctimeMs + 0.001 } },
      { ...job, stat: { ...stat, ino: stat.ino + 1 } },
      { ...job, offset: 1 },
      { ...job, offset: 100 },
      { ...job, path: 'missing' },
      { ...job, path: 'missing/below' },
      { ...job, id: Buffer.alloc(32) },
    ]
    assert.deepEqual(
      read(root, ...others),
      others.map(() => null),
    )
    // One bad job does not take the others with it, not even of the same file.
    assert.deepEqual(
      read(root, ...others, job).map((piece) => piece !== null),
      [...others.map(() => false), true],
    )
    assert.deepEqual(read(path.join(root, 'nowhere'), job, job), [null, null])
  }))

test('P2: a file that changes while it is read is not served, whatever was read', () =>
  withRoot((root) => {
    let reads = 0
    const slip = (): void => {
      if (++reads === 2) fs.appendFileSync(path.join(root, 'file'), 'x')
    }
    forBothWays({ read: slip }, (calls) => {
      reads = 0
      const stat = write(root, 'file', crypto.randomBytes(100_000))
      const half = { path: 'file', stat, length: 50_000 }
      assert.deepEqual(readBy(calls, root, { ...half, offset: 0 }, { ...half, offset: 50_000 }), [null, null])
      assert.equal(reads, 2)
    })
  }))

test('P1: content that rotted under an unchanged stat is not served where the id is known', () =>
  withRoot((root) => {
    const content = crypto.randomBytes(1000)
    const stat = write(root, 'file', content)
    const id = pieceIdOf(sealPiece(keys, content))
    const rot = (target: Uint8Array): void => {
      target[0] = target[0]! ^ 1
    }
    const job = { path: 'file', stat, offset: 0, length: 1000, id }
    forBothWays({ read: rot }, (calls) => assert.deepEqual(readBy(calls, root, job), [null]))
    forBothWays({}, (calls) => assert.notDeepEqual(readBy(calls, root, job), [null]))
  }))

test('A1: symlinks and fifos are neither followed nor waited for', () =>
  withRoot((root) => {
    const stat = write(root, 'real/file', 'content')
    fs.symlinkSync('real', path.join(root, 'link'))
    fs.symlinkSync('real/file', path.join(root, 'direct'))
    assert.equal(spawnSync('mkfifo', [path.join(root, 'fifo')]).status, 0)
    const fifo = statOf(fs.lstatSync(path.join(root, 'fifo')))
    const link = statOf(fs.lstatSync(path.join(root, 'direct')))
    const job = { offset: 0, length: 4 }
    assert.deepEqual(
      read(
        root,
        { path: 'link/file', stat, ...job },
        { path: 'direct', stat, ...job },
        { path: 'direct', stat: link, ...job },
        { path: 'fifo', stat: fifo, ...job },
        { path: 'fifo', stat: { ...fifo, type: 'file' }, ...job },
      ),
      [null, null, null, null, null],
    )
  }))
