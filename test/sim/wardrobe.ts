// Metadata in simulated histories: nodes that carry this or that of it, on file systems that can hold it or not, as root or
// not, with accounts of their own; what users do to it; and the checks that nobody strips what it cannot hold and nobody
// states what no user did. Every history draws from a generator of its own, so that a seed's history is otherwise the same.
import { formatAcl } from '../../src/core/acl.js'
import { decodeOwner, OWNER_TAG, tagOf } from '../../src/core/attributes.js'
import type { Extra } from '../../src/core/entry.js'
import type { Fact, LiveFact } from '../../src/core/fact.js'
import type { LocalDress, Metadata } from '../../src/core/metadata.js'
import { ACL_ACCESS, ACL_DEFAULT, packRaw, unpackRaw } from '../../src/core/raw-attributes.js'
import { type Accounts, metadataOf } from '../support/metadata.js'
import { withMode } from '../support/wearing.js'
import type { Inode, SimDisk } from './disk.js'
import type { Random } from './random.js'

/** What one node can do. */
export interface Wardrobe {
  readonly metadata: Metadata
  /** Whether it runs as root. */
  readonly chowns: boolean
  /** Whether its file system has ACLs and xattrs. */
  readonly holds: boolean
}

/** Nothing of it, as most histories have it. */
export const BARE: Wardrobe = { metadata: metadataOf(), chowns: true, holds: true }

const NAMES = ['alice', 'bob', 'carol']
const NO_ATTRIBUTES = Buffer.alloc(0)

export function wardrobeOf(random: Random, number: number): Wardrobe {
  // The same names have other numbers everywhere, and some are not there.
  const numbers = Object.fromEntries(
    NAMES.filter(() => random.chance(0.8)).map((name, i) => [name, 1000 + number * 100 + i]),
  )
  const accounts: Accounts = { user: { root: 0, ...numbers }, group: { root: 0, ...numbers } }
  const chowns = random.chance(0.6)
  const rules = {
    owners: random.chance(0.7),
    mayChown: chowns,
    scope: { acls: random.chance(0.7), xattrs: random.chance(0.7) ? ['user.*'] : [] },
    withholdsSetid: chowns,
  }
  return { metadata: metadataOf(rules, accounts), chowns, holds: random.chance(0.7) }
}

/** What the attributes of an inode look like to the agent. */
export function attributesSeen(
  { metadata, holds }: Wardrobe,
  { type, attributes }: Inode,
): Buffer | undefined {
  const { acls, xattrs } = metadata.rules.scope
  if (!holds || type === 'symlink' || (!acls && xattrs.length === 0)) return undefined
  const raw = unpackRaw(attributes).filter(([name]) => (isAcl(name) ? acls : xattrs.length > 0))
  return raw.length === 0 ? NO_ATTRIBUTES : packRaw(raw)
}

/** Owner first, which takes set-id bits away, then attributes, then the mode: a crash may come in between. */
export function* dressing(
  disk: SimDisk,
  inode: Inode,
  { mode, dress }: { readonly mode: number; readonly dress?: LocalDress },
  wardrobe: Wardrobe,
): Generator<void, void, void> {
  const { chowns, holds } = wardrobe
  const isOwned = chowns || dress?.uid === undefined
  if (dress?.uid !== undefined && chowns && (inode.stat.uid !== dress.uid || inode.stat.gid !== dress.gid)) {
    const kept = inode.type === 'file' ? inode.stat.mode & ~0o6000 : inode.stat.mode
    disk.change(inode, { uid: dress.uid, gid: dress.gid!, mode: kept })
    yield
  }
  if (dress?.attributes !== undefined && holds && inode.type !== 'symlink') {
    const { acls, xattrs } = dress.about ?? { acls: true, xattrs: true }
    const { scope } = wardrobe.metadata.rules
    const left = unpackRaw(inode.attributes).filter(([name]) =>
      isAcl(name) ? !acls || !scope.acls : !xattrs || scope.xattrs.length === 0,
    )
    const wanted = unpackRaw(dress.attributes)
    const all = packRaw([...left, ...wanted].sort(([a], [b]) => (a < b ? -1 : 1)))
    if (!all.equals(inode.attributes)) {
      inode.attributes = all
      // Setting an access ACL sets the permissions that it says, which are the mode's (acl(5)).
      const isAccess = wanted.some(([name]) => name === ACL_ACCESS)
      disk.change(inode, isAccess ? { mode: (inode.stat.mode & ~0o777) | (mode & 0o777) } : {})
      yield
    }
  }
  if (inode.type === 'symlink') return
  const meant = holds ? mode : (dress?.modeWithoutAcl ?? mode)
  const given = isOwned || inode.type !== 'file' ? meant : meant & ~0o6000
  disk.change(inode, { mode: given })
  inode.hasUsersMode = false
  // chmod(2) changes the mask of an ACL, whoever set that.
  inode.attributes = withMode({ stat: inode.stat, attributes: inode.attributes }, given).attributes!
}

