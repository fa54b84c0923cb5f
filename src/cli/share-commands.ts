// `shoal share`, `shoal join` and `shoal preview`: a share without writing a configuration by hand. What they do to the
// disk is in src/daemon/new-share.ts and src/daemon/preview, imported only when it is done.
import { randomBytes } from 'node:crypto'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { secretOrFault } from '../config/config.js'
import { nameOfFolder } from '../config/new-config.js'
import { type Asker, configFolderOf, configFoldersOf, stateFolderOf } from '../config/places.js'
import { ShoalError } from '../core/error.js'
import { isInvite } from '../core/invite.js'
import { KEY_BYTES } from '../core/keys.js'
import { type Secret, writeSecretOf } from '../core/secret.js'
import type { NewShare, NewShareOptions } from '../daemon/new-share-types.js'
import type { CliIo } from './io.js'
import { type PreviewCommandOptions, previewCommand } from './preview-command.js'
import { redeem } from './redeem.js'
import { parseHostPort } from './run-commands.js'
import { gradesOf } from './secret-commands.js'
import { refuseSecretArguments, secretInput } from './secret-input.js'
import { formatJson, formatTable, printable } from './text.js'

interface PlaceOptions {
  readonly name?: string
  readonly config?: string
  readonly storage?: string
  readonly port: number
  readonly json?: boolean
}

interface JoinOptions extends PlaceOptions {
  readonly secretFile?: string
  readonly knownHost?: readonly string[]
  readonly bootstrap?: readonly string[]
  /** Seconds, for an invite. */
  readonly timeout: number
  /** Only for an invite: the configuration has its own key. */
  readonly searchLan: boolean
}

type Places = Required<Pick<PlaceOptions, 'name' | 'config' | 'storage'>>

const INTERRUPTED = 130
const DEFAULT_PREVIEW_SECONDS = 30
const DEFAULT_INVITE_SECONDS = 120
const MAX_SECONDS = 86_400
/** As an instance's name may be: part of a file name without dots, and of a unit's. */
const NAME = /^[a-zA-Z0-9_][a-zA-Z0-9_-]{0,63}$/

const WHO = {
  write: 'your own devices, and people who may change everything and let others in',
  read: 'people and machines that may follow, and change nothing',
  blind: 'machines that keep the data without being able to read it',
} as const

/** Makes a share of a folder: writes its configuration, makes its marker, prints its secrets. */
export async function shareCommand(io: CliIo, dir: string, options: PlaceOptions): Promise<number> {
  const secret = writeSecretOf(randomBytes(KEY_BYTES))
  const { places, made } = await make(io, 'share', dir, secret, options)
  const next = `shoal run ${quoted(places.config)}`
  const grades = gradesOf(secret)
  if (options.json === true) {
    io.out(formatJson({ ...places, dir: made.dir, ...grades, next }))
    return 0
  }
  const rows = Object.entries(grades).map(([grade, text]) => [grade, text, WHO[grade as keyof typeof WHO]])
  for (const [grade, text, who] of rows) io.out(`${grade} secret, for ${who}:\n  ${text}\n`)
  io.out(
    `\n${formatTable([
      ['configuration', `${places.config} (it holds the write secret)`],
      ['storage', places.storage],
      ['runs as', made.runsAs],
      ['next, here', next],
      ['then elsewhere', 'shoal join DIR   (it asks for one of the secrets above)'],
    ])}`,
  )
  return 0
}

