// Networks of offices: nothing but a proxy leads out; and what limits leave of a line.
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeSecretOf } from '../../../src/core/secret.js'
import type { Host } from '../lab.js'
import { type Meeting, meet } from '../meeting.js'
import { eventually, LabNode, PORT, pause } from '../node.js'
import { type Context, expect, type Row, type Scenario } from '../scenario.js'

const PROXY = fileURLToPath(new URL('../proxy-process.js', import.meta.url))
const PROXY_PORT = 1080
const LINE_BITS = 20e6
const LIMITED_S = 10
/** kB/s */
const LIMIT = 200
/** Of a TCP packet here: headers of IPv4 and TCP with time stamps. */
const HEADER_BYTES = 52

export const office: readonly Scenario[] = [
  proxyOnly('socks5', 'SOCKS5'),
  proxyOnly('http_connect', 'CONNECT'),
  { name: 'limits', table: 'Limits', limitS: 90, run: limits },
]

function proxyOnly(type: string, kind: string): Scenario {
  return {
    ...{ name: `proxy-only-${type.replace('_', '-')}`, table: 'Who finds whom', limitS: 120 },
    obstacle: () =>
      fs.existsSync(new URL('../../../src/swarm/proxy-dial.js', import.meta.url))
        ? undefined
        : 'this version knows no proxies',
    async run(context) {
      const { lab } = context
      const [has, wants, proxy] = [lab.host('has'), lab.host('wants'), lab.host('proxy')]
      const lan = lab.lan('office', { ipv4: '192.168.1' })
      const link = { forth: { delayMs: 10, rateBitsPerSecond: LINE_BITS } }
      await lab.join(proxy, lan)
      await lab.join(wants, lan)
      await lab.publish(proxy, { link })
      await lab.publish(has, { link })
      const served = await startProxy(proxy)
      const share = { known_hosts: [`${has.address()}:${PORT}`] }
      const config = { proxy_type: type, proxy_addr: proxy.address(), proxy_port: PROXY_PORT }
      const meeting: Meeting = {
        ...{ has, wants, wantsConfig: { config, share }, bytes: 8 << 20 },
        ...{ limitBitsPerSecond: LINE_BITS, ways: ['TCP', 'TCP, same network'] },
      }
      const { row } = await meet(context, meeting)
      expect(
        served.some((line) => line.startsWith(kind)),
        `the proxy was asked by ${kind}: ${served}`,
      )
      return [{ network: `a LAN that only a proxy leads out of, \`${type}\``, ...row }]
    },
  }
}

/** What it connected to, as it goes on. */
async function startProxy(host: Host): Promise<readonly string[]> {
  const child = host.spawn(process.execPath, [PROXY, host.address(), String(PROXY_PORT)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  child.stdout!.setEncoding('utf8').on('data', (text: string) => lines.push(...text.trim().split('\n')))
  await once(child.stdout!, 'data')
  return lines
}

/** Bytes of TCP on the wire, without the headers of packets, while a large file goes out. */
async function limits(context: Context): Promise<readonly Row[]> {
  const { lab, folder } = context
  const [has, wants] = [lab.host('has'), lab.host('wants')]
  const link = await lab.publish(has, { link: { forth: { delayMs: 10, rateBitsPerSecond: 50e6 } } })
  await lab.publish(wants)
  const secret = writeSecretOf(Buffer.from(crypto.getRandomValues(new Uint8Array(32))))
  const make = (host: Host, config: object, share: object): LabNode =>
    new LabNode({
      host,
      secret,
      home: path.join(folder, host.name),
      config: { ...config },
      share: { ...share },
    })
  const first = make(has, { upload_limit: LIMIT }, {})
  const second = make(wants, {}, { known_hosts: [`${has.address()}:${PORT}`] })
  const content = Buffer.alloc(16 << 20)
  for (let i = 0; i < content.length; i += 4) content.writeUInt32LE((i * 2_654_435_761) >>> 0, i)
  first.write('big.bin', content)
  await first.start()
  await first.client.settle()
  await second.start()
  await eventually('a first piece', 30_000, () => second.receivedBytes())
  await pause(3_000)
  const before = (await link.counts()).forth
  const startMs = performance.now()
  await pause(LIMITED_S * 1000)
  const after = (await link.counts()).forth
  const seconds = (performance.now() - startMs) / 1000
  const bytes = after.passedBytes - before.passedBytes - HEADER_BYTES * (after.passed - before.passed)
  const ratio = bytes / seconds / (LIMIT * 1024)
  expect(ratio > 0.95 && ratio < 1.05, `${(ratio * 100).toFixed(1)} % of the limit pass in ${LIMITED_S} s`)
  return [
    {
      limit: `\`"upload_limit": ${LIMIT}\``,
      [`kB/s on the wire, ${LIMITED_S} s`]: (bytes / seconds / 1024).toFixed(1),
      'of the limit': `${(ratio * 100).toFixed(1)} %`,
    },
  ]
}
