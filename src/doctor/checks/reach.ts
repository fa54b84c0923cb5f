// How a device is reached and why not: what it listens on, what stands before it, and what others see. Pure: facts in,
// findings out. A router that does not help is no failure: who cannot be reached can still reach others.
import type { RelayReport } from '../../control/schema.js'
import type { MappingReport, NetworkReport } from '../../control/schema-network.js'
import { formatEndpoint, type Scope, scopeOf } from '../../swarm/endpoint.js'
import { type Finding, ok, warn } from '../finding.js'
import { countText } from '../sizes.js'

export interface ListenFacts {
  /** TCP; undefined: not picked yet (listening_port 0, never started). */
  readonly port: number | undefined
  /** The IP address that is listened on; undefined: all. */
  readonly host: string | undefined
  /** IP addresses of this machine, without loopback. */
  readonly addresses: readonly string[]
}

const SCOPE_WORDS: Readonly<Record<Scope, string>> = {
  public: 'known everywhere',
  private: 'of a private network',
  link: 'of one cable alone',
  loopback: 'of this machine alone',
}

/** The addresses on which somebody could knock. */
export function checkListening({ port, host, addresses }: ListenFacts): Finding[] {
  const at = port === undefined ? 'a port that the first start picks' : `TCP port ${port}`
  const isAll = host === undefined || host === '::' || host === '0.0.0.0'
  const usable = (isAll ? addresses : [host])
    .filter((address) => host !== '0.0.0.0' || !address.includes(':'))
    .filter((address) => !['link', undefined].includes(scopeOf(address)))
  if (usable.every((address) => scopeOf(address) === 'loopback'))
    return [
      isAll
        ? warn(
            'listening',
            `${at}, and this machine has no address but its own loopback`,
            'is the network up? see ip addr',
          )
        : warn(
            'listening',
            `${at} of ${host}: only this machine reaches it`,
            'leave listen_host out, or name another address',
          ),
    ]
  const shown = usable.map((address) => `${address} (${SCOPE_WORDS[scopeOf(address)!]})`)
  const families = new Set(usable.map((address) => (address.includes(':') ? 'IPv6' : 'IPv4')))
  const only = families.size === 1 ? `, ${[...families][0]} alone` : ''
  return [ok('listening', `${at}${only}: ${shown.join(', ')}`)]
}

export interface FirewallFacts {
  readonly port: number | undefined
  /** What is known to be at work here. */
  readonly kind: 'ufw' | 'firewalld' | 'drops' | 'none'
}

export interface PacketFacts {
  /** net.ipv4.tcp_mtu_probing; undefined: another system. */
  readonly mtuProbing: number | undefined
  /** To so many devices TCP carries nothing large now. */
  readonly stoodStill: number
}

/** Paths that drop large packets and tell nobody: what the system does about them, and whether there is one. */
export function checkPackets({ mtuProbing, stoodStill }: PacketFacts): Finding[] {
  const setting = 'net.ipv4.tcp_mtu_probing'
  if (stoodStill > 0)
    return [
      warn(
        'packets',
        `TCP to ${countText(stoodStill, 'device')} carries small messages and nothing large: a router drops large packets, and other ways are tried`,
        mtuProbing === 0
          ? `${setting} = 1 in /etc/sysctl.d on both ends, or the right MTU on the interface (docs/network.md)`
          : 'the right MTU on the interface of the end behind that router (docs/network.md)',
      ),
    ]
  if (mtuProbing !== 0) return []
  return [
    ok(
      'packets',
      `none is seen to be too large for a path; ${setting} is 0, with 1 Linux would find out by itself`,
    ),
  ]
}

/** A hint: what the firewall lets through is not looked at in detail. */
export function checkFirewall({ port, kind }: FirewallFacts): Finding[] {
  const at = port ?? 'PORT'
  switch (kind) {
    case 'none':
      return [ok('firewall', 'none seen on this machine; one on the way is not seen from here')]
    case 'ufw':
      return [warn('firewall', 'ufw is enabled here', `if it is not done: ufw allow ${at}/tcp`)]
    case 'firewalld':
      return [
        warn(
          'firewall',
          'firewalld runs here',
          `if it is not done: firewall-cmd --permanent --add-port=${at}/tcp`,
        ),
      ]
    case 'drops':
      return [
        warn(
          'firewall',
          'its rules drop what comes in unless they say otherwise',
          `if it is not done, let it in: nft add rule inet filter input tcp dport ${at} accept`,
        ),
      ]
  }
}

