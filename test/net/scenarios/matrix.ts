// The matrix: who finds whom over which way. In each, one daemon has a file and another one, elsewhere, starts and wants
// it. All lines to the internet are those of a home or a small office; the file takes a few seconds.
import type { Host, Lab, LinkShape, Router } from '../lab.js'
import { type Meeting, meet, type Way } from '../meeting.js'
import { NAT_KINDS, type NatKind } from '../nat.js'
import { PORT, startDht } from '../node.js'
import type { Context, Row, Scenario } from '../scenario.js'

/** 10 ms to the next exchange; up and down alike, so that it does not matter who sends. */
const LINE_BITS = 20e6
const LINE: LinkShape = { forth: { delayMs: 10, rateBitsPerSecond: LINE_BITS } }
const BYTES = 8 << 20
const LIMIT_S = 150
const TABLE = 'Who finds whom'

export const matrix: readonly Scenario[] = [
  one('lan-only', 'one LAN, beacon only', async ({ lab }) => {
    const lan = lab.lan('x', { ipv4: '192.168.1' })
    const [has, wants] = hosts(lab)
    await lab.join(has, lan, { forth: { rateBitsPerSecond: 50e6 } })
    await lab.join(wants, lan)
    const share = { share: { search_lan: true } }
    return {
      ...{ has, wants, hasConfig: share, wantsConfig: share },
      ...{ bytes: 2 * BYTES, limitBitsPerSecond: 50e6, ways: ['TCP, same network'] },
    }
  }),
  one('known-hosts', 'two public hosts, `known_hosts` only, by name', async ({ lab }) => {
    const [has, wants] = hosts(lab)
    for (const host of [has, wants]) await lab.publish(host, { link: LINE })
    lab.name('has.lab', has.address())
    return { has, wants, wantsConfig: knows('has.lab'), ...line('TCP') }
  }),
  one('dht-only', 'two public hosts, DHT only', async ({ lab }) => {
    const [has, wants] = hosts(lab)
    for (const host of [has, wants]) await lab.publish(host, { link: LINE })
    const dht = await useDht(lab)
    return { has, wants, hasConfig: dht, wantsConfig: dht, ...line('TCP', 'UDX') }
  }),
  ...NAT_KINDS.map((kind) =>
    one(`nat-to-public-${kind}`, `behind ${kind} NAT, other is public, \`known_hosts\``, async ({ lab }) => {
      const [has, wants] = hosts(lab)
      await home(lab, 'w', wants, kind, 1)
      await lab.publish(has, { link: LINE })
      return { has, wants, wantsConfig: knows(has.address()), ...line('TCP') }
    }),
  ),
  one('public-to-nat', 'public, other behind port-restricted NAT, DHT only', async ({ lab }) => {
    const [has, wants] = hosts(lab)
    await home(lab, 'h', has, 'port-restricted', 1)
    await lab.publish(wants, { link: LINE })
    const dht = await useDht(lab)
    return { has, wants, hasConfig: dht, wantsConfig: dht, ...line('TCP', 'UDX') }
  }),
  ...natPairs().map(([left, right]) =>
    one(`nat-to-nat-${left}-${right}`, `behind ${left} NAT and ${right} NAT, DHT only`, async ({ lab }) => {
      const [has, wants] = hosts(lab)
      await home(lab, 'h', has, left, 1)
      await home(lab, 'w', wants, right, 2)
      const dht = await useDht(lab)
      return { has, wants, hasConfig: dht, wantsConfig: dht, ...line('UDX') }
    }),
  ),
  one('ipv6-only', 'two public hosts with IPv6 alone, `known_hosts`', async ({ lab }) => {
    const [has, wants] = hosts(lab)
    for (const host of [has, wants]) await lab.publish(host, { ipv4: false, ipv6: true, link: LINE })
    return { has, wants, wantsConfig: knows(`[${has.address(6)}]`), ...line('TCP') }
  }),
  one('dual-stack', 'a name with IPv6 and IPv4, both work', async ({ lab }) => {
    const [has, wants] = hosts(lab)
    for (const host of [has, wants]) await lab.publish(host, { ipv6: true, link: LINE })
    lab.name('has.lab', has.address(6), has.address())
    return { has, wants, wantsConfig: knows('has.lab'), ...line('TCP') }
  }),
  one('dual-stack-broken-ipv6', 'a name with IPv6 and IPv4, IPv6 packets vanish', async ({ lab }) => {
    const [has, wants] = hosts(lab)
    for (const host of [has, wants]) await lab.publish(host, { ipv6: true, link: LINE })
    // A route into nothing, as behind a tunnel that is down: nobody says that it does not work.
    const drop = 'table ip6 x { chain forward { type filter hook forward priority 0; policy drop; }; }\n'
    lab.internet().run('nft', ['-f', '-'], drop)
    lab.name('has.lab', has.address(6), has.address())
    return { has, wants, wantsConfig: knows('has.lab'), ...line('TCP') }
  }),
]

function one(
  name: string,
  what: string,
  build: (context: Context) => Promise<Meeting>,
  obstacle?: () => string | undefined,
): Scenario {
  return {
    ...{ name, table: TABLE, limitS: LIMIT_S },
    ...(obstacle === undefined ? {} : { obstacle }),
    async run(context): Promise<readonly Row[]> {
      const { row } = await meet(context, await build(context))
      return [{ network: what, ...row }]
    },
  }
}

function hosts(lab: Lab): [Host, Host] {
  return [lab.host('has'), lab.host('wants')]
}

/** A host in a LAN of its own behind a NAT. */
async function home(lab: Lab, name: string, host: Host, nat: NatKind, number: number): Promise<Router> {
  const lan = lab.lan(name, { ipv4: `192.168.${number}` })
  const router = await lab.router(name, lan, { nat, link: LINE })
  await lab.join(host, lan)
  return router
}

/** DHT nodes in the internet, and the configuration that uses them. */
export async function useDht(lab: Lab): Promise<NonNullable<Meeting['hasConfig']>> {
  const nodes = ['dht1', 'dht2', 'dht3'].map((name) => lab.host(name))
  for (const node of nodes) await lab.publish(node)
  return { config: { bootstrap: await startDht(nodes) }, share: { use_dht: true } }
}

function knows(host: string): NonNullable<Meeting['wantsConfig']> {
  return { share: { known_hosts: [`${host}:${PORT}`] } }
}

function line(...ways: readonly Way[]): Pick<Meeting, 'bytes' | 'limitBitsPerSecond' | 'ways'> {
  return { bytes: BYTES, limitBitsPerSecond: LINE_BITS, ways }
}

/** Every pair of kinds in which a hole can be punched, once. */
function natPairs(): [NatKind, NatKind][] {
  return NAT_KINDS.flatMap((left, i) =>
    NAT_KINDS.slice(i).map((right): [NatKind, NatKind] => [left, right]),
  ).filter(([left, right]) => left !== 'symmetric' || right !== 'symmetric')
}
