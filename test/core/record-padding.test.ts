// What a record says of padded pieces: in its sealed part, in one form, and nothing that no padding is (F7).
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { ByteWriter } from '../../src/core/bytes.js'
import { blake3 } from '../../src/core/hash.js'
import { contentIdOf, type PieceInfo, sealedBytesOf } from '../../src/core/piece.js'
import { decodePublicPart, decodeRecord, encodeRecord, type FeedRecord } from '../../src/core/record.js'
import { readPaddings, writePaddings } from '../../src/core/record-padding.js'
import { writePublicPart } from '../../src/core/record-public.js'
import { labelBytes, seal } from '../../src/core/seal.js'
import { decoding } from '../../src/core/violation.js'
import { patternBytes } from './piece-pattern.js'
import { place } from './record-samples.js'

const padded = (plain: number, seed = 1): PieceInfo => ({
  id: patternBytes(32, seed),
  length: sealedBytesOf(plain, true),
  plain,
})
const header: FeedRecord['header'] = { kind: 'delta', timeMs: 5, view: [], checkpoint: undefined }
const announcing = (...pieces: PieceInfo[]): FeedRecord => ({
  header,
  announcements: [{ first: 0, pieces }],
  entries: [],
})

/** A record of format 2 as a member that breaks the rules may write it. */
function forge(record: FeedRecord, sealed: Buffer, format = 2): Buffer {
  const clear = new ByteWriter().raw(Buffer.from('SR')).u8(format)
  writePublicPart(clear, record)
  const before = clear.finish()
  const index = Buffer.alloc(8)
  index.writeBigUInt64BE(BigInt(place.index))
  const associated = Buffer.concat([
    labelBytes('shoal 2025 record entries v1'),
    place.feedKey,
    index,
    blake3(before),
  ])
  const nonce = Buffer.alloc(24)
  return Buffer.concat([before, nonce, seal(place.entryKey, nonce, deflateRawSync(sealed), associated)])
}

const codeOf = (block: Buffer): string => {
  const decoded = decodeRecord(block, place)
  return decoded.type === 'violation' ? decoded.code : 'ok'
}

describe('record of padded pieces', () => {
  it('is of format 2, one without them of format 1; only the sealed part tells how long a plaintext is', () => {
    const record = announcing(padded(1), { id: patternBytes(32, 2), length: 40 }, padded(14_500, 3))
    const block = encodeRecord(record, place)
    assert.equal(block[2], 2)
    assert.equal(encodeRecord(announcing({ id: patternBytes(32, 2), length: 40 }), place)[2], 1)
    assert.deepEqual(decodeRecord(block, place), { type: 'ok', value: record })
    const seen = decodePublicPart(block)
    assert.ok(seen.type === 'ok' && seen.value.announcements[0]!.pieces.every((piece) => !('plain' in piece)))
    assert.equal(writePaddings(record.announcements).toString('hex'), '800200dd02')
  })

  it('gives a file the size of its plaintexts', () => {
    const pieces = [padded(70_001), padded(3, 2)]
    const size = 70_004
    const content = contentIdOf(pieces.map(({ id }) => id))
    const entry = {
      ...{
        type: 'file',
        path: 'a',
        version: [[place.author, 1]],
        author: place.author,
        origin: place.author,
      },
      ...{ extra: [], mode: 0o644, mtimeUs: 1, size, content, pieces: [{ first: 0, count: 2 }] },
    } as unknown as FeedRecord['entries'][number]
    const record = { ...announcing(...pieces), entries: [entry] }
    const decoded = decodeRecord(encodeRecord(record, place), place)
    assert.ok(decoded.type === 'ok')
    assert.deepEqual(decoded.value.entries, [entry])
    // It follows from the pieces: size and content are not stated.
    assert.throws(() =>
      encodeRecord({ ...record, entries: [{ ...entry, size: size + 1 } as typeof entry] }, place),
    )
  })

  it('is refused if a length is no Padmé length, or the padding is longer or shorter than it must be', () => {
    const lies = (length: number, zeros: number): string =>
      codeOf(
        forge(
          announcing({ id: patternBytes(32, 1), length: length + 24 }),
          new ByteWriter()
            .uint(zeros + 1)
            .uint(0)
            .finish(),
        ),
      )
    assert.equal(lies(256, 251), 'ok')
    assert.equal(lies(256, 0), 'ok')
    assert.equal(lies(272, 3), 'ok')
    for (const [length, zeros] of [
      ...[
        [256, 256],
        [256, 257],
        [256, 2 ** 50],
      ],
      ...[
        [272, 16],
        [272, 200],
        [257, 1],
        [257, 0],
        [100, 0],
        [1, 0],
        [1, 1],
      ],
      ...[
        [2 ** 26, 2 ** 22],
        [2 ** 26 - 1, 0],
      ],
    ] as [number, number][])
      assert.equal(lies(length, zeros), 'bad-padding', `${length} bytes, ${zeros} zeros`)
  })

  it('is refused without a padded piece, cut short, or as the other format', () => {
    const one = announcing({ id: patternBytes(32, 1), length: 280 })
    assert.equal(codeOf(forge(one, Buffer.from([0, 0]))), 'not-canonical')
    assert.equal(codeOf(forge({ header, announcements: [], entries: [] }, Buffer.from([0]))), 'not-canonical')
    assert.equal(codeOf(forge(one, Buffer.alloc(0))), 'truncated')
    assert.equal(codeOf(forge(one, Buffer.from([1]))), 'truncated')
    assert.equal(codeOf(forge(one, Buffer.from([1, 0]))), 'ok')
    assert.equal(codeOf(forge(one, Buffer.from([1, 0]), 1)), 'too-large')
    assert.equal(codeOf(forge(one, Buffer.from([1, 0, 0]))), 'trailing')
    assert.equal(codeOf(forge(one, Buffer.from([1, 0]), 3)), 'bad-format')
  })

  it('any bytes are refused or say the same again (F7)', () => {
    const announcements = [
      { first: 0, pieces: [280, 296, 41, 14_872].map((length, i) => ({ id: patternBytes(32, i), length })) },
    ]
    let accepted = 0
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constant(0), fc.nat(255)), { maxLength: 9 }), (list) => {
        const bytes = Buffer.from(list)
        const read = decoding(() => readPaddings(bytes, announcements))
        if (read.type === 'violation') return
        accepted++
        assert.deepEqual(writePaddings(read.value.announcements), bytes.subarray(0, read.value.at))
      }),
      { numRuns: 2000 },
    )
    assert.ok(accepted > 20)
  })
})
