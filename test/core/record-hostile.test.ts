// F7: whatever bytes a peer sends, a decoder answers with a value or a violation, quickly and in bounded memory, and
// what it accepts has no second form.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { ByteWriter } from '../../src/core/bytes.js'
import type { Entry } from '../../src/core/entry.js'
import { blake3 } from '../../src/core/hash.js'
import type { WriterId } from '../../src/core/ids.js'
import {
  decodePublicPart,
  decodeRecord,
  encodeRecord,
  MAX_ENTRIES_BYTES,
  MAX_RECORD_BYTES,
} from '../../src/core/record.js'
import { AnnouncedPieces } from '../../src/core/record-announced.js'
import { MAX_RECORD_ENTRIES, MAX_RECORD_ITEMS, MAX_RUNS } from '../../src/core/record-entries.js'
import { readEntries } from '../../src/core/record-entries-read.js'
import { writeEntries } from '../../src/core/record-entries-write.js'
import { labelBytes, seal } from '../../src/core/seal.js'
import { type Decoded, decoding } from '../../src/core/violation.js'
import { patternBytes } from './piece-pattern.js'
import { author, place, records, sample } from './record-samples.js'

const block = encodeRecord(sample, place)
const sampleEntries = writeEntries(sample.entries, announced())

describe('hostile record (F7)', () => {
  it('gives a violation for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, dressed) => {
        const blob = dressed ? Buffer.concat([Buffer.from('SR\x01'), bytes]) : Buffer.from(bytes)
        assert.equal(decodeRecord(blob, place).type, 'violation')
        decodePublicPart(blob)
      }),
      { numRuns: 500 },
    )
  })

  it('gives a violation for a record cut anywhere or longer', () => {
    for (let length = 0; length < block.length; length++)
      assert.equal(decodeRecord(block.subarray(0, length), place).type, 'violation', `cut at ${length}`)
    assert.equal(decodeRecord(Buffer.concat([block, Buffer.alloc(1)]), place).type, 'violation')
  })

  it('gives a violation for a record with any bit changed', () => {
    for (let at = 0; at < block.length; at++) {
      const changed = Buffer.from(block)
      changed[at]! ^= 1 << (at % 8)
      assert.equal(decodeRecord(changed, place).type, 'violation', `bit of byte ${at}`)
    }
  })

  it('refuses another format version and a block over the limit unread', () => {
    const newer = Buffer.from(block)
    newer[2] = 3
    assert.equal(codeOf(decodeRecord(newer, place)), 'bad-format')
    assert.equal(codeOf(decodeRecord(Buffer.alloc(MAX_RECORD_BYTES + 1), place)), 'too-long')
  })

  it('refuses entries that inflate without end, do not inflate, or are followed by more', () => {
    const bomb = deflateRawSync(Buffer.alloc(MAX_ENTRIES_BYTES * 4))
    assert.equal(codeOf(decodeRecord(blockOf(bomb), place)), 'too-long')
    assert.equal(codeOf(decodeRecord(blockOf(Buffer.from([7, 7, 7])), place)), 'bad-deflate')
    assert.equal(codeOf(decodeRecord(blockOf(Buffer.alloc(0)), place)), 'bad-deflate')
    const followed = Buffer.concat([deflateRawSync(Buffer.from([0])), Buffer.from([0])])
    assert.equal(codeOf(decodeRecord(blockOf(followed), place)), 'trailing')
    assert.equal(decodeRecord(blockOf(deflateRawSync(Buffer.from([0]))), place).type, 'ok')
  })
})

