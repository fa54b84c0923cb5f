import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import sodium from 'sodium-native'
import { type BlindState, isBlindState, openBlindState, sealBlindState } from '../../src/core/blind-state.js'
import { deviceIdFromKey, shareIdFromBytes, type WriterId } from '../../src/core/ids.js'
import { openState, stateHeader } from '../../src/core/state.js'
import { readFixture } from '../support/repository.js'
import { patternBytes } from './piece-pattern.js'

const keys = { publicKey: Buffer.alloc(32), secretKey: Buffer.alloc(64) }
sodium.crypto_sign_seed_keypair(keys.publicKey, keys.secretKey, patternBytes(32, 60))
const key = patternBytes(32, 61)
const shareId = shareIdFromBytes(patternBytes(32, 62))
const sample: BlindState = {
  device: deviceIdFromKey(keys.publicKey),
  name: 'Keller',
  instance: '0123456789abcdef',
  sequence: 4711,
  timeMs: 1_760_000_000_000,
  feeds: [['0000000000000001' as WriterId, 3]],
  ...{ pieces: 1000, bytes: 5_000_000_000_000, missingPieces: 1, missingBytes: 2 },
  ...{ pastPieces: 3, pastBytes: 4, problems: 5, offsite: true },
}
const bytes = sealBlindState(sample, keys.secretKey, key, shareId, patternBytes(24, 63))

describe('blind state', () => {
  it('is frozen', () => {
    const fixture = readFixture('blind-state.json') as { bytes: string }
    assert.equal(bytes.toString('hex'), fixture.bytes)
  })

  it('opens to what was sealed', () => {
    assert.ok(isBlindState(bytes))
    assert.deepEqual(openBlindState(bytes, key, shareId), { type: 'ok', value: sample })
    fc.assert(
      fc.property(fc.boolean(), fc.maxSafeNat(), fc.nat(1000), (offsite, sequence, more) => {
        const state = { ...sample, offsite, sequence, pieces: 1 + more, missingPieces: 1 }
        const sealed = sealBlindState(state, keys.secretKey, key, shareId, patternBytes(24, 64))
        assert.deepEqual(openBlindState(sealed, key, shareId), { type: 'ok', value: state })
      }),
    )
  })

  it('is no state of a device that reads, nor the other way round', () => {
    assert.equal(openState(bytes, key, shareId).type, 'violation')
    assert.equal(stateHeader(bytes, shareId).type, 'violation')
  })

  it('is refused when any bit of it is turned, or it is cut, or of another share', () => {
    for (let at = 0; at < bytes.length; at++) {
      const bad = Buffer.from(bytes)
      bad[at]! ^= 1 << (at % 8)
      assert.equal(openBlindState(bad, key, shareId).type, 'violation', `byte ${at}`)
      assert.equal(openBlindState(bytes.subarray(0, at), key, shareId).type, 'violation')
    }
    assert.equal(openBlindState(bytes, patternBytes(32, 65), shareId).type, 'violation')
    assert.equal(openBlindState(bytes, key, shareIdFromBytes(patternBytes(32, 66))).type, 'violation')
  })

  it('does not lack more than there is', () => {
    const bad = { ...sample, missingPieces: 1001 }
    const sealed = sealBlindState(bad, keys.secretKey, key, shareId, patternBytes(24, 67))
    assert.equal(openBlindState(sealed, key, shareId).type, 'violation')
  })
})
