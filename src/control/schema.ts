// What the daemon tells through its control API: the types of all answers (docs/cli.md shows them as --json prints
// them) and the schemas that the client checks them with. Answers only grow: a client ignores what it does not know.
// No answer holds a secret, a key or a share id.
import { z } from 'zod'
import type { Grade } from '../core/secret.js'
import { type ShareRef, shareRef } from './route.js'
import { type RefusedConfiguration, refusedConfiguration } from './schema-config.js'
import { type CopiesReport, copiesReport } from './schema-copies.js'
import { type DriftDetail, driftDetail, NO_DETAIL } from './schema-drift.js'
import { type HookReport, hook } from './schema-hooks.js'
import { type LimitsReport, limitsReport } from './schema-limits.js'
import { type NetworkReport, networkReport } from './schema-network.js'
import { count } from './schema-parts.js'
import { type ScrubReport, scrubReport } from './schema-trust.js'

/** GET /v1/status */
export interface StatusReport {
  /** Device id, 64 hex digits. */
  readonly device: string
  readonly name: string
  /** Of the daemon. */
  readonly version: string
  readonly pid: number
  /** How it can be reached; a daemon of an earlier version does not tell, and one that is just starting over neither. */
  readonly network?: NetworkReport | undefined
  /** How much may be received and sent now; not told by a daemon of an earlier version. */
  readonly limits?: LimitsReport | undefined
  /** Of the configuration (`relays`), in its order; absent where it names none, and of a daemon of an earlier version. */
  readonly relays?: readonly RelayReport[] | undefined
  /** Absent: the configuration file is in use as it was read last. */
  readonly refusedConfiguration?: RefusedConfiguration | undefined
  /** Keys of the configuration file that were changed and take effect at the next start; absent where there are none. */
  readonly awaitingRestart?: readonly string[] | undefined
  /** In the order of the configuration file. */
  readonly shares: readonly ShareReport[]
}

/** How it stands with a relay. */
export interface RelayReport {
  /** "host:port" as in the configuration. */
  readonly address: string
  /** Whether devices can find this one there. */
  readonly connected: boolean
  /** Why not, or how many shares it does not serve; null: nothing is wrong. */
  readonly problem: string | null
  /** What to do about it; null: nothing; absent: the daemon is older. */
  readonly todo?: string | null | undefined
}

/** 'paused': speaks with nobody until resumed, but goes on looking at its disk. */
export type ShareState = 'scanning' | 'syncing' | 'idle' | 'paused' | 'halted'

export interface ShareReport {
  /** Absolute. */
  readonly dir: string
  /** Whether it was added while the daemon ran, and so is not in the configuration file. */
  readonly added: boolean
  readonly grade: Grade
  readonly state: ShareState
  /** How far the look at the whole tree has come; null: none is under way. */
  readonly scan: ScanReport | null
  /** Why nothing is done until approved (A5); null unless halted. */
  readonly haltReason: string | null
  /** Since when it is paused, ISO 8601, also while halted; null: it is not. */
  readonly pausedSince: string | null
  /** Files of the share that this disk holds now, in whatever version, and their bytes; `digest` is over the same. */
  readonly files: number
  readonly bytes: number
  /** Paths with something still to do here (to fetch, replace or remove), and the bytes of their new content. */
  readonly needFiles: number
  readonly needBytes: number
  readonly conflicts: number
  /** Paths on a reader's disk that differ from the share and that nobody has acknowledged; 0 for writers. */
  readonly drift: number
  readonly driftDetail: DriftDetail
  /** What looking for damage has found; not told by a daemon of an earlier version. */
  readonly scrub?: ScrubReport | undefined
  readonly problems: readonly ProblemReport[]
  /** Digest of what this disk holds of the share, 64 hex digits (section 10). */
  readonly digest: string
  /** Content moved since the daemon started. */
  readonly receivedBytes: number
  readonly sentBytes: number
  /** How far this device has read the share, for `shoal status --wait --at` (core/head.ts). */
  readonly head: string
  /** Programs that are run after changes (`on_change`), in the order of the configuration. */
  readonly hooks: readonly HookReport[]
  /** What is promised of copies (`copies`); null: nothing. */
  readonly copies: CopiesReport | null
  /** Every enrolled member but this device. */
  readonly members: readonly MemberReport[]
  /** Of a share that is kept blind: what its vault holds; `needFiles` and `needBytes` then count pieces. Null: it can be read. */
  readonly blind: BlindReport | null
}