describe('hostile entries (F7)', () => {
  it('any bytes that decode encode to the same bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void canonical(Buffer.from(bytes))),
      { numRuns: 2000 },
    )
  })

  it('any change to a valid part is refused or encodes to the same bytes', () => {
    let accepted = 0
    const edits = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.nat(3))), {
      minLength: 1,
      maxLength: 3,
    })
    fc.assert(
      fc.property(records, edits, (record, changes) => {
        const bytes = writeEntries(record.entries, new AnnouncedPieces(record.announcements))
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        if (canonical(bytes, record.announcements)) accepted++
      }),
      { numRuns: 1000 },
    )
    assert.ok(accepted > 20, 'the changes are small enough for some to be accepted')
  })

  it('every one-byte change to the sample is refused or encodes to the same bytes', () => {
    for (let at = 0; at < sampleEntries.length; at++)
      for (const value of [
        0,
        1,
        2,
        0x2f,
        0x7f,
        0x80,
        0xff,
        sampleEntries[at]! ^ 0x20,
        sampleEntries[at]! + 1,
      ]) {
        const bytes = Buffer.from(sampleEntries)
        bytes[at] = value
        canonical(bytes, sample.announcements)
      }
  })

  it('refuses names that could leave the share (A1)', () => {
    for (const path of ['../a', '/a', 'a/../b', 'a//b', 'a\0b', '.', '.shoal/marker', 'a/', ''])
      assert.equal(codeOf(entriesOf(directory(path))), 'bad-path', JSON.stringify(path))
    const surrogate = Buffer.from([1, 0x41, 0, 3, 0xed, 0xa0, 0x80, 0, 0, 0])
    assert.equal(codeOf(entriesOf(surrogate)), 'bad-utf8')
  })

  it('refuses counts that the bytes cannot hold, before making room for them', () => {
    for (const count of [2 ** 52, MAX_RECORD_ENTRIES + 1, 100])
      assert.equal(
        codeOf(entriesOf(new ByteWriter().uint(count).raw(Buffer.alloc(50)).finish())),
        'too-large',
      )
    const many = new ByteWriter().uint(MAX_RECORD_ENTRIES + 1).raw(Buffer.alloc(MAX_RECORD_ENTRIES * 8))
    assert.equal(codeOf(entriesOf(many.finish())), 'too-large')
    const runs = new ByteWriter().raw(Buffer.from([1, 0x40, 0, 1, 0x61, 0, 0, 0])).uint(MAX_RUNS + 1)
    assert.equal(codeOf(entriesOf(runs.raw(Buffer.alloc(MAX_RUNS * 3)).finish())), 'too-large')
  })

  it('accepts the shortest entries there are', () => {
    const tombstones = new ByteWriter().uint(20).raw(Buffer.from([0x43, 0, 1, 0x61, 0, 0]))
    for (let i = 1; i < 20; i++) tombstones.raw(Buffer.from([0x43, 1, 0, 0, 0]))
    assert.ok(canonical(tombstones.finish()))
  })

  it('refuses more runs in one record than its items, however few bytes they take', () => {
    const writer = new ByteWriter().uint(10)
    for (let i = 0; i < 10; i++) {
      writer.raw(Buffer.from([0x60, 0, 1, 0x61 + i, 0, 0, 0])).uint(MAX_RUNS)
      for (let run = 0; run < MAX_RUNS; run++) writer.raw(Buffer.from([1, 1]))
      writer.uint(MAX_RUNS).raw(Buffer.alloc(32))
    }
    assert.ok(10 * MAX_RUNS > MAX_RECORD_ITEMS)
    assert.equal(codeOf(entriesOf(writer.finish())), 'too-large')
  })

  it('does not look pieces up without end for runs that repeat', () => {
    const announcements = [
      {
        first: 0,
        pieces: Array.from({ length: 5000 }, (_, i) => ({ id: patternBytes(32, i), length: 1000 })),
      },
    ]
    // 4,000,000 pieces in 800 runs: within the bounds of one entry, beyond what a reader looks up for a record.
    const writer = new ByteWriter()
      .uint(1)
      .raw(Buffer.from([0x40, 0, 1, 0x61, 0, 0, 0]))
      .uint(800)
    for (let run = 0; run < 800; run++) writer.int(run === 0 ? 0 : -5000).uint(5000)
    const decoded = decoding(() => readEntries(writer.finish(), author, new AnnouncedPieces(announcements)))
    assert.equal(codeOf(decoded), 'no-content')
  })
})

function announced(): AnnouncedPieces {
  return new AnnouncedPieces(sample.announcements)
}

/** Whether the bytes decode; if so, they are the only form of what they say. */
function canonical(bytes: Buffer, announcements = sample.announcements): boolean {
  const decoded = decoding(() => readEntries(bytes, author, new AnnouncedPieces(announcements)))
  if (decoded.type === 'violation') return false
  assert.deepEqual(writeEntries(decoded.value, new AnnouncedPieces(announcements)), bytes)
  return true
}

function entriesOf(bytes: Buffer): Decoded<Entry[]> {
  return decoding(() => readEntries(bytes, 'a1a1a1a1a1a1a1a1' as WriterId, announced()))
}

function directory(path: string): Buffer {
  return new ByteWriter().uint(1).u8(0x41).uint(0).text(path).int(0).uint(0).uint(0).finish()
}

/** A record without pieces around something that is sealed in the right place. */
function blockOf(packed: Buffer): Buffer {
  const before = Buffer.from([0x53, 0x52, 1, 0, 0, 0, 0, 0])
  const index = Buffer.alloc(8)
  index.writeUInt32BE(place.index, 4)
  const associated = Buffer.concat([
    labelBytes('shoal 2025 record entries v1'),
    place.feedKey,
    index,
    blake3(before),
  ])
  return Buffer.concat([before, place.nonce, seal(place.entryKey, place.nonce, packed, associated)])
}

function codeOf(decoded: Decoded<unknown>): string | undefined {
  return decoded.type === 'violation' ? decoded.code : undefined
}
