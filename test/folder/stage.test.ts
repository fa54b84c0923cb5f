import assert from 'node:assert/strict'
import fs from 'node:fs'
import { afterEach, beforeEach, test } from 'node:test'
import { type PieceKeys, pieceIdOf, SIV_BYTES, sealPiece } from '../../src/core/piece.js'
import { mtimeUsOf } from '../../src/core/stat.js'
import { FolderPool } from '../../src/folder/pool.js'
import { stageBatch } from '../../src/folder/stage.js'
import {
  type PartSource,
  packPieces,
  packStageJobs,
  type StageFileJob,
  type StageJob,
  type StagePart,
  type StageResult,
} from '../../src/folder/stage-job.js'
import { AT_MS, KEYS, path, Share, token } from './commit-kit.js'

let share: Share

beforeEach(() => {
  share = new Share()
})

afterEach(() => share.remove())

function staged(seed = 1): string {
  return share.at(`.shoal/staging/${token(seed)}`)
}

interface Chunk {
  readonly plaintext: Buffer
  readonly sealed: Buffer
  readonly part: StagePart
}

/** Cuts a content into pieces of at most `length` bytes. */
function chunksOf(content: Buffer, length: number, keys: PieceKeys = KEYS): Chunk[] {
  const chunks: Chunk[] = []
  for (let offset = 0; offset < content.length; offset += length) {
    const plaintext = content.subarray(offset, offset + length)
    const sealed = sealPiece(keys, plaintext)
    chunks.push({
      plaintext,
      sealed,
      part: { id: pieceIdOf(sealed), sealedLength: sealed.length, offset },
    })
  }
  return chunks
}

function content(length: number, seed = 7): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (i * seed + (i >> 8)) & 0xff))
}

/** A job over some chunks from peers, with its bytes. */
function fileJob(
  size: number,
  chunks: readonly Chunk[],
  more: Partial<StageFileJob> = {},
): { job: StageFileJob; bytes: ArrayBuffer } {
  const { bytes, at } = packPieces(chunks.map(({ sealed }) => sealed))
  const parts = chunks.map(({ part, sealed }, i) => ({
    ...part,
    source: { type: 'bytes', at: at[i]!, length: sealed.length } as const,
  }))
  return { job: { type: 'file', token: token(1), size, begin: true, final: true, parts, ...more }, bytes }
}

function stage(jobs: readonly StageJob[], bytes: ArrayBuffer = new ArrayBuffer(0)): StageResult[] {
  return stageBatch(packStageJobs(share.root, KEYS, jobs, bytes))
}

function fromPlace(chunk: Chunk, source: Partial<PartSource>): StagePart & { source: PartSource } {
  const length = chunk.plaintext.length
  const place = {
    type: 'place',
    path: 'source',
    inArchive: false,
    offset: chunk.part.offset,
    length,
  } as const
  return { ...chunk.part, source: { ...place, ...source } as PartSource }
}

test('A2: a small file is staged in one go, with its metadata', () => {
  const bytes = content(1000)
  const one = fileJob(1000, chunksOf(bytes, 1000), { mode: 0o4755, mtimeUs: -3 })
  const results = stage([one.job], one.bytes)
  const as = { stat: share.stat(`.shoal/staging/${token(1)}`) }
  assert.deepEqual(results, [{ token: token(1), good: [0], wrong: [], missing: [], staged: as }])
  assert.deepEqual(fs.readFileSync(staged()), bytes)
  const stats = fs.statSync(staged())
  assert.equal(stats.mode & 0o7777, 0o4755)
  assert.equal(mtimeUsOf(share.stat(`.shoal/staging/${token(1)}`)), -3)
  const plain = fileJob(1000, chunksOf(bytes, 1000))
  stage([plain.job], plain.bytes)
  assert.equal(fs.statSync(staged()).mode & 0o7777, 0o600)
})

test('an empty file has no parts', () => {
  const one = fileJob(0, [])
  assert.deepEqual(stage([one.job], one.bytes), [{ token: token(1), good: [], wrong: [], missing: [] }])
  assert.equal(fs.statSync(staged()).size, 0)
})

