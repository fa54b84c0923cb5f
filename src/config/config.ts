// The configuration file: its meaning, defaults and every complaint about it (docs/configuration.md). Reading is in two
// steps, so that commands that only need the storage path never touch a secret: parseConfig reads the text alone,
// secrets.ts the files that secrets stand in.
// Promises: a file with anything wrong gives one error that lists everything found, each as FILE:LINE:COLUMN; what has
// no effect is a warning; no message holds any of a secret.
import { hostname } from 'node:os'
import { dirname, resolve } from 'node:path'
import { bucketPlaceOf, showBucketPlace } from '../core/bucket-place.js'
import type { CopiesPromise } from '../core/copies.js'
import type { DriftRule } from '../core/drift-rules.js'
import { ShoalError } from '../core/error.js'
import type { HookSpec } from '../core/hook.js'
import type { LimitRule } from '../core/limit-schedule.js'
import type { Retention } from '../core/retention.js'
import { parseSecret, type Secret } from '../core/secret.js'
import { contradictions, overlaps, unusedRelays, unwise } from './checks.js'
import { retentionOf } from './history-key.js'
import type { HookShape } from './hook-keys.js'
import {
  formatKey,
  type KeyPath,
  type Position,
  type PositionedJson,
  type Problem,
  parsePositionedJson,
  type TextPart,
} from './json.js'
import { type ConfigWarning, configError, inOrder, warningOf } from './problems.js'
import { type ProxyConfig, proxyOf, proxyRemarks } from './proxy.js'
import type { ConfigShape } from './root-keys.js'
import { scrubEveryMs } from './scrub.js'
import { checkShape } from './shape.js'
import type { FolderDefaults, OwnersBy, ShareShape } from './share-keys.js'
import { type LoadedWeb, sharedWebFiles, unwiseWeb, type WebConfig, webOf } from './webui.js'

export type { Position } from './json.js'

/** What the format calls kB and MB. */
const KB = 1024
const MB = 1024 * KB
/** A secret that stands in a file of its own; the path is absolute. */
export interface SecretFile {
  readonly file: string
}

/** Where the DHT begins: nodes of one's own, "host:port" each, or those of the public one. */
export type DhtNodes = readonly string[] | 'public'

/** A read configuration. `S` is Secret once the files of secrets are read too (loadSecrets). */
export interface Config<S extends Secret | SecretFile = Secret | SecretFile> {
  /** The file as it was named, for messages. */
  readonly fileName: string
  readonly deviceName: string
  /** 0: any free port, which the daemon then keeps. */
  readonly listeningPort: number
  /** An IP address; absent: all addresses. */
  readonly listenHost?: string
  /** Absolute. */
  readonly storagePath: string
  /** Nodes of the DHT, "host:port" each, or the public one; without any no DHT is asked. */
  readonly bootstrap: DhtNodes
  readonly dhtNode: boolean
  /** Whether a router is asked to open the port. */
  readonly useUpnp: boolean
  /** The port there that leads here; 0: the listening port, or none that is known of. */
  readonly externalPort: number
  /** "host:port" each. */
  readonly relays: readonly string[]
  /** Names or addresses the LAN beacon may use; absent: all but loopback. */
  readonly interfaces?: readonly string[]
  /** 0: never, apart from the scan at start. */
  readonly rescanIntervalMs: number
  /** Absolute; absent: none is written. */
  readonly pidFile?: string
  /** How long the archive keeps what was replaced or deleted; 0: for ever. */
  readonly trashTtlDays: number
  /** Larger files are not kept in the archive; absent: no limit. */
  readonly maxVersionedBytes?: number
  /** How far another device's clock may be off before it is told of. */
  readonly maxTimeDiffMs: number
  readonly diskLowPriority: boolean
  /** How far the log file grows before it is set aside. */
  readonly logBytes: number
  /** After how long a member that is not heard of is dropped; 0: never. */
  readonly peerExpirationDays: number
  /** Bytes per second; 0: none. */
  readonly downloadLimit: number
  /** Bytes per second; 0: none. */
  readonly uploadLimit: number
  /** Other limits at certain times; the first that speaks of a direction decides. */
  readonly limits: readonly LimitRule[]
  /** What a folder that does not say otherwise is given; those that are added while the daemon runs are, too. */
  readonly folderDefaults: FolderDefaults
  /** Whether limits hold for peers on the local network, too. */
  readonly rateLimitLocalPeers: boolean
  /** What peers are reached through; absent: directly. It may hold a password. */
  readonly proxy?: ProxyConfig
  /** The control API over TCP; absent: none. */
  readonly webui?: WebConfig
  /** The same with its files read, once the files of secrets are read too (loadSecrets). */
  readonly web?: LoadedWeb
  readonly shares: readonly ShareConfig<S>[]
}

