// BitTorrent Sync's API, each method as its documentation and its clients' records of it have it.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ERRORS } from '../../../src/control/legacy/answer.js'
import { LEGACY_METHODS, legacyHandler } from '../../../src/control/legacy/api.js'
import { ShoalError } from '../../../src/core/error.js'
import { deriveSecret, formatSecret, parseSecret } from '../../../src/core/secret.js'
import type { LogFields } from '../../../src/ports/log.js'
import { silentLog } from '../../../src/ports/log.js'
import { repository } from '../../support/repository.js'
import { live, peerLive, shareLive, transfer } from '../fake-backend.js'
import { DIRS, entry, FakeHost, FRESH, folder, HANDLES, SECRETS } from './fake-host.js'

type Query = Readonly<Record<string, string>>

const ask = async (host: FakeHost, method: string, query: Query = {}): Promise<unknown> => {
  const response = await legacyHandler(
    host,
    silentLog,
  )({
    ...{ method: 'GET', path: '/api', via: 'tcp' },
    query: new URLSearchParams({ method, ...query }).toString(),
  })
  assert.equal(response.status, 200)
  assert.ok('body' in response)
  return response.body
}
const [photos, music] = HANDLES as [string, string]
const text = (secret = FRESH, grade: 'write' | 'read' | 'blind' = 'write'): string =>
  formatSecret(deriveSecret(secret, grade))

describe('get_folders', () => {
  it('lists the folders by handles, and one by handle or secret', async () => {
    const host = new FakeHost()
    const first = {
      ...{ dir: DIRS[0], secret: photos, size: 1_288_490_189, type: 'read_write' },
      ...{ files: 12345, error: 0, indexing: 0 },
    }
    const all = (await ask(host, 'get_folders')) as { type: string; error: number }[]
    assert.deepEqual(all[0], first)
    assert.deepEqual([all.length, all[1]!.type, all[1]!.error], [2, 'read_only', 103])
    for (const secret of [photos, SECRETS[0]!, text(parseSecret(SECRETS[0]!), 'blind')])
      assert.deepEqual(await ask(host, 'get_folders', { secret }), [first])
    for (const secret of ['nonsense', text()])
      assert.deepEqual(await ask(host, 'get_folders', { secret }), [])
    assert.ok(!JSON.stringify(all).includes('shoal'))
  })
})

describe('add_folder', () => {
  it('adds where the folder really is, with the secret given or a new one', async () => {
    const host = new FakeHost()
    assert.deepEqual(await ask(host, 'add_folder', { dir: '/link', secret: text() }), { error: 0 })
    assert.deepEqual(await ask(host, 'add_folder', { dir: '/link', selective_sync: '0', force: '1' }), {
      error: 0,
    })
    assert.deepEqual(host.calls, ['admits /link', 'add /real/new {}', 'admits /link', 'add /real/new {}'])
    assert.deepEqual(host.given, [text(), text()])
  })

  it('says by number why not', async () => {
    const refused = async (
      number: number,
      words: RegExp,
      change: (host: FakeHost) => void,
      query: Query = {},
    ) => {
      const host = new FakeHost()
      change(host)
      const body = (await ask(host, 'add_folder', { dir: '/x', ...query })) as Record<string, unknown>
      assert.equal(body.error, number)
      assert.equal(body.result, number)
      assert.match(body.message as string, words)
      assert.deepEqual(
        host.calls.filter((call) => call.startsWith('add ')),
        [],
      )
    }
    const nothing = (): void => undefined
    await refused(100, /open the destination/, (host) => {
      host.admission = { type: 'missing' }
    })
    await refused(101, /permissions to write/, (host) => {
      host.admission = { type: 'closed' }
    })
    await refused(101, /dir_whitelist/, (host) => {
      host.admission = { type: 'forbidden' }
    })
    await refused(300, /selective/, nothing, { selective_sync: '1' })
    await refused(200, /already/, nothing, { secret: photos })
    await refused(2, /required parameters for add_folder/, nothing, { dir: '' })
    for (const [code, number] of [
      ['SECRET_INVALID', 201],
      ['NOT_YET', 201],
      ['EXISTS', 200],
      ['SHARE_UNUSABLE', 100],
      ['CONFIG_INVALID', 100],
      ['IO', 302],
    ] as const)
      await refused(number, /why/, (host) => {
        host.refusal = new ShoalError(code, 'that is why')
      })
  })
})

