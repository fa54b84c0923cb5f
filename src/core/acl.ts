// The two ACLs of a Linux file as the system has them (acl(5), xattr(7)) and as the share has them. An access ACL that
// says no more than the mode is none. Where it says more, the mode's group bits are its mask: the share keeps them in the
// mode alone, so that one cannot contradict the other.
//
//   u32 version 2, then entries of: u16 tag, u16 rights, u32 number; little-endian (linux/posix_acl_xattr.h)
import {
  type AccessAcl,
  type AccountKind,
  type AclEntry,
  type DefaultAcl,
  type Principal,
  sortedEntries,
} from './attributes.js'
import type { OwnerMapping } from './owners.js'

const VERSION = 2
const HEAD_BYTES = 4
const ENTRY_BYTES = 8
const USER_OBJ = 0x01
const USER = 0x02
const GROUP_OBJ = 0x04
const GROUP = 0x08
const MASK = 0x10
const OTHER = 0x20
const NO_ID = 0xffffffff

/** An ACL in this node's numbers. */
export interface RawAcl {
  readonly owner: number
  readonly group: number
  readonly other: number
  readonly mask: number | undefined
  readonly entries: readonly RawAclEntry[]
}

export interface RawAclEntry {
  readonly kind: AccountKind
  readonly rights: number
  readonly id: number
}

/** Reads what a file system gave, named entries sorted; undefined if it is no ACL of this kind. */
export function parseAcl(blob: Buffer): RawAcl | undefined {
  if (blob.length < HEAD_BYTES || (blob.length - HEAD_BYTES) % ENTRY_BYTES !== 0) return undefined
  if (blob.readUInt32LE(0) !== VERSION) return undefined
  const rights: Record<number, number> = {}
  const entries: RawAclEntry[] = []
  for (let at = HEAD_BYTES; at < blob.length; at += ENTRY_BYTES) {
    const tag = blob.readUInt16LE(at)
    const perm = blob.readUInt16LE(at + 2) & 7
    const id = blob.readUInt32LE(at + 4)
    if (tag === USER || tag === GROUP)
      entries.push({ kind: tag === USER ? 'user' : 'group', rights: perm, id })
    else rights[tag] = perm
  }
  const { [USER_OBJ]: owner, [GROUP_OBJ]: group, [OTHER]: other, [MASK]: mask } = rights
  if (owner === undefined || group === undefined || other === undefined) return undefined
  return { owner, group, other, mask, entries: entries.sort(compareRaw) }
}

/** As the system wants it. */
export function formatAcl({ owner, group, other, mask, entries }: RawAcl): Buffer {
  const rows: [tag: number, rights: number, id: number][] = [
    [USER_OBJ, owner, NO_ID],
    ...rowsOf('user', USER, entries),
    [GROUP_OBJ, group, NO_ID],
    ...rowsOf('group', GROUP, entries),
  ]
  if (mask !== undefined) rows.push([MASK, mask, NO_ID])
  rows.push([OTHER, other, NO_ID])
  const blob = Buffer.alloc(HEAD_BYTES + rows.length * ENTRY_BYTES)
  blob.writeUInt32LE(VERSION, 0)
  for (const [i, [tag, rights, id]] of rows.entries()) {
    const at = HEAD_BYTES + i * ENTRY_BYTES
    blob.writeUInt16LE(tag, at)
    blob.writeUInt16LE(rights, at + 2)
    blob.writeUInt32LE(id, at + 4)
  }
  return blob
}

/** Whether an access ACL says no more than the mode does. */
export function isMinimal({ mask, entries }: RawAcl): boolean {
  return mask === undefined && entries.length === 0
}

/** The access ACL that a file of this mode is to have. */
export function localAccess({ group, entries }: AccessAcl, mode: number, mapping: OwnerMapping): RawAcl {
  return {
    owner: (mode >> 6) & 7,
    group,
    other: mode & 7,
    mask: (mode >> 3) & 7,
    entries: localEntries(entries, mapping),
  }
}

/** The mode where the ACL cannot be: the group's bits are then the group's own rights, so that nobody gains any. */
export function modeWithout({ group }: AccessAcl, mode: number): number {
  return mode & (~0o070 | (group << 3))
}

export function localDefault(acl: DefaultAcl, mapping: OwnerMapping): RawAcl {
  return { ...acl, entries: localEntries(acl.entries, mapping) }
}

/**
 * Entries of the share in this node's numbers, ascending. Where two of the share are one here, it gets what both allow.
 */
export function localEntries(entries: readonly AclEntry[], mapping: OwnerMapping): readonly RawAclEntry[] {
  const byAccount = new Map<string, RawAclEntry>()
  mapping.foresee(entries)
  for (const entry of entries) {
    const { kind } = entry
    const { id } = mapping.local(kind, entry)
    const key = `${kind} ${id}`
    const rights = entry.rights & (byAccount.get(key)?.rights ?? 7)
    byAccount.set(key, { kind, rights, id })
  }
  return [...byAccount.values()].sort(compareRaw)
}

/**
 * What the share is told of entries found here. Those that an earlier statement has and that are as it wanted them keep
 * its words: a name that nobody has here, for one, of which the disk shows only a number.
 */
export function sharedEntries(
  found: readonly RawAclEntry[],
  before: readonly AclEntry[],
  mapping: OwnerMapping,
): readonly AclEntry[] {
  const wanted = new Map(localEntries(before, mapping).map((entry) => [keyOf(entry), entry]))
  const stays = new Set(found.filter((entry) => wanted.get(keyOf(entry))?.rights === entry.rights).map(keyOf))
  const known = new Map<string, Principal>()
  for (const entry of before) known.set(keyOf({ ...entry, id: mapping.local(entry.kind, entry).id }), entry)
  const kept = before.filter((entry) =>
    stays.has(keyOf({ ...entry, id: mapping.local(entry.kind, entry).id })),
  )
  const fresh = found
    .filter((entry) => !stays.has(keyOf(entry)))
    .map(({ kind, rights, id }): AclEntry => {
      const { id: number, name } = known.get(keyOf({ kind, id })) ?? mapping.shared(kind, id)
      return { kind, rights, id: number, name }
    })
  return sortedEntries([...kept, ...fresh])
}

function rowsOf(
  kind: AccountKind,
  tag: number,
  entries: readonly RawAclEntry[],
): [tag: number, rights: number, id: number][] {
  return entries.filter((entry) => entry.kind === kind).map(({ rights, id }) => [tag, rights, id])
}

function compareRaw(a: RawAclEntry, b: RawAclEntry): number {
  if (a.kind !== b.kind) return a.kind === 'user' ? -1 : 1
  return a.id - b.id
}

function keyOf({ kind, id }: { readonly kind: AccountKind; readonly id: number }): string {
  return `${kind} ${id}`
}
