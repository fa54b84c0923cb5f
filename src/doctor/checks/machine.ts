// The machine, whoever uses it: Node, the clock, limits of the kernel. Pure: facts in, findings out.
import { shellWord } from '../../core/shell-word.js'
import { MORE_DESCRIPTORS } from '../../core/shortage.js'
import { type Finding, fail, ok, warn } from '../finding.js'
import { bytesText, countText } from '../sizes.js'

export interface SystemFacts {
  /** "20.20.2" */
  readonly node: string
  /** The least that package.json allows. */
  readonly leastNode: string
  readonly platform: string
  /** "6.1.0" */
  readonly kernel: string
}

/** The kernel has renameat2(2) from 3.15 on; Node 20 itself wants 4.18. */
const LEAST_KERNEL = '4.18'

export function checkSystem({ node, leastNode, platform, kernel }: SystemFacts): Finding[] {
  if (platform !== 'linux')
    return [
      warn(
        'system',
        `node ${node} on ${platform}, which shoal is not tried on`,
        'use Linux, or expect surprises',
      ),
    ]
  if (isLess(node, leastNode))
    return [
      fail('system', `node ${node}, expected ${leastNode} or newer`, 'install a newer node, or the package'),
    ]
  if (isLess(kernel, LEAST_KERNEL))
    return [warn('system', `Linux ${kernel}, expected ${LEAST_KERNEL} or newer`, 'install a newer kernel')]
  return [ok('system', `node ${node}, Linux ${kernel}`)]
}

export interface TimeFacts {
  /** By the clock of the system, milliseconds since 1970. */
  readonly nowMs: number
  /** When this program was built: the clock cannot be before that. */
  readonly builtMs: number
  /** Whether a service has set the clock by the network; undefined: not known. */
  readonly isSynchronised: boolean | undefined
}

const DAY_MS = 86_400_000
/** Further ahead of the program's own age, a clock is rather wrong than the program old. */
const FAR_MS = 20 * 365 * DAY_MS
const SET_CLOCK = 'set the clock: timedatectl set-ntp true, or run a time service'

export function checkTime({ nowMs, builtMs, isSynchronised }: TimeFacts): Finding[] {
  const time = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z')
  // Archives of a build may carry any zone's day.
  if (nowMs < builtMs - DAY_MS)
    return [fail('time', `the clock says ${time}, which is before this program was made`, SET_CLOCK)]
  if (nowMs > builtMs + FAR_MS)
    return [fail('time', `the clock says ${time}, which is far in the future`, SET_CLOCK)]
  if (isSynchronised === false)
    return [
      warn(
        'time',
        `the clock says ${time}; no service keeps it right, and of double edits the newer one wins`,
        SET_CLOCK,
      ),
    ]
  return [ok('time', `the clock says ${time}${isSynchronised === true ? ', kept by the network' : ''}`)]
}

export interface DescriptorFacts {
  /** Open files that a process may have; Infinity: no limit. */
  readonly limit: number
  /** Of a daemon that runs; undefined: none does, or it may not be looked at. */
  readonly used: number | undefined
  /** Of the whole machine; undefined: not told. */
  readonly systemUsed: number | undefined
  readonly systemLimit: number | undefined
}

/** A daemon holds its database, a connection and some files for each member, and up to 64 directories for each worker. */
const FEW_DESCRIPTORS = 256
const SOME_DESCRIPTORS = 1024
const NEARLY_ALL = 0.8

export function checkDescriptors({ limit, used, systemUsed, systemLimit }: DescriptorFacts): Finding[] {
  const findings: Finding[] = []
  const has = `${Number.isFinite(limit) ? limit : 'any number of'} open files allowed${used === undefined ? '' : `, the daemon has ${used}`}`
  if (limit < FEW_DESCRIPTORS) findings.push(fail('file-descriptors', has, MORE_DESCRIPTORS))
  else if (limit < SOME_DESCRIPTORS || (used !== undefined && used > limit * NEARLY_ALL))
    findings.push(warn('file-descriptors', has, MORE_DESCRIPTORS))
  else findings.push(ok('file-descriptors', has))
  if (systemUsed !== undefined && systemLimit !== undefined && systemUsed > systemLimit * NEARLY_ALL)
    findings.push(
      warn(
        'file-descriptors',
        `${systemUsed} of ${systemLimit} open files of the whole machine are in use`,
        'raise it: sysctl fs.file-max, or see who has them open: lsof',
      ),
    )
  return findings
}

