// What a blind share needs to run: its settings from the configuration, and the parts of the daemon that all shares have in
// common.
import type { CopiesPromise } from '../../core/copies.js'
import type { Retention } from '../../core/retention.js'
import type { Secret, ShareKeys } from '../../core/secret.js'
import type { FeedStore } from '../../feed/store.js'
import type { Log } from '../../ports/log.js'
import type { Database } from '../../store/tables.js'
import type { PackStorage } from '../../vault/pack-storage.js'
import type { NoteEvent } from '../events.js'
import type { Identity } from '../identity.js'
import type { ShareLimits } from '../rate-limits.js'

export interface BlindShareOptions {
  /** Where the vault lies, or what is needed beside it. */
  readonly dir: string
  readonly keys: ShareKeys
  /** What the keys come from; told on an explicit call alone. */
  readonly secret: Secret
  /** Opens where the packs lie. STORAGE_LOCKED, IO. */
  readonly openStorage: () => Promise<PackStorage>
  /** From one verification of the vault to the next, milliseconds; 0: only when asked. */
  readonly scrubEveryMs: number
  /** What of the past is kept. */
  readonly history: Retention
  /** What is promised of every piece; undefined: nothing. */
  readonly copies: CopiesPromise | undefined
  /** Whether this device says of itself that it is off-site. */
  readonly isOffsite: boolean
  readonly rates: ShareLimits
  readonly deviceName: string
  readonly identity: Identity
  readonly instance: string
  readonly feeds: FeedStore
  readonly database: Database
  readonly log: Log
  readonly noteEvent: NoteEvent
  readonly nowMs: () => number
}
