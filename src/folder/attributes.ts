// Reads the attributes of open files and directories (core/raw-attributes.ts): those in a scope, and no others. It tells
// "has none" from "cannot be told", since taking the second for the first would strip every other node's files.
import fs from 'node:fs'
import { getAttrSync, listAttrsSync } from 'fs-native-extensions'
import { MAX_XATTRS_BYTES } from '../core/attributes.js'
import {
  ACL_ACCESS,
  ACL_DEFAULT,
  type AttributeScope,
  packRaw,
  type RawAttributes,
} from '../core/raw-attributes.js'
import { codeOf, type Fault, faultOf } from './safefs.js'

/**
 * Packed attributes; undefined where the file system cannot hold all that the scope is about, or they may not be read; a
 * Fault where they are there and cannot be carried: then nothing at all is said of them.
 */
export type ReadAttributes = Buffer | undefined | Fault

/** Most bytes of one file's attributes, packed; the rest of an entry's extra is for owners, and for names in ACLs. */
export const MAX_ATTRIBUTES_BYTES: number = MAX_XATTRS_BYTES

const NONE: Buffer = Buffer.alloc(0)
const TOO_LARGE: Fault = {
  code: 'ATTRIBUTES_TOO_LARGE',
  detail: `extended attributes of more than ${MAX_ATTRIBUTES_BYTES} bytes are not carried; the rest of the file is`,
}
const NOT_TEXT: Fault = {
  code: 'ATTRIBUTE_NAME',
  detail:
    'an extended attribute whose name is not valid UTF-8 is not carried, nor are the others of this file',
}
/** No such attributes on this file system; or not for us. */
const CANNOT: ReadonlySet<string> = new Set(['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EPERM', 'EACCES', 'EBADF'])
const UNSUPPORTED: ReadonlySet<string> = new Set(['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])
const { O_RDONLY, O_DIRECTORY, O_NONBLOCK } = fs.constants

/** Whether a scope is about anything. */
export function isWide(scope: AttributeScope | undefined): scope is AttributeScope {
  return scope !== undefined && (scope.acls || scope.xattrs.length > 0)
}

/** Whether an attribute is in the scope. Of `system.` only the ACLs ever are. */
export function inScope(scope: AttributeScope): (name: string) => boolean {
  const patterns = scope.xattrs.map(patternOf)
  return (name) => {
    if (name === ACL_ACCESS || name === ACL_DEFAULT) return scope.acls
    return !name.startsWith('system.') && patterns.some((pattern) => pattern.test(name))
  }
}

function patternOf(pattern: string): RegExp {
  const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 's')
}

/** Reads attributes for one batch; which file systems have them is asked once. */
export class AttributeReader {
  readonly #isInScope: (name: string) => boolean
  readonly #asked: readonly string[]
  /** By device. */
  readonly #supports = new Map<number, boolean>()

  constructor(scope: AttributeScope) {
    this.#isInScope = inScope(scope)
    this.#asked = probesOf(scope)
  }

  /** Of an open file or directory (not an O_PATH one) that lies on the device `dev`. Never throws. */
  of(fd: number, dev: number): ReadAttributes {
    try {
      const names = listAttrsSync(fd)
      // Some file systems without attributes say that there are none.
      if (names.length === 0) return this.#hasThem(fd, dev) ? NONE : undefined
      return this.#hasThem(fd, dev) ? this.#pack(fd, names) : undefined
    } catch (thrown) {
      const code = codeOf(thrown)
      if (CANNOT.has(code)) return undefined
      return code === 'E2BIG' ? TOO_LARGE : faultOf(thrown)
    }
  }

  /** Of the file or directory that a descriptor of any kind stands for (not of a symlink). Throws what open(2) says. */
  ofHandle(handle: number, dev: number): ReadAttributes {
    const fd = openHandle(handle)
    if (fd === undefined) return undefined
    try {
      return this.of(fd, dev)
    } finally {
      fs.closeSync(fd)
    }
  }

  #pack(fd: number, names: readonly string[]): ReadAttributes {
    const found: [string, Buffer][] = []
    let bytes = 0
    for (const name of names) {
      if (!this.#isInScope(name)) continue
      if (name.includes('\uFFFD')) return NOT_TEXT
      const value = getAttrSync(fd, name)
      // It has just gone; the stat afterwards tells.
      if (value === null) continue
      bytes += Buffer.byteLength(name) + value.length + 8
      if (bytes > MAX_ATTRIBUTES_BYTES) return TOO_LARGE
      found.push([name, value])
    }
    return found.length === 0 ? NONE : packRaw(sorted(found))
  }

  #hasThem(fd: number, dev: number): boolean {
    const known = this.#supports.get(dev)
    if (known !== undefined) return known
    const hasThem = this.#asked.every((name) => canHold(fd, name))
    this.#supports.set(dev, hasThem)
    return hasThem
  }
}

/** A readable descriptor of what an O_PATH one stands for, since that knows no attributes; undefined without the right. */
export function openHandle(handle: number): number | undefined {
  try {
    return fs.openSync(`/proc/self/fd/${handle}`, O_RDONLY | O_NONBLOCK)
  } catch (thrown) {
    if (CANNOT.has(codeOf(thrown))) return undefined
    throw thrown
  }
}

/** By name, as packRaw wants them. */
export function sorted(attributes: readonly (readonly [string, Buffer])[]): RawAttributes {
  return [...attributes].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** The part of a scope that the file system of this directory can hold. Throws what open(2) says of it. */
export function supportedScope(directory: string, scope: AttributeScope): AttributeScope {
  const fd = fs.openSync(directory, O_RDONLY | O_DIRECTORY)
  try {
    return {
      acls: scope.acls && canHold(fd, ACL_ACCESS),
      xattrs: scope.xattrs.filter((pattern) =>
        probesOf({ acls: false, xattrs: [pattern] }).every((name) => canHold(fd, name)),
      ),
    }
  } finally {
    fs.closeSync(fd)
  }
}

/** A name to ask for of each kind of attribute in the scope. */
function probesOf(scope: AttributeScope): string[] {
  const kinds = new Set(scope.xattrs.map((pattern) => pattern.slice(0, pattern.indexOf('.') + 1)))
  const probes = [...kinds]
    .filter((kind) => !kind.includes('*'))
    .map((kind) => `${kind === '' ? 'user.' : kind}shoal-probe`)
  return scope.acls ? [ACL_ACCESS, ...probes] : probes
}

function canHold(fd: number, name: string): boolean {
  try {
    getAttrSync(fd, name)
    return true
  } catch (thrown) {
    if (UNSUPPORTED.has(codeOf(thrown))) return false
    throw thrown
  }
}
