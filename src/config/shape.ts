// The shape of a configuration file: which keys there are, of which type, with which default. Types are as loose as
// BitTorrent Sync's own files are in the wild: numbers may be texts of digits, flags may be "true", "false", 1 or 0.
// What a value means beside others (folders that overlap, ...) is config.ts's. Complaints never quote a text, as it may
// be a secret at the wrong place.
import { isIP } from 'node:net'
import { z } from 'zod'
import { redactSecrets } from '../core/secret-redact.js'
import { formatKey, type KeyPath, type PositionedJson, type Problem } from './json.js'

/** A file whose keys all have a sound shape, defaults filled in; names are the file's. */
export interface ConfigShape {
  readonly device_name?: string | undefined
  readonly listening_port: number
  readonly listen_host?: string | undefined
  readonly storage_path: string
  readonly shared_folders?: readonly ShareShape[] | undefined
  readonly folder_rescan_interval: number
  readonly bootstrap: readonly string[]
  readonly dht_node: boolean
  readonly interfaces?: readonly string[] | undefined
  readonly pid_file?: string | undefined
  /** Days; 0: for ever. */
  readonly sync_trash_ttl: number
  /** MB of 2^20 bytes; absent: no limit. */
  readonly max_file_size_for_versioning?: number | undefined
  /** Seconds. */
  readonly sync_max_time_diff: number
  readonly disk_low_priority: boolean
  /** MB of 2^20 bytes. */
  readonly log_size: number
  /** Days; 0: never. */
  readonly peer_expiration_days: number
  /** kB/s of 1024 bytes; 0: none. */
  readonly download_limit: number
  readonly upload_limit: number
}

export interface ShareShape {
  readonly secret: string | { readonly file: string }
  readonly dir: string
  readonly known_hosts: readonly string[]
  readonly search_lan: boolean
  readonly use_dht: boolean
  readonly use_sync_trash: boolean
  readonly overwrite_changes: boolean
  readonly use_relay_server: boolean
}

export type ShapeResult =
  | { readonly type: 'ok'; readonly shape: ConfigShape; readonly warnings: readonly Problem[] }
  | { readonly type: 'failed'; readonly problems: readonly Problem[] }

/** Keys of BitTorrent Sync that this version knows of and does not honour, at the root and in a shared folder. */
const NOT_YET_ROOT: ReadonlySet<string> = new Set([
  ...['check_for_updates', 'config_refresh_interval', 'directory_root', 'directory_root_policy'],
  ...[
    'disk_min_free_space_gb',
    'display_new_version',

    'external_port',
  ],
  ...['folder_defaults', 'lan_encrypt_data', 'lan_use_tcp', 'max_file_size_diff_for_patching'],
  ...['profiler_enabled', 'proxy_addr'],
  ...['proxy_auth', 'proxy_password', 'proxy_port', 'proxy_type', 'proxy_username', 'rate_limit_local_peers'],
  ...['recv_buf_size', 'send_buf_size', 'use_gui'],
  ...['use_upnp', 'vendor', 'webui'],
])
const NOT_YET_SHARE: ReadonlySet<string> = new Set(['selective_sync', 'use_tracker'])

/** In BitTorrent Sync's range (10 to 999999 seconds, 0 = never); below 10 is for tests. */
const MAX_RESCAN_SECONDS = 999_999
/** As long as a host name may be on Linux; it travels in certificates and greetings. */
const MAX_DEVICE_NAME_BYTES = 64

const text = (what: string, isSound: (text: string) => boolean = () => true): z.ZodType<string> =>
  expected(what, z.string({ error: wrong(what) }), (value) => value !== '' && isSound(value))

const flag: z.ZodType<boolean> = z
  .union([z.boolean(), z.enum(['true', 'false', '1', '0']), z.literal([1, 0])], {
    error: wrong('true or false'),
  })
  .transform((value) => value === true || value === 'true' || Number(value) === 1)

function whole(min: number, max: number, what: string): z.ZodType<number> {
  const digits = z.string().regex(/^\d{1,15}$/, { error: wrong(what) })
  return z
    .union([z.number(), digits], { error: wrong(what) })
    .transform(Number)
    .pipe(expected(what, z.number(), (value) => Number.isInteger(value) && value >= min && value <= max))
}

function list(what: string, item: z.ZodType<string>): z.ZodType<string[]> {
  return z.array(item, { error: wrong(`a list of ${what}`) })
}

const hostPort = text('"host:port" or "[IPv6]:port"', isHostPort)
const path = text('a path', (value) => !value.includes('\0'))

const share = z.object(
  {
    secret: z.union([text('a secret'), z.object({ file: path })], {
      error: wrong('a secret, or {"file": "path of a file that holds it"}'),
    }),
    dir: path,
    known_hosts: list('"host:port"', hostPort).default([]),
    search_lan: flag.default(true),
    use_dht: flag.default(false),
    use_sync_trash: flag.default(true),
    overwrite_changes: flag.default(false),
    use_relay_server: flag.default(true),
  },
  { error: wrong('an object with "secret" and "dir"') },
)

