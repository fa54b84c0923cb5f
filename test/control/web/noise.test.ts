// Thousands of random requests to a daemon that runs: none is answered 500, none ends it, and none gets in that should
// not. Seeded; a failure names the request. SHOAL_NOISE_SEED repeats a run or makes another.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { controlHandler } from '../../../src/control/handler.js'
import { formatSecret } from '../../../src/core/secret.js'
import { makeSecret, type ShoalNode, startNode } from '../../../src/daemon/node.js'
import { silentLog } from '../../../src/ports/log.js'
import { freePort } from '../../support/daemons.js'
import { randomOf } from '../../support/mutate.js'
import { noise } from './noise.js'
import { ask, KEY, talk } from './talk.js'

const SEED = Number(process.env.SHOAL_NOISE_SEED ?? 32)
const ROUNDS = Number(process.env.SHOAL_NOISE_ROUNDS ?? 2000)
const root = mkdtempSync(join(tmpdir(), 'shoal-noise-'))
const dir = join(root, 'data')
const secret = formatSecret(makeSecret())

describe(`a daemon under noise (seed ${SEED})`, () => {
  let node: ShoalNode
  let port: number

  before(async () => {
    mkdirSync(join(dir, 'sub'), { recursive: true })
    for (const [name, text] of [
      ['a.txt', 'one'],
      ['sub/b.txt', 'two'],
    ])
      writeFileSync(join(dir, name!), text!)
    port = await freePort()
    node = await startNode({
      storage_path: join(root, 'storage'),
      listen_host: '127.0.0.1',
      interfaces: [],
      shared_folders: [{ secret, dir, search_lan: false }],
      webui: { listen: `127.0.0.1:${port}`, api_key: KEY },
    })
  })
  after(async () => {
    await node.stop()
    rmSync(root, { recursive: true })
  })

  /** It is there, and so are the files. */
  async function assertWell(): Promise<void> {
    assert.equal((await node.control.status()).shares.length, 1)
    assert.equal(readFileSync(join(dir, 'a.txt'), 'utf8'), 'one')
    assert.equal(readFileSync(join(dir, 'sub/b.txt'), 'utf8'), 'two')
    assert.deepEqual([existsSync(join(root, 'etc')), existsSync(join(root, 'x'))], [false, false])
  }

  it('answers no call with 500', async () => {
    const random = randomOf(SEED)
    const handle = controlHandler(node.control, silentLog)
    const seen = new Map<number, number>()
    for (let i = 0; i < ROUNDS; i++) {
      const request = noise(random)
      const response = await handle({ ...request, via: 'tcp' })
      const { status } = response
      seen.set(status, (seen.get(status) ?? 0) + 1)
      if ('events' in response) await response.events[Symbol.asyncIterator]().return?.()
      const said = 'body' in response ? JSON.stringify(response.body) : ''
      assert.ok(
        status < 500 || status === 501 || status === 503,
        `${JSON.stringify(request)}: ${status} ${said}`,
      )
      // Nothing that is answered over TCP holds what lets others in.
      assert.ok(!said.includes(secret), JSON.stringify(request))
    }
    for (const status of [200, 400, 403, 404])
      assert.ok((seen.get(status) ?? 0) > 20, `${status}: ${seen.get(status)}`)
    await assertWell()
  })

  it('nor over TCP, and lets in who shows the key alone', async () => {
    const random = randomOf(SEED + 1)
    const one = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!
    for (let i = 0; i < ROUNDS / 5; i++) {
      const { method, path, query, body } = noise(random)
      const isKeyed = random() < 0.9
      const headers = {
        ...(isKeyed ? { 'x-api-key': KEY } : {}),
        ...(random() < 0.1 && {
          host: one(['evil.example', 'localhost', '[::1]', '127.0.0.1:1', 'a b', '']),
        }),
        ...(random() < 0.1 && { origin: one(['http://evil.example', 'null', `http://127.0.0.1:${port}`]) }),
        ...(random() < 0.1 && {
          [one(['x', 'cookie', 'accept', 'content-type', 'range', 'if-match'])]: 'x'.repeat(500),
        }),
      }
      // What node's own client would not send is sent raw below.
      if (!/^[A-Z]+$/.test(method) || !/^\/[\x21-\x7e]*$/.test(path)) continue
      const request = { method, path: query === '' ? path : `${path}?${query}`, headers, body }
      const { status, text } = await ask(port, request)
      assert.ok(
        status < 500 || status === 501 || status === 503,
        `${JSON.stringify(request)}: ${status} ${text}`,
      )
      assert.ok(isKeyed || status >= 400 || /^\/(?:health|ready)$/.test(path), JSON.stringify(request))
      assert.ok(!text.includes(secret) && !('access-control-allow-origin' in headers))
    }
    await assertWell()
  })

  it('bytes that are no request are refused, and nobody else waits for them', async () => {
    const random = randomOf(SEED + 2)
    const sound = Buffer.from(
      `POST /v1/approve HTTP/1.1\r\nhost: localhost\r\nx-api-key: ${KEY}\r\ncontent-length: 11\r\nconnection: close\r\n\r\n{"share":0}`,
    )
    for (let i = 0; i < ROUNDS / 10; i++) {
      const bytes = i % 3 === 0 ? rubbish(random) : damaged(sound, random)
      const text = await talk(port, bytes, (socket) => socket.end())
      const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status))
      for (const status of statuses) assert.ok(status < 500, `${bytes.toString('latin1')}: ${text}`)
    }
    // Damaged keys were wrong tries, so all of this address are shut out; the port answers.
    assert.ok((await ask(port, { headers: { 'x-api-key': KEY } })).status >= 400)
    await assertWell()
  })
})

function rubbish(random: () => number): Buffer {
  return Buffer.from(Array.from({ length: Math.floor(random() * 400) }, () => Math.floor(random() * 256)))
}

/** A request with some bytes changed, cut out or doubled. */
function damaged(sound: Buffer, random: () => number): Buffer {
  let bytes = Buffer.from(sound)
  for (let left = 1 + Math.floor(random() * 4); left > 0; left--) {
    const at = Math.floor(random() * bytes.length)
    const end = Math.min(bytes.length, at + Math.floor(random() * 20))
    const how = random()
    if (how < 0.5) bytes[at] = Math.floor(random() * 256)
    else if (how < 0.75) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)])
    else bytes = Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)])
  }
  return bytes
}
