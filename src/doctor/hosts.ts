// Whether somebody answers at the hosts that a configuration names.
import type { LoadedConfig } from '../config/secrets.js'
import { silentLog } from '../ports/log.js'
import { codeWords } from '../swarm/dial-failure.js'
import { formatEndpoint, parseEndpoint } from '../swarm/endpoint.js'
import { type ProxyDial, type ProxyStanding, proxyDial } from '../swarm/proxy-dial.js'
import type { DaemonFacts } from './checks/daemon.js'
import type { HostFacts } from './checks/network.js'
import { hostResult } from './probes/network.js'

/** Known hosts tried at once. */
const HOSTS_AT_ONCE = 8

/** How this configuration's daemon dials; undefined: directly. */
export function dialOf({ proxy }: Pick<LoadedConfig, 'proxy'>): ProxyDial | undefined {
  return proxy === undefined ? undefined : proxyDial(proxy, silentLog)
}

/**
 * How it stands with the proxy: by what was asked of it here; where nothing was, as the daemon says, or else by whether somebody
 * answers at its port.
 */
export async function tryProxy(
  { proxy }: Pick<LoadedConfig, 'proxy'>,
  dial: ProxyDial,
  daemon: DaemonFacts,
): Promise<ProxyStanding> {
  const standing = dial.standing()
  if (proxy === undefined || standing.hasAnswered || standing.problem !== undefined) return standing
  const told = daemon.state === 'running' ? daemon.report.network?.proxy : undefined
  if (told !== undefined && (told.hasAnswered || told.problem !== null))
    return { ...standing, hasAnswered: told.hasAnswered, problem: told.problem ?? undefined }
  const knock = await hostResult(proxy, formatEndpoint(proxy), new Set())
  if (knock.type !== 'failed') return standing
  return { ...standing, problem: `cannot reach the ${standing.name}: ${codeWords(knock.code)}` }
}

/** Those with which the daemon is connected are not tried. */
export async function tryHosts(
  { shares }: LoadedConfig,
  daemon: DaemonFacts,
  dial: ProxyDial | undefined,
): Promise<HostFacts[]> {
  const addresses = [...new Set(shares.flatMap(({ knownHosts }) => knownHosts))]
  const members = new Set(
    daemon.state === 'running'
      ? daemon.report.shares.flatMap((share) => share.members.flatMap(({ address }) => address ?? []))
      : [],
  )
  const results: HostFacts[] = []
  for (let at = 0; at < addresses.length; at += HOSTS_AT_ONCE)
    results.push(
      ...(await Promise.all(
        addresses.slice(at, at + HOSTS_AT_ONCE).map(async (address): Promise<HostFacts> => {
          const endpoint = parseEndpoint(address)
          if (endpoint === undefined) return { address, result: { type: 'failed', code: 'ENOTFOUND' } }
          return { address, result: await hostResult(endpoint, address, members, dial) }
        }),
      )),
    )
  return results
}
