// Owners, ACLs and xattrs for properties: any that can be.
import fc from 'fast-check'
import {
  type Acl,
  type AclEntry,
  compareBytes,
  MAX_ID,
  type Principal,
  sortedEntries,
  type Xattrs,
} from '../../src/core/attributes.js'

const record = <T extends object>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(shape, { noNullPrototype: true }) as unknown as fc.Arbitrary<T>

export const principal: fc.Arbitrary<Principal> = record({
  id: fc.oneof(fc.nat(50), fc.nat(MAX_ID)),
  name: fc
    .oneof(fc.constantFrom('', 'alice', 'bob', 'www-data', 'dörte'), fc.string({ maxLength: 8 }))
    .map((name) => name.replace(/[\0\n:]/g, '')),
})

const rights = fc.nat(7)

const entries: fc.Arbitrary<readonly AclEntry[]> = fc
  .array(
    fc
      .tuple(principal, rights, fc.constantFrom('user', 'group'))
      .map(([who, each, kind]): AclEntry => ({ kind: kind as AclEntry['kind'], rights: each, ...who })),
    { maxLength: 4 },
  )
  .map(sortedEntries)

export const aclArbitrary: fc.Arbitrary<Acl> = record({
  access: fc.option(record({ group: rights, entries }), { nil: undefined }),
  default: fc.option(
    record({
      owner: rights,
      group: rights,
      other: rights,
      mask: rights,
      entries,
      isMasked: fc.boolean(),
    }).map(({ isMasked, mask, ...acl }) => ({
      ...acl,
      mask: isMasked || acl.entries.length > 0 ? mask : undefined,
    })),
    { nil: undefined },
  ),
})

export const xattrsArbitrary: fc.Arbitrary<Xattrs> = fc
  .uniqueArray(
    fc.tuple(
      fc.constantFrom('user.a', 'user.b', 'user.app.x', 'user.ü', 'security.capability', 'trusted.t'),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    ),
    { selector: ([name]) => name, maxLength: 4 },
  )
  .map((all) => all.sort(([a], [b]) => compareBytes(a, b)))
