import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { parseConfig } from '../../src/config/config.js'
import { loadSecrets, readConfig } from '../../src/config/secrets.js'
import { ShoalError } from '../../src/core/error.js'
import { deriveSecret, formatSecret, writeSecretOf } from '../../src/core/secret.js'

const write = writeSecretOf(Buffer.alloc(32, 1))
const other = writeSecretOf(Buffer.alloc(32, 2))
const W = formatSecret(write)
const W2 = formatSecret(other)
const R = formatSecret(deriveSecret(write, 'read'))
const B = formatSecret(deriveSecret(write, 'blind'))

/** The message of the error that the text must give, without the file name that begins each line. */
function complaint(text: string, code = 'CONFIG_INVALID'): string {
  try {
    parseConfig(text, '/etc/shoal.conf')
  } catch (error) {
    assert.ok(error instanceof ShoalError, String(error))
    assert.equal(error.code, code)
    return error.message.replace(/^\/etc\/shoal\.conf:/gm, '')
  }
  assert.fail('the text was accepted')
}

function warningsOf(text: string): string[] {
  return parseConfig(text, '/etc/shoal.conf').warnings.map((warning) =>
    warning.text.replace(/^\/etc\/shoal\.conf:/, ''),
  )
}

const one = (share: string): string =>
  `{"storage_path": "/var/s", "shared_folders": [{"secret": "${W}", "dir": "/d"${share}}]}`

