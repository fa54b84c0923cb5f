// Ports that a router opens, on mocks of routers on loopback: what is asked of them, what becomes of their answers, that it is
// renewed and taken back, and that nothing they do holds up or ends the daemon.
import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { describe, it, type TestContext } from 'node:test'
import { PortMapper, type PortMapperOptions } from '../../src/nat/mapper.js'
import type { MappingState } from '../../src/nat/mapping.js'
import { silentLog } from '../../src/ports/log.js'
import { MockRouter, OURS, ROUTER } from '../support/gateways.js'

const INTERNAL = 22_100

interface Watched {
  readonly mapper: PortMapper
  /** Resolves with the state of that type, now or later. */
  reached<T extends MappingState['type']>(type: T): Promise<Extract<MappingState, { type: T }>>
  next(): Promise<MappingState>
}

function start(
  t: TestContext,
  router: MockRouter | undefined,
  options: Partial<PortMapperOptions> = {},
): Watched {
  const changes = new EventEmitter()
  const mapper = new PortMapper({
    internalPort: INTERNAL,
    externalPort: INTERNAL,
    listenHost: undefined,
    ...(router === undefined ? {} : { gateway: router.gateway }),
    retryMs: 60_000,
    log: silentLog,
    onChange: () => changes.emit('change'),
    ...options,
    work: { attempts: 1, searchMs: 100, ...options.work },
  })
  t.after(() => mapper.stop())
  mapper.start()
  const next = async (): Promise<MappingState> => {
    await once(changes, 'change')
    return mapper.state
  }
  return {
    mapper,
    next,
    async reached(type) {
      while (mapper.state.type !== type) await next()
      return mapper.state as Extract<MappingState, { type: typeof type }>
    },
  }
}

