// What a share needs to run: its settings from the configuration, and the parts of the daemon that all shares have in
// common.
import type { CopiesPromise } from '../../core/copies.js'
import type { DriftRule } from '../../core/drift-rules.js'
import type { HookSpec } from '../../core/hook.js'
import type { ShareId } from '../../core/ids.js'
import type { Metadata } from '../../core/metadata.js'
import type { ReadKeys, Secret, ShareKeys } from '../../core/secret.js'
import type { FeedStore } from '../../feed/store.js'
import type { FolderPool } from '../../folder/pool.js'
import type { HookSlots } from '../../hooks/slots.js'
import type { Log } from '../../ports/log.js'
import type { Database } from '../../store/tables.js'
import type { NoteEvent } from '../events.js'
import type { Identity } from '../identity.js'
import type { ShareLimits } from '../rate-limits.js'
import type { Padding } from './padding.js'

/** What a share is doing; 'paused': speaks with nobody, but goes on looking at its disk. */
export type ShareState = 'scanning' | 'syncing' | 'idle' | 'paused' | 'halted'

/** What may change while the share runs. */
export interface ShareSettings {
  /** 0: never, apart from the scan at start. */
  readonly rescanIntervalMs: number
  /** 0: for ever. */
  readonly trashTtlDays: number
  /** Larger files are not kept in the archive; Infinity: no limit. */
  readonly maxVersionedBytes: number
  /** How many releases to leave when one is made; undefined: all. */
  readonly keepReleases: number | undefined
  /** After how long a member that is not heard of is not waited for; 0: never. */
  readonly peerExpirationDays: number
  /** From one verification of all that is held to the next; 0: only when asked. */
  readonly scrubEveryMs: number
  /** What is promised of every piece; undefined: nothing. */
  readonly copies: CopiesPromise | undefined
  /** Whether this device says of itself that it is off-site. */
  readonly isOffsite: boolean
}

/** A share's hooks, and how many those before it in the configuration have. */
export interface ShareHooks {
  readonly specs: readonly HookSpec[]
  readonly before: number
  /** The daemon's private folder. */
  readonly scratch: string
}

/** What the names of a share's tables begin with. */
export function tablePrefix(share: ShareId): string {
  return `${share.slice(0, 16)}:`
}

export interface ShareOptions {
  readonly dir: string
  readonly keys: ShareKeys & { readonly read: ReadKeys }
  /** What the keys come from; told on an explicit call alone. */
  readonly secret: Secret
  readonly rates: ShareLimits
  readonly useSyncTrash: boolean
  /** Carry hard links (`hard_links`). */
  readonly hardLinks: boolean
  /** Owners, ACLs and extended attributes: what is carried of them. */
  readonly metadata: Metadata
  /** Whether blocks of zeros in files become holes (`sparse`). */
  readonly sparse: boolean
  /** Whether new content is padded before it is sealed (`padding`). */
  readonly padding: Padding
  /** Holds the share's releases alone and shows one (`"follow": "releases"`); with a read secret. */
  readonly followsReleases: boolean
  /** What is done about a reader's own changes. */
  readonly drift: readonly DriftRule[]
  readonly settings: ShareSettings
  readonly hooks: ShareHooks
  readonly hookSlots: HookSlots
  readonly deviceName: string
  readonly identity: Identity
  readonly instance: string
  readonly feeds: FeedStore
  readonly database: Database
  readonly pool: FolderPool
  readonly log: Log
  readonly noteEvent: NoteEvent
  readonly nowMs: () => number
}
