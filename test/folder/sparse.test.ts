// Blocks of zeros become holes (stage.ts, invariant 4), the content is the same in any order of parts, over crashes and
// where no hole can be made.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { pieceIdOf, sealPiece } from '../../src/core/piece.js'
import { isZeros, SparseFile } from '../../src/folder/sparse.js'
import { stageBatch } from '../../src/folder/stage.js'
import {
  packPieces,
  packStageJobs,
  type StageFileJob,
  type StageOptions,
  type StageResult,
} from '../../src/folder/stage-job.js'
import { mounted } from '../support/mounts.js'
import { KEYS, Share, token } from './commit-kit.js'

const BLOCK = 4096

let share: Share

beforeEach(() => {
  share = new Share()
})

afterEach(() => {
  mock.restoreAll()
  share.remove()
})

const staged = (): string => share.at(`.shoal/staging/${token(1)}`)

/** A content of blocks: each letter fills one, '.' is one of zeros; and some bytes more. */
function contentOf(blocks: string, more = ''): Buffer {
  return Buffer.concat(
    [...blocks].map((c) => Buffer.alloc(BLOCK, c === '.' ? 0 : c)).concat(Buffer.from(more)),
  )
}

/** Stages parts of a content: pieces of `length` bytes, those of the given indexes. */
function stage(
  content: Buffer,
  length: number,
  which: readonly number[],
  more: Partial<StageFileJob> = {},
  options: StageOptions = {},
): StageResult {
  const chunks = which.map((index) => content.subarray(index * length, (index + 1) * length))
  const sealed = chunks.map((chunk) => sealPiece(KEYS, chunk))
  const { bytes, at } = packPieces(sealed)
  const parts = sealed.map((piece, i) => ({
    id: pieceIdOf(piece),
    sealedLength: piece.length,
    offset: which[i]! * length,
    source: { type: 'bytes', at: at[i]!, length: piece.length } as const,
  }))
  const job: StageFileJob = {
    type: 'file',
    token: token(1),
    size: content.length,
    begin: true,
    final: true,
    parts,
    ...more,
  }
  return stageBatch(packStageJobs(share.root, KEYS, [job], bytes, options))[0]!
}

/** Which pieces of a leftover are right. */
function resume(content: Buffer, length: number): readonly number[] {
  const parts = Array.from({ length: Math.ceil(content.length / length) }, (_, i) => {
    const sealed = sealPiece(KEYS, content.subarray(i * length, (i + 1) * length))
    return { id: pieceIdOf(sealed), sealedLength: sealed.length, offset: i * length }
  })
  const job = { type: 'resume', token: token(1), size: content.length, parts } as const
  return stageBatch(packStageJobs(share.root, KEYS, [job], new ArrayBuffer(0)))[0]!.good
}

const blocksOnDisk = (): number => fs.statSync(staged()).blocks * 512
const all = (content: Buffer, length: number): number[] =>
  Array.from({ length: Math.ceil(content.length / length) }, (_, i) => i)

/** False, or why nothing can be told of holes here. */
function hasNoHoles(): string | false {
  const probe = share.at('probe')
  fs.writeFileSync(probe, '')
  fs.truncateSync(probe, 64 * BLOCK)
  return fs.statSync(probe).blocks * 512 < 64 * BLOCK ? false : 'this file system has no holes'
}

test('zeros are told from the rest, whatever the length', () => {
  for (const length of [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7]) {
    const bytes = Buffer.alloc(length)
    assert.equal(isZeros(bytes), true)
    for (const at of [0, length >> 1, length - 1].filter((each) => each >= 0 && each < length)) {
      bytes[at] = 1
      assert.equal(isZeros(bytes), false, `${at} of ${length}`)
      bytes[at] = 0
    }
  }
})

test('blocks of zeros take no room, wherever pieces are cut, and the content is the same', (context) => {
  const word = hasNoHoles()
  if (word !== false) return context.skip(word)
  const content = contentOf('a................b...............', 'tail')
  for (const length of [BLOCK, 3 * BLOCK, 5000, 10_001, content.length]) {
    const pieces = all(content, length)
    for (const order of [pieces, pieces.toReversed()]) {
      assert.equal(stage(content, length, order).failed, undefined)
      assert.ok(fs.readFileSync(staged()).equals(content), `pieces of ${length}`)
      assert.ok(blocksOnDisk() <= 3 * BLOCK, `${blocksOnDisk()} bytes for pieces of ${length}`)
    }
  }
  assert.equal(stage(content, 10_001, all(content, 10_001), {}, { sparse: false }).failed, undefined)
  assert.ok(fs.readFileSync(staged()).equals(content))
  assert.ok(blocksOnDisk() >= content.length)
})

