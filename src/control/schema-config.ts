// What the daemon tells of its configuration file: a part of the status.
import { z } from 'zod'

/** Lines of problems that are told; one more says how many there are. */
export const REFUSED_PROBLEMS = 20

/** The file was changed while the daemon runs and cannot be used: the settings stay as they were. */
export interface RefusedConfiguration {
  /** ISO 8601: when such a file was read first. */
  readonly since: string
  /** Of the newest reading, for people. */
  readonly problems: readonly string[]
}

export const refusedConfiguration: z.ZodType<RefusedConfiguration> = z.looseObject({
  since: z.string(),
  problems: z.array(z.string()),
})
