// Which network interfaces the LAN beacon may use, from their names or addresses. Pure.
import { BlockList } from 'node:net'
import type { NetworkInterfaceInfo } from 'node:os'

/** An IPv4 address of this machine to announce from and listen on. */
export interface LanInterface {
  readonly name: string
  readonly address: string
  readonly netmask: string
}

/**
 * The IPv4 interfaces to use.
 * @param all what os.networkInterfaces() answers
 * @param allowed names or addresses; undefined: all but loopback
 */
export function lanInterfaces(
  all: NodeJS.Dict<readonly NetworkInterfaceInfo[]>,
  allowed: readonly string[] | undefined,
): LanInterface[] {
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

/** Whether a sender sits on one of these networks; a multicast socket also hears what other programs joined for. */
export function isNear(sender: string, interfaces: readonly LanInterface[]): boolean {
  return interfaces.some(({ address, netmask }) => {
    const network = new BlockList()
    network.addSubnet(address, prefixLength(netmask), 'ipv4')
    return network.check(sender, 'ipv4')
  })
}

function prefixLength(netmask: string): number {
  const ones = netmask.split('.').map((byte) => Number(byte).toString(2).replaceAll('0', '').length)
  return ones.reduce((sum, count) => sum + count, 0)
}
