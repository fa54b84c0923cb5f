import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { repository } from '../support/repository.js'
import { withFound } from './report.js'
import { SCENARIOS } from './scenarios.js'

const all = [
  { name: 'a', table: 'one' },
  { name: 'b', table: 'one' },
  { name: 'c', table: 'two' },
]
const page = 'above\n<!-- measured: one -->\n<!-- end -->\n<!-- measured: two -->\n\nkept\n\n<!-- end -->\n'

test('rows of what ran are put in their place and order; those of others stay', () => {
  const b = withFound(page, all, new Map([['b', { rows: [{ network: 'B', way: 'UDX' }] }]]), 'day 1')
  const a = withFound(
    b,
    all,
    new Map([['a', { rows: [{ network: 'A' }, { network: 'A2', way: 'TCP' }] }]]),
    'day 2',
  )
  assert.equal(
    a,
    'above\n<!-- measured: one -->\n\n| network | way | measured |\n|---|---|---|\n' +
      '| <!-- a -->A |  | day 2 |\n| <!-- a -->A2 | TCP | day 2 |\n| <!-- b -->B | UDX | day 1 |\n\n<!-- end -->\n' +
      '<!-- measured: two -->\n\nkept\n\n<!-- end -->\n',
  )
})

test('what is not as expected stands there, too', () => {
  const good = withFound(page, all, new Map([['a', { rows: [{ network: 'A', way: 'TCP' }] }]]), 'day 1')
  const bad = withFound(good, all, new Map([['a', { failure: 'not as expected: a | b\nstack' }]]), 'day 2')
  assert.ok(bad.includes('| <!-- a -->`a` | **not as expected: a / b** | day 2 |'), bad)
  assert.throws(() => withFound('', all, new Map([['a', { rows: [] }]]), ''), /no place for "one"/)
})

test('scenarios have names of their own, and docs/network.md a place for the table of each', () => {
  const names = SCENARIOS.map(({ name }) => name)
  assert.deepEqual(names, [...new Set(names)])
  const written = fs.readFileSync(new URL('docs/network.md', repository), 'utf8')
  const places = [...written.matchAll(/<!-- measured: (.+) -->/g)].map(([, table]) => table)
  assert.deepEqual(places.toSorted(), [...new Set(SCENARIOS.map(({ table }) => table))].sort())
})
