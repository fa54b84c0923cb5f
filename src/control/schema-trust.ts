// What the control API tells and takes about verifying what this node holds, and auditing what others hold (schema.ts).
import { z } from 'zod'
import type { Grade } from '../core/secret.js'
import { count } from './schema-parts.js'

/** Place of a share in the configuration, from 0; none: all. */
export interface VerifyRequest {
  readonly share?: number | undefined
}

export interface ScrubCountsReport {
  /** When it began, ISO 8601. */
  readonly started: string
  /** Files and links that hold what they should, and the bytes of their content. */
  readonly files: number
  readonly bytes: number
  /** Files that did not, and nobody had changed them. */
  readonly damaged: number
  /** Changed by somebody, being written, or not readable: nothing is said of these. */
  readonly changed: number
  readonly unread: number
}

/** GET and POST /v1/verify: one for each share. */
export interface VerifyReport {
  readonly dir: string
  /** Of a blind share, what is counted as files are frames of the vault. */
  readonly grade: Grade
  /** From one pass to the next, milliseconds; 0: only when asked. */
  readonly everyMs: number
  /** When the next one is due, ISO 8601; null: only when asked. */
  readonly due: string | null
  /** The pass under way. */
  readonly pass: ScrubCountsReport | null
  /** The last one that came to its end, and when, ISO 8601. */
  readonly last: (ScrubCountsReport & { readonly ended: string }) | null
  /** Files that are damaged now: a whole copy takes their place once a connected member has one. */
  readonly open: readonly { readonly path: string; readonly since: string; readonly bytes: number }[]
  /** Damaged files since the index was made, and those put right. */
  readonly found: number
  readonly repaired: number
  /** What the other members have reported. */
  readonly members: readonly MemberScrubReport[]
  /** What blind nodes say of their vaults: they report no damage, but that they lack what was damaged, until they have it again. */
  readonly blindMembers?: readonly BlindScrubReport[] | undefined
}

export interface BlindScrubReport {
  readonly device: string
  readonly name: string
  /** When all this was surely so last, ISO 8601; null: it is so now. */
  readonly asOf: string | null
  /** Of what is live: damaged, or on its way. */
  readonly missingPieces: number
  readonly missingBytes: number
  readonly problems: number
}

export interface MemberScrubReport {
  readonly device: string
  readonly name: string
  /** When all this was surely so last, ISO 8601; null: it is so now. */
  readonly asOf: string | null
  /** When it had read all that it holds last, ISO 8601; null: not yet. */
  readonly last: string | null
  readonly open: number
  readonly found: number
  readonly repaired: number
}

/** In the status, of this device and of members. */
export interface ScrubReport {
  /** When all that is held was read last, ISO 8601; null: not yet. */
  readonly last: string | null
  /** Files that are damaged now. */
  readonly damaged: number
  /** Damaged files since the index was made, and those put right. */
  readonly found: number
  readonly repaired: number
}

/** POST /v1/audit */
export interface AuditRequest {
  /** Place of the share in the configuration, from 0. */
  readonly share: number
  /** Name of a connected member, or the first digits of its id. */
  readonly node: string
  /** 0 to 1, exclusive. Default 0.999. */
  readonly confidence?: number | undefined
  /** Less than this part is to be missing: 0 to 1. Default 0.001. */
  readonly part?: number | undefined
  /** How many pieces to ask for; default: as many as the two above need. */
  readonly sample?: number | undefined
}

/** GET /v1/audit: an audit under way. */
export interface AuditProgress {
  readonly dir: string
  readonly device: string
  readonly name: string
  /** Pieces checked, and those of the sample. */
  readonly checked: number
  readonly sample: number
}

export interface AuditReport {
  readonly dir: string
  readonly device: string
  readonly name: string
  readonly grade: 'write' | 'read' | 'blind'
  /** Pieces of the files that this device holds, each place in a file counting alike. */
  readonly population: number
  /** Pieces that were asked for and checked: proved, missing, wrong and silent together. */
  readonly sampled: number
  readonly proved: number
  /** It says that it does not have them. */
  readonly missing: number
  /** It claims to have them, and gave hashes that are not theirs. */
  readonly wrong: number
  /** It did not answer in time: whether it has them is not known. All that were asked for: it answered nothing. */
  readonly silent: number
  /** This device could not read its own copy; not part of `sampled`. */
  readonly unchecked: number
  /** Sealed bytes that were proved. */
  readonly bytes: number
  readonly confidence: number
  readonly part: number
  /** With this confidence no more pieces of the population are missing, and no fewer; each by itself. Silence counts as missing for the first alone. */
  readonly mostMissing: number
  readonly leastMissing: number
  readonly seconds: number
  readonly slowestSeconds: number
  /** What the member fetched from this device meanwhile. */
  readonly fetchedBytes: number
  /** Some files with pieces that are missing or wrong. */
  readonly paths: readonly string[]
}

