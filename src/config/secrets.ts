// Reads configurations and the secrets that stand in files of their own. Promises: a secret's file that others on this
// machine have rights to is refused; a wrong secret names the place, never the text. Whether the configuration file
// itself is safe depends on as whom it runs and is for who runs it to ask (src/instance).
import type { Secret } from '../core/secret.js'
import {
  blindHooks,
  type Config,
  type ParsedConfig,
  parseConfig,
  readableVaults,
  type SecretFile,
  type ShareConfig,
  sameShares,
  secretOrFault,
  writingFollowers,
} from './config.js'
import { folderOverlaps } from './folders.js'
import type { Problem } from './json.js'
import { exposure, type OpenedText, openText, reason } from './open.js'
import { configError } from './problems.js'
import { MAX_SECRET_FILE_BYTES } from './secret-file.js'
import { type OpenedConfig, openConfig } from './source.js'
import { loadWeb, webFiles } from './webui.js'

/** A configuration whose secrets are all read. */
export type LoadedConfig = Config<Secret>

/**
 * Reads and parses a configuration file, or the parts of NAME.conf.d. Throws as parseConfig, or CONFIG_UNREADABLE. Secret
 * files stay unread.
 */
export async function readConfig(fileName: string): Promise<ParsedConfig> {
  return parseOpened(await openConfig(fileName))
}

/** Parses a configuration that is read already. Throws as parseConfig. */
export function parseOpened({ text, fileName, parts }: OpenedConfig): ParsedConfig {
  return parseConfig(text, fileName, parts)
}

/**
 * Reads the secrets that stand in files of their own. Throws CONFIG_INVALID (or NOT_YET) with the position of every
 * share whose secret is unreadable, exposed or wrong, or whose folder, with links followed, is not apart from the others;
 * and of every secret, key and certificate of the web interface that is. A configuration without such files comes back as it is.
 */
export async function loadSecrets(config: Config): Promise<{ config: LoadedConfig }> {
  const problems: Problem[] = []
  const shares: ShareConfig<Secret>[] = []
  for (const [at, share] of config.shares.entries()) {
    if (!('file' in share.secret)) {
      shares.push({ ...share, secret: share.secret })
      continue
    }
    const place = { position: share.position, key: `shared_folders[${at}].secret` }
    const { secret, fault } = await readSecret(share.secret)
    if (secret === undefined) problems.push({ ...place, ...fault })
    else shares.push({ ...share, secret })
  }
  const web = config.webui === undefined ? undefined : await loadWeb(config.webui, problems)
  const loaded: LoadedConfig = { ...config, shares, ...(web !== undefined && { web }) }
  if (problems.length === 0)
    problems.push(
      ...sameShares(loaded),
      ...writingFollowers(loaded),
      ...blindHooks(loaded),
      ...readableVaults(loaded),
    )
  problems.push(...(await folderOverlaps(loaded)))
  if (problems.length > 0) throw configError(config.fileName, problems)
  return { config: loaded }
}

/** The files that loadSecrets reads. */
export function secretFiles({ shares, webui }: Config): string[] {
  return [...shares.flatMap(({ secret }) => ('file' in secret ? [secret.file] : [])), ...webFiles(webui)]
}

type ReadSecret =
  | { readonly secret: Secret; readonly fault?: undefined }
  | { readonly secret?: undefined; readonly fault: Pick<Problem, 'message' | 'notYet'> }

async function readSecret({ file }: SecretFile): Promise<ReadSecret> {
  let read: OpenedText
  try {
    read = await openText(file, MAX_SECRET_FILE_BYTES)
  } catch (error) {
    return { fault: { message: `cannot read ${file}: ${reason(error)}` } }
  }
  const exposed = exposure(read.file, process.geteuid?.() ?? 0, true)
  if (exposed !== undefined) return { fault: { message: exposed } }
  const result = secretOrFault(read.text.trim())
  if ('grade' in result) return { secret: result }
  return { fault: { ...result, message: `in ${file}: ${result.message}` } }
}
