// Folders that are added while the daemon runs: they stand in no file of the user's, but are told by the same keys as an
// entry of shared_folders and are held to the same rules.
import { dirname, resolve } from 'node:path'
import { ShoalError } from '../core/error.js'
import type { Secret } from '../core/secret.js'
import { isWithin } from './checks.js'
import { type Config, parseConfig, type SecretFile, type ShareConfig } from './config.js'
import { folderOverlaps, isIn, placeOf } from './folders.js'
import { loadSecrets } from './secrets.js'
import { webFiles } from './webui.js'

/** Keys of an entry of shared_folders. What is absent is as folder_defaults says, or its default. */
export interface AddedFolder {
  /** The text, or a file that is relative to the file that the entry stands in. */
  readonly secret: string | SecretFile
  /** Absolute, links followed. */
  readonly dir: string
  readonly known_hosts?: readonly string[] | undefined
  readonly search_lan?: boolean | undefined
  readonly use_dht?: boolean | undefined
  readonly use_sync_trash?: boolean | undefined
  readonly overwrite_changes?: boolean | undefined
  /** With a blind secret: the bucket that the vault lies in. */
  readonly vault?: string | undefined
}

/** What a complaint of parseConfig begins with, where it is about the one folder that there is. */
const PLACE = /^.*?:\d+:\d+: (?:shared_folders\[0\]\.?)?/gm

/**
 * The settings of an added folder, its secret read. `fileName`: where the entry stands. Throws CONFIG_INVALID or NOT_YET
 * with every fault, each "key: what".
 */
export async function addedShare(
  config: Config,
  folder: AddedFolder,
  fileName: string,
): Promise<ShareConfig<Secret>> {
  const { storagePath, bootstrap, folderDefaults } = config
  const text = JSON.stringify({
    storage_path: storagePath,
    // Absent: the public one.
    ...(bootstrap === 'public' ? {} : { bootstrap }),
    folder_defaults: folderDefaults,
    shared_folders: [folder],
  })
  try {
    const { config: loaded } = await loadSecrets(parseConfig(text, fileName).config)
    return loaded.shares[0]!
  } catch (thrown) {
    if (!(thrown instanceof ShoalError)) throw thrown
    throw new ShoalError(thrown.code, thrown.message.replace(PLACE, ''), { cause: thrown })
  }
}

/**
 * Throws EXISTS or SHARE_UNUSABLE if a folder cannot be beside the others, or would send the configuration, or what lets
 * in over TCP, to everyone.
 */
export async function mustBeApart(
  config: Config,
  folder: ShareConfig<Secret>,
  others: readonly ShareConfig<Secret>[],
): Promise<void> {
  const { dir, secret } = folder
  const { storagePath } = config
  const held = await ownFileIn(config, dir)
  if (held !== undefined) throw new ShoalError('SHARE_UNUSABLE', `${dir} contains ${held}`)
  for (const other of others) {
    if (other.secret.publicKey.equals(secret.publicKey))
      throw new ShoalError('EXISTS', `${other.dir} is the folder of this share already`)
    if (other.dir === dir) throw new ShoalError('EXISTS', `${dir} is shared already`)
    if ((await folderOverlaps({ storagePath, shares: [folder, other] })).length > 0)
      throw new ShoalError('SHARE_UNUSABLE', `${dir} is, contains or lies in the folder ${other.dir}`)
  }
}

/** The first of the daemon's own files that is in a folder, as it is written or with links followed: what and where. */
async function ownFileIn({ fileName, pidFile, webui }: Config, dir: string): Promise<string | undefined> {
  const files = [
    ['the configuration file', resolve(fileName)],
    ...(pidFile === undefined ? [] : [['pid_file', pidFile] as const]),
    ...webFiles(webui).map((file) => ['a secret or certificate of webui,', file] as const),
  ] as const
  const place = await placeOf(dir)
  for (const [what, file] of files) {
    const places = await Promise.all([file, dirname(file)].map(placeOf))
    if (isWithin(file, dir) || places.some((each) => isIn(each, place))) return `${what} ${file}`
  }
  return undefined
}