/** Joins a share with a secret or an invite. The exit code: 130 after Ctrl-C. */
export async function joinCommand(io: CliIo, dir: string, options: JoinOptions): Promise<number> {
  const { knownHost = [], bootstrap = [] } = options
  const typed = await secretInput(io, options.secretFile, 'secret or invite (not shown): ')
  if (typed === undefined) return INTERRUPTED
  const { timeout, searchLan } = options
  // An invite works once: all that can be checked is, before it is spent.
  if (isInvite(typed)) await check(io, dir, options)
  const redeemed = await redeem(io, typed, { knownHosts: knownHost, bootstrap, timeout, searchLan })
  if (redeemed === undefined) return INTERRUPTED
  const secret = secretOf(redeemed.secret)
  const met = redeemed.knownHost === undefined ? [] : [redeemed.knownHost]
  const hosts = [...new Set([...knownHost, ...met])]
  const { places, made } = await make(io, 'join', dir, secret, { ...options, knownHost: hosts })
  const next = `shoal run ${quoted(places.config)}`
  const preview = `shoal preview ${quoted(places.config)}`
  if (options.json === true) {
    const { grade } = secret
    io.out(formatJson({ ...places, dir: made.dir, grade, hadContent: made.hadContent, preview, next }))
    return 0
  }
  io.out(
    formatTable([
      ['grade', secret.grade],
      ['configuration', `${places.config} (it holds the secret)`],
      ['storage', places.storage],
      ['runs as', made.runsAs],
      ['see first', `${preview}   (what joining would do, without doing it)`],
      ['next', next],
    ]),
  )
  if (made.hadContent)
    io.out(
      `\n${printable(made.dir)} holds files already: those that are the same are taken as they are, ${secret.grade === 'write' ? 'others are sent, and of double ones both are kept' : 'different ones are replaced'}\n`,
    )
  if (hosts.length === 0 && bootstrap.length === 0)
    io.out(
      '\nmembers are looked for on the local network only; known_hosts in the configuration names others\n',
    )
  return 0
}

/** Adds the commands of this file. */
export function addShareCommands(program: Command, io: CliIo, setExit: (code: number) => void): void {
  withPlaces(
    program
      .command('share')
      .description('make a share of a folder: write a configuration for it and print its secrets')
      .argument('<dir>', 'the folder'),
  ).action(async (dir: string, options: PlaceOptions, command: Command) => {
    checkArguments(command)
    setExit(await shareCommand(io, dir, options))
  })
  withPlaces(
    program
      .command('join')
      .description('join a share with a secret or an invite, asked for: write a configuration for it')
      .argument('<dir>', 'the folder; made if it is not there, and what it holds already is adopted')
      .option('--secret-file <file>', 'read the secret from a file; -: from standard input')
      .addOption(hostOption('--known-host <host:port>', 'a member whose address does not change'))
      .option('--no-search-lan', 'do not look for members on the local network')
      .addOption(
        new Option('--timeout <seconds>', 'with an invite: how long to look for the device that made it')
          .default(DEFAULT_INVITE_SECONDS)
          .argParser(parseSeconds),
      )
      .addOption(hostOption('--bootstrap <host:port>', 'a node of the private DHT to look for members in')),
  )
    .addHelpText(
      'after',
      '\nA secret or invite is never an argument: other users can see those, and shells keep them.',
    )
    .action(async (dir: string, options: JoinOptions, command: Command) => {
      checkArguments(command)
      setExit(await joinCommand(io, dir, options))
    })
  program
    .command('preview')
    .description('say what joining would do, without doing it: compare the folders with their shares')
    .argument('<config>', 'configuration file')
    .addOption(
      new Option('--timeout <seconds>', 'give up after this long without anybody or anything new')
        .default(DEFAULT_PREVIEW_SECONDS)
        .argParser(parseSeconds),
    )
    .option('--list', 'also list every path that is not the same')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nThe exit code is 0 if all was compared, 3 if nobody was reached.')
    .action(async (config: string, options: PreviewCommandOptions) =>
      setExit(await previewCommand(io, config, options)),
    )
}

function withPlaces(command: Command): Command {
  return (
    command
      .option('--name <name>', "name of the configuration; default: the folder's")
      .option(
        '--config <file>',
        'configuration file to write; default: NAME.conf in ~/.config/shoal or, as root, /etc/shoal',
      )
      .option(
        '--storage <dir>',
        'storage_path; default: NAME in ~/.local/state/shoal or, as root, /var/lib/shoal',
      )
      .addOption(
        new Option('--port <port>', 'listening_port; 0: any free one, which is then kept')
          .default(0)
          .argParser(parsePort),
      )
      .option('--json', 'print JSON')
      // One too many may be a secret, of which checkArguments says more than commander.
      .allowExcessArguments()
  )
}

