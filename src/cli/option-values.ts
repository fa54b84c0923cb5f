// How the values of options are read: addresses and times.
import { ShoalError } from '../core/error.js'

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** Reads "host:port" or "[IPv6]:port"; `leastPort` is 0 where any free port will do. Throws USAGE. */
export function parseHostPort(text: string, leastPort: 0 | 1): HostPort {
  const match = /^(?:\[([0-9a-f:.%\w]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(text)
  const port = Number(match?.[3])
  if (match === null || port < leastPort || port > 65_535)
    throw new ShoalError('USAGE', 'expected HOST:PORT, or [IPv6]:PORT')
  return { host: match[1] ?? match[2]!, port }
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Reads "90m", "24h", "7d", "30s". Undefined if it is anything else, or no time at all; upper limits are the daemon's. */
export function parseLife(text: string): number | undefined {
  const match = /^(?!0+\D)(\d{1,9})([smhd])$/.exec(text)
  return match === null ? undefined : Number(match[1]) * UNITS[match[2]!]!
}
