// A script for BitTorrent Sync's API, written from its documentation alone (plain HTTP requests, basic authentication), on
// two real daemons: it lists folders, makes secrets, adds a folder on both, names hosts, sees the peer and the files.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { eventually, freePort, type TestNode, World } from '../support/daemons.js'

const LOGIN = { user: 'api', password: 'not so secret' }

/** GET http://[address]:[port]/api?method=..., whose answer is JSON. */
class OldClient {
  readonly #port: number

  constructor(port: number) {
    this.#port = port
  }

  async call<T>(method: string, parameters: Readonly<Record<string, string | number>> = {}): Promise<T> {
    const query = Object.entries(parameters).map(([name, value]) => `&${name}=${encodeURIComponent(value)}`)
    const { status, text } = await this.get(`/api?method=${method}${query.join('')}`)
    assert.equal(status, 200)
    return JSON.parse(text) as T
  }

  get(
    target: string,
    auth: string = `${LOGIN.user}:${LOGIN.password}`,
    { method = 'GET', body = '' } = {},
  ): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port: this.#port,
        path: target,
        agent: false,
        ...(auth === '' ? {} : { auth }),
      }
      const request = http.request({ ...options, method }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
      })
      request.once('error', reject)
      request.end(body)
    })
  }
}

interface Folder {
  readonly dir: string
  readonly secret: string
  readonly type: string
  readonly files: number
  readonly size: number
  readonly error: number
  readonly indexing: number
}
type Outcome = { readonly error: number; readonly message?: string }

