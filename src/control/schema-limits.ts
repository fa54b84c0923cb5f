// What the control API takes and tells of limits: what holds, who says so and until when.
import { z } from 'zod'
import { type ShareRef, shareRef } from './route.js'
import { count } from './schema-parts.js'

/** GET and PUT /v1/limits: for all shares together, bytes per second; 0: no limit. */
export interface LimitsReport {
  readonly download: number
  readonly upload: number
  /** Whether they hold for peers on the local network, too (`rate_limit_local_peers`). */
  readonly holdLocally: boolean
  /** The same with who says so and until when; not told by a daemon of an earlier version. */
  readonly held?: HeldReport | undefined
  /** Shares with a limit of their own now, or a schedule; not told by a daemon of an earlier version. */
  readonly shares?: readonly ShareLimitsReport[] | undefined
}

/** What holds now. */
export interface HeldReport {
  readonly download: HeldLimitReport
  readonly upload: HeldLimitReport
}

export interface HeldLimitReport {
  /** Bytes per second; 0: no limit. */
  readonly rate: number
  /** Who says so; 'set': somebody has since the daemon started. */
  readonly by: 'set' | 'schedule' | 'configuration'
  /** When the schedule will change it, ISO 8601; null: it will not. */
  readonly until: string | null
}

export interface ShareLimitsReport extends HeldReport {
  readonly dir: string
  /** Place in the configuration. */
  readonly share: number
}

/** PUT /v1/limits: what is absent stays. */
export interface LimitsRequest {
  /** Of one share; absent: for all together. */
  readonly share?: ShareRef | undefined
  /** First of all as the configuration and its schedule say. */
  readonly reset?: boolean | undefined
  readonly download?: number | undefined
  readonly upload?: number | undefined
}

/** Beyond what any network card carries, and far below where numbers lose bytes. */
const MAX_RATE = 2 ** 40

const heldLimit = z.looseObject({
  rate: count,
  by: z.enum(['set', 'schedule', 'configuration']),
  until: z.string().nullable(),
})

const held = { download: heldLimit, upload: heldLimit }

export const limitsReport: z.ZodType<LimitsReport> = z.looseObject({
  download: count,
  upload: count,
  holdLocally: z.boolean(),
  held: z.looseObject(held).optional(),
  shares: z.array(z.looseObject({ dir: z.string(), share: count, ...held })).optional(),
})

const rate = z.int().nonnegative().max(MAX_RATE).optional()

export const limitsRequest: z.ZodType<LimitsRequest> = z.strictObject({
  share: shareRef.optional(),
  reset: z.boolean().optional(),
  download: rate,
  upload: rate,
})
