// What a look has found at a path, in the words of the core: from what workers answer, and for one more name of a file that is
// known, from what is known of that.
import { NO_EXTRA } from '../../core/entry.js'
import type { LiveFact } from '../../core/fact.js'
import type { Observation } from '../../core/metadata.js'
import type { RelPath } from '../../core/path.js'
import type { PieceInfo } from '../../core/piece.js'
import { type DiskStat, mtimeUsOf } from '../../core/stat.js'
import type { HashResult } from '../../folder/hash.js'
import { unpackLayout } from '../../store/pieces.js'
import type { ShareIndex } from '../../store/share-index.js'
import { splitPieces } from './hashed.js'
import { twinOf } from './link-watch.js'

export interface Seen {
  readonly fact: LiveFact
  readonly pieces: readonly PieceInfo[] | undefined
}

export type Read = Extract<HashResult, { readonly status: 'ok' | 'same' | 'symlink' }>

export function directoryFact(stat: DiskStat): LiveFact {
  return { type: 'directory', mode: stat.mode, mtimeUs: mtimeUsOf(stat), extra: NO_EXTRA }
}

export function observationOf(result: Read): Observation {
  return { stat: result.stat, attributes: result.status === 'symlink' ? undefined : result.attributes }
}

function factOfHashed(result: Exclude<Read, { readonly status: 'same' }>): Seen {
  const mtimeUs = mtimeUsOf(result.stat)
  if (result.status === 'symlink') {
    return { fact: { type: 'symlink', mtimeUs, target: result.target, extra: NO_EXTRA }, pieces: undefined }
  }
  const { mode, size } = result.stat
  return {
    fact: { type: 'file', mode, mtimeUs, size, content: result.content, extra: NO_EXTRA },
    pieces: splitPieces(result.pieces, result.lengths),
  }
}

/** What reading a path found. Undefined if the name that it was to be as is not like that any more. */
export function seenOf(index: ShareIndex, path: RelPath, result: Read): Seen | undefined {
  if (result.status !== 'same') return factOfHashed(result)
  const twin = twinOf(index, path, result.stat)
  if (twin === undefined) return undefined
  const { content, size } = twin.fact
  const { mode } = result.stat
  const mtimeUs = mtimeUsOf(result.stat)
  const fact: LiveFact = { type: 'file', mode, mtimeUs, size, content, extra: NO_EXTRA }
  return { fact, pieces: unpackLayout(twin.layout) }
}
