// Challenges and answers byte for byte: what decodes encodes to the same, and everything else is refused (F7).
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { WriterId } from '../../src/core/ids.js'
import {
  decodeChallenge,
  decodeChallengeAnswer,
  encodeChallenge,
  encodeChallengeAnswer,
  MAX_AUDIT_BYTES,
  MAX_CHALLENGED,
} from '../../src/swarm/audit-messages.js'

const nonce = Buffer.alloc(32, 7)
const WRITER = '0123456789abcdef' as WriterId

describe('a challenge and its answer', () => {
  it('come back as they were, the longest ones too', () => {
    for (const count of [0, 1, MAX_CHALLENGED]) {
      const pieces = Array.from({ length: count }, (_, i) => ({ writer: WRITER, index: 2 ** 31 - 1 - i }))
      const challenge = encodeChallenge({ nonce, pieces })
      assert.deepEqual(decodeChallenge(challenge), { type: 'ok', value: { nonce, pieces } })
      const proved = pieces.map((_, i) =>
        i % 3 === 0 ? Buffer.alloc(32, i) : i % 3 === 1 ? ('not-here' as const) : ('not-now' as const),
      )
      const answer = encodeChallengeAnswer({ nonce, pieces: proved })
      assert.deepEqual(decodeChallengeAnswer(answer), { type: 'ok', value: { nonce, pieces: proved } })
      assert.ok(Math.max(challenge.length, answer.length) <= MAX_AUDIT_BYTES)
    }
    const many = Array.from({ length: MAX_CHALLENGED + 1 }, () => ({ writer: WRITER, index: 1 }))
    assert.throws(() => encodeChallenge({ nonce, pieces: many }), RangeError)
  })

  it('are bytes that do not change', () => {
    const challenge = encodeChallenge({ nonce, pieces: [{ writer: WRITER, index: 300 }] })
    assert.equal(challenge.toString('hex'), `01${'07'.repeat(32)}01${WRITER}ac02`)
    const answer = encodeChallengeAnswer({ nonce, pieces: ['not-here', Buffer.alloc(32, 9), 'not-now'] })
    assert.equal(answer.toString('hex'), `01${'07'.repeat(32)}030001${'09'.repeat(32)}02`)
  })

  it('are refused or read, whatever the bytes, and never grow', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, isStart) => {
        const start = isStart ? Buffer.concat([Buffer.of(1), nonce]) : Buffer.alloc(0)
        const text = Buffer.concat([start, bytes])
        const challenge = decodeChallenge(text)
        if (challenge.type === 'ok') assert.ok(encodeChallenge(challenge.value).equals(text))
        const answer = decodeChallengeAnswer(text)
        if (answer.type === 'ok') assert.ok(encodeChallengeAnswer(answer.value).equals(text))
      }),
    )
    const long = Buffer.concat([Buffer.of(1), nonce, Buffer.of(0x81, 0x02)])
    assert.equal(decodeChallenge(long).type, 'violation', 'one more than MAX_CHALLENGED')
    assert.equal(decodeChallengeAnswer(long).type, 'violation')
  })
})
