// How what runs by a configuration leaves this machine: by its proxy where it names one, and then by nothing that would show
// where the machine is (isHidden). One place for the daemon and for all that meets members without it.
import type { Config } from '../config/config.js'
import { isHidden } from '../config/proxy.js'
import type { Log } from '../ports/log.js'
import { type ProxyDial, proxyDial } from '../swarm/proxy-dial.js'
import type { SwarmOptions } from '../swarm/swarm.js'

/** What of the swarm's options that decides. */
export function wayOut(
  { bootstrap, dhtNode, proxy }: Pick<Config, 'bootstrap' | 'dhtNode' | 'proxy'>,
  log: Log,
): Required<Pick<SwarmOptions, 'bootstrap' | 'dhtNode'>> & { readonly dial?: ProxyDial } {
  // Both show where this machine is to whoever is asked, and no proxy of ours carries UDP.
  const udp = isHidden(proxy) ? { bootstrap: [], dhtNode: false } : { bootstrap, dhtNode }
  return { ...udp, ...(proxy === undefined ? {} : { dial: proxyDial(proxy, log) }) }
}