export interface ShareConfig<S extends Secret | SecretFile = Secret | SecretFile> {
  readonly secret: S
  /** Absolute. */
  readonly dir: string
  /** Blind nodes: "s3://bucket/prefix", where the vault lies; absent: in `dir`. */
  readonly vault?: string
  /** "host:port" each, IPv6 in brackets. */
  readonly knownHosts: readonly string[]
  readonly searchLan: boolean
  readonly useDht: boolean
  /** Keep replaced and deleted files in the archive. */
  readonly useSyncTrash: boolean
  /** What of the past is kept; absent: as for the grade of its secret, `retentionFor`. */
  readonly history?: Retention
  /** Readers: put back what was changed locally. */
  readonly overwriteChanges: boolean
  /** Readers: hold the share's releases alone. */
  readonly followsReleases: boolean
  /** Writers: how many releases to leave when one is made; absent: all. */
  readonly keepReleases?: number
  /** What is promised of every piece; absent: nothing. */
  readonly copies?: CopiesPromise
  /** Whether this device counts as off-site. */
  readonly isOffsite: boolean
  /** Readers: what is done about local changes, unless `overwriteChanges`; the first rule that matches decides. */
  readonly drift: readonly DriftRule[]
  /** Bytes per second for this share, beside what holds for all; 0: none. */
  readonly downloadLimit: number
  readonly uploadLimit: number
  readonly limits: readonly LimitRule[]
  /** What is run after changes. */
  readonly onChange: readonly HookSpec[]
  /** Carry hard links. */
  readonly hardLinks: boolean
  /** From one verification of all that is held to the next; 0: only when asked. */
  readonly scrubEveryMs: number
  /** Whether blocks of zeros become holes. */
  readonly sparse: boolean
  /** Whether what is new or changes here is padded; absent: as soon as another device pads. */
  readonly padding?: 'padme' | 'none'
  /** Whether `relays` may carry it where no direct connection can be had. */
  readonly useRelay: boolean
  /** How owners are carried; absent: as who the daemon runs as allows. */
  readonly owners?: OwnersBy
  /** Accounts of the share that go by another name here. */
  readonly ownerMap?: Readonly<Record<string, string>>
  /** Carry POSIX ACLs; absent: as who the daemon runs as allows. */
  readonly acls?: boolean
  /** Patterns of extended attributes to carry. */
  readonly xattrs?: readonly string[]
  /** Of the share's object in the file. */
  readonly position: Position
}

/** What parseConfig makes of a text. */
export interface ParsedConfig {
  readonly config: Config
  readonly warnings: ConfigWarning[]
  /** Where the value of a key stands; of a missing one, what is around it. */
  readonly positionOf: (path: KeyPath) => Position
}

/**
 * Reads a configuration text. Relative paths are relative to the folder of `fileName`; `parts` are the files the text is
 * joined from, if it is, and positions then name those. Throws CONFIG_INVALID listing every problem, or NOT_YET if all
 * that is wrong is asking for what this version cannot do.
 */
export function parseConfig(text: string, fileName: string, parts: readonly TextPart[] = []): ParsedConfig {
  const parsed = parsePositionedJson(text, parts)
  if (parsed.type === 'failed') throw configError(fileName, parsed.problems)
  const { json } = parsed
  const checked = checkShape(json)
  if (checked.type === 'failed') throw configError(fileName, checked.problems)
  const { shape } = checked
  const problems: Problem[] = [...contradictions(shape, json)]
  const config = configOf(shape, json, fileName, problems)
  problems.push(
    ...overlaps(config, json),
    ...sameShares(config),
    ...writingFollowers(config),
    ...blindHooks(config),
    ...readableVaults(config),
    ...sharedWebFiles(config),
  )
  if (problems.length > 0) throw configError(fileName, problems)
  const warnings = inOrder([
    ...checked.warnings,
    ...unwise(config, json),
    ...unusedRelays(shape, json),
    ...proxyRemarks(shape, json),
    ...unwiseWeb(shape.webui, json),
  ])
  return {
    config,
    warnings: warnings.map((warning) => warningOf(fileName, warning)),
    positionOf: (path) => json.positionOf(path),
  }
}

