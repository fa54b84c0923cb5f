// The tables of docs/network.md: between marks, one pair for each scenario, made anew for the scenarios that ran; those of
// others stay as they are. Pure but for the one function that writes.
import fs from 'node:fs'
import type { Row, Scenario } from './scenario.js'

const FILE = new URL('../../../docs/network.md', import.meta.url)

/** Puts what was found into the page. @throws Error if it has no place for a scenario */
export function writeTables(
  found: ReadonlyMap<Pick<Scenario, 'name'>, readonly Row[]>,
  made: { readonly atMs: number; readonly seed: number },
): void {
  if (found.size === 0) return
  let page = fs.readFileSync(FILE, 'utf8')
  const how = `${new Date(made.atMs).toISOString().slice(0, 10)}, Node ${process.version}, seed ${made.seed}`
  for (const [{ name }, rows] of found) page = withTable(page, name, rows, how)
  fs.writeFileSync(FILE, page)
}

/** The page with another table at the place of a scenario. @param how when and by what it was measured */
export function withTable(page: string, name: string, rows: readonly Row[], how: string): string {
  const start = `<!-- measured: ${name} -->\n`
  const from = page.indexOf(start)
  const to = page.indexOf('<!-- end -->', from)
  if (from < 0 || to < 0) throw new Error(`docs/network.md has no place for ${name}`)
  return `${page.slice(0, from)}${start}\n${tableOf(rows)}\n${how}.\n\n${page.slice(to)}`
}

/** A table in Markdown; a column that a row lacks is empty there. */
export function tableOf(rows: readonly Row[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`
  const body = rows.map((row) => line(columns.map((column) => row[column] ?? '')))
  return [line(columns), `|${columns.map(() => '---|').join('')}\n`, ...body].join('')
}
