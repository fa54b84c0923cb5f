// How a daemon can be reached, in a line of its status.
import type { NetworkReport, ProxyReport } from '../control/schema-network.js'
import { formatCount, printable } from './text.js'

export const WAY_WORDS = { pcp: 'PCP', natpmp: 'NAT-PMP', upnp: 'UPnP' } as const

/** Without its line end. */
export function formatNetwork(network: NetworkReport): string {
  const { listenHost, port, told, seenAs, dht } = network
  const parts = [`TCP port ${listenHost === null ? port : `${port} of ${listenHost}`}`, mapping(network)]
  const hosts = told.filter(({ host }) => host !== null).map((each) => address(each.host!, each.port))
  // A port without a host is told in the words of the mapping, or is the one that was opened by hand.
  const byHand = told.filter(({ host }) => host === null && network.mapping.state !== 'mapped')
  if (hosts.length > 0) parts.push(`members are told ${hosts.join(', ')}`)
  for (const { port: open } of byHand)
    parts.push(`members are told port ${open} of the address that they see`)
  const [seen] = seenAs
  if (seen !== undefined)
    parts.push(`${formatCount(seen.devices, 'member')} ${seen.devices === 1 ? 'sees' : 'see'} ${seen.host}`)
  if (dht.use === 'public') parts.push('the public DHT is asked')
  return `network: ${printable(parts.filter((part) => part !== '').join('; '))}`
}

/** How it stands with the proxy, in a line of its own, without its end. */
export function formatProxyState({ name, problem, hasAnswered }: ProxyReport): string {
  if (problem !== null)
    return `proxy: ${printable(problem)}; nobody is reached but on the local network (shoal doctor net, docs/proxies.md)`
  return `proxy: others are reached through the ${printable(name)}${hasAnswered ? '' : '; nothing was asked of it yet'}`
}

function mapping({ mapping: found }: NetworkReport): string {
  const { state, gateway, via, externalHost, externalPort, reason } = found
  switch (state) {
    case 'off':
      return ''
    case 'asking':
      return `the router ${gateway} is being asked for a port`
    case 'failed':
      return `no router opens the port: ${reason}`
    case 'mapped': {
      const outside = externalHost === null ? `port ${externalPort}` : address(externalHost, externalPort!)
      return `the router ${gateway} opened ${outside} by ${via === null ? 'itself' : WAY_WORDS[via]}`
    }
  }
}

function address(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
