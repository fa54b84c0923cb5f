// Limits by the time of the week (`limits`). The first rule that holds and speaks of a direction decides for it; where none
// does, `download_limit` and `upload_limit` hold. Pure: what time it is where the daemon runs comes as an argument, and a
// day on which clocks are put forward or back is as long as it is.

export const DAY_NAMES = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const

const DAY_MINUTES = 1440
/** Every rule comes and goes within a week; one day more for clocks that are put back. */
const LOOK_AHEAD_MINUTES = 8 * DAY_MINUTES
const MINUTE_MS = 60_000

/** A part of the week, and what holds in it. */
export interface LimitRule {
  /** On which it begins; 0: Sunday. */
  readonly days: readonly number[]
  /** Minutes of the day, 0 to 1440. Where `toMinute` is not the later one, it ends on the next day. */
  readonly fromMinute: number
  readonly toMinute: number
  /** Bytes per second, 0: no limit; absent: it does not speak of it. */
  readonly download?: number
  readonly upload?: number
}

export interface Rates {
  /** Bytes per second, 0: no limit. */
  readonly download: number
  readonly upload: number
}

export type Direction = keyof Rates

/** A time as clocks on the wall show it. */
export interface LocalTime {
  /** 0: Sunday. */
  readonly day: number
  /** 0 to 1439. */
  readonly minute: number
}

/** What holds in one direction. */
export interface Held {
  /** Bytes per second, 0: no limit. */
  readonly rate: number
  /** Whether a rule of the schedule says so. */
  readonly isScheduled: boolean
}

/** The days of "mon-fri", "sat,sun", "fri-mon"; undefined: it is none. */
export function parseDays(text: string): number[] | undefined {
  const days = new Set<number>()
  for (const part of text.toLowerCase().split(',')) {
    const [first, last, ...more] = part
      .trim()
      .split('-')
      .map((name) => dayOf(name.trim()))
    if (first === undefined || first < 0 || more.length > 0 || (last !== undefined && last < 0))
      return undefined
    const count = last === undefined ? 1 : ((last - first + 7) % 7) + 1
    for (let at = 0; at < count; at++) days.add((first + at) % 7)
  }
  return [...days].sort()
}

/** The minutes of "08:00", "24:00"; undefined: it is none. */
export function parseTime(text: string): number | undefined {
  const match = /^(\d{1,2}):([0-5]\d)$/.exec(text)
  if (match === null) return undefined
  const minutes = Number(match[1]) * 60 + Number(match[2])
  return minutes <= DAY_MINUTES ? minutes : undefined
}

/** What holds at a time. */
export function heldAt(rules: readonly LimitRule[], base: Rates, direction: Direction, at: LocalTime): Held {
  for (const rule of rules) {
    const rate = rule[direction]
    if (rate !== undefined && isWithin(rule, at)) return { rate, isScheduled: true }
  }
  return { rate: base[direction], isScheduled: false }
}

/**
 * When something else will hold in that direction, milliseconds since 1970, a whole minute; undefined: never. `localAt` tells
 * clocks on the wall.
 */
export function heldUntil(
  rules: readonly LimitRule[],
  base: Rates,
  direction: Direction,
  nowMs: number,
  localAt: (ms: number) => LocalTime,
): number | undefined {
  if (!rules.some((rule) => rule[direction] !== undefined)) return undefined
  const { rate } = heldAt(rules, base, direction, localAt(nowMs))
  const first = Math.floor(nowMs / MINUTE_MS) + 1
  for (let minute = first; minute <= first + LOOK_AHEAD_MINUTES; minute++)
    if (heldAt(rules, base, direction, localAt(minute * MINUTE_MS)).rate !== rate) return minute * MINUTE_MS
  return undefined
}

function isWithin({ days, fromMinute, toMinute }: LimitRule, { day, minute }: LocalTime): boolean {
  const isOvernight = toMinute <= fromMinute
  if (days.includes(day) && minute >= fromMinute && (isOvernight || minute < toMinute)) return true
  return isOvernight && days.includes((day + 6) % 7) && minute < toMinute
}

function dayOf(name: string): number {
  return (DAY_NAMES as readonly string[]).indexOf(name)
}