test('a file of zeros to its end has its size, over several jobs in any order', () => {
  const content = contentOf('a...............')
  const length = 4 * BLOCK
  assert.equal(stage(content, length, [2], { final: false }).failed, undefined)
  assert.equal(fs.statSync(staged()).size, 3 * length)
  assert.equal(stage(content, length, [0], { begin: false, final: false }).failed, undefined)
  assert.equal(stage(content, length, [3, 1], { begin: false }).failed, undefined)
  assert.ok(fs.readFileSync(staged()).equals(content))
})

test('the size is that of the parts: one that is missing at the end is still noticed', () => {
  const content = contentOf('a...............')
  stage(content, 4 * BLOCK, [0, 1], { final: false })
  assert.equal(stage(content, 4 * BLOCK, [2], { begin: false }).failed?.code, 'BAD_SIZE')
})

test('A4: what a crash left where zeros belong is not kept', () => {
  const content = contentOf('a....b....')
  const length = 5 * BLOCK
  fs.writeFileSync(staged(), contentOf('a.xx.b..xx'), { mode: 0o600 })
  assert.deepEqual(resume(content, length), [])
  // With one good piece the leftover is kept, and only the others are staged again.
  fs.writeFileSync(staged(), contentOf('a.xx.b....'), { mode: 0o600 })
  assert.deepEqual(resume(content, length), [1])
  assert.equal(stage(content, length, [0], { begin: false }).failed, undefined)
  assert.ok(fs.readFileSync(staged()).equals(content))
  // The same where one piece of zeros follows the other.
  const zeros = contentOf('a.......')
  fs.writeFileSync(staged(), contentOf('axxxxx'), { mode: 0o600 })
  assert.equal(stage(zeros, BLOCK, [1, 2, 3, 4, 5, 6, 7], { begin: false }).failed, undefined)
  assert.ok(fs.readFileSync(staged()).equals(zeros))
})

test('A4: holes of a leftover are the pieces of zeros that they stand for', () => {
  const content = contentOf('a.......b...')
  stage(content, 4 * BLOCK, [0, 2], { final: false })
  // The second was never written and is there all the same.
  assert.deepEqual(resume(content, 4 * BLOCK), [0, 1, 2])
  const wrong = contentOf('a...x...b...')
  assert.deepEqual(resume(wrong, 4 * BLOCK), [0, 2])
})

test('where no hole can be punched, zeros are written', (context) => {
  const disk = mounted('ramfs')
  if (typeof disk === 'string') return context.skip(disk)
  try {
    const file = `${disk.directory}/f`
    fs.writeFileSync(file, contentOf('xxxx'))
    const fd = fs.openSync(file, 'r+')
    new SparseFile(fd, false, true).write(contentOf('a..b'), 0)
    fs.closeSync(fd)
    assert.ok(fs.readFileSync(file).equals(contentOf('a..b')))
    fs.writeFileSync(file, contentOf('xxxx'))
    const again = fs.openSync(file, 'r+')
    new SparseFile(again, false, true).writeZeros(4 * BLOCK - 5, 5)
    fs.closeSync(again)
    assert.ok(
      fs.readFileSync(file).equals(Buffer.concat([Buffer.from('xxxxx'), Buffer.alloc(4 * BLOCK - 5)])),
    )
  } finally {
    disk.remove()
  }
})

test('a big hole is neither sealed nor written piece by piece', () => {
  const piece = Buffer.alloc(64 * BLOCK)
  const sealed = sealPiece(KEYS, piece)
  const count = 4096
  const part = { id: pieceIdOf(sealed), sealedLength: sealed.length }
  const { bytes } = packPieces([sealed])
  const parts = Array.from({ length: count }, (_, i) => ({
    ...part,
    offset: i * piece.length,
    source: { type: 'bytes', at: 0, length: sealed.length } as const,
  }))
  const size = count * piece.length
  const job: StageFileJob = { type: 'file', token: token(1), size, begin: true, final: true, parts }
  const writes = mock.method(fs, 'writeSync')
  const [result] = stageBatch(packStageJobs(share.root, KEYS, [job], bytes))
  assert.equal(result!.failed, undefined)
  assert.equal(result!.good.length, count)
  assert.equal(fs.statSync(staged()).size, size)
  assert.equal(writes.mock.callCount(), 0)
})
