// Padded pieces in the index: places, sizes and announcements, and how a file is to be read whose content is known so.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { contentIdOf, type PieceInfo, SIV_BYTES, sealedBytesOf } from '../../src/core/piece.js'
import type { Version } from '../../src/core/version.js'
import { readAs } from '../../src/daemon/share/padding.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { packLayout, unpackLayout } from '../../src/store/pieces.js'
import type { ShareIndex } from '../../src/store/share-index.js'
import type { Content } from '../sim/contents.js'
import { F, fileBy, indexOf, OTHER, OWN, openIndex, say } from './gone-kit.js'

const piece = (seed: number, plain: number, isPadded = true): PieceInfo => ({
  id: Buffer.alloc(32, seed),
  length: sealedBytesOf(plain, isPadded),
  ...(isPadded ? { plain } : {}),
})

function contentOf(...pieces: PieceInfo[]): Content {
  const size = pieces.reduce((sum, { length, plain }) => sum + (plain ?? length - SIV_BYTES), 0)
  const id = contentIdOf(pieces.map((each) => each.id))
  return { key: '', chunks: [], size, pieces, id, layout: packLayout(pieces) }
}

const padded = contentOf(piece(1, 70_001), piece(2, 300))
const version = (n: number, by = OTHER): Version => [[by, n]]

function refusalsOf(index: ShareIndex, content: Content, first: number, n: number): string[] {
  const feed = index.feeds.byWriter(OTHER)!
  const header = { kind: 'delta', timeMs: 0, view: [], checkpoint: undefined } as const
  const entry = { ...fileBy(OTHER, version(n), content), pieces: [{ first, count: content.pieces.length }] }
  const record = { header, announcements: [{ first, pieces: content.pieces }], entries: [entry] }
  return index.transaction(() => index.ingest(feed, record, feed.next + 1)).map(({ detail }) => detail)
}

describe('padded pieces in the index', () => {
  it('have their place by the lengths of plaintexts, through a layout and a new opening', () => {
    const database = new MemoryDatabase()
    const index = indexOf(0, database)
    assert.equal(index.pieces.hasPadded, false)
    say(index, fileBy(OTHER, version(1), padded), padded)
    assert.deepEqual(unpackLayout(padded.layout), padded.pieces)
    const fact = { ...fileBy(OTHER, version(1), padded), type: 'file' as const }
    index.transaction(() =>
      index.setDisk(
        F,
        { applied: { version: version(1), fact }, stat: undefined, drift: undefined },
        padded.layout,
      ),
    )
    for (const each of [index, openIndex(database)]) {
      assert.equal(each.pieces.hasPadded, true)
      assert.deepEqual(each.piecesOf(each.heads(F)[0]!), padded.pieces)
      assert.equal(each.pieces.placeOf(padded.pieces[1]!)?.offset, 70_001)
    }
  })

  it('F1: are not announced twice and differently, nor mixed with others in one file', () => {
    const index = indexOf(0)
    assert.deepEqual(refusalsOf(index, padded, 0, 1), [])
    const lie = refusalsOf(index, contentOf(piece(1, 70_002), piece(2, 300)), 0, 2)
    assert.equal(lie[0], 'piece 0 was announced twice and differently')
    assert.deepEqual(refusalsOf(index, contentOf(piece(3, 70_001), piece(4, 300, false)), 2, 3), [
      'of its 2 pieces, only 1 are padded',
    ])
    const other = contentOf(piece(5, 300))
    assert.match(refusalsOf(index, { ...other, size: 301 }, 4, 4)[0]!, /hold 300 bytes, it claims 301/)
  })
})

describe('how a file is read', () => {
  const as = (index: ShareIndex, padding: 'padme' | 'none' | 'follow', size: number) =>
    readAs({ index, padding }, F, size)

  it('is as told where nothing is known; who is told nothing follows', () => {
    const index = indexOf(0)
    assert.deepEqual(as(index, 'none', 5), {})
    assert.deepEqual(as(index, 'follow', 5), {})
    assert.deepEqual(as(index, 'padme', 5), { isPadded: true })
    say(index, { ...fileBy(OTHER, version(1), padded), path: 'other' as typeof F }, padded)
    assert.deepEqual(as(index, 'none', 5), { isPadded: false })
    assert.deepEqual(as(index, 'follow', 5), { isPadded: true })
  })

  it('is as the path is known, and both ways where a content of this size may be known as either', () => {
    const index = indexOf(0)
    say(index, fileBy(OTHER, version(1), padded), padded)
    for (const padding of ['padme', 'none', 'follow'] as const)
      assert.deepEqual(as(index, padding, padded.size), { isPadded: true }, 'once padded, it stays so')
    const meant = readAs({ index, padding: 'none' }, F, padded.size, [Buffer.alloc(32, 7)])
    assert.deepEqual(meant, {
      isPadded: true,
      contents: Uint8Array.from(Buffer.concat([padded.id, Buffer.alloc(32, 7)])),
    })

    const plain = contentOf(piece(9, 500, false))
    const before = indexOf(0)
    say(before, fileBy(OWN, version(1, OWN), plain), plain)
    assert.deepEqual(as(before, 'padme', 500), { isPadded: true, contents: Uint8Array.from(plain.id) })
    assert.deepEqual(as(before, 'padme', 501), { isPadded: true }, 'another size is another content')
    assert.deepEqual(as(before, 'follow', 500), {}, 'nobody pads')
  })
})
