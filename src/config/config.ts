// The configuration file: its meaning, defaults and every complaint about it (docs/configuration.md). Reading is in two
// steps, so that commands that only need the storage path never touch a secret: parseConfig reads the text alone,
// config-secrets.ts the files that secrets stand in.
// Promises: a file with anything wrong gives one error that lists everything found, each as FILE:LINE:COLUMN; what has
// no effect is a warning; no message holds any of a secret.
import { hostname } from 'node:os'
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path'
import { ShoalError } from '../core/error.js'
import { parseSecret, type Secret } from '../core/secret.js'
import { formatKey, type Position, type PositionedJson, type Problem, parsePositionedJson } from './json.js'
import { type ConfigShape, checkShape, type ShareShape } from './shape.js'

export type { Position } from './json.js'

/** What the format calls kB and MB. */
const KB = 1024
const MB = 1024 * KB

/** A secret that stands in a file of its own; the path is absolute. */
export interface SecretFile {
  readonly file: string
}

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
  /** "host:port" each. */
  readonly bootstrap: readonly string[]
  readonly dhtNode: boolean
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
  readonly shares: readonly ShareConfig<S>[]
}

export interface ShareConfig<S extends Secret | SecretFile = Secret | SecretFile> {
  readonly secret: S
  /** Absolute. */
  readonly dir: string
  /** "host:port" each, IPv6 in brackets. */
  readonly knownHosts: readonly string[]
  readonly searchLan: boolean
  readonly useDht: boolean
  /** Keep replaced and deleted files in the archive. */
  readonly useSyncTrash: boolean
  /** Readers: put back what was changed locally. */
  readonly overwriteChanges: boolean
  /** Reach devices through others where no direct connection can be had. */
  readonly useRelay: boolean
  /** Of the share's object in the file. */
  readonly position: Position
}

/** Something that has no effect or is unwise. `text` is ready to print: FILE:LINE:COLUMN: key: what. */
export interface ConfigWarning {
  readonly position: Position
  readonly key: string
  readonly message: string
  readonly text: string
}

/**
 * Reads a configuration text. Relative paths are relative to the folder of `fileName`. Throws CONFIG_INVALID listing
 * every problem, or NOT_YET if all that is wrong is asking for what this version cannot do.
 */
export function parseConfig(text: string, fileName: string): { config: Config; warnings: ConfigWarning[] } {
  const parsed = parsePositionedJson(text)
  if (parsed.type === 'failed') throw configError(fileName, parsed.problems)
  const { json } = parsed
  const checked = checkShape(json)
  if (checked.type === 'failed') throw configError(fileName, checked.problems)
  const problems: Problem[] = []
  const config = configOf(checked.shape, json, fileName, problems)
  problems.push(...overlaps(config, json), ...sameShares(config))
  if (problems.length > 0) throw configError(fileName, problems)
  const warnings = [...checked.warnings, ...unwise(config, json)]
  return { config, warnings: inOrder(warnings).map((warning) => warningOf(fileName, warning)) }
}

/** One error for all that is wrong, in the order of the file. */
export function configError(fileName: string, problems: readonly Problem[]): ShoalError {
  const lines = inOrder(problems).map((problem) => problemLine(fileName, problem))
  const code = problems.every(({ notYet }) => notYet === true) ? 'NOT_YET' : 'CONFIG_INVALID'
  return new ShoalError(code, lines.join('\n'))
}

