// Slow and broken networks: progress whenever the network allows any, dead peers seen in time, memory bounded, few bytes
// while nothing happens.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { writeSecretOf } from '../../../src/core/secret.js'
import { bareTcp } from '../bare-tcp.js'
import type { Host, Lab } from '../lab.js'
import type { Shape } from '../link-model.js'
import { type Meeting, meet, rateText, tellLogs } from '../meeting.js'
import { eventually, LabNode, type NodeOptions, PORT, pause } from '../node.js'
import { type Context, expect, type Row, type Scenario } from '../scenario.js'
import type { ShapedLink } from '../shaper.js'
import { useDht } from './matrix.js'

const MiB = 2 ** 20
/** So soon a peer that went silent is seen to be gone. */
const DEAD_S = 30
/** Bytes a second and peer, both ways together, with all headers. */
const IDLE_BYTES = 100

interface BadLine {
  readonly name: string
  readonly what: string
  readonly shape: Shape
  readonly bytes: number
  readonly leastRatio?: number
  readonly wholeS?: number
  /** Whether a bare TCP connection is measured as well. */
  readonly isCompared?: boolean
  readonly limitBitsPerSecond?: number
  /** Kernel settings of both hosts. */
  readonly settings?: Readonly<Record<string, number>>
}

const LINES: readonly BadLine[] = [
  {
    ...{ isCompared: true, name: 'slow-300-ms', what: '300 ms there and back, 20 Mbit/s', bytes: 8 * MiB },
    ...{ shape: { delayMs: 150, rateBitsPerSecond: 20e6 }, limitBitsPerSecond: 20e6 },
  },
  {
    ...{
      isCompared: true,
      name: 'slow-loss',
      what: '5 % of packets lost each way, 40 ms there and back, 20 Mbit/s',
      bytes: 4 * MiB,
    },
    ...{ shape: { delayMs: 20, loss: 0.05, rateBitsPerSecond: 20e6 }, limitBitsPerSecond: 20e6 },
    // Cubic takes every loss for a queue that is full: at 5 % it is bound to some 2 Mbit/s whoever uses it.
    leastRatio: 0.01,
  },
  {
    ...{ isCompared: true, name: 'slow-64-kbit', what: '64 kbit/s, 100 ms there and back', bytes: 256 << 10 },
    ...{ shape: { delayMs: 50, rateBitsPerSecond: 64e3, queueMs: 1000 }, limitBitsPerSecond: 64e3 },
    leastRatio: 0.5,
  },
  {
    ...{
      isCompared: true,
      name: 'slow-jitter',
      what: '20 to 120 ms each way, 1 % lost, 5 Mbit/s',
      bytes: 2 * MiB,
    },
    ...{ shape: { delayMs: 20, jitterMs: 100, loss: 0.01, rateBitsPerSecond: 5e6 }, limitBitsPerSecond: 5e6 },
    leastRatio: 0.02,
  },
  {
    ...{
      name: 'broken-mtu-probing',
      what: 'packets over 1400 bytes vanish, `tcp_mtu_probing=1`',
      bytes: MiB,
    },
    ...{ shape: { delayMs: 10, rateBitsPerSecond: 20e6, largestBytes: 1400 }, limitBitsPerSecond: 20e6 },
    ...{ leastRatio: 0.01, settings: { 'net.ipv4.tcp_mtu_probing': 1 } },
  },
  {
    ...{ name: 'broken-mtu', what: 'packets over 1400 bytes vanish, nobody says so', bytes: MiB },
    ...{ shape: { delayMs: 10, rateBitsPerSecond: 20e6, largestBytes: 1400 }, limitBitsPerSecond: 20e6 },
    ...{ leastRatio: 0.01, wholeS: 60 },
  },
]

