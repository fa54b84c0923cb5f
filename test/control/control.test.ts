import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { controlClient } from '../../src/control/client.js'
import { controlHandler } from '../../src/control/handler.js'
import { type ControlServer, serveControl } from '../../src/control/server.js'
import { meaningOf, ShoalError } from '../../src/core/error.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { silentLog } from '../../src/ports/log.js'
import { PACKAGE_VERSION } from '../../src/ports/package-version.js'
import {
  conflict,
  drift,
  FAKE_INVITE,
  FakeBackend,
  invite,
  memberDrift,
  share,
  status,
} from './fake-backend.js'

const secret = formatSecret(writeSecretOf(Buffer.alloc(32, 1)))

describe('controlHandler', () => {
  const backend = new FakeBackend()
  const handle = controlHandler(backend, silentLog)

  it('answers each call from the backend', async () => {
    backend.conflictList = [conflict()]
    const calls: [string, unknown][] = [
      ['GET /v1/status', status(share())],
      ['GET /v1/peers', []],
      ['GET /v1/conflicts', backend.conflictList],
      ['GET /v1/drift', []],
      ['GET /v1/drift/all', []],
      ['POST /v1/scan', {}],
      ['GET /v1/problems', []],
      ['GET /v1/limits', backend.limitsReport],
      ['POST /v1/settle', {}],
      ['POST /v1/approve', {}],
      ['POST /v1/hooks/run', {}],
      ['GET /v1/invites', []],
      ['POST /v1/stop', {}],
    ]
    for (const [call, body] of calls) {
      const [method, path] = call.split(' ') as [string, string]
      assert.deepEqual(await handle({ method, path }), { status: 200, body }, call)
    }
    assert.deepEqual(backend.calls, ['status', 'scan', 'settle', 'approve undefined', 'hooks', 'stop'])
  })

  it('tells secrets on the socket only, and nobody may keep them', async () => {
    const call = { method: 'POST', path: '/v1/secrets', body: '{"share": 0}' }
    const refused = await handle({ ...call, via: 'tcp' })
    assert.equal(refused.status, 403)
    assert.deepEqual(await handle(call), { status: 200, body: backend.secretsReport })
    assert.equal((await handle({ ...call, body: '{}' })).status, 400)
    assert.equal((await handle({ ...call, method: 'GET' })).status, 404)
    backend.calls.length = 0
  })

  it('takes numbers of queries within their bounds only', async () => {
    for (const query of [
      '',
      'share=x',
      'share=0&limit=0',
      'share=0&limit=1001',
      'share=0&limit=1e3',
      'share=-1',
    ])
      assert.equal((await handle({ method: 'GET', path: '/v1/entries', query })).status, 400, query)
    assert.equal((await handle({ method: 'GET', path: '/v1/entries', query: 'share=0&limit=7' })).status, 200)
    for (const body of ['{"download": -1}', '{"upload": 1.5}', '{"download": "1"}', '{"rate": 1}'])
      assert.equal((await handle({ method: 'PUT', path: '/v1/limits', body })).status, 400, body)
    backend.calls.length = 0
  })

  it('refuses calls that there are not, and bodies that are not understood', async () => {
    const code = async (method: string, path: string, body = ''): Promise<unknown> => {
      const response = await handle({ method, path, body })
      return [
        response.status,
        ((response as { body: unknown }).body as { error: { code: string } }).error.code,
      ]
    }
    assert.deepEqual(await code('GET', '/'), [404, 'NOT_FOUND'])
    assert.deepEqual(await code('GET', '/v1/scan'), [404, 'NOT_FOUND'])
    assert.deepEqual(await code('POST', '/v1/status'), [404, 'NOT_FOUND'])
    for (const body of ['{', '[]', '{"share": -1}', '{"share": "0"}', '{"other": 1}'])
      assert.deepEqual(await code('POST', '/v1/approve', body), [400, 'USAGE'])
    for (const body of ['{', '{"hook": 0}', '{"hook": "1"}', '{"share": 1}'])
      assert.deepEqual(await code('POST', '/v1/hooks/run', body), [400, 'USAGE'])
    for (const body of ['', '{', '{"device": "nas"}', `{"device": "${'A'.repeat(64)}"}`])
      assert.deepEqual(await code('POST', '/v1/forget', body), [400, 'USAGE'])
    const lives = ['0', '-1', '1.5', '"1h"', 'null'].map(
      (life) => `{"share": 0, "grade": "read", "lifeMs": ${life}}`,
    )
    const others = ['{"share": 0, "grade": "blind", "lifeMs": 1}', '{"grade": "read", "lifeMs": 1}']
    for (const body of ['', '{', ...lives, ...others])
      assert.deepEqual(await code('POST', '/v1/invites', body), [400, 'USAGE'])
    const word = { share: 0, path: 'f', reason: 'why', lifeMs: 1 }
    for (const wrong of [
      { lifeMs: 0 },
      { lifeMs: '1d' },
      { share: -1 },
      { reason: 1 },
      { path: null },
      { more: 1 },
    ])
      assert.deepEqual(await code('POST', '/v1/drift/acknowledge', JSON.stringify({ ...word, ...wrong })), [
        400,
        'USAGE',
      ])
    for (const body of ['', '{"share": 0}', '{"path": "f"}'])
      assert.deepEqual(await code('POST', '/v1/drift/withdraw', body), [400, 'USAGE'])
    for (const body of ['{"share": "0"}', '{"paths": "f"}', '{"all": true}'])
      assert.deepEqual(await code('POST', '/v1/drift/archive-extra', body), [400, 'USAGE'])
    for (const body of ['', '{"id": "3F2A9C01"}', '{"id": "3f2a9c0"}'])
      assert.deepEqual(await code('POST', '/v1/invites/revoke', body), [400, 'USAGE'])
  })

  it('answers over TCP only what is not for the socket alone', async () => {
    const body = JSON.stringify({ share: 0, grade: 'read', lifeMs: 1 })
    const overTcp = await handle({ method: 'POST', path: '/v1/invites', body, via: 'tcp' })
    assert.equal(overTcp.status, 403)
    assert.equal((await handle({ method: 'POST', path: '/v1/invites', body })).status, 200)
    assert.equal((await handle({ method: 'GET', path: '/v1/status', via: 'tcp' })).status, 200)
  })

  it('turns every failure into an error report without secrets', async () => {
    const failing = new FakeBackend()
    const failures: [unknown, number, string][] = [
      [new ShoalError('NOT_FOUND', 'there is no share 3'), 404, 'NOT_FOUND'],
      [new Error(`odd ${secret}`), 500, 'INTERNAL'],
      ['thrown text', 500, 'INTERNAL'],
    ]
    for (const [thrown, expected, code] of failures) {
      failing.work = () => Promise.reject(thrown)
      const response = await controlHandler(failing, silentLog)({ method: 'POST', path: '/v1/scan' })
      assert.equal(response.status, expected)
      const { error } = (response as { body: unknown }).body as {
        error: { code: string; message: string; hint: string }
      }
      assert.deepEqual([error.code, error.hint], [code, meaningOf(code as 'INTERNAL').hint])
      assert.ok(!error.message.includes(secret.slice(8)))
    }
  })
})

