// What a changed configuration file changes in a daemon that runs: which keys take effect at once and which only after a
// restart. Pure. Promises: what is not known to be able to change live needs a restart; values are shown only of keys that
// are known to hold no secret.
import { formatSecret, type Secret } from '../core/secret.js'
import type { Config, ShareConfig } from './config.js'
import { scrubWord } from './scrub.js'

/** One key that differs. */
export interface ConfigChange {
  /** As the file has it: "listening_port", "shared_folders[0].known_hosts". */
  readonly key: string
  /** Ready to print, in the file's units; absent for what may hold a secret. */
  readonly before?: string
  readonly after?: string
}

export interface ReloadPlan {
  readonly live: readonly ConfigChange[]
  readonly restart: readonly ConfigChange[]
}

interface Field {
  readonly key: string
  readonly live: boolean
  /** Absent: the value is not shown. */
  readonly show?: (value: unknown) => string
}

type Loaded = Config<Secret>
type LoadedShare = ShareConfig<Secret>

const plain = (value: unknown): string => (value === undefined ? 'not set' : JSON.stringify(value))
const divided =
  (unit: number) =>
  (value: unknown): string =>
    typeof value === 'number' ? String(value / unit) : plain(value)
const inSeconds = divided(1000)
const inKilobytes = divided(1024)
const inMegabytes = divided(1024 * 1024)

/** A schedule is too long to show. */
const rules = (value: unknown): string => {
  const count = Array.isArray(value) ? value.length : 0
  return count === 1 ? '1 rule' : `${count} rules`
}

/** What is not in here needs a restart, and is named after its field without its value. */
const ROOT: Readonly<Partial<Record<keyof Loaded, Field>>> = {
  rescanIntervalMs: { key: 'folder_rescan_interval', live: true, show: inSeconds },
  trashTtlDays: { key: 'sync_trash_ttl', live: true, show: plain },
  maxVersionedBytes: { key: 'max_file_size_for_versioning', live: true, show: inMegabytes },
  maxTimeDiffMs: { key: 'sync_max_time_diff', live: true, show: inSeconds },
  peerExpirationDays: { key: 'peer_expiration_days', live: true, show: plain },
  downloadLimit: { key: 'download_limit', live: true, show: inKilobytes },
  uploadLimit: { key: 'upload_limit', live: true, show: inKilobytes },
  limits: { key: 'limits', live: true, show: rules },
  rateLimitLocalPeers: { key: 'rate_limit_local_peers', live: true, show: plain },
  logBytes: { key: 'log_size', live: true, show: inMegabytes },
  // Not shown: it may hold a password.
  proxy: { key: 'proxy_*', live: false },
  // Not shown: it holds what lets in.
  web: { key: 'webui', live: true },
  deviceName: { key: 'device_name', live: false, show: plain },
  listeningPort: { key: 'listening_port', live: false, show: plain },
  listenHost: { key: 'listen_host', live: false, show: plain },
  storagePath: { key: 'storage_path', live: false, show: plain },
  pidFile: { key: 'pid_file', live: false, show: plain },
  bootstrap: { key: 'bootstrap', live: false, show: plain },
  relays: { key: 'relays', live: false, show: plain },
  useUpnp: { key: 'use_upnp', live: false, show: plain },
  externalPort: { key: 'external_port', live: false, show: plain },
  dhtNode: { key: 'dht_node', live: false, show: plain },
  interfaces: { key: 'interfaces', live: false, show: plain },
  diskLowPriority: { key: 'disk_low_priority', live: false, show: plain },
}

const SHARE: Readonly<Partial<Record<keyof LoadedShare, Field>>> = {
  knownHosts: { key: 'known_hosts', live: true, show: plain },
  // Not shown: arguments and variables may be secrets.
  onChange: { key: 'on_change', live: true },
  dir: { key: 'dir', live: false, show: plain },
  vault: { key: 'vault', live: false, show: plain },
  searchLan: { key: 'search_lan', live: false, show: plain },
  useDht: { key: 'use_dht', live: false, show: plain },
  useRelay: { key: 'use_relay_server', live: false, show: plain },
  useSyncTrash: { key: 'use_sync_trash', live: false, show: plain },
  owners: { key: 'owners', live: false, show: plain },
  ownerMap: { key: 'owner_map', live: false, show: plain },
  acls: { key: 'acls', live: false, show: plain },
  xattrs: { key: 'xattrs', live: false, show: plain },
  sparse: { key: 'sparse', live: false, show: plain },
  padding: { key: 'padding', live: false, show: plain },
  overwriteChanges: { key: 'overwrite_changes', live: true, show: plain },
  followsReleases: {
    key: 'follow',
    live: false,
    show: (value) => plain(value === true ? 'releases' : 'all'),
  },
  history: { key: 'history', live: false },
  keepReleases: { key: 'releases.keep', live: true, show: plain },
  copies: { key: 'copies', live: true, show: plain },
  isOffsite: { key: 'offsite', live: true, show: plain },
  drift: { key: 'drift', live: true, show: plain },
  downloadLimit: { key: 'download_limit', live: true, show: inKilobytes },
  uploadLimit: { key: 'upload_limit', live: true, show: inKilobytes },
  limits: { key: 'limits', live: true, show: rules },
  hardLinks: { key: 'hard_links', live: false, show: plain },
  scrubEveryMs: { key: 'scrub', live: true, show: (value) => plain(scrubWord(Number(value))) },
}

