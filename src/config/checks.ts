// What a configuration may not ask for though each of its keys is well formed: folders within one another, files of ours
// where a share would send them to everyone; and what is unwise. By paths as they are
// written; folders.ts follows links.
import { basename, isAbsolute, relative, resolve, sep } from 'node:path'
import { reachMs } from '../core/retention.js'
import type { Config } from './config.js'
import { formatKey, type KeyPath, type PositionedJson, type Problem } from './json.js'
import { isHidden } from './proxy.js'
import type { ConfigShape } from './root-keys.js'

const DAY_MS = 86_400_000

const OFF_BEHIND_PROXY =
  'is off behind the proxy: it would show the address of this machine; see proxy_allow_direct'

/** Keys that ask for two things at once. */
export function contradictions(
  { shared_folders: shares = [] }: ConfigShape,
  json: PositionedJson,
): Problem[] {
  return shares.flatMap(({ overwrite_changes: overwrites, drift }, at) => {
    if (!overwrites || drift.length === 0) return []
    const path = ['shared_folders', at, 'drift']
    const message = 'stands beside "overwrite_changes": true, which restores everything; expected one of them'
    return [{ position: json.positionOf(path), key: formatKey(path), message }]
  })
}

/** Folders of shares that are one, lie in one another, or hold what is the daemon's own. */
export function overlaps(
  { shares, storagePath, pidFile, fileName }: Config,
  json: PositionedJson,
): Problem[] {
  const problems: Problem[] = []
  const add = (path: KeyPath, message: string): void => {
    problems.push({ position: json.positionOf(path), key: formatKey(path), message })
  }
  if (storagePath === '/') add(['storage_path'], 'is "/", expected a folder of its own')
  shares.forEach(({ dir, secret }, at) => {
    const path = ['shared_folders', at, 'dir']
    if (isWithin(storagePath, dir)) add(path, 'contains storage_path, expected a folder apart from it')
    shares.forEach((other, otherAt) => {
      // Two equal folders are reported once, at the second; a nested one at itself, wherever it stands.
      if (other.dir === dir ? otherAt < at : isWithin(dir, other.dir))
        add(
          path,
          other.dir === dir
            ? `is also the folder of shared_folders[${otherAt}], expected one share for each folder`
            : `lies in the folder of shared_folders[${otherAt}], expected folders apart from each other`,
        )
    })
    if (pidFile === undefined) return
    if (isWithin(pidFile, dir))
      add(['pid_file'], `lies in the folder of shared_folders[${at}], expected a place apart from it`)
    if ('file' in secret && secret.file === pidFile)
      add(['pid_file'], `is the secret file of shared_folders[${at}], expected a file of its own`)
  })
  if (pidFile === undefined) return problems
  if (pidFile === resolve(fileName))
    add(['pid_file'], 'is this configuration file, expected a file of its own')
  if (pidFile === storagePath) add(['pid_file'], 'is storage_path, expected a file of its own')
  return problems
}

