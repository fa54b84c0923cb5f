// `shoal members`, `shoal safe-to-stop` and `shoal log` as far as the command line goes. What they do is in files of those
// names, imported only when it is done.
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { JsonOption } from './daemon-commands.js'
import type { CliIo } from './io.js'
import type { LogOptions } from './log.js'
import type { SafeToStopOptions } from './safe-to-stop.js'

/** How long disks may be looked at, here and then elsewhere, seconds. */
const DEFAULT_STOP_SECONDS = 30
const MAX_STOP_SECONDS = 3600
const DEFAULT_LOG_LIMIT = 50
const MAX_LOG_LIMIT = 1_000_000

/** Adds the commands of this file. */
export function addMemberCommands(program: Command, io: CliIo, setExit: (code: number) => void): void {
  const members = program
    .command('members')
    .description('list who is in the shares: how far each is, when it was last heard of')
    .argument('<config>', 'configuration file of the daemon')
    .addOption(new Option('--json', 'print JSON'))
    .addHelpText(
      'after',
      `
All are asked to look at their disks first. "In sync" is said of those alone who have answered that
they hold the same; of one that cannot be reached, since when.`,
    )
    .action(async (config: string, options: JsonOption) =>
      setExit(await (await import('./members.js')).membersCommand(io, config, options)),
    )
  members.helpCommand(false)
  members
    .command('remove')
    .description('stop counting on a member that will not come back, until it is heard of again')
    .argument('<config>', 'configuration file of the daemon')
    .argument('<device>', 'its name, or the first 8 or more digits of its id, as shoal members shows them')
    .addOption(new Option('--json', 'print JSON'))
    .action(async (config: string, device: string, _options: JsonOption, command: Command) => {
      const options: JsonOption = command.optsWithGlobals()
      setExit(await (await import('./members.js')).removeMemberCommand(io, config, device, options))
    })
  program
    .command('safe-to-stop')
    .description('say whether this device may be powered off: whether enough others hold all that it holds')
    .argument('<config>', 'configuration file of the daemon')
    .addOption(
      new Option('--timeout <seconds>', 'how long disks may be looked at, here and then elsewhere')
        .default(DEFAULT_STOP_SECONDS)
        .argParser(parseStopSeconds),
    )
    .addOption(new Option('--json', 'print JSON'))
    .addHelpText(
      'after',
      `
The exit code is 0 if it may, and 1 if not, with the reason. All disks are looked at first, and members
that cannot be reached do not count. Every piece has to be on as many other devices as "copies" of the
folder says (min, offsite), or on one where it says nothing.`,
    )
    .action(async (config: string, options: SafeToStopOptions) =>
      setExit(await (await import('./safe-to-stop.js')).safeToStopCommand(io, config, options)),
    )
  program
    .command('log')
    .description('list who wrote which version when, newest first, from the signed feeds')
    .argument('<config>', 'configuration file of the daemon')
    .argument('[path]', 'only of this file or folder, and what lies below it')
    .addOption(
      new Option('--limit <number>', 'at most so many versions')
        .default(DEFAULT_LOG_LIMIT)
        .argParser(parseLimit),
    )
    .addOption(
      new Option('--since <time>', 'only from then on: 2026-11-21, 2026-11-21T08:00Z').argParser(parseTime),
    )
    .addOption(
      new Option('--verify', 'check all feeds in the storage instead, without a daemon').conflicts([
        'limit',
        'since',
      ]),
    )
    .addOption(new Option('--json', 'print JSON'))
    .addHelpText(
      'after',
      `
--verify checks what storage_path holds, with the daemon stopped: that the share's key vouches for every
writer, that every writer signed its feed as it stands, that every record can be read, and that what the
index says follows from them. The exit code is 1 if something does not hold, and it says where.`,
    )
    .action(async (config: string, path: string | undefined, options: LogOptions) =>
      setExit(await (await import('./log.js')).logCommand(io, config, path, options)),
    )
}

function parseLimit(text: string): number {
  const limit = /^[1-9]\d*$/.test(text) ? Number(text) : Number.NaN
  if (!(limit <= MAX_LOG_LIMIT))
    throw new InvalidArgumentError(`expected a whole number from 1 to ${MAX_LOG_LIMIT}`)
  return limit
}

function parseStopSeconds(text: string): number {
  const seconds = /^[1-9]\d*$/.test(text) ? Number(text) : Number.NaN
  if (!(seconds <= MAX_STOP_SECONDS))
    throw new InvalidArgumentError(`expected seconds from 1 to ${MAX_STOP_SECONDS}`)
  return seconds
}

/** Milliseconds since 1970. */
function parseTime(text: string): number {
  const timeMs = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?)?$/.test(text)
    ? Date.parse(text)
    : Number.NaN
  if (Number.isNaN(timeMs)) throw new InvalidArgumentError('expected a time such as 2026-11-21T08:00Z')
  return timeMs
}
