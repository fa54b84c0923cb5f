// The part of the control API about the shared folders as such: their settings, and those that come and go while the
// daemon runs. No answer holds a secret.
import { z } from 'zod'
import type { Grade } from '../core/secret.js'
import { place, type ShareRef, shareRef } from './route.js'

/** GET /v1/shares: one for each folder. */
export interface FolderReport {
  /** Its place among the shares; null: it is not served. */
  readonly share: number | null
  /** Absolute. */
  readonly dir: string
  /** Null: it is not served. */
  readonly grade: Grade | null
  /** Whether it was added while the daemon ran, and so is not in the configuration file. */
  readonly added: boolean
  /** Why it is not served; null: it is. */
  readonly fault: string | null
  /** Null: it is not served. */
  readonly settings: FolderSettings | null
}

/** Settings of a folder that a daemon that runs can change for those that were added. */
export interface FolderSettings {
  /** "host:port" each. */
  readonly knownHosts: readonly string[]
  readonly searchLan: boolean
  readonly useDht: boolean
  /** Whether connections through the `relays` of the configuration may carry it. */
  readonly useRelay: boolean
  /** Keep replaced and deleted files in the archive. */
  readonly useSyncTrash: boolean
  /** Readers: put back what was changed locally. */
  readonly overwriteChanges: boolean
}

/** POST /v1/shares: serve one more folder. What is absent is as folder_defaults says, or its default. */
export interface AddShareRequest
  extends Partial<{ [K in keyof FolderSettings]: FolderSettings[K] | undefined }> {
  /** Absolute; made if it is not there. */
  readonly dir: string
  /** The text of a write or read secret. */
  readonly secret: string
}

/** PUT /v1/shares: change settings of a folder that was added. */
export interface ChangeShareRequest
  extends Partial<{ [K in keyof FolderSettings]: FolderSettings[K] | undefined }> {
  readonly share: ShareRef
}

/** DELETE /v1/shares: serve a folder that was added no longer; exactly one of both. */
export interface RemoveShareRequest {
  readonly share?: number | undefined
  /** Also of one that cannot be served. */
  readonly dir?: string | undefined
}

/** POST /v1/shares */
export interface AddedShareReport {
  readonly share: number
  /** With links followed. */
  readonly dir: string
}

const MAX_PATH = 4096
const MAX_HOSTS = 256

const settings = {
  knownHosts: z.array(z.string().max(300)).max(MAX_HOSTS),
  searchLan: z.boolean(),
  useDht: z.boolean(),
  useRelay: z.boolean(),
  useSyncTrash: z.boolean(),
  overwriteChanges: z.boolean(),
}
const changes = z.strictObject(settings).partial().shape
const dir = z.string().min(1).max(MAX_PATH)

export const folderReports: z.ZodType<readonly FolderReport[]> = z.array(
  z.looseObject({
    share: z.number().nullable(),
    dir: z.string(),
    grade: z.enum(['write', 'read', 'blind']).nullable(),
    added: z.boolean(),
    fault: z.string().nullable(),
    // A daemon of an earlier version knows of no relays.
    settings: z.looseObject({ ...settings, useRelay: z.boolean().default(false) }).nullable(),
  }),
)

export const addedShareReport: z.ZodType<AddedShareReport> = z.looseObject({ share: place, dir: z.string() })

export const addShareRequest: z.ZodType<AddShareRequest> = z.strictObject({
  ...changes,
  dir,
  secret: z.string().min(1).max(200),
})

export const changeShareRequest: z.ZodType<ChangeShareRequest> = z.strictObject({
  ...changes,
  share: shareRef,
})

export const removeShareRequest: z.ZodType<RemoveShareRequest> = z
  .strictObject({ share: place.optional(), dir: dir.optional() })
  .refine((request) => (request.share === undefined) !== (request.dir === undefined))