// Side by side: most of the time of each is waiting for answers that do not come.
describe('ports that a router opens', { concurrency: true }, () => {
  it('PCP: opened, renewed, closed at the end', async (t) => {
    const router = await MockRouter.open(t, { speaks: ['pcp'], lifetime: 2 })
    const renewed = (async () => {
      for (;;) {
        await router.next({ by: 'pcp', what: 'map' })
        if (router.count({ what: 'map' }) === 2) return
      }
    })()
    const { mapper, reached } = start(t, router)
    assert.deepEqual(mapper.state, { type: 'asking', gateway: ROUTER })
    const expected = { type: 'mapped', gateway: ROUTER, via: 'pcp', externalPort: INTERNAL }
    assert.deepEqual(await reached('mapped'), { ...expected, externalHost: '203.0.113.7' })
    await renewed
    assert.deepEqual([...router.table], [[INTERNAL, INTERNAL]])
    await mapper.stop()
    assert.deepEqual([...router.table], [], 'the port is closed when stop() resolves')
    assert.equal(router.count({ what: 'unmap', internalPort: INTERNAL }), 1)
  })

  it('NAT-PMP where PCP is not spoken, and the port that the router gives', async (t) => {
    const router = await MockRouter.open(t, { speaks: ['natpmp'], grants: () => 40_001 })
    const { mapper, reached } = start(t, router, { work: { checkEveryMs: 50 } })
    const { via, externalPort } = await reached('mapped')
    assert.deepEqual([via, externalPort], ['natpmp', 40_001])
    // Its address, now and when it has another one.
    while ((await reached('mapped')).externalHost !== '203.0.113.7') await once(router, 'asked')
    router.externalHost = '203.0.113.9'
    while ((await reached('mapped')).externalHost !== '203.0.113.9') await once(router, 'asked')
    await mapper.stop()
    assert.equal(router.table.size, 0)
  })

  it('UPnP: a port that is taken there, another one instead, and that one closed at the end', async (t) => {
    const router = await MockRouter.open(t, {
      speaks: ['upnp'],
      grants: (port) => (port === INTERNAL ? 1 : port),
    })
    const { mapper, reached } = start(t, router)
    const { via, externalPort, externalHost } = await reached('mapped')
    assert.deepEqual([via, externalHost], ['upnp', '203.0.113.7'])
    assert.notEqual(externalPort, INTERNAL)
    assert.deepEqual([...router.table], [[externalPort, INTERNAL]])
    await mapper.stop()
    assert.equal(router.table.size, 0)
  })

  it('UPnP: a router that has forgotten the port is asked again', async (t) => {
    const router = await MockRouter.open(t, { speaks: ['upnp'] })
    const { reached } = start(t, router, { work: { checkEveryMs: 50 }, retryMs: 10 })
    await reached('mapped')
    router.table.clear()
    const { reason } = await reached('failed')
    assert.match(reason, /no such entry/)
    await reached('mapped')
    assert.equal(router.table.get(INTERNAL), INTERNAL)
  })

  it('refused by all that it speaks: the reasons are told', async (t) => {
    const router = await MockRouter.open(t, { speaks: ['pcp', 'upnp'], grants: () => undefined })
    const { mapper, reached } = start(t, router)
    const { gateway, reason } = await reached('failed')
    assert.equal(gateway, ROUTER)
    assert.match(reason, /PCP and NAT-PMP: .*NOT_AUTHORIZED/)
    assert.match(reason, /UPnP: .*(?:606|mock|NotAuthorized)/i)
    await mapper.stop()
    assert.equal(router.count({ what: 'unmap' }), 0, 'what was not opened is not closed')
  })

  it('a router that never answers: told, asked again later, and it holds nothing up', async (t) => {
    const router = await MockRouter.open(t, { speaks: [] })
    const { mapper, reached, next } = start(t, router, { retryMs: 1 })
    assert.match((await reached('failed')).reason, /no response.*UPnP/i)
    assert.equal((await next()).type, 'asking', 'asked again')
    await mapper.stop()
    assert.deepEqual(mapper.state, { type: 'off' })
  })

  it('what a router says of its address is taken only if it is one', async (t) => {
    const router = await MockRouter.open(t, { speaks: ['upnp'], externalHost: 'evil.example; rm -rf /' })
    const { reached } = start(t, router)
    assert.equal((await reached('mapped')).externalHost, undefined)
  })

  for (const [what, hostile] of [
    ['a description elsewhere', { location: 'http://127.0.0.3:9/desc.xml' }],
    ['an endless answer', { body: 'x'.repeat(1 << 20) }],
    ['an answer that is no XML', { body: '<<<&&&' }],
    ['an entity that grows', { body: '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>' }],
  ] as const)
    it(`a hostile router: ${what}`, async (t) => {
      const router = await MockRouter.open(t, { speaks: ['upnp'], ...hostile })
      const { reached } = start(t, router)
      assert.match((await reached('failed')).reason, /UPnP: ./)
    })

  it('garbage instead of PCP and NAT-PMP ends nothing', async (t) => {
    const router = await MockRouter.open(t, { speaks: ['natpmp'] })
    const { reached } = start(t, router, { work: { checkEveryMs: 20 } })
    await reached('mapped')
    const { pmpPort } = router.gateway
    assert.ok(pmpPort > 0)
    router.garbage = true
    for (let times = 0; times < 5; times++) await once(router, 'asked')
    router.garbage = false
    await router.next({ what: 'address' })
    assert.equal((await reached('mapped')).via, 'natpmp')
  })

  it('the thread of another version, after an upgrade beneath the daemon, asks nobody', async (t) => {
    const router = await MockRouter.open(t, { speaks: ['pcp'] })
    const { next } = start(t, router, { work: { version: '0.0.1' } })
    const state = await next()
    assert.match(
      state.type === 'failed' ? state.reason : state.type,
      /version 0\.0\.1 runs, but version .* is installed by now/,
    )
    assert.equal(router.asked.length, 0)
  })

  it('no router, and addresses that no router reaches', async (t) => {
    const router = await MockRouter.open(t, { speaks: ['pcp'] })
    const cases = [
      ['127.0.0.9', /cannot be reached from the router/],
      ['::1', /not IPv4/],
      ['192.0.2.1', /not the address that the router 127\.0\.0\.2 knows, 127\.0\.0\.1/],
    ] as const
    for (const [listenHost, expected] of cases) {
      const { mapper } = start(t, router, { listenHost })
      assert.equal(mapper.state.type, 'failed')
      assert.match(mapper.state.type === 'failed' ? mapper.state.reason : '', expected)
      await mapper.stop()
    }
    assert.equal(router.asked.length, 0)
    const { reached } = start(t, router, { listenHost: OURS })
    await reached('mapped')
  })
})
