// `shoal doctor` and `shoal completion` as far as the command line goes. What they do is imported only when it is done.
import { Argument, type Command, Option } from 'commander'
import { SHELLS, type Shell } from './completion/shells.js'
import type { CliIo } from './io.js'

/** Adds the commands of this file. */
export function addSystemCommands(program: Command, io: CliIo, setExit: (code: number) => void): void {
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
  void Option
}
