import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ByteWriter } from '../../src/core/bytes.js'
import type { FileEntry } from '../../src/core/entry.js'
import type { RelPath } from '../../src/core/path.js'
import { contentIdOf } from '../../src/core/piece.js'
import { decodePublicPart, decodeRecord, encodeRecord, type FeedRecord } from '../../src/core/record.js'
import { AnnouncedPieces } from '../../src/core/record-announced.js'
import { entryBytesAtMost } from '../../src/core/record-entries.js'
import { readEntries } from '../../src/core/record-entries-read.js'
import { writeEntries } from '../../src/core/record-entries-write.js'
import { writePublicPart } from '../../src/core/record-public.js'
import { readFixture } from '../support/repository.js'
import { patternBytes } from './piece-pattern.js'
import { author, place, records, sample } from './record-samples.js'

const fixture = readFixture('record.json') as { block: string; publicPart: string; entriesPart: string }

describe('record', () => {
  it('is frozen: bytes of a released version decode to the same record', () => {
    assert.deepEqual(decodeRecord(Buffer.from(fixture.block, 'hex'), place), { type: 'ok', value: sample })
  })

  it('is frozen: the parts encode to the same bytes', () => {
    // Not the whole block: what deflate makes of the entries may differ between versions of zlib.
    const writer = new ByteWriter()
    writePublicPart(writer, sample)
    assert.equal(writer.finish().toString('hex'), fixture.publicPart)
    const entries = writeEntries(sample.entries, new AnnouncedPieces(sample.announcements))
    assert.equal(entries.toString('hex'), fixture.entriesPart)
    assert.ok(fixture.block.startsWith(`535201${fixture.publicPart}`))
  })

  it('decodes to what was encoded', () => {
    fc.assert(
      fc.property(records, (record) => {
        const block = encodeRecord(record, place)
        assert.deepEqual(decodeRecord(block, place), { type: 'ok', value: record })
        const { header } = record
        // A blind node learns nothing of what is padding.
        const announcements = record.announcements.map(({ first, pieces }) => ({
          first,
          pieces: pieces.map(({ id, length }) => ({ id, length })),
        }))
        assert.deepEqual(decodePublicPart(block), { type: 'ok', value: { header, announcements } })
      }),
    )
  })

  it('encodes to the same parts again', () => {
    fc.assert(
      fc.property(records, (record) => {
        const bytes = writeEntries(record.entries, new AnnouncedPieces(record.announcements))
        const again = readEntries(bytes, author, new AnnouncedPieces(record.announcements))
        assert.deepEqual(writeEntries(again, new AnnouncedPieces(record.announcements)), bytes)
        const bound = record.entries.reduce((sum, entry) => sum + entryBytesAtMost(entry), 3)
        assert.ok(bytes.length <= bound)
      }),
    )
  })

  it('hides entries from whoever lacks the entry key, and shows them pieces (F6)', () => {
    const block = encodeRecord(sample, place)
    const other = { ...place, entryKey: Buffer.alloc(32) }
    assert.equal(violationOf(decodeRecord(block, other)), 'bad-seal')
    assert.equal(block.includes('one.txt'), false)
    assert.equal(decodePublicPart(block).type, 'ok')
  })

  it('is bound to its feed and position: nothing can be moved elsewhere (F6)', () => {
    const block = encodeRecord(sample, place)
    assert.equal(violationOf(decodeRecord(block, { ...place, index: 8 })), 'bad-seal')
    assert.equal(violationOf(decodeRecord(block, { ...place, feedKey: Buffer.alloc(32) })), 'bad-seal')
    const { header, announcements } = sample
    const bare = encodeRecord({ header, announcements: announcements.slice(1), entries: [] }, place)
    const sealed = sealedPart(block, sample)
    const graft = Buffer.concat([
      bare.subarray(
        0,
        bare.length - sealedPart(bare, { ...sample, announcements: announcements.slice(1) }).length,
      ),
      sealed,
    ])
    assert.equal(decodePublicPart(graft).type, 'ok')
    assert.equal(violationOf(decodeRecord(graft, place)), 'bad-seal')
  })

  it('does not run out of look-ups where a writer would not (F7)', () => {
    // Copies of one large file: the first few follow from its pieces, the others state their content.
    const pieces = Array.from({ length: 5000 }, (_, i) => ({ id: patternBytes(32, i), length: 1024 }))
    const content = contentIdOf(pieces.map(({ id }) => id))
    const entries = Array.from(
      { length: 60 },
      (_, i): FileEntry => ({
        ...(sample.entries[1] as FileEntry),
        path: `copy-${i}` as RelPath,
        size: 5_000_000,
        content,
        pieces: [{ first: 0, count: 5000 }],
      }),
    )
    const record = { ...sample, announcements: [{ first: 0, pieces }], entries }
    assert.deepEqual(decodeRecord(encodeRecord(record, place), place), { type: 'ok', value: record })
  })

  it('states size and content only where they do not follow from its own pieces (F1)', () => {
    const file = sample.entries[1] as FileEntry
    const encoded = (announcements: FeedRecord['announcements']): number =>
      writeEntries([file], new AnnouncedPieces(announcements)).length
    assert.equal(encoded([]) - encoded(sample.announcements), 33)
  })

  it('refuses to encode what breaks a rule', () => {
    const file = sample.entries[1] as FileEntry
    const broken: Partial<FileEntry>[] = [
      { size: 101 },
      { content: Buffer.alloc(32) },
      { content: Buffer.alloc(31) },
      { mode: 0o10000 },
      { mtimeUs: 2 ** 53 },
      { mtimeUs: 0.5 },
      { version: [] },
      { version: [[author, 0]] },
      { version: [[author, 2 ** 48]] },
      { pieces: [{ first: 10, count: 0 }] },
      { pieces: [{ first: 0x7fff_ffff, count: 2 }] },
      { author: place.author.replace('a', 'b') as typeof author, origin: author },
      { extra: [[1, Buffer.alloc(65_536)]] },
      {
        extra: [
          [2, Buffer.alloc(0)],
          [1, Buffer.alloc(0)],
        ],
      },
    ]
    for (const change of broken) {
      const record = { ...sample, entries: [sample.entries[0]!, { ...file, ...change }] }
      assert.throws(() => encodeRecord(record, place), JSON.stringify(change))
    }
    assert.throws(() => encodeRecord(sample, { ...place, nonce: Buffer.alloc(23) }), { code: 'INTERNAL' })
    assert.throws(
      () => encodeRecord({ ...sample, announcements: [...sample.announcements].reverse() }, place),
      {
        code: 'INTERNAL',
      },
    )
  })
})

function violationOf(decoded: { type: 'ok' } | { type: 'violation'; code: string }): string | undefined {
  return decoded.type === 'violation' ? decoded.code : undefined
}

function sealedPart(block: Buffer, record: FeedRecord): Buffer {
  const writer = new ByteWriter()
  writePublicPart(writer, record)
  return block.subarray(3 + writer.length)
}
