// `shoal check` and `shoal config`: what can be said of configurations without running them. Their answers go to standard
// output, problems included: they are what was asked for. Exit code 1: something would not run.
// What they do is imported only when it is done.
import type { Command } from 'commander'
import { redactPieces } from '../core/secret-redact.js'
import { EXIT } from './exit.js'
import type { CliIo } from './io.js'
import { mustNamePart } from './part-help.js'
import { showProgress } from './progress/show.js'
import { formatJson } from './text.js'

/** Where the folder of the old package is. */
const OLD_FOLDER = '/etc/btsync'

/** Registers the commands. */
export function addConfigCommands(program: Command, io: CliIo, setExit: (code: number) => void): void {
  program
    .command('check')
    .description('say what configurations would do, and everything wrong with them, without running them')
    .argument(
      '<config...>',
      'configuration files, or folders of them; several are also checked against each other',
    )
    .option('--json', 'print JSON')
    .addHelpText('after', '\nThe exit code is 0 if all would run, 1 if one would not.')
    .action(async (files: string[], options: { json?: boolean }) => {
      const { checkConfigs, formatReport } = await import('./check.js')
      const { identify } = await import('./identity.js')
      const { configFilesOf } = await import('./import.js')
      const named = (await Promise.all(files.map(configFilesOf))).flat()
      const reports = await showProgress(io, 'check', (progress) =>
        checkConfigs(named, identify, (done, total) =>
          progress.update({ done, total, unit: 'configuration' }),
        ),
      )
      io.out(redactPieces(options.json === true ? formatJson(reports) : reports.map(formatReport).join('\n')))
      setExit(reports.every(({ ok }) => ok) ? EXIT.done : EXIT.no)
    })
  const config = program.command('config').description('make configurations, and look at old ones')
  config
    .command('sample')
    .description('print a configuration with comments, to fill in')
    .action(async () => io.out((await import('../config/sample.js')).sampleConfig()))
  config
    .command('import')
    .description(
      "say which configurations of BitTorrent Sync's Debian package work as they are; changes nothing",
    )
    .argument('[directory]', 'where they are', OLD_FOLDER)
    .option('--json', 'print JSON')
    .addHelpText('after', '\nThe exit code is 0 if all work as they are, 1 if one does not.')
    .action(async (directory: string, options: { json?: boolean }) => {
      const { formatImport, importReport } = await import('./import.js')
      const { identify } = await import('./identity.js')
      const report = await importReport(directory, identify)
      io.out(redactPieces(options.json === true ? formatJson(report) : formatImport(report)))
      setExit(report.ok ? EXIT.done : EXIT.no)
    })
  mustNamePart(config)
}
