// Gives a file, directory or symlink its owner, attributes and mode (dress-job.ts), through a descriptor of it, so that
// nothing else that takes its name meanwhile can be hit (A1). What cannot be set is reported, and stops nothing else.
//
// The order, so that at no moment anybody has more rights than before or after:
//  1. where others can see it: the mode is cut down to the rights that both the old and the new one give;
//  2. extended attributes, while it is still ours;
//  3. owner and group, which takes away set-user-id, set-group-id and capabilities;
//  4. ACLs, which change the mode, and capabilities (`security.*`), only if the owner took;
//  5. the mode, with set-user-id and set-group-id on a file only if the owner took: they would lend the rights of
//     whoever it belongs to instead.
import fs from 'node:fs'
import { getAttrSync, listAttrsSync, removeAttrSync, setAttrSync } from 'fs-native-extensions'
import {
  ACL_ACCESS,
  ACL_DEFAULT,
  type AttributeScope,
  NO_SCOPE,
  packRaw,
  type RawAttributes,
  unpackRaw,
} from '../core/raw-attributes.js'
import { type DiskStat, statOf } from '../core/stat.js'
import { AttributeReader, inScope, isWide, openHandle, sorted } from './attributes.js'
import type { Dress, Shown, Undressed } from './dress-job.js'
import { codeOf } from './safefs.js'

/** Of files only: bits that lend the rights of the owner or the group. */
const SETID_BITS = 0o6000
const PERMISSIONS = 0o7777
/** Not the attribute's fault: these fail the job. */
const FATAL: ReadonlySet<string> = new Set(['EIO', 'EROFS'])

/** The mode to have in the end (as it is if undefined), and the rest. */
export interface Attire {
  readonly mode?: number | undefined
  readonly dress?: Dress | undefined
}

/** An inode by a descriptor of it. */
export interface Wearer {
  readonly fd: number
  /** Whether `fd` is an O_PATH descriptor. */
  readonly isHandle: boolean
  /** Whether it lies under its name, where others see it, or in a place that is ours alone. */
  readonly isSeen: boolean
}

/** Dresses for one batch. */
export class Dresser {
  /** Whether the scope is about any attributes. */
  readonly isWide: boolean
  readonly #isInScope: (name: string) => boolean
  readonly #reader: AttributeReader

  constructor(scope: AttributeScope = NO_SCOPE) {
    this.isWide = isWide(scope)
    this.#isInScope = inScope(scope)
    this.#reader = new AttributeReader(scope)
  }

  /**
   * Sets owner, attributes and mode; times are left to the caller. Undefined if all of it took. Throws what chmod(2) says;
   * then what was done may be half of it.
   */
  dress(wearer: Wearer, { mode: wanted, dress = {} }: Attire): Shown | undefined {
    const before = fs.fstatSync(wearer.fd)
    const oldMode = before.mode & PERMISSIONS
    const finalMode = wanted ?? oldMode
    if (before.isSymbolicLink()) {
      const undressed = setOwner(wearer, before, dress)
      return undressed.length === 0 ? undefined : { undressed, attributes: undefined }
    }
    const lent = dress.attributes === undefined ? 0 : lentTo(before)
    if (lent !== 0) chmod(wearer, oldMode | lent)
    const attributes =
      dress.attributes === undefined ? undefined : this.#open(wearer, dress.attributes, this.#meantBy(dress))
    try {
      const isWorn = attributes?.isWorn ?? true
      const isAsBefore = isWorn && isOwner(before, dress)
      if (wearer.isSeen && !isAsBefore) {
        const both = oldMode & finalMode & 0o777
        if (both !== oldMode) chmod(wearer, both | lent)
      }
      const undressed: Undressed[] = []
      attributes?.setOwn(undressed)
      undressed.push(...setOwner(wearer, before, dress))
      const hasOwner = undressed.every(({ what }) => what !== 'owner' && what !== 'group')
      attributes?.setPrivileged(undressed, hasOwner)
      const hasAcl = undressed.every(({ what }) => what !== 'acl')
      const meant = hasAcl ? finalMode : (dress.modeWithoutAcl ?? finalMode)
      const given = hasOwner || !before.isFile() ? meant : meant & ~SETID_BITS
      // An owner or an ACL that was set may have changed it.
      const mode = isAsBefore && lent === 0 ? oldMode : fs.fstatSync(wearer.fd).mode & PERMISSIONS
      if (mode !== given) chmod(wearer, given)
      return this.#shown(wearer, before.dev, undressed, isWorn ? {} : dress)
    } finally {
      attributes?.close()
    }
  }

