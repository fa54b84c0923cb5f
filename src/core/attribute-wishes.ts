// ACLs and extended attributes of a share on one node (metadata.ts): what is stated of those that the disk shows, and
// whether it shows what a statement wants.
import {
  formatAcl,
  isMinimal,
  localAccess,
  localDefault,
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
  decodeXattrs,
  encodeAcl,
  encodeXattrs,
  NO_ACL,
  tagOf,
  type Xattrs,
} from './attributes.js'
import type { Extra } from './entry.js'
import type { Fact, LiveFact } from './fact.js'
import { Interned } from './interned.js'
import type { OwnerMapping } from './owners.js'
import { ACL_ACCESS, ACL_DEFAULT, type AttributeScope, type RawAttributes } from './raw-attributes.js'
import { isAclName, marksOf, type ShownAttributes } from './shown.js'

export class AttributeWishes {
  readonly #scope: AttributeScope
  readonly #mapping: OwnerMapping
  readonly #values = new Interned<Buffer>()

  constructor(scope: AttributeScope, mapping: OwnerMapping) {
    this.#scope = scope
    this.#mapping = mapping
  }

  aclOf(extra: Extra): Acl | undefined {
    const value = tagOf(extra, ACL_TAG)
    return value === undefined ? undefined : decodeAcl(value)
  }

  /** The ACL to state: the named parts as they are on the disk, the others as they were. Undefined: it is too large. */
  mergedAcl(
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
    const others = known.flatMap((fact) => ('extra' in fact ? (this.aclOf(fact.extra) ?? []) : []))
    const acl: Acl = {
      access:
        access || all ? this.#accessFrom(found.get(ACL_ACCESS), [old ?? NO_ACL, ...others]) : old.access,
      default:
        seen.type === 'directory' && (inherited || all)
          ? this.#defaultFrom(found.get(ACL_DEFAULT), [old ?? NO_ACL, ...others])
          : old?.default,
    }
    const value = encodeAcl(acl)
    return value === undefined ? undefined : this.#values.of(value.toString('latin1'), () => value)
  }

  #accessFrom(blob: Buffer | undefined, known: readonly Acl[]): AccessAcl | undefined {
    const found = blob === undefined ? undefined : parseAcl(blob)
    if (found === undefined || isMinimal(found)) return undefined
    const mode = (found.owner << 6) | ((found.mask ?? found.group) << 3) | found.other
    for (const { access } of known) {
      if (access !== undefined && isSameAcl(found, localAccess(access, mode, this.#mapping))) return access
    }
    const entries = sharedEntries(found.entries, known[0]?.access?.entries ?? [], this.#mapping)
    return { group: found.group, entries }
  }

  #defaultFrom(blob: Buffer | undefined, known: readonly Acl[]): DefaultAcl | undefined {
    const found = blob === undefined ? undefined : parseAcl(blob)
    if (found === undefined) return undefined
    for (const { default: acl } of known) {
      if (acl !== undefined && isSameAcl(found, localDefault(acl, this.#mapping))) return acl
    }
    const { owner, group, other } = found
    const entries = sharedEntries(found.entries, known[0]?.default?.entries ?? [], this.#mapping)
    // A system that takes named entries without a mask shows one nevertheless.
    const mask = found.mask ?? (entries.length > 0 ? 7 : undefined)
    return { owner, group, other, mask, entries }
  }

  /** Whether a file that was given this ACL here would look so, the rights aside that follow from its mode. */
  isAcl(value: Buffer, fact: LiveFact, raw: RawAttributes): boolean {
    const acl = decodeAcl(value)
    if (acl === undefined) return false
    const marks = new Map(marksOf(raw))
    const wanted = new Map(marksOf(this.rawAcl(acl, fact, 0)))
    return [ACL_ACCESS, ACL_DEFAULT].every((name) => sameMark(marks.get(name), wanted.get(name)))
  }

  rawAcl(acl: Acl, fact: LiveFact, mode: number): [string, Buffer][] {
    const raw: [string, Buffer][] = []
    if (acl.access !== undefined)
      raw.push([ACL_ACCESS, formatAcl(localAccess(acl.access, mode, this.#mapping))])
    if (acl.default !== undefined && fact.type === 'directory')
      raw.push([ACL_DEFAULT, formatAcl(localDefault(acl.default, this.#mapping))])
    return raw
  }

  isXattr(name: string): boolean {
    return !isAclName(name) && isXattrInScope(this.#scope, name)
  }

  hasXattrInScope(value: Buffer): boolean {
    return decodeXattrs(value)?.some(([name]) => this.isXattr(name)) ?? true
  }

  isXattrs(value: Buffer, raw: RawAttributes): boolean {
    const wanted = decodeXattrs(value)?.filter(([name]) => this.isXattr(name))
    const found = raw.filter(([name]) => this.isXattr(name))
    return (
      wanted !== undefined &&
      wanted.length === found.length &&
      wanted.every(([name, bytes]) => found.some(([other, has]) => other === name && has.equals(bytes)))
    )
  }

  /** Those to state: in the scope what changed since `shown` (all: undefined), others as before. Undefined: too large. */
  mergedXattrs(
    raw: RawAttributes,
    before: Buffer | undefined,
    shown: ShownAttributes | undefined,
  ): Buffer | undefined {
    const result = new Map<string, Buffer>(before === undefined ? [] : (decodeXattrs(before) ?? []))
    const marks = new Map(marksOf(raw))
    const found = new Map(raw)
    const names = new Set([...result.keys(), ...found.keys(), ...(shown?.marks.keys() ?? [])])
    for (const name of names) {
      if (!this.isXattr(name)) continue
      if (shown !== undefined && sameMark(marks.get(name), shown.marks.get(name))) continue
      const value = found.get(name)
      if (value === undefined) result.delete(name)
      else result.set(name, value)
    }
    const sorted: Xattrs = [...result].sort(([a], [b]) => compareBytes(a, b))
    return encodeXattrs(sorted)
  }
}

export function sameMark(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b)
}

function isSameAcl(a: RawAcl, b: RawAcl): boolean {
  return formatAcl(a).equals(formatAcl(b))
}
