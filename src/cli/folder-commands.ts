// `shoal add` and `shoal remove` as far as the command line goes: folders that come and go while the daemon runs. What
// they do is in folders.ts, imported only when it is done.
import { type Command, InvalidArgumentError, Option } from 'commander'
import { ShoalError } from '../core/error.js'
import type { AddOptions } from './folders.js'
import type { CliIo } from './io.js'
import { parseHostPort } from './option-values.js'

/** Adds the commands of this file. */
export function addFolderCommands(program: Command, io: CliIo, setExit: (code: number) => void): void {
  program
    .command('add')
    .description('have a running daemon sync one more folder, now and whenever it runs; asks for its secret')
    .argument('<config>', 'configuration file of the daemon, which stays as it is')
    .argument('<dir>', 'the folder; made if it is not there, and what it holds already is adopted')
    .option('--secret-file <file>', 'read the secret from a file; -: from standard input')
    .addOption(
      hostOption('--known-host <host:port>', 'a member whose address does not change; again for more'),
    )
    .option('--no-search-lan', 'do not look for members on the local network')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nA secret is never an argument: other users can see those, and shells keep them. Make one: shoal secret new',
    )
    // One too many may be a secret, of which the check says more than commander.
    .allowExcessArguments()
    .action(async (config: string, dir: string, options: AddOptions, command: Command) => {
      const { refuseSecretArguments } = await import('./secret-input.js')
      refuseSecretArguments([...command.args, ...Object.values(command.opts()).flat().map(String)])
      if (command.args.length > 2)
        throw new ShoalError('USAGE', "too many arguments for 'add': expected a configuration and a folder")
      setExit(await (await import('./folders.js')).addCommand(io, config, dir, options))
    })
  program
    .command('remove')
    .description('have a running daemon sync a folder no longer that was added; its files stay')
    .argument('<config>', 'configuration file of the daemon')
    .argument('<dir>', 'the folder')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nIts secret is forgotten here: without a copy of it nobody can be let in any more.',
    )
    .action(async (config: string, dir: string, options: { json?: boolean }) =>
      setExit(await (await import('./folders.js')).removeCommand(io, config, dir, options)),
    )
}

/** An option that may be given again, each time with a host and a port. */
export function hostOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text, before: string[] = []) => {
    try {
      const { host, port } = parseHostPort(text, 1)
      return [...before, host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`]
    } catch (error) {
      throw error instanceof ShoalError ? new InvalidArgumentError(error.message) : error
    }
  })
}