/** Shares that are the same share twice: one device has one feed in a share, so one folder. */
export function sameShares(config: Config): Problem[] {
  const first = new Map<string, number>()
  return config.shares.flatMap(({ secret, position }, at) => {
    if ('file' in secret) return []
    const share = secret.publicKey.toString('hex')
    const twin = first.get(share)
    if (twin === undefined) {
      first.set(share, at)
      return []
    }
    const message = `is a secret of the same share as shared_folders[${twin}], expected one folder for each share`
    return [{ position, key: `shared_folders[${at}].secret`, message }]
  })
}

/** Shares that follow releases with a secret that writes, which would change what is not its to hold, or a blind one. */
export function writingFollowers(config: Config): Problem[] {
  return config.shares.flatMap(({ secret, followsReleases, position }, at) => {
    if (!followsReleases || 'file' in secret || secret.grade === 'read') return []
    const message = `is "releases" with a ${secret.grade} secret, expected the read secret (shoal secret show --grade read)`
    return [{ position, key: `shared_folders[${at}].follow`, message }]
  })
}

/** Programs that nothing would ever run: a blind node knows of no change. */
export function blindHooks(config: Config): Problem[] {
  return config.shares.flatMap(({ secret, onChange, position }, at) => {
    if (onChange.length === 0 || 'file' in secret || secret.grade !== 'blind') return []
    const message = 'is set with a blind secret, expected none: a blind node cannot tell what has changed'
    return [{ position, key: `shared_folders[${at}].on_change`, message }]
  })
}

/** Vaults of shares that are readable here: those keep their content as files, in `dir`. */
export function readableVaults(config: Config): Problem[] {
  return config.shares.flatMap(({ secret, vault, position }, at) => {
    if (vault === undefined || 'file' in secret || secret.grade === 'blind') return []
    const message = `is set with a ${secret.grade} secret, expected a blind one (shoal secret show --grade blind): others keep their content as files`
    return [{ position, key: `shared_folders[${at}].vault`, message }]
  })
}

/** The secret of a text, or what is wrong with it, in words that hold none of it. */
export function secretOrFault(text: string): Secret | Pick<Problem, 'message'> {
  try {
    return parseSecret(text)
  } catch (error) {
    if (error instanceof ShoalError && error.code === 'SECRET_INVALID') return { message: error.message }
    throw error
  }
}

function configOf(shape: ConfigShape, json: PositionedJson, fileName: string, problems: Problem[]): Config {
  const base = dirname(resolve(fileName))
  const shares = shape.shared_folders ?? []
  const defaults = folderDefaults(shape)
  const webui = webOf(shape.webui, base, json, problems)
  const proxy = proxyOf(shape, json, problems)
  return {
    fileName,
    deviceName: shape.device_name ?? hostname(),
    listeningPort: shape.listening_port,
    ...(shape.listen_host !== undefined && { listenHost: shape.listen_host }),
    storagePath: resolve(base, shape.storage_path),
    bootstrap: shape.bootstrap ?? 'public',
    useUpnp: shape.use_upnp,
    externalPort: shape.external_port,
    dhtNode: shape.dht_node,
    relays: shape.relays,
    ...(shape.interfaces !== undefined && { interfaces: shape.interfaces }),
    rescanIntervalMs: shape.folder_rescan_interval * 1000,
    ...(shape.pid_file !== undefined && { pidFile: resolve(base, shape.pid_file) }),
    trashTtlDays: shape.sync_trash_ttl,
    ...(shape.max_file_size_for_versioning !== undefined && {
      maxVersionedBytes: shape.max_file_size_for_versioning * MB,
    }),
    maxTimeDiffMs: shape.sync_max_time_diff * 1000,
    diskLowPriority: shape.disk_low_priority,
    logBytes: shape.log_size * MB,
    peerExpirationDays: shape.peer_expiration_days,
    downloadLimit: shape.download_limit * KB,
    uploadLimit: shape.upload_limit * KB,
    limits: shape.limits,
    folderDefaults: onlyGiven(defaults),
    rateLimitLocalPeers: shape.rate_limit_local_peers,
    ...(webui !== undefined && { webui }),
    ...(proxy !== undefined && { proxy }),
    shares: shares.map((share, at) => shareOf(share, defaults, at, base, json, problems)),
  }
}