/** What a user of this node does to metadata, now and then. */
export function userDresses(
  random: Random,
  disk: SimDisk,
  { metadata, chowns, holds }: Wardrobe,
): string | undefined {
  const path = random.pick([...disk.tree.keys()])
  const inode = path === undefined ? undefined : disk.tree.get(path)
  if (path === undefined || inode === undefined) return undefined
  const what = random.weighted({ chown: 2, chgrp: 1, acl: 2, xattr: 2, both: 1 })
  const id = (kind: 'user' | 'group'): number =>
    metadata.mapping.local(kind, { id: 0, name: random.pick(NAMES)! }).id
  // The user of a node that is not root's may be root all the same.
  if (what === 'chown' || what === 'both') {
    disk.change(inode, { uid: id('user'), mode: inode.stat.mode & (inode.type === 'file' ? 0o1777 : 0o7777) })
    inode.touched.add('owner')
    inode.touched.add('mode')
  }
  if (what === 'chgrp') {
    disk.change(inode, { gid: id('group') })
    inode.touched.add('owner')
  }
  void chowns
  if (holds && inode.type !== 'symlink' && (what === 'acl' || what === 'xattr' || what === 'both')) {
    const raw = new Map(unpackRaw(inode.attributes))
    if (what === 'xattr') {
      const name = random.pick(['user.a', 'user.b'])!
      if (random.chance(0.3)) raw.delete(name)
      else raw.set(name, Buffer.from(`${random.below(100)}`))
      inode.touched.add('xattrs')
    } else {
      const name = inode.type === 'directory' && random.chance(0.5) ? ACL_DEFAULT : ACL_ACCESS
      const rights = { owner: (inode.stat.mode >> 6) & 7, group: random.below(8), other: inode.stat.mode & 7 }
      const entries = [{ kind: 'user' as const, rights: random.below(8), id: id('user') }]
      const mask = random.below(8)
      if (random.chance(0.3)) raw.delete(name)
      else raw.set(name, formatAcl({ ...rights, mask, entries }))
      inode.touched.add('acl')
      inode.touched.add('mode')
      if (name === ACL_ACCESS) disk.change(inode, { mode: (inode.stat.mode & ~0o070) | (mask << 3) })
      inode.hasUsersMode ||= name === ACL_ACCESS
    }
    inode.attributes = packRaw([...raw].sort(([a], [b]) => (a < b ? -1 : 1)))
    disk.change(inode, {})
  }
  inode.isTouched = true
  return `${what} ${path}`
}

const TAGS = { 1: 'owner', 2: 'acl', 3: 'xattrs' } as const

/**
 * What a publication of a path that was there before strips, or states although no user touched it; in words. `said`: what
 * an apply that was cut off may have put there before a user changed something else.
 */
export function* unmeant(
  before: Fact,
  now: Fact,
  said: readonly Fact[],
  touched: ReadonlySet<string>,
): Generator<string> {
  if (before.type === 'absent' || before.type !== now.type) return
  const old = before.extra
  for (const [tag, value] of old) {
    const is = tagOf((now as LiveFact).extra, tag)
    const name = TAGS[tag as 1 | 2 | 3] ?? `tag ${tag}`
    if (is === undefined) yield `strips the ${name}`
    const isSaid = (fact: Fact): boolean =>
      fact.type !== 'absent' && is !== undefined && (tagOf(fact.extra, tag)?.equals(is) ?? false)
    if (is !== undefined && !is.equals(value) && !touched.has(name) && !said.some(isSaid))
      yield `changes the ${name} that no user touched`
  }
  const isOwner = (extra: Extra): boolean => tagOf(extra, OWNER_TAG) !== undefined
  const owner = isOwner((now as LiveFact).extra)
    ? decodeOwner(tagOf((now as LiveFact).extra, OWNER_TAG)!)
    : undefined
  if (isOwner((now as LiveFact).extra) && owner === undefined) yield 'states an owner that cannot be read'
}

/** Whether an inode wears what the share says of it, as far as this node can. */
export function isDressed(wardrobe: Wardrobe, fact: LiveFact, inode: Inode): boolean {
  const { metadata, chowns, holds } = wardrobe
  const { mode, dress } = metadata.dress(fact, true)
  const { stat } = inode
  if (dress?.uid !== undefined && chowns && (stat.uid !== dress.uid || stat.gid !== dress.gid)) return false
  if (inode.type === 'symlink') return true
  const seen = attributesSeen(wardrobe, inode)
  const part = metadata.dress(fact, false).dress
  if (seen !== undefined && part?.attributes !== undefined) {
    const { acls, xattrs } = part.about ?? { acls: true, xattrs: true }
    const about = unpackRaw(seen).filter(([name]) => (isAcl(name) ? acls : xattrs))
    if (!packRaw(about).equals(part.attributes)) return false
  }
  const meant = holds ? mode : (dress?.modeWithoutAcl ?? mode)
  const isMode = (wanted: number): boolean => (stat.mode & 0o1777) === (wanted & 0o1777)
  if (isMode(meant)) return true
  // Where the ACL is not held or not carried, what a user sets is the mode itself, which is the ACL's mask elsewhere.
  const isWithoutAcl = !holds || !metadata.rules.scope.acls
  return isWithoutAcl && inode.hasUsersMode && fact.type !== 'symlink' && isMode(fact.mode)
}

function isAcl(name: string): boolean {
  return name === ACL_ACCESS || name === ACL_DEFAULT
}
