// The command line: commands, options, help, and how a failure is told. Promises: exit codes from the table in
// core/error.ts (docs/cli.md lists them); the message of a failure on standard error and its hint on the line below; a
// stack only if SHOAL_DEBUG is set; no secret in any of it. Of the commands only the one that is run is imported, so that
// each starts quickly and takes little memory (test/architecture.test.ts).
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { meaningOf, ShoalError, toShoalError } from '../core/error.js'
import { GRADES, type Grade } from '../core/grade.js'
import { redactSecrets } from '../core/secret-redact.js'
import { LOG_LEVELS, type LogLevel } from '../ports/log.js'
import { PACKAGE_VERSION } from '../ports/package-version.js'
import { addBackupCommands } from './backup-commands.js'
import { addConfigCommands } from './config-commands.js'
import type { JsonOption, WaitFor } from './daemon-commands.js'
import { addDashboardCommand } from './dashboard-command.js'
import type { AcknowledgeOptions, DriftOptions } from './drift-commands.js'
import type { EventsOptions } from './events-command.js'
import { addFolderCommands } from './folder-commands.js'
import type { InviteOptions } from './invite-commands.js'
import type { CliIo } from './io.js'
import { addMemberCommands } from './member-commands.js'
import { type HostPort, parseHostPort, parseLife } from './option-values.js'
import { helpOfPart, mustNamePart } from './part-help.js'
import { addQuiet, withCommon } from './quiet.js'
import { addRelayCommand } from './relay-commands.js'
import { addReleaseCommands } from './release-commands.js'
import { addResourceCommands } from './resource-commands.js'
import { addRestoreCommands } from './restore-commands.js'
import { addShareCommands } from './share-commands.js'
import { addSupervisorCommands } from './supervisor-commands.js'
import { addSystemCommands } from './system-commands.js'
import { printable } from './text.js'
import { addTrustCommands } from './trust-commands.js'

/** How long --wait waits unless told, seconds. */
const DEFAULT_WAIT_SECONDS = 60
const MAX_WAIT_SECONDS = 86_400
/** How long an invite works unless told, milliseconds. */
const DEFAULT_INVITE_MS = 86_400_000
/** How long an acknowledgement of drift holds unless told, milliseconds. */
const DEFAULT_ACKNOWLEDGEMENT_MS = 30 * 86_400_000

const EXAMPLES = `
Examples:
  $ shoal share ~/photos                            make a share; prints its secrets
  $ shoal join ~/photos                             join it elsewhere; asks for a secret
  $ shoal preview ~/.config/shoal/photos.conf       see first what that would do
  $ shoal run shoal.conf                            sync the folders of a configuration
  $ shoal status shoal.conf --wait                  wait until all devices are in sync
  $ shoal dashboard shoal.conf                      watch it, and settle conflicts
  $ shoal invite shoal.conf --grade read            let somebody in by a telephone call

Configuration files are described in docs/configuration.md, exit codes in docs/cli.md.`

/** The commands that ask a daemon. */
const queries = () => import('./daemon-commands.js')

