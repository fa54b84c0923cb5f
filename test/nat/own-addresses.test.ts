// Which router, and by which addresses this machine may be reached: values in, values out.
import assert from 'node:assert/strict'
import type { NetworkInterfaceInfo } from 'node:os'
import { test } from 'node:test'
import { defaultGateway } from '../../src/nat/gateway.js'
import { type OwnAddressFacts, ownAddresses } from '../../src/nat/own-addresses.js'

function v4(address: string, netmask = '255.255.255.0', internal = false): NetworkInterfaceInfo {
  return { address, netmask, family: 'IPv4', mac: '', internal, cidr: null }
}

function v6(address: string): NetworkInterfaceInfo {
  return { address, netmask: '', family: 'IPv6', mac: '', internal: false, cidr: null, scopeid: 0 }
}

const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT'
const route = (
  name: string,
  destination: string,
  gateway: string,
  metric: number,
  mask = '00000000',
): string => `${name}\t${destination}\t${gateway}\t0003\t0\t0\t${metric}\t${mask}\t0\t0\t0`

test('the gateway is that of the default route with the least metric', () => {
  const all = { eth0: [v6('fe80::2'), v4('10.0.0.5'), v4('192.168.1.5')], wlan0: [v4('192.168.2.7')] }
  const eth0 = route('eth0', '00000000', '0101A8C0', 100)
  const wlan0 = route('wlan0', '00000000', '0102A8C0', 600)
  const other = route('eth0', '0001A8C0', '00000000', 1, '00FFFFFF')
  const expected = {
    address: '192.168.1.1',
    local: { address: '192.168.1.5', netmask: '255.255.255.0' },
  }
  assert.deepEqual(defaultGateway([HEAD, other, wlan0, eth0].join('\n'), all), expected)
  const byRadio = { address: '192.168.2.1', local: { address: '192.168.2.7', netmask: '255.255.255.0' } }
  assert.deepEqual(defaultGateway([HEAD, wlan0].join('\n'), all), byRadio)
  // A route without a gateway, one over an interface without an address, none, and no table at all.
  assert.deepEqual(
    defaultGateway([HEAD, route('ppp0', '00000000', '00000000', 0), wlan0].join('\n'), all),
    byRadio,
  )
  for (const text of [
    '',
    HEAD,
    [HEAD, other].join('\n'),
    [HEAD, route('tun0', '00000000', '0101A8C0', 0)].join('\n'),
  ])
    assert.equal(defaultGateway(text, all), undefined)
})

const facts: OwnAddressFacts = {
  port: 22_000,
  listenHost: undefined,
  mapping: { type: 'off' },
  usesUpnp: false,
  externalPort: 0,
  interfaces: {},
}
const mapped = { type: 'mapped', gateway: '192.168.1.1', via: 'upnp', externalPort: 4_000 } as const

test('own addresses: of the router, by hand, and those that are known everywhere', () => {
  const cases: readonly [string, Partial<OwnAddressFacts>, (readonly [string | undefined, number])[]][] = [
    ['nothing to tell', {}, []],
    [
      'the router asked in vain',
      { usesUpnp: true, externalPort: 5, mapping: { type: 'failed', gateway: undefined, reason: '' } },
      [],
    ],
    [
      'opened by the router, and as members see us, should it not know better',
      { usesUpnp: true, mapping: { ...mapped, externalHost: '203.0.113.7' } },
      [
        ['203.0.113.7', 4_000],
        [undefined, 4_000],
      ],
    ],
    [
      'no address told',
      { usesUpnp: true, mapping: { ...mapped, externalHost: undefined } },
      [[undefined, 4_000]],
    ],
    [
      'an address that is none',
      { usesUpnp: true, mapping: { ...mapped, externalHost: '0.0.0.0' } },
      [[undefined, 4_000]],
    ],
    ['by hand', { externalPort: 443 }, [[undefined, 443]]],
    [
      'of interfaces',
      {
        interfaces: {
          lo: [v4('127.0.0.1', '255.0.0.0', true)],
          a: [v4('192.168.1.5'), v4('198.51.100.3'), v6('2001:db8::1'), v6('fe80::1')],
        },
      },
      [
        ['198.51.100.3', 22_000],
        ['2001:db8::1', 22_000],
      ],
    ],
    [
      'IPv4 alone',
      { listenHost: '0.0.0.0', interfaces: { a: [v6('2001:db8::1'), v4('198.51.100.3')] } },
      [['198.51.100.3', 22_000]],
    ],
    [
      'one address alone',
      { listenHost: '2001:db8::2', interfaces: { a: [v6('2001:db8::1'), v6('2001:db8::2')] } },
      [['2001:db8::2', 22_000]],
    ],
  ]
  for (const [what, changes, expected] of cases)
    assert.deepEqual(
      ownAddresses({ ...facts, ...changes }).map(({ host, port }) => [host, port]),
      expected,
      what,
    )
  const many = { a: Array.from({ length: 20 }, (_, at) => v6(`2001:db8::${at + 1}`)) }
  assert.equal(ownAddresses({ ...facts, interfaces: many }).length, 4)
})
