import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatAcl, parseAcl } from '../../src/core/acl.js'
import { isXattrInScope } from '../../src/core/attribute-scope.js'
import {
  type AclEntry,
  decodeAcl,
  decodeOwner,
  decodeXattrs,
  encodeAcl,
  encodeOwner,
  encodeXattrs,
  MAX_ACL_BYTES,
  MAX_ID,
  MAX_XATTRS_BYTES,
  NO_ACL,
  sortedEntries,
  withTag,
} from '../../src/core/attributes.js'
import { MAX_EXTRA_BYTES } from '../../src/core/record-entries.js'
import { aclArbitrary, principal, xattrsArbitrary } from '../support/attributes.js'

describe('values of owners, ACLs and xattrs', () => {
  it('an owner to the byte', () => {
    const value = encodeOwner({ user: { id: 1000, name: 'alice' }, group: { id: 33, name: '' } })
    assert.equal(value.toString('hex'), 'e807' + '21' + '05616c696365' + '00')
    assert.deepEqual(decodeOwner(value), { user: { id: 1000, name: 'alice' }, group: { id: 33, name: '' } })
  })

  it('an ACL to the byte', () => {
    const value = encodeAcl({
      access: { group: 5, entries: [{ kind: 'user', rights: 7, id: 33, name: 'www' }] },
      default: { owner: 7, group: 5, other: 0, mask: undefined, entries: [] },
    })
    assert.equal(value?.toString('hex'), '03' + '0501' + '072103777777' + '070500' + '08' + '00')
    assert.equal(encodeAcl(NO_ACL)?.length, 0)
  })

  it('xattrs to the byte', () => {
    assert.equal(encodeXattrs([['user.a', Buffer.from('b')]])?.toString('hex'), '06757365722e610162')
    assert.equal(encodeXattrs([])?.length, 0)
  })

  it('what is encoded decodes to the same', () => {
    fc.assert(
      fc.property(principal, principal, aclArbitrary, xattrsArbitrary, (user, group, acl, xattrs) => {
        assert.deepEqual(decodeOwner(encodeOwner({ user, group })), { user, group })
        assert.deepEqual(decodeAcl(encodeAcl(acl)!), acl)
        assert.deepEqual(decodeXattrs(encodeXattrs(xattrs)!), xattrs)
      }),
    )
  })

  it('any bytes decode or are refused, and what decodes re-encodes to the same bytes', () => {
    const sound = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.tuple(aclArbitrary, fc.nat(), fc.nat(255)).map(([acl, at, byte]) => {
        const value = Buffer.from(encodeAcl(acl)!)
        if (value.length > 0) value[at % value.length] = byte
        return value
      }),
    )
    fc.assert(
      fc.property(sound, (bytes) => {
        const value = Buffer.from(bytes)
        const owner = decodeOwner(value)
        if (owner !== undefined) assert.deepEqual(encodeOwner(owner), value)
        const acl = decodeAcl(value)
        if (acl !== undefined) assert.deepEqual(encodeAcl(acl), value)
        const xattrs = decodeXattrs(value)
        if (xattrs !== undefined) assert.deepEqual(encodeXattrs(xattrs), value)
      }),
      { numRuns: 2000 },
    )
  })

  it('names that no account has, numbers that are none, and values beyond their bounds are refused', () => {
    const user = { id: 1, name: 'a' }
    for (const name of ['a:b', 'a\nb', 'a\0b', 'x'.repeat(256)])
      assert.equal(decodeOwner(encodeOwner({ user: { id: 1, name }, group: user })), undefined, name)
    assert.equal(decodeOwner(encodeOwner({ user: { id: MAX_ID + 1, name: '' }, group: user })), undefined)
    assert.equal(decodeAcl(Buffer.alloc(MAX_ACL_BYTES + 1, 1)), undefined)
    assert.equal(encodeXattrs([['user.a', Buffer.alloc(MAX_XATTRS_BYTES)]]), undefined)
    const many = Array.from(
      { length: 3000 },
      (_, id): AclEntry => ({ kind: 'user', rights: 1, id, name: '' }),
    )
    assert.equal(encodeAcl({ ...NO_ACL, access: { group: 0, entries: many } }), undefined)
    assert.equal(MAX_ACL_BYTES + MAX_XATTRS_BYTES + 600 + 16 + 4 * 8 <= MAX_EXTRA_BYTES, true)
  })

  it('two entries for one principal are one, with what both allow', () => {
    const alice = { kind: 'user', id: 1, name: 'alice' } as const
    assert.deepEqual(
      sortedEntries([
        { ...alice, rights: 6 },
        { ...alice, rights: 3 },
      ]),
      [{ ...alice, rights: 2 }],
    )
  })

  it('tags stay sorted, and nothing is copied for nothing', () => {
    const extra = withTag([[3, Buffer.from('c')]], 1, Buffer.from('a'))
    assert.deepEqual(
      extra.map(([tag]) => tag),
      [1, 3],
    )
    assert.equal(withTag(extra, 1, Buffer.from('a')), extra)
    assert.equal(withTag(extra, 2, undefined), extra)
    assert.deepEqual(withTag(withTag(extra, 1, undefined), 3, undefined), [])
  })
})

describe('ACLs as Linux has them', () => {
  it('a blob of getxattr(2) to the byte, and back', () => {
    const blob = Buffer.from(
      '02000000' +
        '01000700ffffffff' +
        '0200050021000000' +
        '04000500ffffffff' +
        '10000700ffffffff' +
        '20000000ffffffff',
      'hex',
    )
    const acl = parseAcl(blob)
    assert.deepEqual(acl, {
      ...{ owner: 7, group: 5, other: 0, mask: 7 },
      entries: [{ kind: 'user', rights: 5, id: 33 }],
    })
    assert.deepEqual(formatAcl(acl!), blob)
  })

  it('anything else is none', () => {
    for (const hex of ['', '01000000', '02000000', '0200000001000700ffffff', '0200000001000700ffffffff'])
      assert.equal(parseAcl(Buffer.from(hex, 'hex')), undefined, hex)
  })
})

it('patterns of names', () => {
  const scope = { acls: true, xattrs: ['user.mime_type', 'user.app.*'] }
  const names = [
    'user.mime_type',
    'user.app.x',
    'user.app',
    'user.mime_typex',
    'security.capability',
    'userXapp.x',
  ]
  assert.deepEqual(
    names.filter((name) => isXattrInScope(scope, name)),
    ['user.mime_type', 'user.app.x'],
  )
})
