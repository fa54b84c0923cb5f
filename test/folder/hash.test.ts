// Hashing files: right pieces for every size, and never an answer for a file that was not whole (A8). Writes that slip
// in at the worst moment are made by intercepting the calls of node:fs.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import crypto from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { mock, test } from 'node:test'
import { chunkPlanFor, nextCut } from '../../src/core/chunker.js'
import { contentIdOf, type PieceKeys, pieceIdOf, SIV_BYTES, sealPiece } from '../../src/core/piece.js'
import { type DiskStat, sameStat, statOf } from '../../src/core/stat.js'
import { hashBatch } from '../../src/folder/hash.js'
import { type HashJob, packHashJobs, unpackHashJobs } from '../../src/folder/hash-job.js'
import { type HashResult, unpackHashes } from '../../src/folder/hash-result.js'
import { FolderPool } from '../../src/folder/pool.js'
import { pause, unsettledMs } from '../../src/folder/settle.js'
import type { CallsAt } from '../../src/ports/calls-at.js'
import { forBothWays } from '../support/ways.js'

const keys: PieceKeys = { sivKey: Buffer.alloc(32, 1), pieceKey: Buffer.alloc(32, 2) }

async function withRoot(body: (root: string) => void | Promise<void>): Promise<void> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-hash-'))
  try {
    await body(root)
  } finally {
    mock.restoreAll()
    fs.rmSync(root, { recursive: true, force: true })
  }
}

const hash = (root: string, ...paths: string[]): HashResult[] => hashBy(undefined, root, ...paths)
const hashOne = (root: string, name: string): HashResult => hash(root, name)[0]!

function hashBy(calls: CallsAt | undefined, root: string, ...paths: string[]): HashResult[] {
  const jobs = paths.map((each) => ({ path: each, openCheck: false }))
  return unpackHashes(hashBatch({ root, ...keys, jobs }, { calls }))
}

/** Random bytes from a seed, so that a failure can be repeated. */
function bytesOf(seed: string, length: number): Buffer {
  const cipher = crypto.createCipheriv(
    'aes-128-ctr',
    crypto.createHash('md5').update(seed).digest(),
    Buffer.alloc(16),
  )
  return cipher.update(Buffer.alloc(length))
}

/** The whole file in memory, cut and sealed in the plainest way. */
function reference(content: Buffer): { content: Buffer; pieces: Buffer; lengths: number[] } {
  const plan = chunkPlanFor(content.length)
  const ids: Buffer[] = []
  const lengths: number[] = []
  for (let at = 0; at < content.length; ) {
    const length = nextCut(content, at, content.length, plan)
    ids.push(pieceIdOf(sealPiece(keys, content.subarray(at, at + length))))
    lengths.push(length + SIV_BYTES)
    at += length
  }
  return { content: contentIdOf(ids), pieces: Buffer.concat(ids), lengths }
}

/** Waits until a change of a file would show in its stat. */
function untilSettled(stat: DiskStat): void {
  while (unsettledMs(stat, Date.now()) > 0) pause(1)
}

function assertHashed(result: HashResult | undefined, content: Buffer, stat?: DiskStat): void {
  assert.equal(result?.status, 'ok')
  if (result?.status !== 'ok') return
  const expected = reference(content)
  assert.deepEqual(result.lengths, Uint32Array.from(expected.lengths))
  assert.ok(result.pieces.equals(expected.pieces))
  assert.ok(result.content.equals(expected.content))
  if (stat !== undefined) assert.deepEqual(result.stat, stat)
}

test('pieces and content id are those of the plain computation, for sizes around every bound', () =>
  withRoot((root) => {
    const sizes = [
      0,
      1,
      65_535,
      65_536,
      65_537,
      262_144,
      1 << 20,
      (1 << 20) + 1,
      5 << 20,
      (5 << 20) + 7,
      9_000_001,
    ]
    const contents = sizes.map((size) => bytesOf(`size ${size}`, size))
    for (const [index, content] of contents.entries())
      fs.writeFileSync(path.join(root, String(index)), content)
    const results = hash(root, ...sizes.map((_, index) => String(index)))
    for (const [index, content] of contents.entries())
      assertHashed(results[index], content, statOf(fs.lstatSync(path.join(root, String(index)))))
  }))

