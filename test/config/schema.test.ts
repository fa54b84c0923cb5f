// The keys of the format: types as loose as in the wild, the three fates, and what is refused as unsafe.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Config, parseConfig } from '../../src/config/config.js'
import { keyRows } from '../../src/config/describe.js'
import { ShoalError } from '../../src/core/error.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'

const W = formatSecret(writeSecretOf(Buffer.alloc(32, 1)))
const FILE = '/etc/shoal/a.conf'

/** A configuration with one share, and more keys at the root and in the share. */
function textOf(root: object = {}, share: object = {}): string {
  return JSON.stringify({
    storage_path: '/var/s',
    shared_folders: [{ secret: W, dir: '/d', ...share }],
    ...root,
  })
}

function configOf(root: object = {}, share: object = {}): Config {
  return parseConfig(textOf(root, share), FILE).config
}

function warningsOf(root: object, share: object = {}): { kind: string; key: string; message: string }[] {
  return parseConfig(textOf(root, share), FILE).warnings.map(({ key, message, isNote, isNotYet }) => ({
    kind: isNote ? 'note' : isNotYet ? 'not yet' : 'warning',
    key,
    message,
  }))
}

function refusal(root: object, share: object = {}): string {
  try {
    parseConfig(textOf(root, share), FILE)
  } catch (error) {
    assert.ok(error instanceof ShoalError, String(error))
    for (const line of error.message.split('\n')) assert.match(line, /^\/etc\/shoal\/a\.conf:1:\d+: /)
    return error.message.replace(/^\/etc\/shoal\/a\.conf:1:\d+: /gm, '')
  }
  assert.fail(`was accepted: ${JSON.stringify(root)} ${JSON.stringify(share)}`)
}

describe('values', () => {
  it('numbers may be texts of digits, flags "true", 1 or "1"', () => {
    for (const number of [3, '3']) {
      const config = configOf({
        sync_trash_ttl: number,
        max_file_size_for_versioning: number,
        sync_max_time_diff: number,
        log_size: number,
        peer_expiration_days: number,
        download_limit: number,
        upload_limit: number,
        folder_rescan_interval: number,
      })
      assert.equal(config.trashTtlDays, 3)
      assert.equal(config.maxVersionedBytes, 3 * 2 ** 20)
      assert.equal(config.maxTimeDiffMs, 3000)
      assert.equal(config.logBytes, 3 * 2 ** 20)
      assert.equal(config.peerExpirationDays, 3)
      assert.deepEqual([config.downloadLimit, config.uploadLimit], [3072, 3072])
      assert.equal(config.rescanIntervalMs, 3000)
    }
    for (const [value, meant] of [
      [true, true],
      ['true', true],
      [1, true],
      ['1', true],
      [false, false],
      ['false', false],
      [0, false],
      ['0', false],
    ] as const) {
      const config = configOf({ disk_low_priority: value }, { use_relay_server: value, search_lan: value })
      assert.equal(config.diskLowPriority, meant)
      assert.deepEqual([config.shares[0]!.useRelay, config.shares[0]!.searchLan], [meant, meant])
    }
  })

  it('relative paths are relative to the file', () => {
    assert.equal(configOf({ pid_file: 'a.pid' }).pidFile, '/etc/shoal/a.pid')
    assert.equal(configOf({ pid_file: '/run/a.pid' }).pidFile, '/run/a.pid')
  })

  it('known_hosts may be one text with commas', () => {
    const hosts = ['a.example:1', '[::1]:2']
    assert.deepEqual(configOf({}, { known_hosts: 'a.example:1, [::1]:2,' }).shares[0]!.knownHosts, hosts)
    assert.deepEqual(configOf({}, { known_hosts: '' }).shares[0]!.knownHosts, [])
    assert.match(
      refusal({}, { known_hosts: 'a:1,b' }),
      /known_hosts\[1\]: is a text of 1 character, expected "host:port"/,
    )
  })

  const wrong: [object, RegExp][] = [
    [{ sync_trash_ttl: -1 }, /^sync_trash_ttl: is -1, expected days from 1 to 36500, or 0 for ever$/],
    [{ sync_trash_ttl: 1.5 }, /^sync_trash_ttl: is 1.5, expected days/],
    [{ sync_trash_ttl: 1e300 }, /^sync_trash_ttl: is 1e\+300, expected days from 1 to 36500, or 0 for ever$/],
    [{ max_file_size_for_versioning: 0 }, /: is 0, expected MB from 1 .*"use_sync_trash": false$/],
    [{ download_limit: '9999999999999999' }, /is a text of 16 characters, expected kB\/s/],
    [{ upload_limit: null }, /is null, expected kB\/s/],
    [{ check_for_updates: 'yes' }, /^check_for_updates: is a text of 3 characters, expected true or false$/],
    [{ webui: [] }, /^webui: is a list, expected an object in braces$/],
    [
      { webui: { dir_whitelist: 'x' } },
      /^webui.dir_whitelist: is a text of 1 character, expected a list of paths$/,
    ],
    [{ folder_defaults: { use_dht: {} } }, /^folder_defaults.use_dht: is an object, expected true or false$/],
    [{ 'folder_defaults.use_dht': 2 }, /^folder_defaults.use_dht: is 2, expected true or false$/],
    [{ storage_path: '/a\u0000b' }, /^storage_path: is a text of 4 characters, expected a path$/],
    [{ pid_file: '/a\ud800' }, /^pid_file: is a text of 3 characters, expected a path$/],
  ]
  for (const [root, says] of wrong)
    it(`refuses ${JSON.stringify(root)}`, () => assert.match(refusal(root), says))

  it('an infinite number is refused with its place', () => {
    assert.throws(
      () => parseConfig('{"storage_path": "/s", "log_size": 1e999}', FILE),
      /:1:36: log_size: is Infinity, expected MB/,
    )
  })
})

