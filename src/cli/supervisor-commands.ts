// The commands for many daemons at once, as far as the command line goes; supervise.ts does what they say, imported only
// then.
import { type Command, Option } from 'commander'
import { LOG_LEVELS } from '../ports/log.js'
import type { JsonOption } from './daemon-commands.js'
import type { CliIo } from './io.js'
import type { PlaceOptions, UpOptions } from './supervise.js'

export function addSupervisorCommands(program: Command, io: CliIo, setExit: (code: number) => void): void {
  const state = (): Option =>
    new Option('--state <folder>', 'folder of the lock and the socket, if not the usual one')
  const dir = (): Option => new Option('--dir <folder>', 'folder of the configurations, as given to shoal up')
  program
    .command('up')
    .description('run a daemon for each configuration of a folder, until SIGTERM, SIGINT or shoal down')
    .argument('[dir]', 'folder of NAME.conf and NAME.conf.d; default: /etc/shoal, else /etc/btsync')
    .option('--only <name...>', 'run these alone, whatever AUTOSTART says')
    .addOption(state())
    .option('--defaults <file>', 'file with AUTOSTART; for the default folders /etc/default/shoal or btsync')
    .addOption(
      new Option('--log-level <level>', 'how much to log on standard error')
        .choices(LOG_LEVELS)
        .default('info'),
    )
    .addHelpText(
      'after',
      `
A configuration that is wrong, or that collides with another one, is not run; the others are. SIGHUP
reads the folder again: new ones are started, those that are gone stopped, changed ones told.`,
    )
    .action(async (folder: string | undefined, options: UpOptions) =>
      setExit(await (await import('./supervise.js')).upCommand(io, folder, options)),
    )
  program
    .command('down')
    .description('stop the daemons that shoal up runs, or only the named ones')
    .argument('[name...]', 'instances; none: all, and shoal up with them')
    .addOption(dir())
    .addOption(state())
    .action(async (names: string[], options: PlaceOptions) =>
      setExit(await (await import('./supervise.js')).downCommand(io, names, options)),
    )
  program
    .command('ps')
    .description('list the daemons that shoal up runs')
    .addOption(new Option('--json', 'print JSON'))
    .addOption(dir())
    .addOption(state())
    .action(async (options: PlaceOptions & JsonOption) =>
      setExit(await (await import('./supervise.js')).psCommand(io, options)),
    )
}
