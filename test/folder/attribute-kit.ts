// Owners, ACLs and extended attributes for tests: made, set and looked at by path.
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { getAttrSync, listAttrsSync, setAttrSync } from 'fs-native-extensions'
import {
  ACL_ACCESS,
  ACL_DEFAULT,
  type AttributeScope,
  packRaw,
  unpackRaw,
} from '../../src/core/raw-attributes.js'
import { supportedScope } from '../../src/folder/attributes.js'

export const ALL: AttributeScope = { acls: true, xattrs: ['user.*'] }
export const NOBODY = 65534

/** False, or the word to skip with where the temporary directory cannot hold ACLs and `user.` attributes. */
export const NEEDS_ATTRIBUTES: string | false = (() => {
  const { acls, xattrs } = supportedScope(tmpdir(), ALL)
  return acls && xattrs.length > 0 ? false : 'the temporary directory has no ACLs or no extended attributes'
})()

const TAGS = { user: 0x02, group: 0x08 } as const

/** An ACL as Linux shows it (acl(5)): owner, group, mask and others as in the mode, and one more user or group. */
export function acl(mode: number, kind: 'user' | 'group', id: number, permissions: number): Buffer {
  const own = (shift: number): number => (mode >> shift) & 7
  const named = [TAGS[kind], permissions, id] as const
  const entries: (readonly [number, number, number])[] = [
    [0x01, own(6), -1],
    ...(kind === 'user' ? [named] : []),
    [0x04, own(3), -1],
    ...(kind === 'group' ? [named] : []),
    [0x10, own(3), -1],
    [0x20, own(0), -1],
  ]
  const bytes = Buffer.alloc(4 + 8 * entries.length)
  bytes.writeUInt32LE(2, 0)
  for (const [index, [tag, permission, who]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + 8 * index)
    bytes.writeUInt16LE(permission, 6 + 8 * index)
    bytes.writeInt32LE(who, 8 + 8 * index)
  }
  return bytes
}

/** Packed attributes; names in any order. */
export function packed(attributes: Readonly<Record<string, Buffer | string>>): Buffer {
  const names = Object.keys(attributes).sort()
  return packRaw(names.map((name) => [name, Buffer.from(attributes[name]!)] as const))
}

/** What packed attributes hold; values as hex, or as text where they are a `user.` one's. */
export function unpacked(attributes: Buffer | undefined): Record<string, string> | undefined {
  if (attributes === undefined) return undefined
  return Object.fromEntries(unpackRaw(attributes).map(([name, value]) => [name, textOf(name, value)]))
}

function textOf(name: string, value: Buffer): string {
  return name.startsWith('user.') ? value.toString() : value.toString('hex')
}

export function setAttribute(path: string, name: string, value: Buffer | string): void {
  withFd(path, (fd) => setAttrSync(fd, name, Buffer.from(value)))
}

/** All ACLs and `user.` attributes that a path has. */
export function attributesAt(path: string): Record<string, string> {
  return withFd(path, (fd) => {
    const names = listAttrsSync(fd).filter((name) => {
      return name.startsWith('user.') || name === ACL_ACCESS || name === ACL_DEFAULT
    })
    return Object.fromEntries(names.sort().map((name) => [name, textOf(name, getAttrSync(fd, name)!)]))
  })
}

function withFd<T>(path: string, body: (fd: number) => T): T {
  const fd = fs.openSync(path, 'r')
  try {
    return body(fd)
  } finally {
    fs.closeSync(fd)
  }
}

/** Runs something with the rights of "nobody"; to be called as root. */
export function asNobody<T>(body: () => T): T {
  process.setegid!(NOBODY)
  process.seteuid!(NOBODY)
  try {
    return body()
  } finally {
    process.seteuid!(0)
    process.setegid!(0)
  }
}
