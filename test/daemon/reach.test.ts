// A daemon with use_upnp on a mock of a router: members are told, the status says so, and at the end the port is closed.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { formatStatus } from '../../src/cli/status-text.js'
import { parseConfig } from '../../src/config/config.js'
import { loadSecrets } from '../../src/config/secrets.js'
import type { NetworkReport } from '../../src/control/schema-network.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { type DaemonOptions, type RunningDaemon, runDaemon } from '../../src/daemon/daemon.js'
import { silentLog } from '../../src/ports/log.js'
import { MockRouter, OURS, ROUTER } from '../support/gateways.js'
import { until } from '../support/until.js'

const SECRET = formatSecret(writeSecretOf(Buffer.alloc(32, 9)))

async function start(
  t: TestContext,
  keys: Readonly<Record<string, unknown>>,
  options: Partial<DaemonOptions> = {},
): Promise<RunningDaemon> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-reach-'))
  t.after(() => fs.rmSync(root, { recursive: true, force: true }))
  const { known_hosts = [], ...rest } = keys
  fs.mkdirSync(path.join(root, 'dir'))
  const text = JSON.stringify({
    storage_path: path.join(root, 'storage'),
    listen_host: OURS,
    interfaces: [],
    shared_folders: [{ secret: SECRET, dir: path.join(root, 'dir'), search_lan: false, known_hosts }],
    ...rest,
  })
  const { config } = await loadSecrets(parseConfig(text, path.join(root, 'shoal.conf')).config)
  const daemon = await runDaemon(config, { log: silentLog, ...options })
  t.after(() => daemon.stop())
  return daemon
}

test('use_upnp: opened at the start, told, shown, closed at the end', async (t) => {
  const router = await MockRouter.open(t, { speaks: ['pcp'], externalHost: OURS, grants: () => 40_123 })
  const a = await start(t, { use_upnp: true, external_port: 40_000 }, { gateway: router.gateway })
  const network = async (): Promise<NetworkReport> => (await a.control.status()).network!
  let found = await network()
  await until('the router has opened the port', async () => {
    found = await network()
    return found.mapping.state === 'mapped'
  })
  assert.deepEqual(router.asked[0], {
    ...{ by: 'pcp', what: 'map', internalPort: a.port, externalPort: 40_000, lifetime: 1_800 },
  })
  assert.deepEqual(found.mapping, {
    ...{
      state: 'mapped',
      gateway: ROUTER,
      via: 'pcp',
      externalHost: OURS,
      externalPort: 40_123,
      reason: null,
    },
  })
  assert.deepEqual(found.told.slice(0, 2), [
    { host: OURS, port: 40_123 },
    { host: null, port: 40_123 },
  ])
  assert.deepEqual(found.dht, { use: 'none', nodes: 0, host: null, port: null, nat: 'unknown' })

  await start(t, { known_hosts: [`${OURS}:${a.port}`] })
  await until('a member says as what it sees the device', async () => (await network()).seenAs.length === 1)
  assert.deepEqual((await network()).seenAs, [{ host: OURS, devices: 1 }])
  const words = formatStatus(await a.control.status())
  assert.match(
    words,
    new RegExp(
      `\nnetwork: TCP port ${a.port} of 127\\.0\\.0\\.1; the router 127\\.0\\.0\\.2 opened 127\\.0\\.0\\.1:40123 by PCP; members are told 127\\.0\\.0\\.1:40123`,
    ),
  )
  assert.match(words, /; 1 member sees 127\.0\.0\.1\n/)

  await a.stop()
  assert.equal(router.table.size, 0)
})

test('a router that never answers holds up neither the start nor the end, and the status says what is tried', async (t) => {
  const router = await MockRouter.open(t, { speaks: [] })
  const a = await start(t, { use_upnp: true }, { gateway: router.gateway })
  const { network } = await a.control.status()
  assert.equal(network?.mapping.state, 'asking')
  await a.stop()
})

test('without use_upnp no router is asked; external_port is told', async (t) => {
  const router = await MockRouter.open(t, { speaks: ['pcp', 'natpmp', 'upnp'] })
  const a = await start(t, { external_port: 443 }, { gateway: router.gateway })
  const { network } = await a.control.status()
  assert.deepEqual([network?.mapping.state, network?.told], ['off', [{ host: null, port: 443 }]])
  assert.match(
    formatStatus(await a.control.status()),
    /members are told port 443 of the address that they see/,
  )
  await a.stop()
  assert.deepEqual(router.asked, [])
})

test('use_upnp behind a proxy: the router is not asked, and no address of ours is told', async (t) => {
  const router = await MockRouter.open(t, { speaks: ['pcp'], externalHost: OURS, grants: () => 40_123 })
  const proxy = { proxy_type: 'socks5', proxy_addr: '127.0.0.1', proxy_port: 1 }
  const keys = { use_upnp: true, external_port: 40_000, ...proxy }
  const hidden = await start(t, keys, { gateway: router.gateway })
  const open = await start(t, { ...keys, proxy_allow_direct: true }, { gateway: router.gateway })
  await until('the other one has asked the router', async () => {
    return (await open.control.status()).network!.mapping.state === 'mapped'
  })
  const { mapping, told } = (await hidden.control.status()).network!
  assert.deepEqual([mapping.state, told], ['off', []])
  assert.deepEqual(
    [...new Set(router.asked.map((each) => 'internalPort' in each && each.internalPort))],
    [open.port],
  )
})
