// How what runs by a configuration leaves this machine: by its proxy where it names one, and then by nothing that would show
// where the machine is (isHidden). One place for the daemon and for all that meets members without it.
import type { Config } from '../config/config.js'
import { isHidden, type ProxyConfig } from '../config/proxy.js'
import type { Log } from '../ports/log.js'
import { type ProxyDial, proxyDial, showProxy } from '../swarm/proxy-dial.js'
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

/** Says at the start what goes through the proxy, and what does not. */
export function tellProxy(proxy: ProxyConfig, log: Log): void {
  const via = `other devices are reached through the ${showProxy(proxy)}`
  const beside = isHidden(proxy)
    ? 'the DHT, hole punching and the port of the router are off, as they would go past it (proxy_allow_direct)'
    : 'the DHT, hole punching and the port of the router, where they are on, go past it and show the address of this machine'
  log.info({}, `${via}, and directly on the local network where they announce themselves; ${beside}`)
}
