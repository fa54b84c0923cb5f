// How to tell node a modification time so that it reads back as the same microsecond. Node hands libuv a double of
// seconds. Up to 1.51 (Node 20 and 22) libuv cuts it to whole microseconds towards zero; from 1.52 on (Node 24;
// libuv/libuv#4951) it keeps the nanoseconds that the double happens to have. What suits one is a microsecond off now
// and then with the other, and a time that reads back as another one is another content for everybody.

/** The first libuv that keeps nanoseconds. */
const EXACT_SINCE = [1, 52] as const

/** Whether a libuv of this version keeps what the double says below a microsecond. */
export function keepsNanoseconds(libuvVersion: string): boolean {
  const [major = 0, minor = 0] = libuvVersion.split('.').map(Number)
  return major > EXACT_SINCE[0] || (major === EXACT_SINCE[0] && minor >= EXACT_SINCE[1])
}

const isExact = keepsNanoseconds(process.versions.uv)

/** Parts of a microsecond to try beside the nearest double: from 2038 on, doubles of seconds are half of one apart. */
const NUDGES = [0, -0.4, 0.4] as const

/**
 * What to give node's utimes so that mtimeUsOf() of the result is `mtimeUs` again, until the year 2106. A text, because
 * node takes a negative number as "now".
 */
export function utimesTime(mtimeUs: number, exact: boolean = isExact): string {
  // Where libuv cuts, the double may lie just short of the microsecond meant: a third of one further from zero survives.
  if (!exact) return String((mtimeUs + (mtimeUs < 0 ? -0.3 : 0.3)) / 1e6)
  const nudge = NUDGES.find((us) => readBackUs((mtimeUs + us) / 1e6) === mtimeUs) ?? 0
  return String((mtimeUs + nudge) / 1e6)
}

/** The microseconds that stat shows of a time that libuv took whole: seconds and nanoseconds, then milliseconds. */
function readBackUs(seconds: number): number {
  const whole = Math.floor(seconds)
  const nanoseconds = Math.trunc((seconds - whole) * 1e9)
  return Math.round((whole * 1000 + nanoseconds / 1e6) * 1000)
}
