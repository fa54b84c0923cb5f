import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MAX_PIECES } from '../../../src/core/bitfield.js'
import {
  answerHeader,
  decodeRun,
  encodeRun,
  MAX_RUN_BYTES,
  MAX_RUN_PIECES,
  type RunMessage,
} from '../../../src/exchange/runs/run-message.js'

const first = fc.nat(MAX_PIECES - MAX_RUN_PIECES)
const count = fc.integer({ min: 1, max: MAX_RUN_PIECES })
const pieces = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes))
const message: fc.Arbitrary<RunMessage> = fc.oneof(
  fc.record({
    type: fc.constant('ask' as const),
    first,
    count,
    bytes: fc.integer({ min: 1, max: MAX_RUN_BYTES }),
  }),
  fc.record({ type: fc.constant('answer' as const), first, count, pieces }),
  fc.record({ type: fc.constantFrom('refuse' as const, 'cancel' as const), first, count }),
)

test('runs: what is said of one reads back the same', () => {
  fc.assert(fc.property(message, (said) => assert.deepEqual(decodeRun(encodeRun(said)), { ...said })))
})

test('runs: an answer is its header and the pieces', () => {
  const bytes = Buffer.concat([answerHeader({ first: 7, count: 2 }), Buffer.from('two pieces')])
  const answer = { type: 'answer', first: 7, count: 2, pieces: Buffer.from('two pieces') }
  assert.deepEqual(decodeRun(bytes), answer)
})

test('F7: whatever a peer says of runs is understood or a violation, and never an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
      const decoded = decodeRun(Buffer.from(bytes))
      if (decoded.type !== 'violation') assert.deepEqual(encodeRun(decoded), Buffer.from(bytes))
    }),
  )
})

for (const [name, hex] of [
  ['nothing', ''],
  ['an unknown type', '04000000000001'],
  ['no piece', '02000000000000'],
  ['more pieces than there may be', '02000000000101'],
  ['numbers that no feed has', '0200ffffff0002'],
  ['no bytes', '0000000000000100000000'],
  ['more bytes than there may be', '0000000000000100060001'],
  ['a refusal with more behind it', '0200000000000100'],
  ['a request that is cut off', '00000000000001000000'],
] as const)
  test(`F7: a message about runs with ${name} is a violation`, () => {
    const decoded = decodeRun(Buffer.from(hex, 'hex'))
    assert.equal(decoded.type, 'violation')
  })
