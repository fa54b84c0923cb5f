// The router that this machine reaches the internet through over IPv4, and the address that it knows us by. Pure: what the
// kernel and Node say goes in.
import type { NetworkInterfaceInfo } from 'node:os'

export interface Gateway {
  /** IPv4 literal. */
  readonly address: string
  /** Our own address on the way there, and the mask of that network. */
  readonly local: { readonly address: string; readonly netmask: string }
}

/** Of /proc/net/route, proc(5): interface, destination, gateway, flags, ..., metric; addresses in hex, as the CPU has them. */
const FIELDS = { interface: 0, destination: 1, gateway: 2, metric: 6, mask: 7 } as const

/**
 * The default route's gateway, of several that with the least metric.
 * @param routes the content of /proc/net/route
 * @param all what os.networkInterfaces() answers
 * @returns undefined: there is no such route, or no address on its interface
 */
export function defaultGateway(
  routes: string,
  all: NodeJS.Dict<readonly NetworkInterfaceInfo[]>,
): Gateway | undefined {
  const defaults = routes
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[FIELDS.destination] === '00000000' && fields[FIELDS.mask] === '00000000')
    .sort((a, b) => Number(a[FIELDS.metric]) - Number(b[FIELDS.metric]))
  for (const fields of defaults) {
    const address = addressOf(fields[FIELDS.gateway] ?? '')
    if (address === undefined) continue
    const own = (all[fields[FIELDS.interface] ?? ''] ?? []).filter(({ family }) => family === 'IPv4')
    const local = own.find((each) => isSameNetwork(each.address, address, each.netmask)) ?? own[0]
    if (local !== undefined) return { address, local: { address: local.address, netmask: local.netmask } }
  }
  return undefined
}

/** Little-endian hex; undefined for 0.0.0.0, which is a link without a gateway. */
function addressOf(hex: string): string | undefined {
  if (!/^[0-9A-Fa-f]{8}$/.test(hex) || hex === '00000000') return undefined
  return [...Buffer.from(hex, 'hex')].reverse().join('.')
}

function isSameNetwork(a: string, b: string, netmask: string): boolean {
  const mask = numberOf(netmask)
  return (numberOf(a) & mask) === (numberOf(b) & mask)
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, byte) => (sum << 8) | Number(byte), 0)
}
