// What `shoal check` says of configurations: what each would do when run, and everything wrong with it, by itself and
// beside the others. Nothing is started, made or changed. Promises: no secret is in any of it, not even a damaged one.
import { access, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { isWithin } from '../config/checks.js'
import {
  type Collision,
  configCollisions,
  type InstanceConfig,
  linkedCollisions,
} from '../config/collisions.js'
import type { Config, ShareConfig } from '../config/config.js'
import { formatKey } from '../config/json.js'
import { type ConfigWarning, warningOf } from '../config/problems.js'
import { formatProxy, isHidden } from '../config/proxy.js'
import { loadSecrets, parseOpened } from '../config/secrets.js'
import { type OpenedConfig, openConfig } from '../config/source.js'
import { ShoalError } from '../core/error.js'
import type { Grade } from '../core/secret.js'
import { programFault } from '../hooks/program.js'
import type { Identity } from './identity.js'
import { formatCount, formatTable, printable } from './text.js'

/** As whom a configuration runs; throws ShoalErrors. */
export type Identify = (opened: OpenedConfig) => Identity

export interface ShareReport {
  readonly dir: string
  /** null: the secret is not to be had. */
  readonly grade: Grade | null
  readonly exists: boolean
  readonly knownHosts: readonly string[]
  readonly searchLan: boolean
  /** false where a proxy has it off. */
  readonly useDht: boolean
  /** Of the configuration, where the folder may be reached through them. */
  readonly relays: readonly string[]
  readonly useSyncTrash: boolean
}

/** What --json prints for each configuration. Texts of problems begin with FILE:LINE:COLUMN. */
export interface ConfigReport {
  readonly file: string
  /** Whether it would run. */
  readonly ok: boolean
  readonly name: string | null
  readonly runsAs: string | null
  readonly deviceName: string | null
  /** 0: any free one. */
  readonly listeningPort: number | null
  /** null: all addresses. */
  readonly listenHost: string | null
  readonly storagePath: string | null
  /** What other devices are reached through, as socks5://HOST:PORT; null: directly. */
  readonly proxy: string | null
  readonly pidFile: string | null
  readonly shares: readonly ShareReport[]
  readonly errors: readonly string[]
  readonly warnings: readonly string[]
  /** Asked for, and left to a later version. */
  readonly notYet: readonly string[]
  /** Accepted, and nothing is left to do. */
  readonly notes: readonly string[]
}

/** A configuration as far as it could be read. */
export interface Inspected {
  readonly file: string
  readonly identity?: Identity
  readonly config?: Config
  readonly positionOf?: InstanceConfig['positionOf']
  readonly warnings: readonly ConfigWarning[]
  /** ShoalErrors' messages, a line each. */
  readonly errors: readonly string[]
}

/** Looks at configurations, each file once, alone and beside the others. Never throws for what stands in a file. */
export async function checkConfigs(
  files: readonly string[],
  identify: Identify,
  onChecked: (done: number, total: number) => void = () => {},
): Promise<ConfigReport[]> {
  const distinct = [
    ...new Map(files.map((file) => [resolve(file).replace(/\.conf\.d$/, '.conf'), file])).values(),
  ]
  const inspected: Inspected[] = []
  for (const [at, file] of distinct.entries()) {
    onChecked(at, distinct.length)
    inspected.push(await inspectConfig(file, identify))
  }
  const readable = inspected.filter((each) => each.config !== undefined && each.identity !== undefined)
  const instances = readable.map(instanceOf)
  const collisions = [...configCollisions(instances), ...(await linkedCollisions(instances))]
  return Promise.all(
    inspected.map((each) => {
      const at = readable.indexOf(each)
      return reportOf(
        each,
        collisions.filter(({ second }) => second === at),
      )
    }),
  )
}

/** Reads one configuration and its secrets. */
export async function inspectConfig(file: string, identify: Identify): Promise<Inspected> {
  const errors: string[] = []
  const attempt = async <T>(step: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await step()
    } catch (error) {
      if (!(error instanceof ShoalError) || error.code === 'INTERNAL') throw error
      errors.push(...error.message.split('\n'))
      return undefined
    }
  }
  const source = await attempt(() => openConfig(file))
  if (source === undefined) return { file, warnings: [], errors }
  const identity = await attempt(() => identify(source))
  const parsed = await attempt(() => parseOpened(source))
  errors.unshift(...(identity?.errors ?? []))
  const rest = { file: source.fileName, ...(identity !== undefined && { identity }) }
  if (parsed === undefined) return { ...rest, warnings: [], errors }
  const { config, positionOf } = parsed
  const loaded = await attempt(() => loadSecrets(config))
  return { ...rest, config: loaded?.config ?? config, positionOf, warnings: parsed.warnings, errors }
}

