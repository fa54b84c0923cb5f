// The API over TCP on a real port of loopback: who is refused, and that what is bounded is.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import type { ControlRequest } from '../../../src/control/request.js'
import { LIMIT } from '../../../src/control/web/tries.js'
import type { WebServer } from '../../../src/control/web/web-server.js'
import { ShoalError } from '../../../src/core/error.js'
import { ask, BASIC, CERTIFICATES, KEY, LOGIN, SETTINGS, serve, talk } from './talk.js'

const KEYED = { 'x-api-key': KEY }

describe('the door', () => {
  const seen: ControlRequest[] = []
  let server: WebServer
  before(async () => {
    const handle = async (request: ControlRequest) => {
      seen.push(request)
      if (request.path === '/fails') throw new Error('a bug')
      if (request.path === '/refuses') throw new ShoalError('NOT_FOUND', 'not here')
      return { status: 200, body: { path: request.path } }
    }
    server = await serve({
      routes: [
        { prefix: '/api', handle: async () => ({ status: 200, text: 'old', contentType: 'text/plain' }) },
        { prefix: '/', handle },
      ],
    })
  })
  after(() => server.close())

  it('lets nobody in without credentials, on loopback neither', async () => {
    for (const path of [
      '/',
      '/v1/status',
      '/openapi.json',
      '/metrics',
      '/api?method=get_os',
      '/health/x',
      '/healthy',
    ])
      for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
        const { status, headers, text } = await ask(server.port, { method, path })
        assert.equal(status, 401, `${method} ${path}`)
        assert.match(String(headers['www-authenticate']), /^Basic /)
        assert.equal((JSON.parse(text) as { error: { code: string } }).error.code, 'UNAUTHORIZED')
      }
    assert.equal((await ask(server.port, { method: 'POST', path: '/health' })).status, 401)
    assert.deepEqual(seen, [])
  })

  it('lets everybody ask for health, and nobody from another site', async () => {
    for (const path of ['/health', '/ready']) assert.equal((await ask(server.port, { path })).status, 200)
    const refused = await ask(server.port, { path: '/health', headers: { host: 'evil.example' } })
    assert.equal(refused.status, 403)
    seen.length = 0
  })

  it('lets in who shows the login or the key, and says where the request came in', async () => {
    for (const headers of [KEYED, { authorization: `Bearer ${KEY}` }, { authorization: BASIC }])
      assert.equal((await ask(server.port, { path: '/x?a=b', headers })).status, 200)
    const body = '{"share":0}'
    const headers = { ...KEYED, 'last-event-id': '7' }
    assert.equal((await ask(server.port, { method: 'POST', path: '/y', headers, body })).status, 200)
    const via = 'tcp'
    assert.deepEqual(seen.splice(0), [
      ...Array<object>(3).fill({ method: 'GET', path: '/x', query: 'a=b', body: '', via }),
      { method: 'POST', path: '/y', query: '', body, via, lastEventId: '7' },
    ])
  })

  it('the first route that takes a path answers', async () => {
    const text = async (path: string): Promise<string> =>
      (await ask(server.port, { path, headers: KEYED })).text
    assert.equal(await text('/api?method=x'), 'old')
    assert.equal(await text('/api/v2'), 'old')
    assert.equal(await text('/apis'), '{"path":"/apis"}')
  })

  it('no answer is for another site to read, for a cache to keep or for a browser to run', async () => {
    const origin = 'http://evil.example'
    const asks = [
      await ask(server.port, { headers: KEYED }),
      await ask(server.port, { headers: { ...KEYED, origin } }),
      await ask(server.port, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST' },
      }),
      await ask(server.port),
      await ask(server.port, { path: '/health' }),
    ]
    assert.deepEqual(
      asks.map(({ status }) => status),
      [200, 403, 405, 401, 200],
    )
    for (const { headers } of asks) {
      assert.deepEqual(
        Object.keys(headers).filter((name) => name.startsWith('access-control')),
        [],
      )
      assert.equal(headers['cache-control'], 'no-store')
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.match(String(headers['content-security-policy']), /default-src 'none'; frame-ancestors 'none'/)
    }
  })

  it('a failure of a route is an error report', async () => {
    assert.equal((await ask(server.port, { path: '/refuses', headers: KEYED })).status, 404)
    assert.equal((await ask(server.port, { path: '/fails', headers: KEYED })).status, 500)
  })

  it('an answer to many requests on one connection comes to each', async () => {
    const one = `GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n`
    const last = 'GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'
    const text = await talk(server.port, one.repeat(5) + last)
    assert.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 6)
  })

  const BAD: [string, RegExp][] = [
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', /^HTTP\/1.1 400 /],
    ['GET / HTTP/1.1\r\n\r\n', /^HTTP\/1.1 400 /],
    ['GET / HTTP/1.0\r\n\r\n', /^HTTP\/1.1 400 /],
    ['GET /v1/status\r\n\r\n', /^HTTP\/1.1 400 /],
    [`GET / HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\nx-api-key: ${KEY}\r\n\r\n`, /^HTTP\/1.1 400 /],
    [`GET /../ HTTP/1.1\r\nhost: localhost\r\nx-api-key: ${KEY}\r\n\r\n`, /^HTTP\/1.1 400 /],
    [`GET http://localhost/ HTTP/1.1\r\nhost: localhost\r\nx-api-key: ${KEY}\r\n\r\n`, /^HTTP\/1.1 400 /],
    [`CONNECT localhost:22 HTTP/1.1\r\nhost: localhost\r\nx-api-key: ${KEY}\r\n\r\n`, /^(?:HTTP\/1.1 4|$)/],
    [`GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, /^HTTP\/1.1 431 /],
    // Two ways to say how long it is: smuggling.
    [
      'POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1.1 400 /,
    ],
    ['POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n', /^HTTP\/1.1 400 /],
    ['POST / HTTP/1.1\r\nhost: localhost\r\nexpect: tea\r\n\r\n', /^HTTP\/1.1 417 /],
  ]
  for (const [bytes, says] of BAD)
    it(`answers ${JSON.stringify(bytes.slice(0, 60))} with ${says.source.slice(-5)}`, async () => {
      assert.match(await talk(server.port, bytes, (socket) => socket.end()), says)
    })
})

describe('bounds', () => {
  const soon = { requestMs: 200, keepAliveMs: 100 }

  it('a body that is too long is 413, whether it says so or not; one that fits is read', async () => {
    let length = 0
    const handle = async ({ body = '' }: ControlRequest) => {
      length = body.length
      return { status: 200, body: {} }
    }
    const server = await serve({ routes: [{ prefix: '/', handle }] })
    const post = (body: Buffer, headers = {}) =>
      ask(server.port, { method: 'POST', headers: { ...KEYED, ...headers }, body })
    assert.equal((await post(Buffer.alloc(65_536, 'a'))).status, 200)
    assert.equal(length, 65_536)
    assert.equal((await post(Buffer.alloc(65_537))).status, 413)
    assert.equal((await post(Buffer.alloc(2 << 20))).status, 413)
    assert.equal((await post(Buffer.alloc(65_537), { 'transfer-encoding': 'chunked' })).status, 413)
    // Whoever is not let in has no body read into memory.
    const stranger = await ask(server.port, { method: 'POST', body: Buffer.alloc(2 << 20) })
    assert.equal(stranger.status, 401)
    assert.equal(length, 65_536)
    await server.close()
  })

  it('a body is asked for only once its sender is let in', async () => {
    const server = await serve()
    const head = (key: string, length: number): string =>
      `POST / HTTP/1.1\r\nhost: localhost\r\nx-api-key: ${key}\r\ncontent-length: ${length}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n`
    const send = (socket: { write(text: string): unknown }): unknown => socket.write('{}')
    assert.match(await talk(server.port, head(KEY, 2), send), /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 /)
    assert.match(await talk(server.port, head('x'.repeat(20), 2)), /^HTTP\/1.1 401 /)
    assert.match(await talk(server.port, head(KEY, 70_000)), /^HTTP\/1.1 413 /)
    await server.close()
  })

  it('whoever is slow is cut off: before anything, in the headers, in the body, between requests', async () => {
    const server = await serve({ limits: soon })
    const head = `POST / HTTP/1.1\r\nhost: localhost\r\nx-api-key: ${KEY}\r\n`
    assert.match(await talk(server.port, ''), /^(?:HTTP\/1.1 408 |$)/)
    assert.match(await talk(server.port, head), /^HTTP\/1.1 408 /)
    assert.match(await talk(server.port, `${head}content-length: 9\r\n\r\n{`), /^(?:HTTP\/1.1 408 |$)/)
    assert.match(await talk(server.port, `${head}content-length: 0\r\n\r\n`), /^HTTP\/1.1 200 /)
    const dripping = talk(server.port, head, (socket) => {
      const drip = setInterval(() => socket.write('x: y\r\n'), 20)
      socket.on('close', () => clearInterval(drip))
    })
    assert.match(await dripping, /^HTTP\/1.1 408 /)
    await server.close()
  })

  it('connections are bounded, and free again when they end', async () => {
    const server = await serve({ limits: { connections: 8, connectionsOfOne: 3 } })
    const held = [1, 2, 3].map(() => connect(server.port, '127.0.0.1'))
    await Promise.all(held.map((socket) => once(socket, 'connect')))
    assert.equal(await talk(server.port, 'GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n'), '')
    held[0]!.end()
    await once(held[0]!, 'close')
    assert.equal((await ask(server.port, { headers: KEYED })).status, 200)
    for (const socket of held) socket.destroy()
    await server.close()
  })
})

describe('wrong tries', () => {
  const wrong = { authorization: `Bearer ${'w'.repeat(20)}` }

  it('shut the address out, whatever it shows then', async () => {
    const server = await serve()
    for (let i = 0; i < LIMIT; i++) assert.equal((await ask(server.port, { headers: wrong })).status, 401)
    const shut = await ask(server.port, { headers: KEYED })
    assert.equal(shut.status, 429)
    assert.ok(Number(shut.headers['retry-after']) > 0)
    // Not the doing of who shows nothing, who may be anybody; and a new password gives no new tries.
    assert.equal((await ask(server.port)).status, 401)
    assert.equal((await ask(server.port, { path: '/health' })).status, 200)
    await server.adjust({ ...SETTINGS, apiKey: 'another-key-of-20-characters' })
    assert.equal((await ask(server.port, { headers: { authorization: BASIC } })).status, 429)
    await server.close()
  })

  it('are counted even if they all come in one packet', async () => {
    let got = 0
    const handle = async () => ({ status: 200, body: ++got })
    const server = await serve({ routes: [{ prefix: '/', handle }] })
    const guess = (key: string): string => `GET / HTTP/1.1\r\nhost: localhost\r\nx-api-key: ${key}\r\n\r\n`
    const guesses = Array.from({ length: 50 }, (_, i) => guess(`guess-number-${i}-of-many`)).join('')
    const last = `GET / HTTP/1.1\r\nhost: localhost\r\nx-api-key: ${KEY}\r\nconnection: close\r\n\r\n`
    const text = await talk(server.port, guesses + last)
    assert.equal(text.match(/HTTP\/1\.1 401 /g)?.length, LIMIT)
    assert.equal(text.match(/HTTP\/1\.1 429 /g)?.length, 41)
    assert.equal(got, 0)
    await server.close()
  })

  it('are counted, too, where a password is hashed first', async (t) => {
    // "open sesame"
    const text = '$5$saltstring$sOFRiuqOzKEQCZAIFmMrCbPuMEMUPOi/BmBpBwWMgW3'
    const login = { name: 'ann', password: { type: 'hash', text } } as const
    let got = 0
    const routes = [{ prefix: '/', handle: async () => ({ status: 200, body: ++got }) } as const]
    const settings = { ...SETTINGS, login }
    const server = await serve({ settings, routes }).catch(({ message }: Error) => message)
    if (typeof server === 'string') return t.skip(server)
    const guess = (password: string): string =>
      `GET / HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic ${Buffer.from(`ann:${password}`).toString('base64')}\r\n\r\n`
    const wrong = Array.from({ length: 12 }, (_, i) => guess(`guess ${i}`)).join('')
    const last = guess('open sesame').replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n')
    const said = await talk(server.port, wrong + last)
    assert.equal(said.match(/HTTP\/1\.1 401 /g)?.length, LIMIT)
    assert.equal(said.match(/HTTP\/1\.1 429 /g)?.length, 3)
    assert.equal(got, 0)
    await server.close()
  })

  it('leave no word of what was shown in the log or an answer', async () => {
    const lines: unknown[] = []
    const note = (...line: unknown[]): void => void lines.push(line)
    const log = { trace: note, debug: note, info: note, warn: note, error: note }
    const server = await serve({ log: log as never })
    const shown = Buffer.from('ann:nearly right').toString('base64')
    const { text } = await ask(server.port, { headers: { authorization: `Basic ${shown}` } })
    await ask(server.port, { headers: { 'x-api-key': 'nearly-right-key-of-mine' } })
    await server.close()
    const said = JSON.stringify(lines) + text
    assert.equal(lines.length, 2)
    for (const word of ['nearly', shown, 'ann']) assert.ok(!said.includes(word), word)
  })
})

describe('settings that change', () => {
  it('cut off whoever is connected, and let in by the new ones alone', async () => {
    const server = await serve()
    const events = talk(server.port, `GET / HTTP/1.1\r\nhost: localhost\r\nx-api-key: ${KEY}\r\n\r\n`)
    assert.equal((await ask(server.port, { headers: KEYED })).status, 200)
    const { port } = server
    await server.adjust({ host: SETTINGS.host, port: 0, hosts: ['nas.example'], login: LOGIN })
    await events
    assert.equal(server.port, port)
    assert.equal((await ask(port, { headers: KEYED })).status, 401)
    const headers = { authorization: BASIC, host: 'nas.example' }
    assert.equal((await ask(port, { headers })).status, 200)
    await server.close()
  })

  it('a request that waits for its body when its key goes out of force gets nothing done', async () => {
    let got = 0
    const server = await serve({
      routes: [{ prefix: '/', handle: async () => ({ status: 200, body: ++got }) }],
    })
    const head = `POST / HTTP/1.1\r\nhost: localhost\r\nx-api-key: ${KEY}\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n`
    const socket = connect(server.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(head)
    await once(socket, 'data')
    await server.adjust({ ...SETTINGS, apiKey: 'another-key-of-20-characters' })
    socket.write('{}')
    await once(socket, 'close')
    await server.close()
    assert.equal(got, 0)
  })

  it('go to another port, and stay where they were if they cannot', async () => {
    const [server, other] = [await serve(), await serve()]
    const before = server.port
    await assert.rejects(server.adjust({ ...SETTINGS, port: other.port }), {
      code: 'PORT_IN_USE',
      message: /webui\.listen 127\.0\.0\.1:\d+: it is in use/,
    })
    assert.equal(server.port, before)
    assert.equal((await ask(before, { headers: KEYED })).status, 200)
    const { port } = other
    await other.close()
    await server.adjust({ ...SETTINGS, port })
    assert.equal(server.port, port)
    await assert.rejects(ask(before, { headers: KEYED }), { code: 'ECONNREFUSED' })
    assert.equal((await ask(port, { headers: KEYED })).status, 200)
    await server.close()
  })

  it('whoever they keep out stays out, even if they cannot be served', async () => {
    const [server, other] = [await serve(), await serve()]
    const before = server.port
    await assert.rejects(
      server.adjust({ ...SETTINGS, port: other.port, apiKey: 'another-key-of-20-characters' }),
    )
    assert.equal(server.port, 0)
    await assert.rejects(ask(before, { headers: KEYED }), { code: 'ECONNREFUSED' })
    await server.adjust({ ...SETTINGS, port: before })
    assert.equal((await ask(before, { headers: KEYED })).status, 200)
    const login = { name: 'ann', password: { type: 'hash', text: '$9$what$is-this' } } as const
    await assert.rejects(server.adjust({ ...SETTINGS, port: before, login }), { code: 'CONFIG_INVALID' })
    await assert.rejects(ask(before, { headers: KEYED }), { code: 'ECONNREFUSED' })
    await Promise.all([server.close(), other.close()])
  })

  it('a hash that this machine cannot check is an error', async () => {
    const password = { type: 'hash', text: '$9$what$is-this' } as const
    const login = { name: 'ann', password }
    await assert.rejects(serve({ settings: { ...SETTINGS, login } }), { code: 'CONFIG_INVALID' })
  })
})

describe('TLS', () => {
  const { one, two } = CERTIFICATES

  it('is all that is spoken where there is a certificate, and takes a new one', async () => {
    const server = await serve({ settings: { ...SETTINGS, tls: one } })
    const asks = (certificate: string) => ask(server.port, { headers: KEYED, certificate })
    assert.equal((await asks(one.certificate)).status, 200)
    await assert.rejects(asks(two.certificate))
    await assert.rejects(ask(server.port, { headers: KEYED }))
    const stuck = connect(server.port, '127.0.0.1')
    await once(stuck, 'connect')
    await server.adjust({ ...SETTINGS, tls: two })
    assert.equal((await asks(two.certificate)).status, 200)
    await assert.rejects(asks(one.certificate))
    await server.adjust(SETTINGS)
    assert.equal((await ask(server.port, { headers: KEYED })).status, 200)
    await server.close()
    stuck.destroy()
  })

  it('whoever does not finish the handshake is cut off, and keeps no server from ending', async () => {
    const settings = { ...SETTINGS, tls: one }
    const server = await serve({ settings, limits: { requestMs: 100 } })
    assert.equal(await talk(server.port, ''), '')
    await server.close()
    const patient = await serve({ settings })
    const stuck = talk(patient.port, '\x16\x03\x01')
    assert.equal((await ask(patient.port, { headers: KEYED, certificate: one.certificate })).status, 200)
    await patient.close()
    await stuck
  })

  it('an origin of the same name without TLS is another site', async () => {
    const server = await serve({ settings: { ...SETTINGS, tls: one } })
    const host = `localhost:${server.port}`
    const from = async (origin: string): Promise<number> =>
      (await ask(server.port, { headers: { ...KEYED, host, origin }, certificate: one.certificate })).status
    assert.equal(await from(`https://${host}`), 200)
    assert.equal(await from(`http://${host}`), 403)
    await server.close()
  })
})