const WAYS = { pcp: 'PCP', natpmp: 'NAT-PMP', upnp: 'UPnP' } as const
const BY_HAND = 'forward the TCP port on the router by hand and name it as external_port; or use a relay'

export interface OutsideFacts {
  readonly usesUpnp: boolean
  /** 0: not given. */
  readonly externalPort: number
  /** Undefined: nobody has asked the router. */
  readonly mapping: MappingReport | undefined
  /** As whom members see this device. */
  readonly seenAs: NetworkReport['seenAs']
  readonly relays: number
  /** Whether an interface has an address that is known everywhere. */
  readonly hasPublic: boolean
  /** Whether a proxy is to hide this machine: then no router is asked and no address is told. */
  readonly hidden: boolean
}

/** What the router does, and which address others see. */
export function checkOutside(facts: OutsideFacts): Finding[] {
  return [...checkMapping(facts), ...checkAddress(facts)]
}

function checkMapping({
  usesUpnp,
  externalPort,
  mapping,
  relays,
  hasPublic,
  seenAs,
  hidden,
}: OutsideFacts): Finding[] {
  if (hidden)
    return [ok('mapping', 'no router is asked and members are told no address: that would go past the proxy')]
  if (!usesUpnp) {
    if (externalPort !== 0)
      return [
        ok(
          'mapping',
          `port ${externalPort} of the router was opened by hand (external_port); members are told`,
        ),
      ]
    if (hasPublic)
      return [ok('mapping', 'no router is asked; none is needed, an address here is known everywhere')]
    const text =
      'no router is asked for a port (use_upnp), so only the local network reaches this device unasked'
    if (relays > 0) return [ok('mapping', `${text}; a relay stands by`)]
    return [
      warn('mapping', text, '"use_upnp": true has the router open the port; or external_port, or a relay'),
    ]
  }
  switch (mapping?.state) {
    case undefined:
      return [
        warn(
          'mapping',
          'the router was not asked, and no daemon says what it opened',
          'start the daemon, and ask again',
        ),
      ]
    case 'off':
    case 'asking':
      return [warn('mapping', 'the router has not answered yet', 'ask again in half a minute')]
    case 'failed': {
      const router = mapping.gateway === null ? 'no router' : `the router ${mapping.gateway}`
      const todo = `switch UPnP, NAT-PMP or PCP on there; or ${BY_HAND}`
      return [warn('mapping', `${router} opens no port: ${mapping.reason}`, todo)]
    }
    case 'mapped':
      return [mappedFinding(mapping, seenAs)]
  }
}

function mappedFinding(mapping: MappingReport, seenAs: NetworkReport['seenAs']): Finding {
  const { gateway, via, externalHost } = mapping
  const port = mapping.externalPort ?? 0
  const by = `by ${via === null ? 'its own way' : WAYS[via]}`
  if (externalHost === null)
    return ok('mapping', `the router ${gateway} opened its port ${port} ${by}; it does not tell its address`)
  const outside = formatEndpoint({ host: externalHost, port })
  const scope = scopeOf(externalHost)
  if (scope !== 'public')
    return warn(
      'mapping',
      `the router ${gateway} opened ${outside} ${by}, which is no address of the internet: it stands behind another router, or the provider shares one address among many`,
      `open TCP port ${port} on the outer router too, or make that a bridge; where it is the provider's: IPv6, or a relay`,
    )
  const publicly = seenAs.filter(({ host }) => scopeOf(host) === 'public' && !host.includes(':'))
  if (publicly.length > 0 && publicly.every(({ host }) => host !== externalHost))
    return warn(
      'mapping',
      `the router ${gateway} says that it opened ${outside} ${by}, but members see this device as ${publicly[0]!.host}`,
      `the router's word is wrong, or another one stands before it: members try port ${port} of both`,
    )
  return ok('mapping', `the router ${gateway} opened ${outside} ${by}`)
}

function checkAddress({ seenAs }: OutsideFacts): Finding[] {
  if (seenAs.length === 0) return []
  const list = seenAs.map(({ host, devices }) => `${host} by ${countText(devices, 'member')}`)
  return [ok('outside', `seen as ${list.join(', ')}`)]
}

