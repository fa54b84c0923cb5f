// `shoal backup add` as far as the command line goes: this machine keeps a share of others, readable or blind. What it
// does is in backup.ts, imported only when it is done.
import type { Command } from 'commander'
import type { BackupOptions } from './backup.js'
import { hostOption } from './folder-commands.js'
import type { CliIo } from './io.js'
import { mustNamePart } from './part-help.js'

/** Adds the commands of this file. */
export function addBackupCommands(program: Command, io: CliIo, setExit: (code: number) => void): void {
  const backup = program
    .command('backup')
    .description('keep shares of other machines on this one, readable or blind')
  backup
    .command('add')
    .description(
      'keep one more share: in the daemon of the configuration if it runs, else in a new configuration',
    )
    .argument('[secret]', 'its read or blind secret; better not given here, then it is asked for')
    .requiredOption('--to <dir>', 'the folder to keep it in; made if it is not there')
    .option(
      '--vault <s3://bucket/prefix>',
      'with a blind secret: keep the vault in a bucket; --to then holds what waits for it',
    )
    .option('--secret-file <file>', 'read the secret from a file; -: from standard input')
    .addOption(
      hostOption('--known-host <host:port>', 'a member whose address does not change; again for more'),
    )
    .option('--no-search-lan', 'do not look for members on the local network')
    .option(
      '--config <file>',
      'configuration of the daemon that keeps backups; default: backup.conf in ~/.config/shoal or, as root, /etc/shoal',
    )
    .option(
      '--storage <dir>',
      'storage_path of a new configuration; default: backup in ~/.local/state/shoal or, as root, /var/lib/shoal',
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
With a read secret the folder holds the files; with a blind one what only holders of a read secret can make files of.
A secret on the command line is seen by other users while it runs, and the shell keeps it. A write secret is refused.`,
    )
    // One too many may be a secret, of which backup.ts says more than commander.
    .allowExcessArguments()
    .action(async (secret: string | undefined, options: BackupOptions, command: Command) =>
      setExit(await (await import('./backup.js')).backupAddCommand(io, secret, command.args, options)),
    )
  mustNamePart(backup)
}
