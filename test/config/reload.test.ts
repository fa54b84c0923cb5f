import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Config, parseConfig } from '../../src/config/config.js'
import { formatChange, planReload, withLiveChanges } from '../../src/config/reload.js'
import { deriveSecret, formatSecret, type Secret, writeSecretOf } from '../../src/core/secret.js'

const [ONE, TWO] = [1, 2].map((n) => writeSecretOf(Buffer.alloc(32, n))) as [Secret, Secret]

function config(
  keys: Record<string, unknown> = {},
  shares: Record<string, unknown>[] = [{}],
): Config<Secret> {
  const text = JSON.stringify({
    storage_path: '/var/lib/shoal',
    device_name: 'nas',
    ...keys,
    shared_folders: shares.map((share, at) => ({
      secret: formatSecret(at === 0 ? ONE : TWO),
      dir: `/srv/${at}`,
      ...share,
    })),
  })
  return parseConfig(text, '/etc/shoal/nas.conf').config as Config<Secret>
}

function lines(before: Config<Secret>, after: Config<Secret>): { live: string[]; restart: string[] } {
  const { live, restart } = planReload(before, after)
  return { live: live.map(formatChange), restart: restart.map(formatChange) }
}

test('nothing differs in the same file, wherever its entries stand', () => {
  assert.deepEqual(lines(config(), config()), { live: [], restart: [] })
  const twice = config({}, [{}, {}])
  const turned = { ...twice, shares: [...twice.shares].reverse() }
  assert.deepEqual(lines(twice, turned), { live: [], restart: [] })
})

test('what can change live is told in the units of the file', () => {
  const before = config({ folder_rescan_interval: 600 })
  const after = config(
    {
      folder_rescan_interval: 60,
      sync_trash_ttl: 7,
      max_file_size_for_versioning: 10,
      sync_max_time_diff: 5,
      peer_expiration_days: 9,
      log_size: 3,
    },
    [{ known_hosts: ['a:1'] }],
  )
  assert.deepEqual(lines(before, after), {
    live: [
      'folder_rescan_interval: 600 -> 60',
      'sync_trash_ttl: 30 -> 7',
      'sync_max_time_diff: 600 -> 5',
      'log_size: 10 -> 3',
      'peer_expiration_days: 0 -> 9',
      'max_file_size_for_versioning: not set -> 10',
      'shared_folders[0].known_hosts: [] -> ["a:1"]',
    ],
    restart: [],
  })
})

test('what is done about drift changes live, in either of its spellings', () => {
  assert.deepEqual(lines(config(), config({}, [{ overwrite_changes: true }])), {
    live: ['shared_folders[0].overwrite_changes: false -> true'],
    restart: [],
  })
  assert.match(lines(config(), config({}, [{ drift: 'restore' }])).live[0]!, /^shared_folders\[0\]\.drift: /)
})

test('hooks change live, and what they run is not shown', () => {
  const hooks = (word: string): Record<string, unknown> => ({
    on_change: [{ match: 'a', run: ['x', word], env: { KEY: word } }],
  })
  const plan = planReload(config({}, [hooks('one')]), config({}, [hooks('two')]))
  assert.deepEqual(plan, { live: [{ key: 'shared_folders[0].on_change' }], restart: [] })
  const now = withLiveChanges(config({}, [hooks('one')]), config({}, [hooks('two')]))
  assert.deepEqual(now.shares[0]!.onChange[0]!.run, ['x', 'two'])
})

test('all else needs a restart, by name and value', () => {
  const after = config({ listening_port: 5, device_name: 'x', pid_file: '/run/x' }, [
    { search_lan: false },
    {},
  ])
  assert.deepEqual(lines(config(), after), {
    live: [],
    restart: [
      'device_name: "nas" -> "x"',
      'listening_port: 0 -> 5',
      'pid_file: not set -> "/run/x"',
      'shared_folders[0].search_lan: true -> false',
      'shared_folders[1]: added, "/srv/1"',
    ],
  })
  assert.deepEqual(lines(config({}, [{}, {}]), config()).restart, ['shared_folders: "/srv/1" removed'])
})

test('a secret is never shown, nor the value of a key that this table does not know', () => {
  const before = config()
  const read = config({}, [{ secret: formatSecret(deriveSecret(ONE, 'read')) }])
  assert.deepEqual(planReload(before, read), {
    live: [],
    restart: [{ key: 'shared_folders[0].secret' }],
  })
  const unknown = { ...before, webuiLogin: { password: 'open sesame' } } as Config<Secret>
  assert.deepEqual(planReload(before, unknown), { live: [], restart: [{ key: 'webui_login' }] })
  const other = config({}, [{ secret: formatSecret(TWO) }])
  const text = JSON.stringify(planReload(before, other))
  for (const secret of [ONE, TWO]) assert.ok(!text.includes(formatSecret(secret).slice(8, 24)))
})

test('only what can change live is taken over', () => {
  const before = config({ max_file_size_for_versioning: 10 }, [{}, {}])
  const after = config({ listening_port: 5, sync_trash_ttl: 1 }, [
    { known_hosts: ['a:1'], search_lan: false },
  ])
  const now = withLiveChanges(before, after)
  assert.equal(now.trashTtlDays, 1)
  assert.equal(now.listeningPort, 0)
  assert.equal('maxVersionedBytes' in now, false)
  assert.deepEqual(
    now.shares.map(({ knownHosts, searchLan, dir }) => [knownHosts, searchLan, dir]),
    [
      [['a:1'], true, '/srv/0'],
      [[], true, '/srv/1'],
    ],
  )
  // What needs a restart is still told the next time.
  assert.deepEqual(lines(now, after).live, [])
  assert.ok(lines(now, after).restart.includes('listening_port: 0 -> 5'))
})

test('where the files of webui are is known of the settings in force', () => {
  const of = (file: string): Config<Secret> =>
    config({ webui: { listen: '127.0.0.1:8888', api_key: { file } } })
  const now = withLiveChanges(of('/one.key'), of('/two.key'))
  assert.deepEqual(now.webui?.apiKey, { file: '/two.key' })
  assert.equal(withLiveChanges(of('/one.key'), config()).webui, undefined)
})
