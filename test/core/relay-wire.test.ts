import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ShoalError } from '../../src/core/error.js'
import { deviceIdFromKey } from '../../src/core/ids.js'
import {
  formatRelayPass,
  isRelaySigned,
  parseRelayPass,
  relayTagOf,
  signRelay,
} from '../../src/core/relay-pass.js'
import {
  decodeNodeMessage,
  decodeRelayMessage,
  encodeNodeMessage,
  encodeRelayMessage,
  MAX_NODE_FRAME_BYTES,
  type NodeMessage,
  nextFrame,
  REFUSALS,
  type RelayMessage,
} from '../../src/core/relay-wire.js'
import { deriveSecret, formatSecret, keysOf, writeSecretOf } from '../../src/core/secret.js'

const bytes = (length: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((each) => Buffer.from(each))
const [pass, tag, ticket, challenge, signature] = [32, 16, 16, 32, 64].map(bytes) as [
  fc.Arbitrary<Buffer>,
  fc.Arbitrary<Buffer>,
  fc.Arbitrary<Buffer>,
  fc.Arbitrary<Buffer>,
  fc.Arbitrary<Buffer>,
]
const why = fc.constantFrom(...REFUSALS)
const tags = fc.array(tag, { minLength: 1, maxLength: 200 })

const fromRelay: fc.Arbitrary<RelayMessage> = fc.oneof(
  fc.record({ type: fc.constant('welcome' as const), version: fc.constant(1), challenge }),
  fc.record({ type: fc.constant('accepted' as const), pass }),
  fc.record({ type: fc.constant('refused' as const), why, pass }),
  fc.record({ type: fc.constant('here' as const), pass, tags }),
  fc.record({ type: fc.constant('gone' as const), pass, tags }),
  fc.record({
    type: fc.constant('ticket' as const),
    role: fc.constantFrom('caller' as const, 'called' as const),
    pass,
    tag,
    ticket,
  }),
  fc.record({ type: fc.constant('not-called' as const), why, pass, tag }),
  fc.record({ type: fc.constant('joined' as const) }),
  fc.record({ type: fc.constant('pong' as const) }),
)
const fromNode: fc.Arbitrary<NodeMessage> = fc.oneof(
  fc.record({ type: fc.constant('present' as const), pass, tag, signature }),
  fc.record({ type: fc.constant('leave' as const), pass }),
  fc.record({ type: fc.constant('call' as const), pass, tag }),
  fc.record({ type: fc.constant('join' as const), ticket, pass, signature }),
  fc.record({ type: fc.constant('ping' as const) }),
)

/** All frames in the bytes, and what is left of them. */
function framesOf(all: Buffer): Buffer[] {
  const frames: Buffer[] = []
  for (let rest = all; ; ) {
    const next = nextFrame(rest)
    assert.equal(next.type, 'ok')
    if (next.type !== 'ok' || next.value === undefined) return frames
    frames.push(next.value.frame)
    rest = rest.subarray(next.value.took)
  }
}

describe('frames of relays', () => {
  it('say what was said', () => {
    fc.assert(
      fc.property(fromRelay, (message) => {
        const frames = framesOf(encodeRelayMessage(message))
        assert.deepEqual(frames.map(decodeRelayMessage), [{ type: 'ok', value: { ...message } }])
      }),
    )
    fc.assert(
      fc.property(fromNode, (message) => {
        const encoded = encodeNodeMessage(message)
        assert.ok(encoded.length <= MAX_NODE_FRAME_BYTES)
        assert.deepEqual(framesOf(encoded).map(decodeNodeMessage), [{ type: 'ok', value: { ...message } }])
      }),
    )
  })

  it('have frozen bytes', () => {
    const [p, t] = [Buffer.alloc(32, 0xaa), Buffer.alloc(16, 0xbb)]
    const hex = (encoded: Buffer): string => encoded.toString('hex')
    assert.equal(
      hex(encodeRelayMessage({ type: 'welcome', version: 1, challenge: p })),
      `002d01${Buffer.from('shoal-relay').toString('hex')}01${'aa'.repeat(32)}`,
    )
    assert.equal(
      hex(encodeRelayMessage({ type: 'refused', why: 'busy', pass: p })),
      `00220302${'aa'.repeat(32)}`,
    )
    assert.equal(
      hex(encodeNodeMessage({ type: 'call', pass: p, tag: t })),
      `003143${'aa'.repeat(32)}${'bb'.repeat(16)}`,
    )
    assert.equal(hex(encodeNodeMessage({ type: 'ping' })), '000145')
  })

  it('of a long list are several, each short enough', () => {
    const list = Array.from({ length: 450 }, (_, i) => Buffer.alloc(16, i))
    const frames = framesOf(encodeRelayMessage({ type: 'here', pass: Buffer.alloc(32), tags: list }))
    const got = frames.flatMap((frame) => {
      const message = decodeRelayMessage(frame)
      return message.type === 'ok' && message.value?.type === 'here' ? message.value.tags : []
    })
    assert.equal(frames.length, 3)
    assert.deepEqual(got, list)
  })

  it('are refused, or passed over, whatever bytes come', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (garbage) => {
        for (const decode of [decodeRelayMessage, decodeNodeMessage])
          assert.match(decode(Buffer.from(garbage)).type, /^(ok|violation)$/)
        const next = nextFrame(Buffer.from(garbage), MAX_NODE_FRAME_BYTES)
        if (next.type === 'ok' && next.value !== undefined) assert.ok(next.value.frame.length > 0)
      }),
    )
    assert.deepEqual(decodeRelayMessage(Buffer.of(99, 1, 2)), { type: 'ok', value: undefined })
    assert.equal(decodeNodeMessage(Buffer.of(99)).type, 'violation')
    assert.equal(nextFrame(Buffer.of(1, 0), MAX_NODE_FRAME_BYTES).type, 'violation')
  })

  it('of a later version are understood as far as their number', () => {
    const welcome = encodeRelayMessage({ type: 'welcome', version: 2, challenge: Buffer.alloc(32) })
    const longer = Buffer.concat([welcome.subarray(2), Buffer.from('and more')])
    const message = decodeRelayMessage(longer)
    assert.ok(message.type === 'ok' && message.value?.type === 'welcome')
    assert.equal(message.value.version, 2)
  })
})

