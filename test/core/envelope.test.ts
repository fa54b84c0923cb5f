// What holds of all envelopes; each kind's own bytes and bodies: state, blind-state and report tests.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import sodium from 'sodium-native'
import {
  claimedMaker,
  type EnvelopeKind,
  envelopeHeader,
  envelopeKind,
  isOfKind,
  openEnvelope,
  sealEnvelope,
} from '../../src/core/envelope.js'
import { deviceIdFromKey, shareIdFromBytes } from '../../src/core/ids.js'
import { sign } from '../../src/core/seal.js'
import { decoding } from '../../src/core/violation.js'
import { patternBytes } from './piece-pattern.js'

const pair = { publicKey: Buffer.alloc(32), secretKey: Buffer.alloc(64) }
sodium.crypto_sign_seed_keypair(pair.publicKey, pair.secretKey, patternBytes(32, 70))
const device = deviceIdFromKey(pair.publicKey)
const keys = { shareId: shareIdFromBytes(patternBytes(32, 71)), sealKey: patternBytes(32, 72) }
const [one, other] = ['one', 'other'].map((noun) =>
  envelopeKind({
    ...{ noun, magic: noun.slice(0, 2), formats: [1, 3], maxBytes: 200 },
    ...{ sealLabel: `test ${noun} seal`, signLabel: `test ${noun}` },
  }),
) as [EnvelopeKind, EnvelopeKind]
const message = { device, sequence: 300, format: 3, body: Buffer.from('what is said') }
const bytes = sealEnvelope(one, message, { ...keys, deviceSecretKey: pair.secretKey }, patternBytes(24, 73))

const codeOf = (open: () => unknown): string => {
  const decoded = decoding(open)
  return decoded.type === 'ok' ? 'ok' : decoded.code
}

describe('envelope', () => {
  it('gives back what was sealed, and shows anybody who made it and which it is', () => {
    const { header, format, body } = openEnvelope(one, bytes, keys)
    assert.deepEqual(header, { device, sequence: 300 })
    assert.deepEqual([format, body.take(body.left)], [3, message.body])
    assert.deepEqual(envelopeHeader(one, bytes, keys.shareId), header)
    assert.equal(claimedMaker(bytes), device)
    assert.ok(isOfKind(one, bytes) && !isOfKind(other, bytes))
  })

  it('is never one of another kind, not even when its device relabels and signs it', () => {
    assert.equal(
      codeOf(() => openEnvelope(other, bytes, keys)),
      'bad-magic',
    )
    const relabelled = Buffer.concat([Buffer.from('ot'), bytes.subarray(2, -64)])
    const signature = sign([other.signLabel, Buffer.from(keys.shareId, 'hex'), relabelled], pair.secretKey)
    const forged = Buffer.concat([relabelled, signature])
    assert.equal(
      codeOf(() => envelopeHeader(other, forged, keys.shareId)),
      'ok',
    )
    assert.equal(
      codeOf(() => openEnvelope(other, forged, keys)),
      'bad-seal',
    )
  })

  it('is refused in a format that is not known, and when it is too long either way', () => {
    const only: EnvelopeKind = { ...one, formats: [1] }
    assert.equal(
      codeOf(() => openEnvelope(only, bytes, keys)),
      'bad-format',
    )
    assert.equal(
      codeOf(() => openEnvelope(one, Buffer.alloc(201), keys)),
      'too-long',
    )
    const long = { ...message, body: Buffer.alloc(100) }
    assert.throws(
      () => sealEnvelope(one, long, { ...keys, deviceSecretKey: pair.secretKey }, patternBytes(24, 73)),
      { code: 'INTERNAL' },
    )
  })
})
