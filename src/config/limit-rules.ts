// The value of `limits`: rates by the time of the week. In the file they are kB/s of 1024 bytes, 0 for no limit.
import { z } from 'zod'
import { DAY_NAMES, type LimitRule, parseDays, parseTime } from '../core/limit-schedule.js'
import { whole, wrong } from './values.js'

/** kB/s; far above any network. */
export const MAX_RATE = 1_000_000_000

/** A rate of the file: kB/s. */
export const rate: z.ZodType<number> = whole(0, MAX_RATE, `kB/s from 1 to ${MAX_RATE}, or 0 for no limit`)

const KB = 1024
const DAY_MINUTES = 1440
const EVERY_DAY: readonly number[] = DAY_NAMES.map((_, day) => day)
const DAYS = 'days such as "mon-fri", "sat,sun" or ["mon", "wed"]'
const TIME = 'a time from "00:00" to "24:00"'
const RULE = '{"days": "mon-fri", "from": "08:00", "to": "18:00", "upload": 200}'

const days = z
  .union([z.string(), z.array(z.string())], { error: wrong(DAYS) })
  .transform((value) => parseDays([value].flat().join(',')))
  .refine((value) => value !== undefined, { error: `is none that is known, expected ${DAYS}` })
  .optional()

const time = z
  .string({ error: wrong(TIME) })
  .transform(parseTime)
  .refine((value) => value !== undefined, { error: `is no time, expected ${TIME}` })
  .optional()

const rule = z
  .strictObject(
    { days, from: time, to: time, download: rate.optional(), upload: rate.optional() },
    { error: ruleFault },
  )
  .refine(({ download, upload }) => download !== undefined || upload !== undefined, {
    error: `has neither "download" nor "upload" and so no effect, expected ${RULE}`,
  })

/** The rules, in bytes per second. */
export const limitRules: z.ZodType<readonly LimitRule[]> = z
  .array(rule, { error: wrong(`a list of ${RULE}`) })
  .transform((list) =>
    list.map(({ days: on = [...EVERY_DAY], from = 0, to = DAY_MINUTES, download, upload }) => ({
      ...{ days: on, fromMinute: from, toMinute: to },
      ...(download !== undefined && { download: download * KB }),
      ...(upload !== undefined && { upload: upload * KB }),
    })),
  )

function ruleFault(issue: { readonly code?: string | undefined; readonly input?: unknown }): string {
  if (issue.code === 'unrecognized_keys')
    return 'has a key that is none of "days", "from", "to", "download" and "upload"'
  return wrong(RULE)(issue)
}