/** What a blind node keeps, in sealed pieces and their bytes. */
export interface BlindReport {
  /** Whether the vault is open; while it is not, all numbers are 0 and say nothing. */
  readonly isOpen: boolean
  /** What the share is made of now, here or not, and what of it is not here. */
  readonly pieces: number
  readonly bytes: number
  readonly missingPieces: number
  readonly missingBytes: number
  /** Held beside that for the past, and what of the past should be and cannot be had. */
  readonly pastPieces: number
  readonly pastBytes: number
  readonly missingPastPieces: number
  readonly missingPastBytes: number
  readonly packs: number
  /** In all packs; of them, those that compaction brings back. */
  readonly vaultBytes: number
  readonly deadBytes: number
}

export interface ScanReport {
  /** Files and links that were listed. */
  readonly files: number
  /** Bytes of new or changed files found up to now, and of those how many were read. */
  readonly toReadBytes: number
  readonly readBytes: number
}

/** A problem with one path (A6): kept, shown and retried. */
export interface ProblemReport {
  readonly path: string
  readonly code: string
  readonly detail: string
  /** Since when, milliseconds since 1970. */
  readonly sinceMs: number
}

export interface MemberReport {
  readonly device: string
  readonly name: string
  readonly grade: Grade
  readonly connected: boolean
  /** Null while not connected. */
  readonly transport: 'tcp' | 'udx' | 'relayed' | null
  /** "host:port" of the connection, or null. */
  readonly address: string | null
  /** Whether its newest signed state shows our digest; of a blind node, that it lacks nothing of what is read here. */
  readonly digestEqual: boolean
  /** Whether this device is blind and cannot tell what the member holds. */
  readonly unreadable: boolean
  /** Paths on its disk that differ from the share and are not acknowledged, by its newest signed state. */
  readonly drift: number
  /** Those that differ and are acknowledged, by its own report; undefined: it tells nothing of that. */
  readonly acknowledged?: number | undefined
  /** By its own report; undefined: it tells nothing of that. */
  readonly scrub?: ScrubReport | undefined
  /** ISO 8601; null: never, others have told of it. */
  readonly lastSeen: string | null
  /** Not connected and not heard of for `peer_expiration_days`: not waited for, until it is heard of again. */
  readonly expired: boolean
  /** How far its clock is ahead of this device's, milliseconds; null: not known, for one that is not connected. */
  readonly clockAheadMs: number | null
}

/** GET /v1/peers: one for each connection and share. */
export interface PeerReport {
  readonly dir: string
  readonly device: string
  readonly name: string
  readonly grade: Grade
  readonly transport: 'tcp' | 'udx' | 'relayed'
  readonly address: string
  /** Whether we dialled. */
  readonly initiator: boolean
  /** ISO 8601. */
  readonly connectedAt: string
  readonly receivedBytes: number
  readonly sentBytes: number
  /** As in live() (schema-live.ts). */
  readonly rttMs: number | null
  readonly downRate: number
  readonly upRate: number
  readonly inSync: boolean
}

/** GET /v1/invites: one for each invite that has not expired. The code itself is never told again. */
export interface InviteReport {
  /** 8 hex digits. */
  readonly id: string
  readonly dir: string
  readonly grade: InviteGrade
  /** 'ended': by too many wrong tries. */
  readonly state: 'open' | 'used' | 'ended'
  /** ISO 8601. */
  readonly createdAt: string
  readonly expiresAt: string
  readonly wrongTries: number
  /** When it was used or ended, ISO 8601; null while open. */
  readonly closedAt: string | null
  /** "host:port" of who used it, or null. */
  readonly usedBy: string | null
  /** Whether they said that they have the secret; null unless used. */
  readonly confirmed: boolean | null
}

export type InviteGrade = 'write' | 'read'

/** POST /v1/invites: the invite that was made, with its code. */
export interface NewInviteReport extends InviteReport {
  readonly invite: string
  /** TCP port that this daemon is met at. */
  readonly port: number
}

/** Any answer with a status of 400 or more. */
export interface ErrorReport {
  readonly error: { readonly code: string; readonly message: string; readonly hint: string }
}

/** POST /v1/approve: lift the halt of one share, or of all (A5). */
export interface ApproveRequest {
  readonly share?: ShareRef | undefined
}

/** POST /v1/forget: drop a silent member until it is heard of again. */
export interface ForgetRequest {
  /** Device id, 64 hex digits. */
  readonly device: string
}

/** POST /v1/invites */
export interface InviteRequest {
  /** Place of the share in the configuration, from 0. */
  readonly share: number
  readonly grade: InviteGrade
  /** Milliseconds until it expires. */
  readonly lifeMs: number
}

/** POST /v1/invites/revoke: end an open invite, or forget a closed one. */
export interface RevokeRequest {
  readonly id: string
}

export const shareState: z.ZodType<ShareState> = z.enum(['scanning', 'syncing', 'idle', 'paused', 'halted'])

const grade = z.enum(['write', 'read', 'blind'])
const transport = z.enum(['tcp', 'udx', 'relayed'])

