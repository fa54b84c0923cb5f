// What the control API tells and takes about a reader's own changes (schema.ts).
import { z } from 'zod'
import { type ShareRef, shareRef } from './route.js'
import { count } from './schema-parts.js'

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

/** POST /v1/drift/acknowledge: answers with the drift as it is listed then. */
export interface AcknowledgeRequest extends DriftPath {
  /** One line, at most 512 bytes. */
  readonly reason: string
  /** Milliseconds until it ends. */
  readonly lifeMs: number
}

/** POST /v1/drift/withdraw: take an acknowledgement back. */
export interface DriftPath {
  readonly share: ShareRef
  /** Relative to the folder. */
  readonly path: string
}

/** POST /v1/drift/archive-extra: all extra files, those of one share, or those at and below some paths of it. */
export interface ArchiveExtraRequest {
  readonly share?: ShareRef | undefined
  readonly paths?: readonly string[] | undefined
}

/** POST /v1/drift/restore: put back what the share says at these paths, whatever the policy. */
export interface RestoreDriftRequest {
  readonly share: ShareRef
  /** As they are listed; not what lies below them. */
  readonly paths: readonly string[]
}

/** What became of each. A path without drift is in neither list. */
export interface RestoreDriftReport {
  readonly restored: readonly {
    readonly dir: string
    readonly path: string
    /** Where the local version is, relative to the folder; null: there was no content to keep. */
    readonly to: string | null
  }[]
  readonly left: ArchiveExtraReport['left']
}

export const driftDetail: z.ZodType<DriftDetail> = z.looseObject({
  acknowledged: count,
  restored: count,
  replaced: count,
  waiting: count,
  nextRestore: z.string().nullable(),
})

/** What a daemon of an earlier version would say. */
export const NO_DETAIL: DriftDetail = {
  acknowledged: 0,
  restored: 0,
  replaced: 0,
  waiting: 0,
  nextRestore: null,
}

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

const undone = z.array(z.looseObject({ dir: z.string(), path: z.string(), to: z.string().nullable() }))
const left = z.array(
  z.looseObject({ dir: z.string(), path: z.string(), code: z.string(), detail: z.string() }),
)

export const archiveExtraReport: z.ZodType<ArchiveExtraReport> = z.looseObject({ moved: undone, left })

export const restoreDriftReport: z.ZodType<RestoreDriftReport> = z.looseObject({ restored: undone, left })

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

const driftPath = { share: shareRef, path: z.string() }

export const acknowledgeRequest: z.ZodType<AcknowledgeRequest> = z.strictObject({
  ...driftPath,
  reason: z.string(),
  lifeMs: z.int().positive(),
})

export const withdrawRequest: z.ZodType<DriftPath> = z.strictObject(driftPath)

export const archiveExtraRequest: z.ZodType<ArchiveExtraRequest> = z.strictObject({
  share: shareRef.optional(),
  paths: z.array(z.string()).optional(),
})

export const restoreDriftRequest: z.ZodType<RestoreDriftRequest> = z.strictObject({
  share: shareRef,
  paths: z.array(z.string()).min(1),
})
