// What no hole can be punched through: two symmetric NATs. Without a relay there is no way, and that is told; with one the
// file comes, only for shares whose pass the relay was given; and a better way that appears later takes over.
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { formatSecret, type Secret, writeSecretOf } from '../../../src/core/secret.js'
import type { Host, Lab, Lan, LinkShape } from '../lab.js'
import { type Meeting, meet, tellLogs, wayOf } from '../meeting.js'
import { eventually, LabNode, type NodeOptions, pause, runShoal, spawnShoal, startDht } from '../node.js'
import { type Context, expect, type Row, type Scenario } from '../scenario.js'

const LINE_BITS = 20e6
const LINE: LinkShape = { forth: { delayMs: 10, rateBitsPerSecond: LINE_BITS } }
const BYTES = 8 << 20
const RELAY_PORT = 44_500
const TABLE = 'Who finds whom'
/** So long it is waited for that nothing happens. */
const NOTHING_S = 25

export const relayed: readonly Scenario[] = [
  {
    ...{ name: 'nat-to-nat-symmetric-symmetric', table: TABLE, limitS: 120 },
    async run(context) {
      const { has, wants } = await apart(context.lab)
      const dht = await dhtOf(context.lab)
      await nothing(nodesOf(context, [has, wants], dht))
      return [
        {
          network: 'behind symmetric NAT and symmetric NAT, DHT only',
          ...{ 'first byte': '', way: 'none', rate: '', "of the link's": '' },
        },
      ]
    },
  },
  {
    ...{ name: 'relay', table: TABLE, limitS: 120, obstacle: noRelay },
    async run(context) {
      const { has, wants } = await apart(context.lab)
      const secret = newSecret()
      const relay = await startRelay(context, [secret])
      const dht = await dhtOf(context.lab)
      const config = { ...dht, config: { ...dht.config, relays: [relay] } }
      const meeting: Meeting = {
        ...{ has, wants, secret, hasConfig: config, wantsConfig: config, bytes: BYTES },
        ...{ limitBitsPerSecond: LINE_BITS, ways: ['relayed'] },
      }
      const { row } = await meet(context, meeting)
      return [{ network: 'behind symmetric NAT and symmetric NAT, DHT and a relay', ...row }]
    },
  },
  {
    ...{ name: 'relay-only', table: TABLE, limitS: 120, obstacle: noRelay },
    async run(context) {
      const { has, wants } = await apart(context.lab)
      const secret = newSecret()
      const relay = await startRelay(context, [secret])
      const config = { config: { relays: [relay] } }
      const meeting: Meeting = {
        ...{ has, wants, secret, hasConfig: config, wantsConfig: config, bytes: BYTES },
        ...{ limitBitsPerSecond: LINE_BITS, ways: ['relayed'] },
      }
      const { row } = await meet(context, meeting)
      return [{ network: 'behind symmetric NAT and symmetric NAT, a relay only', ...row }]
    },
  },
  {
    ...{ name: 'relay-stranger', table: TABLE, limitS: 120, obstacle: noRelay },
    async run(context) {
      const { has, wants } = await apart(context.lab)
      const relay = await startRelay(context, [newSecret()])
      const config = { config: { relays: [relay] } }
      await nothing(nodesOf(context, [has, wants], config))
      return [
        {
          network: 'the same, but the relay was not given the pass of the share',
          ...{ 'first byte': '', way: 'none', rate: '', "of the link's": '' },
        },
      ]
    },
  },
  {
    ...{ name: 'better-way', table: 'A better way appears', limitS: 150, obstacle: noRelay },
    run: betterWay,
  },
]