/** What is allowed and most likely not meant. */
export function unwise(config: Config, json: PositionedJson): Problem[] {
  const warnings: Problem[] = []
  if (config.shares.length === 0 && !config.dhtNode)
    warnings.push({
      position: json.positionOf(['shared_folders']),
      key: 'shared_folders',
      message: 'is missing or empty, so there is nothing to sync',
    })
  const offBehindProxy = (key: 'use_upnp' | 'external_port' | 'dht_node', isAsked: boolean): void => {
    if (!isAsked || !isHidden(config.proxy)) return
    warnings.push({ position: json.positionOf([key]), key, message: OFF_BEHIND_PROXY })
  }
  offBehindProxy('use_upnp', config.useUpnp)
  offBehindProxy('external_port', config.externalPort !== 0)
  offBehindProxy('dht_node', config.dhtNode)
  config.shares.forEach(({ dir, vault, secret, useDht, overwriteChanges, drift, onChange, history }, at) => {
    const warn = (key: string | KeyPath, message: string, isNote = false): void => {
      const path = ['shared_folders', at, key].flat()
      warnings.push({ position: json.positionOf(path), key: formatKey(path), message, isNote })
    }
    if (useDht && isHidden(config.proxy)) warn('use_dht', OFF_BEHIND_PROXY)
    else if (useDht && config.bootstrap.length === 0)
      warn('use_dht', 'has no effect: "bootstrap" is empty, so there is no DHT')
    else if (useDht && config.bootstrap === 'public') {
      const what =
        'without "bootstrap" asks the public DHT, whose nodes see device keys, topics and addresses'
      if (config.dhtNode) warn('use_dht', `${what}; "dht_node" is one of a DHT of your own: name its nodes`)
      else warn('use_dht', what, true)
    }
    if (vault !== undefined && isHidden(config.proxy))
      warn('vault', 'is in a bucket, which is reached directly and not through the proxy')
    if (overwriteChanges && 'grade' in secret && secret.grade === 'write')
      warn('overwrite_changes', 'has no effect with a write secret: changes made here are sent', true)
    if (drift.some(({ policy }) => policy === 'restore') && 'grade' in secret && secret.grade === 'write')
      warn('drift', 'has no effect with a write secret: changes made here are sent', true)
    if (history !== undefined && 'grade' in secret && secret.grade !== 'blind') {
      const days = reachMs(history) / DAY_MS
      if (history.maxBytes !== undefined)
        warn(['history', 'max_size'], 'has no effect with a secret that reads: the archive goes by age alone')
      if (config.trashTtlDays > 0 && days > config.trashTtlDays && Number.isFinite(days))
        warn(
          'history',
          `reaches further back than "sync_trash_ttl", ${config.trashTtlDays} days, keeps anything`,
          true,
        )
    }
    if ((!('file' in secret) || config.webui !== undefined) && isWithin(resolve(config.fileName), dir))
      warn(
        'dir',
        'contains this configuration file, so everyone who can read the share gets the secrets in it',
      )
    for (const [hookAt, { match }] of onChange.entries())
      if (match.every((pattern) => pattern.startsWith('!')))
        warn(
          ['on_change', hookAt, 'match'],
          'only takes paths out, so the hook never runs: name first what it is for, ["**", "!*.swp"]',
        )
    for (const [hookAt, { run, cwd = dir }] of onChange.entries())
      if (programsOf(run, cwd).some((file) => config.shares.some((share) => isWithin(file, share.dir))))
        warn(
          ['on_change', hookAt, 'run'],
          'is a program in a shared folder, so everyone who can write there can have anything run here',
        )
    for (const [other, share] of config.shares.entries())
      if ('file' in share.secret && isWithin(share.secret.file, dir))
        warn(
          'dir',
          `contains the secret file of shared_folders[${other}], so everyone who can read the share gets it`,
        )
  })
  return warnings
}

/** Folders that ask for relays, of which there are none: as old files do, so it is only noted. */
export function unusedRelays(
  { relays, shared_folders: shares = [] }: ConfigShape,
  json: PositionedJson,
): Problem[] {
  if (relays.length > 0) return []
  return shares.flatMap(({ use_relay_server: isAsked }, at) => {
    if (isAsked !== true) return []
    const path = ['shared_folders', at, 'use_relay_server']
    const message = 'has no effect without "relays": one of two devices must be able to reach the other'
    return [{ position: json.positionOf(path), key: formatKey(path), message, isNote: true }]
  })
}

/** What takes a file as its program: `sh reload.sh` runs what lies in the directory that it runs in. */
const INTERPRETER = /^(?:(?:ba|da|z|k|c|tc|fi)?sh|(?:python|perl|ruby|php|node|lua|tclsh)[\d.]*)$/

/** The files that a hook runs, as far as its words tell: absolute. */
function programsOf([program, ...words]: readonly string[], cwd: string): string[] {
  const files = isAbsolute(program!) ? [program!] : []
  const [first] = words.filter((word) => word !== '--')
  const isScript = INTERPRETER.test(basename(program!)) && first !== undefined && !first.startsWith('-')
  return isScript ? [...files, resolve(cwd, first)] : files
}

/** Whether a path is the folder or lies in it, both absolute; links are not looked at. */
export function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way))
}