/** What is printed for a person. */
export function formatReport(report: ConfigReport): string {
  const { file, ok, errors, warnings, notYet, notes } = report
  const lines = (label: string, texts: readonly string[]): string =>
    texts.map((text) => `  ${label}: ${printable(text)}\n`).join('')
  return [
    `${printable(file)}: ${ok ? 'would run' : 'would not run'}\n`,
    report.storagePath === null ? '' : formatTable(factsOf(report), '  '),
    lines('error', errors),
    lines('warning', warnings),
    lines('not yet', notYet),
    lines('note', notes),
  ].join('')
}

function factsOf({ shares, ...report }: ConfigReport): string[][] {
  const { listeningPort: port, listenHost } = report
  return [
    ...(report.name === null ? [] : [['instance', `${report.name}, runs as ${report.runsAs}`]]),
    ['device', report.deviceName ?? ''],
    [
      'listens',
      `${port === 0 ? 'any free port, kept from then on' : `port ${port}`}, ${listenHost ?? 'all addresses'}`,
    ],
    ['storage', report.storagePath ?? ''],
    ...(report.proxy === null ? [] : [['proxy', report.proxy]]),
    ...(report.pidFile === null ? [] : [['pid file', report.pidFile]]),
    ...shares.map((share) => ['folder', shareText(share)]),
  ]
}

function shareText({ dir, grade, exists, relays, useSyncTrash, ...ways }: ShareReport): string {
  const { knownHosts, searchLan, useDht } = ways
  const peers = [
    ...(knownHosts.length > 0
      ? [`${formatCount(knownHosts.length, 'known host')} (${knownHosts.join(', ')})`]
      : []),
    ...(searchLan ? ['the local network'] : []),
    ...(useDht ? ['the DHT'] : []),
    ...(relays.length > 0 ? [formatCount(relays.length, 'relay')] : []),
  ]
  return [
    `${dir}${exists ? '' : ' (to be made)'}: ${grade === null ? 'secret not read' : `${grade} secret`}`,
    `peers by ${peers.length === 0 ? 'nothing: others must know this device' : peers.join(', ')}`,
    ...(grade === 'blind' ? ['a vault'] : [useSyncTrash ? 'archive' : 'no archive']),
  ].join('; ')
}

function instanceOf({ config, identity, positionOf }: Inspected): InstanceConfig {
  const { name, bind } = identity!
  return {
    name,
    config: config!,
    ...(bind !== undefined && { bind }),
    ...(positionOf !== undefined && { positionOf }),
  }
}

async function reportOf(inspected: Inspected, collisions: readonly Collision[]): Promise<ConfigReport> {
  const { file, identity, config, warnings } = inspected
  const errors = [...inspected.errors, ...collisions.map(({ text }) => text)]
  const texts = (isWanted: (warning: ConfigWarning) => boolean): string[] =>
    warnings.filter(isWanted).map(({ text }) => text)
  return {
    file,
    ok: errors.length === 0,
    name: identity?.name ?? null,
    runsAs: identity?.runsAs ?? null,
    deviceName: config?.deviceName ?? null,
    listeningPort: config?.listeningPort ?? null,
    listenHost: config?.listenHost ?? identity?.bind ?? null,
    storagePath: config?.storagePath ?? null,
    proxy: config?.proxy === undefined ? null : formatProxy(config.proxy),
    pidFile: config?.pidFile ?? null,
    shares: await Promise.all((config?.shares ?? []).map((share) => reportShare(share, config!))),
    errors,
    warnings: [...texts(({ isNote, isNotYet }) => !isNote && !isNotYet), ...(await hookFaults(inspected))],
    notYet: texts(({ isNotYet }) => isNotYet),
    notes: [...(identity?.notes ?? []), ...texts(({ isNote }) => isNote)],
  }
}

/** Programs of hooks that could not be run from here, and where they could not be run. */
async function hookFaults({ config, positionOf }: Inspected): Promise<string[]> {
  const warnings: string[] = []
  for (const [at, { dir, onChange }] of (config?.shares ?? []).entries())
    for (const [hookAt, { run, cwd }] of onChange.entries()) {
      const warn = (name: string, message: string): void => {
        const key = ['shared_folders', at, 'on_change', hookAt, name]
        if (positionOf === undefined) return
        const problem = { position: positionOf(key), key: formatKey(key), message }
        warnings.push(warningOf(config!.fileName, problem).text)
      }
      const fault = await programFault(run[0]!, process.env)
      if (fault !== undefined) warn('run', `its program ${fault}`)
      // A folder within the share may be on its way here.
      if (cwd !== undefined && !isWithin(cwd, dir) && !(await isFolder(cwd)))
        warn('cwd', 'is no folder that is there, so the program will not start')
    }
  return warnings
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    // What may not be looked at may be there.
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
  )
}

async function reportShare(
  { secret, dir, ...share }: ShareConfig,
  { relays, proxy }: Config,
): Promise<ShareReport> {
  const exists = await access(dir).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  )
  const { knownHosts, searchLan, useDht, useSyncTrash } = share
  return {
    dir,
    grade: 'grade' in secret ? secret.grade : null,
    exists,
    knownHosts,
    searchLan,
    useDht: useDht && !isHidden(proxy),
    relays: share.useRelay ? relays : [],
    useSyncTrash,
  }
}
