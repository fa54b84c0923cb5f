// Examines a configuration, its storage and folders, its hosts and its daemon, with the rights of this process, which
// should be those that the daemon has. Changes nothing but a try in the staging areas (probes/file-system.ts).
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ShareConfig } from '../config/config.js'
import type { FileFacts } from '../config/open.js'
import { isHidden } from '../config/proxy.js'
import type { LoadedConfig } from '../config/secrets.js'
import { keysOf, type Secret } from '../core/secret.js'
import { readMarker } from '../folder/marker.js'
import { PACKAGE_VERSION } from '../ports/package-version.js'
import { PACK_BYTES } from '../vault/pack-storage.js'
import { checkClocks, checkDaemon, checkProblems, type DaemonFacts } from './checks/daemon.js'
import {
  checkFileSystem,
  checkLeftovers,
  checkShareFolder,
  checkSpace,
  checkStorageFolder,
  type ShareFacts,
} from './checks/folders.js'
import { checkHosts, checkPort, type PortFacts } from './checks/network.js'
import { checkProxy } from './checks/proxy.js'
import { checkSecrets } from './checks/secrets.js'
import type { Finding } from './finding.js'
import { dialOf, tryHosts, tryProxy } from './hosts.js'
import { examineLimits } from './machine.js'
import { daemonFacts } from './probes/daemon.js'
import { fileSystemFacts } from './probes/file-system.js'
import { countDirectories, folderFacts, leftoverFacts, spaceFacts, storageFacts } from './probes/folders.js'
import { portState } from './probes/network.js'

/** More are not counted: it would take minutes, and no usual limit is higher. */
const MOST_DIRECTORIES = 1_000_000

export interface InstanceOptions {
  readonly config: LoadedConfig
  /** Files that hold a secret. */
  readonly secretFiles: readonly Pick<FileFacts, 'path' | 'mode' | 'uid'>[]
  readonly nowMs: number
  /** What is looked at now. */
  readonly onStep: (step: string) => void
}

export async function examineInstance(options: InstanceOptions): Promise<Finding[]> {
  const { config, nowMs, onStep } = options
  onStep('daemon')
  const daemon = await daemonFacts(config.storagePath)
  const report = daemon.state === 'running' ? daemon.report : undefined
  onStep('folders')
  const dirs = config.shares.map(({ dir }) => dir)
  const shares = config.shares.map((share) => shareFacts(share, nowMs))
  const counted = await countDirectories(dirs, MOST_DIRECTORIES, (count) =>
    onStep(`folders: ${count} directories`),
  )
  const hasRun = existsSync(join(config.storagePath, 'index'))
  const isRunning = daemon.state === 'running' || daemon.state === 'silent'
  const found = [
    ...checkSecrets({ files: options.secretFiles }),
    ...checkStorageFolder(storageFacts(config.storagePath, nowMs)),
    ...shares.flatMap((facts) => checkShareFolder(facts, isRunning, hasRun)),
    ...config.shares.flatMap((share) => examineFileSystem(share)),
    ...examineSpace(config, daemon),
    ...examineLimits({ pid: report?.pid, shares: config.shares.length, counted }),
  ]
  onStep('known hosts')
  const dial = dialOf(config)
  const hosts = await tryHosts(config, daemon, dial)
  const ports: PortFacts[] = []
  for (const { key, port, host } of listensOf(config))
    ports.push({ key, port, host, state: await portState(port, host, report?.pid) })
  return [
    ...found,
    ...ports.flatMap(checkPort),
    ...checkHosts(hosts),
    ...(dial === undefined
      ? []
      : checkProxy({ standing: await tryProxy(config, dial, daemon), hidden: isHidden(config.proxy) })),
    ...checkDaemon(daemon, PACKAGE_VERSION),
    ...(report === undefined ? [] : [...checkClocks(report, config.maxTimeDiffMs), ...checkProblems(report)]),
    ...shares.flatMap((facts) => checkLeftovers(facts, isRunning)),
  ]
}

/** Where the configuration has the daemon listen. */
function listensOf({ listeningPort, listenHost, webui }: LoadedConfig): Omit<PortFacts, 'state'>[] {
  return [
    { key: 'listening_port', port: listeningPort, host: listenHost },
    ...(webui === undefined ? [] : [{ key: 'webui.listen', port: webui.port, host: webui.host }]),
  ]
}

function shareFacts({ dir, secret }: ShareConfig<Secret>, nowMs: number): ShareFacts {
  const folder = folderFacts(dir)
  return {
    folder,
    grade: secret.grade,
    marker: folder.state === 'there' && folder.mayRead ? markerOf(dir, secret) : { state: 'none' },
    leftovers: leftoverFacts(dir, nowMs),
  }
}

function markerOf(dir: string, secret: Secret): ShareFacts['marker'] {
  const marker = readMarker(dir, keysOf(secret).shareId, undefined)
  switch (marker.state) {
    case 'ours':
      return { state: 'ours' }
    case 'fresh':
      return { state: 'none' }
    default:
      return { state: 'wrong', detail: marker.detail }
  }
}

function examineFileSystem({ dir, acls, xattrs }: ShareConfig<Secret>): Finding[] {
  if (folderFacts(dir).state !== 'there') return []
  // As the daemon: root carries ACLs unless told otherwise (daemon/share-metadata.ts).
  const wants = { acls: acls ?? process.geteuid?.() === 0, xattrs: (xattrs ?? []).length > 0 }
  return checkFileSystem(fileSystemFacts(dir, wants))
}

/** One line for each disk, under the first path that lies on it. */
function examineSpace({ storagePath, shares }: LoadedConfig, daemon: DaemonFacts): Finding[] {
  const needs = new Map(
    daemon.state === 'running' ? daemon.report.shares.map(({ dir, needBytes }) => [dir, needBytes]) : [],
  )
  // One with a bucket leaves as much free where it keeps what waits.
  const blind = shares.filter(({ secret }) => secret.grade === 'blind')
  const reserves = new Map(blind.map(({ dir }) => [dir, PACK_BYTES]))
  const disks = new Map<
    number,
    { facts: NonNullable<ReturnType<typeof spaceFacts>>; need: number; reserve: number; paths: number }
  >()
  for (const path of [storagePath, ...shares.map(({ dir }) => dir)]) {
    const facts = spaceFacts(path)
    if (facts === undefined) continue
    const disk = disks.get(facts.device) ?? { facts, need: 0, reserve: 0, paths: 0 }
    disk.need += needs.get(path) ?? 0
    disk.reserve += reserves.get(path) ?? 0
    disk.paths++
    disks.set(facts.device, disk)
  }
  return [...disks.values()].flatMap(({ facts, need, reserve, paths }) =>
    checkSpace({
      ...facts,
      path: paths === 1 ? facts.path : `${facts.path} and ${paths - 1} more on that disk`,
      needBytes: need,
      reserveBytes: reserve,
    }),
  )
}