  /** Whether it still has the attributes that this dress left it with; yes if that cannot be told. */
  isWearing(wearer: Wearer, dress: Dress, shown: Shown | undefined): boolean {
    const isMeant = this.#meantBy(dress)
    const expected = shown === undefined ? dress.attributes : shown.attributes
    if (expected === undefined) return true
    const now = this.attributesOf(wearer, fs.fstatSync(wearer.fd).dev)
    return now === undefined || isEqual(only(isMeant, now), only(isMeant, expected))
  }

  /** Attributes as they are, for restoring them; undefined if they cannot be told. */
  attributesOf(wearer: Wearer, dev: number): Buffer | undefined {
    const read = wearer.isHandle ? this.#reader.ofHandle(wearer.fd, dev) : this.#reader.of(wearer.fd, dev)
    return Buffer.isBuffer(read) ? read : undefined
  }

  #open(wearer: Wearer, wanted: Buffer, isMeant: (name: string) => boolean): OpenAttributes {
    const fd = wearer.isHandle ? openHandle(wearer.fd) : wearer.fd
    return new OpenAttributes(fd, wearer.isHandle, unpackRaw(wanted), isMeant)
  }

  #meantBy({ about }: Dress): (name: string) => boolean {
    if (about === undefined) return this.#isInScope
    return (name) => (isAcl(name) ? about.acls : about.xattrs) && this.#isInScope(name)
  }

  /** `set`: what it was given just now. */
  #shown(wearer: Wearer, dev: number, undressed: readonly Undressed[], set: Dress): Shown | undefined {
    if (undressed.length === 0 && set.attributes === undefined) return undefined
    const attributes = this.attributesOf(wearer, dev)
    if (undressed.length > 0) return { undressed, attributes }
    // The kernel keeps no ACL that says what the mode says, and another mode is another mask.
    const isMeant = this.#meantBy(set)
    const isKept =
      attributes === undefined || isEqual(only(isMeant, attributes), only(isMeant, set.attributes!))
    return isKept ? undefined : { undressed, attributes }
  }
}

function only(isMeant: (name: string) => boolean, attributes: Buffer): Buffer {
  if (attributes.length === 0) return attributes
  return packRaw(unpackRaw(attributes).filter(([name]) => isMeant(name)))
}

/** Whether the owner wanted is the one it has. */
export function isOwner(stat: { readonly uid: number; readonly gid: number }, { uid, gid }: Dress): boolean {
  return (uid === undefined || uid === stat.uid) && (gid === undefined || gid === stat.gid)
}

function isEqual(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && Buffer.compare(a, b) === 0
}

/** Gives a copy the owner, all attributes and the mode of the open file that it was made of, as far as can be. */
export function dressCopy(fd: number, from: number, { dev, mode, uid, gid }: DiskStat): void {
  const acls = new AttributeReader({ acls: true, xattrs: [] }).of(from, dev)
  const xattrs = new AttributeReader({ acls: false, xattrs: ['*'] }).of(from, dev)
  const dresser = new Dresser({ acls: Buffer.isBuffer(acls), xattrs: Buffer.isBuffer(xattrs) ? ['*'] : [] })
  const all = [acls, xattrs].flatMap((each) => (Buffer.isBuffer(each) ? unpackRaw(each) : []))
  const attributes = packRaw(sorted(all))
  dresser.dress({ fd, isHandle: false, isSeen: false }, { mode, dress: { uid, gid, attributes } })
}

/** A stat through any descriptor. */
export function statOfWearer(wearer: Wearer): DiskStat {
  return statOf(fs.fstatSync(wearer.fd))
}

/** What an owner without root's rights needs of the mode to read and change attributes of its file. */
function lentTo({ mode, uid }: { readonly mode: number; readonly uid: number }): number {
  if ((mode & 0o600) === 0o600) return 0
  const me = process.geteuid?.()
  return me === 0 || me !== uid ? 0 : 0o600
}

function setOwner(
  wearer: Wearer,
  before: { readonly uid: number; readonly gid: number },
  dress: Dress,
): Undressed[] {
  if (isOwner(before, dress)) return []
  const { uid = before.uid, gid = before.gid } = dress
  const failed = new Map<'owner' | 'group', string>()
  try {
    chown(wearer, uid, gid)
  } catch (thrown) {
    const code = recordable(thrown)
    // Who may not give files away may still have the group of theirs changed to another one of their own.
    if (uid !== before.uid) failed.set('owner', tried(() => chown(wearer, uid, before.gid)) ?? code)
    if (gid !== before.gid) failed.set('group', tried(() => chown(wearer, -1, gid)) ?? code)
  }
  // Some file systems say yes and do nothing.
  const now = fs.fstatSync(wearer.fd)
  const undressed: Undressed[] = []
  if (now.uid !== uid) undressed.push({ what: 'owner', code: failed.get('owner') ?? 'ENOTSUP' })
  if (now.gid !== gid) undressed.push({ what: 'group', code: failed.get('group') ?? 'ENOTSUP' })
  return undressed
}