export const broken: readonly Scenario[] = [
  ...LINES.map(badLine),
  {
    name: 'broken-mtu-dht',
    table: 'Slow networks',
    limitS: 150,
    async run(context) {
      const shape: Shape = { delayMs: 10, rateBitsPerSecond: 20e6, largestBytes: 1400 }
      const { has, wants } = await pair(context.lab, shape)
      // As on a system where a program cannot have smaller segments.
      for (const host of [has, wants]) host.set('net.ipv4.tcp_min_snd_mss', 1400)
      const dht = await useDht(context.lab)
      const wantsConfig = { ...dht, share: { ...dht.share, ...knows(has).share } }
      const meeting: Meeting = {
        ...{ has, wants, hasConfig: dht, wantsConfig, bytes: MiB, limitBitsPerSecond: 20e6 },
        ...{ leastRatio: 0.005, ways: ['UDX'], wholeS: 60 },
      }
      const { row } = await meet(context, meeting)
      return [{ network: 'packets over 1400 bytes vanish, no small segments to be had, DHT too', ...row }]
    },
  },
  {
    name: 'slow-dsl',
    table: 'Slow networks',
    limitS: 120,
    run: asymmetricDsl,
  },
  { name: 'broken-half-open', table: 'Broken networks', limitS: 150, run: halfOpen },
  { name: 'broken-stops-reading', table: 'Broken networks', limitS: 180, run: stopsReading },
  { name: 'broken-moved', table: 'Broken networks', limitS: 120, run: moved },
  { name: 'idle', table: 'Idle', limitS: 150, run: idle },
]

function badLine({
  name,
  what,
  shape,
  bytes,
  isCompared = false,
  settings = {},
  ...rest
}: BadLine): Scenario {
  return {
    ...{ name, table: 'Slow networks', limitS: 150 },
    async run(context): Promise<readonly Row[]> {
      const { has, wants } = await pair(context.lab, shape)
      for (const host of [has, wants])
        for (const [key, value] of Object.entries(settings)) host.set(key, value)
      const meeting: Meeting = { has, wants, wantsConfig: knows(has), bytes, ways: ['TCP'], ...rest }
      const { row } = await meet(context, meeting)
      if (!isCompared) return [{ network: what, ...row }]
      const bare = rateText(await bareTcp(has, wants, bytes))
      return [{ network: what, ...row, 'bare TCP': `${bare} (${congestionControl()})` }]
    },
  }
}

/** How this kernel finds out what a line carries: most have cubic, which takes every loss for a full queue. */
function congestionControl(): string {
  return readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim()
}

/** Both directions at once over a line of 16 Mbit/s down and 1 Mbit/s up: the download waits for words that go up. */
async function asymmetricDsl(context: Context): Promise<readonly Row[]> {
  const { lab } = context
  const [has, wants] = [lab.host('home'), lab.host('server')]
  const down: Shape = { delayMs: 15, rateBitsPerSecond: 16e6, queueMs: 300 }
  const up: Shape = { delayMs: 15, rateBitsPerSecond: 1e6, queueMs: 300 }
  await lab.publish(has, { link: { forth: up, back: down } })
  await lab.publish(wants)
  const [home, server] = make(context, [has, wants], [undefined, knows(has)])
  const uploads = Buffer.alloc(MiB, 1)
  const downloads = Buffer.alloc(16 * MiB)
  for (let i = 0; i < downloads.length; i += 4) downloads.writeUInt32LE(i, i)
  for (let i = 0; i < uploads.length; i += 4) uploads.writeUInt32BE(i, i)
  home.write('up.bin', uploads)
  server.write('down.bin', downloads)
  try {
    await home.start()
    await home.client.settle()
    await server.start()
    const startMs = performance.now()
    const timed = async (node: LabNode, name: string, content: Buffer): Promise<number> => {
      await eventually(`all of ${name}`, 90_000, () => node.read(name)?.equals(content), 100)
      return (content.length * 8000) / (performance.now() - startMs)
    }
    const [upRate, downRate] = await Promise.all([
      timed(server, 'up.bin', uploads),
      timed(home, 'down.bin', downloads),
    ])
    expect(upRate > 0.25e6, `${rateText(upRate)} go up`)
    expect(downRate > 1e6, `${rateText(downRate)} come down`)
    const row = (what: string, rate: number, of: number): Row => ({
      ...{ network: what, 'first byte': '', way: 'TCP', rate: rateText(rate) },
      "of the link's": `${((100 * rate) / of).toFixed(0)} %`,
    })
    return [
      row('DSL, 16 Mbit/s down and 1 Mbit/s up, both used: down', downRate, 16e6),
      row('DSL, 16 Mbit/s down and 1 Mbit/s up, both used: up', upRate, 1e6),
    ]
  } catch (thrown) {
    tellLogs(context, [home, server])
    throw thrown
  }
}

