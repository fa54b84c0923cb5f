// Versions that nobody can have any more because they were made here and the user of this disk has removed them since.
// Others would wait for them for ever, so the device that made the content says that it is gone. How they come about: a
// record was announced, and the file deleted while the process was dead; or another writer settled a conflict in favour of
// a version at the very moment when its user deleted it (an edit lives on beside a deletion, V4). Promises: only what was
// first announced since this index began counts, because only that was certainly on this disk; after the loss of an index
// nothing is taken for deleted (A5). Whether a peer still has the content, or the staging area, is for the caller to ask.
import { ABSENT, type Fact, type FileFact } from '../core/fact.js'
import type { WriterId } from '../core/ids.js'
import type { RelPath } from '../core/path.js'
import type { PieceInfo } from '../core/piece.js'
import type { Draft } from '../core/tree.js'
import { unpackLayout } from './pieces.js'
import type { ShareIndex } from './share-index.js'

export interface GoneVersion {
  /** What the share says the path is to hold. */
  readonly wanted: FileFact
  /** What to publish in its place: what this disk holds there, which is mostly nothing. */
  readonly draft: Draft
  /** The pieces of the draft, in order. */
  readonly pieces: readonly PieceInfo[]
  /** The pieces that this disk and its archive hold no longer, at least one. If all can be got elsewhere, nothing is gone. */
  readonly missing: readonly PieceInfo[]
}

/** Whether a wanted path waits for a content that was made here and is gone here; `own` is the writer that we are. */
export function goneVersion(index: ShareIndex, path: RelPath, own: WriterId): GoneVersion | undefined {
  const { step, share, row } = index.need(path)
  const { entry, version } = share
  if (step.type !== 'write' || entry?.type !== 'file' || entry.origin !== own) return undefined
  // What settles the conflict goes first, lest the versions that lost be buried (V5).
  if (row?.drift !== undefined || index.conflicts.unsettled.has(path)) return undefined
  const feed = index.feeds.byWriter(own)
  const all = index.piecesOf(entry)
  if (feed === undefined || all === undefined) return undefined
  const missing = all.filter(
    (piece) => !index.pieces.isHeld(piece) && index.archivedPlaceOf(piece.id) === undefined,
  )
  const wasHere = (piece: PieceInfo): boolean => {
    const refs = index.pieces.refsOf(piece).filter((ref) => ref.feed === feed.number)
    return refs.length > 0 && refs.every((ref) => ref.index >= feed.before.pieceCount)
  }
  if (missing.length === 0 || !missing.every(wasHere)) return undefined
  const fact = heldInstead(row?.applied.fact)
  const layout = fact.type === 'file' ? index.layout(path) : undefined
  return {
    wanted: step.fact,
    draft: { path, base: version, fact, origin: undefined, was: undefined },
    pieces: layout === undefined ? [] : [...unpackLayout(layout)],
    missing,
  }
}

/** A directory was to go anyway. */
function heldInstead(fact: Fact | undefined): Fact {
  return fact === undefined || fact.type === 'directory' ? ABSENT : fact
}