describe('folder_defaults', () => {
  const others = {
    use_lan_broadcast: false,
    use_dht: 'true',
    delete_to_trash: 0,
    use_relay: false,
    known_hosts: 'a:1',
  }
  const picked = (config: Config): unknown => {
    const { searchLan, useDht, useSyncTrash, useRelay, knownHosts } = config.shares[0]!
    return { searchLan, useDht, useSyncTrash, useRelay, knownHosts }
  }
  const meant = { searchLan: false, useDht: true, useSyncTrash: false, useRelay: false, knownHosts: ['a:1'] }

  it('are what shares have that leave a key out, nested or with a dot', () => {
    assert.deepEqual(picked(configOf({ folder_defaults: others })), meant)
    const dotted = Object.fromEntries(
      Object.entries(others).map(([key, value]) => [`folder_defaults.${key}`, value]),
    )
    assert.deepEqual(picked(configOf(dotted)), meant)
  })

  it('give way to the keys of the share', () => {
    const share = {
      search_lan: true,
      use_dht: false,
      use_sync_trash: true,
      use_relay_server: true,
      known_hosts: [],
    }
    const own = { searchLan: true, useDht: false, useSyncTrash: true, useRelay: true, knownHosts: [] }
    assert.deepEqual(picked(configOf({ folder_defaults: others }, share)), own)
  })

  it('cannot be given both ways', () => {
    const message = refusal({ folder_defaults: { use_dht: true }, 'folder_defaults.use_dht': false })
    assert.equal(
      message,
      'folder_defaults.use_dht: is given twice, also within folder_defaults; expected once',
    )
  })
})

describe('fates', () => {
  it('what cannot be done yet is a warning only where it is asked for', () => {
    const asks = {
      directory_root: '/srv',
      directory_root_policy: 'belowroot',
      disk_min_free_space_gb: 1,
    }
    const warnings = warningsOf(asks, { selective_sync: 1 })
    assert.deepEqual(new Set(warnings.map(({ kind }) => kind)), new Set(['not yet']))
    assert.deepEqual(
      warnings.map(({ key }) => key),
      ['shared_folders[0].selective_sync', ...Object.keys(asks)],
    )
    for (const { message } of warnings)
      assert.match(message, /^is not honoured yet by this version and has no effect: [^`]+$/)
    const asksNothing = {
      proxy_type: 'none',
      proxy_auth: false,
      webui: {},
      directory_root: '/',
      directory_root_policy: 'all',
      disk_min_free_space_gb: 0,
    }
    assert.deepEqual(warningsOf(asksNothing, { selective_sync: false }), [])
  })

  it('what has nothing left to do is accepted with one line', () => {
    const keys = {
      check_for_updates: false,
      display_new_version: false,
      vendor: 'tuxpoldo',
      lan_encrypt_data: 'false',
      lan_use_tcp: true,
      max_file_size_diff_for_patching: '1000',
      send_buf_size: 5,
      recv_buf_size: 5,
      config_refresh_interval: 3600,
      profiler_enabled: false,
      use_gui: false,
      send_statistics: false,
    }
    const notes = warningsOf(keys, { use_tracker: true })
    assert.deepEqual(new Set(notes.map(({ kind }) => kind)), new Set(['note']))
    assert.deepEqual(
      notes.map(({ key }) => key),
      ['shared_folders[0].use_tracker', ...Object.keys(keys)],
    )
    for (const { message } of notes) assert.match(message, /^has nothing left to do: [^`]+$/)
    assert.deepEqual(warningsOf({ $schema: 'shoal.schema.json' }, { use_tracker: false }), [])
  })

  it('every key that the issue and the old samples name is in the schema', () => {
    const rows = new Map(keyRows().map((row) => [`${row.section}.${row.key}`, row]))
    const root = `device_name listening_port storage_path pid_file check_for_updates use_upnp external_port download_limit
      upload_limit proxy_type proxy_addr proxy_port proxy_auth proxy_username proxy_password directory_root
      directory_root_policy webui folder_defaults lan_encrypt_data lan_use_tcp rate_limit_local_peers
      folder_rescan_interval sync_trash_ttl sync_max_time_diff disk_low_priority max_file_size_for_versioning
      max_file_size_diff_for_patching send_buf_size recv_buf_size log_size peer_expiration_days display_new_version
      vendor use_gui shared_folders bootstrap dht_node relays interfaces listen_host`
    const webui = `listen login password password_hash api_key allow_empty_password force_https ssl_certificate
      ssl_private_key dir_whitelist`
    const share = `secret dir use_relay_server use_tracker use_dht search_lan use_sync_trash overwrite_changes sparse padding
      selective_sync known_hosts drift hard_links`
    const defaults =
      'use_relay use_tracker use_dht use_lan_broadcast delete_to_trash known_hosts lan_discovery_mode'
    for (const [section, names] of Object.entries({
      root,
      webui,
      shared_folders: share,
      folder_defaults: defaults,
    }))
      for (const name of names.split(/\s+/)) assert.ok(rows.has(`${section}.${name}`), `${section}.${name}`)
    for (const row of rows.values()) {
      assert.ok(row.text.length > 3 && !row.text.includes('\n') && !row.text.endsWith('.'), row.key)
      assert.ok(row.default.length > 0, row.key)
    }
  })
})

