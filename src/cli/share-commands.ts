// `shoal share`, `shoal join` and `shoal preview` as far as the command line goes: a share without writing a configuration
// by hand. What they do is in share.ts and preview-command.ts, imported only when it is done.
import { type Command, InvalidArgumentError, Option } from 'commander'
import { ShoalError } from '../core/error.js'
import type { CliIo } from './io.js'
import { parseHostPort } from './option-values.js'
import type { PreviewCommandOptions } from './preview-command.js'
import type { JoinOptions, ShareOptions } from './share.js'
import { addWayOptions } from './way-options.js'

const DEFAULT_PREVIEW_SECONDS = 30
const DEFAULT_INVITE_SECONDS = 120
const MAX_SECONDS = 86_400
const NO_SEARCH_LAN = 'do not look for members on the local network, now or later'

/** Adds the commands of this file. */
export function addShareCommands(program: Command, io: CliIo, setExit: (code: number) => void): void {
  withPlaces(
    program
      .command('share')
      .description('make a share of a folder: write a configuration for it and print its secrets')
      .argument('<dir>', 'the folder'),
  )
    .option('--no-search-lan', NO_SEARCH_LAN)
    .action(async (dir: string, options: ShareOptions, command: Command) => {
      await checkArguments(command)
      setExit(await (await import('./share.js')).shareCommand(io, dir, options))
    })
  const join = withPlaces(
    program
      .command('join')
      .description('join a share with a secret or an invite, asked for: write a configuration for it')
      .argument('<dir>', 'the folder; made if it is not there, and what it holds already is adopted')
      .option('--secret-file <file>', 'read the secret from a file; -: from standard input')
      .addOption(hostOption('--known-host <host:port>', 'a member whose address does not change'))
      .option('--no-search-lan', NO_SEARCH_LAN)
      .addOption(
        new Option('--timeout <seconds>', 'with an invite: how long to look for the device that made it')
          .default(DEFAULT_INVITE_SECONDS)
          .argParser(parseSeconds),
      )
      .addOption(hostOption('--bootstrap <host:port>', 'a node of the private DHT to look for members in')),
  )
  addWayOptions(join)
    .addHelpText(
      'after',
      `
A secret or invite is never an argument: other users can see those, and shells keep them.
--proxy and --relay are written into the configuration, too. An invite does not go through a relay: with one, the device that
made it has to be reached directly, or by a proxy; a secret needs nobody.`,
    )
    .action(async (dir: string, options: JoinOptions, command: Command) => {
      await checkArguments(command)
      setExit(await (await import('./share.js')).joinCommand(io, dir, options))
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
      setExit(await (await import('./preview-command.js')).previewCommand(io, config, options)),
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
async function checkArguments(command: Command): Promise<void> {
  const { refuseSecretArguments } = await import('./secret-input.js')
  const values = Object.values(command.opts()).flat().map(String)
  refuseSecretArguments([...command.args, ...values])
  if (command.args.length > 1)
    throw new ShoalError('USAGE', `too many arguments for '${command.name()}': expected one folder`)
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
