// What a screen is made of: lines of spans, each a text with a style. Styles name what they mean, not a colour; the theme
// (view/theme.ts) says how it looks, and without colours bold and inverse are left. Everything here counts columns of a
// terminal, not characters: a name may hold wide ones. What comes from other machines is made printable here.
import stringWidth from 'string-width'
import { printable } from '../../cli/text.js'

/** What a text means. */
export type Tone = 'accent' | 'good' | 'warn' | 'bad' | 'muted' | 'down' | 'up'

export interface Style {
  readonly tone?: Tone
  readonly bold?: boolean
  readonly inverse?: boolean
  /** Of the line that is chosen. */
  readonly chosen?: boolean
}

export interface Span extends Style {
  readonly text: string
}

/** A line is never wider than the screen it was made for. */
export type Line = readonly Span[]

/** A cell or a piece of a line: a text alone has no style. */
export type Words = string | Line

export const ELLIPSIS = '…'

/** Each is one column wide and harmless: ASCII, Latin letters, and what bars, lines and arrows are made of. */
const SIMPLE = /^[\x20-\x7e\xa1-\xac\xae-\u02ff\u2026\u2190-\u2193\u2500-\u259f\u25b2\u25b8\u25bc]*$/
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

export function span(text: string, tone?: Tone, more: Omit<Style, 'tone'> = {}): Span {
  return tone === undefined ? { text, ...more } : { text, tone, ...more }
}

export function bold(text: string, tone?: Tone): Span {
  return span(text, tone, { bold: true })
}

/** Columns. */
export function widthOf(text: string): number {
  return SIMPLE.test(text) ? text.length : stringWidth(text)
}

export function lineWidth(line: Line): number {
  return line.reduce((sum, { text }) => sum + widthOf(text), 0)
}

export function lineOf(words: Words): Line {
  return typeof words === 'string' ? [{ text: words }] : words
}

/** The text of a line, as a person without colours sees it. */
export function textOf(line: Line): string {
  return line.map(({ text }) => text).join('')
}

/** A text of at most so many columns; what is left out is an ellipsis. */
export function cut(text: string, width: number): string {
  if (width <= 0) return ''
  if (widthOf(text) <= width) return text
  let [taken, used] = ['', 0]
  for (const { segment } of graphemes.segment(text)) {
    const columns = widthOf(segment)
    if (used + columns > width - 1) break
    taken += segment
    used += columns
  }
  return taken + ELLIPSIS
}

/** As cut, but what is left out is at the start: of a path the end tells most. */
export function cutStart(text: string, width: number): string {
  if (width <= 0) return ''
  if (widthOf(text) <= width) return text
  const segments = [...graphemes.segment(text)].map(({ segment }) => segment)
  let [taken, used] = ['', 0]
  for (let at = segments.length - 1; at >= 0; at--) {
    const columns = widthOf(segments[at]!)
    if (used + columns > width - 1) break
    taken = segments[at]! + taken
    used += columns
  }
  return ELLIPSIS + taken
}

/** A line of at most so many columns. */
export function cutLine(line: Line, width: number): Line {
  if (lineWidth(line) <= width) return line
  const kept: Span[] = []
  let left = width
  for (const part of line) {
    if (left <= 0) break
    const columns = widthOf(part.text)
    // The last that fits needs no ellipsis only if nothing follows it.
    if (columns < left) {
      kept.push(part)
      left -= columns
      continue
    }
    kept.push({ ...part, text: columns > left ? cut(part.text, left) : cut(`${part.text} `, left) })
    left = 0
  }
  return kept
}

/** A line of exactly so many columns. */
export function padLine(words: Words, width: number, align: 'left' | 'right' = 'left'): Line {
  const line = cutLine(lineOf(words), width)
  const missing = width - lineWidth(line)
  if (missing <= 0) return line
  const blank = { text: ' '.repeat(missing) }
  return align === 'left' ? [...line, blank] : [blank, ...line]
}

/** Parts of a line with a separator between those that say anything. */
export function joined(parts: readonly Words[], separator = '  '): Line {
  const said = parts.map(lineOf).filter((line) => lineWidth(line) > 0)
  return said.flatMap((line, at) => (at === 0 ? line : [{ text: separator }, ...line]))
}

/** Two lines on one, the second at the right edge; the first is cut if need be. */
export function ends(left: Line, right: Line, width: number): Line {
  const room = width - lineWidth(right)
  if (room < 1) return cutLine(left, width)
  return [...padLine(left, room), ...right]
}

/** A text of somebody else's, safe to draw. */
export function safe(text: string): string {
  return SIMPLE.test(text) ? text : printable(text)
}

export function isSameLine(a: Line, b: Line): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  return a.every((one, at) => {
    const other = b[at]!
    return (
      one.text === other.text &&
      one.tone === other.tone &&
      one.bold === other.bold &&
      one.inverse === other.inverse &&
      one.chosen === other.chosen
    )
  })
}

export function isSameFrame(a: readonly Line[], b: readonly Line[]): boolean {
  return a.length === b.length && a.every((line, at) => isSameLine(line, b[at]!))
}
