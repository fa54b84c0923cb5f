// `shoal restore` and `shoal browse` as far as the command line goes. What they do is in restore.ts and browse.ts, imported
// only when it is done.
import { type Command, InvalidArgumentError, Option } from 'commander'
import { ShoalError } from '../core/error.js'
import type { BrowseCommandOptions } from './browse.js'
import type { CliIo } from './io.js'
import { parseHostPort, parseMoment } from './option-values.js'
import type { RestoreCommandOptions } from './restore.js'
import { addWayOptions } from './way-options.js'

const DEFAULT_SECONDS = 60
const MAX_SECONDS = 86_400
const SECRET_FILE = 'read the read or write secret from a file; -: from standard input'

/** Adds the commands of this file. */
export function addRestoreCommands(program: Command, io: CliIo, setExit: (code: number) => void): void {
  const restore = program
    .command('restore')
    .description('bring a share back as it was, from a vault or from its members, into a new folder')
    .argument('[path...]', 'only these and what is below them, as they are called in the share')
    .addOption(
      new Option(
        '--from <where>',
        "a vault's folder or a copy of it; s3://BUCKET/PREFIX; swarm: the members",
      ).makeOptionMandatory(),
    )
    .addOption(new Option('--to <dir>', 'the folder; new, or empty').makeOptionMandatory())
    .option('--secret-file <file>', SECRET_FILE)
    .addOption(atOption())
    .addOption(
      new Option(
        '--host <host:port>',
        'with --from swarm: a member whose address is known; again for more',
      ).argParser((text, before: string[] = []) => [...before, hostPort(text)]),
    )
    .option('--node <name>', 'with --from swarm: ask this member alone, by its name or device id')
    .option('--no-search-lan', 'with --from swarm: do not look for members on the local network')
    .addOption(
      new Option(
        '--bootstrap <host:port>',
        'with --from swarm: a node of the DHT to look for members in; again for more',
      ).argParser((text, before: string[] = []) => [...before, hostPort(text)]),
    )
  addWayOptions(restore, 'with --from swarm: ')
    .addOption(
      new Option(
        '--timeout <seconds>',
        'with --from swarm: give up after so long without anybody or anything new',
      )
        .default(DEFAULT_SECONDS)
        .argParser(parseSeconds),
    )
    .addOption(
      new Option(
        '--owners <how>',
        'set owners by name, by number, or not at all; default: name as root, else not',
      ).choices(['name', 'number', 'ignore']),
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Without --at the newest there is. The same command again goes on where one ended. The exit code is 0 if all is
there and verified, 1 if something is lacking, which is listed. Needs no daemon and no configuration.
The secret is never an argument: without --secret-file it is asked for.

Examples:
  $ shoal restore --secret-file s --from /mnt/vault --to /srv/back --at "2026-11-20 14:00"
  $ shoal restore --secret-file s --from swarm --host backup:7000 --to /srv/back photos/2026`,
    )
    .action(async (paths: string[], options: RestoreCommandOptions, command: Command) => {
      await refuseSecrets(command)
      setExit(await (await import('./restore.js')).restoreCommand(io, paths, options))
    })
  program
    .command('browse')
    .description('look into a vault without restoring it: list a directory, print a file, list versions')
    .argument('<vault>', "a vault's folder, a copy of it, or s3://BUCKET/PREFIX")
    .addArgument(
      program.createArgument('<what>', 'list, cat, or history').choices(['list', 'cat', 'history']),
    )
    .argument('[at]', 'a path in the share')
    .option('--secret-file <file>', SECRET_FILE)
    .addOption(atOption())
    .option('--recursive', 'with list: all that is below as well')
    .addOption(
      new Option('--limit <count>', 'with history: at most so many').default(200).argParser((text) => {
        if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('expected 1 to 9999999')
        return Number(text)
      }),
    )
    .option('--json', 'print JSON')
    .action(
      async (
        vault: string,
        what: string,
        at: string | undefined,
        options: BrowseCommandOptions,
        command: Command,
      ) => {
        await refuseSecrets(command)
        setExit(await (await import('./browse.js')).browseCommand(io, vault, what, at, options))
      },
    )
}

/** `--at`, as milliseconds since 1970. */
export function atOption(description = 'as it was then: "2026-11-20 14:00", 2026-11-20T13:00Z'): Option {
  return new Option('--at <time>', description).argParser((text) => {
    const ms = parseMoment(text)
    if (ms === undefined)
      throw new InvalidArgumentError('expected a time like "2026-11-20 14:00" or 2026-11-20T13:00Z')
    return ms
  })
}

async function refuseSecrets(command: Command): Promise<void> {
  const { refuseSecretArguments } = await import('./secret-input.js')
  refuseSecretArguments([...command.args, ...Object.values(command.opts()).flat().map(String)])
}

function hostPort(text: string): string {
  try {
    const { host, port } = parseHostPort(text, 1)
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  } catch (error) {
    throw error instanceof ShoalError ? new InvalidArgumentError(error.message) : error
  }
}

function parseSeconds(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!(seconds > 0 && seconds <= MAX_SECONDS))
    throw new InvalidArgumentError(`expected seconds above 0, up to ${MAX_SECONDS}`)
  return seconds
}
