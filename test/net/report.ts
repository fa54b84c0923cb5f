// The tables of docs/network.md, each between two marks. A row names its scenario in a comment that is not shown, so that
// those of scenarios that did not run stay as they are. Pure but for the one function that writes.
import fs from 'node:fs'
import type { Row, Scenario } from './scenario.js'

const FILE = new URL('../../../docs/network.md', import.meta.url)
const END = '<!-- end -->'
const MEASURED = 'measured'

/** What a scenario found, or why it is not as expected. */
export type Found = { readonly rows: readonly Row[] } | { readonly failure: string }

/** What the page needs to know of a scenario. */
export type Place = Pick<Scenario, 'name' | 'table'>

/** Puts what was found into the page. @param all in the order that rows are to have */
export function writeTables(all: readonly Place[], found: ReadonlyMap<string, Found>, atMs: number): void {
  if (found.size === 0) return
  const how = `${new Date(atMs).toISOString().slice(0, 10)}, Node ${process.version.slice(1)}`
  fs.writeFileSync(FILE, withFound(fs.readFileSync(FILE, 'utf8'), all, found, how))
}

/** The page with the rows of what was found. @throws Error if it has no place for one */
export function withFound(
  page: string,
  all: readonly Place[],
  found: ReadonlyMap<string, Found>,
  how: string,
): string {
  let text = page
  for (const table of new Set(all.filter(({ name }) => found.has(name)).map((place) => place.table)))
    text = withTable(
      text,
      table,
      all.filter((place) => place.table === table).map(({ name }) => name),
      found,
      how,
    )
  return text
}

function withTable(
  page: string,
  table: string,
  names: readonly string[],
  found: ReadonlyMap<string, Found>,
  how: string,
): string {
  const start = `<!-- measured: ${table} -->\n`
  const from = page.indexOf(start)
  const to = page.indexOf(END, from)
  if (from < 0 || to < 0) throw new Error(`docs/network.md has no place for "${table}"`)
  const old = page.slice(from + start.length, to).split('\n')
  const columns = columnsOf(names, found) ?? cellsOf(old.find((line) => line.startsWith('|')))
  const rows = names.flatMap((name) => {
    const mark = `| <!-- ${name} -->`
    const news = found.get(name)
    if (news === undefined) return old.filter((line) => line.startsWith(mark))
    const cells =
      'rows' in news
        ? news.rows.map((row) => columns.map((column) => (column === MEASURED ? how : (row[column] ?? ''))))
        : [columns.map((column, i) => (column === MEASURED ? how : (failed(name, news.failure)[i] ?? '')))]
    return cells.map((each) => `${mark}${each.join(' | ')} |`)
  })
  const head = [`| ${columns.join(' | ')} |`, `|${columns.map(() => '---|').join('')}`]
  return `${page.slice(0, from)}${start}\n${[...head, ...rows].join('\n')}\n\n${page.slice(to)}`
}

function columnsOf(names: readonly string[], found: ReadonlyMap<string, Found>): string[] | undefined {
  const rows = names.flatMap((name) => {
    const news = found.get(name)
    return news !== undefined && 'rows' in news ? news.rows : []
  })
  return rows.length === 0 ? undefined : [...new Set(rows.flatMap((row) => Object.keys(row))), MEASURED]
}

function cellsOf(line: string | undefined): string[] {
  if (line === undefined) return ['scenario', 'outcome', MEASURED]
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())
}

function failed(name: string, why: string): string[] {
  return [`\`${name}\``, `**${why.split('\n')[0]!.replaceAll('|', '/')}**`]
}
