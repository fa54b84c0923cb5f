// `shoal release ...` as far as the command line goes. What the commands do is in release.ts, imported only when it is done.
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { CliIo } from './io.js'
import { mustNamePart } from './part-help.js'
import type { CreateOptions, ReleaseOptions, SwitchOptions } from './release.js'

const MAX_KEEP = 256
const MAX_NODES = 1000

const run = () => import('./release.js')

/** Adds the commands of this file. */
export function addReleaseCommands(program: Command, io: CliIo, setExit: (code: number) => void): void {
  const release = program
    .command('release')
    .description('make a tree one unit, and have nodes switch to it at once')
  const command = (name: string, description: string): Command =>
    release
      .command(name)
      .description(description)
      .argument('<config>', 'configuration file of the daemon, which must be running')
  const common = (named: Command): Command =>
    named
      .option('--dir <dir>', 'the folder, if the configuration has several')
      .addOption(new Option('--json', 'print JSON'))
  common(command('create', 'make a release of the folder as it is now, and have nodes show it'))
    .option('--name <name>', 'its name; default: the time in UTC')
    .addOption(whenOption())
    .option('--no-switch', 'do not have it shown')
    .addOption(
      new Option(
        '--keep <count>',
        'leave so many releases, instead of what the configuration says',
      ).argParser((text) => whole(text, MAX_KEEP)),
    )
    .addHelpText('after', WHO)
    .action(async (config: string, options: CreateOptions) =>
      setExit(await (await run()).createCommand(io, config, options)),
    )
  common(
    command('switch', 'have nodes show a release').argument('<name>', 'the release, see shoal release list'),
  )
    .addOption(whenOption())
    .addHelpText('after', WHO)
    .action(async (config: string, name: string, options: SwitchOptions) =>
      setExit(await (await run()).switchCommand(io, config, name, options)),
    )
  common(command('rollback', 'have nodes show what they showed before; nothing is sent for it')).action(
    async (config: string, options: ReleaseOptions) =>
      setExit(await (await run()).rollbackCommand(io, config, options)),
  )
  common(command('list', 'list the releases, which nodes show each and which hold all of it')).action(
    async (config: string, options: ReleaseOptions) =>
      setExit(await (await run()).listCommand(io, config, options)),
  )
  common(
    command('remove', 'remove a release that is not shown').argument(
      '<name>',
      'the release, see shoal release list',
    ),
  ).action(async (config: string, name: string, options: ReleaseOptions) =>
    setExit(await (await run()).removeCommand(io, config, name, options)),
  )
  mustNamePart(release)
}

const WHO = `
Nodes whose configuration says "follow": "releases" show a release as the link "current" in their
folder, each once it holds all of it; with --when, once so many of them do.`

function whenOption(): Option {
  return new Option(
    '--when <all|count>',
    'switch when all nodes that follow releases hold it, or so many',
  ).argParser((text) => (text === 'all' ? 'all' : whole(text, MAX_NODES)))
}

function whole(text: string, most: number): number {
  const value = /^\d{1,4}$/.test(text) ? Number(text) : 0
  if (value < 1 || value > most) throw new InvalidArgumentError(`expected a number from 1 to ${most}`)
  return value
}
