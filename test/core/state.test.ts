import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import sodium from 'sodium-native'
import { cleanDeviceName } from '../../src/core/certificate.js'
import { deviceIdFromKey, shareIdFromBytes, type WriterId } from '../../src/core/ids.js'
import { MAX_TIME_MS } from '../../src/core/record-public.js'
import {
  type DeviceState,
  EMPTY_DIGEST,
  holdsSame,
  MAX_STATE_BYTES,
  openState,
  sealState,
  stateHeader,
  UNKNOWN_DIGEST,
} from '../../src/core/state.js'
import { readFixture } from '../support/repository.js'
import { patternBytes } from './piece-pattern.js'
import { plain } from './record-samples.js'

const keys = { publicKey: Buffer.alloc(32), secretKey: Buffer.alloc(64) }
sodium.crypto_sign_seed_keypair(keys.publicKey, keys.secretKey, patternBytes(32, 50))
const stateKey = patternBytes(32, 51)
const shareId = shareIdFromBytes(patternBytes(32, 52))
const nonce = patternBytes(24, 53)
const device = deviceIdFromKey(keys.publicKey)
const sample: DeviceState = {
  device,
  name: 'Büro',
  grade: 'write',
  instance: '0123456789abcdef',
  sequence: 4711,
  timeMs: 1_760_000_000_000,
  feeds: [
    ['0000000000000001' as WriterId, 3],
    ['b2b2b2b2b2b2b2b2' as WriterId, 0],
  ],
  scope: 'all',
  digest: patternBytes(32, 54),
  releasesDigest: EMPTY_DIGEST,
  files: 100_000,
  bytes: 5_000_000_000_000,
  needFiles: 1,
  needBytes: 2,
  drift: 3,
  conflicts: 4,
  problems: 5,
}
const bytes = seal(sample)
const headerBytes = 3 + 32 + 2 + 24