const problem: z.ZodType<ProblemReport> = z.looseObject({
  path: z.string(),
  code: z.string(),
  detail: z.string(),
  sinceMs: z.number(),
})

const member: z.ZodType<MemberReport> = z.looseObject({
  device: z.string(),
  name: z.string(),
  grade,
  connected: z.boolean(),
  transport: transport.nullable(),
  address: z.string().nullable(),
  digestEqual: z.boolean(),
  lastSeen: z.string().nullable(),
  // A daemon of an earlier version says nothing of these.
  unreadable: z.boolean().default(false),
  drift: count.default(0),
  acknowledged: count.optional(),
  scrub: scrubReport.optional(),
  expired: z.boolean().default(false),
  clockAheadMs: z.number().nullable().default(null),
})

const blind: z.ZodType<BlindReport> = z.looseObject({
  isOpen: z.boolean().default(true),
  pieces: count,
  bytes: count,
  missingPieces: count,
  missingBytes: count,
  pastPieces: count,
  pastBytes: count,
  missingPastPieces: count,
  missingPastBytes: count,
  packs: count,
  vaultBytes: count,
  deadBytes: count,
})

const share: z.ZodType<ShareReport> = z.looseObject({
  dir: z.string(),
  // A daemon of an earlier version can add none.
  added: z.boolean().default(false),
  grade,
  state: shareState,
  haltReason: z.string().nullable(),
  // A daemon of an earlier version has none.
  pausedSince: z.string().nullable().default(null),
  // A daemon of an earlier version does not tell.
  scan: z.looseObject({ files: count, toReadBytes: count, readBytes: count }).nullable().default(null),
  files: count,
  bytes: count,
  needFiles: count,
  needBytes: count,
  conflicts: count,
  drift: count,
  driftDetail: driftDetail.default(NO_DETAIL),
  scrub: scrubReport.optional(),
  problems: z.array(problem),
  digest: z.string(),
  receivedBytes: count,
  sentBytes: count,
  // A daemon of an earlier version has none of these.
  head: z.string().default(''),
  hooks: z.array(hook).default([]),
  copies: copiesReport.nullable().default(null),
  members: z.array(member),
  // A daemon of an earlier version keeps none.
  blind: blind.nullable().default(null),
})

export const statusReport: z.ZodType<StatusReport> = z.looseObject({
  device: z.string(),
  name: z.string(),
  version: z.string(),
  pid: z.number(),
  network: networkReport.optional(),
  limits: limitsReport.optional(),
  refusedConfiguration: refusedConfiguration.optional(),
  awaitingRestart: z.array(z.string()).optional(),
  relays: z
    .array(
      z.looseObject({
        address: z.string(),
        connected: z.boolean(),
        problem: z.string().nullable(),
        todo: z.string().nullable().optional(),
      }),
    )
    .optional(),
  shares: z.array(share),
})

export const peerReports: z.ZodType<readonly PeerReport[]> = z.array(
  z.looseObject({
    dir: z.string(),
    device: z.string(),
    name: z.string(),
    grade,
    transport,
    address: z.string(),
    initiator: z.boolean(),
    connectedAt: z.string(),
    receivedBytes: count,
    sentBytes: count,
    // A daemon of an earlier version says nothing of these.
    rttMs: count.nullable().default(null),
    downRate: count.default(0),
    upRate: count.default(0),
    inSync: z.boolean().default(false),
  }),
)

const inviteShape = {
  id: z.string(),
  dir: z.string(),
  grade: z.enum(['write', 'read']),
  state: z.enum(['open', 'used', 'ended']),
  createdAt: z.string(),
  expiresAt: z.string(),
  wrongTries: count,
  closedAt: z.string().nullable(),
  usedBy: z.string().nullable(),
  confirmed: z.boolean().nullable(),
}

export const inviteReports: z.ZodType<readonly InviteReport[]> = z.array(z.looseObject(inviteShape))

export const newInviteReport: z.ZodType<NewInviteReport> = z.looseObject({
  ...inviteShape,
  invite: z.string(),
  port: z.number(),
})

export const errorReport: z.ZodType<ErrorReport> = z.looseObject({
  error: z.looseObject({ code: z.string(), message: z.string(), hint: z.string() }),
})

export const approveRequest: z.ZodType<ApproveRequest> = z.strictObject({ share: shareRef.optional() })

export const forgetRequest: z.ZodType<ForgetRequest> = z.strictObject({
  device: z.string().regex(/^[0-9a-f]{64}$/),
})

export const inviteRequest: z.ZodType<InviteRequest> = z.strictObject({
  share: z.int().nonnegative(),
  grade: z.enum(['write', 'read']),
  lifeMs: z.int().positive(),
})

export const revokeRequest: z.ZodType<RevokeRequest> = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{8}$/),
})
