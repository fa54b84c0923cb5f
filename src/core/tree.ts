// What the rules say about a path as part of a tree: V4 (an addition brings its parents back) and V6 (a directory keeps
// its name) cannot be seen from one path's heads alone. Also what a writer publishes to settle a conflict.

import { LINK_TAG, withTag } from './attributes.js'
import { conflictPath, DISTINCT_NAMES } from './conflict.js'
import type { Entry, Extra, LiveEntry, PieceRun, Tombstone } from './entry.js'
import { isLive, NO_EXTRA, sameContent } from './entry.js'
import { ABSENT, type DirectoryFact, type Fact, factOf, sameFactContent } from './fact.js'
import type { WriterId } from './ids.js'
import { extraOf, type Heads, type Memory, memoryOf, viewOf } from './merge.js'
import { parentOf, type RelPath } from './path.js'
import { counterOf, type Version } from './version.js'

/** What the share says a path holds, to a device that has read these heads. */
export interface Effective {
  readonly fact: Fact
  /** What a device has seen once it has applied this. */
  readonly version: Version
  /** The entry whose content it is; undefined for absent paths and for directories that only their children imply. */
  readonly entry: LiveEntry | undefined
}

/** A directory that must exist because of what lies in it, and of which nobody remembers anything. */
export const DEFAULT_DIRECTORY: DirectoryFact = {
  type: 'directory',
  mode: 0o755,
  mtimeUs: 0,
  extra: NO_EXTRA,
}

/** The share's state of one path. `hasLiveChild`: some path directly inside it is live, by this same function. */
export function effective(heads: Heads, hasLiveChild: boolean): Effective {
  const { winner, version } = viewOf(heads)
  if (hasLiveChild && winner?.type !== 'directory') {
    return { fact: impliedDirectory(heads), version, entry: undefined }
  }
  if (winner === undefined || !isLive(winner)) return { fact: ABSENT, version, entry: undefined }
  const fact = factOf(winner)
  const extra = heads.length === 1 ? fact.extra : extraOf(winner, heads)
  return { fact: extra === fact.extra ? fact : { ...fact, extra }, version, entry: winner }
}

function impliedDirectory(heads: Heads): DirectoryFact {
  const was = memoryOf(heads)
  return was === undefined
    ? DEFAULT_DIRECTORY
    : { type: 'directory', mode: was.mode, mtimeUs: was.mtimeUs, extra: was.extra }
}

/** What a writer is to publish next: an entry without its own counter and without piece numbers of its own feed yet. */
export interface Draft {
  readonly path: RelPath
  /** The vector that the new version starts from (V1). */
  readonly base: Version
  readonly fact: Fact
  /** Who made the content: undefined means the publishing writer. */
  readonly origin: WriterId | undefined
  /** For a tombstone of a directory: what it was like. */
  readonly was: (Omit<Memory, 'extra'> & { readonly extra?: Extra }) | undefined
}

/** What settle needs to know about other paths and devices. */
export interface SettleContext {
  readonly headsAt: (path: RelPath) => Heads
  /** The label of the device that owns a writer id (see certificate.ts); for an unknown one, of the id itself. */
  readonly labelOf: (writer: WriterId) => string
}

/** The versions of a path that must become conflict copies: those that lost, and a file that had to give way (V5, V6). */
export function losersOf(heads: Heads, hasLiveChild: boolean): readonly LiveEntry[] {
  const { winner, losers } = viewOf(heads)
  const isDisplaced = hasLiveChild && winner !== undefined && isLive(winner) && winner.type !== 'directory'
  return isDisplaced ? [winner, ...losers] : losers
}

/**
 * The entries that settle a path's conflict, all to be published in one record: conflict copies for losing versions, and
 * one entry that includes all heads. Empty when there is nothing to settle. A reader never publishes them.
 */
export function settle(
  path: RelPath,
  heads: Heads,
  hasLiveChild: boolean,
  context: SettleContext,
): readonly Draft[] {
  if (heads.length === 0) return []
  const state = effective(heads, hasLiveChild)
  const copies = losersOf(heads, hasLiveChild)
  // A directory that only its children hold up is written down, so that it stays when they go (V4).
  const implied = state.fact.type === 'directory' && state.entry === undefined
  if (copies.length === 0 && !implied) return []
  const drafts = copyDrafts(path, copies, context)
  // Better an open conflict than a version that nobody can find again.
  if (drafts === undefined) return []
  return [
    ...drafts,
    { path, base: state.version, fact: state.fact, origin: state.entry?.origin, was: undefined },
  ]
}