test('a file of zeros and one of few values are cut like any other', () =>
  withRoot((root) => {
    const zeros = Buffer.alloc(7_000_000)
    const text = Buffer.from('the same line again\n'.repeat(300_000))
    fs.writeFileSync(path.join(root, 'zeros'), zeros)
    fs.writeFileSync(path.join(root, 'text'), text)
    const results = hash(root, 'zeros', 'text')
    assertHashed(results[0], zeros)
    assertHashed(results[1], text)
  }))

test('symlinks give their target; one that is not UTF-8 is reported (A7)', () =>
  withRoot((root) => {
    fs.symlinkSync('../somewhere/ä', path.join(root, 'link'))
    fs.symlinkSync(Buffer.from([0x61, 0xfe]), path.join(root, 'bad'))
    const [link, bad] = hash(root, 'link', 'bad')
    assert.deepEqual(link, {
      status: 'symlink',
      stat: statOf(fs.lstatSync(path.join(root, 'link'))),
      target: '../somewhere/ä',
    })
    assert.equal(bad!.status === 'failed' && bad!.code, 'NOT_UTF8')
  }))

test('A1, A6, A7: what cannot be hashed says why, and the rest of the batch is hashed', () =>
  withRoot((root) => {
    fs.mkdirSync(path.join(root, 'real'))
    fs.writeFileSync(path.join(root, 'real/file'), 'content')
    fs.symlinkSync('real', path.join(root, 'link'))
    assert.equal(spawnSync('mkfifo', [path.join(root, 'fifo')]).status, 0)
    fs.writeFileSync(path.join(root, 'broken'), 'x')
    const open = (name: string): void => {
      if (name === 'broken') throw Object.assign(new Error('EIO: injected'), { code: 'EIO' })
    }
    const names = ['missing', 'link/file', 'real', 'fifo', 'broken', 'real/file', 'missing/below']
    forBothWays({ open }, (calls) => {
      assert.deepEqual(
        hashBy(calls, root, ...names).map((result) =>
          result.status === 'failed' ? result.code : result.status,
        ),
        ['gone', 'gone', 'changed', 'NOT_CARRIED', 'EIO', 'ok', 'gone'],
      )
      assert.deepEqual(
        hashBy(calls, path.join(root, 'nowhere'), 'a', 'b').map((result) => result.status),
        ['failed', 'failed'],
      )
    })
  }))

const slips: readonly (readonly [name: string, slip: (place: string) => void])[] = [
  ['appended to', (place) => fs.appendFileSync(place, 'x')],
  ['cut', (place) => fs.truncateSync(place, 10)],
  [
    'rewritten in place with its time put back',
    (place) => {
      const { atimeMs, mtimeMs } = fs.lstatSync(place)
      const fd = fs.openSync(place, 'r+')
      fs.writeSync(fd, 'y', 5)
      fs.closeSync(fd)
      fs.utimesSync(place, atimeMs / 1000, mtimeMs / 1000)
    },
  ],
  [
    'replaced by rename',
    (place) => {
      fs.copyFileSync(place, `${place}.new`)
      fs.renameSync(`${place}.new`, place)
    },
  ],
  ['deleted', (place) => fs.unlinkSync(place)],
  ['given another mode', (place) => fs.chmodSync(place, 0o600)],
]

for (const size of [1000, 6_000_000])
  for (const [name, slip] of slips)
    test(`A8: a file of ${size} bytes ${name} while it is read is not announced`, () =>
      withRoot((root) => {
        const place = path.join(root, 'file')
        let reads = 0
        const read = (): void => {
          if (++reads === 1) slip(place)
        }
        forBothWays({ read }, (calls) => {
          fs.rmSync(place, { force: true })
          fs.writeFileSync(place, bytesOf('slip', size))
          reads = 0
          assert.equal(hashBy(calls, root, 'file')[0]!.status, 'changed')
          assert.ok(reads > 0)
        })
      }))

