// Owners, ACLs and extended attributes between the share and one disk. What an entry says of them is a wish: a node that
// cannot hold an attribute, or is told not to carry it, still passes it on. So a look at the disk never asks what is
// there, but what has changed since it was dressed or looked at last:
//
//   merged = wish + (observed - shown), attribute by attribute, xattrs name by name, the mode's classes each for itself
//
// `shown` is what the disk showed then: its stat, and the marks of its attributes (shown.ts). What is not carried or
// cannot be observed comes from the wish. Numbers and names of accounts are told apart in owners.ts. Pure.
import {
  formatAcl,
  isMinimal,
  localAccess,
  localDefault,
  modeWithout,
  parseAcl,
  type RawAcl,
  sharedEntries,
} from './acl.js'
import { isXattrInScope } from './attribute-scope.js'
import {
  ACL_TAG,
  type AccessAcl,
  type Acl,
  compareBytes,
  type DefaultAcl,
  decodeAcl,
  decodeOwner,
  decodeXattrs,
  encodeAcl,
  encodeOwner,
  encodeXattrs,
  NO_ACL,
  OWNER_TAG,
  type Owner,
  tagOf,
  withTag,
  XATTRS_TAG,
  type Xattrs,
} from './attributes.js'
import { type Extra, NO_EXTRA } from './entry.js'
import { type Fact, type LiveFact, sameFactContent } from './fact.js'
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
import { isAclName, marksOf, packShown, type ShownAttributes, unpackShown } from './shown.js'
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
/** Distinct values that are remembered; then all are forgotten. */
const CACHED = 4096

interface Disk {
  readonly stat: DiskStat
  readonly raw: RawAttributes | undefined
}

export class Metadata {
  readonly rules: MetadataRules
  readonly mapping: OwnerMapping
  readonly #owners = new Map<string, Owner | undefined>()
  readonly #extras = new Map<string, Extra>()

  constructor(rules: MetadataRules, mapping: OwnerMapping) {
    this.rules = rules
    this.mapping = mapping
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
    const extra = this.#mergedExtra(seen, now, held.extra, was, stating, known)
    if (seen.type === 'symlink' || held.type === 'symlink') return withExtra(seen, extra)
    const mode = this.#mergedMode(seen, held, was.stat, isSame)
    return { ...seen, mode, extra }
  }

