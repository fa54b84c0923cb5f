// Columns and pieces of text that several screens have.
import { formatBytes, formatCount } from '../../cli/text.js'
import type { ShareReport } from '../../control/schema.js'
import { isEmptyHead } from '../../core/head.js'
import { rate } from '../model/format.js'
import { cut, cutStart, type Line, type Span, safe, span, type Tone, type Words } from '../model/span.js'
import type { Column } from '../model/table.js'
import type { Placed } from '../model/world.js'

const STATE_TONES: Readonly<Record<string, Tone>> = {
  idle: 'good',
  syncing: 'accent',
  scanning: 'accent',
  halted: 'bad',
  paused: 'warn',
}

export function stateSpan(state: string): Span {
  return span(state, STATE_TONES[state] ?? 'muted')
}

/** A name of a share, a member or a file, in one column. */
export function nameCell(text: string, width: number): string {
  return cut(safe(text), width)
}

export function pathCell(text: string, width: number): string {
  return cutStart(safe(text), width)
}

export function rateCell(bytesPerSecond: number, tone: Tone): Span {
  return bytesPerSecond < 1 ? span('-', 'muted') : span(rate(bytesPerSecond), tone)
}

/** "12 files, 1.2 GiB" */
export function amount(count: number, bytes: number, unit = 'file'): string {
  return bytes === 0 ? formatCount(count, unit) : `${formatCount(count, unit)}, ${formatBytes(bytes)}`
}

/** Where nothing is known to be missing: who does not write and knows nothing of a share does not know what it misses. */
export function wholeWords({ grade, head }: ShareReport): string {
  return grade !== 'write' && isEmptyHead(head) ? 'not known yet what is missing' : 'nothing missing'
}

/** A column of the share's name. */
export function shareColumn<T extends Pick<Placed, 'shareName'>>(rank: number): Column<T> {
  return {
    ...{ id: 'share', title: 'SHARE', width: 8, wish: 13, weight: 1, most: 20, rank },
    cell: ({ shareName }, width) => nameCell(shareName, width),
    sortBy: ({ shareName }) => shareName,
  }
}

/** Two columns, facts with their names; `labels` columns for the names. */
export function fact(label: string, words: Words, labels = 10): Line {
  const value = typeof words === 'string' ? [span(words)] : words
  return [span(label.padEnd(labels), 'muted'), ...value]
}

/** A line across, with a title. */
export function rule(title: string, width: number): Line {
  const text = ` ${cut(title, Math.max(0, width - 6))} `
  const rest = '─'.repeat(Math.max(0, width - 2 - [...text].length))
  return [span('──', 'muted'), span(text, 'accent', { bold: true }), span(rest, 'muted')]
}