test('A1: a file replaced by a symlink or a fifo just before it is opened is not read', () =>
  withRoot((root) => {
    const place = path.join(root, 'file')
    for (const replace of [
      () => fs.symlinkSync('/etc/hostname', place),
      () => assert.equal(spawnSync('mkfifo', [place]).status, 0),
    ]) {
      let opened = 0
      const open = (name: string): void => {
        if (name !== 'file' || ++opened > 1) return
        fs.rmSync(place)
        replace()
      }
      forBothWays({ open }, (calls) => {
        opened = 1
        fs.rmSync(place, { force: true })
        fs.writeFileSync(place, 'content')
        opened = 0
        assert.equal(hashBy(calls, root, 'file')[0]!.status, 'changed')
        assert.ok(opened > 0)
      })
    }
  }))

test('A8: after an answer, any write shows in the stat, however soon it comes', () =>
  withRoot((root) => {
    const place = path.join(root, 'file')
    for (let round = 0; round < 40; round++) {
      const content = bytesOf(`round ${round}`, 64)
      fs.writeFileSync(place, content)
      const result = hashOne(root, 'file')
      fs.writeFileSync(place, bytesOf(`other ${round}`, 64))
      assertHashed(result, content)
      if (result.status === 'ok') assert.equal(sameStat(result.stat, statOf(fs.lstatSync(place))), false)
    }
  }))

test('A8: a file that has just changed is opened only once a further change would show', () =>
  withRoot((root) => {
    const names = ['a', 'b', 'c']
    const openedAtMs = new Map<string, number>()
    forBothWays({ open: (name) => openedAtMs.set(name, Date.now()) }, (calls) => {
      for (const name of names) fs.writeFileSync(path.join(root, name), name)
      openedAtMs.clear()
      const results = hashBy(calls, root, ...names)
      for (const [index, name] of names.entries()) {
        assert.equal(results[index]!.status, 'ok')
        assert.ok(unsettledMs(statOf(fs.lstatSync(path.join(root, name))), openedAtMs.get(name)!) <= 0)
      }
    })
  }))

test('A8: how long a stat is not to be trusted', () => {
  const stat: DiskStat = {
    type: 'file',
    mode: 0o644,
    size: 1,
    mtimeMs: 1000.5,
    ctimeMs: 1_000_000.5,
    ino: 1,
    dev: 1,
    nlink: 1,
    uid: 0,
    gid: 0,
  }
  assert.ok(unsettledMs(stat, 1_000_000) > 10)
  assert.ok(unsettledMs(stat, 1_000_010) > 0)
  assert.ok(unsettledMs(stat, 1_000_020) <= 0)
  // Whole seconds: a file system that keeps no finer ones.
  const coarse = { ...stat, mtimeMs: 1000, ctimeMs: 1_000_000 }
  assert.ok(unsettledMs(coarse, 1_001_500) > 0)
  assert.ok(unsettledMs(coarse, 1_002_500) <= 0)
  // A server's clock may run ahead a little; one that is years off must not keep a file from being read.
  assert.ok(unsettledMs({ ...stat, ctimeMs: 1_003_000.5 }, 1_000_000) > 0)
  assert.equal(unsettledMs({ ...stat, ctimeMs: 9_000_000.5 }, 1_000_000), 0)
  assert.equal(pause(10_000), false)
  assert.equal(pause(0), true)
})

async function holding(place: string): Promise<ChildProcess> {
  const program = `require('node:fs').openSync(process.argv[1], 'r+'); process.stdout.write('ready'); process.stdin.on('end', () => process.exit()).resume()`
  const child = spawn(process.execPath, ['-e', program, place], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout!, 'data')
  return child
}

