// Two devices, of which one has a proxy and nothing else: what it is told to dial goes through it, by a name that nobody but
// the proxy can resolve; and limits as status shows them.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { converged, eventually, type TestNode, World } from '../support/daemons.js'
import { socksProxy, type TestProxy } from '../support/proxies.js'
import { assertEqualTrees } from '../support/trees.js'

const LOGIN = { name: 'alice', password: 'not-for-any-log-5512' }
const NAME = 'elsewhere.invalid'

describe('behind a proxy', () => {
  let world: World
  let proxy: TestProxy
  let inside: TestNode
  let outside: TestNode

  before(async () => {
    proxy = await socksProxy({ login: LOGIN, names: { [NAME]: '127.0.0.1' } })
    world = new World()
    outside = await world.node('outside', { knows: [] })
    inside = await world.node('inside', {
      config: {
        ...{ proxy_type: 'socks5', proxy_addr: '127.0.0.1', proxy_port: proxy.port, proxy_auth: true },
        ...{ proxy_username: LOGIN.name, proxy_password: LOGIN.password },
        ...{ upload_limit: 5000, limits: [{ upload: 4000 }] },
      },
      share: { known_hosts: [`${NAME}:${outside.port}`], upload_limit: 3000 },
    })
    inside.write('in', 'from within')
    outside.write('out', 'from without')
    await Promise.all([inside.start(), outside.start()])
  })
  after(async () => {
    await world.close()
    await proxy.close()
  })

  it('devices meet through it, and by no other way', async () => {
    await converged([inside, outside])
    assertEqualTrees([inside.dir, outside.dir])
    assert.deepEqual(new Set(proxy.asked), new Set([`${NAME}:${outside.port}`]))
    const [peer] = await inside.client.peers()
    assert.equal(peer?.address, `${NAME}:${outside.port}`)
  })

  it('what meets members without the daemon goes through it as well: preview, rehearse, doctor', async (t) => {
    const heard: string[] = []
    const udp = createSocket('udp4').on('message', (bytes) => heard.push(bytes.toString('hex')))
    t.after(() => udp.close())
    udp.bind(0, '127.0.0.1')
    await once(udp, 'listening')
    const third = await world.node('third', {
      knows: [],
      config: {
        ...{ proxy_type: 'socks5', proxy_addr: '127.0.0.1', proxy_port: proxy.port, proxy_auth: true },
        ...{ proxy_username: LOGIN.name, proxy_password: LOGIN.password },
        ...{ bootstrap: [`127.0.0.1:${udp.address().port}`], relays: [`${NAME}:${outside.port}`] },
      },
      share: { known_hosts: [`${NAME}:${outside.port}`], use_dht: true },
    })
    third.writeConfig()
    const asked = proxy.asked.length
    const preview = await world.run(['preview', third.configFile, '--timeout', '5'])
    assert.equal(preview.exit, 0, preview.out + preview.err)
    const rehearsed = await world.run(['rehearse', inside.configFile, '--node', 'outside', '--timeout', '5'])
    assert.equal(rehearsed.exit, 0, rehearsed.out + rehearsed.err)
    const { out } = await world.run(['doctor', 'net', third.configFile])
    assert.match(out, /known-hosts: 1 of 1 known host can be reached/)
    assert.match(out, /relays: elsewhere\.invalid:\d+ stands by/)
    assert.match(out, /mapping: no router is asked .*past the proxy/)
    assert.match(out, /dht: off behind the proxy/)
    assert.match((await world.run(['doctor', third.configFile])).out, /1 of 1 known host can be reached/)
    assert.ok(proxy.asked.length >= asked + 5, String(proxy.asked.length - asked))
    assert.deepEqual(heard, [], 'nobody of the DHT was asked')
  })

  it('when it is gone nothing goes past it', async () => {
    await proxy.close()
    await eventually('they have lost each other', async () => (await inside.client.peers()).length === 0)
    await eventually('the log says why', () =>
      inside.log.some((line) => line.includes('cannot reach the SOCKS5 proxy')),
    )
    assert.equal((await outside.client.peers()).length, 0)
  })

  it('the log says at start what is used, and neither it nor a status holds the password', async () => {
    const said = [...inside.log, JSON.stringify(await inside.status())].join('\n')
    assert.match(
      said,
      /reached through the SOCKS5 proxy 127\.0\.0\.1:\d+.*the DHT, hole punching and the port of the router are off/,
    )
    assert.ok(!said.includes(LOGIN.password))
  })

  it('status shows what limits hold, by whom', async () => {
    const { limits } = await inside.status()
    assert.deepEqual(limits?.held?.upload, { rate: 4000 * 1024, by: 'schedule', until: null })
    assert.deepEqual(limits?.shares?.[0]?.upload, { rate: 3000 * 1024, by: 'configuration', until: null })
    const { out } = await world.run(['status', inside.configFile])
    assert.match(out, /^limits: upload 3\.\d MiB\/s by the schedule\n/m)
    const set = await world.run(['limits', inside.configFile, inside.dir, '--upload', '7'])
    assert.match(set.out, /upload +7\.0 KiB\/s, set by hand/)
    const reset = await world.run(['limits', inside.configFile, inside.dir, '--reset'])
    assert.match(reset.out, /upload +2\.\d MiB\/s\n/)
  })
})
