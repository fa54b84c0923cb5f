// What stands where on the command line, as the completions of all shells need it: for each command its commands, its
// options, and what its arguments and the values of its options are.
import { allCommands, type CommandRow } from './command-tree.js'

/**
 * What a word is completed with: a configuration file, a file, a folder, "words:a b c", or nothing.
 */
export type Kind = 'config' | 'file' | 'folder' | 'nothing' | `words:${string}`

export interface Word {
  readonly word: string
  readonly description: string
}

export interface Place {
  /** All words from "shoal" on. */
  readonly path: string
  /** Of the commands below it, the last word. */
  readonly commands: readonly Word[]
  readonly options: readonly Word[]
  /** Of its arguments in their order; only the last may repeat. */
  readonly arguments: readonly { readonly kind: Kind; readonly repeats: boolean }[]
}

/** An option that takes a value. */
export interface Value {
  /** "shoal run --log-level", under each of its names. */
  readonly names: readonly string[]
  readonly kind: Kind
}

/** What an argument of this name, of a command or of an option, is completed with; other names: nothing. */
const KINDS: ReadonlyMap<string, Kind> = new Map([
  ['config', 'config'],
  ['configs', 'config'],
  ['file', 'file'],
  ['path', 'file'],
  ['dir', 'folder'],
  ['directory', 'folder'],
  ['folder', 'folder'],
])

/** Every command of the tree, the root first. Options of the root that all commands take are everywhere. */
export function placesOf(tree: CommandRow): readonly Place[] {
  const everywhere = wordsOf(tree.options.filter(({ long }) => long === '--quiet'))
  return allCommands(tree).map((command) => {
    const own = wordsOf(command.options)
    return {
      path: command.path,
      commands: command.commands.map(({ path, description }) => ({
        word: path.slice(command.path.length + 1),
        description,
      })),
      options: [...own, ...everywhere.filter(({ word }) => !own.some((option) => option.word === word))],
      arguments: command.arguments.map(({ name, choices, isVariadic }) => ({
        kind: kindOf(name, choices, tree),
        repeats: isVariadic,
      })),
    }
  })
}

/** Every option that takes a value. */
export function valuesOf(tree: CommandRow): readonly Value[] {
  return allCommands(tree).flatMap(({ path, options }) =>
    options.flatMap(({ long, short, value, choices }) =>
      value === undefined
        ? []
        : [
            {
              names: [long, short].filter((name) => name !== undefined).map((name) => `${path} ${name}`),
              kind: kindOf(value, choices, tree),
            },
          ],
    ),
  )
}

function wordsOf(options: CommandRow['options']): Word[] {
  return options.flatMap(({ long, short, description }) => {
    const word = long ?? short
    return word === undefined ? [] : [{ word, description: shortened(description) }]
  })
}

/** Without what follows a semicolon or stands in brackets: a line of a list is short. */
function shortened(description: string): string {
  return description.replace(/ \((?:choices|default)[^)]*\)/g, '').replace(/;.*$/, '')
}

function kindOf(name: string, choices: readonly string[], tree: CommandRow): Kind {
  if (choices.length > 0) return `words:${choices.join(' ')}`
  if (name === 'command')
    return `words:${tree.commands.map(({ path }) => path.slice(tree.path.length + 1)).join(' ')}`
  return KINDS.get(name.toLowerCase()) ?? 'nothing'
}

/** A text within single quotes, as bash and zsh read it. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