/** Packets vanish and neither end is told: both see it in time, and meet again when the link is back. */
async function halfOpen(context: Context): Promise<readonly Row[]> {
  const { has, wants, link, nodes } = await connected(context, { delayMs: 10 })
  await link.cut()
  const cutMs = performance.now()
  const gone = (node: LabNode): Promise<number> =>
    eventually(`${node.host.name} sees that the other one is gone`, DEAD_S * 1000, async () =>
      (await node.peers()).length === 0 ? performance.now() - cutMs : undefined,
    )
  const seen = await Promise.all(nodes.map(gone))
  await pause(20_000)
  await link.heal()
  const healMs = performance.now()
  await eventually('connected again', 60_000, () => areConnected(nodes))
  const again = performance.now() - healMs
  nodes[0].write('after.txt', 'after')
  await eventually('a change arrives', 20_000, () => nodes[1].read('after.txt'))
  return [
    {
      case: 'half-open: packets vanish between two idle nodes',
      outcome: `seen after ${secondsOf(seen[0]!)} by ${has.name}, ${secondsOf(seen[1]!)} by ${wants.name}; ${secondsOf(again)} after the link was back they were connected`,
    },
  ]
}

/** A peer whose kernel takes what fits, and which reads nothing: what is kept for it is bounded, others are served. */
async function stopsReading(context: Context): Promise<readonly Row[]> {
  const { lab } = context
  const hosts = [lab.host('has'), lab.host('stops'), lab.host('other')] as const
  for (const host of hosts) await lab.publish(host, { link: { forth: { rateBitsPerSecond: 50e6 } } })
  const known = knows(hosts[0])
  const [has, stops, other] = make(context, hosts, [undefined, known, known]) as [LabNode, LabNode, LabNode]
  const content = Buffer.alloc(48 * MiB)
  for (let i = 0; i < content.length; i += 4) content.writeUInt32LE((i * 2_654_435_761) >>> 0, i)
  has.write('big.bin', content)
  try {
    await has.start()
    await has.client.settle()
    await stops.start()
    await eventually('a transfer', 30_000, async () => (await stops.receivedBytes()) > MiB)
    const before = has.residentBytes()
    stops.signal('SIGSTOP')
    const stoppedMs = performance.now()
    await other.start()
    let most = before
    const watch = async (): Promise<boolean> => {
      most = Math.max(most, has.residentBytes())
      return (await has.peers()).every(({ name }) => name !== 'stops')
    }
    await eventually('the one that stopped is seen to be gone', DEAD_S * 1000, watch, 200)
    const seenMs = performance.now() - stoppedMs
    await eventually('the other one is served', 60_000, () => other.read('big.bin')?.equals(content), 250)
    most = Math.max(most, has.residentBytes())
    stops.signal('SIGCONT')
    const contMs = performance.now()
    await eventually('it goes on', 90_000, () => stops.read('big.bin')?.equals(content), 250)
    const grown = (most - before) / MiB
    expect(grown < 64, `${grown.toFixed(0)} MiB more are held while it does not read`)
    return [
      {
        case: 'a peer stops reading in the middle of a transfer (SIGSTOP), a third one is served meanwhile',
        outcome: `seen after ${secondsOf(seenMs)}; the sender held ${grown.toFixed(0)} MiB more at most; all was there ${secondsOf(performance.now() - contMs)} after it went on`,
      },
    ]
  } catch (thrown) {
    stops.signal('SIGCONT')
    tellLogs(context, [has, stops, other])
    throw thrown
  }
}

