// Which pieces a readable share needs now (core/live-pieces.ts), read from its index: every head once, and what its feeds
// announced. Costs some microseconds for each path and each piece: a generator, so that it can be done in slices; what
// changes meanwhile may be in it or not.
import { type LivePieces, LivePiecesMaker } from '../../core/live-pieces.js'
import type { ShareIndex } from '../../store/share-index.js'

/** Rows between two pauses. */
const CHUNK = 256

export type IndexedHeads = Pick<ShareIndex, 'allHeads' | 'feeds' | 'pieces'>

export function* walkLivePieces(index: IndexedHeads): Generator<undefined, LivePieces> {
  const maker = new LivePiecesMaker()
  yield* markHeads(index, maker)
  yield* learnPieces(index, maker)
  return maker.finish()
}

/** All heads of a path, also those in conflict: each is what some device is to keep. */
function* markHeads(index: IndexedHeads, maker: LivePiecesMaker): Generator<undefined, void> {
  let rows = 0
  for (const heads of index.allHeads(CHUNK)) {
    for (const entry of heads) {
      if (entry.type !== 'file') continue
      for (const { first, count } of entry.pieces) maker.mark(entry.author, first, count)
    }
    if (++rows % CHUNK === 0) yield
  }
}

function* learnPieces(index: IndexedHeads, maker: LivePiecesMaker): Generator<undefined, void> {
  for (const { writer, end } of maker.marked) {
    const feed = index.feeds.byWriter(writer)
    if (feed === undefined) continue
    for (let from = 0; from < end; ) {
      const announced = index.pieces.announcedFrom(feed.number, from, CHUNK)
      for (const { index: number, id, length } of announced) maker.learn(writer, number, id, length)
      yield
      if (announced.length < CHUNK) break
      from = announced.at(-1)!.index + 1
    }
  }
}
