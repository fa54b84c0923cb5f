// The configurations that `shoal share` and `shoal join` write read back as what was asked for, without a warning, and
// where they go unless told.
import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseConfig } from '../../src/config/config.js'
import { type NewConfig, nameOfFolder, newConfigText } from '../../src/config/new-config.js'
import { configFolderOf, configFoldersOf, stateFolderOf } from '../../src/config/places.js'
import { deriveSecret, formatSecret, type Secret, writeSecretOf } from '../../src/core/secret.js'

const write = writeSecretOf(Buffer.alloc(32, 1))

function configWith(changes: Partial<NewConfig>): NewConfig {
  return {
    name: 'photos',
    madeBy: 'share',
    secret: write,
    dir: '/srv/photos',
    storagePath: '/var/lib/shoal/photos',
    port: 0,
    knownHosts: [],
    bootstrap: [],
    searchLan: true,
    ...changes,
  }
}

describe('newConfigText', () => {
  it('reads back as what was asked for, whatever the paths and addresses', () => {
    const path = fc
      .array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 4 })
      .map((parts) => `/p${parts.join('/').replaceAll('\0', '')}`)
      .filter((text) => text.isWellFormed())
    const host = fc.constantFrom('10.0.0.1:44444', 'nas.example:1', '[fe80::1]:65535')
    fc.assert(
      fc.property(
        path,
        fc.nat(65_535),
        fc.array(host),
        fc.array(host),
        (dir, port, knownHosts, bootstrap) => {
          const text = newConfigText(configWith({ dir, port, knownHosts, bootstrap }))
          const { config, warnings } = parseConfig(text, '/etc/shoal/photos.conf')
          assert.deepEqual(warnings, [])
          const [share] = config.shares
          assert.deepEqual(
            [config.listeningPort, config.bootstrap],
            [port, bootstrap.length === 0 ? 'public' : bootstrap],
          )
          assert.deepEqual(
            [share?.knownHosts, share?.useDht, share?.searchLan],
            [knownHosts, bootstrap.length > 0, true],
          )
          assert.equal(share?.dir, resolve(dir))
          assert.equal(formatSecret(share.secret as Secret), formatSecret(write))
        },
      ),
    )
  })

  it('has a proxy and relays as keys that read back, the login as well', () => {
    const place = { type: 'http_connect', host: 'fd00::1', port: 3128 } as const
    for (const proxy of [
      { ...place, allowsDirect: false },
      { ...place, username: 'a "b"', password: '\\ "', allowsDirect: true },
      { ...place, type: 'socks4', username: 'a', password: '', allowsDirect: false } as const,
    ]) {
      const relays = ['relay.example:22020', '[fd00::2]:1']
      const text = newConfigText(configWith({ madeBy: 'join', proxy, relays }))
      const { config, warnings } = parseConfig(text, '/etc/shoal/photos.conf')
      assert.deepEqual(warnings, [])
      assert.deepEqual([config.proxy, config.relays], [proxy, relays])
      assert.equal(config.shares[0]?.useRelay, true)
    }
  })

  it('says of a read secret what it grants', () => {
    const text = newConfigText(configWith({ secret: deriveSecret(write, 'read'), madeBy: 'join' }))
    assert.match(text, /made by "shoal join"/)
    assert.match(text, /A read secret: whoever has it can read everything/)
  })
})

describe('nameOfFolder', () => {
  for (const [dir, name] of [
    ['/srv/www', 'www'],
    ['/home/ann/My Photos (2026)', 'my-photos-2026'],
    ['/srv/www.example.org', 'www-example-org'],
    ['/srv/Übersicht', 'ubersicht'],
    ['/srv/--x', 'x'],
    ['/srv/日本', ''],
    ['/', ''],
    [`/srv/${'x'.repeat(100)}`, 'x'.repeat(64)],
  ] as const)
    it(`${dir}: ${name}`, () => assert.equal(nameOfFolder(dir), name))
})

describe('places', () => {
  const home = '/home/ann'
  it("are the system's for root, whatever its environment", () => {
    const root = { uid: 0, home: '/root', env: { XDG_CONFIG_HOME: '/x' } }
    assert.deepEqual([configFolderOf(root), stateFolderOf(root)], ['/etc/shoal', '/var/lib/shoal'])
    assert.deepEqual(configFoldersOf(root), ['/etc/shoal'])
  })
  it('are those of XDG for a user, relative ones aside', () => {
    const plain = { uid: 1000, home, env: { XDG_CONFIG_HOME: 'relative', XDG_STATE_HOME: '' } }
    assert.deepEqual(
      [configFolderOf(plain), stateFolderOf(plain)],
      ['/home/ann/.config/shoal', '/home/ann/.local/state/shoal'],
    )
    assert.deepEqual(configFoldersOf(plain), ['/etc/shoal', '/home/ann/.config/shoal'])
    const moved = { uid: 1000, home, env: { XDG_CONFIG_HOME: '/c', XDG_STATE_HOME: '/s' } }
    assert.deepEqual([configFolderOf(moved), stateFolderOf(moved)], ['/c/shoal', '/s/shoal'])
  })
})
