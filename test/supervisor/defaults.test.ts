import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ShoalError } from '../../src/core/error.js'
import { isWanted, parseAutostart } from '../../src/supervisor/defaults.js'

/** The text, and which of a, b and c it starts. */
const CASES: readonly (readonly [string, string])[] = [
  ['', 'abc'],
  ['AUTOSTART=""', 'abc'],
  ['AUTOSTART="all"', 'abc'],
  ['AUTOSTART=all', 'abc'],
  ['AUTOSTART="none"', ''],
  ["AUTOSTART='a c'", 'ac'],
  ['AUTOSTART="  b\tc  "  # of three', 'bc'],
  ['  export AUTOSTART=b', 'b'],
  ['#AUTOSTART="none"\nDAEMON_ARGS="x $HOME"\r\nAUTOSTART="a"\r\n', 'a'],
  ['AUTOSTART="a"\nAUTOSTART="b"', 'b'],
  ['XAUTOSTART="none"', 'abc'],
]

for (const [text, expected] of CASES)
  test(`AUTOSTART: ${JSON.stringify(text)} starts ${expected === '' ? 'none' : [...expected]}`, () => {
    const autostart = parseAutostart(text, 'defaults')
    assert.equal([...'abc'].filter((name) => isWanted(name, autostart, [])).join(''), expected)
  })

test('AUTOSTART: what only a shell can work out is told with its line', () => {
  for (const text of ['\nAUTOSTART="$NAMES"', '\nAUTOSTART=`ls`', '\nAUTOSTART="a', '\nAUTOSTART=a b'])
    assert.throws(
      () => parseAutostart(text, '/etc/default/shoal'),
      (error) =>
        error instanceof ShoalError &&
        error.code === 'CONFIG_INVALID' &&
        error.message.startsWith('/etc/default/shoal:2:1: AUTOSTART'),
      text,
    )
})

test('AUTOSTART: names that are asked for run whatever it says, and no others', () => {
  const none = parseAutostart('AUTOSTART=none', 'defaults')
  assert.equal(isWanted('a', none, ['a']), true)
  assert.equal(isWanted('b', none, ['a']), false)
  assert.equal(isWanted('b', parseAutostart('', 'defaults'), ['a']), false)
})