describe('parseConfig', () => {
  it('fills in the defaults', () => {
    const { config, warnings } = parseConfig(one(''), '/etc/shoal.conf')
    assert.deepEqual(warnings, [])
    assert.deepEqual(config, {
      fileName: '/etc/shoal.conf',
      deviceName: hostname(),
      listeningPort: 0,
      storagePath: '/var/s',
      bootstrap: 'public',
      dhtNode: false,
      useUpnp: false,
      externalPort: 0,
      relays: [],
      rescanIntervalMs: 600_000,
      trashTtlDays: 30,
      maxTimeDiffMs: 600_000,
      diskLowPriority: true,
      logBytes: 10 * 2 ** 20,
      peerExpirationDays: 0,
      downloadLimit: 0,
      uploadLimit: 0,
      limits: [],
      rateLimitLocalPeers: false,
      folderDefaults: {},
      shares: [
        {
          secret: write,
          dir: '/d',
          knownHosts: [],
          searchLan: true,
          useDht: false,
          useSyncTrash: true,
          ...{ downloadLimit: 0, uploadLimit: 0, limits: [] },
          overwriteChanges: false,
          followsReleases: false,
          isOffsite: false,
          hardLinks: true,
          drift: [],
          onChange: [],
          sparse: true,
          scrubEveryMs: 0,
          useRelay: true,
          position: { line: 1, column: 47 },
        },
      ],
    })
  })

  it('reads a file of BitTorrent Sync as it is found in the wild (K3)', () => {
    const text = `//!/usr/lib/btsync/btsync-daemon --config
{
  /* loose types */
  "device_name": "My Sync Device", "listening_port": "44444",
  "storage_path" : "store", // beside this file
  "check_for_updates": true, "use_upnp": 1,
  "folder_rescan_interval": "86400", "sync_trash_ttl": 30,
  "shared_folders": [{
    "secret": "AFIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJEN",
    "dir": "photos",
    "use_relay_server": true, "use_tracker": true,
    "use_dht": "false", "search_lan": 0, "use_sync_trash": "true", "overwrite_changes": 1,
    "known_hosts": ["192.168.1.2:44444", "host.example:1", "[fe80::1]:65535"]
  }]
}
`
    const { config, warnings } = parseConfig(text, '/etc/sync/a.conf')
    assert.equal(config.listeningPort, 44444)
    assert.equal(config.storagePath, '/etc/sync/store')
    assert.equal(config.rescanIntervalMs, 86_400_000)
    const [share] = config.shares
    assert.equal(share?.dir, '/etc/sync/photos')
    assert.ok(share !== undefined && 'grade' in share.secret && share.secret.grade === 'write')
    assert.deepEqual(
      [share.useDht, share.searchLan, share.useSyncTrash, share.overwriteChanges, share.sparse],
      [false, false, true, true, true],
    )
    assert.equal(share.knownHosts.length, 3)
    assert.deepEqual(
      warnings.map(
        ({ isNote, text }) => `${isNote ? 'note' : 'warning'} ${text.replace('/etc/sync/a.conf:', '')}`,
      ),
      [
        'note 6:3: check_for_updates: has nothing left to do: Shoal never looks for updates; the package manager does',
        'note 11:25: shared_folders[0].use_relay_server: has no effect without "relays": one of two devices must be able to reach the other',
        'note 11:31: shared_folders[0].use_tracker: has nothing left to do: there is no tracker; devices find each other by known_hosts, search_lan and use_dht',
        'note 12:89: shared_folders[0].overwrite_changes: has no effect with a write secret: changes made here are sent',
      ],
    )
  })

  it('takes every key of this version', () => {
    const text = `{"device_name": "a", "listening_port": 1, "listen_host": "127.0.0.1", "storage_path": "/s",
      "folder_rescan_interval": 0, "bootstrap": ["127.0.0.1:1"], "dht_node": "1", "interfaces": ["lo"],
      "shared_folders": [{"secret": {"file": "keys/a"}, "dir": "/a", "use_dht": true}]}`
    const { config, warnings } = parseConfig(text, '/etc/shoal.conf')
    assert.deepEqual(warnings, [])
    assert.equal(config.listenHost, '127.0.0.1')
    assert.deepEqual(config.interfaces, ['lo'])
    assert.equal(config.dhtNode, true)
    assert.equal(config.rescanIntervalMs, 0)
    assert.deepEqual(config.shares[0]?.secret, { file: '/etc/keys/a' })
  })

  const complaints: { name: string; text: string; says: string | RegExp; code?: string }[] = [
    { name: 'an empty file', text: '', says: '1:1: the file ends where a value was expected' },
    { name: 'only a comment', text: '// x\n', says: '2:1: the file ends where a value was expected' },
    { name: 'a list', text: '[]', says: '1:1: is a list, expected an object in braces' },
    {
      name: 'a comma too many in an object',
      text: '{\n  "storage_path": "/s",\n}',
      says: '3:1: a comma before "}", expected no comma after the last entry',
    },
    {
      name: 'a comma too many in a list',
      text: '{"storage_path": "/s", "bootstrap": ["a:1",]}',
      says: '1:44: a value is missing before "]", expected no comma after the last entry',
    },
    {
      name: 'a comma too few',
      text: '{"storage_path": "/s"\n "dht_node": true}',
      says: '2:2: expected a comma after the entry before',
    },
    {
      name: 'single quotes',
      text: "{'storage_path': 1}",
      says: '1:2: this is not JSON, expected texts and keys in double quotes',
    },
    {
      name: 'a comment without an end',
      text: '{}\n/* x',
      says: '2:1: the comment has no end, expected "*/"',
    },
    {
      name: 'a text without an end',
      text: '{"storage_path": "/s\n}',
      says: /^1:18: the text has no end, expected a closing double quote/,
    },
    { name: 'something after the end', text: '{"storage_path": "/s"} }', says: /^1:24: something follows/ },
    {
      name: 'a key twice',
      text: '{"storage_path": "/s",\n "storage_path": "/t"}',
      says: '2:2: storage_path: is given twice, first in line 1; expected once',
    },
    {
      name: 'deep nesting',
      text: '['.repeat(300_000),
      says: '1:65: lists and objects are nested too deeply',
    },
    { name: 'no storage_path', text: '{}', says: '1:1: storage_path: is missing, expected a path' },
    {
      name: 'everything at once, in the order of the file',
      text: `{
  "listening_port": 70000,
  "storage_path": "",
  "listen_host": "localhost",
  "folder_rescan_interval": "soon",
  "dht_node": "yes",
  "bootstrap": "a:1",
  "shared_folders": [
    {"dir": 5, "known_hosts": ["a", "b:0", "::1:5", "b:65536", "a/b:1", 7]},
    3
  ]
}`,
      says: `2:21: listening_port: is 70000, expected a port from 1 to 65535, or 0 for any free one
3:19: storage_path: is an empty text, expected a path
4:18: listen_host: is a text of 9 characters, expected an IP address
5:29: folder_rescan_interval: is a text of 4 characters, expected seconds from 1 to 999999, or 0 for never
6:15: dht_node: is a text of 3 characters, expected true or false
7:16: bootstrap: is a text of 3 characters, expected a list of "host:port"
9:5: shared_folders[0].secret: is missing, expected a secret, or {"file": "path of a file that holds it"}
9:13: shared_folders[0].dir: is 5, expected a path
9:32: shared_folders[0].known_hosts[0]: is a text of 1 character, expected "host:port" or "[IPv6]:port"
9:37: shared_folders[0].known_hosts[1]: is a text of 3 characters, expected "host:port" or "[IPv6]:port"
9:44: shared_folders[0].known_hosts[2]: is a text of 5 characters, expected "host:port" or "[IPv6]:port"
9:53: shared_folders[0].known_hosts[3]: is a text of 7 characters, expected "host:port" or "[IPv6]:port"
9:64: shared_folders[0].known_hosts[4]: is a text of 5 characters, expected "host:port" or "[IPv6]:port"
9:73: shared_folders[0].known_hosts[5]: is 7, expected "host:port" or "[IPv6]:port"
10:5: shared_folders[1]: is 3, expected an object with "secret" and "dir"`,
    },
    {
      name: 'an empty secret and an empty secret file',
      text: '{"storage_path": "/s", "shared_folders": [{"secret": "", "dir": "/a"}, {"secret": {"file": ""}, "dir": "/b"}]}',
      says: `1:54: shared_folders[0].secret: is an empty text, expected a secret
1:92: shared_folders[1].secret.file: is an empty text, expected a path`,
    },
    {
      name: 'a name that is too long or has a control character',
      text: `{"storage_path": "/s", "device_name": "a\\u0007"}`,
      says: /device_name: is a text of 2 characters, expected a text of 1 to 64 bytes without control/,
    },
    {
      name: 'a wrong secret, without any of its text',
      text: one('').replace(W, `${W.slice(0, -1)}q`),
      says: '1:58: shared_folders[0].secret: a write secret with a wrong character in it: its checksum does not match',
    },
    {
      name: 'a BitTorrent Sync secret that cannot be used (K3)',
      text: one('').replace(W, 'BFIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJEN'),
      says: /kind B cannot be used.*shoal secret show/,
    },
    {
      name: 'a blind node that follows releases',
      text: one(', "follow": "releases"').replace(W, B),
      says: /shared_folders\[0\]\.follow: is "releases" with a blind secret, expected the read secret/,
    },
    {
      name: 'a blind node with a hook',
      text: one(', "on_change": [{"match": "*", "run": ["/bin/true"]}]').replace(W, B),
      says: /shared_folders\[0\]\.on_change: is set with a blind secret/,
    },
    {
      name: 'a follower of releases that may write',
      text: one(', "follow": "releases"'),
      says: /shared_folders\[0\]\.follow: is "releases" with a write secret, expected the read secret/,
    },
    {
      name: 'no number of releases to keep',
      text: one(', "releases": {"keep": 0}'),
      says: /shared_folders\[0\]\.releases\.keep: is 0, expected how many releases to keep, from 1 to 256/,
    },
    {
      name: 'a promise of no copies',
      text: one(', "copies": {"min": 0, "offsite": "2"}'),
      says: /shared_folders\[0\]\.copies\.min: is 0, expected on how many devices, from 1 to 100/,
    },
    {
      name: 'a promise that more are off-site than there are to be',
      text: one(', "copies": {"min": 2, "offsite": 3}'),
      says: /shared_folders\[0\]\.copies\.offsite: is more than "min", expected at most as many/,
    },
    {
      name: 'one share in two folders, even at two grades',
      text: `{"storage_path": "/s", "shared_folders": [{"secret": "${W}", "dir": "/a"},\n{"secret": "${R}", "dir": "/b"}]}`,
      says: '2:1: shared_folders[1].secret: is a secret of the same share as shared_folders[0], expected one folder for each share',
    },
    {
      name: 'one folder for two shares',
      text: `{"storage_path": "/s", "shared_folders": [{"secret": "${W}", "dir": "/a"},\n{"secret": "${W2}", "dir": "/x/../a/"}]}`,
      says: '2:89: shared_folders[1].dir: is also the folder of shared_folders[0], expected one share for each folder',
    },
    {
      name: 'a folder in the folder of a later share',
      text: `{"storage_path": "/s", "shared_folders": [\n{"secret": "${W}", "dir": "/a/b"},{"secret": "${W2}", "dir": "/a"}]}`,
      says: /^2:89: shared_folders\[0\]\.dir: lies in the folder of shared_folders\[1\]/,
    },
    {
      name: 'a folder that contains the storage',
      text: one('').replace('"/d"', '"/var"'),
      says: /dir: contains storage_path, expected a folder apart from it$/,
    },
    {
      name: 'a folder that is the storage',
      text: one('').replace('"/d"', '"/var/s"'),
      says: /dir: contains storage_path/,
    },
  ]
  for (const { name, text, says, code } of complaints)
    it(`refuses ${name}`, () => {
      const message = complaint(text, code)
      if (typeof says === 'string') assert.equal(message, says)
      else assert.match(message, says)
    })

  it('allows folders whose names begin alike, and ones beginning with two dots', () => {
    const text = `{"storage_path": "/a.store", "shared_folders": [{"secret": "${W}", "dir": "/a"}, {"secret": "${W2}", "dir": "/..a"}]}`
    assert.equal(parseConfig(text, '/etc/shoal.conf').config.shares.length, 2)
  })

  it('warns of unknown keys and of what has no effect, never showing a secret', () => {
    const text = `{"storage_path": "/s", "Storage_path": "/t",\n "${W}": 1, "__proto__": {},
 "shared_folders": [{"secret": "${R}", "dir": "/a", "use_dht": true, "download_limits": 3}]}`
    assert.deepEqual(warningsOf(text), [
      '1:24: Storage_path: is not a key of this place and has no effect',
      '2:2: shoalw1[secret]: is not a key of this place and has no effect',
      '2:75: __proto__: is not a key of this place and has no effect',
      '3:177: shared_folders[0].use_dht: without "bootstrap" asks the public DHT, whose nodes see device keys, topics and addresses',
      '3:183: shared_folders[0].download_limits: is not a key of this place and has no effect',
    ])
  })

  it('warns of a folder that gives its secrets away', () => {
    const warnings = warningsOf(one('').replace('"/d"', '"/etc"'))
    assert.match(warnings[0] ?? '', /^1:135: .*dir: contains this configuration file, so everyone/)
  })

  it('warns of nothing to sync, but not of a DHT node', () => {
    assert.deepEqual(warningsOf('{"storage_path": "/s"}'), [
      '1:1: shared_folders: is missing or empty, so there is nothing to sync',
    ])
    assert.deepEqual(warningsOf('{"storage_path": "/s", "dht_node": true}'), [])
  })

  it('answers any text with a configuration or one ShoalError, and echoes no secret', () => {
    const part = fc.constantFrom(
      ...[
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '"storage_path"',
        '"shared_folders"',
        '"secret"',
        '"dir"',
        '"/a"',
      ],
      ...['//', '/*', '*/', '\n', '1', 'true', 'null', '"file"', '"bootstrap"', `"${W}"`, W, `"${R}x"`],
    )
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(part).map((parts) => parts.join(' ')),
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc.jsonValue().map((value) => JSON.stringify({ storage_path: '/s', shared_folders: value })),
      fc
        .tuple(fc.constantFrom('secret', 'dir', 'use_dht', 'known_hosts'), fc.jsonValue())
        .map(([key, value]) => JSON.stringify({ storage_path: '/s', shared_folders: [{ [key]: value }] })),
    )
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parseConfig(text, 'x.conf')
        } catch (error) {
          assert.ok(error instanceof ShoalError, String(error))
          assert.match(error.code, /^(CONFIG_INVALID|NOT_YET)$/)
          assert.ok(!error.message.includes(W.slice(8, 16)) && !error.message.includes(R.slice(8, 16)))
          for (const line of error.message.split('\n')) assert.match(line, /^x\.conf:\d+:\d+: /)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('files', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'shoal-config-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  const config = (shares: string): Promise<Awaited<ReturnType<typeof readConfig>>> => {
    const file = join(folder, 'c.conf')
    writeFileSync(file, `{"storage_path": "store", "shared_folders": [${shares}]}`, { mode: 0o600 })
    return readConfig(file)
  }
  const put = (name: string, text: string | Buffer, mode = 0o600): void => {
    writeFileSync(join(folder, name), text)
    chmodSync(join(folder, name), mode)
  }

  it('reads a secret from its file, with or without a line end', async () => {
    put('key', `${R}\n`)
    const { config: read } = await config('{"secret": {"file": "key"}, "dir": "a"}')
    assert.deepEqual(read.shares[0]?.secret, { file: join(folder, 'key') })
    const { config: loaded } = await loadSecrets(read)
    assert.equal(formatSecret(loaded.shares[0]!.secret), R)
    const again = await loadSecrets(loaded)
    assert.deepEqual(again.config, loaded)
  })

  it('refuses a secret file that others have rights to', async () => {
    const shares = [0o640, 0o604, 0o620, 0o602].map((mode, at) => {
      put(`key${at}`, W, mode)
      return `{"secret": {"file": "key${at}"}, "dir": "d${at}"}`
    })
    const { config: read } = await config(shares.join(',\n'))
    await assert.rejects(loadSecrets(read), (error: ShoalError) => {
      assert.equal(error.code, 'CONFIG_INVALID')
      const lines = error.message.split('\n')
      assert.equal(lines.length, 4)
      for (const [at, line] of lines.entries())
        assert.match(
          line,
          new RegExp(
            `:${at + 1}:\\d+: shared_folders.${at}..secret: .*key${at} holds a secret and other users have rights to it .mode 06\\d\\d., expected mode 0600: chmod 600 .*key${at}$`,
          ),
        )
      return true
    })
  })

  it('names the place of every secret file that is missing or wrong, never the text', async () => {
    put('bad', `${W.slice(0, -1)}q\n`)
    put('binary', Buffer.of(0xff, 0xfe))
    put('huge', 'a'.repeat(5000))
    const shares = ['bad', 'binary', 'huge', 'missing', '.'].map(
      (name, at) => `{"secret": {"file": "${name}"}, "dir": "d${at}"}`,
    )
    const { config: read } = await config(shares.join(',\n'))
    await assert.rejects(loadSecrets(read), (error: ShoalError) => {
      assert.equal(error.code, 'CONFIG_INVALID')
      const lines = error.message.split('\n')
      assert.equal(lines.length, 5)
      assert.match(
        lines[0]!,
        /:1:\d+: shared_folders\[0\]\.secret: in .*bad: a write secret with a wrong character/,
      )
      assert.match(lines[1]!, /:2:1: .*cannot read .*binary: it is not UTF-8 text$/)
      assert.match(lines[2]!, /:3:1: .*cannot read .*huge: longer than 4096 bytes$/)
      assert.match(lines[3]!, /:4:1: .*cannot read .*missing: no such file$/)
      assert.match(lines[4]!, /:5:1: .*cannot read .*: it is a folder$/)
      assert.ok(!error.message.includes(W.slice(7, 12)))
      return true
    })
  })

  it('finds one share twice across files', async () => {
    put('w', W)
    put('r', R)
    const { config: read } = await config(
      '{"secret": {"file": "w"}, "dir": "a"}, {"secret": {"file": "r"}, "dir": "b"}',
    )
    await assert.rejects(loadSecrets(read), /shared_folders\[1\]\.secret: is a secret of the same share/)
  })

  it('says that a configuration file cannot be read', async () => {
    await assert.rejects(readConfig(join(folder, 'none.conf')), {
      code: 'CONFIG_UNREADABLE',
      message: `cannot read the configuration file ${join(folder, 'none.conf')}: no such file`,
    })
  })
})
