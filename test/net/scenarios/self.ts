// The lab itself: NATs behave as their kind says, and shaped links do what they are told. Measured by programs that know
// nothing of Shoal, since everything else here rests on it.
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Host } from '../lab.js'
import type { Shape } from '../link-model.js'
import { NAT_KINDS, type NatKind } from '../nat.js'
import { natBehaviour, probeServer } from '../probe.js'
import type { NatBehaviour } from '../probe-process.js'
import { type Context, expect, type Row, type Scenario } from '../scenario.js'
import type { UdpFigures } from '../traffic-process.js'

const TRAFFIC = fileURLToPath(new URL('../traffic-process.js', import.meta.url))

const KINDS: Readonly<Record<NatKind, Pick<NatBehaviour, 'mapping' | 'filtering'>>> = {
  'full-cone': { mapping: 'endpoint-independent', filtering: 'endpoint-independent' },
  'address-restricted': { mapping: 'endpoint-independent', filtering: 'address-dependent' },
  'port-restricted': { mapping: 'endpoint-independent', filtering: 'address and port-dependent' },
  symmetric: { mapping: 'address and port-dependent', filtering: 'address and port-dependent' },
}

export const natKinds: Scenario = {
  name: 'self-nat',
  table: 'The NATs of the lab',
  limitS: 60,
  async run({ lab }: Context) {
    const server = await probeServer(lab)
    const rows: Row[] = []
    for (const [i, kind] of NAT_KINDS.entries()) {
      const lan = lab.lan(kind.slice(0, 6), { ipv4: `192.168.${i}` })
      await lab.router(kind.slice(0, 6), lan, { nat: kind })
      const host = lab.host(`h-${kind.slice(0, 6)}`)
      await lab.join(host, lan)
      const { mapping, filtering, isTranslated } = await natBehaviour(host, server)
      expect(isTranslated, `${kind}: addresses are translated`)
      expect(mapping === KINDS[kind].mapping, `${kind}: mapping is ${mapping}`)
      expect(filtering === KINDS[kind].filtering, `${kind}: filtering is ${filtering}`)
      rows.push({ NAT: kind, mapping, filtering })
    }
    return rows
  },
}

interface LinkCase {
  readonly name: string
  readonly shape: Shape
  /** Sent, per second: packets of bytes. */
  readonly packets: number
  readonly bytes: number
}

const LINKS: readonly LinkCase[] = [
  { name: 'delay 75 ms each way', shape: { delayMs: 75 }, packets: 100, bytes: 200 },
  { name: 'delay 20 to 30 ms', shape: { delayMs: 20, jitterMs: 10 }, packets: 100, bytes: 200 },
  { name: 'loss 5 %', shape: { loss: 0.05 }, packets: 2000, bytes: 100 },
  { name: '64 kbit/s', shape: { rateBitsPerSecond: 64_000 }, packets: 20, bytes: 1000 },
  { name: '10 Mbit/s', shape: { rateBitsPerSecond: 10_000_000 }, packets: 1500, bytes: 1400 },
  { name: '40 Mbit/s', shape: { rateBitsPerSecond: 40_000_000 }, packets: 4_500, bytes: 1400 },
]
const SECONDS = 3

export const links: Scenario = {
  name: 'self-links',
  table: 'The links of the lab',
  limitS: 90,
  async run({ lab }: Context) {
    const a = lab.host('a')
    const b = lab.host('b')
    const lan = lab.lan('x', { ipv4: '10.0.0' })
    await lab.join(b, lan)
    const link = (await lab.join(a, lan, { forth: {} }))!
    const rows: Row[] = []
    for (const { name, shape, packets, bytes } of LINKS) {
      const clean: Shape = { delayMs: 0, jitterMs: 0, loss: 0, rateBitsPerSecond: 1e12 }
      await link.set({ ...clean, ...shape }, clean)
      const figures = await send(a, b, packets, bytes)
      const { delayMs = 0, jitterMs = 0, loss, rateBitsPerSecond } = shape
      const { medianMs, lost, bitsPerSecond } = figures
      const median = `${medianMs.toFixed(1)} ms`
      if (rateBitsPerSecond === undefined) {
        const expected = delayMs + jitterMs / 2
        expect(medianMs > expected - 1 && medianMs < expected + 10, `${name}: there and back takes ${median}`)
        const isLost = Math.abs(lost - (loss ?? 0)) < 0.01
        expect(isLost, `${name}: ${(lost * 100).toFixed(1)} % are lost`)
      } else {
        const ratio = bitsPerSecond / rateBitsPerSecond
        expect(ratio > 0.95 && ratio < 1.05, `${name}: ${(bitsPerSecond / 1000).toFixed(0)} kbit/s arrive`)
      }
      rows.push({
        link: name,
        'there and back, median': rateBitsPerSecond === undefined ? median : '',
        lost: rateBitsPerSecond === undefined ? `${(lost * 100).toFixed(1)} %` : '',
        'kbit/s (IP)': rateBitsPerSecond === undefined ? '' : (bitsPerSecond / 1000).toFixed(0),
      })
    }
    await link.set({ delayMs: 0, loss: 0, rateBitsPerSecond: 1e12, largestBytes: 1000 }, {})
    const long = await send(a, b, 20, 1400)
    expect(long.lost === 1, 'an MTU black hole swallows long packets')
    const short = await send(a, b, 20, 800)
    expect(short.lost === 0, 'an MTU black hole lets short packets pass')
    await link.cut()
    expect((await send(a, b, 20, 100)).lost === 1, 'nothing passes a link that is cut')
    return rows
  },
}

async function send(a: Host, b: Host, packets: number, bytes: number): Promise<UdpFigures> {
  const echo = b.spawn(process.execPath, [TRAFFIC, 'echo', b.address()], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(echo.stdout!, 'data')
  const args = ['send', b.address(), String(packets), String(bytes), String(SECONDS)]
  const sender = a.spawn(process.execPath, [TRAFFIC, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  sender.stdout!.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  await once(sender, 'close')
  const ended = once(echo, 'close')
  echo.stdin!.end()
  await ended
  return JSON.parse(text) as UdpFigures
}
