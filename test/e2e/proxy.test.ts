// Two devices, of which one has a proxy and nothing else: what it is told to dial goes through it, by a name that nobody but
// the proxy can resolve; and limits as status shows them.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { readConfig } from '../../src/config/secrets.js'
import { formatSecret } from '../../src/core/secret.js'
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
    assert.match(
      out,
      /ok {4}proxy: .* through the SOCKS5 proxy 127\.0\.0\.1:\d+: it answers; nothing goes past it/,
    )
    assert.match(
      (await world.run(['status', inside.configFile])).out,
      /^proxy: others are reached through the SOCKS5 proxy 127\.0\.0\.1:\d+$/m,
    )
    assert.match(out, /mapping: no router is asked .*past the proxy/)
    assert.match(out, /dht: off behind the proxy/)
    assert.match((await world.run(['doctor', third.configFile])).out, /1 of 1 known host can be reached/)
    assert.ok(proxy.asked.length >= asked + 5, String(proxy.asked.length - asked))
    assert.deepEqual(heard, [], 'nobody of the DHT was asked')
  })

  it('join with an invite and restore go through it, by --proxy, and the configuration keeps it', async () => {
    const passwordFile = path.join(world.root, 'password')
    writeFileSync(passwordFile, LOGIN.password, { mode: 0o600 })
    const by = [
      ...['--proxy', `socks5://${LOGIN.name}@127.0.0.1:${proxy.port}`, '--proxy-password-file', passwordFile],
      ...['--no-search-lan', '--timeout', '20', '--json'],
    ]
    const { out: invite } = await world.run(['invite', outside.configFile, '--grade', 'read'])
    const inviteFile = path.join(world.root, 'invite')
    writeFileSync(inviteFile, invite, { mode: 0o600 })
    const before = proxy.asked.length
    const place = path.join(world.root, 'joined')
    const joined = await world.run([
      ...['join', place, '--secret-file', inviteFile, '--known-host', `${NAME}:${outside.port}`, ...by],
      ...['--config', `${place}.conf`, '--storage', `${place}.state`, '--relay', 'relay.invalid:1'],
    ])
    assert.equal(joined.exit, 0, joined.err)
    const asked = proxy.asked.slice(before)
    assert.ok(asked.length > 0 && asked.every((each) => each === `${NAME}:${outside.port}`), asked.join())
    const { config } = await readConfig(`${place}.conf`)
    assert.deepEqual(config.proxy, {
      ...{ type: 'socks5', host: '127.0.0.1', port: proxy.port, allowsDirect: false },
      ...{ username: LOGIN.name, password: LOGIN.password },
    })
    assert.deepEqual(config.relays, ['relay.invalid:1'])
    assert.deepEqual(config.shares[0]?.knownHosts, [`${NAME}:${outside.port}`])

    const to = path.join(world.root, 'restored')
    const secretFile = path.join(world.root, 'secret')
    writeFileSync(secretFile, formatSecret(world.secret), { mode: 0o600 })
    const swarm = ['restore', '--from', 'swarm', '--to', to, '--secret-file', secretFile]
    const restored = await world.run([...swarm, '--host', `${NAME}:${outside.port}`, ...by])
    assert.equal(restored.exit, 0, restored.err)
    assertEqualTrees([outside.dir, to])
    assert.ok(!(joined.out + joined.err + restored.out + restored.err).includes(LOGIN.password))
  })

  it('join and restore say what is wrong with the proxy, and that an invite goes through no relay', async () => {
    const by = ['--proxy', 'socks5://127.0.0.1:9', '--no-search-lan', '--timeout', '2']
    const down = /cannot reach the SOCKS5 proxy 127\.0\.0\.1:9: nobody listens there/
    const { out: invite } = await world.run(['invite', outside.configFile, '--grade', 'read'])
    const inviteFile = path.join(world.root, 'invite')
    writeFileSync(inviteFile, invite, { mode: 0o600 })
    const place = path.join(world.root, 'not-joined')
    // That it listens here would be found out by whoever goes past the proxy.
    const host = `127.0.0.1:${outside.port}`
    const joined = await world.run([
      ...['join', place, '--secret-file', inviteFile, '--known-host', host, '--relay', host, ...by],
      ...['--config', `${place}.conf`, '--storage', `${place}.state`],
    ])
    assert.notEqual(joined.exit, 0)
    assert.match(joined.err, down)
    assert.match(joined.err, /an invite does not go through a relay/)
    const secretFile = path.join(world.root, 'secret')
    writeFileSync(secretFile, formatSecret(world.secret), { mode: 0o600 })
    const restored = await world.run([
      ...['restore', '--from', 'swarm', '--to', path.join(world.root, 'not-restored')],
      ...['--secret-file', secretFile, '--host', host, '--relay', host, ...by],
    ])
    assert.notEqual(restored.exit, 0)
    assert.match(restored.err, down)
    assert.match(restored.err, /relay 127\.0\.0\.1:\d+: cannot reach the SOCKS5 proxy/)
  })

  it('when it is gone nothing goes past it', async () => {
    await proxy.close()
    await eventually('they have lost each other', async () => (await inside.client.peers()).length === 0)
    await eventually('the log says why', () =>
      inside.log.some((line) => line.includes('cannot reach the SOCKS5 proxy')),
    )
    assert.equal((await outside.client.peers()).length, 0)
    const down = /cannot reach the SOCKS5 proxy 127\.0\.0\.1:\d+: nobody listens there/
    const { out } = await world.run(['status', inside.configFile])
    assert.match(out, new RegExp(`^proxy: ${down.source}.*; nobody is reached but on the local network`, 'm'))
    for (const node of [inside, world.find('third')]) {
      const said = await world.run(['doctor', 'net', node.configFile])
      assert.match(said.out, new RegExp(`FAIL {2}proxy: ${down.source}`))
      assert.equal(said.exit, 1)
    }
    assert.match((await world.run(['doctor', inside.configFile])).out, new RegExp(`proxy: ${down.source}`))
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
