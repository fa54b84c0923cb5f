// The public DHT belongs to others. Asked only where a configuration uses the DHT and names no nodes; and nothing that is
// run here (tests, benchmarks, examples, scripts) can be such a configuration: whoever uses a DHT names its nodes.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { silentLog } from '../src/ports/log.js'
import type { DhtFinderOptions } from '../src/swarm/dht.js'
import type { DhtFinding } from '../src/swarm/finders.js'
import { isPublicDhtAllowed, PUBLIC_DHT_VARIABLE } from '../src/swarm/public-dht.js'
import { Swarm } from '../src/swarm/swarm.js'
import { repository } from './support/repository.js'
import { until } from './support/until.js'
import { freshDevice, shareKeys } from './swarm/support.js'

/** Folders with what is run here. */
const RUN = ['test', 'bench', 'examples', 'scripts', 'packaging']
/** Turns the DHT on, in any of the ways that a file or an option has for it. */
const USES = /use_?dht['"]?\s*[:=]\s*['"]?(?:true|1|yes|on)\b/i
/** Opens a DHT without the finder. */
const OPENS = /new (?:HyperDHT|Hyperswarm|DhtFinder)\b|from 'hyper(?:dht|swarm)'/
/** They only read or refuse what they write, and start nothing with it. */
const STARTS_NOTHING: ReadonlySet<string> = new Set([
  ...['test/config/schema.test.ts', 'test/control/legacy/api.test.ts', 'test/e2e/added-folders.test.ts'],
])
/** Has a router asked. */
const ASKS_ROUTER = /use_?upnp['"]?\s*[:=]\s*['"]?(?:true|1|yes|on)\b/i
/** With a router that is a mock, or listening where none reaches it: then the real one is not asked. */
const HAS_MOCK = /gateway: router\.gateway|listen_host[^\n]*127\.0\.0\.1/
const ONLY_READ = /^test\/(?:config|control)\//
/** Names the public nodes. */
const PUBLIC = /bootstrap['"]?\s*[:=]\s*['"]public/
const THIS = 'test/public-dht.test.ts'

test('whatever is run here and uses a DHT names its nodes, and the router it asks is a mock', () => {
  const root = fileURLToPath(repository)
  const using: string[] = []
  const wrong: string[] = []
  for (const folder of RUN)
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const name = relative(root, join(entry.parentPath, entry.name))
      if (name === THIS) continue
      const text = readFileSync(join(root, name), 'utf8')
      const uses = USES.test(text) || OPENS.test(text)
      if (uses) using.push(name)
      if (ASKS_ROUTER.test(text) && !HAS_MOCK.test(text) && !ONLY_READ.test(name)) wrong.push(name)
      if ((uses && !/\bbootstrap\b/.test(text) && !STARTS_NOTHING.has(name)) || (PUBLIC.test(text) && !ONLY_READ.test(name)))
        wrong.push(name)
    }
  assert.deepEqual(wrong, [])
  // The search itself finds what there is to find.
  for (const known of ['scripts/demo.mjs', 'test/e2e/mesh.test.ts', 'test/swarm/discovery.test.ts'])
    assert.ok(using.includes(known), known)
})

test('the switch for a whole machine', () => {
  assert.equal(isPublicDhtAllowed({}), true)
  assert.equal(isPublicDhtAllowed({ [PUBLIC_DHT_VARIABLE]: 'off' }), false)
})

/** A swarm whose DHT is a list of what was asked of it. */
async function asked(
  bootstrap: 'public' | readonly string[] | undefined,
  useDht: boolean,
  meanwhile: (swarm: Swarm, calls: string[]) => Promise<void> = async () => undefined,
): Promise<{ calls: string[]; said: string[] }> {
  const calls: string[] = []
  const said: string[] = []
  const makeDht = async (options: DhtFinderOptions): Promise<DhtFinding> => {
    calls.push(`open ${JSON.stringify(options.bootstrap)}`)
    return {
      join: () => calls.push('join'),
      leave: () => calls.push('leave'),
      hush: () => undefined,
      close: async () => void calls.push('close'),
      view: { nodes: 0, host: undefined, port: undefined, nat: 'unknown' },
    }
  }
  const note = (_: object, text: string): void => void said.push(text)
  const swarm = new Swarm({
    device: freshDevice(),
    deviceName: 'here',
    listeningPort: 0,
    listenHost: '127.0.0.1',
    interfaces: [],
    ...(bootstrap === undefined ? {} : { bootstrap }),
    makeDht,
    log: { ...silentLog, info: note, warn: note },
  })
  swarm.addShare({ keys: shareKeys('read')[0]!, knownHosts: [], searchLan: false, useDht })
  try {
    await swarm.start()
    await meanwhile(swarm, calls)
  } finally {
    await swarm.stop()
  }
  return { calls, said: said.filter((text) => text.includes('DHT')) }
}

test('which DHT is asked: nodes of one’s own, the public one where none are named and one is used, or none', async (t) => {
  const before = process.env[PUBLIC_DHT_VARIABLE]
  t.after(() => {
    if (before === undefined) delete process.env[PUBLIC_DHT_VARIABLE]
    else process.env[PUBLIC_DHT_VARIABLE] = before
  })
  const own = await asked(['127.0.0.1:9'], true)
  assert.deepEqual(
    [own.calls[0], own.calls.at(-1), own.said],
    ['open [{"host":"127.0.0.1","port":9}]', 'close', []],
  )
  assert.deepEqual(await asked([], true), { calls: [], said: [] })
  assert.deepEqual(await asked(undefined, true), { calls: [], said: [] })

  // What comes of it is a list: nothing is opened.
  process.env[PUBLIC_DHT_VARIABLE] = 'on'
  assert.deepEqual(await asked('public', false), { calls: [], said: [] })
  const all = await asked('public', true, async (_, calls) => until('joined', () => calls.includes('join')))
  assert.deepEqual(all.calls, ['open "public"', 'join', 'close'])
  assert.match(all.said[0] ?? '', /^use_dht without bootstrap: members are looked for in the public DHT/)
  // As soon as a folder that is added later uses it.
  const late = await asked('public', false, async (swarm, calls) => {
    const isPublic = (): boolean | undefined => swarm.dht?.isPublic
    assert.equal(isPublic(), undefined)
    swarm.addShare({ keys: shareKeys('read')[0]!, knownHosts: [], searchLan: false, useDht: true })
    await until('joined', () => calls.includes('join'))
    assert.equal(isPublic(), true)
  })
  assert.deepEqual(late.calls, ['open "public"', 'join', 'close'])

  process.env[PUBLIC_DHT_VARIABLE] = 'off'
  const forbidden = await asked('public', true)
  assert.deepEqual(forbidden.calls, [])
  assert.match(forbidden.said[0] ?? '', /SHOAL_PUBLIC_DHT=off/)
})
