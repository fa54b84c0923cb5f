// The messages in which members say all that they hold (holdings-messages.ts): they come back as they went, and any bytes
// are an answer, never a crash.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { MAX_PIECES } from '../../src/core/bitfield.js'
import type { WriterId } from '../../src/core/ids.js'
import {
  decodeAsk,
  decodeEnd,
  decodeFeed,
  encodeAsk,
  encodeEnd,
  encodeFeed,
  MAX_FEED_BYTES,
  NONCE_BYTES,
} from '../../src/swarm/holdings-messages.js'

const nonce = fc
  .uint8Array({ minLength: NONCE_BYTES, maxLength: NONCE_BYTES })
  .map((bytes) => Buffer.from(bytes))
const WRITER = '0102030405060708' as WriterId

test('questions and answers come back as they went', () => {
  fc.assert(
    fc.property(nonce, fc.boolean(), (nonce, looksFirst) =>
      assert.deepEqual(decodeAsk(encodeAsk({ nonce, looksFirst })), {
        type: 'ok',
        value: { nonce, looksFirst },
      }),
    ),
  )
  fc.assert(
    fc.property(nonce, fc.uint8Array({ maxLength: 300 }), (nonce, array) => {
      const feed = { nonce, writer: WRITER, pieceCount: array.length * 8, have: Buffer.from(array) }
      assert.deepEqual(decodeFeed(encodeFeed(feed)), { type: 'ok', value: feed })
    }),
  )
  const standing = fc.constantFrom('working', 'at-rest', 'unread', 'halted', 'paused')
  fc.assert(
    fc.property(nonce, standing, fc.boolean(), fc.nat(), (nonce, standing, isOffsite, length) => {
      const end = { nonce, standing, isOffsite, view: [[WRITER, length]] as const }
      assert.deepEqual(decodeEnd(encodeEnd(end)), { type: 'ok', value: end })
    }),
  )
})

test('F7: any bytes are an answer, never a crash', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (array) => {
      for (const decode of [decodeAsk, decodeFeed, decodeEnd])
        assert.match(decode(Buffer.from(array)).type, /^(ok|violation)$/)
    }),
  )
})

test('F7: a bitfield is as long as its count of pieces says, whatever it inflates to', () => {
  const of = (pieceCount: number, have: Uint8Array): string =>
    decodeFeed(encodeFeed({ nonce: Buffer.alloc(NONCE_BYTES), writer: WRITER, pieceCount, have })).type
  assert.equal(of(9, new Uint8Array(2)), 'ok')
  assert.equal(of(0, new Uint8Array(0)), 'ok')
  assert.equal(of(0, new Uint8Array(1)), 'violation')
  assert.equal(of(9, new Uint8Array(1)), 'violation')
  // A few kilobytes that would become a hundred megabytes.
  assert.equal(of(16, new Uint8Array(100 << 20)), 'violation')
  assert.equal(of(MAX_PIECES + 1, new Uint8Array((MAX_PIECES >> 3) + 1)), 'violation')
  const whole = encodeFeed({
    ...{ nonce: Buffer.alloc(NONCE_BYTES), writer: WRITER, pieceCount: MAX_PIECES },
    have: new Uint8Array(MAX_PIECES >> 3).map((_, i) => (i * 2654435761) >>> 24),
  })
  assert.ok(whole.length <= MAX_FEED_BYTES)
  assert.equal(decodeFeed(whole).type, 'ok')
  const [head, rest] = [whole.subarray(0, 30), deflateRawSync(Buffer.alloc(5))]
  assert.equal(decodeFeed(Buffer.concat([head, rest])).type, 'violation')
})