/** POST /v1/rehearsal: what to restore from a member, to see that it can be. */
export interface RehearsalRequest {
  /** Place of the share in the configuration, from 0. */
  readonly share: number
  /** Name of a connected member, or the first digits of its id. */
  readonly node: string
  /** How many files to draw, at most 10,000. */
  readonly sample: number
}

export interface RehearsalReport {
  readonly dir: string
  readonly device: string
  readonly name: string
  /** Where the member can be reached, as far as this device knows: "host:port". */
  readonly hosts: readonly string[]
  /** Files that were drawn from. */
  readonly files: number
  /** Those drawn, in random order. */
  readonly paths: readonly string[]
}

export const verifyRequest: z.ZodType<VerifyRequest> = z.strictObject({
  share: z.int().nonnegative().optional(),
})

export const scrubReport: z.ZodType<ScrubReport> = z.looseObject({
  last: z.string().nullable(),
  damaged: count,
  found: count,
  repaired: count,
})

const counts = {
  started: z.string(),
  files: count,
  bytes: count,
  damaged: count,
  changed: count,
  unread: count,
}

export const verifyReports: z.ZodType<readonly VerifyReport[]> = z.array(
  z.looseObject({
    dir: z.string(),
    grade: z.enum(['write', 'read', 'blind']),
    everyMs: count,
    due: z.string().nullable(),
    pass: z.looseObject(counts).nullable(),
    last: z.looseObject({ ...counts, ended: z.string() }).nullable(),
    open: z.array(z.looseObject({ path: z.string(), since: z.string(), bytes: count })),
    found: count,
    repaired: count,
    members: z.array(
      z.looseObject({
        device: z.string(),
        name: z.string(),
        asOf: z.string().nullable(),
        last: z.string().nullable(),
        open: count,
        found: count,
        repaired: count,
      }),
    ),
    blindMembers: z
      .array(
        z.looseObject({
          device: z.string(),
          name: z.string(),
          asOf: z.string().nullable(),
          missingPieces: count,
          missingBytes: count,
          problems: count,
        }),
      )
      .optional(),
  }),
)

const part = z.number().gt(0).lt(1)

export const auditRequest: z.ZodType<AuditRequest> = z.strictObject({
  share: z.int().nonnegative(),
  node: z.string().min(1).max(128),
  confidence: part.optional(),
  part: part.optional(),
  sample: z.int().positive().optional(),
})

export const auditProgress: z.ZodType<readonly AuditProgress[]> = z.array(
  z.looseObject({
    dir: z.string(),
    device: z.string(),
    name: z.string(),
    checked: count,
    sample: count,
  }),
)

export const auditReport: z.ZodType<AuditReport> = z.looseObject({
  dir: z.string(),
  device: z.string(),
  name: z.string(),
  grade: z.enum(['write', 'read', 'blind']),
  population: count,
  sampled: count,
  proved: count,
  missing: count,
  wrong: count,
  silent: count,
  unchecked: count,
  bytes: count,
  confidence: z.number(),
  part: z.number(),
  mostMissing: count,
  leastMissing: count,
  seconds: count,
  slowestSeconds: count,
  fetchedBytes: count,
  paths: z.array(z.string()),
})

export const rehearsalRequest: z.ZodType<RehearsalRequest> = z.strictObject({
  share: z.int().nonnegative(),
  node: z.string().min(1).max(128),
  sample: z.int().nonnegative().max(10_000),
})

export const rehearsalReport: z.ZodType<RehearsalReport> = z.looseObject({
  dir: z.string(),
  device: z.string(),
  name: z.string(),
  hosts: z.array(z.string()),
  files: count,
  paths: z.array(z.string()),
})
