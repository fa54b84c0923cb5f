// Owners, ACLs and extended attributes as values of an entry's extra (entry.ts): what stands under each tag, and how it is
// written. A tag that is absent says nothing: nobody has stated it, and nodes leave it alone. A value that cannot be read
// is passed on untouched and never applied: decoders return undefined for it, whatever its bytes. Numbers are those of the
// node that stated the value; what they are on another node is owners.ts.
//
//   1 owner    uid, gid (varints up to 2^32 - 2), name of the user, name of the group (length, UTF-8; empty: none known)
//   2 acl      empty: stated that there is none. Else parts u8 (1 access, 2 default, 3 both), then
//              access: rights of the owning group u8, entries; the mode's group bits are the mask
//              default: rights of owner u8, of group u8, of others u8, mask u8 (8: none), entries
//              entries: count, each: rights u8 (+ 8 for a group), number, name; ascending by kind, name, number
//   3 xattrs   empty: stated that there is none. Else each: name, value (length and bytes); names ascend
//   4 link     see links
//
// Rights are 0 to 7, as in a mode. Varints, lengths and texts as in bytes.ts; what decodes re-encodes to the same bytes.
import { ByteReader, ByteWriter } from './bytes.js'
import type { Extra } from './entry.js'
import { NO_EXTRA } from './entry.js'
import { Malformed } from './violation.js'

/** Tags of an entry's extra. */
export const OWNER_TAG = 1
export const ACL_TAG = 2
export const XATTRS_TAG = 3
export const LINK_TAG = 4

/** Somebody: the number on the node that stated it, and the name, '' if that node knew none. */
export interface Principal {
  readonly id: number
  readonly name: string
}

export interface Owner {
  readonly user: Principal
  readonly group: Principal
}

export type AccountKind = 'user' | 'group'

/** A named entry of an ACL. */
export interface AclEntry extends Principal {
  readonly kind: AccountKind
  /** 0 to 7. */
  readonly rights: number
}

/** Only where it says more than the mode; then the mode's group bits are its mask (acl(5)). */
export interface AccessAcl {
  /** Rights of the owning group, before the mask. */
  readonly group: number
  readonly entries: readonly AclEntry[]
}

/** What is made inside a directory inherits it. */
export interface DefaultAcl {
  readonly owner: number
  readonly group: number
  readonly other: number
  readonly mask: number | undefined
  readonly entries: readonly AclEntry[]
}

export interface Acl {
  readonly access: AccessAcl | undefined
  readonly default: DefaultAcl | undefined
}

export const NO_ACL: Acl = { access: undefined, default: undefined }

/** Full names (`user.mime_type`), ascending by their bytes. */
export type Xattrs = readonly (readonly [name: string, value: Buffer])[]

/** 2^32 - 1 means "nobody" to chown(2). */
export const MAX_ID: number = 2 ** 32 - 2
/** Longer than any system allows; the name of a Windows domain's user has its domain in front. */
const MAX_NAME_BYTES = 255
const MAX_XATTR_NAME_BYTES = 255
/** Both ACLs of a directory; Linux file systems hold some hundred entries. */
export const MAX_ACL_ENTRIES = 2048
/** Together with an owner and a link, both stay within MAX_EXTRA_BYTES (record-entries.ts). */
export const MAX_ACL_BYTES: number = 14 * 1024
export const MAX_XATTRS_BYTES: number = 48 * 1024
const MAX_OWNER_BYTES = 1024
const GROUP_FLAG = 8
const NO_MASK = 8
const NOTHING: Buffer = Buffer.alloc(0)

/** The value under a tag. */
export function tagOf(extra: Extra, tag: number): Buffer | undefined {
  for (const [at, value] of extra) if (at === tag) return value
  return undefined
}

/** With another value under a tag, or without it. The same array if that is how it is. */
export function withTag(extra: Extra, tag: number, value: Buffer | undefined): Extra {
  const before = tagOf(extra, tag)
  if (before === value || (before !== undefined && value?.equals(before))) return extra
  const others = extra.filter(([at]) => at !== tag)
  if (value === undefined) return others.length === 0 ? NO_EXTRA : others
  return [...others, [tag, value] as const].sort(([a], [b]) => a - b)
}

export function encodeOwner({ user, group }: Owner): Buffer {
  return new ByteWriter(32).uint(user.id).uint(group.id).text(user.name).text(group.name).finish()
}

export function decodeOwner(value: Buffer): Owner | undefined {
  return sound(value, MAX_OWNER_BYTES, (reader) => {
    const uid = reader.uintUpTo(MAX_ID, 'number of a user')
    const gid = reader.uintUpTo(MAX_ID, 'number of a group')
    return { user: { id: uid, name: nameIn(reader) }, group: { id: gid, name: nameIn(reader) } }
  })
}

/** Undefined if it is too large to be carried. */
export function encodeAcl(acl: Acl): Buffer | undefined {
  const { access, default: inherited } = acl
  if (access === undefined && inherited === undefined) return NOTHING
  if ((access?.entries.length ?? 0) + (inherited?.entries.length ?? 0) > MAX_ACL_ENTRIES) return undefined
  const writer = new ByteWriter(64)
  writer.u8((access === undefined ? 0 : 1) | (inherited === undefined ? 0 : 2))
  if (access !== undefined) writeEntries(writer.u8(access.group), access.entries)
  if (inherited !== undefined) {
    writer.u8(inherited.owner).u8(inherited.group).u8(inherited.other)
    writeEntries(writer.u8(inherited.mask ?? NO_MASK), inherited.entries)
  }
  const value = writer.finish()
  return value.length > MAX_ACL_BYTES ? undefined : value
}