/** Every argument and option is looked at, also those that are too many, before anything else is said of them. */
function checkArguments(command: Command): void {
  const values = Object.values(command.opts()).flat().map(String)
  refuseSecretArguments([...command.args, ...values])
  if (command.args.length > 1)
    throw new ShoalError('USAGE', `too many arguments for '${command.name()}': expected one folder`)
}

type MakeOptions = PlaceOptions & Partial<Pick<JoinOptions, 'knownHost' | 'bootstrap' | 'searchLan'>>

async function make(
  io: CliIo,
  madeBy: 'share' | 'join',
  dir: string,
  secret: Secret,
  options: MakeOptions,
): Promise<{ places: Places; made: NewShare }> {
  const places = placesOf(askerOf(io), dir, options)
  const { makeShare } = await import('../daemon/new-share.js')
  return { places, made: await makeShare(newShareOf(io, madeBy, dir, secret, places, options)) }
}

/** Whether a join could be made, with a secret that is not known yet. */
async function check(io: CliIo, dir: string, options: MakeOptions): Promise<void> {
  const places = placesOf(askerOf(io), dir, options)
  const { checkShare } = await import('../daemon/new-share.js')
  const unknown = writeSecretOf(randomBytes(KEY_BYTES))
  await checkShare(newShareOf(io, 'join', dir, unknown, places, options))
}

function newShareOf(
  io: CliIo,
  madeBy: 'share' | 'join',
  dir: string,
  secret: Secret,
  { name, storage, config }: Places,
  { port, knownHost = [], bootstrap = [], searchLan = true }: MakeOptions,
): NewShareOptions {
  return {
    config: {
      name,
      madeBy,
      secret,
      dir: resolve(dir),
      storagePath: storage,
      port,
      knownHosts: knownHost,
      bootstrap,
      searchLan,
    },
    configFile: config,
    configFolders: configFoldersOf(askerOf(io)),
    isJoining: madeBy === 'join',
    nowMs: Date.now,
  }
}

function askerOf({ env }: CliIo): Asker {
  return { uid: process.getuid?.(), home: env.HOME || homedir(), env }
}

function placesOf(asker: Asker, dir: string, { name, config, storage }: PlaceOptions): Places {
  const chosen = name ?? nameOfFolder(resolve(dir))
  if (!NAME.test(chosen))
    throw new ShoalError(
      'USAGE',
      name === undefined
        ? `no name can be made of the folder's: give one with --name`
        : `a name has letters, digits, "_" and "-", at most 64 of them, and no "-" first`,
    )
  return {
    name: chosen,
    config: resolve(config ?? join(configFolderOf(asker), `${chosen}.conf`)),
    storage: resolve(storage ?? join(stateFolderOf(asker), chosen)),
  }
}

/** The secret of a text that a share can be joined with. Throws SECRET_INVALID, NOT_YET. */
function secretOf(text: string): Secret {
  const found = secretOrFault(text)
  if ('grade' in found) return found
  throw new ShoalError(found.notYet === true ? 'NOT_YET' : 'SECRET_INVALID', found.message)
}

function hostOption(flags: string, description: string): Option {
  return new Option(flags, `${description}; again for more`).argParser((text, before: string[] = []) => {
    try {
      const { host, port } = parseHostPort(text, 1)
      return [...before, host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`]
    } catch (error) {
      throw error instanceof ShoalError ? new InvalidArgumentError(error.message) : error
    }
  })
}

function parsePort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new InvalidArgumentError('expected 0 to 65535')
  return Number(text)
}

function parseSeconds(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!(seconds > 0 && seconds <= MAX_SECONDS))
    throw new InvalidArgumentError(`expected seconds above 0, up to ${MAX_SECONDS}`)
  return seconds
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
