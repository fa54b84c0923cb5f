// Reads configurations and the files that secrets stand in. Promises: no file is read beyond what a secret can be; a
// file with a secret that others on this machine may read is a warning; a wrong secret names the
// place, never the text.
import { open } from 'node:fs/promises'
import { ShoalError } from '../core/error.js'
import type { Secret } from '../core/secret.js'
import {
  type Config,
  type ConfigWarning,
  configError,
  type ParsedConfig,
  parseConfig,
  type SecretFile,
  type ShareConfig,
  sameShares,
  secretOrFault,
  warningOf,
} from './config.js'
import { folderOverlaps } from './folders.js'
import type { Problem } from './json.js'
import { type ConfigSource, readSource, readUpTo, reasonOf } from './source.js'

/** A configuration whose secrets are all read. */
export type LoadedConfig = Config<Secret>

/** A secret has at most 117 characters; the rest is room for line ends. */
const MAX_SECRET_FILE_BYTES = 4096

/**
 * Reads and parses a configuration file, or the parts of NAME.conf.d. Throws as parseConfig, or CONFIG_UNREADABLE. Secret
 * files stay unread.
 */
export async function readConfig(
  fileName: string,
): Promise<ParsedConfig & { readonly source: ConfigSource }> {
  const source = await readSource(fileName)
  return { ...parseSource(source), source }
}

/** Parses a configuration that is read. Throws as parseConfig. */
export function parseSource(source: ConfigSource): ParsedConfig {
  const parsed = parseConfig(source.text, source.fileName, source.parts)
  return { ...parsed, warnings: [...sharedFiles(source, parsed), ...parsed.warnings] }
}

/** Files that hold a secret and that the group or others may read. */
function sharedFiles({ files, fileName, parts }: ConfigSource, { secretsAt }: ParsedConfig): ConfigWarning[] {
  const holders = new Set(secretsAt.map(({ file }) => file ?? fileName))
  return files
    .filter(({ file, mode }) => holders.has(file) && (mode & 0o044) !== 0)
    .map(({ file }) =>
      warningOf(fileName, {
        position: { line: 1, column: 1, ...(parts.length > 0 && { file }) },
        key: '',
        message: `holds a secret and can be read by other users, expected mode 0600: chmod 600 ${file}`,
      }),
    )
}

/**
 * Reads the secrets that stand in files of their own. Throws CONFIG_INVALID (or NOT_YET) with the position of every
 * share whose secret is unreadable or wrong, or whose folder, with links followed, is not apart from the others. A configuration without such files comes back as it is.
 */
export async function loadSecrets(
  config: Config,
): Promise<{ config: LoadedConfig; warnings: ConfigWarning[] }> {
  const problems: Problem[] = []
  const warnings: ConfigWarning[] = []
  const shares: ShareConfig<Secret>[] = []
  for (const [at, share] of config.shares.entries()) {
    if (!('file' in share.secret)) {
      shares.push({ ...share, secret: share.secret })
      continue
    }
    const place = { position: share.position, key: `shared_folders[${at}].secret` }
    const { secret, fault, shared } = await readSecret(share.secret)
    if (secret === undefined) problems.push({ ...place, ...fault })
    else shares.push({ ...share, secret })
    if (shared)
      warnings.push(
        warningOf(config.fileName, {
          ...place,
          message: `${share.secret.file} can be read by other users, expected mode 0600`,
        }),
      )
  }
  const loaded: LoadedConfig = { ...config, shares }
  if (problems.length === 0) problems.push(...sameShares(loaded))
  problems.push(...(await folderOverlaps(loaded)))
  if (problems.length > 0) throw configError(config.fileName, problems)
  return { config: loaded, warnings }
}

/** The text of a file that holds a secret, without the space around it. Throws CONFIG_UNREADABLE. */
export async function readSecretText(file: string): Promise<string> {
  const { text } = await readText(file, MAX_SECRET_FILE_BYTES).catch((cause: unknown) => {
    throw new ShoalError('CONFIG_UNREADABLE', `cannot read the secret in ${file}: ${reasonOf(cause)}`, {
      cause,
    })
  })
  return text.trim()
}

type ReadSecret =
  | { readonly secret: Secret; readonly shared: boolean; readonly fault?: undefined }
  | {
      readonly secret?: undefined
      readonly shared: boolean
      readonly fault: Pick<Problem, 'message' | 'notYet'>
    }

async function readSecret({ file }: SecretFile): Promise<ReadSecret> {
  let read: TextFile
  try {
    read = await readText(file, MAX_SECRET_FILE_BYTES)
  } catch (error) {
    return { shared: false, fault: { message: `cannot read ${file}: ${reasonOf(error)}` } }
  }
  const { shared } = read
  const result = secretOrFault(read.text.trim())
  if ('grade' in result) return { secret: result, shared }
  return { shared, fault: { ...result, message: `in ${file}: ${result.message}` } }
}

interface TextFile {
  readonly text: string
  /** Whether the group or others may read it; only said of regular files. */
  readonly shared: boolean
}

async function readText(file: string, maxBytes: number): Promise<TextFile> {
  const handle = await open(file, 'r')
  try {
    const stat = await handle.stat()
    const bytes = await readUpTo(handle, maxBytes + 1)
    if (bytes.length > maxBytes) throw new Error(`longer than ${maxBytes} bytes`)
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    return { text, shared: stat.isFile() && (stat.mode & 0o044) !== 0 }
  } finally {
    await handle.close()
  }
}
