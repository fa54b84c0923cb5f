// What the daemon tells of how many devices hold what (docs/copies.md): the promise of a share in its status, and
// whether a device may be powered off.
import { z } from 'zod'
import type { Standing } from '../core/inquiry.js'
import { count } from './schema-parts.js'

/** Pieces, and their bytes, sealed. */
export interface AmountReport {
  readonly pieces: number
  readonly bytes: number
}

/** In the status of a share with `copies`. */
export interface CopiesReport {
  readonly min: number
  readonly offsite: number
  /** Null: not counted yet. */
  readonly counted: CountedCopies | null
}

export interface CountedCopies {
  /** ISO 8601. */
  readonly at: string
  /** Whether every piece that the share needs is on enough devices that are connected, this one counted. */
  readonly kept: boolean
  /** Of what the share needs. */
  readonly total: AmountReport
  /** On too few devices, or on too few of those off-site; and each of the two alone. */
  readonly short: AmountReport
  readonly belowMin: AmountReport
  readonly belowOffsite: AmountReport
  /** On none of the devices that are connected. */
  readonly none: AmountReport
  /** On how many devices a piece is that is on the fewest; null: all are on enough. */
  readonly fewest: number | null
  /** Some of the files here with pieces that are short. */
  readonly paths: readonly string[]
}

/** POST /v1/safe-to-stop */
export interface StopRequest {
  /** Place in the configuration. Default: all. */
  readonly share?: number | undefined
  /** How long disks may be looked at, here and then elsewhere, milliseconds. Default: 30 s. */
  readonly timeoutMs?: number | undefined
}

/** Why a device should stay: see stop-verdict.ts. */
export type StopReason =
  | 'not-looked'
  | 'halted'
  | 'paused'
  | 'unread'
  | 'only-here'
  | 'below-min'
  | 'below-offsite'
  | 'not-read'

/** Why a member does not count; 'counted': it does. */
export type StopMemberWord = 'counted' | 'unreachable' | 'silent' | 'halted' | 'paused'

/** One for each share. */
export interface StopReport extends StopFacts {
  /** Place in the configuration. */
  readonly share: number
  readonly dir: string
  /** Whether the device may be powered off, as far as this share goes: there are no reasons against it. */
  readonly safe: boolean
  readonly reasons: readonly StopReason[]
}

/** What was found out, by asking afresh. */
export interface StopFacts {
  /** On how many other devices everything has to be, and on how many off-site. */
  readonly min: number
  readonly offsite: number
  /** Whether this device may write. */
  readonly writes: boolean
  /** Whether its disk was looked at in time, and where it stands then. */
  readonly looked: boolean
  readonly standing: Standing
  /** Of what the share needs and this disk holds: all, on no other device that counts, on too few, on too few off-site. */
  readonly held: AmountReport
  readonly onlyHere: AmountReport
  readonly belowMin: AmountReport
  readonly belowOffsite: AmountReport
  /** Whether anything was published, and how many members that count have read all of it, and how many of those off-site. */
  readonly hasRecords: boolean
  readonly complete: { readonly count: number; readonly offsite: number }
  readonly members: readonly StopMember[]
}

export interface StopMember {
  readonly device: string
  readonly name: string
  readonly word: StopMemberWord
  readonly offsite: boolean
  /** Records that this device has read and it had not. */
  readonly behind: number
}

const amount: z.ZodType<AmountReport> = z.looseObject({ pieces: count, bytes: count })

export const copiesReport: z.ZodType<CopiesReport> = z.looseObject({
  min: count,
  offsite: count,
  counted: z
    .looseObject({
      at: z.string(),
      kept: z.boolean(),
      total: amount,
      short: amount,
      belowMin: amount,
      belowOffsite: amount,
      none: amount,
      fewest: count.nullable(),
      paths: z.array(z.string()),
    })
    .nullable(),
})

/** An hour is more than anybody waits for. */
const MAX_TIMEOUT_MS = 3_600_000

export const stopRequest: z.ZodType<StopRequest> = z.strictObject({
  share: z.int().nonnegative().optional(),
  timeoutMs: z.int().positive().max(MAX_TIMEOUT_MS).optional(),
})

const reason: z.ZodType<StopReason> = z.literal([
  'not-looked',
  'halted',
  'paused',
  'unread',
  'only-here',
  'below-min',
  'below-offsite',
  'not-read',
])

export const stopReports: z.ZodType<readonly StopReport[]> = z.array(
  z.looseObject({
    share: count,
    dir: z.string(),
    safe: z.boolean(),
    reasons: z.array(reason),
    min: count,
    offsite: count,
    writes: z.boolean(),
    looked: z.boolean(),
    standing: z.enum(['working', 'at-rest', 'unread', 'halted', 'paused']),
    held: amount,
    onlyHere: amount,
    belowMin: amount,
    belowOffsite: amount,
    hasRecords: z.boolean(),
    complete: z.looseObject({ count, offsite: count }),
    members: z.array(
      z.looseObject({
        device: z.string(),
        name: z.string(),
        word: z.enum(['counted', 'unreachable', 'silent', 'halted', 'paused']),
        offsite: z.boolean(),
        behind: count,
      }),
    ),
  }),
)
