import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { deviceKeysOf, feedKeyPairOf } from '../../src/core/device.js'
import { type ShareId, shareIdFromBytes } from '../../src/core/ids.js'
import { readFixture } from '../support/repository.js'

interface DeviceFixture {
  readonly masterSeed: string
  readonly device: string
  readonly secretKey: string
  readonly feeds: readonly {
    readonly shareId: string
    readonly epoch: number
    readonly publicKey: string
    readonly secretKey: string
  }[]
}

/** Frozen for ever: a change here gives every device another identity and other feeds. */
const fixture = readFixture('secret-device.json') as DeviceFixture
const masterSeed = Buffer.from(fixture.masterSeed, 'hex')

describe('device keys (K4)', () => {
  it('are frozen', () => {
    const keys = deviceKeysOf(masterSeed)
    assert.equal(keys.device, fixture.device)
    assert.equal(keys.publicKey.toString('hex'), fixture.device)
    assert.equal(keys.secretKey.toString('hex'), fixture.secretKey)
    for (const feed of fixture.feeds) {
      const pair = feedKeyPairOf(masterSeed, feed.shareId as ShareId, feed.epoch)
      assert.equal(pair.publicKey.toString('hex'), feed.publicKey)
      assert.equal(pair.secretKey.toString('hex'), feed.secretKey)
    }
  })

  it('give each share and each epoch its own feed (F4)', () => {
    const shareIds = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => shareIdFromBytes(bytes))
    fc.assert(
      fc.property(shareIds, shareIds, fc.maxSafeNat(), fc.maxSafeNat(), (a, b, e, f) => {
        const same = a === b && e === f
        const left = feedKeyPairOf(masterSeed, a, e).publicKey
        assert.equal(left.equals(feedKeyPairOf(masterSeed, b, f).publicKey), same)
        assert.ok(!left.equals(deviceKeysOf(masterSeed).publicKey))
      }),
    )
  })

  it('refuse a seed of another length and an epoch that is no count', () => {
    const shareId = shareIdFromBytes(Buffer.alloc(32))
    assert.throws(() => deviceKeysOf(Buffer.alloc(31)), { code: 'INTERNAL' })
    assert.throws(() => feedKeyPairOf(Buffer.alloc(33), shareId, 0), { code: 'INTERNAL' })
    for (const epoch of [-1, 0.5, Number.NaN, 2 ** 53])
      assert.throws(() => feedKeyPairOf(masterSeed, shareId, epoch), { code: 'INTERNAL' })
  })

  it('never print key material by accident', () => {
    const keys = deviceKeysOf(masterSeed)
    assert.equal(inspect({ keys }), '{ keys: [device keys] }')
    assert.equal(
      JSON.stringify(feedKeyPairOf(masterSeed, shareIdFromBytes(Buffer.alloc(32)), 0)),
      '"[feed keys]"',
    )
  })
})
