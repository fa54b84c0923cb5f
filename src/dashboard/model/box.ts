// A box with a title and lines of text in the middle of the screen: questions and the help.
import { type Line, lineWidth, padLine, span, type Words, widthOf } from './span.js'

const MAX_WIDTH = 78

/** Lines of exactly `width` columns, at most `lines` of them; of more content, the first. */
export function boxLines(title: string, content: readonly Words[], width: number, lines: number): Line[] {
  const outer = Math.min(width, MAX_WIDTH)
  const inner = outer - 4
  const margin = { text: ' '.repeat(Math.floor((width - outer) / 2)) }
  const head = padLine([span(` ${title} `, 'accent', { bold: true })], Math.min(inner, widthOf(title) + 2))
  const edge = '─'.repeat(Math.max(0, outer - 3 - lineWidth(head)))
  return [
    [margin, span('┌─', 'accent'), ...head, span(`${edge}┐`, 'accent')],
    ...content
      .slice(0, Math.max(0, lines - 2))
      .map((words): Line => [margin, span('│ ', 'accent'), ...padLine(words, inner), span(' │', 'accent')]),
    [margin, span(`└${'─'.repeat(outer - 2)}┘`, 'accent')],
  ]
}

/** Columns of text in a box on a screen of this width. */
export function boxRoom(width: number): number {
  return Math.min(width, MAX_WIDTH) - 4
}

/** A text on as many lines as it takes, broken between words where that can be. */
export function wrapWords(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
    while (widthOf(line) > width) {
      const part = [...line].slice(0, Math.max(1, Math.floor(width / 2))).join('')
      lines.push(part)
      line = line.slice(part.length)
    }
  }
  return [...lines, line]
}
