// The keys at the root of a configuration file. Where a default is not BitTorrent Sync's, no data lost ranks before what
// old files were used to, and the text says so.
import { isIP } from 'node:net'
import { z } from 'zod'
import type { LimitRule } from '../core/limit-schedule.js'
import { done, type Keys, notYet, works } from './key-info.js'
import { limitRules, rate } from './limit-rules.js'
import { FOLDER_DEFAULTS, type FolderDefaults, SHARE, type ShareShape } from './share-keys.js'
import { anyText, flag, hostPort, list, path, secretText, text, whole, wrong } from './values.js'
import { WEBUI, type WebuiShape } from './webui-keys.js'

/** A file whose keys all have a sound shape, defaults filled in; names are the file's. */
export interface ConfigShape extends DottedDefaults {
  readonly device_name?: string | undefined
  readonly listening_port: number
  readonly listen_host?: string | undefined
  readonly storage_path: string
  readonly pid_file?: string | undefined
  readonly shared_folders?: readonly ShareShape[] | undefined
  readonly folder_defaults?: FolderDefaults | undefined
  readonly folder_rescan_interval: number
  readonly bootstrap?: readonly string[] | undefined
  readonly use_upnp: boolean
  readonly external_port: number
  readonly dht_node: boolean
  readonly relays: readonly string[]
  readonly interfaces?: readonly string[] | undefined
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
  readonly rate_limit_local_peers: boolean
  readonly limits: readonly LimitRule[]
  readonly webui?: WebuiShape | undefined
  readonly proxy_type?: string | undefined
  readonly proxy_addr?: string | undefined
  readonly proxy_port?: number | undefined
  readonly proxy_auth: boolean
  readonly proxy_username?: string | undefined
  readonly proxy_password?: string | undefined
  readonly proxy_allow_direct: boolean
}

/** The defaults of folders as BitTorrent Sync's own power users write them: with a dot, at the root. */
export type DottedDefaults = {
  readonly [K in keyof FolderDefaults as `folder_defaults.${K}`]: FolderDefaults[K]
}

/** In BitTorrent Sync's range (10 to 999999 seconds, 0 = never); below 10 is for tests. */
const MAX_RESCAN_SECONDS = 999_999
/** As long as a host name may be on Linux; it travels in certificates and greetings. */
const MAX_DEVICE_NAME_BYTES = 64
/** 8 PiB: what a number of bytes can count exactly, in MB. */
const MAX_MB = 2 ** 33

const isSet = (value: number): boolean => value !== 0
const deviceName = `a text of 1 to ${MAX_DEVICE_NAME_BYTES} bytes without control characters`
const megabytes = whole(0, MAX_MB, `MB from 0 to ${MAX_MB}`)

