// Which network interfaces the LAN beacon may use, from their names or addresses. Pure.
import { BlockList, isIP } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'
import { scopeOf } from './endpoint.js'

/** An IPv4 address of this machine to announce from and listen on. */
export interface LanInterface {
  readonly name: string
  readonly address: string
  readonly netmask: string
}

/** The IPv6 link-local address of an interface: with its zone it is enough to announce from, listen on and be dialled at. */
export interface LinkInterface {
  readonly name: string
  /** As in fe80::1%eth0. */
  readonly address: string
  /** Whether the interface has an IPv4 address, too. */
  readonly hasIPv4: boolean
}

type Interfaces = NodeJS.Dict<readonly NetworkInterfaceInfo[]>

/**
 * The IPv4 interfaces to use.
 * @param all what os.networkInterfaces() answers
 * @param allowed names or addresses; undefined: all but loopback
 */
export function lanInterfaces(all: Interfaces, allowed: readonly string[] | undefined): LanInterface[] {
  const list: LanInterface[] = []
  for (const [name, addresses] of Object.entries(all)) {
    for (const { family, address, netmask, internal } of addresses ?? []) {
      if (family !== 'IPv4') continue
      if (allowed === undefined ? internal : !allowed.includes(name) && !allowed.includes(address)) continue
      list.push({ name, address, netmask })
    }
  }
  return list
}

/** The IPv6 interfaces to use: those that have a link-local address. Parameters as above; any address stands for its interface. */
export function linkInterfaces(all: Interfaces, allowed: readonly string[] | undefined): LinkInterface[] {
  const list: LinkInterface[] = []
  for (const [name, addresses = []] of Object.entries(all)) {
    const local = addresses.find(({ family, address }) => family === 'IPv6' && scopeOf(address) === 'link')
    if (local === undefined) continue
    const isAllowed = allowed?.some(
      (each) => each === name || addresses.some(({ address }) => address === each),
    )
    if (!(isAllowed ?? !local.internal)) continue
    const hasIPv4 = addresses.some(({ family }) => family === 'IPv4')
    list.push({ name, address: `${local.address}%${name}`, hasIPv4 })
  }
  return list
}

/** Whether a sender sits on one of these networks; a multicast socket also hears what other programs joined for. */
export function isNear(sender: string, interfaces: readonly LanInterface[]): boolean {
  if (isIP(sender) !== 4) return false
  return interfaces.some(({ address, netmask }) => {
    const network = new BlockList()
    network.addSubnet(address, prefixLength(netmask), 'ipv4')
    return network.check(sender, 'ipv4')
  })
}

/** The same for the sender of a datagram over IPv6: link-local, and by one of these interfaces. */
export function isOnLink(sender: string, interfaces: readonly LinkInterface[]): boolean {
  const zone = sender.split('%', 2)[1]
  return scopeOf(sender) === 'link' && interfaces.some(({ name }) => name === zone)
}

function prefixLength(netmask: string): number {
  const ones = netmask.split('.').map((byte) => Number(byte).toString(2).replaceAll('0', '').length)
  return ones.reduce((sum, count) => sum + count, 0)
}