describe('the control socket', () => {
  let folder: string
  let server: ControlServer | undefined
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'shoal-control-'))
  })
  afterEach(async () => {
    await server?.close()
    server = undefined
  })
  after(() => rmSync(folder, { recursive: true }))

  const serve = async (storagePath: string, backend = new FakeBackend()): Promise<FakeBackend> => {
    server = await serveControl({ storagePath, backend, log: silentLog })
    return backend
  }

  it('carries every call of the client', async () => {
    const backend = await serve(folder)
    backend.driftList = [
      drift({ dir: '/d', path: 'ü\n' }),
      drift({
        acknowledgement: {
          reason: 'meant',
          since: '2026-11-20T18:02:03.000Z',
          until: '2026-12-20T18:02:03.000Z',
        },
      }),
    ]
    backend.extraReport = {
      moved: [{ dir: '/d', path: 'x', to: '.shoal/archive/2026-11-20/x' }],
      left: [{ dir: '/d', path: 'y', code: 'CHANGED', detail: 'it was changed meanwhile' }],
    }
    backend.peerList = [
      {
        ...{ dir: '/d', device: 'b', name: 'nas', grade: 'read', transport: 'udx', address: '[::1]:1' },
        ...{ initiator: true, connectedAt: '2026-11-20T18:02:03.000Z', receivedBytes: 1, sentBytes: 2 },
        ...{ rttMs: null, downRate: 0, upRate: 5, inSync: false },
      } as const,
    ]
    const client = controlClient(folder)
    assert.deepEqual(await client.status(), status(share()))
    assert.deepEqual(await client.peers(), backend.peerList)
    assert.deepEqual(await client.conflicts(), [])
    assert.deepEqual(await client.drift(), backend.driftList)
    backend.memberDriftList = [memberDrift('nas')]
    assert.deepEqual(await client.driftOfAll(), backend.memberDriftList)
    assert.deepEqual(await client.archiveExtra({ share: 1, paths: ['x', 'y'] }), backend.extraReport)
    assert.deepEqual(await client.archiveExtra(), backend.extraReport)
    const said = await client.acknowledgeDrift({ share: 0, path: 'f', reason: 'meant', lifeMs: 1000 })
    assert.equal(said.acknowledgement?.reason, 'meant')
    await client.withdrawDrift({ share: 0, path: 'f' })
    await client.scan()
    await client.settle()
    await client.approve()
    await client.approve({ share: 1 })
    await client.forget({ device: 'b'.repeat(64) })
    await client.runHooks()
    await client.runHooks({ hook: 2 })
    backend.inviteList = [invite()]
    assert.deepEqual(await client.invites(), backend.inviteList)
    const made = await client.invite({ share: 1, grade: 'write', lifeMs: 1000 })
    assert.deepEqual(made, { ...invite({ grade: 'write' }), invite: FAKE_INVITE, port: 44444 })
    await client.revokeInvite({ id: '3f2a9c01' })
    await client.stop()
    const calls = [
      'status',
      'archive-extra 1 x y',
      'archive-extra undefined undefined',
      'acknowledge 0 f 1000 meant',
      'withdraw 0 f',
      'scan',
      'settle',
      'approve undefined',
      'approve 1',
      `forget ${'b'.repeat(64)}`,
      'hooks',
      'hooks 2',
    ]
    assert.deepEqual(backend.calls, [...calls, 'invite 1 write 1000', 'revoke 3f2a9c01', 'stop'])
  })

  it('has mode 0600 and is gone after close', async () => {
    await serve(folder)
    assert.equal(statSync(join(folder, 'shoal.sock')).mode & 0o7777, 0o600)
    await server?.close()
    assert.ok(!existsSync(join(folder, 'shoal.sock')))
  })

  it('works below a path that is too long for a socket', async () => {
    const deep = join(folder, 'long'.repeat(40))
    mkdirSync(deep)
    const handles = (): number => readdirSync('/proc/self/fd').length
    const before = handles()
    await serve(deep)
    assert.deepEqual(await controlClient(deep).status(), status(share()))
    assert.equal(statSync(join(deep, 'shoal.sock')).mode & 0o7777, 0o600)
    await server?.close()
    server = undefined
    assert.ok(!existsSync(join(deep, 'shoal.sock')))
    assert.ok(handles() <= before)
    await assert.rejects(controlClient(deep).status(), { code: 'DAEMON_UNREACHABLE' })
  })

  it('replaces a stale socket, and nothing that is no socket', async () => {
    const path = join(folder, 'shoal.sock')
    const stale = createServer()
    await new Promise<void>((resolve) => stale.listen(path, resolve))
    await serve(folder)
    assert.equal((await controlClient(folder).status()).pid, 4121)
    await server?.close()
    stale.close()
    writeFileSync(path, 'x')
    await assert.rejects(serve(folder), { code: 'STORAGE_UNUSABLE', message: /is not a socket$/ })
    rmSync(path)
  })

  it('says that no daemon is running', async () => {
    const message = `the daemon of storage path ${folder} is not running`
    await assert.rejects(controlClient(folder).status(), { code: 'DAEMON_UNREACHABLE', message })
    const none = join(folder, 'none')
    await assert.rejects(controlClient(none).status(), { code: 'DAEMON_UNREACHABLE' })
    await assert.rejects(serve(none), { code: 'STORAGE_UNUSABLE' })
    writeFileSync(join(folder, 'shoal.sock'), '')
    await assert.rejects(controlClient(folder).status(), { code: 'DAEMON_UNREACHABLE', message })
    rmSync(join(folder, 'shoal.sock'))
  })

  it('passes on the code and message of a failure', async () => {
    const backend = await serve(folder)
    backend.work = () => Promise.reject(new ShoalError('NOT_FOUND', 'there is no share 3'))
    await assert.rejects(controlClient(folder).approve({ share: 3 }), {
      code: 'NOT_FOUND',
      message: 'there is no share 3',
    })
  })

  it('ignores what a newer daemon adds, and refuses an answer that lacks something', async () => {
    const backend = await serve(folder)
    backend.statuses = [{ ...status(), more: 1 } as ReturnType<typeof status>]
    assert.equal((await controlClient(folder).status()).name, 'laptop')
    backend.statuses = [{ ...status(), pid: 'x' } as unknown as ReturnType<typeof status>]
    await assert.rejects(controlClient(folder).status(), { code: 'INTERNAL', message: /another version/ })
  })

  it('gives up waiting when told to, and when the daemon goes away', async () => {
    const backend = await serve(folder)
    const begun: (() => void)[] = []
    const running = (): Promise<void> => new Promise((resolve) => begun.push(resolve))
    backend.work = () => {
      begun.shift()?.()
      return new Promise(() => {})
    }
    const abort = new AbortController()
    const first = running()
    const aborted = assert.rejects(controlClient(folder).scan({}, { signal: abort.signal }), {
      name: 'AbortError',
    })
    await first
    abort.abort()
    await aborted
    const second = running()
    const left = assert.rejects(controlClient(folder).settle(), {
      code: 'DAEMON_UNREACHABLE',
      message: /did not answer$/,
    })
    await second
    await server?.close()
    await left
  })

  it('streams events until the client goes away, then ends their source', async () => {
    let ended: () => void = () => {}
    const isEnded = new Promise<void>((resolve) => {
      ended = resolve
    })
    async function* events(): AsyncGenerator<string> {
      try {
        for (let id = 1; ; id++) {
          yield `id: ${id}\ndata: {}\n\n`
          await new Promise((resolve) => setImmediate(resolve))
        }
      } finally {
        ended()
      }
    }
    const seen: (string | undefined)[] = []
    const page = {
      ...{ path: '/v1/events', summary: 'events', contentType: 'text/event-stream' },
      answer: async ({ lastEventId }: { lastEventId?: string }) => {
        seen.push(lastEventId)
        return { status: 200, events: events() }
      },
    }
    server = await serveControl({
      storagePath: folder,
      backend: new FakeBackend(),
      pages: [page],
      log: silentLog,
    })
    const type = await new Promise<string | undefined>((resolve, reject) => {
      const socketPath = join(folder, 'shoal.sock')
      const call = request(
        { socketPath, path: '/v1/events', headers: { 'last-event-id': '7' } },
        (response) => {
          let text = ''
          response.on('data', (chunk: Buffer) => {
            text += chunk.toString()
            if (!text.includes('id: 3\n')) return
            call.destroy()
            resolve(response.headers['content-type'])
          })
        },
      )
      call.on('error', reject)
      call.end()
    })
    assert.deepEqual([type, seen], ['text/event-stream', ['7']])
    await isEnded
  })

  it('answers a body that is too long with an error', async () => {
    await serve(folder)
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      const call = request(
        { socketPath: join(folder, 'shoal.sock'), method: 'POST', path: '/v1/approve' },
        (response) => {
          response.resume()
          resolve(response.statusCode)
        },
      )
      call.on('error', reject)
      call.end('x'.repeat(100_000))
    })
    assert.equal(answer, 400)
  })
})

it('the version is that of package.json', () => {
  assert.match(PACKAGE_VERSION, /^\d+\.\d+\.\d+$/)
  assert.notEqual(PACKAGE_VERSION, '0.0.0')
})