describe('relay passes', () => {
  const write = writeSecretOf(Buffer.alloc(32, 7))
  const keys = keysOf(write).relay

  it('are the same for every grade of a share, and others for another share', () => {
    for (const grade of ['read', 'blind'] as const)
      assert.deepEqual({ ...keysOf(deriveSecret(write, grade)).relay }, { ...keys })
    assert.notDeepEqual(keysOf(writeSecretOf(Buffer.alloc(32, 8))).relay.pass, keys.pass)
  })

  it('are read as they are written, and told where they are wrong without a word of them', () => {
    const text = formatRelayPass(keys.pass)
    assert.match(text, /^shoalp1[0-9a-z]+$/)
    assert.deepEqual(parseRelayPass(text), keys.pass)
    const wrong: readonly [string, RegExp][] = [
      [text.slice(0, -1), /has 66 characters, this one has 65/],
      [`${text.slice(0, -1)}${text.endsWith('q') ? 'p' : 'q'}`, /checksum does not match/],
      [text.slice(0, 20) + text.slice(20).toUpperCase(), /checksum/],
      [formatSecret(write), /this is a secret, not a relay pass/],
      ['hello', /begins with shoalp1, this text of 5 characters does not/],
    ]
    for (const [bad, message] of wrong)
      assert.throws(
        () => parseRelayPass(bad),
        (thrown: unknown) => {
          assert.ok(thrown instanceof ShoalError && thrown.code === 'CONFIG_INVALID')
          assert.match(thrown.message, message)
          assert.ok(!thrown.message.includes(bad.slice(-12)))
          return true
        },
      )
  })

  it('sign for one act, one connection and one thing', () => {
    const [nonce, what] = [Buffer.alloc(32, 1), Buffer.alloc(16, 2)]
    const made = signRelay(keys, 'present', nonce, what)
    assert.ok(isRelaySigned(keys.pass, 'present', nonce, what, made))
    assert.ok(!isRelaySigned(keys.pass, 'join', nonce, what, made))
    assert.ok(!isRelaySigned(keys.pass, 'present', what, nonce, made))
    assert.ok(!isRelaySigned(Buffer.alloc(32, 3), 'present', nonce, what, made))
  })

  it('name devices by tags that differ between shares', () => {
    const device = deviceIdFromKey(Buffer.alloc(32, 5))
    const other = keysOf(writeSecretOf(Buffer.alloc(32, 8))).relay
    assert.equal(relayTagOf(keys, device).length, 16)
    assert.notDeepEqual(relayTagOf(keys, device), relayTagOf(other, device))
    assert.deepEqual(relayTagOf(keys, device), relayTagOf(keys, device))
  })
})
