// How the values of options are read: addresses, spans of time and moments.
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

const MOMENT = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?(Z|[+-]\d\d:\d\d)?)?$/

/**
 * Reads "2026-11-20 14:00", "2026-11-20T14:00:30Z", "2026-11-20" (its first moment): milliseconds since 1970, by this
 * machine's time zone unless one is named. Undefined if it is anything else, or there is no such moment.
 */
export function parseMoment(text: string): number | undefined {
  const parts = MOMENT.exec(text.trim())
  if (parts === null) return undefined
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = ''] = parts
  const clock = `${hour}:${minute}:${second}.${fraction.padEnd(3, '0')}`
  const ms = Date.parse(`${year}-${month}-${day}T${clock}${zone}`)
  // The 30th of February would become the 2nd of March.
  const isDay = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() === Number(day)
  return Number.isNaN(ms) || !isDay ? undefined : ms
}
