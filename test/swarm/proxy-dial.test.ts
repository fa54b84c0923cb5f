// Dialling through proxies on loopback: what reaches the target, what the proxy hears, and what is told when it fails.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import type { Log } from '../../src/ports/log.js'
import { silentLog } from '../../src/ports/log.js'
import { HeardDial } from '../../src/swarm/heard-dial.js'
import { ProxyError, type ProxyFault, type ProxyPlace, proxyDial } from '../../src/swarm/proxy-dial.js'
import { type DialTcp, remoteOf } from '../../src/swarm/tcp.js'
import { httpProxy, oddProxy, type ProxyRules, socksProxy, type TestProxy } from '../support/proxies.js'

const LOGIN = { name: 'alice', password: 'pass:wörd-7731' }
const GREETING = 'who speaks first'
const NAME = 'far.invalid'
const never = new AbortController().signal
const TYPES = ['socks4', 'socks5', 'http_connect'] as const

let target: Server
let targetPort: number
const closing: (() => Promise<void>)[] = []

before(async () => {
  target = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.write(GREETING)
    socket.pipe(socket)
  })
  target.listen(0, '127.0.0.1')
  await once(target, 'listening')
  targetPort = (target.address() as AddressInfo).port
})
after(async () => {
  await Promise.all(closing.map((close) => close()))
  target.close()
})

async function proxyFor(type: ProxyPlace['type'], rules: ProxyRules = {}): Promise<TestProxy> {
  const proxy = await (type === 'http_connect' ? httpProxy : socksProxy)(rules)
  closing.push(() => proxy.close())
  return proxy
}

function dialOf(type: ProxyPlace['type'], port: number, login?: typeof LOGIN, log: Log = silentLog): DialTcp {
  const credentials = login === undefined ? {} : { username: login.name, password: login.password }
  return proxyDial({ type, host: '127.0.0.1', port, ...credentials }, log)
}

async function faultOf(dialled: Promise<Socket>): Promise<[ProxyFault, string]> {
  const thrown = await dialled.then(
    () => assert.fail('it connected'),
    (error: unknown) => error,
  )
  assert.ok(thrown instanceof ProxyError, String(thrown))
  assert.ok(
    !JSON.stringify([thrown.message, thrown.stack, thrown.cause, { ...thrown }]).includes(LOGIN.password),
  )
  return [thrown.fault, thrown.message]
}

/** What the socket brings, until there is that much of it. */
function heard(socket: Socket, length: number): Promise<string> {
  let text = ''
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      text += String(chunk)
      if (text.length >= length) resolve(text)
    })
    socket.on('close', () => reject(new Error(`it ended after: ${text}`)))
  })
}

for (const type of TYPES)
  describe(`through ${type}`, () => {
    it("reaches what it names; names are the proxy's to resolve, and nothing said early is lost", async () => {
      const proxy = await proxyFor(type, { names: { [NAME]: '127.0.0.1' } })
      for (const host of [NAME, '127.0.0.1']) {
        const socket = await dialOf(type, proxy.port)({ host, port: targetPort }, 5000, never)
        assert.deepEqual(remoteOf(socket), { host, port: targetPort })
        socket.write('hello')
        assert.equal(await heard(socket, GREETING.length + 5), `${GREETING}hello`)
        socket.destroy()
      }
      assert.deepEqual(proxy.asked, [`${NAME}:${targetPort}`, `127.0.0.1:${targetPort}`])
    })

    it('tells when the target is refused, by its name', async () => {
      const proxy = await proxyFor(type, { refused: [NAME] })
      const [fault, message] = await faultOf(dialOf(type, proxy.port)({ host: NAME, port: 80 }, 5000, never))
      assert.equal(fault, 'target')
      assert.match(message, new RegExp(`did not connect to ${NAME}:80`))
    })

    it('a proxy that is down, hangs up, or is something else', async () => {
      const gone = await proxyFor(type)
      await gone.close()
      const down = await faultOf(dialOf(type, gone.port)({ host: NAME, port: 80 }, 5000, never))
      assert.equal(down[0], 'unreachable')
      assert.match(
        down[1],
        /cannot reach the \w+ proxy 127\.0\.0\.1:\d+: nobody listens there \(ECONNREFUSED\)$/,
      )
      for (const answer of ['', 'SSH-2.0-something-else_1.0\r\n'.repeat(4)]) {
        const odd = await oddProxy((socket) => void socket.end(answer))
        closing.push(() => odd.close())
        const [fault] = await faultOf(dialOf(type, odd.port)({ host: NAME, port: 80 }, 5000, never))
        assert.equal(fault, 'broken', answer)
      }
    })

    it('one that says nothing costs the time-out and no more, and less when it is given up', async () => {
      const ended: Promise<unknown>[] = []
      let came = (): void => undefined
      const silent = await oddProxy((socket) => {
        ended.push(once(socket.resume(), 'close'))
        came()
      })
      closing.push(() => silent.close())
      const [fault, message] = await faultOf(dialOf(type, silent.port)({ host: NAME, port: 80 }, 300, never))
      assert.equal(fault, 'slow')
      assert.match(message, /had no connection in 0 s/)
      const stop = new AbortController()
      const second = new Promise<void>((resolve) => {
        came = resolve
      })
      const dialled = dialOf(type, silent.port)({ host: NAME, port: 80 }, 60_000, stop.signal)
      const refused = assert.rejects(dialled, /stopped/)
      await second
      stop.abort()
      await refused
      assert.equal(ended.length, 2)
      await Promise.all(ended)
    })
  })

