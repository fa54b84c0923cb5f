// Owners, ACLs and extended attributes between the share and one disk. What an entry says of them is a wish: a node that
// cannot hold an attribute, or is told not to carry it, still passes it on. So a look at the disk never asks what is
// there, but what has changed since it was dressed or looked at last:
//
//   merged = wish + (observed - shown), attribute by attribute, xattrs name by name, the mode's classes each for itself
//
// `shown` is what the disk showed then: its stat, and the marks of its attributes (shown.ts). What is not carried or
// cannot be observed comes from the wish. Numbers and names of accounts are told apart in owners.ts. Pure.
import { modeWithout } from './acl.js'
import { AttributeWishes, sameMark } from './attribute-wishes.js'
import { ACL_TAG, decodeXattrs, OWNER_TAG, tagOf, withTag, XATTRS_TAG } from './attributes.js'
import { type Extra, NO_EXTRA } from './entry.js'
import { type Fact, type LiveFact, sameFactContent } from './fact.js'
import { Interned } from './interned.js'
import { OwnerWishes } from './owner-wishes.js'
import type { OwnerMapping } from './owners.js'
import {
  ACL_ACCESS,
  ACL_DEFAULT,
  type AttributeScope,
  packRaw,
  type RawAttributes,
  unpackRaw,
} from './raw-attributes.js'
import { modeToSet } from './setid.js'
import { isAclName, marksOf, packShown, unpackShown } from './shown.js'
import type { DiskStat } from './stat.js'

/** What a node carries, and what it may. */
export interface MetadataRules {
  /** Whether owners are carried. */
  readonly owners: boolean
  /** Whether this process may give files away. */
  readonly mayChown: boolean
  readonly scope: AttributeScope
  /** Files of which nobody stated an owner get no set-user-id and set-group-id bit (setid.ts). */
  readonly withholdsSetid: boolean
}

/** What a path shows, beside its content: the stat, and the attributes in the scope, packed; undefined: it has none. */
export interface Observation {
  readonly stat: DiskStat
  readonly attributes: Buffer | undefined
  /** Nobody looked at the attributes: they are as they were. */
  readonly isUnread?: boolean
}

/** What it showed when it was dressed or looked at last. */
export interface Shown {
  readonly stat: DiskStat | undefined
  readonly shown: Buffer | undefined
}

/** Which attributes a look may state: those that are stated already, also those that changed, or all that it sees. */
export type Stating = 'stated' | 'changed' | 'all'

/** What is to be set on a disk. */
export interface LocalDress {
  readonly uid?: number
  readonly gid?: number
  /** Packed; all that the path is to have of the names that `about` allows, or the node's scope. */
  readonly attributes?: Buffer
  /** The part of the scope that `attributes` is about, if not all of it. */
  readonly about?: { readonly acls: boolean; readonly xattrs: boolean }
  readonly modeWithoutAcl?: number
}

/** What a disk does not have of what the share says: bits of a number. */
export const LACKS = { owner: 1, account: 2, acl: 4, xattrs: 8, redress: 16 } as const
export type Lack = 'owner' | 'account' | 'acl' | 'xattrs'

const NO_ATTRIBUTES: Buffer = Buffer.alloc(0)
const MODE_CLASSES = [0o700, 0o070, 0o007, 0o4000, 0o2000, 0o1000]
const SETID_BITS = 0o6000

interface Disk {
  readonly stat: DiskStat
  readonly raw: RawAttributes | undefined
}

export class Metadata {
  readonly rules: MetadataRules
  readonly mapping: OwnerMapping
  readonly #owners: OwnerWishes
  readonly #attributes: AttributeWishes
  readonly #extras = new Interned<Extra>()

  constructor(rules: MetadataRules, mapping: OwnerMapping) {
    this.rules = rules
    this.mapping = mapping
    this.#owners = new OwnerWishes(mapping)
    this.#attributes = new AttributeWishes(rules.scope, mapping)
  }

