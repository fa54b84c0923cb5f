import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ShoalError } from '../../src/core/error.js'
import { fileLookup, systemAccounts } from '../../src/instance/accounts.js'
import { glance } from '../../src/instance/glance.js'
import { type Instance, resolveInstance, type Starter } from '../../src/instance/resolve.js'

const PASSWD = `root:x:0:0:root:/root:/bin/bash
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
virtual:x:5000:5001::/var/mail:/bin/false
Web:x:1001:1001::/home/Web:/bin/sh
broken:x::1::/:/bin/sh
`
const GROUP = 'root:x:0:\nwww-data:x:33:\nadm:x:4:virtual\nvmail:x:5001:\n'

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'shoal-accounts-'))
  writeFileSync(join(folder, 'passwd'), PASSWD)
  writeFileSync(join(folder, 'group'), GROUP)
})
after(() => rmSync(folder, { recursive: true }))

const ROOT: Starter = { uid: 0, gid: 0 }
const accounts = (): ReturnType<typeof systemAccounts> => systemAccounts(fileLookup(folder))
const resolved = (path: string, text = '{}', starter = ROOT): Instance =>
  resolveInstance(path, text, accounts(), starter)

/** "user:group user-from group-from" */
function who(path: string, text = '{}', starter = ROOT): string {
  const { user, uid, group, gid, userFrom, groupFrom } = resolved(path, text, starter)
  return `${user}=${uid}:${group}=${gid} ${userFrom} ${groupFrom}`
}

function complaint(path: string, text = '{}'): string {
  try {
    resolved(path, text)
  } catch (error) {
    assert.ok(error instanceof ShoalError, String(error))
    assert.equal(error.code, 'CONFIG_INVALID')
    return error.message
  }
  assert.fail('it was accepted')
}

describe('resolveInstance', () => {
  it('finds the users of names', () => {
    assert.equal(who('/etc/shoal/www.conf'), 'root=0:root=0 starter user')
    assert.equal(who('mail.virtual.conf'), 'virtual=5000:vmail=5001 name user')
    assert.equal(who('mail.virtual.adm.conf'), 'virtual=5000:adm=4 name name')
    assert.equal(who('configs.root.root.conf'), 'root=0:root=0 name name')
  })

  it('lets tags beat the name', () => {
    assert.equal(who('www.www-data.conf', '// DAEMON_UID=virtual'), 'virtual=5000:vmail=5001 tag user')
    assert.equal(who('www.conf', '// DAEMON_UID=5000\n// DAEMON_GID=4'), 'virtual=5000:adm=4 tag tag')
    assert.equal(who('www.conf', '// DAEMON_UID=Web'), 'Web=1001:1001=1001 tag user')
    assert.equal(who('www.virtual.conf', '// DAEMON_UID=root'), 'root=0:root=0 tag user')
  })

  it('sees a group without a user, which the old scripts did not', () => {
    assert.equal(who('www.conf', '// DAEMON_GID=adm'), 'root=0:adm=4 starter tag')
    assert.equal(who('www.www-data.conf', '// DAEMON_GID=adm'), 'www-data=33:adm=4 name tag')
  })

  it('gives the group of a name to no other user', () => {
    assert.equal(who('www.virtual.adm.conf', '// DAEMON_UID=www-data'), 'www-data=33:www-data=33 tag user')
  })

  it('is the starter where nothing says otherwise, with an account or without', () => {
    assert.equal(who('a.conf', '{}', { uid: 33, gid: 4 }), 'www-data=33:adm=4 starter user')
    assert.equal(who('a.conf', '{}', { uid: 12345, gid: 6789 }), '12345=12345:6789=6789 starter user')
  })

  it('takes files of other endings as the starter, if nothing in the name could mean a user', () => {
    assert.equal(who('shoal.json'), 'root=0:root=0 starter user')
    assert.equal(who('shoal'), 'root=0:root=0 starter user')
    for (const path of ['www.www-data.json', 'www.www-data.conf~', 'www.conf.bak'])
      assert.match(complaint(path), /does not end in .conf, expected NAME.conf, NAME.USER.conf/)
  })

  it('passes on the other tags', () => {
    const text = '// DAEMON_UMASK=027\n// DAEMON_NICE=3\n// DAEMON_BIND=10.0.0.1\n// DAEMON_DEBUG=0000'
    const { name, umask, nice, bind, notes } = resolved('www.conf', text)
    assert.deepEqual({ name, umask, nice, bind }, { name: 'www', umask: 0o027, nice: 3, bind: '10.0.0.1' })
    assert.deepEqual(
      notes.map(({ key }) => key),
      ['DAEMON_DEBUG'],
    )
  })

  it('refuses a user or a group that does not exist, with its place', () => {
    assert.equal(
      complaint('www.nosuch.conf'),
      'www.nosuch.conf:1:1: file name: there is no user "nosuch" on this machine',
    )
    assert.equal(
      complaint('www.www-data.nosuch.conf'),
      'www.www-data.nosuch.conf:1:1: file name: there is no group "nosuch" on this machine',
    )
    assert.equal(
      complaint('www.conf', '{}\n// DAEMON_UID=WWW-DATA\n // DAEMON_GID=99'),
      'www.conf:2:4: DAEMON_UID: there is no user "WWW-DATA" on this machine\n' +
        'www.conf:3:5: DAEMON_GID: there is no group "99" on this machine',
    )
    assert.match(complaint('www.Web.conf'), /names a user with capital letters/)
    assert.match(complaint('www.a.b.c.conf'), /has 4 parts/)
    assert.match(complaint('www.conf', '// DAEMON_NICE=99'), /^www.conf:1:4: DAEMON_NICE: /)
  })

  it('never takes an entry without a number for root', () => {
    assert.throws(() => resolved('www.broken.conf'), { code: 'IO' })
  })
})