describe('remove_folder', () => {
  it('removes what was added, and nothing of the configuration', async () => {
    const host = new FakeHost()
    assert.deepEqual(await ask(host, 'remove_folder', { secret: music }), { error: 0 })
    assert.deepEqual(host.calls, [`remove ${DIRS[1]}`])
    const kept = (await ask(host, 'remove_folder', { secret: photos })) as { error: number; message: string }
    assert.equal(kept.error, 301)
    assert.match(kept.message, /configuration file/)
    const none = (await ask(host, 'remove_folder', { secret: text() })) as { error: number }
    assert.equal(none.error, 1)
    assert.equal(host.calls.length, 1)
  })
})

describe('get_files', () => {
  it('lists a folder, with what is here of it', async () => {
    const host = new FakeHost()
    host.pages = [
      [entry('images', { type: 'directory', size: 0 }), entry('app.js')],
      [entry('big', { size: 9 << 20, state: 'wanted' }), entry('x.tmp', { state: 'ignored' })],
    ]
    host.liveAnswer = live(shareLive({ dir: DIRS[0], transfers: [transfer('big', { doneBytes: 5 << 20 })] }))
    const files = await ask(host, 'get_files', { secret: photos })
    assert.deepEqual(files, [
      { name: 'images', state: 'created', type: 'folder' },
      { name: 'app.js', state: 'created', type: 'file', size: 918, have_pieces: 1, total_pieces: 1 },
      { name: 'big', state: 'created', type: 'file', size: 9 << 20, have_pieces: 1, total_pieces: 3 },
    ])
    host.calls.length = 0
    host.pages = [[entry('a/b/c')]]
    const below = (await ask(host, 'get_files', { secret: SECRETS[0]!, path: './a/b/' })) as {
      name: string
    }[]
    assert.equal(below[0]!.name, 'c')
    assert.deepEqual(host.calls, ['entries a/b'])
  })

  it('of a folder that is not there is an error', async () => {
    const host = new FakeHost()
    host.entries = async () => {
      throw new ShoalError('NOT_FOUND', 'there is no such directory')
    }
    const body = (await ask(host, 'get_files', { secret: photos, path: 'gone' })) as { error: number }
    assert.equal(body.error, 100)
  })
})

describe('get_folder_peers', () => {
  it('lists who is connected, with what is missing on either side', async () => {
    const host = new FakeHost()
    host.liveAnswer = live(
      shareLive({
        ...{ dir: DIRS[0], needBytes: 7 },
        peers: [
          peerLive('reader', { inSync: true, needBytes: 0 }),
          peerLive('phone', { transport: 'relayed', inSync: false, needBytes: 99 }),
        ],
      }),
    )
    const peers = (await ask(host, 'get_folder_peers', { secret: photos })) as Record<string, unknown>[]
    assert.deepEqual(
      peers.map(({ id, ...peer }) => peer),
      [
        {
          connection: 'direct',
          name: 'reader',
          synced: Date.parse('2026-11-20T18:02:03.000Z') / 1000,
          download: 7,
          upload: 0,
        },
        { connection: 'relay', name: 'phone', synced: 0, download: 7, upload: 99 },
      ],
    )
    for (const { id } of peers) assert.match(id as string, /^[\w-]{27}=$/)
    assert.notEqual(peers[0]!.id, peers[1]!.id)
  })
})

describe('get_secrets', () => {
  it('makes new ones, and says what follows from one that the caller has', async () => {
    const host = new FakeHost()
    const [write, read, blind] = [text(), text(FRESH, 'read'), text(FRESH, 'blind')]
    assert.deepEqual(await ask(host, 'get_secrets'), { read_write: write, read_only: read })
    const three = { read_write: write, read_only: read, encryption: blind }
    assert.deepEqual(await ask(host, 'get_secrets', { type: 'encryption' }), three)
    assert.deepEqual(await ask(host, 'get_secrets', { secret: read }), { read_only: read })
    assert.deepEqual(await ask(host, 'get_secrets', { secret: blind }), { encryption: blind })
    assert.deepEqual(await ask(host, 'get_secrets', { secret: 'ABC' }), {
      error: 3,
      message: 'Invalid secret.',
    })
  })

  it('tells none of a folder that is here', async () => {
    const body = await ask(new FakeHost(), 'get_secrets', { secret: photos })
    assert.equal((body as { error: number }).error, 300)
    assert.ok(!JSON.stringify(body).includes('shoalw'))
  })
})

