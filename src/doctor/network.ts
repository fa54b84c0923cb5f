// `shoal doctor net`: how the device of a configuration is reached, and why not. Asks its daemon where one runs, else the
// router and the DHT that it would ask.
import { isIPv4 } from 'node:net'
import { isHidden } from '../config/proxy.js'
import type { LoadedConfig } from '../config/secrets.js'
import { controlClient } from '../control/client.js'
import type { RelayReport } from '../control/schema.js'
import type { NetworkReport } from '../control/schema-network.js'
import { PACKAGE_VERSION } from '../ports/package-version.js'
import { codeWords } from '../swarm/dial-failure.js'
import { parseEndpoint, plainHost, scopeOf } from '../swarm/endpoint.js'
import type { ProxyDial } from '../swarm/proxy-dial.js'
import { checkDaemon, type DaemonFacts } from './checks/daemon.js'
import { checkHosts, checkPort } from './checks/network.js'
import { checkProxy } from './checks/proxy.js'
import {
  checkDht,
  checkFirewall,
  checkListening,
  checkOutside,
  checkPackets,
  checkPeers,
  checkRelays,
  type PeerFacts,
} from './checks/reach.js'
import { type Finding, ok } from './finding.js'
import { dialOf, tryHosts, tryProxy } from './hosts.js'
import { daemonFacts } from './probes/daemon.js'
import { numberIn } from './probes/kernel.js'
import { hostResult, portState } from './probes/network.js'
import { firewallKind, keptPort, ownAddresses, tryDht, tryMapping } from './probes/reach.js'

const ANSWER_MS = 10_000

export interface NetworkOptions {
  readonly config: LoadedConfig
  /** What is looked at now. */
  readonly onStep: (step: string) => void
}

export async function examineNetwork({ config, onStep }: NetworkOptions): Promise<Finding[]> {
  const { listenHost, storagePath, shares } = config
  // What is off behind the proxy is not tried either: the router and the DHT would see this machine.
  const hidden = isHidden(config.proxy)
  const useUpnp = config.useUpnp && !hidden
  const externalPort = hidden ? 0 : config.externalPort
  const bootstrap = hidden ? [] : config.bootstrap
  onStep('daemon')
  const daemon = await daemonFacts(storagePath)
  const report = daemon.state === 'running' ? daemon.report : undefined
  const network = report?.network
  const port = network?.port ?? (config.listeningPort === 0 ? keptPort(storagePath) : config.listeningPort)
  const addresses = ownAddresses()
  onStep('the router')
  // A daemon that has the port, or may have it, is not to lose what the router opened for it.
  const mayTry = useUpnp && daemon.state === 'stopped' && port !== undefined
  const mapping = mayTry ? await tryMapping({ port, externalPort, listenHost }) : network?.mapping
  onStep('the DHT')
  const users = shares.filter(({ useDht }) => useDht).length
  const mayAsk = users > 0 && bootstrap.length > 0 && daemon.state === 'stopped'
  const host = listenHost !== undefined && isIPv4(listenHost) ? listenHost : undefined
  const dht = mayAsk ? await tryDht(bootstrap, host) : network?.dht
  onStep('relays and known hosts')
  const dial = dialOf(config)
  const relays = report?.relays ?? (await tryRelays(config, dial))
  const hosts = await tryHosts(config, daemon, dial)
  const hasPublic = addresses.some((address) => scopeOf(address) === 'public') && isOpen(listenHost)
  return [
    ...checkListening({ port, host: listenHost, addresses }),
    ...(port === undefined
      ? []
      : checkPort({
          key: 'listening_port',
          port,
          host: listenHost,
          state: await portState(port, listenHost, report?.pid),
        })),
    ...checkFirewall({ port, kind: firewallKind() }),
    ...checkPackets({
      mtuProbing: numberIn('/proc/sys/net/ipv4/tcp_mtu_probing'),
      stoodStill: network?.stoodStill ?? 0,
    }),
    ...checkOutside({
      ...{ usesUpnp: useUpnp, externalPort, mapping, seenAs: network?.seenAs ?? [] },
      ...{ relays: config.relays.length, hasPublic, hidden },
    }),
    ...checkDht({ shares: users, use: dhtUse(bootstrap), view: dht, relays: config.relays.length, hidden }),
    ...(config.relays.length === 0 ? [ok('relays', 'none are named (relays)')] : checkRelays(relays)),
    ...(dial === undefined ? [] : checkProxy({ standing: await tryProxy(config, dial, daemon), hidden })),
    ...checkHosts(hosts),
    ...checkDaemon(daemon, PACKAGE_VERSION),
    ...checkPeers(await peersOf(daemon, storagePath)),
  ]
}

/** Whether the address that is listened on may be one that is known everywhere. */
function isOpen(host: string | undefined): boolean {
  return host === undefined || host === '::' || host === '0.0.0.0' || scopeOf(host) === 'public'
}

function dhtUse(bootstrap: LoadedConfig['bootstrap']): NetworkReport['dht']['use'] {
  if (bootstrap === 'public') return 'public'
  return bootstrap.length > 0 ? 'own' : 'none'
}

/** Of a daemon that does not run: whether somebody answers there. */
async function tryRelays({ relays }: LoadedConfig, dial: ProxyDial | undefined): Promise<RelayReport[]> {
  return Promise.all(
    relays.map(async (address) => {
      const endpoint = parseEndpoint(address)
      const result =
        endpoint === undefined
          ? ({ type: 'failed', code: 'ENOTFOUND' } as const)
          : await hostResult(endpoint, address, new Set(), dial)
      return result.type === 'failed'
        ? { address, connected: false, problem: result.detail ?? codeWords(result.code) }
        : { address, connected: true, problem: null }
    }),
  )
}

/** Each member once, as it is connected; undefined: the daemon does not say. */
async function peersOf(daemon: DaemonFacts, storagePath: string): Promise<PeerFacts[] | undefined> {
  if (daemon.state !== 'running') return undefined
  const peers = new Map<string, PeerFacts>()
  const reports = await controlClient(storagePath).peers({ signal: AbortSignal.timeout(ANSWER_MS) })
  for (const { device, name, transport, address, initiator } of reports) {
    const host = parseEndpoint(address)?.host
    const scope = host === undefined ? undefined : scopeOf(plainHost(host))
    peers.set(device, { name, transport, address, initiator, scope })
  }
  return [...peers.values()]
}