test('P1: not a byte of a wrong piece is used', () => {
  const bytes = content(3000)
  const chunks = chunksOf(bytes, 1000)
  const flipped = Buffer.from(chunks[1]!.sealed)
  flipped[500]! ^= 1
  const one = fileJob(3000, [chunks[0]!, { ...chunks[1]!, sealed: flipped }, chunks[2]!])
  assert.deepEqual(stage([one.job], one.bytes), [{ token: token(1), good: [0, 2], wrong: [1], missing: [] }])
  assert.deepEqual(fs.readFileSync(staged()).subarray(1000, 2000), Buffer.alloc(1000))
  const again = fileJob(3000, [chunks[1]!], { begin: false })
  assert.deepEqual(stage([again.job], again.bytes)[0]?.good, [0])
  assert.deepEqual(fs.readFileSync(staged()), bytes)
})

test('P1: a piece of another length, beyond the buffer or of nothing is wrong', () => {
  const chunks = chunksOf(content(1000), 1000)
  const { job, bytes } = fileJob(1000, chunks)
  const sources: PartSource[] = [
    { type: 'bytes', at: 0, length: 1000 },
    { type: 'bytes', at: 1, length: 1024 },
    { type: 'bytes', at: -1, length: 1024 },
    { type: 'bytes', at: 0, length: 0 },
    { type: 'bytes', at: 1 << 30, length: 1024 },
  ]
  const parts = sources.map((source) => ({ ...chunks[0]!.part, source }))
  assert.deepEqual(stage([{ ...job, parts }], bytes)[0]?.wrong, [0, 1, 2, 3, 4])
  assert.equal(fs.statSync(staged()).size, 0)
})

test('P1: a piece that is the one asked for but does not open is its writer’s fault, not the sender’s', () => {
  const keys = { sivKey: KEYS.sivKey, pieceKey: Buffer.alloc(32, 9) }
  const one = fileJob(1000, chunksOf(content(1000), 1000, keys))
  const [result] = stage([one.job], one.bytes)
  assert.deepEqual(result?.wrong, [])
  assert.equal(result?.failed?.code, 'PIECE_UNOPENABLE')
  assert.equal(fs.statSync(staged()).size, 0)
})

test('parts of one file in any order, over several batches, from peers, files and the archive', () => {
  const bytes = content(10_000)
  const chunks = chunksOf(bytes, 1000)
  share.write('source', Buffer.concat([Buffer.from('moved by seven'), bytes]))
  share.write('.shoal/archive/2024-01-01/old', bytes)
  const first = fileJob(10_000, [chunks[9]!, chunks[2]!], { final: false })
  assert.deepEqual(stage([first.job], first.bytes)[0]?.good, [0, 1])
  const local = [0, 1, 3, 4, 5].map((i) => fromPlace(chunks[i]!, { offset: chunks[i]!.part.offset + 14 }))
  const archived = [6, 7, 8].map((i) => fromPlace(chunks[i]!, { path: '2024-01-01/old', inArchive: true }))
  const rest = { ...first.job, begin: false, final: true, parts: [...local, ...archived] }
  assert.deepEqual(stage([rest])[0], {
    token: token(1),
    good: [0, 1, 2, 3, 4, 5, 6, 7],
    wrong: [],
    missing: [],
  })
  assert.deepEqual(fs.readFileSync(staged()), bytes)
})

test('P3: a place that is gone, changed, short, no file or behind a symlink is missing, not wrong', () => {
  const bytes = content(1000)
  const [chunk] = chunksOf(bytes, 1000)
  share.write('source', bytes)
  fs.symlinkSync('source', share.at('link'))
  fs.symlinkSync('.', share.at('dir'))
  const stat = share.stat('source')
  const good = fromPlace(chunk!, { stat })
  const bad: Partial<PartSource>[] = [
    { path: 'none' },
    { path: 'none/source' },
    { path: 'link' },
    { path: 'dir/source' },
    { path: '../source' },
    { path: '.shoal' },
    { inArchive: true },
    { offset: 1 },
    { offset: -1 },
    { length: 999 },
    { stat: { ...stat, ctimeMs: stat.ctimeMs + 1 } },
  ]
  const parts = [good, ...bad.map((source) => fromPlace(chunk!, source)), good]
  const job = { type: 'file', token: token(1), size: 1000, begin: true, final: false, parts } as const
  const [result] = stage([job])
  assert.deepEqual(result?.good, [0, bad.length + 1])
  assert.deepEqual(
    result?.missing,
    bad.map((_, i) => i + 1),
  )
  assert.equal(result?.failed, undefined)
  share.write('source', content(1000, 9))
  assert.deepEqual(stage([{ ...job, parts: [fromPlace(chunk!, {})] }])[0]?.missing, [0])
})

