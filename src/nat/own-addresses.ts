// By which addresses this machine believes to be reachable, beside those that connections show by themselves: what a router
// opened, what was opened by hand, and addresses of its own that are known everywhere. Pure. None of it is proven: a router
// may lie, or stand behind another one; who dials the address expects our key there, so a wrong one costs a dial.
import type { NetworkInterfaceInfo } from 'node:os'
import { scopeOf } from '../swarm/endpoint.js'
import type { MappingState } from './mapping.js'

/** `host` undefined: the one as which each member sees us. */
export interface OwnAddress {
  readonly host: string | undefined
  readonly port: number
}

export interface OwnAddressFacts {
  readonly port: number
  /** The IP address that is listened on; undefined: all. */
  readonly listenHost: string | undefined
  readonly mapping: MappingState
  readonly usesUpnp: boolean
  /** 0: not given. */
  readonly externalPort: number
  /** What os.networkInterfaces() answers. */
  readonly interfaces: NodeJS.Dict<readonly NetworkInterfaceInfo[]>
}

/** Addresses of interfaces: a machine may have many of one network, of which any will do. */
const MAX_OF_INTERFACES = 4

/** The likeliest first, each once. */
export function ownAddresses(facts: OwnAddressFacts): OwnAddress[] {
  const { mapping, usesUpnp, externalPort } = facts
  const list: OwnAddress[] = []
  if (mapping.type === 'mapped') {
    const { externalHost, externalPort: port } = mapping
    if (externalHost !== undefined && scopeOf(externalHost) !== undefined)
      list.push({ host: externalHost, port })
    // What members see outweighs what the router says, who may know no better.
    list.push({ host: undefined, port })
  }
  if (!usesUpnp && externalPort !== 0) list.push({ host: undefined, port: externalPort })
  list.push(...publicAddresses(facts))
  const keys = new Set<string>()
  return list.filter(({ host = '', port }) => {
    const key = `${host} ${port}`
    return !keys.has(key) && keys.add(key)
  })
}

function publicAddresses({ interfaces, listenHost, port }: OwnAddressFacts): OwnAddress[] {
  const isListenedOn = (address: string, isIpv6: boolean): boolean =>
    listenHost === undefined ||
    listenHost === '::' ||
    listenHost === address ||
    (listenHost === '0.0.0.0' && !isIpv6)
  return Object.values(interfaces)
    .flatMap((each) => each ?? [])
    .filter(
      ({ address, family, internal }) =>
        !internal && scopeOf(address) === 'public' && isListenedOn(address, family === 'IPv6'),
    )
    .slice(0, MAX_OF_INTERFACES)
    .map(({ address }) => ({ host: address, port }))
}
