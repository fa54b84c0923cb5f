// What `shoal doctor net` says of facts: each check with a bad case and the good one beside it. No network is looked at.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { MappingReport } from '../../src/control/schema-network.js'
import {
  checkDht,
  checkFirewall,
  checkListening,
  checkOutside,
  checkPackets,
  checkPeers,
  checkRelays,
  type OutsideFacts,
  type PeerFacts,
} from '../../src/doctor/checks/reach.js'
import type { Finding } from '../../src/doctor/finding.js'
import { dropsInput } from '../../src/doctor/probes/reach.js'

type Expected = readonly (readonly [level: Finding['level'], text: RegExp, todo?: RegExp])[]

function cases(
  list: readonly (readonly [name: string, findings: readonly Finding[], expect: Expected])[],
): void {
  for (const [name, findings, expect] of list)
    it(name, () => {
      assert.deepEqual(
        findings.map(({ level }) => level),
        expect.map(([level]) => level),
        JSON.stringify(findings),
      )
      for (const [at, [level, text, todo]] of expect.entries()) {
        const finding = findings[at]!
        assert.match(finding.text, text)
        assert.equal(finding.todo === null, level === 'ok', 'what is not well has something to do')
        if (todo !== undefined) assert.match(finding.todo ?? '', todo)
      }
    })
}

describe('what is listened on', () => {
  const all = { port: 44_444, host: undefined, addresses: ['192.168.1.5', 'fe80::1', '2001:db8::5'] }
  cases([
    [
      'all addresses',
      checkListening(all),
      [['ok', /^TCP port 44444: 192\.168\.1\.5 \(of a private network\), 2001:db8::5 \(known everywhere\)$/]],
    ],
    ['IPv4 alone', checkListening({ ...all, host: '0.0.0.0' }), [['ok', /, IPv4 alone: 192\.168\.1\.5/]]],
    [
      'loopback',
      checkListening({ ...all, host: '127.0.0.1' }),
      [['warn', /only this machine/, /listen_host/]],
    ],
    [
      'no network',
      checkListening({ ...all, addresses: ['fe80::1'] }),
      [['warn', /no address but its own loopback/, /ip addr/]],
    ],
    [
      'no port yet',
      checkListening({ ...all, port: undefined }),
      [['ok', /^a port that the first start picks/]],
    ],
  ])
})

describe('firewalls', () => {
  cases([
    ['none', checkFirewall({ port: 4, kind: 'none' }), [['ok', /none seen/]]],
    ['ufw', checkFirewall({ port: 4, kind: 'ufw' }), [['warn', /ufw/, /ufw allow 4\/tcp/]]],
    [
      'firewalld',
      checkFirewall({ port: undefined, kind: 'firewalld' }),
      [['warn', /firewalld/, /--add-port=PORT\/tcp/]],
    ],
    ['rules that drop', checkFirewall({ port: 4, kind: 'drops' }), [['warn', /drop/, /tcp dport 4 accept/]]],
  ])
  it('large packets: a hint where the kernel would not find out, a warning where nothing large passes', () => {
    const level = (mtuProbing: number | undefined, stoodStill: number): unknown =>
      checkPackets({ mtuProbing, stoodStill }).map(({ level, todo }) => [
        level,
        todo?.includes('probing = 1'),
      ])
    assert.deepEqual(level(0, 0), [['ok', undefined]])
    assert.deepEqual(level(1, 0), [])
    assert.deepEqual(level(undefined, 0), [])
    assert.deepEqual(level(0, 2), [['warn', true]])
    assert.deepEqual(level(1, 1), [['warn', false]])
  })
  it('nft tells of a chain that drops what comes in', () => {
    const chain = (hook: string, policy: string): string =>
      JSON.stringify({ nftables: [{ metainfo: {} }, { chain: { hook, policy } }] })
    assert.equal(dropsInput(chain('input', 'drop')), true)
    for (const text of [chain('input', 'accept'), chain('forward', 'drop'), '{}', 'no JSON'])
      assert.equal(dropsInput(text), false)
  })
})