test('a leftover under the token is thrown away by the first job, even a symlink or a second name', () => {
  const bytes = content(100)
  const one = fileJob(100, chunksOf(bytes, 100))
  const leftovers: (() => void)[] = [
    () => fs.writeFileSync(staged(), 'x'.repeat(500)),
    () => fs.symlinkSync(share.at('precious'), staged()),
    () => fs.linkSync(share.at('precious'), staged()),
  ]
  for (const leave of leftovers) {
    share.write('precious', 'precious')
    fs.rmSync(staged(), { force: true })
    leave()
    assert.deepEqual(stage([one.job], one.bytes)[0]?.good, [0])
    assert.deepEqual(fs.readFileSync(staged()), bytes)
    assert.equal(share.read('precious'), 'precious')
  }
})

test('A4: a continued file that is gone, longer, a symlink or a user’s file by now is not written', () => {
  const bytes = content(100)
  const one = fileJob(100, chunksOf(bytes, 100), { begin: false })
  share.write('precious', 'precious')
  const states: (() => void)[] = [
    () => undefined,
    () => fs.symlinkSync(share.at('precious'), staged()),
    () => fs.linkSync(share.at('precious'), staged()),
    () => fs.writeFileSync(staged(), 'x'.repeat(101)),
  ]
  for (const leave of states) {
    fs.rmSync(staged(), { force: true })
    leave()
    const [result] = stage([one.job], one.bytes)
    assert.equal(result?.failed?.code, 'STAGED_GONE')
    assert.deepEqual(result?.good, [])
  }
  assert.equal(share.read('precious'), 'precious')
})

test('the parts of a file may come in any order', () => {
  const bytes = content(3000)
  const [first, second, third] = chunksOf(bytes, 1000)
  const one = fileJob(3000, [third!, first!, second!])
  const [result] = stage([one.job], one.bytes)
  assert.equal(result?.failed, undefined)
  assert.deepEqual(fs.readFileSync(staged()), bytes)
})

test('a file with a hole, or of another size, is not final', () => {
  const chunks = chunksOf(content(3000), 1000)
  for (const some of [[chunks[0]!, chunks[2]!], [chunks[1]!, chunks[2]!], [chunks[0]!]]) {
    const one = fileJob(3000, some)
    assert.equal(stage([one.job], one.bytes)[0]?.failed?.code, 'BAD_SIZE')
  }
  const beyond = fileJob(2500, chunks)
  const [result] = stage([beyond.job], beyond.bytes)
  assert.equal(result?.failed?.code, 'BAD_SIZE')
  assert.deepEqual(result?.good, [0, 1])
  const short = fileJob(3000, [chunks[0]!], { begin: true, final: false })
  stage([short.job], short.bytes)
  assert.equal(stage([{ ...short.job, begin: false, final: true, parts: [] }])[0]?.failed?.code, 'BAD_SIZE')
})

test('A4: resume tells which parts of a leftover are right', () => {
  const bytes = content(4500)
  const chunks = chunksOf(bytes, 1000)
  const resume = {
    type: 'resume',
    token: token(1),
    size: 4500,
    parts: chunks.map(({ part }) => part),
  } as const
  assert.deepEqual(stage([resume])[0], { token: token(1), good: [], wrong: [], missing: [0, 1, 2, 3, 4] })
  const torn = Buffer.from(bytes)
  torn[1500]! ^= 1
  fs.writeFileSync(staged(), torn.subarray(0, 4200))
  assert.deepEqual(stage([resume])[0], { token: token(1), good: [0, 2, 3], wrong: [], missing: [1, 4] })
  const rest = fileJob(4500, [chunks[1]!, chunks[4]!], { begin: false })
  assert.deepEqual(stage([rest.job], rest.bytes)[0]?.good, [0, 1])
  assert.deepEqual(fs.readFileSync(staged()), bytes)
  assert.deepEqual(stage([resume])[0]?.good, [0, 1, 2, 3, 4])
  // The last job of a file that was whole already checks its size and dresses it.
  const last: StageFileJob = { ...rest.job, parts: [], mode: 0o711, mtimeUs: 5 }
  assert.equal(stage([last])[0]?.failed, undefined)
  assert.equal(fs.statSync(staged()).mode & 0o7777, 0o711)
})

