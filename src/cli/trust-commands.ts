// The commands about whether what is held is whole, as far as the command line goes. What they do is in trust.ts, imported
// only when it is done.
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { CliIo } from './io.js'
import type { RehearseOptions } from './rehearse.js'
import type { AuditOptions, VerifyOptions } from './trust.js'

const run = () => import('./trust.js')

/** Adds the commands of this file. */
export function addTrustCommands(program: Command, io: CliIo, setExit: (code: number) => void): void {
  const command = (name: string, description: string): Command =>
    program.command(name).description(description).argument('<config>', 'configuration file of the daemon')
  const json = (): Option => new Option('--json', 'print JSON')
  command('verify', 'read all that this node holds again, and have what was damaged fetched anew')
    .argument('[dir]', 'only this folder')
    .option('--status', 'read nothing: print what was found last, here and by the other members')
    .addOption(json())
    .addHelpText(
      'after',
      `
Damaged is what differs while the file looks untouched: nobody has written to it. What somebody has
changed is left to the next look at the disk. A damaged file goes to the archive (.shoal/archive) when a
whole copy takes its place. The exit code is 1 if damage was found, or is not put right yet. The feeds
are checked by shoal log --verify.`,
    )
    .action(async (config: string, dir: string | undefined, options: VerifyOptions) =>
      setExit(await (await run()).verifyCommand(io, config, dir, options)),
    )
  command('audit', 'have a member prove that it holds a random sample of the pieces')
    .argument('[dir]', 'the folder, if the configuration has several')
    .requiredOption('--node <name>', 'the member: its name, or the first 8 or more digits of its id')
    .addOption(new Option('--confidence <percent>', 'how sure to be').argParser(parsePercent).default(99.9))
    .addOption(
      new Option('--missing <percent>', 'that less than this part is missing')
        .argParser(parsePercent)
        .default(0.1),
    )
    .addOption(
      new Option('--sample <count>', 'ask for so many pieces, whatever that proves').argParser((text) => {
        if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('expected a number of pieces')
        return Number(text)
      }),
    )
    .addOption(json())
    .addHelpText(
      'after',
      `
The member hashes each piece under a number that it could not know before, and this device compares
that with its own copy. The exit code is 1 if a piece was not proved, and 3 if the member is connected
and answered nothing: then nothing is known to be missing either.`,
    )
    .action(async (config: string, dir: string | undefined, options: AuditOptions) =>
      setExit(await (await run()).auditCommand(io, config, dir, options)),
    )
  command('rehearse', 'restore a random sample from one member alone into a scratch folder, and compare')
    .argument('[dir]', 'the folder, if the configuration has several')
    .requiredOption('--node <name>', 'the member: its name, or the first 8 or more digits of its id')
    .addOption(
      new Option('--sample <count>', 'files to restore, at most 10000')
        .argParser((text) => {
          if (!/^[1-9]\d{0,4}$/.test(text) || Number(text) > 10_000)
            throw new InvalidArgumentError('expected a number of files, from 1 to 10000')
          return Number(text)
        })
        .default(20),
    )
    .addOption(new Option('--all', 'everything').conflicts('sample'))
    .option('--to <dir>', 'the scratch folder: new or empty; one among the temporary files unless told')
    .option('--keep', 'leave what was restored')
    .addOption(
      new Option('--timeout <seconds>', 'give up after so long without anything new')
        .argParser((text) => {
          if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError('expected seconds')
          return Number(text)
        })
        .default(30),
    )
    .addOption(json())
    .addHelpText(
      'after',
      `
It goes the way of a real restore: a device of the moment that meets this member and nobody else. The exit
code is 1 if something could not be restored or is not as it is here.`,
    )
    .action(async (config: string, dir: string | undefined, options: RehearseOptions) =>
      setExit(await (await import('./rehearse.js')).rehearseCommand(io, config, dir, options)),
    )
}

/** Above 0 and below 100. */
function parsePercent(text: string): number {
  const percent = /^\d{1,2}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN
  if (!(percent > 0 && percent < 100))
    throw new InvalidArgumentError('expected percent, above 0 and below 100')
  return percent
}
