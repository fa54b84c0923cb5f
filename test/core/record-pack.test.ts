import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Entry, FileEntry, PieceRun } from '../../src/core/entry.js'
import type { RelPath } from '../../src/core/path.js'
import { contentIdOf, type PieceInfo } from '../../src/core/piece.js'
import { decodeRecord, encodeRecord } from '../../src/core/record.js'
import { type Publication, packEntries, RECORD_TARGET_BYTES } from '../../src/core/record-pack.js'
import { patternBytes } from './piece-pattern.js'
import { author, place } from './record-samples.js'

const header = { kind: 'delta', timeMs: 0, view: [], checkpoint: undefined } as const

describe('packing entries into records', () => {
  it('keeps the order, loses nothing and puts no entry before its pieces (F1, F2)', () => {
    const files = fc.array(fc.oneof(fc.nat(3), fc.nat(60)), { maxLength: 40 })
    fc.assert(
      fc.property(files, fc.integer({ min: 200, max: 3000 }), (pieceCounts, targetBytes) => {
        const publications = publicationsOf(pieceCounts)
        const bodies = [...packEntries(publications, targetBytes)]
        assert.deepEqual(
          bodies.flatMap((body) => body.entries),
          publications.map(({ entry }) => entry),
        )
        const seen = new Set<number>()
        for (const { announcements, entries } of bodies) {
          assert.ok(announcements.length + entries.length > 0)
          for (const { first, pieces } of announcements)
            for (let i = 0; i < pieces.length; i++) {
              assert.ok(!seen.has(first + i), 'a piece is announced once')
              seen.add(first + i)
            }
          for (const entry of entries)
            for (const { first, count } of (entry as FileEntry).pieces)
              for (let i = 0; i < count; i++) assert.ok(seen.has(first + i), 'a piece comes before its entry')
        }
        assert.equal(
          seen.size,
          pieceCounts.reduce((sum, count) => sum + count, 0),
        )
      }),
    )
  })

  it('makes records that encode, decode and stay near the target', () => {
    const counts = Array.from({ length: 3000 }, (_, i) => (i % 100 === 0 ? 200 : 1))
    const publications = publicationsOf(counts)
    const entries: Entry[] = []
    let blocks = 0
    for (const body of packEntries(publications)) {
      const block = encodeRecord({ header, ...body }, { ...place, index: blocks })
      assert.ok(block.length <= RECORD_TARGET_BYTES * 1.1, `record of ${block.length} bytes`)
      const decoded = decodeRecord(block, { ...place, index: blocks })
      assert.equal(decoded.type, 'ok')
      if (decoded.type === 'ok') entries.push(...decoded.value.entries)
      blocks++
    }
    assert.deepEqual(
      entries,
      publications.map(({ entry }) => entry),
    )
    assert.ok(blocks >= 2 && blocks <= 6, `${blocks} records`)
  })

  it('announces thousands of pieces in records of their own, the entry in the last', () => {
    const bodies = [...packEntries(publicationsOf([1, 20_000, 1]))]
    assert.ok(bodies.length > 2)
    for (const body of bodies.slice(1, -1)) assert.equal(body.entries.length, 0)
    for (const [index, body] of bodies.entries()) {
      const block = encodeRecord({ header, ...body }, { ...place, index })
      assert.ok(block.length <= RECORD_TARGET_BYTES * 1.1)
      assert.equal(decodeRecord(block, { ...place, index }).type, 'ok')
    }
  })

  it('sorts and joins announcements, and skips pieces it has already announced (F3)', () => {
    const [one, two] = [piece(5), piece(6)]
    const announce = [{ first: 6, pieces: [two] }]
    const bodies = [
      ...packEntries([
        { entry: file('a', [{ first: 6, count: 1 }], [two]), announce },
        {
          entry: file('b', [{ first: 5, count: 2 }], [one, two]),
          announce: [{ first: 5, pieces: [one, two] }],
        },
        { entry: undefined, announce: [{ first: 9, pieces: [piece(9)] }] },
      ]),
    ]
    assert.deepEqual(
      bodies.map((body) => body.announcements),
      [
        [
          { first: 5, pieces: [one, two] },
          { first: 9, pieces: [piece(9)] },
        ],
      ],
    )
    assert.equal(encodeRecord({ header, ...bodies[0]! }, place).length > 0, true)
  })

  it('gives no record for nothing, and holds the largest entry there can be', () => {
    assert.deepEqual([...packEntries([])], [])
    assert.deepEqual([...packEntries([{ entry: undefined, announce: [] }])], [])
    const runs = Array.from({ length: 65_536 }, (_, i) => ({
      first: ((i * 7919) % 65_536) * 30_000,
      count: 1,
    }))
    const entry = {
      ...file('x'.repeat(255), runs, []),
      size: 65_536,
      content: Buffer.alloc(32),
      extra: [[1, patternBytes(65_000, 1)] as const],
    }
    const small = file('small', [], [])
    const bodies = [...packEntries([small, entry, small].map((one) => ({ entry: one, announce: [] })))]
    assert.equal(bodies.length, 3)
    const block = encodeRecord({ header, ...bodies[1]! }, place)
    assert.deepEqual(decodeRecord(block, place), { type: 'ok', value: { header, ...bodies[1]! } })
  })
})

function piece(number: number): PieceInfo {
  return { id: patternBytes(32, number), length: 100 + (number % 50) }
}

function file(path: string, runs: readonly PieceRun[], pieces: readonly PieceInfo[]): FileEntry {
  return {
    type: 'file',
    path: path as RelPath,
    version: [[author, 1]],
    author,
    origin: author,
    extra: [],
    mode: 0o644,
    mtimeUs: 1_700_000_000_000_000,
    size: pieces.reduce((sum, { length }) => sum + length - 24, 0),
    content: contentIdOf(pieces.map(({ id }) => id)),
    pieces: runs,
  }
}

/** One file for each count, its pieces numbered on from the file before. */
function publicationsOf(pieceCounts: readonly number[]): Publication[] {
  let first = 0
  return pieceCounts.map((count, i) => {
    const pieces = Array.from({ length: count }, (_, k) => piece(first + k))
    const runs = count === 0 ? [] : [{ first, count }]
    const announce = count === 0 ? [] : [{ first, pieces }]
    first += count
    return { entry: file(`directory-${i % 7}/file-${i}`, runs, pieces), announce }
  })
}
