// The two man pages. shoal(1): commands and options from the program itself, the rest from docs/cli.md. shoal.conf(5):
// docs/configuration.md. Nothing is written twice: what is only here is what a manual has and those do not.
import { bold, example, italic, markdown, plain, section, title } from './roff.mjs'

/** `when` is {date: "YYYY-MM-DD", version}; `cliPage` is the text of docs/cli.md. */
export function shoalPage(tree, cliPage, when) {
  const { intro, sections } = markdown(cliPage, { dropIntroTables: true })
  const commands = allCommands(tree).filter(
    // One that only holds others does nothing itself.
    ({ path, commands, arguments: own }) => path !== tree.path && (commands.length === 0 || own.length > 0),
  )
  return page([
    title('SHOAL', 1, { ...when, manual: 'User Commands' }),
    section('Name'),
    `shoal \\- ${plain(summary(tree.description))}`,
    section('Synopsis'),
    commands.map(synopsis).join('\n.br\n'),
    section('Description'),
    intro,
    section('Commands'),
    ...commands.flatMap(commandSection),
    section('Common options'),
    ...tree.options.map(optionRow),
    sections,
    ...(tree.notes === '' ? [] : [section('Examples'), example(tree.notes)]),
    section('Files'),
    ...[
      ['/etc/shoal/NAME.conf', 'configuration of the daemon NAME, see shoal.conf(5)'],
      [
        '/etc/default/shoal',
        'which daemons start with the machine, where Shoal was installed as a Debian package',
      ],
      ['STORAGE_PATH/shoal.sock', 'the running daemon answers commands here'],
    ].map(([file, text]) => `.TP\n${italic(file)}\n${plain(text)}`),
    section('See also'),
    `${bold('shoal.conf')}(5)`,
  ])
}

/** `configurationPage` is the text of docs/configuration.md. */
export function configPage(configurationPage, when) {
  const { intro, sections } = markdown(configurationPage)
  return page([
    title('SHOAL.CONF', 5, { ...when, manual: 'File Formats' }),
    section('Name'),
    'shoal.conf \\- configuration file of shoal',
    section('Description'),
    intro,
    sections,
    section('See also'),
    `${bold('shoal')}(1)`,
  ])
}

function commandSection(command) {
  return [
    `.SS ${synopsis(command)}`,
    plain(sentence(command.description)),
    ...command.arguments.flatMap(({ name, description }) =>
      description === '' ? [] : [`.TP\n${italic(name)}\n${plain(description)}`],
    ),
    ...command.options.filter(({ long }) => long !== '--help').map(optionRow),
    ...(command.notes === '' ? [] : [notes(command.notes)]),
  ]
}

/** Prose is filled; what was set out in columns stays so. */
function notes(text) {
  return /^\s|\S {2,}\S/m.test(text) ? example(text) : `.PP\n${plain(text)}`
}

function synopsis({ path, usage }) {
  return `${bold(path)} ${plain(usage)}`.trim()
}

function optionRow({ flags, description }) {
  return `.TP\n${bold(flags)}\n${plain(description)}`
}

function summary(description) {
  return description.replace(/\.$/, '').replace(/^./, (letter) => letter.toLowerCase())
}

function sentence(text) {
  return `${text.replace(/^./, (letter) => letter.toUpperCase())}.`
}

/** man(7) wants no paragraph macro right below a heading, and no empty lines. */
function page(parts) {
  const lines = parts.join('\n').split('\n')
  return `${lines.filter((line, at) => line !== '' && !(line === '.PP' && /^\.S[HS] /.test(lines[at - 1] ?? ''))).join('\n')}\n`
}

/** Every command that does something or holds others, the root first. */
function allCommands(tree) {
  return [tree, ...tree.commands.flatMap(allCommands)]
}
