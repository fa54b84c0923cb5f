// Merge per path (section 5). The index keeps, for each path, the maximal entries it has heard of (heads); everything
// else is a view computed from them, the same on every node, without a clock or a disk:
//   V2 heads are a set of maximal elements of a partial order, so merging is commutative, associative and idempotent;
//   V3 heads of equal content are no conflict: the view joins their vectors;
//   V4 a live head beats a tombstone; V5/V6 the rest is decided by recorded fields alone (rank).
import { tagOf, withTag } from './attributes.js'
import type { Entry, Extra, LiveEntry, Tombstone } from './entry.js'
import { isLive, sameContent } from './entry.js'
import type { WriterId } from './ids.js'
import { compareVersions, joinVersions, NO_VERSION, type Version } from './version.js'

/** Pairwise concurrent entries of one path, in rank order, best first. */
export type Heads = readonly Entry[]
export const NO_HEADS: Heads = []

/** Adds an entry to the heads of its path. Returns the same array when the entry adds nothing. */
export function mergeEntry(heads: Heads, entry: Entry): Heads {
  const kept: Entry[] = []
  for (const head of heads) {
    const order = compareVersions(head.version, entry.version)
    if (order === 'after') return heads
    // One vector, two entries: only a broken writer does that; the rank decides, so that all nodes still agree.
    if (order === 'equal' && rank(head, entry) <= 0) return heads
    if (order === 'concurrent') kept.push(head)
  }
  kept.push(entry)
  return kept.sort(rank)
}

/** Merges two sets of heads of one path. */
export function mergeHeads(a: Heads, b: Heads): Heads {
  return b.reduce(mergeEntry, a)
}

const KIND_RANK = { directory: 0, file: 1, symlink: 1, tombstone: 2 } as const

/**
 * The total order that picks winners: negative when `a` goes before `b`. A directory keeps its name (V6), what lives
 * beats what was deleted (V4), then newer mtime, then content, then the other recorded fields (V5, V7).
 */
export function rank(a: Entry, b: Entry): number {
  return (
    KIND_RANK[a.type] - KIND_RANK[b.type] ||
    b.mtimeUs - a.mtimeUs ||
    compareText(a.type, b.type) ||
    compareContent(a, b) ||
    compareMode(a, b) ||
    compareExtra(a, b) ||
    compareText(a.origin, b.origin) ||
    compareText(a.author, b.author) ||
    compareVectors(a.version, b.version)
  )
}

/** What a path's heads amount to. */
export interface View {
  /** The entry that has the path; undefined only when there are no heads. */
  readonly winner: Entry | undefined
  /** The join of all heads: what a device that has applied the winner has seen (V3). */
  readonly version: Version
  /** Losers whose content would vanish, each content once, in rank order: they must become conflict copies (V5, V6). */
  readonly losers: readonly LiveEntry[]
}

/** The view of one path's heads, tree aside (see effective in tree.ts). */
export function viewOf(heads: Heads): View {
  const winner = heads[0]
  if (winner === undefined) return { winner: undefined, version: NO_VERSION, losers: [] }
  if (heads.length === 1) return { winner, version: winner.version, losers: [] }
  const losers: LiveEntry[] = []
  let version: Version = winner.version
  for (const head of heads.slice(1)) {
    version = joinVersions(version, head.version)
    if (!isLive(head) || head.type === 'directory' || sameContent(head, winner)) continue
    if (!losers.some((loser) => sameContent(loser, head))) losers.push(head)
  }
  return { winner, version, losers }
}

/** What is remembered of a directory that is gone. */
export type Memory = Exclude<Tombstone['was'], undefined> & { readonly extra: Extra }

/** What a directory was like, by the first tombstone in rank order that remembers anything. */
export function memoryOf(heads: Heads): Memory | undefined {
  for (const head of heads)
    if (head.type === 'tombstone' && head.was !== undefined) return { ...head.was, extra: head.extra }
  return undefined
}

/**
 * The winner's metadata, with what it does not state as the next head in rank order has it that has the same content:
 * whoever does not carry an attribute must not strip it by winning.
 */
export function extraOf(winner: LiveEntry, heads: Heads): Extra {
  let { extra } = winner
  for (const head of heads) {
    if (head === winner || !isLive(head) || !sameContent(head, winner)) continue
    for (const [tag, value] of head.extra)
      if (tagOf(extra, tag) === undefined) extra = withTag(extra, tag, value)
  }
  return extra
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function compareContent(a: Entry, b: Entry): number {
  if (a.type === 'file' && b.type === 'file') return Buffer.compare(a.content, b.content)
  if (a.type === 'symlink' && b.type === 'symlink') return compareText(a.target, b.target)
  return 0
}

function compareMode(a: Entry, b: Entry): number {
  if (a.type === 'symlink' || b.type === 'symlink') return 0
  const left = a.type === 'tombstone' ? a.was : a
  const right = b.type === 'tombstone' ? b.was : b
  return (right?.mode ?? -1) - (left?.mode ?? -1) || (right?.mtimeUs ?? 0) - (left?.mtimeUs ?? 0)
}

function compareExtra(a: Entry, b: Entry): number {
  const length = Math.min(a.extra.length, b.extra.length)
  for (let i = 0; i < length; i++) {
    const [leftTag, leftValue] = a.extra[i]!
    const [rightTag, rightValue] = b.extra[i]!
    const order = leftTag - rightTag || Buffer.compare(leftValue, rightValue)
    if (order !== 0) return order
  }
  return a.extra.length - b.extra.length
}

function compareVectors(a: Version, b: Version): number {
  const flat = (version: Version): string =>
    version.map(([writer, counter]: readonly [WriterId, number]) => `${writer}:${counter}`).join()
  return compareText(flat(a), flat(b))
}
