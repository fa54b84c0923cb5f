// What the daemon tells through its control API: the types of all answers (docs/cli.md shows them as --json prints
// them) and the schemas that the client checks them with. Answers only grow: a client ignores what it does not know.
// No answer holds a secret, a key or a share id.
import { z } from 'zod'
import type { SwitchWhen } from '../core/release.js'
import type { Grade } from '../core/secret.js'

/** GET /v1/status */
export interface StatusReport {
  /** Device id, 64 hex digits. */
  readonly device: string
  readonly name: string
  /** Of the daemon. */
  readonly version: string
  readonly pid: number
  /** In the order of the configuration file. */
  readonly shares: readonly ShareReport[]
}

export type ShareState = 'scanning' | 'syncing' | 'idle' | 'halted'

export interface ShareReport {
  /** Absolute. */
  readonly dir: string
  readonly grade: Grade
  readonly state: ShareState
  /** Why nothing is done until approved (A5); null unless halted. */
  readonly haltReason: string | null
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
  readonly problems: readonly ProblemReport[]
  /** Digest of what this disk holds of the share, 64 hex digits (section 10). */
  readonly digest: string
  /** Content moved since the daemon started. */
  readonly receivedBytes: number
  readonly sentBytes: number
  /** Programs that are run after changes (`on_change`), in the order of the configuration. */
  readonly hooks: readonly HookReport[]
  /** Every enrolled member but this device. */
  readonly members: readonly MemberReport[]
}

/** What there is about a reader's own changes beside how many of them are open. */
export interface DriftDetail {
  /** Paths that differ and are acknowledged. */
  readonly acknowledged: number
  /** How often changes were put back, and local versions replaced by newer ones of the share; counted over restarts. */
  readonly restored: number
  readonly replaced: number
  /** Paths that wait before they are put back again, as they were changed again and again. */
  readonly waiting: number
  /** When the first of these is put back, ISO 8601; null: none waits. */
  readonly nextRestore: string | null
}

/** What is run after changes, and how it stands. */
export interface HookReport {
  /** From 1, over all shares of the configuration. */
  readonly number: number
  readonly match: readonly string[]
  readonly run: readonly string[]
  readonly ownChanges: boolean
  readonly state: 'idle' | 'settling' | 'waiting' | 'running' | 'retrying' | 'failed'
  /** Paths whose change no run that did well was told of; those of a run under way aside. */
  readonly pending: number
  /** Of a waiting one, what it waits for: "3 paths, e.g. postfix/main.cf"; or null. */
  readonly waitsFor: string | null
  /** Until it runs, if only time is missing; or null. */
  readonly dueInMs: number | null
  /** Null: it never ran. */
  readonly last: HookRunReport | null
}

export interface HookRunReport {
  /** When it began, ISO 8601. */
  readonly at: string
  readonly durationMs: number
  /** 'stopped': ended because the daemon stopped; it is run again. */
  readonly result: 'done' | 'failed' | 'timeout' | 'stopped' | 'not-started'
  readonly exit: number | null
  readonly signal: string | null
  /** Why it did not start, or null. */
  readonly reason: string | null
  /** How many it was told of. */
  readonly paths: number
  /** The last lines that it printed. */
  readonly output: string
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
  readonly transport: 'tcp' | 'udx' | null
  /** "host:port" of the connection, or null. */
  readonly address: string | null
  /** Whether its newest signed state shows our digest. */
  readonly digestEqual: boolean
  /** Paths on its disk that differ from the share and are not acknowledged, by its newest signed state. */
  readonly drift: number
  /** ISO 8601; null: never since enrolment was learnt. */
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
  readonly transport: 'tcp' | 'udx'
  readonly address: string
  /** Whether we dialled. */
  readonly initiator: boolean
  /** ISO 8601. */
  readonly connectedAt: string
  readonly receivedBytes: number
  readonly sentBytes: number
}

/** GET /v1/conflicts: one for each conflict copy in the tree (V5). */
export interface ConflictReport {
  readonly dir: string
  /** The path that both edited. */
  readonly path: string
  /** Where the losing version lies. */
  readonly copy: string
}

/** GET /v1/drift: what a reader's disk holds that the share does not say. */
export interface DriftReport {
  readonly dir: string
  readonly path: string
  readonly kind: 'added' | 'changed' | 'deleted'
  /** All that differs: content, mode, owner, acl, xattr, extra, missing, type, mtime, link; of a later version, others. */
  readonly kinds: readonly string[]
  /** When the path was first found to differ, ISO 8601; null: not told. */
  readonly since: string | null
  readonly policy: 'report' | 'restore'
  /** How often in a row it was put back. */
  readonly restores: number
  /** When it is put back next, if that waits, ISO 8601. */
  readonly nextRestore: string | null
  /** Who keeps this device has said that it is meant: then it is not put back. Null: nobody has. */
  readonly acknowledgement: AcknowledgementReport | null
}