describe('device state', () => {
  it('is frozen', () => {
    const fixture = readFixture('state.json') as { bytes: string }
    assert.equal(bytes.toString('hex'), fixture.bytes)
  })

  it('is frozen where it tells of releases, which is format 2', () => {
    const fixture = readFixture('state-releases.json') as { bytes: string }
    const state: DeviceState = { ...sample, scope: 'releases', releasesDigest: patternBytes(32, 56) }
    assert.equal(seal(state).toString('hex'), fixture.bytes)
  })

  it('opens to what was sealed, and shows every grade who made it and which it is', () => {
    const counts = fc.maxSafeNat()
    const feeds = fc
      .uniqueArray(fc.tuple(fc.uint8Array({ minLength: 8, maxLength: 8 }), counts), {
        maxLength: 20,
        selector: ([id]) => Buffer.from(id).toString('hex'),
      })
      .map((all) => all.map(([id, length]) => [Buffer.from(id).toString('hex') as WriterId, length] as const))
      .map((all) => all.sort(([a], [b]) => (a < b ? -1 : 1)))
    const states: fc.Arbitrary<DeviceState> = plain({
      device: fc.constant(device),
      name: fc.string({ unit: 'grapheme' }).map(cleanDeviceName),
      grade: fc.constantFrom('write', 'read'),
      instance: fc.stringMatching(/^[0-9a-f]{1,64}$/),
      sequence: counts,
      timeMs: fc.integer({ min: 0, max: MAX_TIME_MS }),
      feeds,
      scope: fc.constantFrom('all', 'releases'),
      digest: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((hash) => Buffer.from(hash)),
      releasesDigest: fc.oneof(
        fc.constant(EMPTY_DIGEST),
        fc.uint8Array({ minLength: 32, maxLength: 32 }).map((hash) => Buffer.from(hash)),
      ),
      files: counts,
      bytes: counts,
      needFiles: counts,
      needBytes: counts,
      drift: counts,
      conflicts: counts,
      problems: counts,
    })
    fc.assert(
      fc.property(states, (state) => {
        const sealed = seal(state)
        assert.deepEqual(openState(sealed, stateKey, shareId), { type: 'ok', value: state })
        assert.deepEqual(stateHeader(sealed, shareId), {
          type: 'ok',
          value: { device, sequence: state.sequence },
        })
      }),
    )
  })

  it('cannot be read without the state key, nor passed off as of another share', () => {
    assert.equal(codeOf(openState(bytes, Buffer.alloc(32), shareId)), 'bad-seal')
    const other = shareIdFromBytes(Buffer.alloc(32))
    assert.equal(codeOf(openState(bytes, stateKey, other)), 'bad-signature')
    assert.equal(codeOf(stateHeader(bytes, other)), 'bad-signature')
    assert.equal(bytes.includes('Büro'), false)
  })

  it('cannot be moved to another device or sequence by signing it again', () => {
    const other = { publicKey: Buffer.alloc(32), secretKey: Buffer.alloc(64) }
    sodium.crypto_sign_seed_keypair(other.publicKey, other.secretKey, patternBytes(32, 55))
    const stolen = Buffer.from(bytes.subarray(0, bytes.length - 64))
    other.publicKey.copy(stolen, 3)
    const label = Buffer.from('shoal 2025 device state v1\0')
    const signature = Buffer.alloc(64)
    const message = Buffer.concat([label, Buffer.from(shareId, 'hex'), stolen])
    sodium.crypto_sign_detached(signature, message, other.secretKey)
    const signed = Buffer.concat([stolen, signature])
    assert.equal(stateHeader(signed, shareId).type, 'ok')
    assert.equal(codeOf(openState(signed, stateKey, shareId)), 'bad-seal')
  })

  it('does not open cut, longer or with any bit changed (F7)', () => {
    for (let length = 0; length < bytes.length; length++) refused(bytes.subarray(0, length))
    refused(Buffer.concat([bytes, Buffer.alloc(1)]))
    refused(Buffer.alloc(MAX_STATE_BYTES + 1))
    for (let bit = 0; bit < bytes.length * 8; bit += 3) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      refused(changed)
    }
  })

  it('gives a violation for any bytes (F7)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (any) => {
        refused(Buffer.from(any))
        refused(Buffer.concat([bytes.subarray(0, headerBytes), any]))
      }),
    )
  })

  it('refuses to seal what breaks a rule', () => {
    const broken: Partial<DeviceState>[] = [
      { instance: '' },
      { instance: 'a b' },
      { instance: 'x'.repeat(65) },
      { digest: Buffer.alloc(31) },
      { files: -1 },
      { bytes: 0.5 },
      { timeMs: MAX_TIME_MS + 1 },
      { feeds: [...sample.feeds].reverse() },
    ]
    for (const change of broken) assert.throws(() => seal({ ...sample, ...change }), JSON.stringify(change))
    assert.throws(() => sealState(sample, keys.secretKey, stateKey, shareId, Buffer.alloc(23)), {
      code: 'INTERNAL',
    })
  })
})

function seal(state: DeviceState): Buffer {
  return sealState(state, keys.secretKey, stateKey, shareId, nonce)
}

function refused(blob: Buffer): void {
  assert.equal(openState(blob, stateKey, shareId).type, 'violation')
  assert.equal(stateHeader(blob, shareId).type, 'violation')
}

function codeOf(decoded: { type: 'ok' } | { type: 'violation'; code: string }): string | undefined {
  return decoded.type === 'violation' ? decoded.code : undefined
}

describe('what two devices compare', () => {
  const [one, other] = [patternBytes(32, 60), patternBytes(32, 61)]
  const all = { scope: 'all', digest: one, releasesDigest: EMPTY_DIGEST } as const
  const follower = { scope: 'releases', digest: other, releasesDigest: other } as const

  it('is everything, or what the one holds that holds less', () => {
    assert.equal(holdsSame(all, { ...all, releasesDigest: other }), true)
    assert.equal(holdsSame(all, { ...all, digest: other }), false)
    assert.equal(holdsSame(all, follower), false)
    assert.equal(holdsSame({ ...all, releasesDigest: other }, follower), true)
    assert.equal(holdsSame(follower, { ...all, releasesDigest: other }), true)
    assert.equal(holdsSame(follower, follower), true)
  })

  it('is nothing of a device that has not looked at its disk', () => {
    const unsure = { ...all, digest: UNKNOWN_DIGEST, releasesDigest: other }
    assert.equal(holdsSame(unsure, follower), false)
    assert.equal(holdsSame(follower, unsure), false)
  })
})
