// What a file system says of a file beside its stat: extended attributes by name, the two POSIX ACLs among them
// (xattr(7), acl(5)). Raw, as the disk of one node has it: numbers of users and groups are that node's. Here are only the
// values and how they are packed to cross threads; what they mean to a share is attributes.ts.
//
//   packed: each attribute: u16 length of the name, name in UTF-8, u32 length of the value, value; little-endian
import { invariant } from './error.js'

/** Ascending by name (byte order), each name once. */
export type RawAttributes = readonly (readonly [name: string, value: Buffer])[]
export const NO_RAW: RawAttributes = []

/** Names under which Linux shows the ACLs (acl(5)). */
export const ACL_ACCESS = 'system.posix_acl_access'
export const ACL_DEFAULT = 'system.posix_acl_default'

/** Which of a file's attributes a node looks at and sets; all others it leaves alone. */
export interface AttributeScope {
  readonly acls: boolean
  /** Patterns of names, `*` for any characters: `user.*`. Empty: none. */
  readonly xattrs: readonly string[]
}

export const NO_SCOPE: AttributeScope = { acls: false, xattrs: [] }

/** Linux allows 255 bytes for a name and 64 KiB for a value. */
const MAX_NAME_BYTES = 255
const HEAD_BYTES = 6

/** Packs attributes; none is an empty buffer. */
export function packRaw(attributes: RawAttributes): Buffer {
  let bytes = 0
  for (const [name, value] of attributes) bytes += HEAD_BYTES + Buffer.byteLength(name) + value.length
  const packed = Buffer.allocUnsafe(bytes)
  let at = 0
  let before = ''
  for (const [name, value] of attributes) {
    invariant(name > before && Buffer.byteLength(name) <= MAX_NAME_BYTES, 'names of attributes ascend')
    before = name
    at = packed.writeUInt16LE(Buffer.byteLength(name), at)
    at += packed.write(name, at, 'utf8')
    at = packed.writeUInt32LE(value.length, at)
    at += value.copy(packed, at)
  }
  return packed
}

/** Reads what packRaw wrote; values are views of it. A Buffer that has crossed threads is none any more. */
export function unpackRaw(bytes: Uint8Array): RawAttributes {
  const packed = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const attributes: [string, Buffer][] = []
  for (let at = 0; at < packed.length; ) {
    const nameEnd = at + 2 + packed.readUInt16LE(at)
    const name = packed.toString('utf8', at + 2, nameEnd)
    const valueEnd = nameEnd + 4 + packed.readUInt32LE(nameEnd)
    attributes.push([name, packed.subarray(nameEnd + 4, valueEnd)])
    at = valueEnd
  }
  return attributes
}