export function decodeAcl(value: Buffer): Acl | undefined {
  if (value.length === 0) return NO_ACL
  return sound(value, MAX_ACL_BYTES, (reader) => {
    const parts = reader.uintUpTo(3, 'parts of an ACL')
    if (parts === 0) throw new Malformed('not-canonical', 'ACL of no part')
    const access = (parts & 1) === 0 ? undefined : { group: rightsIn(reader), entries: entriesIn(reader) }
    if ((parts & 2) === 0) return { access, default: undefined }
    const inherited = { owner: rightsIn(reader), group: rightsIn(reader), other: rightsIn(reader) }
    const mask = reader.uintUpTo(NO_MASK, 'mask of an ACL')
    const entries = entriesIn(reader)
    if (mask === NO_MASK && entries.length > 0) throw new Malformed('not-canonical', 'ACL without its mask')
    if ((access?.entries.length ?? 0) + entries.length > MAX_ACL_ENTRIES)
      throw new Malformed('too-large', 'ACL of too many entries')
    return { access, default: { ...inherited, mask: mask === NO_MASK ? undefined : mask, entries } }
  })
}

/** In the order that the encoding has: by kind, name, number. Two of one principal: what both allow. */
export function sortedEntries(entries: readonly AclEntry[]): readonly AclEntry[] {
  const sorted = [...entries].sort(compareEntries)
  const merged: AclEntry[] = []
  for (const entry of sorted) {
    const last = merged.at(-1)
    if (last !== undefined && compareEntries(last, entry) === 0)
      merged[merged.length - 1] = { ...last, rights: last.rights & entry.rights }
    else merged.push(entry)
  }
  return merged
}

/** Undefined if they are too large to be carried. */
export function encodeXattrs(xattrs: Xattrs): Buffer | undefined {
  let bytes = 0
  for (const [name, value] of xattrs) bytes += Buffer.byteLength(name) + value.length + 8
  if (bytes === 0) return NOTHING
  if (bytes > MAX_XATTRS_BYTES) return undefined
  const writer = new ByteWriter(bytes)
  for (const [name, value] of xattrs) writer.text(name).bytes(value)
  return writer.finish()
}

export function decodeXattrs(value: Buffer): Xattrs | undefined {
  return sound(value, MAX_XATTRS_BYTES, (reader) => {
    const xattrs: (readonly [string, Buffer])[] = []
    let before = ''
    while (reader.left > 0) {
      const name = reader.text(MAX_XATTR_NAME_BYTES, 'name of an attribute')
      if (name.includes('\0')) throw new Malformed('bad-path', 'name of an attribute holds a NUL')
      if (name === '' || compareBytes(name, before) <= 0)
        throw new Malformed('not-canonical', 'names of attributes do not ascend')
      before = name
      xattrs.push([name, reader.bytes(reader.left, 'value of an attribute')])
    }
    return xattrs
  })
}

/** By the order of their bytes in UTF-8, which is not that of JavaScript beyond the basic plane. */
export function compareBytes(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function compareEntries(a: AclEntry, b: AclEntry): number {
  if (a.kind !== b.kind) return a.kind === 'user' ? -1 : 1
  return compareBytes(a.name, b.name) || a.id - b.id
}

function writeEntries(writer: ByteWriter, entries: readonly AclEntry[]): void {
  writer.uint(entries.length)
  for (const { kind, rights, id, name } of entries)
    writer
      .u8(kind === 'group' ? rights | GROUP_FLAG : rights)
      .uint(id)
      .text(name)
}

function entriesIn(reader: ByteReader): AclEntry[] {
  const count = reader.count(3, 'entries of an ACL')
  const entries: AclEntry[] = []
  for (let i = 0; i < count; i++) {
    const byte = reader.u8()
    if (byte >= 2 * GROUP_FLAG) throw new Malformed('not-canonical', 'rights of an ACL entry')
    const id = reader.uintUpTo(MAX_ID, 'number in an ACL')
    const kind = (byte & GROUP_FLAG) === 0 ? 'user' : 'group'
    const entry: AclEntry = { kind, rights: byte & 7, id, name: nameIn(reader) }
    const before = entries.at(-1)
    if (before !== undefined && compareEntries(before, entry) >= 0)
      throw new Malformed('not-canonical', 'entries of an ACL do not ascend')
    entries.push(entry)
  }
  return entries
}

function rightsIn(reader: ByteReader): number {
  return reader.uintUpTo(7, 'rights')
}

function nameIn(reader: ByteReader): string {
  const name = reader.text(MAX_NAME_BYTES, 'name of an account')
  if (/[\0\n:]/.test(name)) throw new Malformed('bad-path', 'name of an account that none can have')
  return name
}

/** What a reader finds in all of a value; undefined if it is not sound. */
function sound<T>(value: Buffer, maxBytes: number, read: (reader: ByteReader) => T): T | undefined {
  if (value.length > maxBytes) return undefined
  const reader = new ByteReader(value)
  try {
    const found = read(reader)
    reader.end()
    return found
  } catch (thrown) {
    if (thrown instanceof Malformed) return undefined
    throw thrown
  }
}
