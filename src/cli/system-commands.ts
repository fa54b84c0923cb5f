// `shoal doctor` and `shoal completion` as far as the command line goes. What they do is imported only when it is done.
import { Argument, type Command, Option } from 'commander'
import { SHELLS, type Shell } from './completion/shells.js'
import type { DoctorOptions } from './doctor-command.js'
import type { CliIo } from './io.js'

/** Adds the commands of this file. */
export function addSystemCommands(program: Command, io: CliIo, setExit: (code: number) => void): void {
  const doctor = program
    .command('doctor')
    .description('look for what keeps shoal from working well, and say what to do about it')
    .argument('[config...]', 'configuration files, or folders of them; default: those of this machine')
    .addOption(new Option('--json', 'print JSON'))
    .addOption(new Option('--without-machine', 'only what is of the configuration').hideHelp())
    .addHelpText(
      'after',
      `
Changes nothing. With or without a running daemon; as root, each configuration is looked at as its
own user. The exit code is 1 if a line says FAIL, else 0.`,
    )
    .action(async (configs: string[], options: DoctorOptions) =>
      setExit(await (await import('./doctor-command.js')).doctorCommand(io, configs, options)),
    )
  doctor
    .command('net')
    .description('say how the device of a configuration is reached by others, and why not')
    .argument('<config>', 'configuration file')
    .addOption(new Option('--json', 'print JSON'))
    .addHelpText(
      'after',
      `
What it listens on, firewalls here, the port that a router opens, the addresses that others see, the
kind of NAT as the DHT sees it, relays, and who is connected how. Asks the daemon where it runs; where
it does not, has the router open the port and close it again (use_upnp), and asks the DHT (use_dht).
The exit code is 1 if a line says FAIL, else 0.`,
    )
    .action(async (config: string, options: Pick<DoctorOptions, 'json'>) =>
      setExit(await (await import('./doctor-command.js')).doctorNetCommand(io, config, options)),
    )
  program
    .command('completion')
    .description('print the completion of a shell, to be read by it')
    .addArgument(new Argument('<shell>', 'which').choices(SHELLS))
    .addHelpText(
      'after',
      `
bash:  . <(shoal completion bash), in ~/.bashrc
zsh:   . <(shoal completion zsh), in ~/.zshrc after compinit; or as _shoal in a folder of $fpath
fish:  shoal completion fish > ~/.config/fish/completions/shoal.fish
The Debian package has all three in place.`,
    )
    .action(async (shell: Shell) => {
      const { commandTree } = await import('./completion/command-tree.js')
      const { completionFor } = await import('./completion/completion.js')
      io.out(completionFor(shell, commandTree(program)))
      setExit(0)
    })
}