/** Where they stand in the file, and what is compared in a way of its own. */
const NOT_COMPARED: ReadonlySet<string> = new Set([
  ...['fileName', 'shares', 'position', 'secret', 'webui'],
  // What of them concerns a folder of the file is told as that folder's.
  'folderDefaults',
])

/** Keys that take effect without a restart, as the file has them. */
export const LIVE_KEYS: ReadonlySet<string> = new Set(
  [...Object.values(ROOT), ...Object.values(SHARE)].filter(({ live }) => live).map(({ key }) => key),
)

/** What differs between the settings in force and those of a file read anew. */
export function planReload(before: Loaded, after: Loaded): ReloadPlan {
  const changes: (ConfigChange & { readonly live: boolean })[] = [...changesOf(before, after, ROOT, '')]
  const left = new Map(before.shares.map((share) => [shareId(share), share]))
  for (const [at, share] of after.shares.entries()) {
    const key = `shared_folders[${at}]`
    const old = left.get(shareId(share))
    left.delete(shareId(share))
    if (old === undefined) changes.push({ key, after: plain(share.dir), live: false })
    else {
      changes.push(...changesOf(old, share, SHARE, `${key}.`))
      if (formatSecret(old.secret) !== formatSecret(share.secret))
        changes.push({ key: `${key}.secret`, live: false })
    }
  }
  for (const { dir } of left.values())
    changes.push({ key: 'shared_folders', before: plain(dir), live: false })
  const strip = ({ live: _, ...change }: (typeof changes)[number]): ConfigChange => change
  return {
    live: changes.filter(({ live }) => live).map(strip),
    restart: changes.filter(({ live }) => !live).map(strip),
  }
}

/** The settings in force with those of the new ones that can change live. */
export function withLiveChanges(before: Loaded, after: Loaded): Loaded {
  const shares = before.shares.map((share) => {
    const now = after.shares.find((other) => shareId(other) === shareId(share))
    return now === undefined ? share : merged(share, now, SHARE)
  })
  const { webui: _, ...rest } = merged(before, after, ROOT)
  // It says where the files of `web` are.
  const { webui } = after
  return { ...rest, ...(webui !== undefined && { webui }), folderDefaults: after.folderDefaults, shares }
}

/** One line for a person or the log. */
export function formatChange({ key, before, after }: ConfigChange): string {
  if (before === undefined && after === undefined) return key
  if (before === undefined) return `${key}: added, ${after}`
  return after === undefined ? `${key}: ${before} removed` : `${key}: ${before} -> ${after}`
}

function merged<T extends object>(before: T, after: T, fields: Readonly<Partial<Record<keyof T, Field>>>): T {
  const result = { ...before }
  for (const [name, field] of Object.entries(fields) as [keyof T, Field][]) {
    if (!field.live) continue
    if (after[name] === undefined) delete result[name]
    else result[name] = after[name]
  }
  return result
}

function changesOf<T extends object>(
  before: T,
  after: T,
  fields: Readonly<Partial<Record<keyof T, Field>>>,
  prefix: string,
): (ConfigChange & { readonly live: boolean })[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof T & string>
  return [...names]
    .filter((name) => !NOT_COMPARED.has(name) && JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map((name) => {
      const field = fields[name] ?? { key: snakeCase(name), live: false }
      const values =
        field.show === undefined ? {} : { before: field.show(before[name]), after: field.show(after[name]) }
      return { key: prefix + field.key, ...values, live: field.live }
    })
}

function shareId({ secret }: LoadedShare): string {
  return secret.publicKey.toString('hex')
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
