// Link groups: which names of a share are one file. An entry of a file may name a group (tag 4 of its extra): on every node
// that can, names of one group with the same content and metadata are hard links of one inode. Empty value: stated that it
// is linked to nothing. No value: nobody has stated anything. A name that is alone in its group is as if it had none.
//
// What a look states of a name's group is decided here. Only what the disk surely shows is stated: that a name shares its
// inode with another, or that one which shared it before has an inode of its own now. A node that never had the link (its
// file system has none, the inode had too many) so never takes it from the others.
import { LINK_TAG, tagOf, withTag } from './attributes.js'
import type { Extra } from './entry.js'
import { sameExtra } from './entry.js'
import type { Fact, FileFact } from './fact.js'
import { blake3Parts } from './hash.js'
import type { RelPath } from './path.js'

export const LINK_GROUP_BYTES = 16
/** Stated: linked to nothing. */
export const NO_GROUP: Buffer = Buffer.alloc(0)

/** What is said of the group: its id, NO_GROUP (empty), or undefined if nothing. */
export function statedGroup(extra: Extra): Buffer | undefined {
  return tagOf(extra, LINK_TAG)
}

/** The id of the group that a file belongs to; undefined without one, and for a value that is no id. */
export function groupOf(fact: Fact): Buffer | undefined {
  if (fact.type !== 'file' || fact.extra.length === 0) return undefined
  const group = statedGroup(fact.extra)
  return group?.length === LINK_GROUP_BYTES ? group : undefined
}

/** An extra that says this of the group, and all else as before. */
export function withGroup(extra: Extra, group: Buffer | undefined): Extra {
  return withTag(extra, LINK_TAG, group)
}

/** A file's fact that says this of the group. */
export function inGroup(fact: FileFact, group: Buffer | undefined): FileFact {
  const extra = withGroup(fact.extra, group)
  return extra === fact.extra ? fact : { ...fact, extra }
}

/** Same content and metadata; the groups may differ. */
export function sameButGroup(a: FileFact, b: FileFact): boolean {
  return (
    a.mtimeUs === b.mtimeUs &&
    a.mode === b.mode &&
    a.content.equals(b.content) &&
    sameExtra(withGroup(a.extra, undefined), withGroup(b.extra, undefined))
  )
}

/**
 * The id of a new group, from the name that it began with, its inode and its content: inodes are used again, and two disks
 * that were filled alike number them alike.
 */
export function newGroup(path: RelPath, ino: number, content: Buffer): Buffer {
  const hash = blake3Parts([Buffer.from(`shoal link group v1\0${ino}\0`), content, Buffer.from(path)])
  return hash.subarray(0, LINK_GROUP_BYTES)
}

/** The least of some ids; undefined of none. */
export function leastGroup(groups: Iterable<Buffer>): Buffer | undefined {
  let least: Buffer | undefined
  for (const group of groups) if (least === undefined || Buffer.compare(group, least) < 0) least = group
  return least
}

/** What is known about a file's links when it is looked at. */
export interface LinkLook {
  readonly path: RelPath
  readonly observed: FileFact
  /** The same in the words of a fact that it may be (local.ts); by default as it is. */
  readonly seenAs?: (fact: FileFact, isPut: boolean) => Fact
  readonly ino: number
  readonly nlink: number
  /** What this disk held at the path before, and whether that was this inode. */
  readonly held: Fact
  readonly isSameInode: boolean
  /** What an apply that was cut off was about to put there. */
  readonly intents: readonly Fact[]
  /** What the share says. */
  readonly share: Fact
  /** What other names of this inode are said to belong to; undefined: nothing is said. */
  readonly siblings: readonly (Buffer | undefined)[]
  /** Whether another name of the inode that was there before is in the group that the path was in. */
  readonly wasLinked: boolean
  /** Whether this node says which names are linked: it may publish and its configuration says so. */
  readonly states: boolean
}

/** What a look says of a file's group; undefined: nothing, neither now nor before. */
export function observedGroup(look: LinkLook): Buffer | undefined {
  const { observed, held, isSameInode, intents, share, nlink, siblings, states, path, ino } = look
  const isThis = (fact: Fact, isPut: boolean): fact is FileFact => {
    if (fact.type !== 'file') return false
    const seen = look.seenAs?.(fact, isPut) ?? observed
    return seen.type === 'file' && sameButGroup(fact, seen)
  }
  const before = held.type === 'file' ? statedGroup(held.extra) : undefined
  if (isSameInode && before !== undefined && (before.length > 0 || siblings.length === 0)) return before
  const intended = intents.find((fact) => isThis(fact, true))
  if (intended !== undefined) return statedGroup(intended.extra)
  const shared = isThis(share, false) ? statedGroup(share.extra) : undefined
  if (!states) return shared ?? before
  if (nlink === 1) {
    if (isSameInode || held.type !== 'file') return shared ?? before
    return look.wasLinked ? NO_GROUP : (shared ?? before)
  }
  if (before !== undefined && before.length > 0 && siblings.some((other) => other?.equals(before)))
    return before
  // A tree that was there on several nodes before they met is of one mind about its groups.
  if (held.type === 'absent' && shared !== undefined && shared.length > 0) return shared
  const known = leastGroup(siblings.filter((other) => other !== undefined && other.length > 0) as Buffer[])
  // A known file's new name may lie outside the share, as those of a backup made of links do: that is nobody's matter here.
  // One inside is a new name itself, and says so.
  if (known === undefined && siblings.length === 0 && isSameInode) return shared ?? before
  return known ?? newGroup(path, ino, observed.content)
}
