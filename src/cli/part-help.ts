// `shoal help COMMAND PART`, as with `shoal help secret new`.
import type { Command } from 'commander'

/** `help secret new` as `secret new --help`: commander's own help knows one word. */
export function helpOfPart(program: Command, argv: readonly string[]): readonly string[] {
  const [help, name, part] = argv
  if (help !== 'help' || name === undefined || part === undefined) return argv
  const command = program.commands.find((each) => each.name() === name)
  const isPart = command?.commands.some((each) => each.name() === part) === true
  return isPart ? [name, part, '--help'] : argv
}