for (const type of ['socks5', 'http_connect'] as const)
  describe(`logging in to ${type}`, () => {
    it('with the right name and password, and not without', async () => {
      const proxy = await proxyFor(type, { login: LOGIN, names: { [NAME]: '127.0.0.1' } })
      const place = { host: NAME, port: targetPort }
      const socket = await dialOf(type, proxy.port, LOGIN)(place, 5000, never)
      assert.equal(await heard(socket, GREETING.length), GREETING)
      const wrong = { ...LOGIN, password: 'wrong' }
      const refused = await faultOf(dialOf(type, proxy.port, wrong)(place, 5000, never))
      assert.equal(refused[0], 'login')
      assert.match(refused[1], /refuses the name and password$/)
      const unasked = await faultOf(dialOf(type, proxy.port)(place, 5000, never))
      assert.equal(unasked[0], 'login')
      assert.match(unasked[1], /asks for a name and password \(proxy_auth/)
    })

    it('the log hears once that it fails, once that it works again, and never the password', async () => {
      const said: string[] = []
      const note = (...words: unknown[]): void => void said.push(JSON.stringify(words))
      const log = { ...silentLog, info: note, warn: note } as Log
      const login = { ...LOGIN }
      const proxy = await proxyFor(type, { login, names: { [NAME]: '127.0.0.1' } })
      const dial = dialOf(type, proxy.port, LOGIN, log)
      login.password = 'changed'
      for (let time = 0; time < 3; time++) await faultOf(dial({ host: NAME, port: targetPort }, 5000, never))
      login.password = LOGIN.password
      for (let time = 0; time < 2; time++)
        (await dial({ host: NAME, port: targetPort }, 5000, never)).destroy()
      assert.equal(said.length, 2, said.join('\n'))
      assert.match(said[0]!, /refuses the name and password/)
      assert.match(said[1]!, /works again/)
      assert.ok(!said.join().includes(LOGIN.password) && !said.join().includes('changed'))
    })
  })

describe('IPv6', () => {
  it('is asked for as such, and SOCKS4 says that it cannot', async () => {
    for (const type of ['socks5', 'http_connect'] as const) {
      const proxy = await proxyFor(type, { refused: ['2001:db8::7'] })
      await faultOf(dialOf(type, proxy.port)({ host: '2001:db8::7', port: 4444 }, 5000, never))
      assert.deepEqual(proxy.asked, ['2001:db8::7:4444'])
    }
    const [fault, message] = await faultOf(dialOf('socks4', 1)({ host: '2001:db8::7', port: 1 }, 5000, never))
    assert.equal(fault, 'unfit')
    assert.match(message, /SOCKS4 proxy 127\.0\.0\.1:1 cannot be asked for an IPv6 address: 2001:db8::7/)
    for (const type of TYPES)
      assert.equal(
        (await faultOf(dialOf(type, 1)({ host: 'fe80::1%eth0', port: 1 }, 5000, never)))[0],
        'unfit',
      )
  })
})

it('what the local network heard is dialled directly, all else through the proxy', async () => {
  const calls: string[] = []
  const by =
    (name: string): DialTcp =>
    async ({ host }) => {
      calls.push(`${name} ${host}`)
      throw new Error('enough')
    }
  const dial = new HeardDial(by('direct'), by('proxy'))
  for (const host of ['192.168.1.4', '8.8.8.8', 'fe80::1%eth0']) dial.heard({ host, port: 1 })
  for (const host of ['192.168.1.4', '8.8.8.8', 'fe80::1%eth0', '192.168.1.5', NAME])
    await assert.rejects(dial.dial({ host, port: 1 }, 1000, never))
  await assert.rejects(dial.dial({ host: '192.168.1.4', port: 2 }, 1000, never))
  assert.deepEqual(calls, [
    'direct 192.168.1.4',
    // A public address is not on the local network, whoever says so.
    'proxy 8.8.8.8',
    'direct fe80::1%eth0',
    'proxy 192.168.1.5',
    `proxy ${NAME}`,
    'proxy 192.168.1.4',
  ])
})
