// How often all that a node holds is read again (`scrub`).

export const SCRUB_EVERY = ['never', 'daily', 'weekly', 'monthly'] as const
export type ScrubEvery = (typeof SCRUB_EVERY)[number]

const DAY_MS = 86_400_000
const EVERY_MS: Readonly<Record<ScrubEvery, number>> = {
  never: 0,
  daily: DAY_MS,
  weekly: 7 * DAY_MS,
  monthly: 30 * DAY_MS,
}

/** Milliseconds from one time to the next; 0: never. */
export function scrubEveryMs(every: ScrubEvery): number {
  return EVERY_MS[every]
}

/** The word for such a time. */
export function scrubWord(everyMs: number): ScrubEvery {
  return SCRUB_EVERY.find((every) => EVERY_MS[every] === everyMs) ?? 'never'
}