/** Runs one command line (without node and script); resolves with the exit code, never rejects. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  let exit = 0
  try {
    await withCommon(io, async (common, listen) => {
      const program = makeProgram(common, (code) => {
        exit = code
      })
      listen(program)
      await program.parseAsync(helpOfPart(program, argv), { from: 'user' })
    })
    return exit
  } catch (thrown) {
    if (thrown instanceof CommanderError) {
      // Help and version were printed on the way.
      if (thrown.exitCode === 0) return 0
      return fail(io, new ShoalError('USAGE', thrown.message.replace(/^error: /, ''), { cause: thrown }))
    }
    return fail(io, toShoalError(thrown))
  }
}

function fail(io: CliIo, error: ShoalError): number {
  const { exit, hint } = meaningOf(error.code)
  // It may be the answer of a daemon of another user's, and lines are all it may draw.
  io.err(`${redactSecrets(error.message).split('\n').map(printable).join('\n')}\n`)
  if (hint !== '') io.err(`hint: ${hint}\n`)
  if (io.env.SHOAL_DEBUG !== undefined && io.env.SHOAL_DEBUG !== '')
    for (let at: unknown = error; at instanceof Error; at = at.cause)
      io.err(`${redactSecrets(at.stack ?? '')}\n`)
  return exit
}

/** The whole command line; exported for what is generated from it (man page, completion). */
export function makeProgram(io: CliIo, setExit: (code: number) => void): Command {
  const program = new Command('shoal')
    .description('Keeps a directory the same on many machines, peer to peer, encrypted end to end.')
    .version(PACKAGE_VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    // What follows a command within another is its own, --json too.
    .enablePositionalOptions()
    .addHelpText('after', EXAMPLES)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      // fail() tells it in our own form.
      outputError: () => {},
    })
    .action(unknownCommand)
  addRun(program, io, setExit)
  addSecret(program, io)
  addShareCommands(program, io, setExit)
  addQueries(program, io, setExit)
  addFolderCommands(program, io, setExit)
  addBackupCommands(program, io, setExit)
  addConfigCommands(program, io, setExit)
  addResourceCommands(program, io, setExit)
  addRestoreCommands(program, io, setExit)
  addHooks(program, io, setExit)
  addInvite(program, io, setExit)
  addMemberCommands(program, io, setExit)
  addReleaseCommands(program, io, setExit)
  addTrustCommands(program, io, setExit)
  addDht(program, io, setExit)
  addRelayCommand(program, io, setExit)
  addSupervisorCommands(program, io, setExit)
  addSystemCommands(program, io, setExit)
  addDashboardCommand(program, io, setExit)
  addQuiet(program)
  // Last, as commands inherit it: unknownCommand speaks of arguments better than commander does.
  return program.allowExcessArguments()
}

function unknownCommand(_options: unknown, { args }: Command): never {
  throw new ShoalError(
    'USAGE',
    args[0] === undefined ? 'no command is given' : `there is no command "${args[0]}"`,
  )
}

function addRun(program: Command, io: CliIo, setExit: (code: number) => void): void {
  program
    .command('run')
    .description('sync the folders of a configuration file, in the foreground, until SIGTERM or SIGINT')
    .argument('<config>', 'configuration file')
    .addOption(logLevelOption())
    .option('--log-file <file>', 'log to a file instead, set aside as FILE.old when it has reached log_size')
    .action(async (config: string, options: { logLevel: LogLevel; logFile?: string }) =>
      setExit(await (await import('./run-commands.js')).runCommand(io, config, options)),
    )
}

