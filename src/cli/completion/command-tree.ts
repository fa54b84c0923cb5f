// The command line as plain data, read off commander's own objects, for the man page and the completions: what is not in
// the program is in neither of them.
import type { Command } from 'commander'

export interface OptionRow {
  readonly flags: string
  readonly long: string | undefined
  readonly short: string | undefined
  /** Name of the option's value; undefined: it takes none. */
  readonly value: string | undefined
  readonly choices: readonly string[]
  readonly description: string
}

export interface ArgumentRow {
  readonly name: string
  readonly isRequired: boolean
  readonly isVariadic: boolean
  readonly choices: readonly string[]
  readonly description: string
}

export interface CommandRow {
  /** All words from "shoal" on. */
  readonly path: string
  readonly description: string
  readonly usage: string
  readonly arguments: readonly ArgumentRow[]
  /** What --help lists. */
  readonly options: readonly OptionRow[]
  /** What --help prints below the lists. */
  readonly notes: string
  readonly commands: readonly CommandRow[]
}

/** Reads a command and all below it. */
export function commandTree(command: Command, parents: readonly string[] = []): CommandRow {
  const help = command.createHelp()
  const words = [...parents, command.name()]
  return {
    path: words.join(' '),
    description: command.description(),
    usage: command.usage(),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      isRequired: argument.required,
      isVariadic: argument.variadic,
      choices: argument.argChoices ?? [],
      description: argument.description,
    })),
    options: help.visibleOptions(command).map((option) => ({
      flags: option.flags,
      long: option.long,
      short: option.short,
      value: /[<[]([^>\].]+)/.exec(option.flags)?.[1],
      choices: option.argChoices ?? [],
      description: help.optionDescription(option),
    })),
    notes: notesOf(command),
    commands: help.visibleCommands(command).map((child) => commandTree(child, words)),
  }
}

/** Every command that does something or holds others, the root first. */
export function allCommands(tree: CommandRow): readonly CommandRow[] {
  return [tree, ...tree.commands.flatMap(allCommands)]
}

/** commander keeps added help as listeners, so it is what a printed help has more than the lists. */
function notesOf(command: Command): string {
  let printed = ''
  command.configureOutput({
    writeOut: (text) => {
      printed += text
    },
  })
  command.outputHelp()
  return printed.slice(command.helpInformation().length).replace(/^\n+|\s+$/g, '')
}