describe('the router', () => {
  const none: MappingReport = {
    state: 'off',
    gateway: '192.168.1.1',
    via: null,
    externalHost: null,
    externalPort: null,
    reason: null,
  }
  const mapped: MappingReport = {
    ...none,
    state: 'mapped',
    via: 'upnp',
    externalHost: '203.0.113.7',
    externalPort: 4,
  }
  const facts: OutsideFacts = {
    usesUpnp: true,
    externalPort: 0,
    mapping: mapped,
    seenAs: [],
    relays: 0,
    hasPublic: false,
    hidden: false,
  }
  const seenAs = [{ host: '203.0.113.7', devices: 2 }]
  cases([
    [
      'opened',
      checkOutside({ ...facts, seenAs }),
      [
        ['ok', /192\.168\.1\.1 opened 203\.0\.113\.7:4 by UPnP$/],
        ['ok', /seen as 203\.0\.113\.7 by 2 members/],
      ],
    ],
    [
      'opened by one that does not tell its address',
      checkOutside({ ...facts, mapping: { ...mapped, externalHost: null } }),
      [['ok', /does not tell/]],
    ],
    [
      'behind another router',
      checkOutside({ ...facts, mapping: { ...mapped, externalHost: '192.168.178.2' } }),
      [['warn', /behind another router/, /outer router.*relay/]],
    ],
    [
      'behind the provider’s NAT',
      checkOutside({ ...facts, mapping: { ...mapped, externalHost: '100.64.3.9' } }),
      [['warn', /no address of the internet/]],
    ],
    [
      'a router that lies',
      checkOutside({ ...facts, seenAs: [{ host: '198.51.100.9', devices: 1 }] }),
      [
        ['warn', /members see this device as 198\.51\.100\.9/, /port 4 of both/],
        ['ok', /seen as/],
      ],
    ],
    [
      'seen from the local network alone',
      checkOutside({ ...facts, seenAs: [{ host: '192.168.1.5', devices: 1 }] }),
      [
        ['ok', /opened/],
        ['ok', /192\.168\.1\.5 by 1 member/],
      ],
    ],
    [
      'refused',
      checkOutside({ ...facts, mapping: { ...none, state: 'failed', reason: 'refused' } }),
      [['warn', /192\.168\.1\.1 opens no port: refused/, /external_port; or use a relay/]],
    ],
    [
      'no router',
      checkOutside({ ...facts, mapping: { ...none, gateway: null, state: 'failed', reason: 'no route' } }),
      [['warn', /^no router opens no port|no router/]],
    ],
    [
      'not answered yet',
      checkOutside({ ...facts, mapping: { ...none, state: 'asking' } }),
      [['warn', /not answered yet/, /again/]],
    ],
    [
      'not asked',
      checkOutside({ ...facts, usesUpnp: false, mapping: undefined }),
      [['warn', /no router is asked/, /"use_upnp": true/]],
    ],
    [
      'not asked, with a relay',
      checkOutside({ ...facts, usesUpnp: false, mapping: undefined, relays: 1 }),
      [['ok', /a relay stands by/]],
    ],
    [
      'not asked, with an address of its own',
      checkOutside({ ...facts, usesUpnp: false, hasPublic: true }),
      [['ok', /none is needed/]],
    ],
    [
      'by hand',
      checkOutside({ ...facts, usesUpnp: false, externalPort: 443 }),
      [['ok', /port 443 .* by hand/]],
    ],
    [
      'hidden by a proxy, so nobody is asked and no answer is waited for',
      checkOutside({ ...facts, hidden: true, mapping: { ...none, state: 'off' } }),
      [['ok', /no router is asked .* would go past the proxy/]],
    ],
  ])
})

describe('the DHT', () => {
  const view = { nodes: 3, host: '203.0.113.7', port: 5, nat: 'consistent' } as const
  const facts = { shares: 1, use: 'own', view, relays: 0, hidden: false } as const
  cases([
    ['not used', checkDht({ ...facts, shares: 0 }), [['ok', /no folder uses it/]]],
    ['hidden', checkDht({ ...facts, hidden: true, view: undefined }), [['ok', /off behind the proxy/]]],
    ['none', checkDht({ ...facts, use: 'none', view: undefined }), [['ok', /bootstrap is empty/]]],
    [
      'consistent',
      checkDht(facts),
      [
        ['ok', /your own nodes: 3 nodes answer/],
        ['ok', /hole punching works/],
      ],
    ],
    [
      'open',
      checkDht({ ...facts, use: 'public', view: { ...view, nat: 'open' } }),
      [
        ['ok', /the public DHT/],
        ['ok', /reached unasked/],
      ],
    ],
    [
      'symmetric',
      checkDht({ ...facts, view: { ...view, nat: 'symmetric' } }),
      [
        ['ok', /answer/],
        ['warn', /symmetric/, /relay/],
      ],
    ],
    [
      'symmetric, with a relay',
      checkDht({ ...facts, view: { ...view, nat: 'symmetric' }, relays: 1 }),
      [
        ['ok', /answer/],
        ['ok', /stands by/],
      ],
    ],
    [
      'too few to tell',
      checkDht({ ...facts, view: { nodes: 1, host: null, port: null, nat: 'unknown' } }),
      [
        ['ok', /1 node answers/],
        ['warn', /do not agree/, /again/],
      ],
    ],
    [
      'silent',
      checkDht({ ...facts, view: { nodes: 0, host: null, port: null, nat: 'unknown' } }),
      [['warn', /no node answers/, /UDP/]],
    ],
  ])
})

describe('relays and members', () => {
  const relay = { address: 'r:1', connected: true, problem: null }
  const peer: PeerFacts = {
    name: 'ada',
    transport: 'tcp',
    address: '198.51.100.9:5',
    initiator: false,
    scope: 'public',
  }
  const at = { ...peer, transport: 'relayed', initiator: true } as const
  cases([
    ['a relay', checkRelays([relay]), [['ok', /r:1 stands by/]]],
    [
      'a relay that refuses',
      checkRelays([{ ...relay, problem: 'does not know the pass' }]),
      [['warn', /r:1: does not know the pass/, /relay\.md/]],
    ],
    [
      'a relay that is not there',
      checkRelays([{ ...relay, connected: false }]),
      [['warn', /not connected yet/, /TCP/]],
    ],
    ['no daemon', checkPeers(undefined), [['warn', /does not run/, /start it/]]],
    ['nobody', checkPeers([]), [['warn', /none is connected/, /known_hosts/]]],
    [
      'from outside',
      checkPeers([peer, at]),
      [
        ['ok', /2 members connected: 1 by TCP, 1 through a relay/],
        ['ok', /ada reached this device from outside/],
      ],
    ],
    [
      'all dialled from here',
      checkPeers([{ ...peer, initiator: true }]),
      [['ok', /1 member connected: 1 by TCP$/]],
    ],
  ])
})