function addSecret(program: Command, io: CliIo): void {
  const secret = program.command('secret').description('make secrets, and see what they grant')
  secret
    .command('new')
    .description('make a share: print its secrets, from write to blind')
    .addOption(new Option('--grade <grade>', 'print only this one').choices(GRADES))
    .addOption(jsonOption())
    .action(async (options: JsonOption & { grade?: Grade }) =>
      (await import('./secret-commands.js')).secretNew(io, options),
    )
  secret
    .command('show')
    .description('print the secrets that a secret gives: its own grade and those below')
    .argument('[file]', 'file that holds the secret; standard input if absent or -')
    .addOption(new Option('--grade <grade>', 'print only this one').choices(GRADES))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Grades: write (read, change, and let others in), read (follow without changing), blind (keep and
serve the encrypted data). Write secrets of BitTorrent Sync (A..., D...) are understood as well.`,
    )
    .action(async (file: string | undefined, options: JsonOption & { grade?: Grade }) =>
      (await import('./secret-commands.js')).secretShow(io, file, options),
    )
  secret
    .command('relay-pass')
    .description("print the share's relay pass, by which a relay lets it in; it is no secret")
    .argument('[file]', 'file that holds a secret of any grade; standard input if absent or -')
    .addOption(jsonOption())
    .action(async (file: string | undefined, options: JsonOption) =>
      (await import('./secret-commands.js')).secretRelayPass(io, file, options),
    )
  mustNamePart(secret)
}

function addQueries(program: Command, io: CliIo, setExit: (code: number) => void): void {
  const query = (name: string, description: string): Command =>
    program.command(name).description(description).argument('<config>', 'configuration file of the daemon')
  query('status', 'print what the daemon is doing, and who is in sync')
    .addOption(jsonOption())
    .option('--wait', 'wait until this device and every member hold the same')
    .addOption(
      new Option('--timeout <seconds>', 'with --wait: give up after this long')
        .default(DEFAULT_WAIT_SECONDS)
        .argParser(parseSeconds),
    )
    .option(
      '--at <head>',
      'with --wait: until all hold at least what was published at this head, busy or not',
    )
    .addOption(
      new Option('--members <number>', 'with --wait: until so many beside this one do')
        .default(undefined, 'all')
        .argParser(parseMembers),
    )
    .addHelpText(
      'after',
      `
With --wait every member is asked to look at its disk, and to answer. The exit code is 0 if all are
in sync, 2 if this device or one that can be reached is behind when the time is up, or a share is
halted, and 3 if only unreachable ones may be behind.`,
    )
    .action(async (config: string, options: JsonOption & WaitFor & { wait?: boolean; timeout: number }) =>
      setExit(await (await queries()).statusCommand(io, config, options)),
    )
  query('scan', 'look through all folders now; returns when the changes found are announced')
    .argument('[dir]', 'only this folder')
    .action(async (config: string, dir: string | undefined) =>
      setExit(await (await queries()).scanCommand(io, config, dir)),
    )
  query('peers', 'list the connections')
    .addOption(jsonOption())
    .action(async (config: string, options: JsonOption) =>
      setExit(await (await queries()).peersCommand(io, config, options)),
    )
  query('forget', 'drop a member that will not come back, until it is heard of again')
    .argument('<device>', 'its name, or the first 8 or more digits of its id, as shoal status shows them')
    .action(async (config: string, device: string) =>
      setExit(await (await queries()).forgetCommand(io, config, device)),
    )
  addEvents(query('events', 'print what the daemon has done lately, a line for each event'), io, setExit)
  addDrift(query('drift', "list what a reader's disk holds that the share does not say"), io, setExit)
  query('approve', 'let halted shares go on, after reading why in shoal status')
    .argument('[dir]', 'only the share of this folder')
    .action(async (config: string, dir: string | undefined) =>
      setExit(await (await queries()).approveCommand(io, config, dir)),
    )
}

function addDrift(drift: Command, io: CliIo, setExit: (code: number) => void): void {
  const commands = () => import('./drift-commands.js')
  drift
    .helpCommand(false)
    .argument('[path...]', 'only these and what lies below them, as they are listed or as whole paths')
    .addOption(
      new Option('--archive-extra', 'move the files that the share does not have to the archive').conflicts(
        'all',
      ),
    )
    .option('--all', 'of all members of the folders, by what they have reported')
    .addOption(jsonOption())
    .addHelpText('after', '\nThe exit code is 1 if there is drift that is not acknowledged.')
    .action(async (config: string, paths: string[], { all, ...options }: DriftOptions & { all?: boolean }) =>
      setExit(
        all === true
          ? await (await import('./drift-all.js')).driftAllCommand(io, config, paths, options)
          : await (await commands()).driftCommand(io, config, paths, options),
      ),
    )
  drift
    .command('acknowledge')
    .description('say that drift is meant, as it is now: another change of the path is drift again')
    .argument('<config>', 'configuration file of the daemon')
    .argument('<path...>', 'as shoal drift lists it, or the whole path')
    .option('--reason <text>', 'why, in one line')
    .addOption(
      new Option('--expires <time>', 'how long that holds: 12h, 30d')
        .argParser(parseLifeOption)
        .default(DEFAULT_ACKNOWLEDGEMENT_MS, '30d'),
    )
    .addOption(new Option('--withdraw', 'take it back').conflicts(['reason', 'expires']))
    .addOption(jsonOption())
    .action(async (config: string, paths: string[], options: AcknowledgeOptions) =>
      setExit(await (await commands()).acknowledgeCommand(io, config, paths, options)),
    )
}

function addEvents(events: Command, io: CliIo, setExit: (code: number) => void): void {
  const commands = () => import('./events-command.js')
  events
    .option('--follow', 'go on with what happens from now on, until SIGINT or SIGTERM')
    .addOption(new Option('--after <id>', 'only what came after this one, by its id').argParser(parseEventId))
    .addOption(jsonOption('print JSON, an event to a line'))
    .action(async (config: string, options: EventsOptions) =>
      setExit(await (await commands()).eventsCommand(io, config, options)),
    )
}

function addHooks(program: Command, io: CliIo, setExit: (code: number) => void): void {
  const hooks = program
    .command('hooks')
    .description('list what is run after changes (on_change), and how it went')
    .argument('<config>', 'configuration file of the daemon')
    .addOption(jsonOption())
    .action(async (config: string, options: JsonOption) =>
      setExit(await (await import('./hooks-command.js')).hooksCommand(io, config, options)),
    )
  hooks
    .command('run')
    .description('run now what is pending or has failed, once all of it is there; exit code 1 if a run fails')
    .argument('<config>', 'configuration file of the daemon')
    .argument('[number]', 'only this hook, by its number in the list', (text: string) => {
      if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('expected the number of a hook')
      return Number(text)
    })
    .addOption(jsonOption())
    .action(async (config: string, number: number | undefined, _options: JsonOption, command: Command) => {
      const options: JsonOption = command.optsWithGlobals()
      setExit(await (await import('./hooks-command.js')).hooksRunCommand(io, config, number, options))
    })
}

function addInvite(program: Command, io: CliIo, setExit: (code: number) => void): void {
  program
    .command('invite')
    .description('make a one-time invite to a folder: a short text to read over the telephone')
    .argument('<config>', 'configuration file of the daemon that invites, which must be running')
    .argument('[dir]', 'the folder, if the configuration has several')
    .addOption(new Option('--grade <grade>', 'what it grants').choices(['write', 'read']))
    .addOption(
      new Option('--expires <time>', 'how long it works: 30m, 24h, 7d')
        .argParser(parseLifeOption)
        .default(DEFAULT_INVITE_MS, '24h'),
    )
    .option('--list', 'list the invites that have not expired')
    .option('--revoke <id>', 'end an open invite, or forget a closed one')
    .addOption(jsonOption())
    .action(async (config: string, dir: string | undefined, options: InviteOptions) =>
      setExit(await (await import('./invite-commands.js')).inviteCommand(io, config, dir, options)),
    )
}

function addDht(program: Command, io: CliIo, setExit: (code: number) => void): void {
  program
    .command('dht')
    .description('run a node of a private DHT until SIGTERM or SIGINT; prints its address')
    .addOption(
      new Option('--listen <host:port>', 'UDP address to listen on; port 0: any free one')
        .makeOptionMandatory()
        .argParser((text) => usageOf(() => parseHostPort(text, 0))),
    )
    .addOption(
      new Option('--bootstrap <host:port...>', 'other nodes of the same DHT').argParser(
        (text, before: HostPort[] = []) => [...before, usageOf(() => parseHostPort(text, 1))],
      ),
    )
    .addOption(logLevelOption())
    .action(async (options: { listen: HostPort; bootstrap?: HostPort[]; logLevel: LogLevel }) =>
      setExit(await (await import('./run-commands.js')).dhtCommand(io, options)),
    )
}

function jsonOption(description = 'print JSON'): Option {
  return new Option('--json', description)
}

function logLevelOption(): Option {
  return new Option('--log-level <level>', 'how much to log on standard error')
    .choices(LOG_LEVELS)
    .default('info')
}

function parseLifeOption(text: string): number {
  const lifeMs = parseLife(text)
  if (lifeMs === undefined) throw new InvalidArgumentError('expected a time such as 30m, 24h or 7d')
  return lifeMs
}

function parseEventId(text: string): number {
  if (!/^\d{1,15}$/.test(text))
    throw new InvalidArgumentError('expected the id of an event, as --json prints it')
  return Number(text)
}

function parseSeconds(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!(seconds <= MAX_WAIT_SECONDS))
    throw new InvalidArgumentError(`expected seconds from 0 to ${MAX_WAIT_SECONDS}`)
  return seconds
}

function parseMembers(text: string): number | 'all' {
  if (text !== 'all' && !/^[1-9]\d{0,3}$/.test(text))
    throw new InvalidArgumentError('expected all, or how many members')
  return text === 'all' ? 'all' : Number(text)
}

/** Lets commander say which option it was. */
function usageOf<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw error instanceof ShoalError ? new InvalidArgumentError(error.message) : error
  }
}
