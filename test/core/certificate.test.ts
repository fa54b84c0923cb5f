import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import sodium from 'sodium-native'
import {
  type Certificate,
  cleanDeviceName,
  deviceLabel,
  MAX_CERTIFICATE_BYTES,
  MAX_DEVICE_NAME_BYTES,
  openCertificate,
  signCertificate,
} from '../../src/core/certificate.js'
import { deviceIdFromKey, shareIdFromBytes, writerIdOf } from '../../src/core/ids.js'
import { readFixture } from '../support/repository.js'
import { patternBytes } from './piece-pattern.js'

const keys = { publicKey: Buffer.alloc(32), secretKey: Buffer.alloc(64) }
sodium.crypto_sign_seed_keypair(keys.publicKey, keys.secretKey, patternBytes(32, 30))
const shareId = shareIdFromBytes(patternBytes(32, 31))
const sample: Certificate = {
  shareId,
  feedKey: patternBytes(32, 32),
  device: deviceIdFromKey(patternBytes(32, 33)),
  deviceName: 'Küche 😀',
  epoch: 300,
}
const bytes = signCertificate(sample, keys.secretKey)
const arbitraryNames = fc.string({ unit: 'binary', maxLength: 200 })

describe('certificate (K5)', () => {
  it('is frozen', () => {
    const fixture = readFixture('certificate.json') as { bytes: string }
    assert.equal(bytes.toString('hex'), fixture.bytes)
  })

  it('opens to what was signed', () => {
    const hashes = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((hash) => Buffer.from(hash))
    fc.assert(
      fc.property(hashes, hashes, arbitraryNames, fc.maxSafeNat(), (feedKey, device, name, epoch) => {
        const certificate = {
          shareId,
          feedKey,
          device: deviceIdFromKey(device),
          deviceName: cleanDeviceName(name),
          epoch,
        }
        const signed = signCertificate({ ...certificate, deviceName: name }, keys.secretKey)
        assert.ok(signed.length <= MAX_CERTIFICATE_BYTES)
        assert.deepEqual(openCertificate(signed, shareId, keys.publicKey), {
          type: 'ok',
          value: { ...certificate, writer: writerIdOf(feedKey) },
        })
      }),
    )
  })

  it('does not open for another share or under another key', () => {
    const otherShare = shareIdFromBytes(Buffer.alloc(32))
    assert.equal(codeOf(openCertificate(bytes, otherShare, keys.publicKey)), 'bad-signature')
    assert.equal(codeOf(openCertificate(bytes, shareId, patternBytes(32, 34))), 'bad-signature')
  })

  it('does not open cut, longer, or with any bit changed (F7)', () => {
    for (let length = 0; length < bytes.length; length++)
      assert.notEqual(codeOf(openCertificate(bytes.subarray(0, length), shareId, keys.publicKey)), undefined)
    const longer = Buffer.concat([bytes, Buffer.alloc(1)])
    assert.equal(codeOf(openCertificate(longer, shareId, keys.publicKey)), 'trailing')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      assert.notEqual(codeOf(openCertificate(changed, shareId, keys.publicKey)), undefined, `bit ${bit}`)
    }
  })

  it('gives a violation for any bytes (F7)', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (any) => {
        const dressed = Buffer.concat([Buffer.from('SC\x01'), any])
        for (const blob of [Buffer.from(any), dressed])
          assert.equal(openCertificate(blob, shareId, keys.publicKey).type, 'violation')
      }),
    )
  })

  it('is refused if its name is not clean, though signed', () => {
    const name = Buffer.from('Küche')
    const at = bytes.indexOf(name)
    const body = Buffer.from(bytes.subarray(0, bytes.length - 64))
    body[at] = 0x1b
    const signature = Buffer.alloc(64)
    const label = Buffer.from('shoal 2025 certificate v1\0')
    const message = Buffer.concat([label, Buffer.from(shareId, 'hex'), body])
    sodium.crypto_sign_detached(signature, message, keys.secretKey)
    const signed = Buffer.concat([body, signature])
    assert.equal(codeOf(openCertificate(signed, shareId, keys.publicKey)), 'bad-name')
  })
})

describe('device name', () => {
  it('cleans anything to something printable, and a clean name to itself', () => {
    fc.assert(
      fc.property(arbitraryNames, (text) => {
        const name = cleanDeviceName(text)
        assert.equal(cleanDeviceName(name), name)
        assert.ok(name.length > 0 && Buffer.byteLength(name) <= MAX_DEVICE_NAME_BYTES)
        assert.ok(!/[\p{Cc}\u202e\u2028]/u.test(name) && name.isWellFormed())
      }),
    )
    assert.equal(cleanDeviceName(' a\u001b[31m\nb\u202ec '), 'a[31mbc')
    assert.equal(cleanDeviceName('\ud800'), '\ufffd')
    assert.equal(cleanDeviceName(' \n'), 'device')
    assert.equal(cleanDeviceName(`${'é'.repeat(63)} x y`), `${'é'.repeat(63)} x`)
  })

  it('becomes a label of 1 to 24 safe characters, the same every time (V5)', () => {
    const cases: [string, string][] = [
      ['laptop', 'laptop'],
      ["Anna's MacBook Pro", 'Anna-s-MacBook-Pro'],
      ['host.example.org', 'host-example-org'],
      ['--x--', 'x'],
      ['a'.repeat(30), 'a'.repeat(24)],
      ['abcdefghijklmnopqrstuvw xyz', 'abcdefghijklmnopqrstuvw'],
    ]
    for (const [name, label] of cases) assert.equal(deviceLabel(name), label)
    assert.match(deviceLabel('コンピュータ'), /^device-[0-9a-f]{6}$/)
    assert.notEqual(deviceLabel('コンピュータ'), deviceLabel('ノート'))
    fc.assert(fc.property(arbitraryNames, (name) => assert.match(deviceLabel(name), /^[A-Za-z0-9_-]{1,24}$/)))
  })
})

function codeOf(decoded: { type: 'ok' } | { type: 'violation'; code: string }): string | undefined {
  return decoded.type === 'violation' ? decoded.code : undefined
}
