// What is found of a proxy: by what was asked of it, and where there is nothing to ask it for, by a knock at its port.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { parseConfig } from '../../src/config/config.js'
import type { LoadedConfig } from '../../src/config/secrets.js'
import type { DaemonFacts } from '../../src/doctor/checks/daemon.js'
import { checkProxy } from '../../src/doctor/checks/proxy.js'
import { dialOf, tryProxy } from '../../src/doctor/hosts.js'
import { socksProxy } from '../support/proxies.js'

const stopped: DaemonFacts = { state: 'stopped' }

function withProxy(port: number): Pick<LoadedConfig, 'proxy'> {
  const keys = { storage_path: '/s', proxy_type: 'socks5', proxy_addr: '127.0.0.1', proxy_port: port }
  const { proxy } = parseConfig(JSON.stringify(keys), '/etc/shoal.conf').config
  return proxy === undefined ? {} : { proxy }
}

async function found(config: Pick<LoadedConfig, 'proxy'>, daemon = stopped): Promise<string[]> {
  const standing = await tryProxy(config, dialOf(config)!, daemon)
  return checkProxy({ standing, hidden: true }).map(({ level, text }) => `${level} ${text}`)
}

it('with nothing to ask it for: that somebody answers, or why nobody does', async () => {
  const proxy = await socksProxy()
  const config = withProxy(proxy.port)
  const [there] = await found(config)
  assert.match(there!, /^ok .*: somebody answers there; there is no relay or known host to ask it for/)
  assert.deepEqual(proxy.asked, [])
  await proxy.close()
  const [gone] = await found(config)
  assert.match(
    gone!,
    /^fail cannot reach the SOCKS5 proxy 127\.0\.0\.1:\d+: nobody listens there \(ECONNREFUSED\)/,
  )
})

it('a daemon that has asked it knows more', async () => {
  const proxy = await socksProxy()
  try {
    const name = `SOCKS5 proxy 127.0.0.1:${proxy.port}`
    const says = (report: object): DaemonFacts =>
      ({ state: 'running', report: { network: { proxy: { name, ...report } } } }) as DaemonFacts
    const refused = says({ problem: `the ${name} refuses the name and password`, hasAnswered: false })
    assert.match((await found(withProxy(proxy.port), refused))[0]!, /^fail .*refuses the name and password/)
    const works = says({ problem: null, hasAnswered: true })
    assert.match((await found(withProxy(proxy.port), works))[0]!, /^ok .*: it answers; nothing goes past it/)
  } finally {
    await proxy.close()
  }
})