export interface DhtFacts {
  /** Folders that look for members there. */
  readonly shares: number
  readonly use: 'none' | 'own' | 'public'
  /** Undefined: nobody has asked it. */
  readonly view: Pick<NetworkReport['dht'], 'nodes' | 'host' | 'port' | 'nat'> | undefined
  readonly relays: number
  /** Whether a proxy is to hide this machine: then the DHT is off. */
  readonly hidden: boolean
}

/** Whether the DHT answers, and what kind of NAT it sees. */
export function checkDht({ shares, use, view, relays, hidden }: DhtFacts): Finding[] {
  if (hidden && shares > 0) return [ok('dht', 'off behind the proxy (proxy_allow_direct)')]
  if (shares === 0 || use === 'none')
    return [ok('dht', shares === 0 ? 'no folder uses it' : 'none: bootstrap is empty')]
  const whose = use === 'public' ? 'the public DHT' : 'the DHT of your own nodes'
  if (view === undefined || view.nodes === 0)
    return [
      warn(
        'dht',
        `${whose}: no node answers`,
        use === 'public' ? 'is UDP let out?' : 'do they run, at those UDP ports? is UDP let out?',
      ),
    ]
  const found = ok('dht', `${whose}: ${countText(view.nodes, 'node')} answer${view.nodes === 1 ? 's' : ''}`)
  const seen = view.host === null ? '' : `, seen as ${view.host}`
  switch (view.nat) {
    case 'open':
      return [found, ok('nat', `none before UDP${seen}: reached unasked`)]
    case 'consistent':
      return [
        found,
        ok(
          'nat',
          `one port for all others${seen}: hole punching works, but for those behind a symmetric NAT it takes longer`,
        ),
      ]
    case 'symmetric': {
      const text = `symmetric, another port for each other end${seen}: no hole can be punched to others of that kind`
      if (relays > 0) return [found, ok('nat', `${text}; a relay stands by`)]
      return [found, warn('nat', text, 'have the router open the TCP port (use_upnp), or use a relay')]
    }
    case 'unknown':
      return [
        found,
        warn(
          'nat',
          'the nodes of the DHT do not agree on what they see, or are too few to tell',
          'ask again in a minute; three nodes are the least to tell',
        ),
      ]
  }
}

export function checkRelays(relays: readonly RelayReport[]): Finding[] {
  return relays.map(({ address, connected, problem, todo }) =>
    connected && problem === null
      ? ok('relays', `${address} stands by`)
      : warn(
          'relays',
          `${address}: ${problem ?? 'not connected yet'}`,
          todo ??
            'does it run there, is TCP let through to it, and does it allow the pass of the share? see docs/relay.md',
        ),
  )
}

export interface PeerFacts {
  readonly name: string
  readonly transport: 'tcp' | 'udx' | 'relayed'
  readonly address: string
  /** Whether we dialled. */
  readonly initiator: boolean
  /** How far its address reaches; undefined: it is no address. */
  readonly scope: Scope | undefined
}

/** What the connections that there are show; `peers` undefined: the daemon does not run. */
export function checkPeers(peers: readonly PeerFacts[] | undefined): Finding[] {
  if (peers === undefined)
    return [
      warn('members', 'the daemon does not run, so nobody can say what they see', 'start it, and ask again'),
    ]
  if (peers.length === 0)
    return [
      warn('members', 'none is connected', 'name one by known_hosts, or see to the ways above; do they run?'),
    ]
  const kinds = (['tcp', 'udx', 'relayed'] as const).flatMap((transport) => {
    const count = peers.filter((each) => each.transport === transport).length
    return count === 0
      ? []
      : [`${count} ${transport === 'relayed' ? 'through a relay' : `by ${transport.toUpperCase()}`}`]
  })
  const findings = [ok('members', `${countText(peers.length, 'member')} connected: ${kinds.join(', ')}`)]
  const fromOutside = peers.find(
    ({ transport, initiator, scope }) => transport === 'tcp' && !initiator && scope === 'public',
  )
  if (fromOutside !== undefined)
    findings.push(
      ok('members', `${fromOutside.name} reached this device from outside, ${fromOutside.address}`),
    )
  return findings
}