describe('systemAccounts', () => {
  it('finds root by name and by number', () => {
    const system = systemAccounts()
    assert.equal(system.user('root')?.uid, 0)
    assert.equal(system.user('0')?.name, 'root')
    assert.equal(system.group('0')?.gid, 0)
    assert.equal(system.user('no-such-user-here'), undefined)
    assert.equal(system.group('4294967290'), undefined)
  })

  it('does not believe an answer for another name', () => {
    const lax = systemAccounts(() => ['root', 'x', '0', '0', '', '/root'])
    assert.equal(lax.user('ROOT'), undefined)
    assert.equal(lax.user('7'), undefined)
    assert.equal(lax.user('root')?.uid, 0)
  })
})

describe('glance', () => {
  it('sees the storage path and whether there is a secret, at any depth', () => {
    const at = (text: string): object => glance(text, '/etc/shoal/a.conf')
    assert.deepEqual(at('{"storage_path": "s"}'), { storagePath: '/etc/shoal/s', holdsSecret: false })
    assert.deepEqual(at('{"shared_folders": [{"secret": "x"}]}'), { holdsSecret: true })
    assert.deepEqual(at('{"shared_folders": [{"secret": {"file": "x"}}]}'), { holdsSecret: false })
    assert.deepEqual(at('{"webui": {"password": "x"}}'), { holdsSecret: true })
    assert.deepEqual(at('{"webui": {"password": ""}, "storage_path": 3}'), { holdsSecret: false })
    assert.deepEqual(at('{"storage_path": "a\\u0000"}'), { holdsSecret: false })
  })

  it('throws at no text', () => {
    for (const text of ['', '{', '[]', 'null', '"x"', '['.repeat(100_000), '{"a":'.repeat(3000)])
      assert.deepEqual(glance(text, '/a.conf'), { holdsSecret: false })
    for (const depth of [1000, 2000, 4000, 8000])
      glance(`${'['.repeat(depth)}1${']'.repeat(depth)}`, '/a.conf')
  })
})
