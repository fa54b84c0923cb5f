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
  /** Where it listens if the file has no listen_host (DAEMON_BIND). */
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

/** A path that a configuration claims. */
interface Claim {
  readonly kind: 'share' | 'storage' | 'pid'
  readonly key: KeyPath
  /** Absolute. */
  readonly path: string
}

type IsWithin = (inner: Claim, outer: Claim) => boolean
type Found = readonly [key: KeyPath, message: string]

/** Everything that two of the configurations share and may not. */
export function configCollisions(configs: readonly InstanceConfig[]): Collision[] {
  return eachPair(configs, (a, b) => [
    ...sameNames(a, b),
    ...samePorts(a, b),
    ...sameWebPorts(a.config, b.config),
    ...claimed(a.config, b.config, '', (inner, outer) => isWithin(inner.path, outer.path)),
  ])
}

/** Folders that only with links followed are one or lie in one another; those that configCollisions finds are left out. */
export async function linkedCollisions(configs: readonly InstanceConfig[]): Promise<Collision[]> {
  const paths = new Set(configs.flatMap(({ config }) => claimsOf(config).map(({ path }) => path)))
  const places = new Map<string, Place>()
  for (const path of paths) places.set(path, await placeOf(path))
  const isLinked: IsWithin = (inner, outer) =>
    !isWithin(inner.path, outer.path) && isIn(places.get(inner.path)!, places.get(outer.path)!)
  return eachPair(configs, (a, b) => claimed(a.config, b.config, ', with links followed,', isLinked))
}

function eachPair(
  configs: readonly InstanceConfig[],
  compare: (a: InstanceConfig, b: InstanceConfig) => readonly Found[],
): Collision[] {
  return configs.flatMap((b, second) =>
    configs
      .slice(0, second)
      .flatMap((a, first) =>
        compare(a, b).map(([key, message]) => ({ first, second, text: textOf(b, key, message) })),
      ),
  )
}

function sameNames(a: InstanceConfig, b: InstanceConfig): Found[] {
  if (a.name !== b.name) return []
  return [[[], `is an instance called "${b.name}", and so is ${a.config.fileName}; expected a name each`]]
}

function samePorts(a: InstanceConfig, b: InstanceConfig): Found[] {
  const { listeningPort: port } = b.config
  if (port === 0 || port !== a.config.listeningPort) return []
  const [hostA, hostB] = [hostOf(a), hostOf(b)]
  if (hostA !== undefined && hostB !== undefined && hostA !== hostB) return []
  return [[['listening_port'], `is ${port}, and so is that of ${a.config.fileName}; expected a port each`]]
}

function sameWebPorts(a: Config, b: Config): Found[] {
  if (a.webui === undefined || a.webui.port !== b.webui?.port) return []
  const [hostA, hostB] = [a.webui.host, b.webui.host].map((host) =>
    host === 'localhost' ? '127.0.0.1' : host,
  )
  const isAny = [hostA, hostB].some((host) => host === '0.0.0.0' || host === '::')
  if (hostA !== hostB && !isAny) return []
  const message = `has port ${b.webui.port}, and so has that of ${a.fileName}; expected a port each`
  return [[['webui', 'listen'], message]]
}

/** Undefined: all addresses. */
function hostOf({ bind, config }: InstanceConfig): string | undefined {
  const host = config.listenHost ?? bind
  return host === '0.0.0.0' || host === '::' ? undefined : host
}

/** Storage paths and pid files may lie anywhere but in a share; only shares may not lie in one another. */
function claimed(a: Config, b: Config, how: string, isInside: IsWithin): Found[] {
  return claimsOf(b).flatMap((ours) =>
    claimsOf(a).flatMap((theirs): Found[] => {
      const [isIn, isAround] = [isInside(ours, theirs), isInside(theirs, ours)]
      const what = `the ${words(theirs)} of ${a.fileName}`
      if (isIn && isAround && ours.kind === theirs.kind)
        return [[ours.key, `is${how} also ${what}, expected one for each daemon`]]
      if (isIn && theirs.kind === 'share') return [[ours.key, `lies${how} in ${what}`]]
      return isAround && ours.kind === 'share' ? [[ours.key, `contains${how} ${what}`]] : []
    }),
  )
}

function claimsOf({ shares, storagePath, pidFile }: Config): Claim[] {
  return [
    { kind: 'storage', key: ['storage_path'], path: storagePath },
    ...(pidFile === undefined ? [] : [{ kind: 'pid', key: ['pid_file'], path: pidFile } as const]),
    ...shares.map(({ dir }, at): Claim => ({ kind: 'share', key: ['shared_folders', at, 'dir'], path: dir })),
  ]
}

function words({ kind, key }: Claim): string {
  return kind === 'share' ? `folder of ${formatKey(key.slice(0, 2))}` : formatKey(key)
}

function textOf({ config, positionOf }: InstanceConfig, path: KeyPath, message: string): string {
  const share = path[0] === 'shared_folders' ? config.shares[Number(path[1])]?.position : undefined
  const { file = config.fileName, line, column } = positionOf?.(path) ?? share ?? { line: 1, column: 1 }
  return `${file}:${line}:${column}: ${path.length === 0 ? '' : `${formatKey(path)}: `}${message}`
}