  /**
   * What a path holds in the words of a fact that it may be: what this disk shows just as if that had been put there is
   * as that says. What the fact does not state is not asked for. `isNew`: nobody has looked at this content here before, so
   * that what it lacks may never have been set; later, its lack is somebody's change.
   */
  as(seen: LiveFact, now: Observation, fact: LiveFact, isNew: boolean): LiveFact {
    if (seen.type !== fact.type) return withExtra(seen, this.#allOf(seen, now))
    const disk = this.#diskOf(now)
    let extra = fact.extra
    const { owners, mayChown, scope } = this.rules
    for (const [tag, value] of fact.extra) {
      if (tag === OWNER_TAG && owners && (mayChown || !isNew) && !this.#isOwner(value, now.stat))
        extra = withTag(extra, tag, this.#ownerValue(now.stat))
      if (disk.raw === undefined || seen.type === 'symlink') continue
      if (tag === ACL_TAG && scope.acls && !this.#isAcl(value, fact, disk.raw))
        extra = withTag(extra, tag, this.#mergedAcl(seen, disk.raw, value, true, true, []) ?? value)
      if (tag === XATTRS_TAG && scope.xattrs.length > 0 && !this.#isXattrs(value, disk.raw))
        extra = withTag(extra, tag, this.#mergedXattrs(disk.raw, value, undefined) ?? value)
    }
    if (seen.type === 'symlink' || fact.type === 'symlink') return withExtra(seen, extra)
    const isPut =
      seen.mode === fact.mode || (isNew && seen.mtimeUs === fact.mtimeUs && this.#isPutMode(seen.mode, fact))
    return { ...seen, mode: isPut ? fact.mode : seen.mode, extra }
  }

  /** How a path is dressed for a fact. `isNew`: it gets an inode of its own; else `heldMode` is what it has. */
  dress(
    fact: LiveFact,
    isNew: boolean,
    heldMode = 0,
  ): { readonly mode: number; readonly dress?: LocalDress } {
    const { owners, scope, withholdsSetid } = this.rules
    const owner = owners ? this.#ownerOf(fact.extra) : undefined
    const user = owner === undefined ? undefined : this.mapping.local('user', owner.user)
    const group = owner === undefined ? undefined : this.mapping.local('group', owner.group)
    const chown = user === undefined || group === undefined ? {} : { uid: user.id, gid: group.id }
    if (fact.type === 'symlink') return owner === undefined ? { mode: 0 } : { mode: 0, dress: chown }
    const isSure = user?.isSure === true && group?.isSure === true
    const acl = this.#aclOf(fact.extra)
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
    const owner = this.rules.owners ? this.#ownerOf(fact.extra) : undefined
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
        const owner = this.#decodedOwner(value)
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
        if (now.attributes === undefined || !this.#isAcl(value, fact, unpackRaw(now.attributes)))
          lacks |= LACKS.acl
      }
      if (tag === XATTRS_TAG && scope.xattrs.length > 0) {
        const isHere = now.attributes !== undefined && this.#isXattrs(value, unpackRaw(now.attributes))
        if (!isHere && (now.attributes !== undefined || this.#hasXattrInScope(value))) lacks |= LACKS.xattrs
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

  // --- owners ---

  #ownerOf(extra: Extra): Owner | undefined {
    const value = tagOf(extra, OWNER_TAG)
    return value === undefined ? undefined : this.#decodedOwner(value)
  }

  #decodedOwner(value: Buffer): Owner | undefined {
    const key = value.toString('latin1')
    const known = this.#owners.get(key)
    if (known !== undefined || this.#owners.has(key)) return known
    if (this.#owners.size >= CACHED) this.#owners.clear()
    const owner = decodeOwner(value)
    this.#owners.set(key, owner)
    return owner
  }

  /** Whether a file that was given this owner here would look so. */
  #isOwner(value: Buffer, stat: DiskStat): boolean {
    const owner = this.#decodedOwner(value)
    return (
      owner !== undefined &&
      this.mapping.local('user', owner.user).id === stat.uid &&
      this.mapping.local('group', owner.group).id === stat.gid
    )
  }

  #ownerValue({ uid, gid }: DiskStat): Buffer {
    return this.#intern(
      encodeOwner({ user: this.mapping.shared('user', uid), group: this.mapping.shared('group', gid) }),
    )
  }

  #mergedOwner(
    stat: DiskStat,
    before: Buffer | undefined,
    was: DiskStat | undefined,
    stating: Stating,
    known: readonly Fact[],
  ): Buffer | undefined {
    const isUser = was !== undefined && was.uid !== stat.uid
    const isGroup = was !== undefined && was.gid !== stat.gid
    const isChanged = isUser || isGroup
    if (before === undefined ? stating !== 'all' && !(stating === 'changed' && isChanged) : !isChanged)
      return before
    for (const fact of known) {
      const value = 'extra' in fact ? tagOf(fact.extra, OWNER_TAG) : undefined
      if (value !== undefined && this.#isOwner(value, stat)) return value
    }
    const owner = before === undefined ? undefined : this.#decodedOwner(before)
    if (owner === undefined || (isUser && isGroup)) return this.#ownerValue(stat)
    return encodeOwner({
      user: isUser ? this.mapping.shared('user', stat.uid) : owner.user,
      group: isGroup ? this.mapping.shared('group', stat.gid) : owner.group,
    })
  }

  // --- all of them ---

  #diskOf({ stat, attributes }: Observation): Disk {
    return { stat, raw: attributes === undefined ? undefined : unpackRaw(attributes) }
  }

  /** What a path that nobody has said anything of yet shows. */
  #allOf(seen: LiveFact, now: Observation): Extra {
    const { owners, scope } = this.rules
    const hasAttributes = seen.type !== 'symlink' && now.attributes !== undefined
    const isPlain = !hasAttributes || now.attributes!.length === 0
    const key = `${owners ? `${now.stat.uid}:${now.stat.gid}` : ''}|${hasAttributes}`
    const known = isPlain ? this.#extras.get(key) : undefined
    if (known !== undefined) return known
    let extra: Extra = NO_EXTRA
    if (owners) extra = withTag(extra, OWNER_TAG, this.#ownerValue(now.stat))
    if (hasAttributes) {
      const raw = unpackRaw(now.attributes!)
      if (scope.acls) extra = withTag(extra, ACL_TAG, this.#mergedAcl(seen, raw, undefined, true, true, []))
      if (scope.xattrs.length > 0)
        extra = withTag(extra, XATTRS_TAG, this.#mergedXattrs(raw, undefined, undefined))
    }
    if (isPlain) {
      if (this.#extras.size >= CACHED) this.#extras.clear()
      this.#extras.set(key, extra)
    }
    return extra
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
      extra = withTag(extra, OWNER_TAG, this.#mergedOwner(now.stat, before, was.stat, stating, known))
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
        const value = this.#mergedAcl(seen, raw, before, access, inherited, known)
        extra = value === undefined ? extra : withTag(extra, ACL_TAG, value)
      }
    }
    if (scope.xattrs.length > 0) {
      const before = tagOf(held, XATTRS_TAG)
      const names = [...marks.keys(), ...shown.marks.keys()].filter((name) => this.#isXattr(name))
      const isAnyChanged = shown.xattrs && names.some(isChanged)
      const isAny = names.some((name) => marks.has(name))
      if (before === undefined ? isToState(stating, shown.xattrs ? isAnyChanged : isAny) : isAnyChanged) {
        const value = this.#mergedXattrs(raw, before, before === undefined ? undefined : shown)
        extra = value === undefined ? extra : withTag(extra, XATTRS_TAG, value)
      }
    }
    return extra
  }

  // --- ACLs ---

  #aclOf(extra: Extra): Acl | undefined {
    const value = tagOf(extra, ACL_TAG)
    return value === undefined ? undefined : decodeAcl(value)
  }

  /** The ACL to state: the named parts as they are on the disk, the others as they were. Undefined: it is too large. */
  #mergedAcl(
    seen: LiveFact,
    raw: RawAttributes,
    before: Buffer | undefined,
    access: boolean,
    inherited: boolean,
    known: readonly Fact[],
  ): Buffer | undefined {
    const old = before === undefined ? undefined : decodeAcl(before)
    const found = new Map(raw)
    const all = old === undefined
    const others = known.flatMap((fact) => ('extra' in fact ? (this.#aclOf(fact.extra) ?? []) : []))
    const acl: Acl = {
      access:
        access || all ? this.#accessFrom(found.get(ACL_ACCESS), [old ?? NO_ACL, ...others]) : old.access,
      default:
        seen.type === 'directory' && (inherited || all)
          ? this.#defaultFrom(found.get(ACL_DEFAULT), [old ?? NO_ACL, ...others])
          : old?.default,
    }
    const value = encodeAcl(acl)
    return value === undefined ? undefined : this.#intern(value)
  }

  #accessFrom(blob: Buffer | undefined, known: readonly Acl[]): AccessAcl | undefined {
    const found = blob === undefined ? undefined : parseAcl(blob)
    if (found === undefined || isMinimal(found)) return undefined
    const mode = (found.owner << 6) | ((found.mask ?? found.group) << 3) | found.other
    for (const { access } of known) {
      if (access !== undefined && isSameAcl(found, localAccess(access, mode, this.mapping))) return access
    }
    const entries = sharedEntries(found.entries, known[0]?.access?.entries ?? [], this.mapping)
    return { group: found.group, entries }
  }

  #defaultFrom(blob: Buffer | undefined, known: readonly Acl[]): DefaultAcl | undefined {
    const found = blob === undefined ? undefined : parseAcl(blob)
    if (found === undefined) return undefined
    for (const { default: acl } of known) {
      if (acl !== undefined && isSameAcl(found, localDefault(acl, this.mapping))) return acl
    }
    const { owner, group, other } = found
    const entries = sharedEntries(found.entries, known[0]?.default?.entries ?? [], this.mapping)
    // A system that takes named entries without a mask shows one nevertheless.
    const mask = found.mask ?? (entries.length > 0 ? 7 : undefined)
    return { owner, group, other, mask, entries }
  }

  /** Whether a file that was given this ACL here would look so, the rights aside that follow from its mode. */
  #isAcl(value: Buffer, fact: LiveFact, raw: RawAttributes): boolean {
    const acl = decodeAcl(value)
    if (acl === undefined) return false
    const marks = new Map(marksOf(raw))
    const wanted = new Map(marksOf(this.#rawAcl(acl, fact, 0)))
    return [ACL_ACCESS, ACL_DEFAULT].every((name) => sameMark(marks.get(name), wanted.get(name)))
  }

  #rawAcl(acl: Acl, fact: LiveFact, mode: number): [string, Buffer][] {
    const raw: [string, Buffer][] = []
    if (acl.access !== undefined)
      raw.push([ACL_ACCESS, formatAcl(localAccess(acl.access, mode, this.mapping))])
    if (acl.default !== undefined && fact.type === 'directory')
      raw.push([ACL_DEFAULT, formatAcl(localDefault(acl.default, this.mapping))])
    return raw
  }

  // --- extended attributes ---

  #isXattr(name: string): boolean {
    return !isAclName(name) && isXattrInScope(this.rules.scope, name)
  }

  #hasXattrInScope(value: Buffer): boolean {
    return decodeXattrs(value)?.some(([name]) => this.#isXattr(name)) ?? true
  }

  #isXattrs(value: Buffer, raw: RawAttributes): boolean {
    const wanted = decodeXattrs(value)?.filter(([name]) => this.#isXattr(name))
    const found = raw.filter(([name]) => this.#isXattr(name))
    return (
      wanted !== undefined &&
      wanted.length === found.length &&
      wanted.every(([name, bytes]) => found.some(([other, has]) => other === name && has.equals(bytes)))
    )
  }

  /** Those to state: in the scope what changed since `shown` (all: undefined), others as before. Undefined: too large. */
  #mergedXattrs(
    raw: RawAttributes,
    before: Buffer | undefined,
    shown: ShownAttributes | undefined,
  ): Buffer | undefined {
    const result = new Map<string, Buffer>(before === undefined ? [] : (decodeXattrs(before) ?? []))
    const marks = new Map(marksOf(raw))
    const found = new Map(raw)
    const names = new Set([...result.keys(), ...found.keys(), ...(shown?.marks.keys() ?? [])])
    for (const name of names) {
      if (!this.#isXattr(name)) continue
      if (shown !== undefined && sameMark(marks.get(name), shown.marks.get(name))) continue
      const value = found.get(name)
      if (value === undefined) result.delete(name)
      else result.set(name, value)
    }
    const sorted: Xattrs = [...result].sort(([a], [b]) => compareBytes(a, b))
    return encodeXattrs(sorted)
  }

  // --- modes ---

  #mergedMode(
    seen: LiveFact & { readonly mode: number },
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
      if ((mode | SETID_BITS) === (this.#plainMode(held) | SETID_BITS))
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

  /** The mode that a fact has where its ACL cannot be. */
  #plainMode(fact: LiveFact & { readonly mode: number }): number {
    const access = this.#aclOf(fact.extra)?.access
    return access === undefined ? fact.mode : modeWithout(access, fact.mode)
  }

  /** Whether a file that was given this mode here may look so. */
  #isPutMode(mode: number, fact: LiveFact & { readonly mode: number }): boolean {
    const plain = this.#plainMode(fact)
    const setid = fact.type === 'file' && this.#mayWithhold() ? SETID_BITS : 0
    return [fact.mode, plain].some((put) => mode === put || mode === (put & ~setid))
  }

  #attributesFor(fact: LiveFact, mode: number, isNew: boolean): LocalDress {
    const { scope } = this.rules
    const acl = scope.acls ? this.#aclOf(fact.extra) : undefined
    const value = scope.xattrs.length > 0 ? tagOf(fact.extra, XATTRS_TAG) : undefined
    const xattrs = value === undefined ? undefined : decodeXattrs(value)
    const isAcl = scope.acls && (acl !== undefined || isNew)
    const isXattrs = scope.xattrs.length > 0 && (xattrs !== undefined || isNew)
    if (!isAcl && !isXattrs) return {}
    const raw: (readonly [string, Buffer])[] = [
      ...(acl === undefined ? [] : this.#rawAcl(acl, fact, mode)),
      ...(xattrs ?? []).filter(([name]) => this.#isXattr(name)),
    ]
    raw.sort(([a], [b]) => (a < b ? -1 : 1))
    const attributes = raw.length === 0 ? NO_ATTRIBUTES : packRaw(raw)
    const isWhole = isAcl === scope.acls && isXattrs === scope.xattrs.length > 0
    return isWhole ? { attributes } : { attributes, about: { acls: isAcl, xattrs: isXattrs } }
  }

  readonly #interned = new Map<string, Buffer>()

  /** One buffer for equal values: half a million paths have few owners. */
  #intern(value: Buffer): Buffer {
    const key = value.toString('latin1')
    const known = this.#interned.get(key)
    if (known !== undefined) return known
    if (this.#interned.size >= CACHED) this.#interned.clear()
    this.#interned.set(key, value)
    return value
  }
}

function withExtra(fact: LiveFact, extra: Extra): LiveFact {
  return fact.extra === extra ? fact : { ...fact, extra }
}

function isToState(stating: Stating, isChanged: boolean): boolean {
  return stating === 'all' || (stating === 'changed' && isChanged)
}

function sameMark(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b)
}

function isSameAcl(a: RawAcl, b: RawAcl): boolean {
  return formatAcl(a).equals(formatAcl(b))
}
