import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toShoalError } from '../../src/core/error.js'

test('a part of the program that is not there any more is told of as such, without the paths of this machine', async () => {
  const missing: string = './no-such-part.js'
  const thrown: unknown = await import(missing).catch((error: unknown) => error)
  const error = toShoalError(thrown)
  assert.equal(error.code, 'INTERNAL')
  assert.match(error.message, /restart/)
  assert.ok(!error.message.includes('/'))
  assert.equal(error.cause, thrown)
})

test('what is thrown otherwise keeps its words', () => {
  assert.equal(toShoalError(new TypeError('x of y')).message, 'x of y')
  assert.equal(toShoalError('words').message, 'words')
})

for (const [thrown, words] of [
  [
    Object.assign(new Error("EMFILE: too many open files, open '/x/y.js'"), { code: 'EMFILE' }),
    /LimitNOFILE/,
  ],
  [new Error('folder job failed', { cause: new Error('ENFILE: file table overflow, open') }), /fs\.file-max/],
] as const)
  test(`want of open files is no bug, and what to do about it is said: ${thrown.message}`, () => {
    const error = toShoalError(thrown)
    assert.equal(error.code, 'IO')
    assert.match(error.message, words)
  })