describe("scripts for BitTorrent Sync's API", () => {
  const world = new World()
  let nodes: readonly TestNode[]
  let clients: readonly OldClient[]
  let secrets: { readonly read_write: string; readonly read_only: string }
  const data = (at: number, ...rest: string[]): string => path.join(world.root, 'data', String(at), ...rest)
  const folder = async (at: number): Promise<Folder> =>
    (await clients[at]!.call<Folder[]>('get_folders', { secret: secrets.read_only }))[0]!

  before(async () => {
    const ports = [await freePort(), await freePort()]
    clients = ports.map((port) => new OldClient(port))
    nodes = await world.start(['anna', 'ben'], (name) => ({
      config: {
        webui: {
          listen: `127.0.0.1:${ports[name === 'anna' ? 0 : 1]}`,
          login: LOGIN.user,
          password: LOGIN.password,
          dir_whitelist: [path.join(world.root, 'data')],
        },
      },
    }))
    for (const at of [0, 1]) fs.mkdirSync(data(at, 'music'), { recursive: true })
  })
  after(() => world.close())

  it('list the folders that there are', async () => {
    assert.deepEqual(await clients[0]!.call('get_os'), { os: 'linux' })
    const [first, ...others] = await clients[0]!.call<Folder[]>('get_folders')
    assert.deepEqual(others, [])
    assert.equal(first!.dir, nodes[0]!.dir)
    assert.equal(first!.type, 'read_write')
    assert.equal(first!.error, 0)
    assert.match(first!.secret, /^[A-Z2-7]{33}$/)
  })

  it('make secrets and add a folder with them', async () => {
    secrets = await clients[0]!.call('get_secrets')
    fs.writeFileSync(data(0, 'music', 'a.txt'), 'one')
    const keys = [secrets.read_write, secrets.read_only] as const
    for (const [at, secret] of keys.entries())
      assert.deepEqual(await clients[at]!.call('add_folder', { dir: data(at, 'music'), secret }), {
        error: 0,
      })
    assert.equal((await folder(0)).type, 'read_write')
    assert.equal((await folder(1)).type, 'read_only')
    assert.equal((await clients[0]!.call<Folder[]>('get_folders')).length, 2)
  })

  it('name its hosts, and see the peer and the files', async () => {
    const hosts = `127.0.0.1:${nodes[0]!.port}`
    const { secret } = await folder(1)
    assert.deepEqual(await clients[1]!.call('set_folder_hosts', { secret, hosts }), { hosts: [hosts] })
    const prefs = {
      search_lan: 0,
      use_dht: 0,
      use_hosts: 1,
      use_relay_server: 1,
      use_sync_trash: 0,
      use_tracker: 0,
    }
    assert.deepEqual(
      await clients[1]!.call('set_folder_prefs', { secret, search_lan: 0, use_sync_trash: 0 }),
      prefs,
    )
    assert.deepEqual(await clients[1]!.call('get_folder_prefs', { secret }), prefs)
    const copy = data(1, 'music', 'a.txt')
    await eventually('the file', () => fs.existsSync(copy) && fs.readFileSync(copy, 'utf8') === 'one')
    const peers = await eventually('a peer in sync', async () => {
      const found = await clients[0]!.call<Record<string, unknown>[]>('get_folder_peers', {
        secret: secrets.read_write,
      })
      return found.length === 1 && found[0]!.synced !== 0 ? found : undefined
    })
    const { name, connection, download, upload } = peers[0]!
    assert.deepEqual(
      { name, connection, download, upload },
      { name: 'ben', connection: 'direct', download: 0, upload: 0 },
    )
    assert.deepEqual(await clients[1]!.call('get_files', { secret }), [
      { name: 'a.txt', state: 'created', type: 'file', size: 3, have_pieces: 1, total_pieces: 1 },
    ])
    const { size, files, error, indexing } = await folder(1)
    assert.deepEqual({ size, files, error, indexing }, { size: 3, files: 1, error: 0, indexing: 0 })
  })

  it('are told by its numbers what cannot be', async () => {
    const add = (parameters: Record<string, string>): Promise<Outcome> =>
      clients[0]!.call('add_folder', parameters)
    const numbers = [
      await add({ dir: data(0, 'gone') }),
      await add({ dir: nodes[0]!.dir }),
      await add({ dir: data(0, 'music') }),
      await add({ dir: data(0), secret: 'AAAA' }),
      await add({}),
      await clients[0]!.call<Outcome>('remove_folder', { secret: 'AAAA' }),
    ].map(({ error }) => error)
    assert.deepEqual(numbers, [100, 101, 200, 201, 2, 1])
    // A link in the folder that is allowed leads out of it.
    fs.symlinkSync(nodes[0]!.storage, data(0, 'out'))
    assert.equal((await add({ dir: data(0, 'out') })).error, 101)
    assert.equal((await add({ dir: `${data(0, 'music')}/../../../anna/share` })).error, 101)
    assert.equal((await clients[0]!.get('/api?method=get_folders', '')).status, 401)
    assert.equal((await clients[0]!.get('/api?method=get_folders', 'api:wrong')).status, 401)
    // Nor does the control API over TCP add any folder of this machine.
    const body = JSON.stringify({ dir: nodes[0]!.storage, secret: secrets.read_write })
    assert.equal((await clients[0]!.get('/v1/shares', undefined, { method: 'POST', body })).status, 403)
  })

  it('set limits, remove the folder, and stop the daemon', async () => {
    const prefs = await clients[1]!.call<Record<string, unknown>>('set_prefs', { download_limit: 100 })
    assert.equal(prefs.download_limit, 100)
    assert.equal(prefs.device_name, 'ben')
    assert.equal(prefs.listening_port, nodes[1]!.port)
    const { secret } = await folder(1)
    assert.deepEqual(await clients[1]!.call('remove_folder', { secret }), { error: 0 })
    assert.deepEqual(await clients[1]!.call('get_folders', { secret }), [])
    assert.equal(fs.readFileSync(data(1, 'music', 'a.txt'), 'utf8'), 'one')
    const first = (await clients[1]!.call<Folder[]>('get_folders'))[0]!
    assert.equal((await clients[1]!.call<Outcome>('remove_folder', { secret: first.secret })).error, 301)
    assert.deepEqual(await clients[1]!.call('shutdown'), { error: 0 })
    await eventually('its end', () => !nodes[1]!.isRunning)
    for (const { log } of nodes)
      for (const text of Object.values(secrets)) assert.ok(!log.some((line) => line.includes(text)))
  })
})
