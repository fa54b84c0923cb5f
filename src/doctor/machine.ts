// Examines the machine, whoever uses it.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { checkDescriptors, checkInotify, checkSystem, checkTemporary, checkTime } from './checks/machine.js'
import type { Finding } from './finding.js'
import { oldPreviews } from './probes/folders.js'
import { descriptorLimit, descriptorsOf, inotifyUse, numberIn, systemDescriptors } from './probes/kernel.js'

/** The least that package.json allows. */
const LEAST_NODE = '20.20.0'
const TIMEDATECTL_MS = 2000

/** Without a configuration. */
export function examineMachine(nowMs: number): Finding[] {
  return [
    ...checkSystem({
      node: process.versions.node,
      leastNode: LEAST_NODE,
      platform: process.platform,
      kernel: os.release(),
    }),
    ...checkTime({ nowMs, builtMs: builtAtMs(), isSynchronised: isSynchronised() }),
    ...checkTemporary({ previews: oldPreviews(os.tmpdir(), process.geteuid?.() ?? 0, nowMs) }),
  ]
}

/** What depends on who runs and what is watched. `pid`: of the daemon; undefined: none runs. */
export function examineLimits(options: {
  readonly pid: number | undefined
  readonly shares: number
  /** Undefined: nothing is to be watched. */
  readonly counted: { readonly directories: number; readonly isMore: boolean } | undefined
}): Finding[] {
  const { pid, shares, counted } = options
  const system = systemDescriptors()
  const use = inotifyUse(process.geteuid?.() ?? 0, pid)
  return [
    ...checkDescriptors({
      limit: descriptorLimit(pid ?? 'self') ?? descriptorLimit('self') ?? Number.POSITIVE_INFINITY,
      used: pid === undefined ? undefined : descriptorsOf(pid),
      systemUsed: system?.used,
      systemLimit: system?.limit,
    }),
    ...checkInotify({
      maxWatches: numberIn('/proc/sys/fs/inotify/max_user_watches'),
      maxInstances: numberIn('/proc/sys/fs/inotify/max_user_instances'),
      directories: counted?.directories,
      isMore: counted?.isMore ?? false,
      usedByOthers: use.watches,
      instancesOfOthers: use.instances,
      shares,
    }),
  ]
}

/** As systemd says; undefined where it has nothing to say. */
function isSynchronised(): boolean | undefined {
  const argv = ['show', '--property=NTPSynchronized', '--value']
  const { status, stdout } = spawnSync('timedatectl', argv, { encoding: 'utf8', timeout: TIMEDATECTL_MS })
  if (status !== 0) return undefined
  return stdout.trim() === 'yes' ? true : stdout.trim() === 'no' ? false : undefined
}

/** Installing may give any time to a file, but none before it was made. */
function builtAtMs(): number {
  return Math.min(fs.statSync(new URL(import.meta.url)).mtimeMs, Date.now())
}
