// The commands about what is in a share and how fast it moves, as far as the command line goes: conflicts, history, pause,
// resume, limits. What they do is in conflicts.ts and resources.ts, imported only when it is done.
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { ConflictsOptions } from './conflicts.js'
import type { CliIo } from './io.js'
import type { HistoryOptions, LimitOptions } from './resources.js'
import { atOption } from './restore-commands.js'

const run = () => import('./resources.js')

/** Adds the commands of this file. */
export function addResourceCommands(program: Command, io: CliIo, setExit: (code: number) => void): void {
  const command = (name: string, description: string): Command =>
    program.command(name).description(description).argument('<config>', 'configuration file of the daemon')
  const json = (): Option => new Option('--json', 'print JSON')
  command('conflicts', 'list both sides of every double edit, and say which is to stay')
    .argument('[at...]', 'only those of these paths, as they are listed or as whole paths')
    .addOption(new Option('--keep <which>', 'end them').choices(['this', 'other', 'both']))
    .option('--all', 'with --keep: all that are listed')
    .addOption(json())
    .addHelpText(
      'after',
      `
--keep this leaves the path as it is, --keep other gives it the content of the conflict copy, --keep both
makes the copy a file like any other. What is not kept goes to the archive first (.shoal/archive).`,
    )
    .action(async (config: string, paths: string[], options: ConflictsOptions) =>
      setExit(await (await import('./conflicts.js')).conflictsCommand(io, config, paths, options)),
    )
  command('history', 'list the versions of a path, or of everything, that are known here, newest first')
    .argument('[path]', 'in the folder, or the whole path')
    .addOption(atOption('only what had been published by then: "2026-11-20 14:00", 2026-11-20T13:00Z'))
    .addOption(
      new Option('--limit <count>', 'at most so many, up to 200').argParser((text) => {
        if (!/^([1-9]\d?|1\d\d|200)$/.test(text)) throw new InvalidArgumentError('expected 1 to 200')
        return Number(text)
      }),
    )
    .addOption(json())
    .action(async (config: string, path: string | undefined, options: HistoryOptions) =>
      setExit(await (await run()).historyCommand(io, config, path, options)),
    )
  command('pause', 'speak with no other device until shoal resume, over restarts, too')
    .argument('[dir]', 'only the share of this folder')
    .action(async (config: string, dir: string | undefined) =>
      setExit(await (await run()).pauseCommand(io, config, dir)),
    )
  command('resume', 'end a pause')
    .argument('[dir]', 'only the share of this folder')
    .action(async (config: string, dir: string | undefined) =>
      setExit(await (await run()).resumeCommand(io, config, dir)),
    )
  command(
    'limits',
    'print how much is received and sent at most and until when, or set it until the daemon restarts',
  )
    .argument('[dir]', 'set it for the share of this folder alone')
    .addOption(new Option('--download <rate>', 'kB/s of 1024 bytes; 0: no limit').argParser(parseRate))
    .addOption(new Option('--upload <rate>', 'the same').argParser(parseRate))
    .option('--reset', 'as the configuration and its schedule say')
    .addOption(json())
    .action(async (config: string, dir: string | undefined, options: LimitOptions) =>
      setExit(
        await (await run()).limitsCommand(
          io,
          config,
          dir === undefined ? options : { ...options, folder: dir },
        ),
      ),
    )
}

/** kB/s, as the configuration has them. */
function parseRate(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('expected kB/s as a whole number, 0: no limit')
  return Number(text)
}
