// What the daemon tells of the members of its shares (docs/design.md, "Convergence"), and what is asked of it.
import { z } from 'zod'
import type { Standing } from '../core/inquiry.js'
import type { Grade } from '../core/secret.js'
import { queryPart } from './route.js'
import { count } from './schema-parts.js'

/** GET /v1/members: one for each share. */
export interface MembersReport {
  /** Place of the share in the configuration. */
  readonly share: number
  readonly dir: string
  /** This device. */
  readonly device: string
  readonly name: string
  readonly grade: Grade
  /** Why nothing is done until approved (A5); null unless halted. */
  readonly haltReason: string | null
  readonly standing: Standing
  /** Whether this device is at rest, and has looked at its disk since the inquiry; false without one. */
  readonly confirmed: boolean
  /** How far this device has read the share (core/head.ts). */
  readonly head: string
  /** Paths with something still to do here, and the bytes of their new content. */
  readonly needFiles: number
  readonly needBytes: number
  /** A reader's own changes that nobody has acknowledged, and those that somebody has. */
  readonly drift: number
  readonly acknowledged: number
  /** Every enrolled member but this device. */
  readonly members: readonly MemberStanding[]
}

export interface MemberStanding {
  readonly device: string
  readonly name: string
  readonly grade: Grade
  /** Directly. One that is not may still answer through others. */
  readonly connected: boolean
  /** What it answered last to the inquiry that was named in the request; null: nothing, or none was named. */
  readonly answered: Standing | null
  /**
   * Whether it was at rest after the inquiry and held the same tree as this device holds now, having read as much of the
   * share. If that is so of all, and of this device, the trees are equal. Of a blind node: whether it was at rest and held
   * every piece of what this device has read.
   */
  readonly confirmed: boolean
  /** Whether its newest signed state, of `stateAt`, shows our digest; of a blind node, that it lacks nothing of ours. */
  readonly digestEqual: boolean
  /** Whether this device is blind and cannot tell what the member holds. */
  readonly unreadable: boolean
  /** Whether it had looked through its disk when it signed that. */
  readonly scanned: boolean
  /** How far it had read the share. */
  readonly head: string
  /** Records that we have read and it had not, and the other way round. */
  readonly behind: number
  readonly ahead: number
  readonly needFiles: number
  readonly needBytes: number
  readonly drift: number
  readonly conflicts: number
  readonly problems: number
  /** When it signed its newest state, by its clock, ISO 8601. */
  readonly stateAt: string
  /** When it was last connected, or heard of through others; now, if it is connected. Null: never, others have told of it. */
  readonly lastSeen: string | null
  /**
   * Since when it can be reached neither directly nor through others, as far as was asked; null: it can. Of one that was never
   * met, when others told of it last.
   */
  readonly unreachableSince: string | null
  /** Unreachable for `peer_expiration_days`: not waited for, until it is heard of again. */
  readonly expired: boolean
}

/** GET /v1/members. NOT_FOUND: the daemon knows no such inquiry (any more), or no such share. */
export interface MembersRequest {
  /** Place in the configuration. Default: all. */
  readonly share?: number | undefined
  /** From POST /v1/members/ask. */
  readonly inquiry?: string | undefined
}

/** POST /v1/members/ask: over 10 s after it was named last. */
export interface InquiryReport {
  /** 32 hex digits. */
  readonly inquiry: string
}

/** POST /v1/members/remove */
export interface RemoveMemberRequest {
  /** Device id, 64 hex digits. */
  readonly device: string
}

export interface RemovedMemberReport {
  readonly device: string
  readonly name: string
  readonly shares: readonly {
    readonly dir: string
    readonly grade: Grade
    /** Null: never. */
    readonly lastSeen: string | null
    /** Records of its own feeds that are here: they stay, with all that they brought. */
    readonly records: number
    /** Whether its newest signed state showed our digest. */
    readonly digestEqual: boolean
  }[]
}

const grade = z.enum(['write', 'read', 'blind'])
const standing = z.enum(['working', 'at-rest', 'unread', 'halted', 'paused'])
const inquiryId = z.string().regex(/^[0-9a-f]{32}$/)

const memberStanding: z.ZodType<MemberStanding> = z.looseObject({
  device: z.string(),
  name: z.string(),
  grade,
  connected: z.boolean(),
  answered: standing.nullable(),
  confirmed: z.boolean(),
  digestEqual: z.boolean(),
  // A daemon of an earlier version can read all.
  unreadable: z.boolean().default(false),
  scanned: z.boolean(),
  head: z.string(),
  behind: count,
  ahead: count,
  needFiles: count,
  needBytes: count,
  drift: count,
  conflicts: count,
  problems: count,
  stateAt: z.string(),
  lastSeen: z.string().nullable(),
  unreachableSince: z.string().nullable(),
  expired: z.boolean(),
})

export const membersReports: z.ZodType<readonly MembersReport[]> = z.array(
  z.looseObject({
    share: count,
    dir: z.string(),
    device: z.string(),
    name: z.string(),
    grade,
    haltReason: z.string().nullable(),
    standing,
    confirmed: z.boolean(),
    head: z.string(),
    needFiles: count,
    needBytes: count,
    drift: count,
    acknowledged: count,
    members: z.array(memberStanding),
  }),
)

export const membersRequest: z.ZodType<MembersRequest> = z.strictObject({
  share: queryPart.place.optional(),
  inquiry: inquiryId.optional(),
})

export const inquiryReport: z.ZodType<InquiryReport> = z.looseObject({ inquiry: inquiryId })

export const removeMemberRequest: z.ZodType<RemoveMemberRequest> = z.strictObject({
  device: z.string().regex(/^[0-9a-f]{64}$/),
})

export const removedMemberReport: z.ZodType<RemovedMemberReport> = z.looseObject({
  device: z.string(),
  name: z.string(),
  shares: z.array(
    z.looseObject({
      dir: z.string(),
      grade,
      lastSeen: z.string().nullable(),
      records: count,
      digestEqual: z.boolean(),
    }),
  ),
})
