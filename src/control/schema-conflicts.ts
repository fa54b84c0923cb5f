// What the control API tells and takes about conflicts (V5), and about versions of a path wherever it tells of them.
import { z } from 'zod'
import { type ShareRef, shareRef } from './route.js'
import { count } from './schema-parts.js'

/** One version of a path. */
export interface VersionReport {
  readonly type: 'file' | 'directory' | 'symlink'
  /** Bytes; 0 unless a file. */
  readonly size: number
  /** ISO 8601, from the entry: decides who wins (V5). */
  readonly mtime: string
  /** Permission bits, 0 to 0o7777; null: a symlink has none. */
  readonly mode: number | null
  /** Of a symlink, its text. */
  readonly target: string | null
  /** Id and name of the device that wrote it; null: not known here. */
  readonly device: string | null
  readonly name: string | null
  /** When it was published, ISO 8601, by its writer's clock; null: not known (any more). */
  readonly when: string | null
}

/** GET /v1/conflicts: one for each conflict copy in the tree (V5). */
export interface ConflictReport {
  readonly dir: string
  /** Place of the share in the configuration. */
  readonly share: number
  /** The path that both edited. */
  readonly path: string
  /** Where the losing version lies. */
  readonly copy: string
  /** Another one as soon as either version is: what was looked at is what resolveConflict takes. 16 hex digits. */
  readonly id: string
  /** What stands at the path now; null: nothing does. */
  readonly kept: VersionReport | null
  /** What lies in the copy; null: a daemon of an earlier version does not say. */
  readonly copyVersion: VersionReport | null
}

/** 'this': what stands at the path; 'other': what lies in the copy; 'both': the copy as a file of its own. */
export type Keep = 'this' | 'other' | 'both'

/** POST /v1/conflicts/resolve */
export interface ResolveRequest {
  readonly share: ShareRef
  /** The conflict copy, as listed. */
  readonly copy: string
  readonly keep: Keep
  /** As listed with the conflict: nothing is done if it has become another one since. */
  readonly id?: string | undefined
}

export interface ResolveReport {
  readonly dir: string
  readonly path: string
  readonly copy: string
  readonly keep: Keep
  /** Where the copy's content lies now, in the folder; null: in the archive only ('this'). */
  readonly at: string | null
  /** Where the version that was not kept is, in the folder; null if both are, or nothing had to go. */
  readonly archived: string | null
}

export const versionShape: { readonly [Name in keyof VersionReport]: z.ZodType<VersionReport[Name]> } = {
  type: z.enum(['file', 'directory', 'symlink']),
  size: count,
  mtime: z.string(),
  mode: z.number().nullable(),
  target: z.string().nullable(),
  device: z.string().nullable(),
  name: z.string().nullable(),
  when: z.string().nullable(),
}

const version: z.ZodType<VersionReport> = z.looseObject(versionShape)

export const conflictReports: z.ZodType<readonly ConflictReport[]> = z.array(
  z.looseObject({
    dir: z.string(),
    path: z.string(),
    copy: z.string(),
    // A daemon of an earlier version says nothing of these.
    share: count.default(0),
    id: z.string().default(''),
    kept: version.nullable().default(null),
    copyVersion: version.nullable().default(null),
  }),
)

const keep = z.enum(['this', 'other', 'both'])

export const resolveRequest: z.ZodType<ResolveRequest> = z.strictObject({
  share: shareRef,
  copy: z.string(),
  keep,
  id: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional(),
})

export const resolveReport: z.ZodType<ResolveReport> = z.looseObject({
  dir: z.string(),
  path: z.string(),
  copy: z.string(),
  keep,
  at: z.string().nullable(),
  archived: z.string().nullable(),
})
