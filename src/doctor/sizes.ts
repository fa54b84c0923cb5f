// Sizes and counts in what the doctor says. Pure.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** 1.2 GiB */
export function bytesText(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`
}

/** "1 file", "2 files"; "1 directory", "2 directories" */
export function countText(count: number, noun: string): string {
  if (count === 1) return `1 ${noun}`
  return `${count} ${noun.endsWith('y') ? `${noun.slice(0, -1)}ies` : `${noun}s`}`
}

/** "40 ms", "12 s", "3 min", "2 h", "5 days" */
export function timeText(ms: number): string {
  const amount = Math.abs(ms)
  if (amount < 1000) return `${Math.round(amount)} ms`
  if (amount < 120_000) return `${Math.round(amount / 1000)} s`
  if (amount < 7_200_000) return `${Math.round(amount / 60_000)} min`
  if (amount < 172_800_000) return `${Math.round(amount / 3_600_000)} h`
  return `${Math.round(amount / 86_400_000)} days`
}
