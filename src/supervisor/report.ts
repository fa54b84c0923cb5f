// What a supervisor tells of its daemons, and is asked to do: the shapes that cross its socket.
import { z } from 'zod'

export const INSTANCE_STATES = [
  'starting',
  'running',
  'waiting',
  'failed',
  'stopping',
  'stopped',
  'not-autostarted',
] as const
export type InstanceState = (typeof INSTANCE_STATES)[number]

export interface InstanceReport {
  readonly name: string
  /** NAME.conf, an absolute path. */
  readonly config: string
  readonly state: InstanceState
  /** Why it waits, failed or stopped, or what is wrong with the configuration of one that runs; null otherwise. */
  readonly reason: string | null
  /** Seconds until it is tried again; null: it is not waited for. */
  readonly retryInSeconds: number | null
  /** Whom it runs as, or would by its file's name; null: whoever started the supervisor. */
  readonly user: string | null
  readonly pid: number | null
  /** Since the process was started. */
  readonly uptimeSeconds: number | null
  readonly restarts: number
  /** What it listens on; null while not running. */
  readonly port: number | null
  /** Resident memory; null without a process. */
  readonly rssBytes: number | null
  /** For asking the daemon itself; null where the configuration cannot be read. */
  readonly storagePath: string | null
}

export interface SupervisorReport {
  readonly pid: number
  readonly folder: string
  readonly instances: readonly InstanceReport[]
}

const instanceReport: z.ZodType<InstanceReport> = z.looseObject({
  name: z.string(),
  config: z.string(),
  state: z.enum(INSTANCE_STATES),
  reason: z.string().nullable(),
  retryInSeconds: z.number().nullable(),
  user: z.string().nullable(),
  pid: z.number().nullable(),
  uptimeSeconds: z.number().nullable(),
  restarts: z.number(),
  port: z.number().nullable(),
  rssBytes: z.number().nullable(),
  storagePath: z.string().nullable(),
})

export const supervisorReport: z.ZodType<SupervisorReport> = z.looseObject({
  pid: z.number(),
  folder: z.string(),
  instances: z.array(instanceReport),
})

/** Of `shoal down`: no names are all, and the supervisor with them. */
export interface DownRequest {
  readonly names: readonly string[]
}

export const downRequest: z.ZodType<DownRequest> = z.strictObject({
  names: z.array(z.string().max(256)).max(10_000),
})
export const downAnswer: z.ZodType<{ readonly pid: number }> = z.looseObject({ pid: z.number() })
