// Shell completion as a text that the shell reads, made from the command tree: subcommands, options, the choices of an
// option, and files or folders where an argument's name says so.
import { bashCompletion } from './bash.js'
import type { CommandRow } from './command-tree.js'
import { fishCompletion } from './fish.js'
import type { Shell } from './shells.js'
import { zshCompletion } from './zsh.js'

const MAKERS: Readonly<Record<Shell, (tree: CommandRow) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
}

/** The completion for a shell. */
export function completionFor(shell: Shell, tree: CommandRow): string {
  return MAKERS[shell](tree)
}
