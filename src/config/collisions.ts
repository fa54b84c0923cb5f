// What several configurations on one machine may not share: a name, a port, a storage path, a pid file, or a folder; and no
// folder of one may lie in a folder of another, as each daemon would take the other's changes and its .shoal for the
// user's. By paths as they are written (configCollisions, pure), and with links followed (linkedCollisions).
import { isWithin } from './checks.js'
import type { Config } from './config.js'
import { isIn, type Place, placeOf } from './folders.js'
import { formatKey, type KeyPath, type Position } from './json.js'

/** A configuration as one of several. */
export interface InstanceConfig {
  /** The instance's: the first part of the file's name. */
  readonly name: string
  readonly config: Config
  /** The address it listens on whatever the file says (DAEMON_BIND). */
  readonly bind?: string
  /** As parseConfig gives it; absent: positions are those of the file's start, or the share's. */
  readonly positionOf?: (path: KeyPath) => Position
}

/** Two configurations that cannot run at once. The indices are those of the list given; the text stands at the later. */
export interface Collision {
  readonly first: number
  readonly second: number
  /** FILE:LINE:COLUMN: key: what, ready to print. */
  readonly text: string
}

/** Everything that two of the configurations share and may not. */
export function configCollisions(configs: readonly InstanceConfig[]): Collision[] {
  return pairs(configs).flatMap(([first, second]) => {
    const [a, b] = [configs[first]!, configs[second]!]
    const found: [KeyPath, string][] = []
    const other = a.config.fileName
    if (a.name === b.name)
      found.push([[], `is an instance called "${b.name}", and so is ${other}; expected a name each`])
    if (portsCollide(a, b))
      found.push([
        ['listening_port'],
        `is ${b.config.listeningPort}, and so is that of ${other}; expected a port each`,
      ])
    if (a.config.storagePath === b.config.storagePath)
      found.push([['storage_path'], `is also that of ${other}, expected a folder each`])
    found.push(...pidFiles(a.config, b.config), ...folders(a.config, b.config))
    return found.map(([path, message]) => ({ first, second, text: textOf(b, path, message) }))
  })
}

/** Folders that only with links followed are one or lie in one another; those that configCollisions finds are left out. */
export async function linkedCollisions(configs: readonly InstanceConfig[]): Promise<Collision[]> {
  const places = await Promise.all(
    configs.map(async ({ config }) => ({
      storage: await placeOf(config.storagePath),
      shares: await Promise.all(config.shares.map(({ dir }) => placeOf(dir))),
    })),
  )
  return pairs(configs).flatMap(([first, second]) => {
    const [a, b] = [configs[first]!, configs[second]!]
    const [placesA, placesB] = [places[first]!, places[second]!]
    const other = a.config.fileName
    const found: [KeyPath, string][] = []
    const see = (
      path: KeyPath,
      inner: Place,
      outer: Place,
      paths: readonly [string, string],
      what: string,
    ): void => {
      if (isIn(inner, outer) && !isWithin(...paths)) found.push([path, what])
    }
    const { config: configA } = a
    const { config: configB } = b
    for (const [at, placeB] of placesB.shares.entries()) {
      const { dir } = configB.shares[at]!
      const key = ['shared_folders', at, 'dir']
      see(
        key,
        placesA.storage,
        placeB,
        [configA.storagePath, dir],
        `contains the storage_path of ${other}, with links followed`,
      )
      for (const [otherAt, placeA] of placesA.shares.entries()) {
        const otherDir = configA.shares[otherAt]!.dir
        const folder = `shared_folders[${otherAt}] of ${other}`
        see(key, placeB, placeA, [dir, otherDir], `lies, with links followed, in the folder of ${folder}`)
        if (!isIn(placeB, placeA))
          see(key, placeA, placeB, [otherDir, dir], `contains, with links followed, the folder of ${folder}`)
      }
    }
    for (const [otherAt, placeA] of placesA.shares.entries())
      see(
        ['storage_path'],
        placesB.storage,
        placeA,
        [configB.storagePath, configA.shares[otherAt]!.dir],
        `lies, with links followed, in the folder of shared_folders[${otherAt}] of ${other}`,
      )
    if (
      isIn(placesA.storage, placesB.storage) &&
      isIn(placesB.storage, placesA.storage) &&
      configA.storagePath !== configB.storagePath
    )
      found.push([['storage_path'], `is, with links followed, also that of ${other}; expected a folder each`])
    return found.map(([path, message]) => ({ first, second, text: textOf(b, path, message) }))
  })
}

function pairs(configs: readonly unknown[]): [number, number][] {
  return configs.flatMap((_, second) =>
    configs.slice(0, second).map((__, first): [number, number] => [first, second]),
  )
}

function portsCollide(a: InstanceConfig, b: InstanceConfig): boolean {
  const { listeningPort: port } = b.config
  if (port === 0 || port !== a.config.listeningPort) return false
  const [hostA, hostB] = [hostOf(a), hostOf(b)]
  return hostA === undefined || hostB === undefined || hostA === hostB
}

/** Undefined: all addresses. */
function hostOf({ bind, config }: InstanceConfig): string | undefined {
  const host = bind ?? config.listenHost
  return host === '0.0.0.0' || host === '::' ? undefined : host
}

function pidFiles(a: Config, b: Config): [KeyPath, string][] {
  const found: [KeyPath, string][] = []
  if (b.pidFile !== undefined && b.pidFile === a.pidFile)
    found.push([['pid_file'], `is also that of ${a.fileName}, expected a file each`])
  for (const [at, { dir }] of a.shares.entries())
    if (b.pidFile !== undefined && isWithin(b.pidFile, dir))
      found.push([['pid_file'], `lies in the folder of shared_folders[${at}] of ${a.fileName}`])
  for (const [at, { dir }] of b.shares.entries())
    if (a.pidFile !== undefined && isWithin(a.pidFile, dir))
      found.push([['shared_folders', at, 'dir'], `contains the pid_file of ${a.fileName}`])
  return found
}

function folders(a: Config, b: Config): [KeyPath, string][] {
  const found: [KeyPath, string][] = []
  for (const [at, { dir }] of a.shares.entries())
    if (isWithin(b.storagePath, dir))
      found.push([['storage_path'], `lies in the folder of shared_folders[${at}] of ${a.fileName}`])
  for (const [at, { dir }] of b.shares.entries()) {
    const path = ['shared_folders', at, 'dir']
    if (isWithin(a.storagePath, dir)) found.push([path, `contains the storage_path of ${a.fileName}`])
    for (const [otherAt, other] of a.shares.entries()) {
      const folder = `the folder of shared_folders[${otherAt}] of ${a.fileName}`
      if (dir === other.dir) found.push([path, `is also ${folder}, expected one daemon for each folder`])
      else if (isWithin(dir, other.dir)) found.push([path, `lies in ${folder}`])
      else if (isWithin(other.dir, dir)) found.push([path, `contains ${folder}`])
    }
  }
  return found
}

function textOf({ config, positionOf }: InstanceConfig, path: KeyPath, message: string): string {
  const share = path[0] === 'shared_folders' ? config.shares[Number(path[1])]?.position : undefined
  const { file = config.fileName, line, column } = positionOf?.(path) ?? share ?? { line: 1, column: 1 }
  return `${file}:${line}:${column}: ${path.length === 0 ? '' : `${formatKey(path)}: `}${message}`
}