describe('get_folder_prefs and set_folder_prefs', () => {
  const now = {
    search_lan: 1,
    use_dht: 0,
    use_hosts: 1,
    use_relay_server: 1,
    use_sync_trash: 1,
    use_tracker: 0,
  }

  it('tell how a folder is, and change one that was added', async () => {
    const host = new FakeHost()
    assert.deepEqual(await ask(host, 'get_folder_prefs', { secret: music }), now)
    host.changeShare = async ({ share, ...settings }) => {
      host.calls.push(`change ${share}`)
      const before = folder(1)
      host.folderList = [folder(0), { ...before, settings: { ...before.settings!, ...settings } as never }]
    }
    const asked = { use_dht: 'true', search_lan: '0', use_tracker: '1', use_hosts: '1' }
    assert.deepEqual(await ask(host, 'set_folder_prefs', { secret: music, ...asked }), {
      ...now,
      search_lan: 0,
      use_dht: 1,
    })
    assert.deepEqual(host.calls, [`change ${DIRS[1]}`])
  })

  it('leave the configuration alone, and take what is as it is', async () => {
    const host = new FakeHost()
    assert.deepEqual(await ask(host, 'set_folder_prefs', { secret: photos, search_lan: '1' }), now)
    const body = (await ask(host, 'set_folder_prefs', { secret: photos, use_dht: '1' })) as { error: number }
    assert.equal(body.error, 301)
    const wrong = (await ask(host, 'set_folder_prefs', { secret: music, use_tracker: 'maybe' })) as {
      error: number
    }
    assert.equal(wrong.error, 2)
    assert.deepEqual(host.calls, [])
  })
})

describe('get_folder_hosts and set_folder_hosts', () => {
  it('replace the list, and say what it is then', async () => {
    const host = new FakeHost()
    assert.deepEqual(await ask(host, 'get_folder_hosts', { secret: music }), { hosts: ['10.0.0.1:4444'] })
    await ask(host, 'set_folder_hosts', { secret: music, hosts: '192.168.1.1:4567, example.com:8975' })
    await ask(host, 'set_folder_hosts', { secret: music, hosts: '' })
    await ask(host, 'set_folder_hosts', { secret: music, hosts: '10.0.0.1:4444' })
    assert.deepEqual(host.calls, [
      `change ${DIRS[1]} {"knownHosts":["192.168.1.1:4567","example.com:8975"]}`,
      `change ${DIRS[1]} {"knownHosts":[]}`,
    ])
    host.changeShare = async () => {
      throw new ShoalError('CONFIG_INVALID', 'known_hosts: no')
    }
    const body = (await ask(host, 'set_folder_hosts', { secret: music, hosts: 'x' })) as { error: number }
    assert.equal(body.error, 2)
  })
})