export interface InotifyFacts {
  /** For each user; undefined: not told. */
  readonly maxWatches: number | undefined
  readonly maxInstances: number | undefined
  /** Of all folders of the configuration; undefined: there is no configuration. */
  readonly directories: number | undefined
  /** There are more, which were not counted. */
  readonly isMore: boolean
  /** Of this user, the daemon's own not counted. */
  readonly usedByOthers: number
  readonly shares: number
  readonly instancesOfOthers: number
}

/** Unless told otherwise, a machine with a few other programs that watch something. */
const USUAL_WATCHES = 8192

export function checkInotify(facts: InotifyFacts): Finding[] {
  const { maxWatches, maxInstances, directories, isMore, usedByOthers, shares, instancesOfOthers } = facts
  if (maxWatches === undefined || maxInstances === undefined)
    return [
      warn(
        'inotify',
        'the kernel does not tell its limits of inotify',
        'mount /proc, or rely on folder_rescan_interval',
      ),
    ]
  const findings: Finding[] = []
  if (shares + instancesOfOthers > maxInstances)
    findings.push(
      warn(
        'inotify',
        `${countText(shares, 'folder')} to watch and ${instancesOfOthers} instances of other programs, but ${maxInstances} are allowed`,
        `raise it: sysctl fs.inotify.max_user_instances=${Math.max(512, 2 * (shares + instancesOfOthers))}`,
      ),
    )
  const needed = (directories ?? 0) + usedByOthers
  const more = raised(needed, isMore)
  if (directories === undefined) {
    if (maxWatches < USUAL_WATCHES)
      findings.push(warn('inotify', `${maxWatches} directories can be watched`, more))
  } else if (needed > maxWatches || isMore)
    findings.push(
      warn(
        'inotify',
        `${isMore ? 'more than ' : ''}${countText(directories, 'directory')} to watch, ${usedByOthers} watches of other programs, and ${maxWatches} allowed: changes in the rest are only noticed every folder_rescan_interval`,
        more,
      ),
    )
  if (findings.length > 0) return findings
  const count = directories === undefined ? '' : `${countText(directories, 'directory')} to watch, `
  return [ok('inotify', `${count}${maxWatches} watches and ${maxInstances} instances allowed`)]
}

function raised(needed: number, isMore: boolean): string {
  const next = Math.max(65_536, 2 ** Math.ceil(Math.log2(Math.max(1, needed) * (isMore ? 4 : 2))))
  return `raise it: sysctl fs.inotify.max_user_watches=${next}, and put that into /etc/sysctl.d; a watch costs the kernel about 1 KiB, so ${bytesText(next * 1024)} if all are used`
}

export interface TemporaryFacts {
  /** Folders of previews that were killed, older than a day. */
  readonly previews: readonly string[]
}

export function checkTemporary({ previews }: TemporaryFacts): Finding[] {
  if (previews.length === 0) return []
  return [
    warn(
      'temporary-files',
      `${countText(previews.length, 'folder')} of previews that were killed`,
      `remove them: rm -r ${previews.slice(0, 5).map(shellWord).join(' ')}${previews.length > 5 ? ' ...' : ''}`,
    ),
  ]
}

/** Compares "20.20.2" and the like by their numbers. */
function isLess(version: string, than: string): boolean {
  const numbers = (text: string): number[] => (text.match(/\d+/g) ?? []).map(Number)
  const [a, b] = [numbers(version), numbers(than)]
  for (const [at, number] of b.entries()) if ((a[at] ?? 0) !== number) return (a[at] ?? 0) < number
  return false
}