/** A warning in its printed form. */
export function warningOf(fileName: string, problem: Problem): ConfigWarning {
  const { position, key, message } = problem
  return { position, key, message, text: problemLine(fileName, problem) }
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

/** The secret of a text, or what is wrong with it, in words that hold none of it. */
export function secretOrFault(text: string): Secret | Pick<Problem, 'message' | 'notYet'> {
  let secret: Secret
  try {
    secret = parseSecret(text)
  } catch (error) {
    if (error instanceof ShoalError && error.code === 'SECRET_INVALID') return { message: error.message }
    throw error
  }
  if (secret.grade === 'blind')
    return { message: 'is a blind secret, which this version cannot serve yet', notYet: true }
  return secret
}

function configOf(shape: ConfigShape, json: PositionedJson, fileName: string, problems: Problem[]): Config {
  const base = dirname(resolve(fileName))
  const shares = shape.shared_folders ?? []
  return {
    fileName,
    deviceName: shape.device_name ?? hostname(),
    listeningPort: shape.listening_port,
    ...(shape.listen_host !== undefined && { listenHost: shape.listen_host }),
    storagePath: resolve(base, shape.storage_path),
    bootstrap: shape.bootstrap,
    dhtNode: shape.dht_node,
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
    shares: shares.flatMap((share, at) => shareOf(share, at, base, json, problems) ?? []),
  }
}

function shareOf(
  shape: ShareShape,
  at: number,
  base: string,
  json: PositionedJson,
  problems: Problem[],
): ShareConfig {
  return {
    secret: secretOf(shape, at, base, json, problems),
    dir: resolve(base, shape.dir),
    knownHosts: shape.known_hosts,
    searchLan: shape.search_lan,
    useDht: shape.use_dht,
    useSyncTrash: shape.use_sync_trash,
    overwriteChanges: shape.overwrite_changes,
    useRelay: shape.use_relay_server,
    position: json.positionOf(['shared_folders', at]),
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

function overlaps({ shares, storagePath }: Config, json: PositionedJson): Problem[] {
  const problems: Problem[] = []
  shares.forEach(({ dir }, at) => {
    const path = ['shared_folders', at, 'dir']
    const add = (message: string): void => {
      problems.push({ position: json.positionOf(path), key: formatKey(path), message })
    }
    if (isWithin(storagePath, dir)) add('contains storage_path, expected a folder apart from it')
    shares.forEach((other, otherAt) => {
      // Two equal folders are reported once, at the second; a nested one at itself, wherever it stands.
      if (other.dir === dir ? otherAt < at : isWithin(dir, other.dir))
        add(
          other.dir === dir
            ? `is also the folder of shared_folders[${otherAt}], expected one share for each folder`
            : `lies in the folder of shared_folders[${otherAt}], expected folders apart from each other`,
        )
    })
  })
  return problems
}

function unwise(config: Config, json: PositionedJson): Problem[] {
  const warnings: Problem[] = []
  if (config.shares.length === 0 && !config.dhtNode)
    warnings.push({
      position: json.positionOf(['shared_folders']),
      key: 'shared_folders',
      message: 'is missing or empty, so there is nothing to sync',
    })
  config.shares.forEach(({ dir, secret, useDht }, at) => {
    const warn = (key: string, message: string): void => {
      const path = ['shared_folders', at, key]
      warnings.push({ position: json.positionOf(path), key: formatKey(path), message })
    }
    if (useDht && config.bootstrap.length === 0)
      warn('use_dht', 'has no effect without "bootstrap": this version uses no public DHT')
    if (!('file' in secret) && isWithin(resolve(config.fileName), dir))
      warn(
        'dir',
        'contains this configuration file, so everyone who can read the share gets the secrets in it',
      )
    for (const [other, share] of config.shares.entries())
      if ('file' in share.secret && isWithin(share.secret.file, dir))
        warn(
          'dir',
          `contains the secret file of shared_folders[${other}], so everyone who can read the share gets it`,
        )
  })
  return warnings
}

/** Whether a path is the folder or lies in it, both absolute; links are not looked at. */
function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way))
}

function problemLine(fileName: string, { position, key, message }: Problem): string {
  return `${fileName}:${position.line}:${position.column}: ${key === '' ? '' : `${key}: `}${message}`
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return [...problems].sort(
    (a, b) => a.position.line - b.position.line || a.position.column - b.position.column,
  )
}
