// What the daemon tells of who wrote which version when: the signed feeds, newest first.
import { z } from 'zod'
import { queryPart } from './route.js'
import { count } from './schema-parts.js'

/** GET /v1/log. NOT_FOUND: no such share; USAGE: the path or the place to go on from. */
export interface LogRequest {
  /** Place in the configuration. Default 0. */
  readonly share?: number | undefined
  /** Only of this path and what lies below it. */
  readonly path?: string | undefined
  /** At most so many versions, 1 to 1,000. */
  readonly limit?: number | undefined
  /** Only records from then on, by their writers' clocks; milliseconds since 1970. */
  readonly since?: number | undefined
  /** `next` of the answer before. */
  readonly after?: string | undefined
}

export interface LogReport {
  readonly dir: string
  /** Newest first, by the times that their writers put into the records; of one writer, in its order. May be empty before the end. */
  readonly entries: readonly LogEntry[]
  /** To go on from; null: that was all. */
  readonly next: string | null
}

/** One version of one path, as its writer published it. */
export interface LogEntry {
  /** By the writer's clock, ISO 8601. Of one that is restated, when it was published at the latest. */
  readonly at: string
  /** Device that wrote it. */
  readonly device: string
  readonly name: string
  /** Its feed, 16 hex digits, and the record in it, from 0. */
  readonly writer: string
  readonly block: number
  readonly path: string
  readonly type: 'file' | 'directory' | 'symlink' | 'deleted'
  /** Of a file, else null. */
  readonly size: number | null
  /** Permission bits, or null. */
  readonly mode: number | null
  /** Of the path itself, ISO 8601; null where it says no more than `at`. */
  readonly mtime: string | null
  readonly target: string | null
  /** First 16 hex digits of what names a file's content, the same on every device. */
  readonly content: string | null
  /** Name of the device that made this content, if another published it: when a conflict was settled. */
  readonly origin: string | null
  /** Said again in a checkpoint; the record it was in first is not kept here. */
  readonly restated: boolean
}

export const logRequest: z.ZodType<LogRequest> = z.strictObject({
  share: queryPart.place.optional(),
  path: z.string().optional(),
  limit: queryPart.count.optional(),
  since: z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .optional(),
  after: z.string().max(65_536).optional(),
})

export const logReport: z.ZodType<LogReport> = z.looseObject({
  dir: z.string(),
  entries: z.array(
    z.looseObject({
      at: z.string(),
      device: z.string(),
      name: z.string(),
      writer: z.string(),
      block: count,
      path: z.string(),
      type: z.enum(['file', 'directory', 'symlink', 'deleted']),
      size: count.nullable(),
      mode: count.nullable(),
      mtime: z.string().nullable(),
      target: z.string().nullable(),
      content: z.string().nullable(),
      origin: z.string().nullable(),
      restated: z.boolean(),
    }),
  ),
  next: z.string().nullable(),
})
