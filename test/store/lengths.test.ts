// An id that feeds announce with different lengths is as many pieces, of which a disk holds one (P2, P3).
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { WriterId } from '../../src/core/ids.js'
import { type PieceInfo, SIV_BYTES } from '../../src/core/piece.js'
import { PieceNumbers } from '../../src/daemon/share/piece-numbers.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { packLayout } from '../../src/store/pieces.js'
import type { ShareIndex } from '../../src/store/share-index.js'
import { F, fileBy, indexOf, OTHER, OWN, openIndex } from './gone-kit.js'

const TRUE: PieceInfo = { id: Buffer.alloc(32, 1), length: 496 + SIV_BYTES }
const SHORT: PieceInfo = { ...TRUE, length: 20 + SIV_BYTES }
/** As long when it is sealed, and another plaintext. */
const PADDED: PieceInfo = { ...TRUE, plain: 490 }

function announce(index: ShareIndex, writer: WriterId, piece: PieceInfo): void {
  const feed = index.feeds.byWriter(writer)!
  const header = { kind: 'delta', timeMs: 0, view: [], checkpoint: undefined } as const
  const announcements = [{ first: feed.pieceCount, pieces: [piece] }]
  index.transaction(() => index.ingest(feed, { header, announcements, entries: [] }, feed.next + 1))
}

/** The disk holds a file of the true piece. */
function hold(index: ShareIndex): void {
  const layout = packLayout([TRUE])
  const content = { key: '', chunks: [], size: 496, pieces: [TRUE], id: Buffer.alloc(32, 2), layout }
  const fact = { ...fileBy(OTHER, [[OTHER, 1]], content), type: 'file' as const }
  const applied = { version: [[OTHER, 1]] as const, fact }
  index.transaction(() => index.setDisk(F, { applied, stat: undefined, drift: undefined }, layout))
}

/** By feed number and index, what peers are told. */
function told(index: ShareIndex): string[] {
  const list: string[] = []
  for (const [feed, held] of index.drain().held)
    for (const [at, isHeld] of held)
      list.push(`${index.feeds.byNumber(feed)!.writer === OWN ? 'own' : 'other'} ${at} ${isHeld}`)
  return list.sort()
}

describe('an id with several lengths', () => {
  for (const order of ['before', 'after'] as const)
    it(`is offered under the numbers that say what is here, announced ${order} it came`, () => {
      const database = new MemoryDatabase()
      const index = indexOf(0, database)
      if (order === 'after') hold(index)
      announce(index, OTHER, SHORT)
      announce(index, OWN, TRUE)
      announce(index, OTHER, TRUE)
      announce(index, OWN, PADDED)
      if (order === 'before') hold(index)
      assert.deepEqual(told(index), ['other 1 true', 'own 0 true'])
      for (const each of [index, openIndex(database)]) {
        assert.deepEqual(
          [TRUE, SHORT, PADDED].map((piece) => each.pieces.isHeld(piece)),
          [true, false, false],
        )
        assert.equal(each.pieces.placeOf(TRUE)?.path, F)
        assert.equal(each.pieces.placeOf(SHORT), undefined)
        const numbers = (piece: PieceInfo) => each.pieces.refsOf(piece).map(({ index: at }) => at)
        // Peers are asked for sealed bytes: which of them are padding is none of theirs.
        assert.deepEqual([numbers(TRUE), numbers(SHORT), numbers(PADDED)], [[0, 1, 1], [0], [0, 1, 1]])
      }
    })

  it('is announced anew by who publishes what a liar said, under a number of its own', () => {
    const index = indexOf(0)
    announce(index, OWN, TRUE)
    announce(index, OTHER, SHORT)
    const numbers = new PieceNumbers(index, index.feeds.byWriter(OWN)!)
    assert.deepEqual(numbers.of(TRUE), { number: 0, isFresh: false })
    assert.deepEqual(numbers.of(SHORT), { number: 1, isFresh: true })
    assert.deepEqual(numbers.of(PADDED), { number: 2, isFresh: true })
    assert.deepEqual(numbers.of(SHORT), { number: 1, isFresh: false })
  })
})
