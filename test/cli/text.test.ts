import assert from 'node:assert/strict'
import { test } from 'node:test'
import stringWidth from 'string-width'
import { formatTable } from '../../src/cli/text.js'

test('tables align as terminals show them: wide characters take two columns, joined ones none', () => {
  const names = ['NAME', 'laptop', '写真', 'café', 'cafe\u0301', '한국어', '👍🏽', '\u001b[31m']
  const lines = formatTable(
    names.map((name) => [name, '|']),
    '  ',
  )
    .trimEnd()
    .split('\n')
  assert.equal(lines.length, names.length)
  assert.deepEqual(
    lines.map((line) => stringWidth(line.slice(0, line.lastIndexOf('|')))),
    names.map(() => 2 + '\\u{1b}[31m'.length + 2),
  )
  assert.equal(
    formatTable([
      ['写真', 'x'],
      ['abcd', 'y'],
    ]),
    '写真  x\nabcd  y\n',
  )
})
