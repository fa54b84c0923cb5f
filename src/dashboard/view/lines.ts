// Lines of spans as ink draws them. A line that has not changed is not made again.
import { createElement, memo, type ReactElement } from 'react'
import { isSameLine, type Line } from '../model/span.js'
import { Box, Text } from './ink.js'
import { lookOf, type Theme } from './theme.js'

interface LineProps {
  readonly line: Line
  readonly theme: Theme
}

const LineView = memo(
  ({ line, theme }: LineProps): ReactElement => {
    const parts = line.map((part, at) => {
      const look = lookOf(theme, part)
      return Object.keys(look).length === 0 ? part.text : createElement(Text, { key: at, ...look }, part.text)
    })
    // An empty text has no height.
    return createElement(Text, { wrap: 'truncate' }, ...(parts.length === 0 ? [' '] : parts))
  },
  (before, after) => before.theme === after.theme && isSameLine(before.line, after.line),
)

export function LinesView({ lines, theme }: { lines: readonly Line[]; theme: Theme }): ReactElement {
  const views = lines.map((line, at) => createElement(LineView, { key: at, line, theme }))
  return createElement(Box, { flexDirection: 'column' }, ...views)
}
