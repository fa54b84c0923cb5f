// Whether somebody answers at the hosts that a configuration names.
import type { LoadedConfig } from '../config/secrets.js'
import { parseEndpoint } from '../swarm/endpoint.js'
import type { DaemonFacts } from './checks/daemon.js'
import type { HostFacts } from './checks/network.js'
import { silentLog } from '../ports/log.js'
import { proxyDial } from '../swarm/proxy-dial.js'
import { hostResult, type ProxyDial } from './probes/network.js'

/** Known hosts tried at once. */
const HOSTS_AT_ONCE = 8

/** How this configuration's daemon dials; undefined: directly. */
export function dialOf({ proxy }: Pick<LoadedConfig, 'proxy'>): ProxyDial | undefined {
  return proxy === undefined ? undefined : proxyDial(proxy, silentLog)
}

/** Those with which the daemon is connected are not tried. */
export async function tryHosts({ shares, proxy }: LoadedConfig, daemon: DaemonFacts): Promise<HostFacts[]> {
  const addresses = [...new Set(shares.flatMap(({ knownHosts }) => knownHosts))]
  const members = new Set(
    daemon.state === 'running'
      ? daemon.report.shares.flatMap((share) => share.members.flatMap(({ address }) => address ?? []))
      : [],
  )
  const dial = dialOf({ ...(proxy === undefined ? {} : { proxy }) })
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