/** A relayed transfer goes on over the LAN when one of the two is carried into the other's network. */
async function betterWay(context: Context): Promise<readonly Row[]> {
  const { lab, folder } = context
  const { has, wants, lans } = await apart(lab)
  const secret = newSecret()
  const relay = await startRelay(context, [secret])
  const [first, second] = [has, wants].map(
    (host) =>
      new LabNode({
        ...{ host, secret, home: path.join(folder, host.name) },
        ...{ config: { relays: [relay] }, share: { search_lan: true } },
      }),
  ) as [LabNode, LabNode]
  const content = Buffer.alloc(48 << 20)
  for (let i = 0; i < content.length; i += 4) content.writeUInt32LE((i * 2_654_435_761) >>> 0, i)
  first.write('big.bin', content)
  try {
    await first.start()
    await first.client.settle()
    await second.start()
    const way = async (): Promise<string | undefined> => {
      const [peer] = await second.peers()
      return peer === undefined ? undefined : wayOf(peer.transport, peer.address)
    }
    await eventually(
      'a first MiB over the relay',
      40_000,
      async () => (await second.receivedBytes()) > 1 << 20,
    )
    expect((await way()) === 'relayed', `it comes over the relay at first, not ${await way()}`)
    const before = await second.receivedBytes()
    await lab.join(wants, lans[0], undefined, 'lan2')
    const startMs = performance.now()
    let gapped = 0
    await eventually('the LAN takes over', 90_000, async () => {
      const now = await way()
      if (now === undefined) gapped++
      return now === 'TCP, same network'
    })
    const took = (performance.now() - startMs) / 1000
    await eventually('the whole file', 60_000, () => second.read('big.bin')?.equals(content), 100)
    expect(gapped === 0, 'the other one is never gone in between')
    const received = await second.receivedBytes()
    const twice = received - content.length
    expect(twice <= 8 << 20, `${(twice / 2 ** 20).toFixed(1)} MiB came twice`)
    return [
      {
        case: 'a relayed transfer, and then one of the two is plugged into the LAN of the other one',
        outcome: `the LAN took over after ${took.toFixed(1)} s, ${(before / 2 ** 20).toFixed(0)} MiB had come by the relay; never without a connection, ${(twice / 2 ** 20).toFixed(1)} MiB came twice`,
      },
    ]
  } catch (thrown) {
    tellLogs(context, [first, second])
    throw thrown
  }
}

/** Two homes behind symmetric NATs. */
async function apart(
  lab: Lab,
): Promise<{ readonly has: Host; readonly wants: Host; readonly lans: readonly [Lan, Lan] }> {
  const [has, wants] = [lab.host('has'), lab.host('wants')]
  const lans = [lab.lan('h', { ipv4: '192.168.1' }), lab.lan('w', { ipv4: '192.168.2' })] as const
  for (const [i, lan] of lans.entries()) {
    await lab.router(['h', 'w'][i]!, lan, { nat: 'symmetric', link: LINE })
    await lab.join([has, wants][i]!, lan)
  }
  return { has, wants, lans }
}

/** A relay in the internet that forwards for these shares. */
async function startRelay(context: Context, secrets: readonly Secret[]): Promise<string> {
  const host = context.lab.host('relay')
  await context.lab.publish(host)
  const passes = secrets.map((secret, i) => {
    const file = path.join(context.folder, `secret-${i}`)
    fs.writeFileSync(file, formatSecret(secret), { mode: 0o600 })
    return runShoal(host, ['secret', 'relay-pass', file])
  })
  const allow = path.join(context.folder, 'allow')
  fs.writeFileSync(allow, passes.join(''))
  const place = `${host.address()}:${RELAY_PORT}`
  const child = spawnShoal(host, ['relay', '--listen', place, '--allow', allow])
  child.stderr!.resume()
  await once(child.stdout!, 'data')
  return place
}

async function dhtOf(lab: Lab): Promise<Pick<NodeOptions, 'config' | 'share'>> {
  const nodes = ['dht1', 'dht2', 'dht3'].map((name) => lab.host(name))
  for (const node of nodes) await lab.publish(node)
  return { config: { bootstrap: await startDht(nodes) }, share: { use_dht: true } }
}

/** Two nodes of one new share that are configured alike. */
function nodesOf(
  { folder }: Context,
  hosts: readonly [Host, Host],
  options: Pick<NodeOptions, 'config' | 'share'>,
): [LabNode, LabNode] {
  const secret = newSecret()
  return hosts.map(
    (host) => new LabNode({ host, secret, home: path.join(folder, host.name), ...options }),
  ) as [LabNode, LabNode]
}

async function nothing(nodes: readonly [LabNode, LabNode]): Promise<void> {
  nodes[0].write('first.txt', 'first')
  for (const node of nodes) await node.start()
  await pause(NOTHING_S * 1000)
  for (const node of nodes) {
    const peers = await node.peers()
    expect(peers.length === 0, `no way, but ${peers.map((peer) => wayOf(peer.transport, peer.address))}`)
  }
}

function newSecret(): Secret {
  return writeSecretOf(Buffer.from(crypto.getRandomValues(new Uint8Array(32))))
}

function noRelay(): string | undefined {
  const isThere = fs.existsSync(new URL('../../../src/relay', import.meta.url))
  return isThere ? undefined : 'this version has no relay'
}
