// Numbers and times as short texts, and as drawings of a given number of columns: bars and sparklines.
import { formatBytes, formatDuration } from '../../cli/text.js'
import { type Span, span, type Tone } from './span.js'

const LEVELS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const
/** Eighths of a column, from none to seven. */
const PARTS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const

/** Bytes per second; nothing moves: a dash. At most 8 columns; the unit's "/s" is left to the heading. */
export function rate(bytesPerSecond: number): string {
  return bytesPerSecond < 1 ? '-' : formatBytes(Math.round(bytesPerSecond))
}

export function perSecond(bytesPerSecond: number): string {
  return `${formatBytes(Math.round(bytesPerSecond))}/s`
}

/** "3 ms", "1.2 s" */
export function milliseconds(ms: number): string {
  return ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`
}

/** "4m 10s"; of less than a second "1s". */
export function duration(ms: number): string {
  return formatDuration(Math.max(1, Math.round(ms / 1000)))
}

/** How long ago, "4m 10s ago"; of what is in the future, "now". */
export function ago(thenMs: number, nowMs: number): string {
  const ms = nowMs - thenMs
  return ms < 1000 ? 'now' : `${duration(ms)} ago`
}

/** "20:31:05", of this machine's time zone. */
export function clock(ms: number): string {
  const time = new Date(ms)
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(':')
}

/** "2026-11-21 20:31:05", of this machine's time zone. */
export function dateTime(ms: number): string {
  const time = new Date(ms)
  return `${time.getFullYear()}-${twoDigits(time.getMonth() + 1)}-${twoDigits(time.getDate())} ${clock(ms)}`
}

/** From 0 to 100; what is not quite whole is never called 100, what has begun never 0. */
export function percent(part: number, whole: number): number {
  if (whole <= 0 || part >= whole) return 100
  if (part <= 0) return 0
  return Math.min(99, Math.max(1, Math.round((part / whole) * 100)))
}

/** "12,345" */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** A bar of exactly so many columns; a part of 0 to 1. */
export function bar(part: number, width: number, tone: Tone = 'accent'): Span[] {
  const eighths = Math.round(Math.min(1, Math.max(0, part)) * width * 8)
  const full = Math.floor(eighths / 8)
  const drawn = '█'.repeat(full) + PARTS[eighths % 8]!
  const rest = '·'.repeat(width - drawn.length)
  return [span(drawn, tone), span(rest, 'muted')].filter(({ text }) => text !== '')
}

/**
 * The newest values as a line of blocks, the newest at the right; exactly so many columns. Zero is a blank, what is more
 * than zero at least the lowest block; the highest block is `top`, or the greatest value.
 */
export function sparkline(values: readonly number[], width: number, top?: number): string {
  const shown = values.slice(-width)
  const most = top ?? Math.max(0, ...shown)
  const blocks = shown.map((value) => {
    if (!(value > 0) || most <= 0) return ' '
    return LEVELS[Math.min(LEVELS.length - 1, Math.floor((value / most) * LEVELS.length))]!
  })
  return blocks.join('').padStart(width)
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}
