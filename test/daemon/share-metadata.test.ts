import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseConfig } from '../../src/config/config.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { metadataFor } from '../../src/daemon/share-metadata.js'
import { accountsOf } from '../support/metadata.js'

const ROOT = { isRoot: true, mayChown: true }
const USER = { isRoot: false, mayChown: false }
const secret = formatSecret(writeSecretOf(Buffer.alloc(32, 7)))

function rulesOf(share: object, who = ROOT, root: object = {}) {
  const text = JSON.stringify({
    storage_path: '/s',
    ...root,
    shared_folders: [{ secret, dir: '/d', ...share }],
  })
  const metadata = metadataFor(parseConfig(text, '/etc/a.conf').config.shares[0]!, accountsOf({}), who)
  return { ...metadata.rules, ...metadata.mapping.rules }
}

describe('what a share carries of metadata', () => {
  it('by who runs it', () => {
    const off = { acls: false, xattrs: [] }
    const asRoot = { owners: true, mayChown: true, scope: { ...off, acls: true }, withholdsSetid: true }
    assert.deepEqual(rulesOf({}), { ...asRoot, by: 'name', map: {} })
    const asUser = { owners: false, mayChown: false, scope: off, withholdsSetid: false }
    assert.deepEqual(rulesOf({}, USER), { ...asUser, by: 'name', map: {} })
  })

  it('as it is told', () => {
    const told = { owners: 'number', acls: 'false', xattrs: ['user.*'], owner_map: { alice: 'www-data' } }
    const { owners, scope, by, map } = rulesOf(told)
    assert.deepEqual(
      [owners, scope, by, map],
      [true, { acls: false, xattrs: ['user.*'] }, 'number', told.owner_map],
    )
    assert.equal(rulesOf({ owners: 'ignore' }).owners, false)
    assert.equal(rulesOf({ owners: 'name' }, USER).owners, true)
  })

  it('as folder_defaults say where the share does not', () => {
    const root = {
      folder_defaults: { owners: 'ignore', acls: false, xattrs: ['user.a'] },
      'folder_defaults.owner_map': { a: 'b' },
    }
    const { owners, scope, map } = rulesOf({ acls: true }, ROOT, root)
    assert.deepEqual([owners, scope, map], [false, { acls: true, xattrs: ['user.a'] }, { a: 'b' }])
  })

  it('what is wrong is said with its place', () => {
    const wrong = [
      [
        { owners: 'names' },
        /shared_folders\[0\]\.owners: is a text of 5 characters, expected "name", "number" or "ignore"/,
      ],
      [{ owner_map: { alice: '' } }, /shared_folders\[0\]\.owner_map\.alice/],
      [{ owner_map: ['alice'] }, /owner_map: is a list, expected an object of names/],
      [
        { xattrs: ['security.*'] },
        /xattrs\[0\]: is a text of 10 characters, expected a pattern like "user\.\*"/,
      ],
      [{ xattrs: 'user.*' }, /xattrs: is a text of 6 characters, expected a list of patterns/],
    ] as const
    for (const [share, message] of wrong) assert.throws(() => rulesOf(share), message)
  })
})