/** A laptop that is carried to another network: its address changes, and packets to the old one vanish. */
async function moved(context: Context): Promise<readonly Row[]> {
  const { wants, nodes } = await connected(context, { delayMs: 10 })
  const old = wants.address()
  const next = old.replace(/\d+$/, '77')
  wants.ip('addr', 'add', `${next}/24`, 'dev', 'wan')
  wants.ip('addr', 'del', `${old}/24`, 'dev', 'wan')
  wants.ip('addr', 'replace', `${next}/24`, 'dev', 'wan')
  const gateway = next.replace(/\d+$/, '1')
  wants.ip('route', 'replace', 'default', 'via', gateway)
  const movedMs = performance.now()
  await eventually('connected from the new address', 60_000, async () =>
    (await nodes[0].peers()).some(({ address }) => address.startsWith(`${next}:`)),
  )
  const again = performance.now() - movedMs
  nodes[0].write('after.txt', 'after')
  await eventually('a change arrives', 20_000, () => nodes[1].read('after.txt'))
  return [{ case: "a node's address changes", outcome: `connected again after ${secondsOf(again)}` }]
}

/** What two nodes that have nothing to say send, by the counters of an interface. */
async function idle(context: Context): Promise<readonly Row[]> {
  const { has, nodes } = await connected(context, { delayMs: 10 })
  for (const node of nodes) await node.client.settle()
  // What follows a meeting: states, addresses, a first look for damage.
  await pause(15_000)
  const seconds = 60
  const before = has.traffic('wan')
  await pause(seconds * 1000)
  const after = has.traffic('wan')
  const sent = (after.sentBytes - before.sentBytes) / seconds
  const received = (after.receivedBytes - before.receivedBytes) / seconds
  expect(sent + received < IDLE_BYTES, `${(sent + received).toFixed(0)} bytes/s pass while nothing happens`)
  return [
    {
      case: `two nodes over TCP, at rest for ${seconds} s`,
      'sent, bytes/s': sent.toFixed(0),
      'received, bytes/s': received.toFixed(0),
    },
  ]
}

/** Two nodes in the internet that are connected and hold the same. */
async function connected(
  context: Context,
  shape: Shape,
): Promise<{
  readonly has: Host
  readonly wants: Host
  readonly link: ShapedLink
  readonly nodes: readonly [LabNode, LabNode]
}> {
  const { has, wants, link } = await pair(context.lab, shape)
  const nodes = make(context, [has, wants], [undefined, knows(has)]) as [LabNode, LabNode]
  nodes[0].write('first.txt', 'first')
  for (const node of nodes) await node.start()
  await eventually('connected', 30_000, () => areConnected(nodes))
  await eventually('the first file', 20_000, () => nodes[1].read('first.txt'))
  return { has, wants, link, nodes }
}

async function pair(
  lab: Lab,
  shape: Shape,
): Promise<{ readonly has: Host; readonly wants: Host; readonly link: ShapedLink }> {
  const [has, wants] = [lab.host('has'), lab.host('wants')]
  await lab.publish(has)
  const link = await lab.publish(wants, { link: { forth: shape } })
  return { has, wants, link }
}

function make(
  { folder }: Context,
  hosts: readonly Host[],
  options: readonly (Pick<NodeOptions, 'config' | 'share'> | undefined)[],
): [LabNode, LabNode, ...LabNode[]] {
  const secret = writeSecretOf(Buffer.from(crypto.getRandomValues(new Uint8Array(32))))
  return hosts.map(
    (host, i) => new LabNode({ host, secret, home: path.join(folder, host.name), ...options[i] }),
  ) as [LabNode, LabNode, ...LabNode[]]
}

async function areConnected(nodes: readonly LabNode[]): Promise<boolean> {
  const peers = await Promise.all(nodes.map((node) => node.peers()))
  return peers.every(({ length }) => length > 0)
}

function knows(host: Host): Pick<NodeOptions, 'share'> {
  return { share: { known_hosts: [`${host.address()}:${PORT}`] } }
}

function secondsOf(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
