// `shoal rehearse`: restores a sample of a share, or all of it, from one member alone into a scratch folder, by the very way
// a real restore goes, and compares the outcome with the folder here. It says what a restore would bring if this member were all that
// is left; that the pieces are there, `shoal audit` shows for less.
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Config, ShareConfig } from '../../config/config.js'
import { ShoalError } from '../../core/error.js'
import { IGNORE_FILE, parsePath } from '../../core/path.js'
import type { Secret } from '../../core/secret.js'
import { IgnoreRules, MAX_IGNORE_BYTES } from '../../folder/ignore.js'
import { silentLog } from '../../ports/log.js'
import type { RestoreProgress, RestoreReport } from '../restore/report.js'
import { restore } from '../restore/restore.js'
import { wayOut } from '../way-out.js'
import { compareFolders } from './compare.js'
import type { RehearseReport } from './report.js'

export interface RehearseOptions {
  readonly config: Config<Secret>
  readonly share: ShareConfig<Secret>
  /** Device id of the member. */
  readonly device: string
  /** Where it may be reached, "host:port" each, beside the configuration's own. */
  readonly hosts: readonly string[]
  /** Files to restore; undefined: all. */
  readonly paths: readonly string[] | undefined
  /** The scratch folder, new or empty; undefined: one among the temporary files. */
  readonly to: string | undefined
  /** Leaves what was restored. */
  readonly keep: boolean
  /** Given up after so long without anything new. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly onProgress: (
    progress: RestoreProgress | { readonly stage: 'comparing'; readonly done: number },
  ) => void
  /** UDP port of the LAN beacon, for tests. */
  readonly beaconPort?: number
}

/** Throws as restore() does; EXISTS if `to` is anything but an empty folder; MEMBER_UNREACHABLE if the member is not met, IO if something cannot be compared. */
export async function rehearse(options: RehearseOptions): Promise<RehearseReport> {
  const { share, to, keep } = options
  const startedMs = performance.now()
  const scratch = to === undefined ? fs.mkdtempSync(path.join(tmpdir(), 'shoal-rehearse-')) : path.resolve(to)
  // All in it is removed in the end, so nothing may be in it now.
  const isOurs = to === undefined || !mustBeEmpty(scratch)
  try {
    const restored = await restoreInto(options, scratch)
    const comparison = await compareFolders({
      dir: share.dir,
      restored: scratch,
      paths: options.paths,
      isIgnored: ignoredIn(share.dir),
      signal: options.signal,
      onProgress: (done) => options.onProgress({ stage: 'comparing', done }),
    })
    const seconds = (performance.now() - startedMs) / 1000
    return { dir: share.dir, restored: keep ? scratch : null, seconds, restore: restored, comparison }
  } finally {
    if (!keep) {
      if (isOurs) fs.rmSync(scratch, { recursive: true, force: true })
      else
        for (const name of fs.readdirSync(scratch))
          fs.rmSync(path.join(scratch, name), { recursive: true, force: true })
    }
  }
}

/** Whether a folder is there, with nothing in it; false: nothing is there. EXISTS for anything else. */
function mustBeEmpty(dir: string): boolean {
  const found = fs.lstatSync(dir, { throwIfNoEntry: false })
  if (found === undefined) return false
  if (found.isDirectory() && fs.readdirSync(dir).length === 0) return true
  throw new ShoalError(
    'EXISTS',
    `cannot rehearse in ${dir}: it is no empty folder; name one that is not there yet`,
  )
}

async function restoreInto(options: RehearseOptions, to: string): Promise<RestoreReport> {
  const { config, share, device, hosts, paths, timeoutMs, signal, onProgress, beaconPort } = options
  const { listenHost, interfaces, relays } = config
  const { bootstrap, dial } = wayOut(config, silentLog)
  const { owners, acls, xattrs, hardLinks } = share
  try {
    return await restore({
      secret: share.secret,
      to,
      mayBeOlder: true,
      paths: paths?.map((text) => parsePath(text)),
      signal,
      onProgress,
      ...{ owners, acls, hardLinks },
      ...(xattrs === undefined ? {} : { xattrs }),
      from: {
        type: 'swarm',
        ways: {
          knownHosts: [...new Set([...hosts, ...share.knownHosts])],
          searchLan: share.searchLan,
          useDht: share.useDht,
          ...{ bootstrap, timeoutMs, only: device },
          relays: share.useRelay ? relays : [],
          ...(dial === undefined ? {} : { dial }),
          ...(listenHost === undefined ? {} : { listenHost }),
          ...(interfaces === undefined ? {} : { interfaces }),
          ...(beaconPort === undefined ? {} : { beaconPort }),
        },
      },
    })
  } catch (thrown) {
    if (!(thrown instanceof ShoalError) || thrown.code !== 'DAEMON_UNREACHABLE') throw thrown
    const detail = `the member could not be met by a second way than the daemon's own; ${thrown.message}`
    throw new ShoalError('MEMBER_UNREACHABLE', detail, { cause: thrown })
  }
}

/** By the rules of the folder itself. */
function ignoredIn(dir: string): (at: string, isDirectory: boolean) => boolean {
  const file = path.join(dir, IGNORE_FILE)
  const stat = fs.lstatSync(file, { throwIfNoEntry: false })
  if (stat === undefined || !stat.isFile() || stat.size > MAX_IGNORE_BYTES) return () => false
  const rules = IgnoreRules.parse(fs.readFileSync(file, 'utf8'))
  return (at, isDirectory) => rules.ignores(parsePath(at), isDirectory)
}
