// `shoal backup add`: what it does and says. A daemon that runs keeps the share besides what it has; where none does, a
// configuration is written as `shoal join` does, and how to start it is said.
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { readConfig } from '../config/secrets.js'
import { controlClient } from '../control/client.js'
import { bucketPlaceOf } from '../core/bucket-place.js'
import { ShoalError } from '../core/error.js'
import { formatSecret, type Secret } from '../core/secret.js'
import { EXIT } from './exit.js'
import type { CliIo } from './io.js'
import { refuseSecretArguments, secretInput } from './secret-input.js'
import { askerOf, make, placesOf, quoted, secretOf } from './share.js'
import { formatJson, formatTable, printable } from './text.js'

export interface BackupOptions {
  readonly to: string
  /** "s3://bucket/prefix"; absent: in `to`. */
  readonly vault?: string
  readonly secretFile?: string
  readonly knownHost?: readonly string[]
  readonly searchLan: boolean
  readonly config?: string
  readonly storage?: string
  readonly json?: boolean
}

/** The daemon that keeps backups, unless another one is named. */
const NAME = 'backup'
const SEEN =
  'a secret on the command line is seen by other users while it runs, and the shell keeps it in its history: next time leave it out, and it is asked for'

/** Has this machine keep a share. `args`: all arguments, the secret among them. The exit code: 130 after Ctrl-C. */
export async function backupAddCommand(
  io: CliIo,
  argument: string | undefined,
  args: readonly string[],
  options: BackupOptions,
): Promise<number> {
  const { to, vault, secretFile, knownHost = [], config, storage, json } = options
  refuseSecretArguments([to, vault, secretFile, config, storage, ...knownHost, ...args.slice(1)])
  if (args.length > 1)
    throw new ShoalError('USAGE', "too many arguments for 'backup add': expected at most a secret")
  if (argument !== undefined && secretFile !== undefined)
    throw new ShoalError('USAGE', 'a secret is given twice: on the command line and with --secret-file')
  if (/^s3:\/\//i.test(to))
    throw new ShoalError(
      'USAGE',
      '--to is a folder, which a vault in a bucket needs as well, for what waits: give one, and the bucket with --vault',
    )
  if (vault !== undefined) bucketPlaceOf(vault)
  const places = placesOf(askerOf(io), to, { name: NAME, port: 0, ...(config !== undefined && { config }) })
  const file = places.config
  const isThere = existsSync(file) || existsSync(`${file}.d`)
  // A secret that is typed for a daemon that does not run would be for nothing.
  const client = isThere ? await clientOf(file) : undefined
  if (argument !== undefined) io.err(`note: ${SEEN}\n`)
  const typed = argument ?? (await secretInput(io, secretFile, 'read or blind secret (not shown): '))
  if (typed === undefined) return EXIT.interrupted
  const secret = secretOf(typed)
  if (secret.grade === 'write')
    throw new ShoalError('SECRET_GRADE', 'a backup needs no write secret, expected a read or a blind one')
  if (vault !== undefined && secret.grade !== 'blind')
    throw new ShoalError(
      'USAGE',
      '--vault is for a blind secret: with a read secret the files themselves are kept, in --to',
    )
  if (client === undefined) return writeNew(io, secret, options)
  const { dir } = await client.addShare({
    dir: resolve(to),
    secret: formatSecret(secret),
    knownHosts: knownHost,
    // Not said is as the configuration's folder_defaults have it.
    searchLan: options.searchLan ? undefined : false,
    vault,
  })
  const { grade } = secret
  const next = `shoal status ${quoted(file)}`
  io.out(
    json === true
      ? formatJson({ grade, dir, ...(vault !== undefined && { vault }), config: file, isAdded: true, next })
      : `added to the daemon of ${printable(file)}\n${formatTable([...keeping(dir, secret, vault), ['see', next]])}`,
  )
  return EXIT.done
}

/** Of the daemon of a configuration that is there. @throws ShoalError DAEMON_UNREACHABLE with how to start it */
async function clientOf(file: string): Promise<ReturnType<typeof controlClient>> {
  const { config } = await readConfig(file)
  const client = controlClient(config.storagePath)
  try {
    await client.folders()
  } catch (thrown) {
    if (!(thrown instanceof ShoalError) || thrown.code !== 'DAEMON_UNREACHABLE') throw thrown
    throw new ShoalError(
      'DAEMON_UNREACHABLE',
      `${file} is there and its daemon does not run: start it with shoal run ${quoted(file)}, then do this again`,
      { cause: thrown },
    )
  }
  return client
}

async function writeNew(io: CliIo, secret: Secret, options: BackupOptions): Promise<number> {
  const { to, vault, json, knownHost, searchLan, config, storage } = options
  const { places, made } = await make(io, 'backup add', to, secret, {
    name: NAME,
    port: 0,
    searchLan,
    ...(knownHost !== undefined && { knownHost }),
    ...(config !== undefined && { config }),
    ...(storage !== undefined && { storage }),
    ...(vault !== undefined && { vault }),
  })
  const next = `shoal run ${quoted(places.config)}`
  const { grade } = secret
  const { dir } = made
  if (json === true) {
    const where = {
      dir,
      ...(vault !== undefined && { vault }),
      config: places.config,
      storage: places.storage,
    }
    io.out(formatJson({ grade, ...where, isAdded: false, next }))
    return EXIT.done
  }
  io.out(
    formatTable([
      ...keeping(dir, secret, vault),
      ['configuration', `${places.config} (it holds the secret)`],
      ['storage', places.storage],
      ['runs as', made.runsAs],
      ['next', next],
      ['or by itself', 'at every login: see desktop in the examples (systemd, launchd, Windows)'],
    ]),
  )
  if (made.hadContent && grade === 'read')
    io.out(
      `\n${printable(dir)} holds files already: those that are the same are taken as they are, different ones are replaced\n`,
    )
  if (knownHost === undefined)
    io.out('\nmembers are looked for on the local network only; --known-host names others\n')
  return EXIT.done
}

function keeping(dir: string, { grade }: Secret, vault: string | undefined): [string, string][] {
  return [
    ['keeps', grade === 'blind' ? 'what it cannot read (blind)' : 'the files, readable'],
    ...(vault === undefined
      ? ([['in', printable(dir)]] as [string, string][])
      : ([
          ['in', `${vault}, as AWS_* variables of the daemon say`],
          ['what waits', printable(dir)],
        ] as [string, string][])),
  ]
}
