import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { withoutSecrets } from '../../src/supervisor/blank.js'

const SECRET = 'shoalw1abcdefghijklmnopqrstuvwxyz'

test('blank: secrets go, all else keeps its place', () => {
  const text = `// secret: "${SECRET}" in a comment is no value
{"secret" /* here */ : "${SECRET}",\r\n  "s\\u0065cret":"${SECRET}", "dir": "secret", "x": ["secret", "${SECRET}"],
  "secret": {"file": "${SECRET}"}, "secret": "short"}`
  const blanked = withoutSecrets(text)
  assert.equal(blanked.length, text.length)
  assert.deepEqual(
    [...blanked.matchAll(/\r\n|\n/g)].map(({ index }) => index),
    [...text.matchAll(/\r\n|\n/g)].map(({ index }) => index),
  )
  const stand = '{"file":"-"}'.padEnd(SECRET.length + 2)
  assert.ok(blanked.includes(`"secret" /* here */ : ${stand},`))
  assert.ok(blanked.includes(`"s\\u0065cret":${stand},`))
  assert.ok(blanked.includes(`["secret", "${SECRET}"]`))
  assert.ok(blanked.endsWith('"secret": "short"}'))
})

test('blank: no text makes it throw or changes its length', () => {
  const part = fc.oneof(
    fc.constantFrom('{', '}', '"secret"', ':', `"${SECRET}"`, '"', '\\', '//', '/*', '[', ','),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
      const text = parts.join('')
      assert.equal(withoutSecrets(text).length, text.length)
    }),
  )
})

test('blank: what is nested deep is read without recursion', () => {
  const depth = 200_000
  const text = `${'['.repeat(depth)}{"secret":"${SECRET}"}`
  assert.ok(!withoutSecrets(text).includes(SECRET))
})
