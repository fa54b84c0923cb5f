// What BitTorrent Sync's API (src/control/legacy) is told of the daemon and its machine.
import { randomBytes } from 'node:crypto'
import { access, constants, realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { isWithin } from '../../config/checks.js'
import type { Config } from '../../config/config.js'
import type { ControlBackend } from '../../control/calls.js'
import type { Admission, LegacyHost, LegacyPreferences } from '../../control/legacy/host.js'
import { folderHandleOf } from '../../core/folder-handle.js'
import { KEY_BYTES } from '../../core/keys.js'
import { type Secret, writeSecretOf } from '../../core/secret.js'
import type { DaemonView } from './view.js'
import { sharesOf } from './view.js'

const MB = 1024 * 1024
/** The answer to the request that stops the daemon is on its way first. */
const STOP_DELAY_MS = 100

/** `config`: the settings in force. */
export function legacyHost(
  backend: ControlBackend,
  view: Pick<DaemonView, 'shares' | 'started' | 'port' | 'folders'>,
  config: () => Config<Secret>,
): LegacyHost {
  return {
    backend: {
      ...backend,
      // Whoever can change what is in an allowed folder could put a link there since it was admitted.
      addShare: ({ dir, secret }) => view.folders.add({ dir, secret }, true),
      stop: async () => void setTimeout(() => void backend.stop(), STOP_DELAY_MS),
    },
    handles: async () =>
      (await sharesOf(view)).map(({ shareId, dir }) => ({ handle: folderHandleOf(shareId), dir })),
    preferences: () => preferencesOf(config(), view.port()),
    admits: (dir) => admission(dir, config().web?.dirWhitelist ?? []),
    makeSecret: () => writeSecretOf(randomBytes(KEY_BYTES)),
  }
}

function preferencesOf(config: Config<Secret>, port: number): LegacyPreferences {
  const { deviceName, diskLowPriority, rescanIntervalMs, maxVersionedBytes } = config
  return {
    ...{ deviceName, port, diskLowPriority },
    rescanSeconds: rescanIntervalMs / 1000,
    versioningMegabytes: maxVersionedBytes === undefined ? undefined : Math.floor(maxVersionedBytes / MB),
    maxTimeDiffSeconds: config.maxTimeDiffMs / 1000,
    trashDays: config.trashTtlDays,
    usesUpnp: config.useUpnp,
  }
}

/** Links are followed on both sides: one in an allowed folder is no way out of it. What is outside is not looked at. */
async function admission(dir: string, allowed: readonly string[]): Promise<Admission> {
  if (!path.isAbsolute(dir) || dir.includes('\0')) return { type: 'missing' }
  const folders = await Promise.all(allowed.map(realOf))
  const isAllowed = (place: string): boolean =>
    [...allowed, ...folders].some((folder) => folder !== undefined && isWithin(place, folder))
  if (!isAllowed(path.resolve(dir))) return { type: 'forbidden' }
  const real = await realOf(dir)
  if (real === undefined) return { type: 'missing' }
  if (!folders.some((folder) => folder !== undefined && isWithin(real, folder))) return { type: 'forbidden' }
  try {
    if (!(await stat(real)).isDirectory()) return { type: 'missing' }
    await access(real, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch {
    return { type: 'closed' }
  }
  return { type: 'ok', dir: real }
}

async function realOf(place: string): Promise<string | undefined> {
  // Not there, or not to be entered: nothing can be added there.
  return realpath(place).catch(() => undefined)
}