describe('get_prefs and set_prefs', () => {
  it('have the old names and forms', async () => {
    const host = new FakeHost()
    host.limitsReport = { download: 10_240, upload: 0, holdLocally: false }
    assert.deepEqual(await ask(host, 'get_prefs'), {
      ...{
        device_name: 'laptop',
        disk_low_priority: 'true',
        download_limit: 10,
        folder_rescan_interval: '600',
      },
      ...{ lan_encrypt_data: 'true', lan_use_tcp: 'true', lang: -1, listening_port: 11589 },
      ...{ max_file_size_diff_for_patching: '1000', max_file_size_for_versioning: '999999' },
      ...{ rate_limit_local_peers: 'false', send_buf_size: '5', recv_buf_size: '5', use_upnp: 0 },
      ...{ sync_max_time_diff: '600', sync_trash_ttl: '30', upload_limit: 0 },
    })
  })

  it('set limits, take what is as it is, and change nothing of the configuration', async () => {
    const host = new FakeHost()
    const all = (await ask(host, 'get_prefs')) as Record<string, string | number>
    const back = Object.fromEntries(Object.entries(all).map(([name, value]) => [name, String(value)]))
    const after = await ask(host, 'set_prefs', { ...back, disk_low_priority: '1', upload_limit: '50' })
    assert.deepEqual(after, { ...all, upload_limit: 50 })
    assert.deepEqual(host.calls, [`limits ${Number(all.download_limit) * 1024} 51200`])
    for (const query of [{ device_name: 'other' }, { use_upnp: '1' }]) {
      const body = (await ask(host, 'set_prefs', { ...query, upload_limit: '70' })) as { error: number }
      assert.equal(body.error, 301)
    }
    const wrong = (await ask(host, 'set_prefs', { download_limit: '-1' })) as { error: number }
    assert.equal(wrong.error, 2)
    assert.equal(host.calls.length, 1)
  })
})

it('docs/btsync-api.md has every method and every number', () => {
  const page = readFileSync(new URL('docs/btsync-api.md', repository), 'utf8')
  for (const method of LEGACY_METHODS) assert.ok(page.includes(`\n| \`${method}\` |`), method)
  for (const number of Object.values(ERRORS)) assert.match(page, new RegExp(`(^| )${number}( |\\b)`, 'm'))
})

describe('the rest', () => {
  it('says what runs here, how fast it is, and stops it', async () => {
    const host = new FakeHost()
    host.liveAnswer = live(
      shareLive({ downRate: 61_000.4, upRate: 1 }),
      shareLive({ downRate: 7, upRate: 2 }),
    )
    assert.deepEqual(await ask(host, 'get_speed'), { download: 61_007, upload: 3 })
    assert.deepEqual(await ask(host, 'get_os'), { os: 'linux' })
    assert.match(((await ask(host, 'get_version')) as { version: string }).version, /^\d+\.\d+\.\d+/)
    assert.deepEqual(await ask(host, 'shutdown'), { error: 0 })
    assert.deepEqual(host.calls, ['stop'])
  })

  it('says of what it lacks that it lacks it', async () => {
    const body = await ask(new FakeHost(), 'set_file_prefs', { secret: photos, path: 'a', download: '1' })
    assert.equal((body as { error: number }).error, 300)
    for (const method of ['', 'get_everything', 'toString', '__proto__'])
      assert.deepEqual(await ask(new FakeHost(), method), {
        error: 1,
        message: 'Invalid API method name or format.',
      })
    for (const method of [
      'get_files',
      'get_folder_peers',
      'get_folder_prefs',
      'set_folder_hosts',
      'set_file_prefs',
    ])
      assert.deepEqual(await ask(new FakeHost(), method), {
        error: 2,
        message: `Specify all the required parameters for ${method}.`,
      })
    for (const method of ['get_files', 'get_folder_peers', 'get_folder_prefs', 'get_folder_hosts'])
      assert.deepEqual(await ask(new FakeHost(), method, { secret: text() }), {
        error: 3,
        message: 'Invalid secret.',
      })
  })

  it('is asked by GET at one path', async () => {
    const handle = legacyHandler(new FakeHost(), silentLog)
    assert.equal((await handle({ method: 'POST', path: '/api', query: 'method=shutdown' })).status, 400)
    assert.equal((await handle({ method: 'GET', path: '/api/v2/folders' })).status, 404)
  })

  it('logs what should not happen without any of the request', async () => {
    const host = new FakeHost()
    host.folders = async () => {
      throw new Error('broken')
    }
    const lines: unknown[] = []
    const log = { ...silentLog, error: (fields: LogFields, words: string) => lines.push([fields, words]) }
    const query = `method=get_folder_prefs&secret=${SECRETS[1]}`
    const response = await legacyHandler(host, log as never)({ method: 'GET', path: '/api', query })
    assert.ok('body' in response)
    assert.equal((response.body as { error: number }).error, 302)
    assert.equal(lines.length, 1)
    assert.ok(!JSON.stringify(lines).includes(SECRETS[1]!.slice(0, 12)))
  })
})
