// The kinds of value a configuration file has, as loose as BitTorrent Sync's own files are in the wild: numbers may be
// texts of digits, flags may be "true", "false", 1 or 0, a list of hosts may be one text with commas.
// Promises: a complaint says what stands there and what should, and never quotes a text, as it may be a secret at the
// wrong place.
import { isIP } from 'node:net'
import { z } from 'zod'
import { parseBucketPlace } from '../core/bucket-place.js'

/** A text that is not empty and sound; `what` completes "expected ...". */
export function text(what: string, isSound: (text: string) => boolean = () => true): z.ZodType<string> {
  return expected(what, z.string({ error: wrong(what) }).min(1, { error: wrong(what) }), (value) =>
    value === '' ? true : isSound(value),
  )
}

/** A text that may be empty and is used for nothing here. */
export const anyText: z.ZodType<string> = z.string({ error: wrong('a text') })

/** One that is nobody else's business. */
export const secretText: z.ZodType<string> = z.string({ error: wrongSecret('a text in double quotes') })

export const flag: z.ZodType<boolean> = z
  .union([z.boolean(), z.enum(['true', 'false', '1', '0']), z.literal([1, 0])], {
    error: wrong('true or false'),
  })
  .transform((value) => value === true || value === 'true' || Number(value) === 1)

/** A whole number in a range, ends included. */
export function whole(min: number, max: number, what: string): z.ZodType<number> {
  const error = { error: wrong(what) }
  const number = z.number(error).int(error).min(min, error).max(max, error)
  const digits = z
    .string(error)
    .regex(/^\d{1,15}$/, error)
    .transform(Number)
    .refine((value) => value >= min && value <= max, error)
  return z.union([number, digits], error)
}

const DURATION = /^(\d{1,9})(ms|s|m|h)$/
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** A duration with its unit ("500ms", "2s", "1m", "1h") in a range, ends included, as milliseconds. */
export function duration(min: string, max: string): z.ZodType<number, string> {
  const error = { error: wrong(`a duration from "${min}" to "${max}", such as "500ms", "2s", "1m" or "1h"`) }
  const inRange = (value: string): boolean =>
    durationMs(value) >= durationMs(min) && durationMs(value) <= durationMs(max)
  return z.string(error).regex(DURATION, error).refine(inRange, error).transform(durationMs)
}

/** NaN for what is none. */
function durationMs(value: string): number {
  const [, number, unit] = DURATION.exec(value) ?? []
  return number === undefined ? Number.NaN : Number(number) * UNIT_MS[unit!]!
}

export function list(what: string, item: z.ZodType<string>): z.ZodType<string[]> {
  return z.array(item, { error: wrong(`a list of ${what}`) })
}

/** "host:port" or "[IPv6]:port", the port from 1 to 65535. */
export const hostPort: z.ZodType<string> = text('"host:port" or "[IPv6]:port"', isHostPort)

/** Where a vault lies that is not in a folder; credentials have no place in it. */
export const bucketPlace: z.ZodType<string> = text(
  '"s3://BUCKET/PREFIX" without credentials, which come from AWS_* variables',
  (value) => !('fault' in parseBucketPlace(value)),
)

/** How owners of files are carried. */
export const ownersBy: z.ZodType<'name' | 'number' | 'ignore'> = z.enum(['name', 'number', 'ignore'], {
  error: wrong('"name", "number" or "ignore"'),
})

const accountName = text('the name of a user or group', (value) => !/[\0\n:]|^-/.test(value))

/** Names of users and groups by names. */
export const accountMap: z.ZodType<Record<string, string>> = z.record(z.string(), accountName, {
  error: wrong('an object of names, {"name in the share": "name here"}'),
})

/** Patterns of extended attributes; others than the user's are the system's, and give rights. */
export const xattrPatterns: z.ZodType<string[]> = list(
  'patterns like "user.*"',
  text('a pattern like "user.*"', (value) => /^user\..{1,250}$/s.test(value) && !value.includes('\0')),
)

/** A list of hosts, or one text of them with commas between, as folder_defaults has it. */
export const hosts: z.ZodType<string[]> = z.preprocess(
  (value) =>
    typeof value !== 'string'
      ? value
      : value.split(',').flatMap((host) => (host.trim() === '' ? [] : [host.trim()])),
  list('"host:port"', hostPort),
)

/** A path the system can take. A text that is no Unicode would name another file than it says. */
export const path: z.ZodType<string> = text(
  'a path',
  (value) => !value.includes('\0') && value.isWellFormed(),
)

/** A complaint that says what stands there, never a text's own words, and what should. */
export function wrong(what: string): (issue: { readonly input?: unknown }) => string {
  return ({ input }) => `${found(input)}, expected ${what}`
}

/** The same of what may be a secret: one without its quotes is a number, which is not shown either. */
export function wrongSecret(what: string): (issue: { readonly input?: unknown }) => string {
  return ({ input }) =>
    `${typeof input === 'number' || typeof input === 'boolean' ? 'is no text' : found(input)}, expected ${what}`
}

function expected<T>(what: string, schema: z.ZodType<T, T>, isSound: (value: T) => boolean): z.ZodType<T, T> {
  return schema.refine(isSound, { error: wrong(what) })
}

function found(input: unknown): string {
  if (input === undefined) return 'is missing'
  if (typeof input === 'string')
    return input === ''
      ? 'is an empty text'
      : `is a text of ${input.length} character${input.length === 1 ? '' : 's'}`
  if (Array.isArray(input)) return 'is a list'
  if (typeof input === 'object' && input !== null) return 'is an object'
  return `is ${input}`
}

/** A name or IPv4 address, or an IPv6 address in brackets, and a port from 1 to 65535. */
function isHostPort(value: string): boolean {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s/]{1,253})):([1-9]\d{0,4})$/.exec(value)
  if (match === null || Number(match[3]) > 65_535) return false
  const [, ipv6, name] = match
  return ipv6 !== undefined ? isIP(ipv6) === 6 : /^[\w-]+(\.[\w-]+)*\.?$/.test(name!)
}
