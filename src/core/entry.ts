// An entry is one version of one path, as a writer published it. Entries are immutable; what a node makes of several of
// them is a View (merge.ts).
import type { WriterId } from './ids.js'
import type { RelPath } from './path.js'
import type { Version } from './version.js'

/** Permission bits that are carried: rwx for all, setuid, setgid, sticky. */
export const MODE_MASK = 0o7777

/** A run of piece numbers in the author's feed, in file order (F1). */
export interface PieceRun {
  readonly first: number
  readonly count: number
}

interface EntryBase {
  readonly path: RelPath
  readonly version: Version
  /** Whose feed this entry stands in; piece runs count in that feed. */
  readonly author: WriterId
  /** Who made this content, kept through conflict resolution so that all name a conflict copy alike (V5). */
  readonly origin: WriterId
  /** Metadata of later formats (owners, ACLs, xattrs): tag -> bytes, passed on untouched, compared byte by byte. */
  readonly extra: Extra
}

/** Sorted by tag, each tag once. */
export type Extra = readonly (readonly [tag: number, value: Buffer])[]
export const NO_EXTRA: Extra = []

export interface FileEntry extends EntryBase {
  readonly type: 'file'
  /** 0 to 0o7777. */
  readonly mode: number
  /** Microseconds since 1970, may be negative. */
  readonly mtimeUs: number
  readonly size: number
  /** Identity of the content, the same on every device (see contentIdOf in piece.ts). 32 bytes. */
  readonly content: Buffer
  readonly pieces: readonly PieceRun[]
}

export interface DirectoryEntry extends EntryBase {
  readonly type: 'directory'
  readonly mode: number
  readonly mtimeUs: number
}

export interface SymlinkEntry extends EntryBase {
  readonly type: 'symlink'
  readonly mtimeUs: number
  /** The link's text, never followed or interpreted. 1 to 4095 bytes of UTF-8, no NUL. */
  readonly target: string
}

export interface Tombstone extends EntryBase {
  readonly type: 'tombstone'
  /** When the writer noticed, microseconds; names things for people, decides nothing (V7). */
  readonly mtimeUs: number
  /**
   * What a directory was like, so that one brought back by an addition inside it (V4) is the same on every node; `extra` is
   * then the directory's.
   */
  readonly was: { readonly mode: number; readonly mtimeUs: number } | undefined
}

export type LiveEntry = FileEntry | DirectoryEntry | SymlinkEntry
export type Entry = LiveEntry | Tombstone

export function isLive(entry: Entry): entry is LiveEntry {
  return entry.type !== 'tombstone'
}

/** Same kind and same content: what no conflict copy need be made of. Metadata may differ. */
export function sameContent(a: Entry, b: Entry): boolean {
  if (a.type === 'file') return b.type === 'file' && a.content.equals(b.content)
  if (a.type === 'symlink') return b.type === 'symlink' && a.target === b.target
  return a.type === b.type
}

/** Same metadata, content aside. */
export function sameMetadata(a: LiveEntry, b: LiveEntry): boolean {
  return (
    a.mtimeUs === b.mtimeUs &&
    (a.type === 'symlink' ? b.type === 'symlink' : b.type !== 'symlink' && a.mode === b.mode) &&
    sameExtra(a.extra, b.extra)
  )
}

export function sameExtra(a: Extra, b: Extra): boolean {
  return a.length === b.length && a.every(([tag, value], i) => b[i]![0] === tag && b[i]![1].equals(value))
}
