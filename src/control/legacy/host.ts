// What BitTorrent Sync's API needs of the daemon: calls of the control API, and what of the machine and the configuration
// no call of it tells.
import type { Secret } from '../../core/secret.js'
import type { ControlBackend } from '../calls.js'

type Calls =
  | ('status' | 'live' | 'folders' | 'entries' | 'limits')
  | ('addShare' | 'changeShare' | 'removeShare' | 'setLimits' | 'stop')

export interface LegacyHost {
  readonly backend: Pick<ControlBackend, Calls>
  /** What the shares are called by (core/folder-handle.ts), by their places. */
  handles(): Promise<readonly { readonly handle: string; readonly dir: string }[]>
  preferences(): LegacyPreferences
  /** Whether a folder may be added over TCP, and where it is in truth. */
  admits(dir: string): Promise<Admission>
  makeSecret(): Secret
}

/** 'missing': not there, or no folder; 'closed': it cannot be written; 'forbidden': `webui.dir_whitelist` does not have it. */
export type Admission =
  | { readonly type: 'ok'; readonly dir: string }
  | { readonly type: 'missing' | 'closed' | 'forbidden' }

/** Settings of the configuration, in its units. */
export interface LegacyPreferences {
  readonly deviceName: string
  /** The port it listens on. */
  readonly port: number
  readonly diskLowPriority: boolean
  readonly rescanSeconds: number
  /** MB; undefined: no limit. */
  readonly versioningMegabytes: number | undefined
  readonly maxTimeDiffSeconds: number
  readonly trashDays: number
  readonly usesUpnp: boolean
}