/** Without the keys that nothing is said of. */
function onlyGiven(defaults: FolderDefaults): FolderDefaults {
  return Object.fromEntries(Object.entries(defaults).filter(([, value]) => value !== undefined))
}

/** Those within folder_defaults and those with a dot; none is in both. */
function folderDefaults({ folder_defaults: within, ...shape }: ConfigShape): FolderDefaults {
  return {
    known_hosts: within?.known_hosts ?? shape['folder_defaults.known_hosts'],
    use_lan_broadcast: within?.use_lan_broadcast ?? shape['folder_defaults.use_lan_broadcast'],
    use_dht: within?.use_dht ?? shape['folder_defaults.use_dht'],
    delete_to_trash: within?.delete_to_trash ?? shape['folder_defaults.delete_to_trash'],
    owners: within?.owners ?? shape['folder_defaults.owners'],
    owner_map: within?.owner_map ?? shape['folder_defaults.owner_map'],
    acls: within?.acls ?? shape['folder_defaults.acls'],
    xattrs: within?.xattrs ?? shape['folder_defaults.xattrs'],
    offsite: within?.offsite ?? shape['folder_defaults.offsite'],
    use_relay: within?.use_relay ?? shape['folder_defaults.use_relay'],
  }
}

function shareOf(
  shape: ShareShape,
  defaults: FolderDefaults,
  at: number,
  base: string,
  json: PositionedJson,
  problems: Problem[],
): ShareConfig {
  const owners = shape.owners ?? defaults.owners
  const ownerMap = shape.owner_map ?? defaults.owner_map
  const acls = shape.acls ?? defaults.acls
  const xattrs = shape.xattrs ?? defaults.xattrs
  return {
    secret: secretOf(shape, at, base, json, problems),
    dir: resolve(base, shape.dir),
    ...(shape.vault !== undefined && { vault: showBucketPlace(bucketPlaceOf(shape.vault)) }),
    knownHosts: shape.known_hosts ?? defaults.known_hosts ?? [],
    searchLan: shape.search_lan ?? defaults.use_lan_broadcast ?? true,
    useDht: shape.use_dht ?? defaults.use_dht ?? false,
    useSyncTrash: shape.use_sync_trash ?? defaults.delete_to_trash ?? true,
    ...(shape.history !== undefined && { history: retentionOf(shape.history) }),
    overwriteChanges: shape.overwrite_changes,
    followsReleases: shape.follow === 'releases',
    ...(shape.releases !== undefined && { keepReleases: shape.releases.keep }),
    ...(shape.copies !== undefined && { copies: shape.copies }),
    isOffsite: shape.offsite ?? defaults.offsite ?? false,
    drift: shape.drift,
    downloadLimit: shape.download_limit * KB,
    uploadLimit: shape.upload_limit * KB,
    limits: shape.limits,
    onChange: shape.on_change.map((hook) => hookOf(hook, base)),
    hardLinks: shape.hard_links,
    sparse: shape.sparse,
    scrubEveryMs: scrubEveryMs(shape.scrub),
    ...(shape.padding !== undefined && { padding: shape.padding }),
    useRelay: shape.use_relay_server ?? defaults.use_relay ?? true,
    ...(owners !== undefined && { owners }),
    ...(ownerMap !== undefined && { ownerMap }),
    ...(acls !== undefined && { acls }),
    ...(xattrs !== undefined && { xattrs }),
    position: json.positionOf(['shared_folders', at]),
  }
}

function hookOf({ settle, timeout, retry, cwd, own_changes, ...hook }: HookShape, base: string): HookSpec {
  return {
    ...hook,
    settleMs: settle,
    timeoutMs: timeout,
    retry: { times: retry.times, waitMs: retry.wait },
    ownChanges: own_changes,
    cwd: cwd === undefined ? undefined : resolve(base, cwd),
  }
}

function secretOf(
  { secret }: ShareShape,
  at: number,
  base: string,
  json: PositionedJson,
  problems: Problem[],
): Secret | SecretFile {
  if (typeof secret === 'object') return { file: resolve(base, secret.file) }
  const result = secretOrFault(secret)
  if ('grade' in result) return result
  const path = ['shared_folders', at, 'secret']
  problems.push({ position: json.positionOf(path), key: formatKey(path), ...result })
  // Only stands in until the problem just noted is thrown.
  return { file: '' }
}
