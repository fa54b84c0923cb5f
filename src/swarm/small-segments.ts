// Smaller TCP segments for one connection, where the path drops large packets and tells nobody (standstills.ts). The limit
// has to be on the socket before it connects: it goes out with the SYN and so holds for both directions. Node has no such
// option, hence libc's setsockopt (ports/libc.ts); where that cannot be had the connection is made as any other.
import { isIPv6, type Socket } from 'node:net'
import { fromLibc } from '../ports/libc.js'

/** Fits the least MTU of IPv6, 1280: 20 of TCP's header and 40 of IPv6's are not counted. */
const SEGMENT_BYTES = 1220
/** The same on every architecture that Linux runs on. */
const IPPROTO_TCP = 6
const TCP_MAXSEG = 2

/** What a socket of Node's has inside. There is no file descriptor before it is bound. */
interface Handle {
  readonly fd?: number
  bind?(address: string, port: number): number
  bind6?(address: string, port: number, flags: number): number
}

type SetSockOpt = (fd: number, level: number, name: number, value: number[], bytes: number) => number

const setSockOpt = fromLibc<SetSockOpt>(
  'int setsockopt(int fd, int level, int name, const int *value, unsigned int bytes)',
)

/**
 * Asks for small segments; to be called in the same turn as connect(), with the address that it connects to.
 * @returns whether they were had; if not, the socket connects all the same
 */
export function useSmallSegments(socket: Socket, host: string): boolean {
  const setsockopt = setSockOpt()
  const { _handle: handle } = socket as Socket & { readonly _handle?: Handle | null }
  if (setsockopt === undefined || handle === undefined || handle === null) return false
  const failed = isIPv6(host) ? handle.bind6?.('::', 0, 0) : handle.bind?.('0.0.0.0', 0)
  const fd = handle.fd ?? -1
  if (failed !== 0 || fd < 0) return false
  return setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, [SEGMENT_BYTES], 4) === 0
}