describe('what is unsafe', () => {
  const unsafe: [string, object, RegExp][] = [
    ['the root as storage', { storage_path: '/' }, /^storage_path: is "\/", expected a folder of its own/m],
    [
      'anyone let in',
      { webui: { allow_empty_password: 'true' } },
      /^webui.allow_empty_password: would let anyone in, expected false/,
    ],
    [
      'a web interface for all',
      { webui: { listen: '0.0.0.0:8888' } },
      /^webui.listen: would open .* without a login, expected "login"/,
    ],
    ['one on a port alone', { webui: { listen: ':8888' } }, /^webui.listen/],
    ['one on IPv6', { webui: { listen: '[::]:8888' } }, /^webui.listen/],
    ['one with half a login', { webui: { listen: '192.0.2.1:8888', login: 'a' } }, /^webui.listen/],
    [
      'one with an empty password',
      { webui: { listen: '192.0.2.1:8888', login: 'a', password: '' } },
      /^webui.listen/,
    ],
    [
      'a pid file in a share',
      { pid_file: '/d/x.pid' },
      /^pid_file: lies in the folder of shared_folders\[0\]/,
    ],
    ['the configuration as pid file', { pid_file: FILE }, /^pid_file: is this configuration file/],
    ['the storage as pid file', { pid_file: '/var/s' }, /^pid_file: is storage_path/],
  ]
  for (const [name, root, says] of unsafe) it(`refuses ${name}`, () => assert.match(refusal(root), says))

  it('refuses a secret file as pid file', () => {
    const message = refusal({ pid_file: '/k' }, { secret: { file: '/k' } })
    assert.equal(message, 'pid_file: is the secret file of shared_folders[0], expected a file of its own')
  })
})

describe('messages', () => {
  it('no key shows a secret, whole or damaged', () => {
    const old = 'AFIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJEN'
    for (const key of [W, W.slice(6), W.slice(0, 30), old, old.slice(1), old.slice(0, 20), `${old}X`]) {
      const twice = `{"storage_path": "/s", "${key}": 1, "${key}": 2}`
      const once = `{"storage_path": "/s", "${key}": 1}`
      let said = ''
      assert.throws(
        () => parseConfig(twice, FILE),
        ({ message }: Error) => {
          said += message
          return message.includes('is given twice')
        },
      )
      for (const { text, key: shown } of parseConfig(once, FILE).warnings) said += text + shown
      for (let at = 0; at + 12 <= key.length; at++)
        if (!key.slice(at, at + 12).startsWith('shoal'))
          assert.ok(!said.includes(key.slice(at, at + 12)), said)
    }
  })

  it('of very many problems the first are told, and how many more there are', () => {
    const text = `{"storage_path": "/s", "shared_folders": [\n${'1,\n'.repeat(200_000)}1]}`
    assert.throws(
      () => parseConfig(text, FILE),
      ({ message }: Error) => {
        const lines = message.split('\n')
        assert.equal(lines.length, 101)
        assert.match(
          lines[99]!,
          /^\/etc\/shoal\/a\.conf:101:1: shared_folders\[99\]: is 1, expected an object/,
        )
        assert.equal(lines[100], `${FILE}:102:1: and 199901 more from here on`)
        return true
      },
    )
  })

  it('a key with a line break stays in its line', () => {
    const [warning] = parseConfig('{"storage_path": "/s", "a\\nb": 1, "dht_node": 1}', FILE).warnings
    assert.equal(warning?.text, `${FILE}:1:24: a\\nb: is not a key of this place and has no effect`)
  })
})
