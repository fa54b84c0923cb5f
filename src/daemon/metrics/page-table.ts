// The table of metrics in docs/metrics.md. `npm run docs` writes it; a test says when that was forgotten.
import { ShoalError } from '../../core/error.js'
import { FAMILIES } from './families.js'

const BEGIN = '<!-- metrics -->'
const END = '<!-- end -->'

/** The page with the table between its marks made anew. INTERNAL: it has no marks. */
export function withMetricTable(page: string): string {
  const from = page.indexOf(BEGIN)
  const to = page.indexOf(END, from)
  if (from < 0 || to < 0)
    throw new ShoalError('INTERNAL', `broken invariant: the page has ${BEGIN} and ${END}`)
  return `${page.slice(0, from + BEGIN.length)}\n${table()}\n${page.slice(to)}`
}

function table(): string {
  const rows = Object.entries(FAMILIES).map(
    ([name, { type, labels, help }]) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  )
  return ['', '| metric | type | labels | what it tells |', '|---|---|---|---|', ...rows, ''].join('\n')
}
