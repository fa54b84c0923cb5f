// The library's entrance: a node within another program. Settings are those of a configuration file
// (docs/configuration.md), given as an object, and are checked by the same rules. Promises: nothing is started unless
// everything in the settings is right; no signal handler is installed and the process is never ended; what the settings
// hold of secrets is in no error and no log line.
import { randomBytes } from 'node:crypto'
import { parseConfig } from '../config/config.js'
import { loadSecrets } from '../config/secrets.js'
import { KEY_BYTES } from '../core/keys.js'
import { type Secret, writeSecretOf } from '../core/secret.js'
import { type Log, silentLog } from '../ports/log.js'
import { type RunningDaemon, runDaemon } from './daemon.js'

/** The keys of a configuration file. Relative paths are relative to the process's working directory. */
export interface NodeSettings {
  readonly storage_path: string
  readonly shared_folders: readonly ShareSettings[]
  /** Default: the host's name. */
  readonly device_name?: string
  /** Default 0: any free port, which is then kept. */
  readonly listening_port?: number
  /** An IP address; default: all. */
  readonly listen_host?: string
  /** Seconds, default 600; 0: never. */
  readonly folder_rescan_interval?: number
  /** DHT nodes, "host:port" each. */
  readonly bootstrap?: readonly string[]
  readonly dht_node?: boolean
  /** "host:port" each. */
  readonly relays?: readonly string[]
  readonly interfaces?: readonly string[]
  readonly pid_file?: string
  /** Days, default 30; 0: the archive is never cleared. */
  readonly sync_trash_ttl?: number
  /** MB; larger files are not kept in the archive. Default: no limit. */
  readonly max_file_size_for_versioning?: number
  /** Seconds, default 600. */
  readonly sync_max_time_diff?: number
  /** Days, default 0: never. */
  readonly peer_expiration_days?: number
  /** Default true. */
  readonly disk_low_priority?: boolean
  /** The control API over TCP; default: none. */
  readonly webui?: {
    /** IP address and port; needs `api_key`, or `login` and one of the passwords. */
    readonly listen: string
    readonly login?: string
    readonly password?: string | { readonly file: string }
    /** crypt(3). */
    readonly password_hash?: string | { readonly file: string }
    /** 20 characters or more; as a text it begins with "shoal-". */
    readonly api_key?: string | { readonly file: string }
    /** Names that requests may be for. */
    readonly hosts?: readonly string[]
    readonly ssl_certificate?: string
    readonly ssl_private_key?: string
    readonly force_https?: boolean
    /** Folders in which shares may be added over TCP; default: none. */
    readonly dir_whitelist?: readonly string[]
  }
}

/** One shared folder of the settings. */
export interface ShareSettings {
  /** The text of a write or read secret, or the file that holds it. */
  readonly secret: string | { readonly file: string }
  readonly dir: string
  /** "host:port" each. */
  readonly known_hosts?: readonly string[]
  readonly search_lan?: boolean
  readonly use_dht?: boolean
  /** Default true. */
  readonly use_relay_server?: boolean
  readonly use_sync_trash?: boolean
  readonly overwrite_changes?: boolean
  /** Default 'all'. */
  readonly follow?: 'all' | 'releases'
  readonly releases?: { readonly keep: number }
  /** With a read secret: what is done about changes made here. Default: 'report'. */
  readonly drift?:
    | 'report'
    | 'restore'
    | readonly { readonly match?: string | readonly string[]; readonly policy: 'report' | 'restore' }[]
  readonly hard_links?: boolean
  /** Default true. */
  readonly sparse?: boolean
  /** Default: as soon as anybody in the share pads. */
  readonly padding?: 'padme' | 'none'
}

export interface NodeOptions {
  /** Default: nothing is logged. */
  readonly log?: Log
}

/** A node that runs. `control` answers what the control API answers; controlClient asks the same from other processes. */
export type ShoalNode = RunningDaemon

/**
 * Starts a node; resolves when it serves its shares. Throws CONFIG_INVALID with every fault of the settings, NOT_YET, and
 * what runDaemon throws. Warnings about the settings are logged.
 */
export async function startNode(settings: NodeSettings, options: NodeOptions = {}): Promise<ShoalNode> {
  const log = options.log ?? silentLog
  const parsed = parseConfig(JSON.stringify(settings, undefined, 2), 'settings')
  const { config } = await loadSecrets(parsed.config)
  for (const { text, isNote } of parsed.warnings)
    if (isNote) log.info({ note: text }, 'settings')
    else log.warn({ warning: text }, 'settings')
  return runDaemon(config, { log })
}

/** The write secret of a new share, from the system's random source. */
export function makeSecret(): Secret {
  return writeSecretOf(randomBytes(KEY_BYTES))
}