export interface AcknowledgementReport {
  readonly reason: string
  /** ISO 8601. */
  readonly since: string
  readonly until: string
}

/** POST /v1/drift/archive-extra: what became of files that the share does not have. */
export interface ArchiveExtraReport {
  readonly moved: readonly {
    readonly dir: string
    readonly path: string
    /** Where it is, relative to the folder; null for a directory, which was empty then. */
    readonly to: string | null
  }[]
  readonly left: readonly {
    readonly dir: string
    readonly path: string
    readonly code: string
    readonly detail: string
  }[]
}

/** GET /v1/drift/all: one for each member of each share, this device among them, by what it has reported itself. */
export interface MemberDriftReport {
  readonly dir: string
  readonly device: string
  readonly name: string
  /** This device. */
  readonly isHere: boolean
  /** When all this was surely so last, ISO 8601; null: it is so now. */
  readonly asOf: string | null
  /** False: it says how much, not what (an earlier version); `items` is empty then. */
  readonly isListed: boolean
  /** All paths that differ, and those of them that nobody has acknowledged. */
  readonly total: number
  readonly open: number
  /** By path; fewer than `total` if they are too many for a report. */
  readonly items: readonly MemberDriftItem[]
}

/** As in DriftReport, by the member's own word. */
export interface MemberDriftItem {
  readonly path: string
  /** Also 'other': the member's version knows a kind that this one does not. */
  readonly kinds: readonly string[]
  readonly since: string
  readonly policy: 'report' | 'restore'
  readonly restores: number
  readonly nextRestore: string | null
  /** Null also if it has ended, or the member did not sign it. */
  readonly acknowledgement: AcknowledgementReport | null
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

/** GET /v1/releases: one for each share, in the order of the configuration file. */
export interface ReleasesReport {
  readonly dir: string
  /** Whether this node holds releases alone and shows one as `current`. */
  readonly follows: boolean
  /** The release that is to be shown, and who said so; null: none. */
  readonly order: SwitchReport | null
  /** What this node waits for before it shows that, or what is wrong; null: nothing. */
  readonly waitsFor: string | null
  /** Oldest first. */
  readonly releases: readonly ReleaseReport[]
  /** This device first. */
  readonly nodes: readonly ReleaseNodeReport[]
}

export interface ReleaseReport {
  readonly name: string
  /** ISO 8601; null: it is not finished, or its manifest is not here yet. */
  readonly created: string | null
  /** Name of the device that made it; null as above. */
  readonly by: string | null
  readonly files: number | null
  readonly bytes: number | null
  /** How far it is on this disk; 'changed' and 'drifted': it is not as its manifest says, by the share or by this disk. */
  readonly hold: 'complete' | 'partial' | 'changed' | 'drifted'
  /** Ids of the devices that say that they show it, and that they hold all of it. */
  readonly shownBy: readonly string[]
  readonly heldBy: readonly string[]
}

export interface ReleaseNodeReport {
  readonly device: string
  readonly name: string
  readonly follows: boolean
  readonly connected: boolean
  /** What it shows; null: nothing, or it does not follow. */
  readonly current: string | null
}

export interface SwitchReport {
  readonly name: string
  readonly when: SwitchWhen
  readonly by: string
  /** ISO 8601. */
  readonly time: string
  /** Grows with each order. */
  readonly sequence: number
}

/** POST /v1/releases: what was made. */
export interface NewReleaseReport {
  readonly name: string
  readonly files: number
  readonly bytes: number
  /** Names of releases that were removed, as too old. */
  readonly removed: readonly string[]
}

/** POST /v1/releases: make a release of the live tree of a share, by its place in the configuration. */
export interface ReleaseRequest {
  readonly share: number
  readonly name?: string | undefined
  readonly keep?: number | undefined
  /** When nodes are to show it; null: not before they are told to. */
  readonly when: SwitchWhen | null
}

/** POST /v1/releases/switch */
export interface SwitchRequest {
  readonly share: number
  readonly name: string
  readonly when: SwitchWhen
}

/** POST /v1/releases/rollback */
export interface RollbackRequest {
  readonly share: number
}

/** POST /v1/releases/remove */
export interface RemoveReleaseRequest {
  readonly share: number
  readonly name: string
}

/** Any answer with a status of 400 or more. */
export interface ErrorReport {
  readonly error: { readonly code: string; readonly message: string; readonly hint: string }
}

/** POST /v1/approve: lift the halt of one share, by its place in the configuration, or of all (A5). */
export interface ApproveRequest {
  readonly share?: number | undefined
}

/** POST /v1/hooks/run: run what is pending, of one hook or of all. */
export interface RunHooksRequest {
  readonly hook?: number | undefined
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

/** POST /v1/drift/acknowledge: answers with the drift as it is listed then. */
export interface AcknowledgeRequest extends DriftPath {
  /** One line, at most 512 bytes. */
  readonly reason: string
  /** Milliseconds until it ends. */
  readonly lifeMs: number
}

/** POST /v1/drift/withdraw: take an acknowledgement back. */
export interface DriftPath {
  /** Place of the share in the configuration, from 0. */
  readonly share: number
  /** Relative to the folder. */
  readonly path: string
}

/** POST /v1/drift/archive-extra: all extra files, those of one share, or those at and below some paths of it. */
export interface ArchiveExtraRequest {
  readonly share?: number | undefined
  readonly paths?: readonly string[] | undefined
}

/** POST /v1/invites/revoke: end an open invite, or forget a closed one. */
export interface RevokeRequest {
  readonly id: string
}

const grade = z.enum(['write', 'read', 'blind'])
const count = z.number().nonnegative()
const transport = z.enum(['tcp', 'udx'])

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
  drift: count.default(0),
  expired: z.boolean().default(false),
  clockAheadMs: z.number().nullable().default(null),
})