const WORKING: Keys<Omit<ConfigShape, keyof DottedDefaults>> = {
  storage_path: works(
    path,
    { type: 'path', default: 'required' },
    "folder of the daemon's own data and of its control socket; one daemon each. It must not lie in a shared folder",
  ),
  shared_folders: works(
    z
      .array(z.object(SHARE, { error: wrong('an object with "secret" and "dir"') }), {
        error: wrong('a list of shared folders'),
      })
      .optional(),
    { type: 'list', default: 'none' },
    'the shares, below',
  ),
  folder_defaults: works(
    z.object(FOLDER_DEFAULTS, { error: wrong('an object in braces') }).optional(),
    { type: 'object', default: 'none' },
    'what shared folders that leave a key out have, below; also as keys with a dot, `"folder_defaults.use_dht": true`',
  ),
  webui: works(
    z.object(WEBUI, { error: wrong('an object in braces') }).optional(),
    { type: 'object', default: 'none' },
    'the control API over TCP, below',
  ),
  device_name: works(
    text(deviceName, isDeviceName).optional(),
    { type: 'text', default: "the host's name" },
    'shown to other members and part of the names of conflict copies; 1 to 64 bytes, no control characters',
  ),
  listening_port: works(
    whole(0, 65_535, 'a port from 1 to 65535, or 0 for any free one').default(0),
    { type: 'whole number' },
    'TCP port, and UDP port where the DHT is used; 0: one from 20000 to 32767 is picked and kept for every start. Where that one is in use, another is picked and the log says so: `known_hosts` of others may name the old one',
  ),
  listen_host: works(
    text('an IP address', (value) => isIP(value) !== 0).optional(),
    { type: 'text', default: 'all addresses' },
    'IP address to listen on',
  ),
  pid_file: works(
    path.optional(),
    { type: 'path', default: 'none' },
    'file to hold the process id while the daemon runs, mode 0644, removed at the end; it must not lie in a shared folder. One that a crash left is replaced; one that names another daemon, or holds anything but a process id, is an error',
  ),
  folder_rescan_interval: works(
    whole(0, MAX_RESCAN_SECONDS, `seconds from 1 to ${MAX_RESCAN_SECONDS}, or 0 for never`).default(600),
    { type: 'whole number', unit: 'seconds' },
    'time between full scans, 1 to 999999; 0: only at start and when the watcher lost track',
  ),
  sync_trash_ttl: works(
    whole(0, 36_500, 'days from 1 to 36500, or 0 for ever').default(30),
    { type: 'whole number', unit: 'days' },
    'how long the archive keeps what was replaced or deleted, at least; 0: for ever. See [The archive](#the-archive)',
  ),
  max_file_size_for_versioning: works(
    whole(
      1,
      MAX_MB,
      `MB from 1 to ${MAX_MB}; leave it out for no limit, and to keep nothing say "use_sync_trash": false`,
    ).optional(),
    { type: 'whole number', unit: 'MB', default: 'no limit' },
    'larger files are not kept in the archive when others replace or delete them; what somebody wrote here alone is kept all the same. BitTorrent Sync had 1000 and so lost large files without a word; here it is only so where it is asked for',
  ),
  sync_max_time_diff: works(
    whole(0, 999_999, 'seconds from 0 to 999999').default(600),
    { type: 'whole number', unit: 'seconds' },
    'a member whose clock differs by more is a problem in `shoal status`, with its name and by how much; 0: clocks are not looked at. BitTorrent Sync stopped syncing with it; here it syncs all the same, see [Clocks](#clocks)',
  ),
  peer_expiration_days: works(
    whole(0, 999_999, 'days from 1 to 999999, or 0 for never').default(0),
    { type: 'whole number', unit: 'days' },
    'a member that is not connected and was not heard of for so long is shown as expired, and `shoal status --wait` names it but does not wait for it, until it is heard of again; 0: never. Nothing else depends on it. BitTorrent Sync had 7; here every member is waited for unless this is asked for',
  ),
  download_limit: works(
    rate.default(0),
    { type: 'whole number', unit: 'kB/s' },
    'most to receive, of 1024 bytes, for all folders together; 0: no limit. See [limits.md](limits.md)',
  ),
  upload_limit: works(
    rate.default(0),
    { type: 'whole number', unit: 'kB/s' },
    'most to send, of 1024 bytes, for all folders together; 0: no limit',
  ),
  rate_limit_local_peers: works(
    flag.default(false),
    { type: 'flag' },
    'limits count on the local network, too: for peers at private, link-local and loopback addresses',
  ),
  limits: works(
    limitRules.default([]),
    { type: 'list of rules' },
    'other limits at certain times, `[{"days": "mon-fri", "from": "08:00", "to": "18:00", "upload": 200}]`, by the local clock; see [limits.md](limits.md)',
  ),
  proxy_type: works(
    anyText.optional(),
    { type: 'text', default: 'none' },
    'proxy that other devices and relays are reached through: `"socks4"`, `"socks5"` or `"http_connect"`; any other text: none. See [proxies.md](proxies.md)',
  ),
  proxy_addr: works(anyText.optional(), { type: 'text', default: 'none' }, 'its name or address'),
  proxy_port: works(
    whole(0, 65_535, 'a port from 1 to 65535').optional(),
    { type: 'whole number', default: 'none' },
    'its port',
  ),
  proxy_auth: works(flag.default(false), { type: 'flag' }, 'it asks for a name and password'),
  proxy_username: works(secretText.optional(), { type: 'text', default: 'none' }, 'the name'),
  proxy_password: works(
    secretText.optional(),
    { type: 'text', default: 'none' },
    'the password; it is never printed or logged',
  ),
  proxy_allow_direct: works(
    flag.default(false),
    { type: 'flag' },
    'with a proxy: use the DHT, hole punching, `use_upnp` and `external_port` all the same, though they go past it and show the address of this machine',
  ),
  disk_low_priority: works(
    flag.default(true),
    { type: 'flag' },
    'scanning, hashing and clearing the archive give way to other programs: their threads are 10 nicer than the daemon, which lowers their disk priority as well where the disk has a scheduler that knows priorities (BFQ). Receiving and sending files do not',
  ),
  log_size: works(
    whole(1, 1_000_000, 'MB from 1 to 1000000').default(10),
    { type: 'whole number', unit: 'MB' },
    'how far the file of `shoal run --log-file FILE` grows before it is set aside as FILE.old, in place of the one before',
  ),
  bootstrap: works(
    list('"host:port"', hostPort).optional(),
    { type: 'list of `"host:port"`', default: "the public DHT's" },
    "nodes of the DHT that folders with `use_dht` look for devices in. Without it that is the public one of the Holepunch network, and the log and `shoal status` say so; `[]`: none. See [No service of anybody else's](private-infrastructure.md)",
  ),
  dht_node: works(flag.default(false), { type: 'flag' }, 'also be a node of that DHT'),
  use_upnp: works(
    flag.default(false),
    { type: 'flag' },
    'have the router open the TCP port, by PCP, NAT-PMP or UPnP-IGD, and close it at the end; other devices are told the address. `shoal doctor net` says what came of it. BitTorrent Sync had it on; here nothing is asked of a router unless this says so',
  ),
  external_port: works(
    whole(0, 65_535, 'a port from 1 to 65535, or 0 for the listening_port').default(0),
    { type: 'whole number' },
    'the TCP port on the router that leads to the listening_port: the one that `use_upnp` asks for, else one that was opened by hand, which other devices are then told. 0: with `use_upnp` the listening_port, else none was opened',
  ),
  relays: works(
    list('"host:port"', hostPort).default([]),
    { type: 'list of `"host:port"`' },
    'relays (`shoal relay`) that forward between devices that cannot reach each other; they see no content. See [relay.md](relay.md)',
  ),
  interfaces: works(
    list('interface names or addresses', text('an interface name or address')).optional(),
    { type: 'list of texts', default: 'all but loopback' },
    'names or addresses of the interfaces that the search on the local network uses; `[]`: none',
  ),
}