test('A8: a file that a listing has shown is what it was then, or is looked at anew', () =>
  withRoot(async (root) => {
    const content = bytesOf('seen', 1000)
    const jobOf = (name: string): HashJob => {
      fs.writeFileSync(path.join(root, name), content)
      return { path: name, openCheck: false, seen: statOf(fs.lstatSync(path.join(root, name))) }
    }
    const jobs = ['same', 'known', 'written', 'knownWritten', 'linked', 'fifo', 'gone'].map(jobOf)
    for (const i of [1, 3]) jobs[i] = { ...jobs[i]!, isKnown: true }
    for (const { seen } of jobs) untilSettled(seen!)
    const now = bytesOf('written', 2000)
    for (const name of ['written', 'knownWritten']) fs.writeFileSync(path.join(root, name), now)
    for (const name of ['linked', 'fifo', 'gone']) fs.rmSync(path.join(root, name))
    fs.symlinkSync('same', path.join(root, 'linked'))
    assert.equal(spawnSync('mkfifo', [path.join(root, 'fifo')]).status, 0)
    for (const name of ['written', 'knownWritten']) untilSettled(statOf(fs.lstatSync(path.join(root, name))))
    const results = unpackHashes(hashBatch({ root, ...keys, jobs: unpackHashJobs(packHashJobs(jobs)) }))
    assert.deepEqual(
      results.map(({ status }) => status),
      ['ok', 'same', 'ok', 'ok', 'symlink', 'failed', 'gone'],
    )
    assertHashed(results[0], content, jobs[0]!.seen)
    for (const i of [2, 3])
      assertHashed(results[i], now, statOf(fs.lstatSync(path.join(root, jobs[i]!.path))))
    assert.equal(results[5]!.status === 'failed' && results[5]!.code, 'NOT_CARRIED')
  }))

test('jobs are the same after their way to a thread', () => {
  const stat = statOf(fs.lstatSync('/'))
  const jobs: HashJob[] = [
    { path: 'a', openCheck: true, isKnown: false, isPadded: false },
    { path: 'b/ä \ud83d\ude00', openCheck: false, isKnown: true, isPadded: true, seen: stat },
    { path: 'c', openCheck: false, isKnown: false, isPadded: true, contents: new Uint8Array(64).fill(7) },
  ]
  assert.deepEqual(unpackHashJobs(structuredClone(packHashJobs(jobs))), jobs)
})

test('A8: a file that a process has open for writing is busy, if that is asked', () =>
  withRoot(async (root) => {
    for (const name of ['held', 'free']) fs.writeFileSync(path.join(root, name), name)
    const child = await holding(path.join(root, 'held'))
    try {
      const jobs = [
        { path: 'held', openCheck: true },
        { path: 'free', openCheck: true },
        { path: 'held', openCheck: false },
      ]
      const statuses = (): string[] =>
        unpackHashes(hashBatch({ root, ...keys, jobs })).map(({ status }) => status)
      assert.deepEqual(statuses(), ['busy', 'ok', 'ok'])
      const ended = once(child, 'exit')
      child.stdin!.end()
      await ended
      assert.deepEqual(statuses(), ['ok', 'ok', 'ok'])
    } finally {
      child.kill()
    }
  }))

test('through the pool: all kinds of results in one batch, in order', () =>
  withRoot(async (root) => {
    const pool = new FolderPool({ threads: 1 })
    try {
      const small = Buffer.from('small')
      const large = bytesOf('large', 2_000_000)
      fs.writeFileSync(path.join(root, 'small'), small)
      fs.writeFileSync(path.join(root, 'large'), large)
      fs.writeFileSync(path.join(root, 'empty'), '')
      fs.symlinkSync('small', path.join(root, 'link'))
      const names = ['large', 'link', 'missing', 'empty', '.', 'small', 'large']
      const results = await pool.hash(
        root,
        keys,
        names.map((name) => ({ path: name, openCheck: true })),
      )
      assert.deepEqual(
        results.map(({ status }) => status),
        ['ok', 'symlink', 'gone', 'ok', 'failed', 'ok', 'ok'],
      )
      assertHashed(results[0], large)
      assertHashed(results[3], Buffer.alloc(0))
      assertHashed(results[5], small, statOf(fs.lstatSync(path.join(root, 'small'))))
      assertHashed(results[6], large)
      assert.ok(results[0]!.status === 'ok' && Buffer.isBuffer(results[0]!.content))
    } finally {
      await pool.close()
    }
  }))
