// Reading attributes: what is in the scope and no more, the difference between "none" and "cannot be told", and that
// they belong to the stat that comes with them (A8).
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { mock, test } from 'node:test'
import { ACL_ACCESS, ACL_DEFAULT } from '../../src/core/raw-attributes.js'
import { packAttributes, unpackAttributes } from '../../src/folder/attribute-pack.js'
import {
  AttributeReader,
  inScope,
  MAX_ATTRIBUTES_BYTES,
  type ReadAttributes,
  supportedScope,
} from '../../src/folder/attributes.js'
import { hashBatch } from '../../src/folder/hash.js'
import { type HashResult, unpackHashes } from '../../src/folder/hash-result.js'
import { FolderPool } from '../../src/folder/pool.js'
import { type ScannedDirectory, scanBatch } from '../../src/folder/scan.js'
import { withAttributes } from '../../src/folder/scan-attributes.js'
import { mounted } from '../support/mounts.js'
import {
  ALL,
  acl,
  asNobody,
  NEEDS_ATTRIBUTES,
  NOBODY,
  packed,
  setAttribute,
  unpacked,
} from './attribute-kit.js'
import { KEYS, path, Share } from './commit-kit.js'

const needs = { skip: NEEDS_ATTRIBUTES }

function withShare(body: (share: Share) => void | Promise<void>): () => Promise<void> {
  return async () => {
    const share = new Share()
    try {
      await body(share)
    } finally {
      mock.restoreAll()
      share.remove()
    }
  }
}

function hash(share: Share, name: string, scope = ALL): HashResult & { readonly status: 'ok' } {
  const { sivKey, pieceKey } = KEYS
  const payload = { root: share.root, sivKey, pieceKey, jobs: [{ path: name, openCheck: false }], scope }
  const [result] = unpackHashes(hashBatch(payload))
  assert.equal(result!.status, 'ok')
  return result as HashResult & { readonly status: 'ok' }
}

function scan(share: Share, directory = '', scope = ALL): ScannedDirectory {
  const payload = {
    root: share.root,
    directories: [directory === '' ? ('' as const) : path(directory)],
    expectRoot: undefined,
    scope,
  }
  const { results, attributes } = scanBatch(payload)
  return withAttributes(results, attributes)[0]!
}

/** As if they had been changed long ago. */
function settle(): void {
  const now = Date.now()
  mock.method(Date, 'now', () => now + 60_000)
}

test('patterns name attributes, and never others of the system than the ACLs', () => {
  const cases: readonly [boolean, readonly string[], string, boolean][] = [
    [false, ['user.*'], 'user.a', true],
    [false, ['user.*'], 'trusted.a', false],
    [false, ['user.a*c'], 'user.abbc', true],
    [false, ['user.a*c'], 'user.abbcd', false],
    [false, ['user.a.c'], 'user.abc', false],
    [false, ['*'], 'security.capability', true],
    [false, ['*'], ACL_ACCESS, false],
    [true, [], ACL_DEFAULT, true],
    [true, ['*'], 'system.nfs4_acl', false],
    [true, [], 'user.a', false],
  ]
  for (const [acls, xattrs, name, expected] of cases)
    assert.equal(inScope({ acls, xattrs })(name), expected, `${name} in ${xattrs} and ACLs ${acls}`)
})

test('what is read crosses threads as it is: none, unknown, faults, values', () => {
  const fault = { code: 'SOME', detail: 'why' }
  const all: ReadAttributes[] = [
    Buffer.alloc(0),
    undefined,
    packed({ 'user.a': 'x' }),
    fault,
    Buffer.alloc(0),
  ]
  assert.deepEqual(unpackAttributes(packAttributes(all)), all)
})

test(
  'a hashed file comes with its attributes in the scope',
  needs,
  withShare((share) => {
    const wanted = acl(0o640, 'user', 12345, 4)
    share.write('f', 'content')
    share.write('bare', 'content')
    fs.chmodSync(share.at('f'), 0o640)
    setAttribute(share.at('f'), 'user.a', 'one')
    setAttribute(share.at('f'), 'user.b', '')
    setAttribute(share.at('f'), ACL_ACCESS, wanted)
    settle()
    const read = (name: string, acls: boolean, xattrs: string[]): unknown =>
      unpacked(hash(share, name, { acls, xattrs }).attributes)
    assert.deepEqual(read('f', true, ['user.*']), {
      [ACL_ACCESS]: wanted.toString('hex'),
      'user.a': 'one',
      'user.b': '',
    })
    assert.deepEqual(read('f', false, ['user.b*']), { 'user.b': '' })
    assert.deepEqual(read('bare', true, ['user.*']), {})
    assert.equal(read('f', false, []), undefined)
  }),
)

test('what is more than an entry can carry is said, and the file is hashed all the same', (context) => {
  const disk = mounted('tmpfs')
  if (typeof disk === 'string') return context.skip(disk)
  try {
    const share = new Share(disk.directory)
    share.write('f', 'content')
    fs.mkdirSync(share.at('d'))
    try {
      for (const name of ['f', 'd'])
        setAttribute(share.at(name), 'user.a', Buffer.alloc(MAX_ATTRIBUTES_BYTES))
    } catch (thrown) {
      return context.skip(`tmpfs has no large attributes here: ${thrown}`)
    }
    settle()
    const hashed = hash(share, 'f')
    assert.equal(hashed.attributes, undefined)
    assert.equal(hashed.attributesFault?.code, 'ATTRIBUTES_TOO_LARGE')
    const listing = scan(share)
    assert.deepEqual(listing.names.toSorted(), ['d', 'f'])
    assert.equal(listing.childAttributes!.size, 0)
    assert.deepEqual(
      listing.faults.map(({ name, code }) => [name, code]),
      [['d', 'ATTRIBUTES_LEFT']],
    )
  } finally {
    mock.restoreAll()
    disk.remove()
  }
})

