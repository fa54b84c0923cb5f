import assert from 'node:assert/strict'
import { it } from 'node:test'
import { signCertificate } from '../../../src/core/certificate.js'
import { deviceKeysOf, feedKeyPairOf } from '../../../src/core/device.js'
import { keysOf, writeSecretOf } from '../../../src/core/secret.js'
import { EarlyCertificates } from '../../../src/daemon/blind/early-certificates.js'
import { feedKeyOf } from '../../../src/feed/key.js'

it('keeps each certificate that holds once, and of what is sent over and over nothing more', () => {
  const { shareId, publicKey, write } = keysOf(writeSecretOf(Buffer.alloc(32, 3)))
  const master = Buffer.alloc(32, 4)
  const certificate = (epoch: number): Buffer =>
    signCertificate(
      {
        ...{ shareId, device: deviceKeysOf(master).device, deviceName: 'server', epoch },
        feedKey: feedKeyOf(feedKeyPairOf(master, shareId, epoch).publicKey),
      },
      write!.signingSecretKey,
    )
  const early = new EarlyCertificates<string>(shareId, publicKey)
  const list = [certificate(0), certificate(1)]
  for (let i = 0; i < 500; i++) early.add('peer', [Buffer.alloc(300, i), ...list])
  for (let i = 0; i < 500; i++) early.add(`peer ${i}`, [certificate(0)])
  early.delete('peer 1')
  const taken = early.take()
  assert.equal(taken.length, 63)
  assert.deepEqual(taken[0], ['peer', list])
  assert.deepEqual(early.take(), [])
})
