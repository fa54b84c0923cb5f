// Two daemons that are to find each other and move a file: how long until the first byte, over which way, how fast. The
// one that has the file is up and at rest when the other one starts.
import { randomFillSync } from 'node:crypto'
import path from 'node:path'
import { type Secret, writeSecretOf } from '../../src/core/secret.js'
import { scopeOf } from '../../src/swarm/endpoint.js'
import type { Host } from './lab.js'
import { eventually, LabNode, type NodeOptions } from './node.js'
import { type Context, expect, type Row } from './scenario.js'

export type Way = 'TCP, same network' | 'TCP' | 'UDX' | 'relayed'

export interface Meeting {
  readonly has: Host
  readonly wants: Host
  /** Of the share; default: a new one. */
  readonly secret?: Secret
  readonly hasConfig?: Pick<NodeOptions, 'config' | 'share'>
  readonly wantsConfig?: Pick<NodeOptions, 'config' | 'share'>
  /** Bytes of the file. */
  readonly bytes: number
  /** Of the narrowest link between them, the way the file goes; undefined: the kernel's. */
  readonly limitBitsPerSecond?: number
  /** The way that the file is to have come, one of these. */
  readonly ways: readonly Way[]
  /** It fails if there is no byte by then. Default 30 s. */
  readonly firstByteS?: number
  /** Least rate as a share of the limit. Default 0.25: the machine may be busy. */
  readonly leastRatio?: number
  /** It fails if the file is not whole by then. Default 120 s. */
  readonly wholeS?: number
}

export interface Met {
  readonly has: LabNode
  readonly wants: LabNode
  readonly way: Way
  readonly firstByteMs: number
  readonly bitsPerSecond: number
  /** The columns of all tables of meetings. */
  readonly row: Row
}

const FILE = 'file.bin'
/** What arrives is counted by pieces, 256 KiB as a rule: a small file has a small one, so that the first byte shows. */
const FIRST = { name: 'first.txt', content: Buffer.alloc(1000, 'first ') }

/** A file of so many bytes has pieces enough for a steady rate. */
const STEADY_BYTES = 2 << 20

/** @throws Error if they do not meet as expected */
export async function meet(context: Context, meeting: Meeting): Promise<Met> {
  const { secret = writeSecretOf(Buffer.from(crypto.getRandomValues(new Uint8Array(32)))) } = meeting
  const make = (host: Host, options: Pick<NodeOptions, 'config' | 'share'> = {}): LabNode =>
    new LabNode({ host, secret, home: path.join(context.folder, host.name), ...options })
  const has = make(meeting.has, meeting.hasConfig)
  const wants = make(meeting.wants, meeting.wantsConfig)
  const content = randomFillSync(Buffer.alloc(meeting.bytes))
  has.write(FILE, content)
  has.write(FIRST.name, FIRST.content)
  try {
    await has.start()
    await has.client.settle()
    const startMs = performance.now()
    await wants.start()
    const readyMs = performance.now()
    const { firstByteS = 30, wholeS = 120 } = meeting
    const early = await eventually('a first byte', firstByteS * 1000, () => wants.receivedBytes())
    const firstMs = performance.now()
    const [firstPeer] = await wants.peers()
    const firstWay = firstPeer === undefined ? '' : wayOf(firstPeer.transport, firstPeer.address)
    const bitsPerSecond = await rateOf(wants, meeting.bytes, { receivedBytes: early, atMs: firstMs }, wholeS)
    await eventually('the whole file', wholeS * 1000, () => wants.read(FILE)?.equals(content))
    const peer = (await wants.peers())[0]
    expect(peer !== undefined, 'they are connected when the file is there')
    const way = wayOf(peer.transport, peer.address)
    context.say(
      `${meeting.wants.name}: ready ${(readyMs - startMs).toFixed(0)} ms, first byte ${(firstMs - readyMs).toFixed(0)} ms, ` +
        `${way} ${peer.address}, ${(bitsPerSecond / 1e6).toFixed(2)} Mbit/s`,
    )
    expect(meeting.ways.includes(way), `the file comes by ${meeting.ways.join(' or ')}, not ${way}`)
    const limit = meeting.limitBitsPerSecond
    const ratio = limit === undefined ? undefined : bitsPerSecond / limit
    if (ratio !== undefined)
      expect(ratio >= (meeting.leastRatio ?? 0.25), `of the link's rate ${(ratio * 100).toFixed(0)} % is had`)
    const row = {
      'first byte': `${((firstMs - readyMs) / 1000).toFixed(1)} s`,
      way: firstWay === way || firstWay === '' ? way : `${firstWay}, then ${way}`,
      rate: rateText(bitsPerSecond),
      "of the link's": ratio === undefined ? '' : `${(ratio * 100).toFixed(0)} %`,
    }
    return { has, wants, way, firstByteMs: firstMs - readyMs, bitsPerSecond, row }
  } catch (thrown) {
    tellLogs(context, [has, wants])
    throw thrown
  }
}

interface Received {
  readonly receivedBytes: number
  readonly atMs: number
}

/**
 * How fast the file comes, from when some of it is there until all of it is: what begins and ends a transfer is not of the
 * rate. A file of few pieces is counted from the first byte on.
 */
async function rateOf(node: LabNode, bytes: number, first: Received, limitS: number): Promise<number> {
  const reach = (atLeast: number): Promise<Received> =>
    eventually('the whole file', limitS * 1000, async () => {
      const receivedBytes = await node.receivedBytes()
      return receivedBytes < atLeast ? undefined : { receivedBytes, atMs: performance.now() }
    })
  const start = bytes < STEADY_BYTES ? first : await reach(bytes / 8)
  const end = await reach(bytes)
  return ((end.receivedBytes - start.receivedBytes) * 8000) / (end.atMs - start.atMs)
}

/** What a link of this transport to this "host:port" is called in the tables. */
export function wayOf(transport: string, address: string): Way {
  if (transport === 'udx') return 'UDX'
  if (transport === 'relayed') return 'relayed'
  const host = address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  return scopeOf(host) === 'public' ? 'TCP' : 'TCP, same network'
}

export function rateText(bitsPerSecond: number): string {
  return bitsPerSecond >= 1e6
    ? `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s`
    : `${(bitsPerSecond / 1e3).toFixed(1)} kbit/s`
}

/** With SHOAL_NET_LOGS=N, the last N lines of each. */
export function tellLogs({ say }: Pick<Context, 'say'>, nodes: readonly LabNode[]): void {
  const lines = Number(process.env.SHOAL_NET_LOGS ?? 0)
  if (lines === 0) return
  for (const { host, log } of nodes) for (const line of log.slice(-lines)) say(`${host.name} ${line}`)
}
