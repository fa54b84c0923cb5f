// What `shoal config import` says of an installation of BitTorrent Sync's Debian package: for each configuration whether it
// would run here as it is, and what to do where not. Nothing is started, made or changed.
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { ShoalError } from '../core/error.js'
import { type ConfigReport, checkConfigs, formatReport, type Identify } from './check.js'
import { printable } from './text.js'

export interface ImportedConfig extends ConfigReport {
  /** What to do by hand, a sentence each; what must be done before it runs, first. */
  readonly todo: readonly string[]
}

/** What --json prints. */
export interface ImportReport {
  readonly directory: string
  /** Whether every configuration would run and has something to sync. */
  readonly ok: boolean
  readonly configs: readonly ImportedConfig[]
  /** "all", "none", or names; null: no such file. */
  readonly autostart: string | null
  /** What to do about the installation as a whole. */
  readonly todo: readonly string[]
}

/** What BitTorrent Sync left at the top of a folder. */
const LEFTOVERS: ReadonlySet<string> = new Set([
  ...['.sync', '.SyncID', '.SyncIgnore', '.SyncArchive', '.SyncTrash', '.SyncTemp', '.SyncPart', '.SyncOld'],
])
const OLD_DATA: ReadonlySet<string> = new Set(['settings.dat', 'sync.dat'])
const READ_ONLY =
  'its read-only secret cannot be used, as it holds no key that Shoal could check others by. Where the read-write secret is (it begins with A or D), run shoal secret show and put the read secret it prints here'
const BY_KIND: Readonly<Record<string, string>> = {
  B: READ_ONLY,
  E: READ_ONLY,
  R: READ_ONLY,
  F: 'its encrypted secret cannot be used: give this node the blind secret (shoal secret show --grade blind) and an empty folder',
  C: 'its one-time secret cannot be used: get the secret itself from a member, who sees it with shoal secret show',
}

/**
 * Looks through a folder like /etc/btsync, and through the file of the same name in the folder "default" beside it.
 * Throws CONFIG_UNREADABLE, or NOT_FOUND if it holds no configuration.
 */
export async function importReport(directory: string, identify: Identify): Promise<ImportReport> {
  const files = (await configNamesIn(directory)).map((name) => join(directory, name))
  const reports = await checkConfigs(files, identify)
  const configs = await Promise.all(
    reports.map(async (report) => ({ ...report, todo: await todoOf(report) })),
  )
  const defaults = await readDefaults(directory)
  return {
    directory,
    ok: configs.every(isImported),
    configs,
    autostart: defaults === undefined ? null : defaults.autostart,
    todo: [...(defaults?.todo ?? []), ...strangersOf(defaults?.autostart, configs)],
  }
}

/** What is printed for a person. */
export function formatImport({ configs, autostart, todo, directory }: ImportReport): string {
  const running = configs.filter(isImported).length
  return [
    ...configs.map((config) => `${formatReport(config)}${todoLines(config.todo, '  ')}\n`),
    `${printable(directory)}: ${running} of ${configs.length} work as they are\n`,
    autostart === null ? '' : `  autostart: ${printable(autostart)}\n`,
    todoLines(todo, '  '),
    '  to do: stop BitTorrent Sync before starting Shoal: both would use the same ports and folders\n',
    '  Nothing was changed.\n',
  ].join('')
}

function isImported({ ok, shares }: ConfigReport): boolean {
  return ok && shares.length > 0
}

function todoLines(todo: readonly string[], indent: string): string {
  return todo.map((text) => `${indent}to do: ${printable(text)}\n`).join('')
}

/**
 * The configurations of a folder, each instance's once, in the order of their names. Throws CONFIG_UNREADABLE, or
 * NOT_FOUND if there are none.
 */
async function configNamesIn(directory: string): Promise<string[]> {
  const found = await readdir(directory, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    const why =
      cause.code === 'ENOENT'
        ? 'no such folder'
        : cause.code === 'ENOTDIR'
          ? 'it is no folder'
          : cause.message
    throw new ShoalError('CONFIG_UNREADABLE', `cannot read ${directory}: ${why}`, { cause })
  })
  const names = new Set(
    found.flatMap((entry) => (/\.conf(?:\.d)?$/.test(entry.name) ? [entry.name.replace(/\.d$/, '')] : [])),
  )
  if (names.size === 0)
    throw new ShoalError(
      'NOT_FOUND',
      `${directory} holds no file that ends in .conf and no folder that ends in .conf.d`,
    )
  return [...names].sort()
}