test(
  'A8: attributes that change while a file is read make it "changed"',
  needs,
  withShare((share) => {
    share.write('f', 'content')
    settle()
    const real = AttributeReader.prototype.of
    mock.method(AttributeReader.prototype, 'of', function (this: AttributeReader, fd: number, dev: number) {
      const read = real.call(this, fd, dev)
      setAttribute(share.at('f'), 'user.late', 'x')
      return read
    })
    const { sivKey, pieceKey } = KEYS
    const jobs = [{ path: 'f', openCheck: false }]
    const [result] = unpackHashes(hashBatch({ root: share.root, sivKey, pieceKey, jobs, scope: ALL }))
    assert.equal(result!.status, 'changed')
  }),
)

test(
  'a listing has the attributes of the directory and of those in it',
  needs,
  withShare((share) => {
    const wanted = acl(0o750, 'group', 23456, 5)
    for (const name of ['d/one', 'd/two', 'd/three']) fs.mkdirSync(share.at(name), { recursive: true })
    share.write('d/file', 'x')
    setAttribute(share.at('d'), 'user.own', 'yes')
    setAttribute(share.at('d/two'), ACL_DEFAULT, wanted)
    settle()
    const listing = scan(share, 'd')
    assert.deepEqual(unpacked(listing.attributes), { 'user.own': 'yes' })
    const children = Object.fromEntries(
      [...listing.childAttributes!].map(([index, bytes]) => [listing.names[index], unpacked(bytes)]),
    )
    assert.deepEqual(children, { one: {}, two: { [ACL_DEFAULT]: wanted.toString('hex') }, three: {} })
    assert.deepEqual(listing.stat, share.stat('d'))
    assert.deepEqual(listing.faults, [])
    assert.equal(scan(share, 'd', { acls: false, xattrs: [] }).attributes, undefined)
  }),
)

test(
  'A8: a directory that has changed just now gets a stat that it will not have again',
  needs,
  withShare((share) => {
    fs.mkdirSync(share.at('d/below'), { recursive: true })
    fs.chmodSync(share.at('d'), 0o700)
    fs.chmodSync(share.at('d/below'), 0o700)
    const { ctimeMs } = share.stat('d')
    mock.method(Date, 'now', () => ctimeMs + 1)
    const listing = scan(share, 'd')
    assert.equal(listing.stat!.ctimeMs, 0)
    assert.equal(listing.stat!.mtimeMs, share.stat('d').mtimeMs)
    assert.equal(listing.stats[3], 0)
  }),
)

test(
  'A8: a directory whose attributes change while they are read is read again',
  needs,
  withShare((share) => {
    fs.mkdirSync(share.at('d'))
    settle()
    const real = AttributeReader.prototype.of
    let count = 0
    mock.method(AttributeReader.prototype, 'of', function (this: AttributeReader, fd: number, dev: number) {
      const read = real.call(this, fd, dev)
      if (count++ === 0) setAttribute(share.at('d'), 'user.late', 'x')
      return read
    })
    const listing = scan(share, 'd')
    assert.deepEqual(unpacked(listing.attributes), { 'user.late': 'x' })
    assert.deepEqual(listing.stat, share.stat('d'))
  }),
)

test(
  'the pool hands all of it over',
  needs,
  withShare(async (share) => {
    share.write('f', 'content')
    fs.mkdirSync(share.at('d'))
    setAttribute(share.at('f'), 'user.a', 'one')
    setAttribute(share.at('d'), 'user.b', 'two')
    const pool = new FolderPool({ threads: 1 })
    try {
      const [hashed] = await pool.hash(share.root, KEYS, [{ path: 'f', openCheck: false }], ALL)
      assert.equal(hashed!.status, 'ok')
      assert.deepEqual(unpacked((hashed as { attributes?: Buffer }).attributes), { 'user.a': 'one' })
      const [listing] = await pool.scan(share.root, [''], undefined, ALL)
      const index = listing!.names.indexOf('d')
      assert.deepEqual(unpacked(listing!.childAttributes!.get(index)), { 'user.b': 'two' })
      assert.deepEqual(await pool.attributeSupport(share.root, ALL), ALL)
    } finally {
      await pool.close()
    }
  }),
)

test('a file system without attributes says nothing, rather than "none"', (context) => {
  const disk = mounted('ramfs')
  if (typeof disk === 'string') return context.skip(disk)
  try {
    const share = new Share(disk.directory)
    share.write('f', 'content')
    fs.mkdirSync(share.at('d'))
    settle()
    assert.deepEqual(supportedScope(disk.directory, ALL), { acls: false, xattrs: [] })
    const hashed = hash(share, 'f')
    assert.equal(hashed.attributes, undefined)
    assert.equal(hashed.attributesFault, undefined)
    const listing = scan(share)
    assert.equal(listing.attributes, undefined)
    assert.equal(listing.childAttributes!.size, 0)
    assert.deepEqual(listing.faults, [])
  } finally {
    mock.restoreAll()
    disk.remove()
  }
})

test(
  'what may not be read is not known',
  { skip: NEEDS_ATTRIBUTES || (process.geteuid?.() !== 0 && 'needs root') },
  withShare((share) => {
    fs.chmodSync(share.root, 0o755)
    fs.mkdirSync(share.at('d'), { mode: 0o300 })
    fs.chownSync(share.at('d'), NOBODY, NOBODY)
    const listing = asNobody(() => scan(share))
    const index = listing.names.indexOf('d')
    assert.equal(listing.status, 'ok')
    assert.equal(listing.childAttributes!.has(index), false)
  }),
)
