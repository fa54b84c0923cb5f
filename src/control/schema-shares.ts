// What the control API takes and tells about shares beside their status (schema.ts): pausing, scanning, problems
// and, on an explicit call over the socket, their secrets.
import { z } from 'zod'
import type { Grade } from '../core/secret.js'
import { type ShareRef, shareRef } from './route.js'
import type { ProblemReport } from './schema.js'
import { count } from './schema-parts.js'

/** Of POST /v1/scan, /v1/pause and /v1/resume: one share, or all. */
export interface OneOrAll {
  readonly share?: ShareRef | undefined
}

/** GET /v1/problems */
export interface ShareProblemReport extends ProblemReport {
  readonly dir: string
  /** Place in the configuration. */
  readonly share: number
}

/** POST /v1/secrets */
export interface SecretsRequest {
  /** Place in the configuration. */
  readonly share: number
}

/** The only answer that holds secrets: of this share, its own grade and those that follow from it. */
export interface SecretsReport {
  readonly dir: string
  readonly secrets: readonly { readonly grade: Grade; readonly secret: string }[]
}

export const oneOrAll: z.ZodType<OneOrAll> = z.strictObject({ share: shareRef.optional() })

export const shareProblemReports: z.ZodType<readonly ShareProblemReport[]> = z.array(
  z.looseObject({
    dir: z.string(),
    share: count,
    path: z.string(),
    code: z.string(),
    detail: z.string(),
    sinceMs: z.number(),
  }),
)

export const secretsRequest: z.ZodType<SecretsRequest> = z.strictObject({ share: z.int().nonnegative() })

export const secretsReport: z.ZodType<SecretsReport> = z.looseObject({
  dir: z.string(),
  secrets: z.array(z.looseObject({ grade: z.enum(['write', 'read', 'blind']), secret: z.string() })),
})