/** A file as it is; of a folder, other than one of parts, the configurations in it. */
export async function configFilesOf(path: string): Promise<string[]> {
  const isFolder = await stat(path).then(
    (stats) => stats.isDirectory(),
    // What is wrong with it is for the check to say.
    () => false,
  )
  if (!isFolder || /\.conf\.d\/*$/.test(path)) return [path]
  return (await configNamesIn(path)).map((name) => join(path, name))
}

async function todoOf({ errors, shares, storagePath, file }: ConfigReport): Promise<string[]> {
  const todo = errors.flatMap((error) => {
    const [, at, kind] =
      /shared_folders\[(\d+)\]\.secret: .*of kind ([BCEFR]) cannot be used/.exec(error) ?? []
    return at === undefined ? [] : [`folder ${Number(at) + 1}: ${BY_KIND[kind!]}`]
  })
  if (errors.some((error) => error.includes('differs from what its parts give')))
    todo.push(
      `remove ${file}: the old package made it from ${file}.d at each start, and Shoal reads the parts themselves`,
    )
  if (storagePath !== null && shares.length === 0)
    todo.push(
      `it has no shared_folders: folders that were added in the web interface stand in ${storagePath} in a form that Shoal does not read. Write each into shared_folders, with its read-write secret`,
    )
  for (const { dir } of shares) {
    const left = (await entriesOf(dir)).filter((name) => LEFTOVERS.has(name))
    if (left.length > 0)
      todo.push(
        `${dir} holds files of BitTorrent Sync's own (${left.join(', ')}), which would be synced like any others: write a line for each into ${join(dir, '.shoalignore')}, as in "/${left[0]}"${left.includes('.SyncIgnore') || left.includes('.sync') ? ', and the patterns of the old ignore list' : ''}`,
      )
  }
  const old = storagePath === null ? [] : (await entriesOf(storagePath)).filter((name) => OLD_DATA.has(name))
  if (old.length > 0)
    todo.push(
      `${storagePath} holds BitTorrent Sync's data; Shoal puts its own beside it and needs none of the old`,
    )
  return todo
}

/** Names in a folder; none if it cannot be looked at, which is for the daemon to say. */
async function entriesOf(folder: string): Promise<string[]> {
  return readdir(folder).then(
    (names) => names.sort(),
    () => [],
  )
}

interface Defaults {
  readonly autostart: string
  readonly todo: readonly string[]
}

/** Reads /etc/default/btsync for /etc/btsync. It is a shell script; only plain assignments are understood. */
async function readDefaults(directory: string): Promise<Defaults | undefined> {
  const folder = resolve(directory)
  const file = join(dirname(folder), 'default', basename(folder))
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    return {
      autostart: 'unknown',
      todo: [`${file} cannot be read (${code ?? message}): look at its AUTOSTART yourself`],
    }
  }
  const value = (name: string): string => {
    const all = [
      ...text.matchAll(
        new RegExp(`^[ \\t]*(?:export[ \\t]+)?${name}=(?:"([^"\\n]*)"|'([^'\\n]*)'|([^\\s#]*))`, 'gm'),
      ),
    ]
    const [, double, single, bare] = all.at(-1) ?? []
    return (double ?? single ?? bare ?? '').trim()
  }
  const todo: string[] = []
  if (value('DAEMON_ARGS') !== '')
    todo.push(`DAEMON_ARGS in ${file} has no effect: what they asked for belongs into the configurations`)
  if (value('DAEMON_BIND') !== '')
    todo.push(`DAEMON_BIND in ${file} has no effect: write "listen_host" into each configuration`)
  return { autostart: value('AUTOSTART') || 'all', todo }
}

function strangersOf(autostart: string | undefined, configs: readonly ConfigReport[]): string[] {
  if (autostart === undefined || /^(?:all|none|unknown)$/.test(autostart)) return []
  const names = new Set(configs.map(({ file, name }) => name ?? basename(file).split('.')[0]!))
  return autostart
    .split(/\s+/)
    .filter((name) => !names.has(name))
    .map((name) => `AUTOSTART names "${name}", and there is no configuration of that name`)
}
