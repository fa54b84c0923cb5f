// What a disk showed of a file's attributes when it was looked at or dressed last, kept beside the stat in the index: only
// this tells a user's change from what this disk never could hold, whatever accounts came and went since. Values are
// kept as they are if they are short, else as their hash; rights that follow from the mode are left out, since a change
// of mode is no change of the ACL.
//
//   flags u8: 1 the ACLs were looked at, 2 the xattrs; then, packed as in raw-attributes.ts, name and value or hash
import { formatAcl, isMinimal, parseAcl } from './acl.js'
import { blake3 } from './hash.js'
import {
  ACL_ACCESS,
  ACL_DEFAULT,
  type AttributeScope,
  packRaw,
  type RawAttributes,
  unpackRaw,
} from './raw-attributes.js'

const ACLS_SEEN = 1
const XATTRS_SEEN = 2
/** A value of this length or more is kept as a hash, which has it. */
const HASH_BYTES = 32
const NONE = [0, ACLS_SEEN, XATTRS_SEEN, ACLS_SEEN | XATTRS_SEEN].map((flags) => Buffer.of(flags))

/** What was shown, unpacked. */
export interface ShownAttributes {
  readonly acls: boolean
  readonly xattrs: boolean
  readonly marks: ReadonlyMap<string, Buffer>
}

const NO_MARKS: ReadonlyMap<string, Buffer> = new Map()
const NEVER: ShownAttributes = { acls: false, xattrs: false, marks: NO_MARKS }

/** Whether a name is one of the two ACLs. */
export function isAclName(name: string): boolean {
  return name === ACL_ACCESS || name === ACL_DEFAULT
}

/** What to keep of attributes that were read in a scope; undefined where they could not be. */
export function packShown(raw: RawAttributes | undefined, scope: AttributeScope): Buffer | undefined {
  if (raw === undefined) return undefined
  const flags = (scope.acls ? ACLS_SEEN : 0) | (scope.xattrs.length > 0 ? XATTRS_SEEN : 0)
  const marks = marksOf(raw)
  if (marks.length === 0) return flags === 0 ? undefined : NONE[flags]!
  return Buffer.concat([NONE[flags]!, packRaw(marks)])
}

export function unpackShown(packed: Buffer | undefined): ShownAttributes {
  if (packed === undefined || packed.length === 0) return NEVER
  const flags = packed[0]!
  return {
    acls: (flags & ACLS_SEEN) !== 0,
    xattrs: (flags & XATTRS_SEEN) !== 0,
    marks: packed.length === 1 ? NO_MARKS : new Map(unpackRaw(packed.subarray(1))),
  }
}

/** Whether attributes are those that were shown, as far as both were looked at; `attributes`: in the scope, packed. */
export function isAsShown(packed: Buffer | undefined, attributes: Buffer | undefined): boolean {
  if (packed === undefined || attributes === undefined) return true
  const { acls, xattrs, marks } = unpackShown(packed)
  const now = new Map(marksOf(unpackRaw(attributes)))
  return [...new Set([...marks.keys(), ...now.keys()])].every((name) => {
    if (!(isAclName(name) ? acls : xattrs)) return true
    const [before, after] = [marks.get(name), now.get(name)]
    return before !== undefined && after !== undefined && before.equals(after)
  })
}

/** Of each attribute that says anything: its value, or the hash of it. */
export function marksOf(raw: RawAttributes): RawAttributes {
  const marks: (readonly [string, Buffer])[] = []
  for (const [name, value] of raw) {
    const mark = markOf(name, value)
    if (mark !== undefined) marks.push([name, mark])
  }
  return marks
}

function markOf(name: string, value: Buffer): Buffer | undefined {
  const acl = isAclName(name) ? parseAcl(value) : undefined
  if (acl === undefined) return value.length < HASH_BYTES ? value : blake3(value)
  if (name === ACL_DEFAULT) return blake3(formatAcl(acl))
  if (isMinimal(acl)) return undefined
  return blake3(formatAcl({ ...acl, owner: 0, other: 0, mask: 0 }))
}
