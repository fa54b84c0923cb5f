import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseInstanceName } from '../../src/instance/name.js'

const sound: readonly [string, object][] = [
  ['www.conf', { name: 'www' }],
  ['/etc/shoal/mail.virtual.conf', { name: 'mail', user: 'virtual' }],
  ['/etc/btsync/www.www-data.www-data.conf', { name: 'www', user: 'www-data', group: 'www-data' }],
  ['configs.root.root.conf', { name: 'configs', user: 'root', group: 'root' }],
  ['debconf-default.conf', { name: 'debconf-default' }],
  ['Photos_2.conf', { name: 'Photos_2' }],
  ['www.conf.d', { name: 'www' }],
  ['/etc/shoal/www.www-data.adm.conf.d/', { name: 'www', user: 'www-data', group: 'adm' }],
  ['3d.3proxy.conf', { name: '3d', user: '3proxy' }],
  // Not the ending of a folder of parts: a name like any other.
  ['conf.d.conf', { name: 'conf', user: 'd' }],
]

const faults: readonly [string, RegExp][] = [
  ['www.a.b.c.conf', /has 4 parts before .conf, expected NAME.conf, NAME.USER.conf or/],
  ['my.site.a.b.c.conf', /has 5 parts/],
  ['www.Web.conf', /names a user with capital letters.*DAEMON_UID=/],
  ['www.web.Web.conf', /names a group with capital letters.*DAEMON_GID=/],
  ['.conf', /has no name/],
  ['.www.conf', /has no name/],
  ['www..conf', /empty part where a user belongs/],
  ['www.a..conf', /empty part where a group belongs/],
  ['-www.conf', /begins with "-"/],
  ['www.-a.conf', /names a user that begins with "-"/],
  ['www.a.-b.conf', /names a group that begins with "-"/],
  ['www.1000.conf', /a number where a user belongs.*DAEMON_UID=/],
  ['www.a.33.conf', /a number where a group belongs/],
  ['w w.conf', /other characters/],
  ['www.a:b.conf', /user with other characters/],
  ['www.röot.conf', /user with other characters/],
  ['www.root\n.conf', /user with other characters/],
  ['www.conf~', /does not end in .conf/],
  ['www.conf.dpkg-old', /does not end in .conf/],
  ['www.CONF', /does not end in .conf/],
  ['www', /does not end in .conf/],
  ['', /does not end in .conf/],
]

describe('parseInstanceName', () => {
  for (const [path, name] of sound)
    it(`understands ${path}`, () => assert.deepEqual(parseInstanceName(path), { type: 'ok', name }))
  for (const [path, message] of faults)
    it(`refuses ${JSON.stringify(path)}`, () => {
      const parsed = parseInstanceName(path)
      assert.equal(parsed.type, 'failed')
      if (parsed.type === 'failed') {
        assert.match(parsed.message, message)
        assert.match(parsed.message, /^the file name "/)
        assert.doesNotMatch(parsed.message, /\n/)
      }
    })
})