const NOT_YET = {
  directory_root: notYet(
    path.default('/'),
    { type: 'path' },
    'where the folder browser of the web interface starts',
    'there is no web interface',
    (value) => value !== '/',
  ),
  directory_root_policy: notYet(
    anyText.default('all'),
    { type: 'text' },
    '`"belowroot"`: the web interface makes no folders directly in `directory_root`',
    'there is no web interface',
    (value) => value !== 'all',
  ),
  disk_min_free_space_gb: notYet(
    whole(0, 1_000_000, 'GB from 0 to 1000000').default(0),
    { type: 'whole number', unit: 'GB' },
    'stop receiving when less is free',
    'receiving goes on until the disk is full, which is told and harms no file',
    isSet,
  ),
}

const DONE = {
  check_for_updates: done(flag, { type: 'flag' }, 'Shoal never looks for updates; the package manager does'),
  display_new_version: done(flag, { type: 'flag' }, 'Shoal never looks for updates'),
  send_statistics: done(flag, { type: 'flag' }, 'Shoal reports to nobody'),
  vendor: done(anyText, { type: 'text' }, 'it named who packaged BitTorrent Sync'),
  use_gui: done(flag, { type: 'flag' }, 'there is no window, only commands'),
  lan_encrypt_data: done(
    flag,
    { type: 'flag' },
    'everything is encrypted, on the local network as well; it cannot be turned off',
  ),
  lan_use_tcp: done(flag, { type: 'flag' }, 'the local network always uses TCP'),
  max_file_size_diff_for_patching: done(
    megabytes,
    { type: 'whole number', unit: 'MB' },
    'of files of every size only the pieces that changed travel',
  ),
  send_buf_size: done(
    megabytes,
    { type: 'whole number', unit: 'MB' },
    'buffers follow the connection by themselves',
  ),
  recv_buf_size: done(
    megabytes,
    { type: 'whole number', unit: 'MB' },
    'buffers follow the connection by themselves',
  ),
  config_refresh_interval: done(
    whole(0, 999_999, 'seconds from 0 to 999999'),
    { type: 'whole number', unit: 'seconds' },
    'a changed file is read again within some seconds, see below',
  ),
  profiler_enabled: done(flag, { type: 'flag' }, 'there is no profiler'),
  $schema: done(
    anyText,
    { type: 'text' },
    'it tells editors where the JSON schema of the file is',
    () => false,
  ),
}

/** Every key of the root. */
export const ROOT: Keys<ConfigShape> = {
  ...WORKING,
  ...NOT_YET,
  ...DONE,
  ...dotted(FOLDER_DEFAULTS),
}

function dotted(defaults: Keys<FolderDefaults>): Keys<DottedDefaults> {
  return Object.fromEntries(
    Object.entries(defaults).map(([key, schema]) => [`folder_defaults.${key}`, schema]),
  ) as Keys<DottedDefaults>
}

function isDeviceName(name: string): boolean {
  return Buffer.byteLength(name) <= MAX_DEVICE_NAME_BYTES && name.isWellFormed() && !/\p{Cc}/u.test(name)
}