const driftDetail: z.ZodType<DriftDetail> = z.looseObject({
  acknowledged: count,
  restored: count,
  replaced: count,
  waiting: count,
  nextRestore: z.string().nullable(),
})

/** What a daemon of an earlier version would say. */
const NO_DETAIL: DriftDetail = { acknowledged: 0, restored: 0, replaced: 0, waiting: 0, nextRestore: null }

const hook: z.ZodType<HookReport> = z.looseObject({
  number: count,
  match: z.array(z.string()),
  run: z.array(z.string()),
  ownChanges: z.boolean(),
  state: z.enum(['idle', 'settling', 'waiting', 'running', 'retrying', 'failed']),
  pending: count,
  waitsFor: z.string().nullable(),
  dueInMs: z.number().nullable(),
  last: z
    .looseObject({
      at: z.string(),
      durationMs: count,
      result: z.enum(['done', 'failed', 'timeout', 'stopped', 'not-started']),
      exit: z.number().nullable(),
      signal: z.string().nullable(),
      reason: z.string().nullable(),
      paths: count,
      output: z.string(),
    })
    .nullable(),
})

const share: z.ZodType<ShareReport> = z.looseObject({
  dir: z.string(),
  grade,
  state: z.enum(['scanning', 'syncing', 'idle', 'halted']),
  haltReason: z.string().nullable(),
  files: count,
  bytes: count,
  needFiles: count,
  needBytes: count,
  conflicts: count,
  drift: count,
  driftDetail: driftDetail.default(NO_DETAIL),
  problems: z.array(problem),
  digest: z.string(),
  receivedBytes: count,
  sentBytes: count,
  // A daemon of an earlier version has none.
  hooks: z.array(hook).default([]),
  members: z.array(member),
})

export const statusReport: z.ZodType<StatusReport> = z.looseObject({
  device: z.string(),
  name: z.string(),
  version: z.string(),
  pid: z.number(),
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
  }),
)

export const conflictReports: z.ZodType<readonly ConflictReport[]> = z.array(
  z.looseObject({ dir: z.string(), path: z.string(), copy: z.string() }),
)

export const driftReport: z.ZodType<DriftReport> = z.looseObject({
  dir: z.string(),
  path: z.string(),
  kind: z.enum(['added', 'changed', 'deleted']),
  // A daemon of an earlier version says nothing of these.
  kinds: z.array(z.string()).default([]),
  since: z.string().nullable().default(null),
  policy: z.enum(['report', 'restore']).default('report'),
  restores: count.default(0),
  nextRestore: z.string().nullable().default(null),
  acknowledgement: z
    .looseObject({ reason: z.string(), since: z.string(), until: z.string() })
    .nullable()
    .default(null),
})

export const driftReports: z.ZodType<readonly DriftReport[]> = z.array(driftReport)

