// What the control API tells of the paths of a share: what is in a directory, and what versions of a path are known.
import { z } from 'zod'
import { queryPart } from './route.js'
import { type VersionReport, versionShape } from './schema-conflicts.js'

/** Of one answer, unless asked for fewer. */
export const MAX_ENTRIES = 1000
/** Versions of one answer, unless asked for fewer. */
export const MAX_VERSIONS = 200

/** GET /v1/entries */
export interface EntriesRequest {
  /** Place in the configuration. */
  readonly share: number
  /** A directory; absent: the folder itself. */
  readonly path?: string | undefined
  /** Names after this one, as the last answer's `next` says. */
  readonly after?: string | undefined
  /** 1 to MAX_ENTRIES. */
  readonly limit?: number | undefined
}

/**
 * 'synced': this disk holds what the share says. 'wanted': not yet; of a directory, something in it or below. 'drift': a
 * reader's own change. 'conflict': a conflict copy, or a path that has one. 'problem': see problems(). 'ignored': the rules
 * leave it out on this node.
 */
export type EntryState = 'synced' | 'wanted' | 'drift' | 'problem' | 'conflict' | 'ignored'

/** One name in a directory: as the share says it is, or, where it says nothing of it, as this disk has it. */
export interface EntryReport extends VersionReport {
  readonly path: string
  /** Names of its owner and group, as far as they are carried; else null. */
  readonly owner: string | null
  readonly group: string | null
  readonly state: EntryState
}

export interface EntriesReport {
  readonly dir: string
  /** Empty: the folder itself. */
  readonly path: string
  /** By the bytes of their names. */
  readonly entries: readonly EntryReport[]
  /** To be asked for with `after`; null: that was all. */
  readonly next: string | null
}

/** GET /v1/history */
export interface HistoryRequest {
  /** Place in the configuration. */
  readonly share: number
  readonly path: string
  /** 1 to MAX_VERSIONS. */
  readonly limit?: number | undefined
}

/** One version of a path that something here knows of. */
export interface HistoryVersion extends Omit<VersionReport, 'type'> {
  readonly type: VersionReport['type'] | 'deleted'
  /** 'live': it stands on this disk; 'archive': its content does, see `archived`; 'none': only what it was is known. */
  readonly where: 'live' | 'archive' | 'none'
  /** Whether it is what the share says now. */
  readonly isCurrent: boolean
  /** Where in the folder it is kept; null unless in the archive. */
  readonly archived: string | null
}

export interface HistoryReport {
  readonly dir: string
  readonly path: string
  /** Newest first. */
  readonly versions: readonly HistoryVersion[]
  /** False: there may be more than these, which nothing here has kept, or beyond the limits of one answer. */
  readonly isComplete: boolean
}

const limit = (most: number): z.ZodType<number | undefined> =>
  queryPart.count.refine((value) => value >= 1 && value <= most).optional()

export const entriesRequest: z.ZodType<EntriesRequest> = z.strictObject({
  share: queryPart.place,
  path: z.string().optional(),
  after: z.string().optional(),
  limit: limit(MAX_ENTRIES),
})

const entry: z.ZodType<EntryReport> = z.looseObject({
  ...versionShape,
  path: z.string(),
  owner: z.string().nullable(),
  group: z.string().nullable(),
  state: z.enum(['synced', 'wanted', 'drift', 'problem', 'conflict', 'ignored']),
})

export const entriesReport: z.ZodType<EntriesReport> = z.looseObject({
  dir: z.string(),
  path: z.string(),
  entries: z.array(entry),
  next: z.string().nullable(),
})

export const historyRequest: z.ZodType<HistoryRequest> = z.strictObject({
  share: queryPart.place,
  path: z.string(),
  limit: limit(MAX_VERSIONS),
})

const historyVersion: z.ZodType<HistoryVersion> = z.looseObject({
  ...versionShape,
  type: z.enum(['file', 'directory', 'symlink', 'deleted']),
  where: z.enum(['live', 'archive', 'none']),
  isCurrent: z.boolean(),
  archived: z.string().nullable(),
})

export const historyReport: z.ZodType<HistoryReport> = z.looseObject({
  dir: z.string(),
  path: z.string(),
  versions: z.array(historyVersion),
  isComplete: z.boolean(),
})
