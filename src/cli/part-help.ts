// Commands that hold others: `shoal help COMMAND PART`, as with `shoal help secret new`, and what is said where the part is
// missing or is none.
import type { Command } from 'commander'
import { ShoalError } from '../core/error.js'

/** `help secret new` as `secret new --help`: commander's own help knows one word. */
export function helpOfPart(program: Command, argv: readonly string[]): readonly string[] {
  const [help, name, part] = argv
  if (help !== 'help' || name === undefined || part === undefined) return argv
  const command = program.commands.find((each) => each.name() === name)
  const isPart = command?.commands.some((each) => each.name() === part) === true
  return isPart ? [name, part, '--help'] : argv
}

/** Has a command that only holds others say which there are. Call when it has them all. */
export function mustNamePart(command: Command): Command {
  return command.allowExcessArguments().action((_options: unknown, { args: [first] }: Command) => {
    const names = command.commands.map((part) => part.name())
    const which = names.length === 1 ? names[0] : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
    throw new ShoalError(
      'USAGE',
      first === undefined ? `say which: ${which}` : `there is no command "${command.name()} ${first}"`,
    )
  })
}
