// The command line as plain data, read off commander's own objects, for the man page and the completions: what is not in
// the program is in neither of them.

/**
 * @typedef {{ flags: string, long: string, short: string | undefined, value: string | undefined,
 *   choices: readonly string[], description: string }} OptionRow `value` is the name of the option's argument
 * @typedef {{ name: string, isRequired: boolean, isVariadic: boolean, description: string }} ArgumentRow
 * @typedef {{ path: string, description: string, usage: string, arguments: readonly ArgumentRow[],
 *   options: readonly OptionRow[], notes: string, commands: readonly CommandRow[] }} CommandRow
 *   `path` is all words from "shoal" on; `notes` is the text that --help prints below the lists.
 */

/** @returns {CommandRow} */
export function commandTree(command, parents = []) {
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
export function allCommands(tree) {
  return [tree, ...tree.commands.flatMap(allCommands)]
}

/** commander keeps added help as listeners, so it is what a printed help has more than the lists. */
function notesOf(command) {
  let printed = ''
  command.configureOutput({
    writeOut: (text) => {
      printed += text
    },
  })
  command.outputHelp()
  return printed.slice(command.helpInformation().length).replace(/^\n+|\s+$/g, '')
}