test('A4: resume never takes over a file with a second name, a symlink or one that is too long', () => {
  const bytes = content(1000)
  const [chunk] = chunksOf(bytes, 1000)
  const resume = { type: 'resume', token: token(1), size: 1000, parts: [chunk!.part] } as const
  share.write('precious', bytes)
  for (const leave of [
    () => fs.linkSync(share.at('precious'), staged()),
    () => fs.symlinkSync(share.at('precious'), staged()),
    () => fs.writeFileSync(staged(), Buffer.concat([bytes, bytes])),
  ]) {
    leave()
    assert.deepEqual(stage([resume])[0]?.missing, [0])
    assert.equal(fs.existsSync(staged()), false)
  }
  assert.deepEqual(fs.readFileSync(share.at('precious')), bytes)
})

test('discard removes, and does not mind if there is nothing', () => {
  share.stage(1, 'x')
  const job = { type: 'discard', token: token(1) } as const
  assert.deepEqual(stage([job, job]), Array(2).fill({ token: token(1), good: [], wrong: [], missing: [] }))
  assert.equal(fs.existsSync(staged()), false)
})

test('A1: a token is 32 hex digits and nothing else', () => {
  for (const bad of ['../../precious', '', 'x'.repeat(32), 'A'.repeat(32), token(1).slice(1)])
    assert.equal(stage([{ type: 'discard', token: bad }])[0]?.failed?.code, 'BAD_PATH')
})

test('A5, A6: without a staging area every job says so; a job that fails does not stop the others', () => {
  const one = fileJob(100, chunksOf(content(100), 100))
  fs.mkdirSync(staged(2))
  const results = stage([{ ...one.job, token: token(2) }, one.job], one.bytes)
  assert.ok(results[0]?.failed !== undefined)
  assert.deepEqual(results[1]?.good, [0])
  fs.rmSync(share.at('.shoal'), { recursive: true })
  fs.mkdirSync(share.at('elsewhere/staging'), { recursive: true })
  fs.symlinkSync('elsewhere', share.at('.shoal'))
  assert.equal(stage([one.job], one.bytes)[0]?.failed?.code, 'OWN_DIR_UNUSABLE')
  assert.deepEqual(fs.readdirSync(share.at('elsewhere/staging')), [])
})

test('the pool stages in a worker; the bytes change hands, and the ids arrive whole', async () => {
  const pool = new FolderPool({ threads: 1 })
  try {
    const bytes = content(5000)
    const chunks = chunksOf(bytes, 500)
    const { job, bytes: packed } = fileJob(5000, chunks)
    // Keys as they come out of a derivation: views of something larger, which must not travel along.
    const secrets = Buffer.alloc(1 << 16, 1)
    const keys = { sivKey: secrets.subarray(0, 32), pieceKey: Buffer.alloc(32, 2) }
    const [result] = await pool.stage(share.root, keys, [job], packed)
    assert.deepEqual(
      result?.good,
      chunks.map((_, i) => i),
    )
    assert.equal(packed.byteLength, 0)
    const commit = await pool.commit(
      share.root,
      [
        {
          type: 'file',
          path: path('file'),
          token: token(1),
          size: 5000,
          mode: 0o644,
          mtimeUs: 1,
          expect: { type: 'absent' },
        },
      ],
      { archive: true, atMs: AT_MS },
    )
    assert.equal(commit[0]?.status, 'done')
    assert.deepEqual(fs.readFileSync(share.at('file')), bytes)
    const wrongId = { ...job, parts: [{ ...job.parts[0]!, id: Buffer.alloc(31) }] }
    assert.throws(() => packStageJobs(share.root, keys, [wrongId], new ArrayBuffer(0)), RangeError)
  } finally {
    await pool.close()
  }
})

test('sealed length is plaintext and seal', () => {
  const [chunk] = chunksOf(content(1), 1)
  assert.equal(chunk?.part.sealedLength, 1 + SIV_BYTES)
})
