// What a share needs to run: its settings from the configuration, and the parts of the daemon that all shares have in
// common.
import type { Metadata } from '../../core/metadata.js'
import type { ReadKeys, ShareKeys } from '../../core/secret.js'
import type { FeedStore } from '../../feed/store.js'
import type { FolderPool } from '../../folder/pool.js'
import type { Log } from '../../ports/log.js'
import type { Database } from '../../store/tables.js'
import type { Identity } from '../identity.js'

/** What may change while the share runs. */
export interface ShareSettings {
  /** 0: never, apart from the scan at start. */
  readonly rescanIntervalMs: number
  /** 0: for ever. */
  readonly trashTtlDays: number
  /** Larger files are not kept in the archive; Infinity: no limit. */
  readonly maxVersionedBytes: number
}

export interface ShareOptions {
  readonly dir: string
  readonly keys: ShareKeys & { readonly read: ReadKeys }
  readonly useSyncTrash: boolean
  /** Carry hard links (`hard_links`). */
  readonly hardLinks: boolean
  /** Owners, ACLs and extended attributes: what is carried of them. */
  readonly metadata: Metadata
  readonly overwriteChanges: boolean
  /** Whether blocks of zeros in files become holes (`sparse`). */
  readonly sparse: boolean
  readonly settings: ShareSettings
  readonly deviceName: string
  readonly identity: Identity
  readonly instance: string
  readonly feeds: FeedStore
  readonly database: Database
  readonly pool: FolderPool
  readonly log: Log
  readonly nowMs: () => number
}
