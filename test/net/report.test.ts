import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { repository } from '../support/repository.js'
import { withTable } from './report.js'
import { SCENARIOS } from './scenarios.js'

test('a scenario that ran gets its table, and the rest of the page stays', () => {
  const page = 'above\n<!-- measured: a -->\nold\n<!-- end -->\n<!-- measured: b -->\nkept\n<!-- end -->\n'
  const rows = [{ way: 'TCP', rate: '98 %' }, { way: 'UDX' }]
  assert.equal(
    withTable(page, 'a', rows, '2026-01-01'),
    'above\n<!-- measured: a -->\n\n| way | rate |\n|---|---|\n| TCP | 98 % |\n| UDX |  |\n\n2026-01-01.\n\n' +
      '<!-- end -->\n<!-- measured: b -->\nkept\n<!-- end -->\n',
  )
  assert.throws(() => withTable(page, 'c', rows, ''), /no place for c/)
})

test('every scenario has a name of its own and a place in docs/network.md', () => {
  const page = fs.readFileSync(new URL('docs/network.md', repository), 'utf8')
  const names = SCENARIOS.map(({ name }) => name)
  assert.deepEqual(names, [...new Set(names)])
  assert.deepEqual(
    [...page.matchAll(/<!-- measured: (\S+) -->/g)].map(([, name]) => name),
    names,
  )
})
