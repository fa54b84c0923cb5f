// The key `history` of a share: what of the past this node keeps. Ours alone, so its values are strict: spans of time and
// sizes have their units.
import { z } from 'zod'
import { DEFAULT_RETENTION, type Retention } from '../core/retention.js'
import { whole, wrong } from './values.js'

/** As the file has it, values in milliseconds and bytes. */
export interface HistoryShape {
  readonly keep?: number | undefined
  readonly keep_hourly?: number | undefined
  readonly keep_daily?: number | undefined
  readonly keep_weekly?: number | undefined
  readonly keep_monthly?: number | undefined
  readonly max_size?: number | undefined
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const SPAN = /^(\d{1,5})(h|d|w|y)$/
const SPAN_MS: Readonly<Record<string, number>> = { h: HOUR_MS, d: DAY_MS, w: 7 * DAY_MS, y: 365 * DAY_MS }
const SIZE = /^(\d{1,6})(MB|GB|TB)$/
const MB = 1024 * 1024
const SIZE_BYTES: Readonly<Record<string, number>> = { MB, GB: 1024 * MB, TB: 1024 * 1024 * MB }
/** Of each kind: eleven years of hours. */
const MOST = 100_000

const span = measured(SPAN, SPAN_MS, 'a span of time such as "12h", "30d", "8w" or "1y", or "all"')
const keep = z.union([z.literal('all').transform(() => Number.POSITIVE_INFINITY), span], {
  error: wrong('a span of time such as "12h", "30d", "8w" or "1y", or "all"'),
})
const size = measured(SIZE, SIZE_BYTES, 'a size such as "800MB", "500GB" or "4TB"')
const count = whole(0, MOST, `a number from 0 to ${MOST}`)
const OBJECT = 'an object such as {"keep": "30d", "keep_weekly": 26, "max_size": "500GB"}'

/** The value of history. */
export const history: z.ZodType<HistoryShape> = z.strictObject(
  {
    keep: keep.optional(),
    keep_hourly: count.optional(),
    keep_daily: count.optional(),
    keep_weekly: count.optional(),
    keep_monthly: count.optional(),
    max_size: size.optional(),
  },
  { error: (issue) => (issue.code === 'unrecognized_keys' ? unknownKey : wrong(OBJECT)(issue)) },
)
const unknownKey = `has a key that is none of it, expected ${OBJECT}`

/** What it means: what is not stated is not kept, unless nothing of it is stated but the size. */
export function retentionOf(shape: HistoryShape): Retention {
  const { keep, keep_hourly: hourly, keep_daily: daily, keep_weekly: weekly, keep_monthly: monthly } = shape
  const maxBytes = shape.max_size
  if ([keep, hourly, daily, weekly, monthly].every((value) => value === undefined))
    return { ...DEFAULT_RETENTION, maxBytes }
  return {
    keepMs: keep ?? 0,
    hourly: hourly ?? 0,
    daily: daily ?? 0,
    weekly: weekly ?? 0,
    monthly: monthly ?? 0,
    maxBytes,
  }
}

function measured(
  pattern: RegExp,
  units: Readonly<Record<string, number>>,
  what: string,
): z.ZodType<number, string> {
  const error = { error: wrong(what) }
  return z
    .string(error)
    .regex(pattern, error)
    .transform((text) => {
      const [, number, unit] = pattern.exec(text)!
      return Number(number) * units[unit!]!
    })
}