const deviceName = `a text of 1 to ${MAX_DEVICE_NAME_BYTES} bytes without control characters`
const root = z.object(
  {
    device_name: text(deviceName, isDeviceName).optional(),
    listening_port: whole(0, 65_535, 'a port from 1 to 65535, or 0 for any free one').default(0),
    listen_host: text('an IP address', (value) => isIP(value) !== 0).optional(),
    storage_path: path,
    shared_folders: z.array(share, { error: wrong('a list of shared folders') }).optional(),
    folder_rescan_interval: whole(
      0,
      MAX_RESCAN_SECONDS,
      `seconds from 1 to ${MAX_RESCAN_SECONDS}, or 0 for never`,
    ).default(600),
    bootstrap: list('"host:port"', hostPort).default([]),
    dht_node: flag.default(false),
    interfaces: list('interface names or addresses', text('an interface name or address')).optional(),
    pid_file: path.optional(),
    sync_trash_ttl: whole(0, 36_500, 'days from 1 to 36500, or 0 for ever').default(30),
    max_file_size_for_versioning: whole(1, 2 ** 33, 'MB from 1 to 8589934592').optional(),
    sync_max_time_diff: whole(0, 999_999, 'seconds from 0 to 999999').default(600),
    disk_low_priority: flag.default(true),
    log_size: whole(1, 1_000_000, 'MB from 1 to 1000000').default(10),
    peer_expiration_days: whole(0, 999_999, 'days from 1 to 999999, or 0 for never').default(0),
    download_limit: whole(0, 1_000_000_000, 'kB/s from 1 to 1000000000, or 0 for no limit').default(0),
    upload_limit: whole(0, 1_000_000_000, 'kB/s from 1 to 1000000000, or 0 for no limit').default(0),
  },
  { error: wrong('an object in braces') },
)

/** Checks the shape and fills in defaults; unknown keys and keys of later versions are warnings. */
export function checkShape(json: PositionedJson): ShapeResult {
  const result = root.safeParse(json.value)
  if (!result.success)
    return { type: 'failed', problems: result.error.issues.map((issue) => asProblem(json, issue)) }
  const warnings = strangers(json, [], Object.keys(root.shape), NOT_YET_ROOT)
  for (const at of (result.data.shared_folders ?? []).keys())
    warnings.push(...strangers(json, ['shared_folders', at], Object.keys(share.shape), NOT_YET_SHARE))
  return { type: 'ok', shape: result.data, warnings }
}

function asProblem(
  json: PositionedJson,
  issue: { readonly path: PropertyKey[]; readonly message: string },
): Problem {
  const at = issue.path as KeyPath
  return { position: json.positionOf(at), key: formatKey(at), message: issue.message }
}

function strangers(
  json: PositionedJson,
  at: KeyPath,
  known: string[],
  notYet: ReadonlySet<string>,
): Problem[] {
  return json
    .keysAt(at)
    .filter(({ key }) => !known.includes(key))
    .map(({ key, position }) => ({
      position,
      key: printable(formatKey([...at, key])),
      ...(notYet.has(key)
        ? { message: 'is not honoured yet by this version and has no effect', notYet: true }
        : { message: 'is not a key of this place and has no effect' }),
    }))
}

/** A key as it may be shown: a file may hold anything as a key, even a secret. */
function printable(key: string): string {
  return redactSecrets(JSON.stringify(key.slice(0, 80)).slice(1, -1))
}

function expected<T>(what: string, schema: z.ZodType<T, T>, isSound: (value: T) => boolean): z.ZodType<T, T> {
  return schema.refine(isSound, { error: wrong(what) })
}

/** A complaint that says what stands there, never a text's own words, and what should. */
function wrong(what: string): (issue: { readonly input?: unknown }) => string {
  return ({ input }) => `${found(input)}, expected ${what}`
}

function found(input: unknown): string {
  if (input === undefined) return 'is missing'
  if (typeof input === 'string')
    return input === '' ? 'is an empty text' : `is a text of ${input.length} characters`
  if (Array.isArray(input)) return 'is a list'
  if (typeof input === 'object' && input !== null) return 'is an object'
  return `is ${input}`
}

function isDeviceName(name: string): boolean {
  return Buffer.byteLength(name) <= MAX_DEVICE_NAME_BYTES && name.isWellFormed() && !/\p{Cc}/u.test(name)
}

/** A name or IPv4 address, or an IPv6 address in brackets, and a port from 1 to 65535. */
function isHostPort(value: string): boolean {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s/]{1,253})):([1-9]\d{0,4})$/.exec(value)
  if (match === null || Number(match[3]) > 65_535) return false
  const [, ipv6, name] = match
  return ipv6 !== undefined ? isIP(ipv6) === 6 : /^[\w-]+(\.[\w-]+)*\.?$/.test(name!)
}
