// A fact is what a path holds, without who said so or when: the common ground of the disk (what a scan saw), of entries
// (what the share says) and of the digest (what two nodes compare).
import { ByteWriter } from './bytes.js'
import type { Extra, LiveEntry } from './entry.js'
import { sameExtra } from './entry.js'
import { blake3 } from './hash.js'
import type { RelPath } from './path.js'

export interface FileFact {
  readonly type: 'file'
  readonly mode: number
  readonly mtimeUs: number
  readonly size: number
  readonly content: Buffer
  readonly extra: Extra
}
export interface DirectoryFact {
  readonly type: 'directory'
  readonly mode: number
  readonly mtimeUs: number
  readonly extra: Extra
}
export interface SymlinkFact {
  readonly type: 'symlink'
  readonly mtimeUs: number
  readonly target: string
  readonly extra: Extra
}
export type LiveFact = FileFact | DirectoryFact | SymlinkFact
export type Fact = LiveFact | { readonly type: 'absent' }

export const ABSENT: Fact = { type: 'absent' }

/** What an entry says about its path. */
export function factOf(entry: LiveEntry): LiveFact {
  switch (entry.type) {
    case 'file':
      return {
        type: 'file',
        mode: entry.mode,
        mtimeUs: entry.mtimeUs,
        size: entry.size,
        content: entry.content,
        extra: entry.extra,
      }
    case 'directory':
      return { type: 'directory', mode: entry.mode, mtimeUs: entry.mtimeUs, extra: entry.extra }
    case 'symlink':
      return { type: 'symlink', mtimeUs: entry.mtimeUs, target: entry.target, extra: entry.extra }
  }
}

/** Same kind and content; metadata may differ. All directories have the same content. */
export function sameFactContent(a: Fact, b: Fact): boolean {
  if (a.type === 'file') return b.type === 'file' && a.content.equals(b.content)
  if (a.type === 'symlink') return b.type === 'symlink' && a.target === b.target
  return a.type === b.type
}

/** Same kind, content and metadata. */
export function sameFact(a: Fact, b: Fact): boolean {
  if (a.type === 'absent' || b.type === 'absent') return a.type === b.type
  return (
    sameFactContent(a, b) &&
    a.mtimeUs === b.mtimeUs &&
    (a.type === 'symlink' || b.type === 'symlink' || a.mode === b.mode) &&
    sameExtra(a.extra, b.extra)
  )
}

const KIND_BYTE = { file: 1, directory: 2, symlink: 3 } as const
const BEFORE_1970 = 8

/** Nothing of one fingerprint is left for the next. */
const scratch = new ByteWriter(4096)

/**
 * 32 bytes that stand for "this path holds this", for the tree digest (section 10). Versions are left out on purpose:
 * two nodes are in sync when they hold the same tree, whichever way each came to it.
 */
export function fingerprint(path: RelPath, fact: LiveFact): Buffer {
  const writer = scratch.clear()
  writer
    .text(path)
    .u8(KIND_BYTE[fact.type] | (fact.mtimeUs < 0 ? BEFORE_1970 : 0))
    .uint(Math.abs(fact.mtimeUs))
  if (fact.type === 'file') writer.uint(fact.mode).uint(fact.size).raw(fact.content)
  else if (fact.type === 'directory') writer.uint(fact.mode)
  else writer.text(fact.target)
  writer.uint(fact.extra.length)
  for (const [tag, value] of fact.extra) writer.uint(tag).bytes(value)
  return blake3(writer.written())
}