  /** The same on a disk that can hold only part of the scope. */
  within(scope: AttributeScope): Metadata {
    return new Metadata({ ...this.rules, scope }, this.mapping)
  }

  /** What to keep of an observation for the next look. */
  shownOf({ attributes }: Observation): Buffer | undefined {
    return packShown(attributes === undefined ? undefined : unpackRaw(attributes), this.rules.scope)
  }

  /**
   * What a path holds, told from what it was to hold before. `seen`: as its stat and content say, without extra. `held`
   * and `was`: what it was to hold, and what it showed then. `known`: facts that may have been put there since; what is
   * the same here as one of them says keeps its words.
   */
  merged(
    seen: LiveFact,
    now: Observation,
    held: Fact,
    was: Shown,
    stating: Stating,
    known: readonly Fact[] = [],
  ): LiveFact {
    if (held.type !== seen.type) return withExtra(seen, this.#allOf(seen, now))
    const isSame = sameFactContent(seen, held)
    const extra = this.#mergedExtra(
      seen,
      now,
      held.extra,
      was.stat === undefined ? this.#meant(held, now) : was,
      stating,
      known,
    )
    if (seen.type === 'symlink' || held.type === 'symlink') return withExtra(seen, extra)
    const mode = this.#mergedMode(seen, now, held, was.stat, isSame)
    return { ...seen, mode, extra }
  }