/**
 * What a writer must publish before `draft`, in the same record: conflict copies of contents that the new version
 * includes although the user who made it never saw them. A vector counts all that its writer said before, also what it
 * said as a settler and its own disk never held, and a version that is applied includes losers that nobody has copied
 * yet; without the copies, the new version would bury both (V1, V5). `replaced` is what the disk held before.
 * Undefined if there is no name left for one: then the draft must wait.
 */
export function rescue(
  draft: Draft,
  author: WriterId,
  replaced: Fact,
  heads: Heads,
  context: SettleContext,
): readonly Draft[] | undefined {
  const unseen: LiveEntry[] = []
  for (const head of heads) {
    if (!isLive(head) || head.type === 'directory') continue
    const buried = head.version.every(
      ([writer, counter]) => writer === author || counter <= counterOf(draft.base, writer),
    )
    const fact = factOf(head)
    if (!buried || sameFactContent(fact, replaced) || sameFactContent(fact, draft.fact)) continue
    if (!unseen.some((other) => sameContent(other, head))) unseen.push(head)
  }
  return copyDrafts(draft.path, unseen, context)
}

/** Drafts of conflict copies, none for a content that is at its place already; undefined if a name cannot be found. */
function copyDrafts(
  path: RelPath,
  copies: readonly LiveEntry[],
  context: SettleContext,
): readonly Draft[] | undefined {
  const drafts: Draft[] = []
  for (const copy of copies) {
    const place = placeOfCopy(path, copy, drafts, context)
    if (place === undefined) return undefined
    if (place.isThere) continue
    drafts.push({
      path: place.path,
      base: place.version,
      fact: copyOf(copy),
      origin: copy.origin,
      was: undefined,
    })
  }
  return drafts
}

/** A conflict copy is a file of its own, not another name of what its original is linked to. */
function copyOf(copy: LiveEntry): Fact {
  const fact = factOf(copy)
  return { ...fact, extra: withTag(fact.extra, LINK_TAG, undefined) }
}

/** The first of a copy's names that holds nothing else: neither in the share nor among the drafts before it. */
function placeOfCopy(
  path: RelPath,
  copy: LiveEntry,
  drafts: readonly Draft[],
  context: SettleContext,
): { readonly path: RelPath; readonly version: Version; readonly isThere: boolean } | undefined {
  const label = context.labelOf(copy.origin)
  for (let attempt = -1; attempt < DISTINCT_NAMES; attempt++) {
    const target = conflictPath(path, copy, label, attempt >= 0, Math.max(attempt, 0))
    if (drafts.some((draft) => draft.path === target)) continue
    const { winner, version } = viewOf(context.headsAt(target))
    const isThere = winner !== undefined && sameContent(winner, copy)
    if (isThere || winner === undefined || !isLive(winner)) return { path: target, version, isThere }
  }
  return undefined
}

/** The paths whose effective state may change with this one: itself and every directory above it. */
export function withAncestors(path: RelPath): readonly RelPath[] {
  const paths: RelPath[] = []
  for (let at: RelPath | '' = path; at !== ''; at = parentOf(at)) paths.push(at)
  return paths
}

/**
 * A tombstone or a live entry as a finished Entry; the caller supplies counter and piece runs. Field by field: two spreads in
 * one object take ten times as long and eight times the memory, and this is made for every path of a first scan.
 */
export function entryOf(
  draft: Draft,
  own: {
    readonly author: WriterId
    readonly version: Version
    readonly pieces: readonly PieceRun[]
    readonly nowUs: number
  },
): Entry {
  const { path, fact } = draft
  const { author, version, pieces } = own
  const origin = draft.origin ?? author
  switch (fact.type) {
    case 'absent': {
      const { was, extra } = memoryIn(draft)
      return { type: 'tombstone', path, version, author, origin, extra, mtimeUs: own.nowUs, was }
    }
    case 'file': {
      const { extra, mtimeUs, mode, size, content } = fact
      return { type: 'file', path, version, author, origin, extra, mtimeUs, mode, size, content, pieces }
    }
    case 'directory': {
      const { extra, mtimeUs, mode } = fact
      return { type: 'directory', path, version, author, origin, extra, mtimeUs, mode }
    }
    case 'symlink': {
      const { extra, mtimeUs, target } = fact
      return { type: 'symlink', path, version, author, origin, extra, mtimeUs, target }
    }
  }
}

function memoryIn({ was }: Draft): Pick<Tombstone, 'was' | 'extra'> {
  if (was === undefined) return { was, extra: NO_EXTRA }
  return { was: { mode: was.mode, mtimeUs: was.mtimeUs }, extra: was.extra ?? NO_EXTRA }
}