export const archiveExtraReport: z.ZodType<ArchiveExtraReport> = z.looseObject({
  moved: z.array(z.looseObject({ dir: z.string(), path: z.string(), to: z.string().nullable() })),
  left: z.array(z.looseObject({ dir: z.string(), path: z.string(), code: z.string(), detail: z.string() })),
})

const memberDriftItem: z.ZodType<MemberDriftItem> = z.looseObject({
  path: z.string(),
  kinds: z.array(z.string()),
  since: z.string(),
  policy: z.enum(['report', 'restore']),
  restores: count,
  nextRestore: z.string().nullable(),
  acknowledgement: z.looseObject({ reason: z.string(), since: z.string(), until: z.string() }).nullable(),
})

export const memberDriftReports: z.ZodType<readonly MemberDriftReport[]> = z.array(
  z.looseObject({
    dir: z.string(),
    device: z.string(),
    name: z.string(),
    isHere: z.boolean(),
    asOf: z.string().nullable(),
    isListed: z.boolean(),
    total: count,
    open: count,
    items: z.array(memberDriftItem),
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

const when: z.ZodType<SwitchWhen> = z.union([z.enum(['now', 'all']), z.int().min(1).max(1000)])

const switchShape = { name: z.string(), when, by: z.string(), time: z.string(), sequence: count }

export const switchReport: z.ZodType<SwitchReport> = z.looseObject(switchShape)

export const releasesReports: z.ZodType<readonly ReleasesReport[]> = z.array(
  z.looseObject({
    dir: z.string(),
    follows: z.boolean(),
    order: switchReport.nullable(),
    waitsFor: z.string().nullable(),
    releases: z.array(
      z.looseObject({
        name: z.string(),
        created: z.string().nullable(),
        by: z.string().nullable(),
        files: count.nullable(),
        bytes: count.nullable(),
        hold: z.enum(['complete', 'partial', 'changed', 'drifted']),
        shownBy: z.array(z.string()),
        heldBy: z.array(z.string()),
      }),
    ),
    nodes: z.array(
      z.looseObject({
        device: z.string(),
        name: z.string(),
        follows: z.boolean(),
        connected: z.boolean(),
        current: z.string().nullable(),
      }),
    ),
  }),
)

export const newReleaseReport: z.ZodType<NewReleaseReport> = z.looseObject({
  name: z.string(),
  files: count,
  bytes: count,
  removed: z.array(z.string()),
})

const place = z.int().nonnegative()
const releaseName = z.string().max(200)

export const releaseRequest: z.ZodType<ReleaseRequest> = z.strictObject({
  share: place,
  name: releaseName.optional(),
  keep: z.int().min(1).max(256).optional(),
  when: when.nullable(),
})

export const switchRequest: z.ZodType<SwitchRequest> = z.strictObject({
  share: place,
  name: releaseName,
  when,
})

export const rollbackRequest: z.ZodType<RollbackRequest> = z.strictObject({ share: place })

export const removeReleaseRequest: z.ZodType<RemoveReleaseRequest> = z.strictObject({
  share: place,
  name: releaseName,
})

export const errorReport: z.ZodType<ErrorReport> = z.looseObject({
  error: z.looseObject({ code: z.string(), message: z.string(), hint: z.string() }),
})

export const approveRequest: z.ZodType<ApproveRequest> = z.strictObject({
  share: z.int().nonnegative().optional(),
})

export const runHooksRequest: z.ZodType<RunHooksRequest> = z.strictObject({
  hook: z.int().positive().optional(),
})

export const forgetRequest: z.ZodType<ForgetRequest> = z.strictObject({
  device: z.string().regex(/^[0-9a-f]{64}$/),
})

export const inviteRequest: z.ZodType<InviteRequest> = z.strictObject({
  share: z.int().nonnegative(),
  grade: z.enum(['write', 'read']),
  lifeMs: z.int().positive(),
})

const driftPath = { share: z.int().nonnegative(), path: z.string() }

export const acknowledgeRequest: z.ZodType<AcknowledgeRequest> = z.strictObject({
  ...driftPath,
  reason: z.string(),
  lifeMs: z.int().positive(),
})

export const withdrawRequest: z.ZodType<DriftPath> = z.strictObject(driftPath)

export const archiveExtraRequest: z.ZodType<ArchiveExtraRequest> = z.strictObject({
  share: z.int().nonnegative().optional(),
  paths: z.array(z.string()).optional(),
})

export const revokeRequest: z.ZodType<RevokeRequest> = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{8}$/),
})

export const nothing: z.ZodType<unknown> = z.looseObject({})
