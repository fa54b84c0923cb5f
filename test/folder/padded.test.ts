// Padded content on the disk: read, staged, served and read again, with holes and with leftovers of an earlier run; and what
// a member that breaks the rules may say of a piece never gets one wrong byte into a file.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { afterEach, beforeEach, test } from 'node:test'
import { paddedBytesOf } from '../../src/core/padme.js'
import { contentIdOf, type PieceInfo, pieceIdOf, plainBytesOf, sealPiece } from '../../src/core/piece.js'
import { splitPieces } from '../../src/daemon/share/hashed.js'
import { type HashJob, type HashResult, hashBatch } from '../../src/folder/hash.js'
import { unpackHashes } from '../../src/folder/hash-result.js'
import { packReadJobs, readPiecesBatch, sealedBytes, unpackPieces } from '../../src/folder/serve.js'
import { stageBatch } from '../../src/folder/stage.js'
import {
  packPieces,
  packStageJobs,
  type StageJob,
  type StagePart,
  type StageResult,
} from '../../src/folder/stage-job.js'
import { patternBytes } from '../core/piece-pattern.js'
import { KEYS, Share, token } from './commit-kit.js'

let share: Share

beforeEach(() => {
  share = new Share()
})

afterEach(() => share.remove())

function write(name: string, content: Buffer): void {
  fs.writeFileSync(share.at(name), content)
}

type Hashed = Extract<HashResult, { status: 'ok' }> & { readonly infos: PieceInfo[] }

function hash(name: string, more: Partial<HashJob> = { isPadded: true }): Hashed {
  const jobs = [{ path: name, openCheck: false, ...more }]
  const [result] = unpackHashes(hashBatch({ root: share.root, ...KEYS, jobs }))
  assert.ok(result?.status === 'ok')
  return { ...result, infos: splitPieces(result.pieces, result.lengths) }
}

/** The pieces of a file as peers are given them. */
function serve(name: string, { stat, infos }: Hashed): (Buffer | null)[] {
  let offset = 0
  const jobs = infos.map((piece) => {
    const job = {
      path: name,
      stat,
      offset,
      length: plainBytesOf(piece),
      isPadded: piece.plain !== undefined,
      id: piece.id,
    }
    offset += job.length
    return job
  })
  const payload = packReadJobs(share.root, KEYS, jobs, new ArrayBuffer(sealedBytes(jobs)))
  return unpackPieces(payload, readPiecesBatch(payload))
}

function partsOf(infos: readonly PieceInfo[]): StagePart[] {
  let offset = 0
  return infos.map((piece) => {
    const { id, length: sealedLength, plain } = piece
    const part = { id, sealedLength, offset, ...(plain === undefined ? {} : { plain }) }
    offset += plainBytesOf(piece)
    return part
  })
}

function stage(infos: readonly PieceInfo[], sealed: readonly Buffer[], size: number): StageResult {
  const { bytes, at } = packPieces(sealed)
  const parts = partsOf(infos).map((part, i) => ({
    ...part,
    source: { type: 'bytes', at: at[i]!, length: sealed[i]!.length } as const,
  }))
  const job: StageJob = { type: 'file', token: token(1), size, begin: true, final: true, parts }
  return stageBatch(packStageJobs(share.root, KEYS, [job], bytes))[0]!
}

const staged = (): Buffer => fs.readFileSync(share.at(`.shoal/staging/${token(1)}`))
const infoOf = (sealed: Buffer, plain: number): PieceInfo => ({
  id: pieceIdOf(sealed),
  length: sealed.length,
  plain,
})

test('what is read, served and staged is the file again, and is read as the same content', () => {
  for (const size of [0, 1, 255, 256, 257, 14_500, 65_536, 65_537, 1_500_000]) {
    const content = patternBytes(size, size)
    write('file', content)
    const hashed = hash('file')
    assert.ok(hashed.infos.every((piece) => piece.length === paddedBytesOf(piece.plain!) + 24))
    assert.equal(
      hashed.infos.reduce((sum, piece) => sum + piece.plain!, 0),
      size,
    )
    assert.deepEqual(hashed.content, contentIdOf(hashed.infos.map(({ id }) => id)))
    const sealed = serve('file', hashed).map((piece) => piece!)
    for (const [i, piece] of sealed.entries()) assert.deepEqual(pieceIdOf(piece), hashed.infos[i]!.id)
    const result = stage(hashed.infos, sealed, size)
    assert.equal(result.failed, undefined)
    assert.equal(result.good.length, sealed.length)
    assert.deepEqual(staged(), content)
    if (size > 0) assert.notDeepEqual(hash('file', {}).content, hashed.content)
  }
})

test('a file is read both ways where its content may be known as either, and answered as what is known', () => {
  for (const size of [300, 200_000]) {
    write('file', patternBytes(size, 3))
    const plain = hash('file', {})
    const padded = hash('file')
    const both = Buffer.concat([Buffer.alloc(32, 9), plain.content])
    assert.deepEqual(hash('file', { isPadded: true, contents: both }).infos, plain.infos)
    assert.deepEqual(hash('file', { isPadded: false, contents: padded.content }).infos, padded.infos)
    assert.deepEqual(hash('file', { isPadded: true, contents: padded.content }).infos, padded.infos)
    // None of them: as told.
    assert.deepEqual(hash('file', { isPadded: true, contents: Buffer.alloc(32, 9) }).infos, padded.infos)
    assert.deepEqual(hash('file', { isPadded: false, contents: Buffer.alloc(32, 9) }).infos, plain.infos)
  }
})