function tried(call: () => void): string | undefined {
  try {
    call()
    return undefined
  } catch (thrown) {
    return recordable(thrown)
  }
}

/** The code of a failure that only leaves this one thing undone; throws all others. */
function recordable(thrown: unknown): string {
  const code = codeOf(thrown)
  if (FATAL.has(code) || code === 'UNKNOWN') throw thrown
  return code
}

function chown({ fd, isHandle }: Wearer, uid: number, gid: number): void {
  if (isHandle) fs.chownSync(`/proc/self/fd/${fd}`, uid, gid)
  else fs.fchownSync(fd, uid, gid)
}

function chmod({ fd, isHandle }: Wearer, mode: number): void {
  if (isHandle) fs.chmodSync(`/proc/self/fd/${fd}`, mode)
  else fs.fchmodSync(fd, mode)
}

/** The attributes of one inode and those that it is to have. */
class OpenAttributes {
  /** Whether it has exactly the wanted ones already. */
  readonly isWorn: boolean
  readonly #fd: number | undefined
  readonly #isOurs: boolean
  readonly #toSet: RawAttributes
  readonly #toRemove: readonly string[]
  #unlisted: string | undefined

  /** `fd`: undefined if it may not be read; closed by close() if `isOurs`. */
  constructor(
    fd: number | undefined,
    isOurs: boolean,
    wanted: RawAttributes,
    isInScope: (name: string) => boolean,
  ) {
    this.#fd = fd
    this.#isOurs = isOurs
    const inside = wanted.filter(([name]) => isInScope(name))
    const names = this.#list().filter(isInScope)
    const kept = new Set(inside.map(([name]) => name))
    this.#toRemove = names.filter((name) => !kept.has(name))
    const present = new Set(names)
    this.#toSet = inside.filter(([name, value]) => {
      return !(present.has(name) && fd !== undefined && isEqual(value, getAttrSync(fd, name) ?? undefined))
    })
    this.isWorn = this.#toSet.length === 0 && this.#toRemove.length === 0
  }

  close(): void {
    if (this.#isOurs && this.#fd !== undefined) fs.closeSync(this.#fd)
  }

  /** Those that need no more than the right to write. */
  setOwn(undressed: Undressed[]): void {
    this.#change(undressed, (name) => !isPrivileged(name))
  }

  /** ACLs, and those that say what a program may do: for the owner it was meant for. */
  setPrivileged(undressed: Undressed[], hasOwner: boolean): void {
    this.#change(undressed, isPrivileged, (name) => hasOwner || !isSecurity(name))
    if (hasOwner) return
    for (const [name] of this.#toSet)
      if (isSecurity(name)) undressed.push({ what: 'xattr', code: 'EPERM', name })
  }

  #list(): string[] {
    if (this.#fd === undefined) return []
    try {
      return listAttrsSync(this.#fd)
    } catch (thrown) {
      this.#unlisted = recordable(thrown)
      return []
    }
  }

  #change(
    undressed: Undressed[],
    isMeant: (name: string) => boolean,
    maySet: (name: string) => boolean = () => true,
  ): void {
    // Removed first: there may be no room for both.
    for (const name of this.#toRemove)
      if (isMeant(name)) this.#try(undressed, name, (fd) => removeAttrSync(fd, name))
    for (const [name, value] of this.#toSet)
      if (isMeant(name) && maySet(name)) this.#try(undressed, name, (fd) => setAttrSync(fd, name, value))
  }

  #try(undressed: Undressed[], name: string, call: (fd: number) => void): void {
    const fd = this.#fd
    const code = this.#unlisted ?? (fd === undefined ? 'EACCES' : tried(() => call(fd)))
    if (code === undefined || code === 'ENODATA') return
    if (!isAcl(name)) undressed.push({ what: 'xattr', code, name })
    else if (undressed.every(({ what }) => what !== 'acl')) undressed.push({ what: 'acl', code })
  }
}

function isAcl(name: string): boolean {
  return name === ACL_ACCESS || name === ACL_DEFAULT
}

function isSecurity(name: string): boolean {
  return name.startsWith('security.')
}

function isPrivileged(name: string): boolean {
  return isAcl(name) || isSecurity(name)
}
