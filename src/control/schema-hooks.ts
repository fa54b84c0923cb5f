// What the control API tells and takes about hooks (schema.ts).
import { z } from 'zod'
import { count } from './schema-parts.js'

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

/** POST /v1/hooks/run: run what is pending, of one hook or of all. */
export interface RunHooksRequest {
  readonly hook?: number | undefined
}

export const hook: z.ZodType<HookReport> = z.looseObject({
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

export const runHooksRequest: z.ZodType<RunHooksRequest> = z.strictObject({
  hook: z.int().positive().optional(),
})
