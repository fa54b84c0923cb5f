// Plain text for people: aligned columns, sizes, and names that are safe to print. Works without a terminal: no colour,
// no width is asked for. Names and paths come from other machines, so control characters never reach the terminal.
import { printableJson } from '../core/printable-json.js'

/** Rows as aligned columns, two spaces apart, each line with its line end. The first row may be headings. */
export function formatTable(rows: readonly (readonly string[])[], indent = ''): string {
  const safe = rows.map((row) => row.map(printable))
  const widths: number[] = []
  for (const row of safe)
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, [...cell].length)
  return safe
    .map((row) => {
      const cells = row.map((cell, at) => cell + ' '.repeat(widths[at]! - [...cell].length))
      return `${indent}${cells.join('  ').trimEnd()}\n`
    })
    .join('')
}

/** A text with control and other invisible characters as \u{...}, and what is not Unicode as a question mark. */
export function printable(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** 1.2 GiB */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`
}

/** "59s", "4m 10s", "3h 2m", "12d 5h" */
export function formatDuration(seconds: number): string {
  const [s, m, h, d] = [
    seconds % 60,
    Math.floor(seconds / 60) % 60,
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 86_400),
  ]
  if (d > 0) return `${d}d ${h}h`
  if (h > 0) return `${h}h ${m}m`
  return m > 0 ? `${m}m ${s}s` : `${s}s`
}

/** An instant of ISO 8601 without what is below a second. */
export function shortTime(iso: string): string {
  return iso.replace(/\.\d+Z$/, 'Z')
}

/** "1 file", "2 files" */
export function formatCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** A JSON value for --json: two spaces, one line end. */
export function formatJson(value: unknown): string {
  return `${printableJson(JSON.stringify(value, null, 2))}\n`
}