  /**
   * What a path holds in the words of a fact that it may be: what this disk shows just as if that had been put there is
   * as that says. What the fact does not state is not asked for. `isNew`: nobody has looked at this content here before, so
   * that what it lacks may never have been set; later, its lack is somebody's change. `isPut`: nobody has looked at its
   * mode since it may have been set.
   */
  as(seen: LiveFact, now: Observation, fact: LiveFact, isNew: boolean, isPut: boolean = isNew): LiveFact {
    if (seen.type !== fact.type) return withExtra(seen, this.#allOf(seen, now))
    const disk = this.#diskOf(now)
    let extra = fact.extra
    const { owners, mayChown, scope } = this.rules
    for (const [tag, value] of fact.extra) {
      if (tag === OWNER_TAG && owners && (mayChown || !isNew) && !this.#owners.isWorn(value, now.stat))
        extra = withTag(extra, tag, this.#owners.valueOf(now.stat))
      if (disk.raw === undefined || seen.type === 'symlink') continue
      if (tag === ACL_TAG && scope.acls && !this.#attributes.isAcl(value, fact, disk.raw))
        extra = withTag(
          extra,
          tag,
          this.#attributes.mergedAcl(seen, disk.raw, value, true, true, []) ?? value,
        )
      if (tag === XATTRS_TAG && scope.xattrs.length > 0 && !this.#attributes.isXattrs(value, disk.raw))
        extra = withTag(extra, tag, this.#attributes.mergedXattrs(disk.raw, value, undefined) ?? value)
    }
    if (seen.type === 'symlink' || fact.type === 'symlink') return withExtra(seen, extra)
    const isMode =
      seen.mode === fact.mode ||
      (isPut && seen.mtimeUs === fact.mtimeUs && this.#isPutMode(seen.mode, now, fact))
    return { ...seen, mode: isMode ? fact.mode : seen.mode, extra }
  }

  /** How a path is dressed for a fact. `isNew`: it gets an inode of its own; else `heldMode` is what it has. */
  dress(
    fact: LiveFact,
    isNew: boolean,
    heldMode = 0,
  ): { readonly mode: number; readonly dress?: LocalDress } {
    const { owners, scope, withholdsSetid } = this.rules
    const owner = owners ? this.#owners.of(fact.extra) : undefined
    const user = owner === undefined ? undefined : this.mapping.local('user', owner.user)
    const group = owner === undefined ? undefined : this.mapping.local('group', owner.group)
    const chown = user === undefined || group === undefined ? {} : { uid: user.id, gid: group.id }
    if (fact.type === 'symlink') return owner === undefined ? { mode: 0 } : { mode: 0, dress: chown }
    const isSure = user?.isSure === true && group?.isSure === true
    const acl = this.#attributes.aclOf(fact.extra)
    const held = isNew ? 0 : heldMode
    // A file that becomes somebody else's must not keep bits that it had as another's, unless they are wished.
    const setid = modeToSet(
      fact,
      owner === undefined ? withholdsSetid : !isSure,
      owner === undefined ? held : 0,
    )
    const plain = acl?.access === undefined ? setid : modeWithout(acl.access, setid)
    const mode = scope.acls ? setid : plain
    const part = this.#attributesFor(fact, mode, isNew)
    const dress: LocalDress = {
      ...chown,
      ...part,
      ...(part.attributes !== undefined && mode !== plain ? { modeWithoutAcl: plain } : {}),
    }
    return Object.keys(dress).length === 0 ? { mode } : { mode, dress }
  }

  /** Whether this node has both accounts that a fact's owner names, or no owner is carried. */
  isOwnerKnown(fact: LiveFact): boolean {
    const owner = this.rules.owners ? this.#owners.of(fact.extra) : undefined
    if (owner === undefined) return true
    return this.mapping.local('user', owner.user).isSure && this.mapping.local('group', owner.group).isSure
  }

  /** What of a fact a path does not have, as bits of LACKS. */
  lacks(fact: Fact, now: Observation): number {
    if (fact.type === 'absent') return 0
    let lacks = 0
    const { owners, scope } = this.rules
    for (const [tag, value] of fact.extra) {
      if (tag === OWNER_TAG && owners) {
        const owner = this.#owners.decoded(value)
        if (owner === undefined) lacks |= LACKS.owner
        else {
          const user = this.mapping.local('user', owner.user)
          const group = this.mapping.local('group', owner.group)
          if (user.id !== now.stat.uid || group.id !== now.stat.gid) lacks |= LACKS.owner
          if (!user.isSure || !group.isSure) lacks |= LACKS.account
        }
      }
      if (fact.type === 'symlink' || value.length === 0) continue
      if (tag === ACL_TAG && scope.acls) {
        if (now.attributes === undefined || !this.#attributes.isAcl(value, fact, unpackRaw(now.attributes)))
          lacks |= LACKS.acl
      }
      if (tag === XATTRS_TAG && scope.xattrs.length > 0) {
        const isHere =
          now.attributes !== undefined && this.#attributes.isXattrs(value, unpackRaw(now.attributes))
        if (!isHere && (now.attributes !== undefined || this.#attributes.hasXattrInScope(value)))
          lacks |= LACKS.xattrs
      }
    }
    return lacks
  }

  /** What to keep of a path that was just dressed. `attributes`: what it has now, if not all could be set. */
  shownAfter(dress: LocalDress | undefined, before: Buffer | undefined, isNew: boolean): Buffer | undefined {
    const { scope } = this.rules
    if (dress?.attributes === undefined) return isNew ? undefined : before
    const { about } = dress
    const looked =
      about === undefined ? scope : { acls: about.acls, xattrs: about.xattrs ? scope.xattrs : [] }
    const now = packShown(unpackRaw(dress.attributes), looked)
    if (about === undefined || before === undefined || now === undefined) return now
    // Half of it was left alone.
    const old = unpackShown(before)
    const isLeft = (name: string): boolean => (isAclName(name) ? !about.acls : !about.xattrs)
    const kept = [...old.marks].filter(([name]) => isLeft(name))
    const marks = [...unpackShown(now).marks, ...kept].sort(([a], [b]) => (a < b ? -1 : 1))
    const flags = now[0]! | before[0]!
    return marks.length === 0 ? Buffer.of(flags) : Buffer.concat([Buffer.of(flags), packRaw(marks)])
  }

  #diskOf({ stat, attributes }: Observation): Disk {
    return { stat, raw: attributes === undefined ? undefined : unpackRaw(attributes) }
  }

  /** What a path that nobody has said anything of yet shows. */
  #allOf(seen: LiveFact, now: Observation): Extra {
    const { owners } = this.rules
    const hasAttributes = seen.type !== 'symlink' && now.attributes !== undefined
    const isPlain = !hasAttributes || now.attributes.length === 0
    const owner = owners ? this.#owners.valueOf(now.stat) : undefined
    const make = (): Extra => {
      const extra = owner === undefined ? NO_EXTRA : withTag(NO_EXTRA, OWNER_TAG, owner)
      return hasAttributes ? this.#withAttributes(extra, seen, unpackRaw(now.attributes)) : extra
    }
    return isPlain ? this.#extras.of(`${hasAttributes}${owner?.toString('latin1')}`, make) : make()
  }

  #withAttributes(before: Extra, seen: LiveFact, raw: RawAttributes): Extra {
    const { acls, xattrs } = this.rules.scope
    let extra = before
    if (acls)
      extra = withTag(extra, ACL_TAG, this.#attributes.mergedAcl(seen, raw, undefined, true, true, []))
    if (xattrs.length > 0)
      extra = withTag(extra, XATTRS_TAG, this.#attributes.mergedXattrs(raw, undefined, undefined))
    return extra
  }

  /**
   * What a path must have shown of which nobody has noted that: what it was to show. Where this process may give no file
   * away, nobody can tell.
   */
  #meant(held: LiveFact, { stat }: Observation): Shown {
    const { mayChown, scope } = this.rules
    const { dress } = this.dress(held, false)
    const owner = mayChown ? { uid: dress?.uid ?? stat.uid, gid: dress?.gid ?? stat.gid } : {}
    const attributes = dress?.attributes
    const { acls, xattrs } = dress?.about ?? { acls: true, xattrs: true }
    const looked = { acls: acls && scope.acls, xattrs: xattrs ? scope.xattrs : [] }
    const shown = attributes === undefined ? undefined : packShown(unpackRaw(attributes), looked)
    return { stat: { ...stat, ...owner }, shown }
  }

  #mergedExtra(
    seen: LiveFact,
    now: Observation,
    held: Extra,
    was: Shown,
    stating: Stating,
    known: readonly Fact[],
  ): Extra {
    const { owners, scope } = this.rules
    let extra = held
    if (owners) {
      const before = tagOf(held, OWNER_TAG)
      extra = withTag(extra, OWNER_TAG, this.#owners.merged(now.stat, before, was.stat, stating, known))
    }
    if (seen.type === 'symlink' || now.attributes === undefined) return extra
    if (!scope.acls && scope.xattrs.length === 0) return extra
    const raw = unpackRaw(now.attributes)
    const shown = unpackShown(was.shown)
    const marks = new Map(marksOf(raw))
    const isChanged = (name: string): boolean => !sameMark(marks.get(name), shown.marks.get(name))
    if (scope.acls) {
      const before = tagOf(held, ACL_TAG)
      const access = shown.acls && isChanged(ACL_ACCESS)
      const inherited = shown.acls && isChanged(ACL_DEFAULT)
      const isAny = marks.has(ACL_ACCESS) || marks.has(ACL_DEFAULT)
      if (
        before === undefined
          ? isToState(stating, shown.acls ? access || inherited : isAny)
          : access || inherited
      ) {
        const value = this.#attributes.mergedAcl(seen, raw, before, access, inherited, known)
        extra = value === undefined ? extra : withTag(extra, ACL_TAG, value)
      }
    }
    if (scope.xattrs.length > 0) {
      const before = tagOf(held, XATTRS_TAG)
      const names = [...marks.keys(), ...shown.marks.keys()].filter((name) => this.#attributes.isXattr(name))
      const isAnyChanged = shown.xattrs && names.some(isChanged)
      const isAny = names.some((name) => marks.has(name))
      if (before === undefined ? isToState(stating, shown.xattrs ? isAnyChanged : isAny) : isAnyChanged) {
        const value = this.#attributes.mergedXattrs(raw, before, before === undefined ? undefined : shown)
        extra = value === undefined ? extra : withTag(extra, XATTRS_TAG, value)
      }
    }
    return extra
  }

  // --- modes ---

  #mergedMode(
    seen: LiveFact & { readonly mode: number },
    now: Observation,
    held: LiveFact & { readonly mode: number },
    was: DiskStat | undefined,
    isSame: boolean,
  ): number {
    const isFile = seen.type === 'file'
    let mode: number
    if (was === undefined) {
      // Nobody can tell whether the disk ever had them.
      const unsure = isFile && isSame && this.#mayWithhold() ? held.mode & SETID_BITS : 0
      mode = seen.mode | unsure
      if ((mode | SETID_BITS) === (this.#plainMode(held, now) | SETID_BITS))
        mode = (mode & SETID_BITS) | (held.mode & 0o1777)
    } else {
      mode = 0
      for (const bits of MODE_CLASSES)
        mode |= (((seen.mode ^ was.mode) & bits) === 0 ? held.mode : seen.mode) & bits
    }
    // A new content has only the bits that it shows, as when the kernel takes them from a file that is written to.
    return isFile && !isSame ? (mode & ~SETID_BITS) | (seen.mode & SETID_BITS) : mode
  }

  #mayWithhold(): boolean {
    return this.rules.withholdsSetid || this.rules.owners
  }

  /** The mode that a fact has where its ACL cannot be. Where ACLs are seen, the mode is the mask of that one, or all there is. */
  #plainMode(fact: LiveFact & { readonly mode: number }, { attributes }: Observation): number {
    if (this.rules.scope.acls && attributes !== undefined) return fact.mode
    const access = this.#attributes.aclOf(fact.extra)?.access
    return access === undefined ? fact.mode : modeWithout(access, fact.mode)
  }

  /** Whether a file that was given this mode here may look so. */
  #isPutMode(mode: number, now: Observation, fact: LiveFact & { readonly mode: number }): boolean {
    const plain = this.#plainMode(fact, now)
    const setid = fact.type === 'file' && this.#mayWithhold() ? SETID_BITS : 0
    return [fact.mode, plain].some((put) => mode === put || mode === (put & ~setid))
  }

  #attributesFor(fact: LiveFact, mode: number, isNew: boolean): LocalDress {
    const { scope } = this.rules
    const acl = scope.acls ? this.#attributes.aclOf(fact.extra) : undefined
    const value = scope.xattrs.length > 0 ? tagOf(fact.extra, XATTRS_TAG) : undefined
    const xattrs = value === undefined ? undefined : decodeXattrs(value)
    const isAcl = scope.acls && (acl !== undefined || isNew)
    const isXattrs = scope.xattrs.length > 0 && (xattrs !== undefined || isNew)
    if (!isAcl && !isXattrs) return {}
    const raw: (readonly [string, Buffer])[] = [
      ...(acl === undefined ? [] : this.#attributes.rawAcl(acl, fact, mode)),
      ...(xattrs ?? []).filter(([name]) => this.#attributes.isXattr(name)),
    ]
    raw.sort(([a], [b]) => (a < b ? -1 : 1))
    const attributes = raw.length === 0 ? NO_ATTRIBUTES : packRaw(raw)
    const isWhole = isAcl === scope.acls && isXattrs === scope.xattrs.length > 0
    return isWhole ? { attributes } : { attributes, about: { acls: isAcl, xattrs: isXattrs } }
  }
}

function withExtra(fact: LiveFact, extra: Extra): LiveFact {
  return fact.extra === extra ? fact : { ...fact, extra }
}

function isToState(stating: Stating, isChanged: boolean): boolean {
  return stating === 'all' || (stating === 'changed' && isChanged)
}