test('holes stay holes, and pieces of zeros are not mixed up', () => {
  const content = Buffer.alloc(3_000_000)
  content.write('end', content.length - 3)
  write('file', content)
  const hashed = hash('file')
  const result = stage(
    hashed.infos,
    serve('file', hashed).map((piece) => piece!),
    content.length,
  )
  assert.equal(result.failed, undefined)
  assert.deepEqual(staged(), content)
  assert.ok(fs.statSync(share.at(`.shoal/staging/${token(1)}`)).blocks * 512 < 1_000_000)
})

test('an append changes the id even where the padded length is the same, and the piece before it is refused for it', () => {
  write('log', Buffer.from('line\n'))
  const before = hash('log')
  const sealed = serve('log', before)[0]!
  fs.appendFileSync(share.at('log'), '\0')
  const after = hash('log')
  assert.equal(after.infos[0]!.length, before.infos[0]!.length)
  assert.notDeepEqual(after.infos[0]!.id, before.infos[0]!.id)
  assert.deepEqual(serve('log', { ...after, infos: [{ ...after.infos[0]!, id: before.infos[0]!.id }] }), [
    null,
  ])
  assert.deepEqual(stage(after.infos, [sealed], 6).wrong, [0])
})

test('A4: what was staged of padded content is found again part by part', () => {
  const content = patternBytes(700_000, 4)
  write('file', content)
  const { infos } = hash('file')
  assert.ok(infos.length > 1)
  fs.writeFileSync(share.at(`.shoal/staging/${token(1)}`), content.subarray(0, content.length - 1))
  const job: StageJob = { type: 'resume', token: token(1), size: content.length, parts: partsOf(infos) }
  const [result] = stageBatch(packStageJobs(share.root, KEYS, [job], new ArrayBuffer(0)))
  assert.deepEqual(
    result!.good,
    infos.slice(0, -1).map((_, i) => i),
  )
  assert.deepEqual(result!.missing, [infos.length - 1])
})

test('P3: a place holds a piece only in the way it was sealed', () => {
  const content = patternBytes(5000, 5)
  write('file', content)
  const forms = [hash('file', {}), hash('file')]
  const source = { type: 'place', path: 'file', inArchive: false, offset: 0, length: 5000 } as const
  for (const { infos } of forms) {
    const parts = partsOf(infos).map((part) => ({ ...part, source }))
    const job: StageJob = { type: 'file', token: token(1), size: 5000, begin: true, final: true, parts }
    const [result] = stageBatch(packStageJobs(share.root, KEYS, [job], new ArrayBuffer(0)))
    assert.deepEqual(result!.good, [0])
    assert.deepEqual(staged(), content)
  }
  const crossed = partsOf(forms[1]!.infos).map((part) => ({ ...part, id: forms[0]!.infos[0]!.id, source }))
  const job: StageJob = {
    type: 'file',
    token: token(1),
    size: 5000,
    begin: true,
    final: true,
    parts: crossed,
  }
  assert.deepEqual(stageBatch(packStageJobs(share.root, KEYS, [job], new ArrayBuffer(0)))[0]!.missing, [0])
})

test('what a liar says of a piece writes nothing: another length of the plaintext, padding as content, content as padding', () => {
  const plaintext = Buffer.from('ten bytes!')
  const sealed = sealPiece(KEYS, plaintext, true)
  const whole = Buffer.concat([plaintext, Buffer.alloc(246)])
  for (const [info, size] of [
    [infoOf(sealed, 9), 9],
    [infoOf(sealed, 11), 11],
    [infoOf(sealed, 256), 256],
    [infoOf(sealed, 0), 0],
    [infoOf(sealed, 257), 257],
    [{ id: pieceIdOf(sealed), length: sealed.length }, 256],
    [infoOf(sealPiece(KEYS, whole), 10), 10],
    [infoOf(sealPiece(KEYS, plaintext), 10), 10],
  ] as [PieceInfo, number][]) {
    const bytes =
      info.length === sealed.length
        ? info.id.equals(pieceIdOf(sealed))
          ? sealed
          : sealPiece(KEYS, whole)
        : sealPiece(KEYS, plaintext)
    const result = stage([info], [bytes], size)
    assert.equal(result.failed?.code, 'PIECE_UNOPENABLE', JSON.stringify([info.plain, size]))
    assert.equal(staged().length, 0)
  }
})

test('a liar cannot make zeros out of a piece of zeros of another length', () => {
  const zeros = sealPiece(KEYS, Buffer.alloc(300), true)
  const right = infoOf(zeros, 300)
  const result = stage([right, { ...right, plain: 301 }], [zeros, zeros], 601)
  assert.equal(result.failed?.code, 'PIECE_UNOPENABLE')
  assert.deepEqual(result.good, [0])
})
