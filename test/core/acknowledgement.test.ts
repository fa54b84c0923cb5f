import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  type Acknowledgement,
  MAX_ACKNOWLEDGEMENT_BYTES,
  MAX_REASON_BYTES,
  openAcknowledgement,
  reasonFault,
  signAcknowledgement,
} from '../../src/core/acknowledgement.js'
import { ByteWriter } from '../../src/core/bytes.js'
import { deviceKeysOf } from '../../src/core/device.js'
import { shareIdFromBytes } from '../../src/core/ids.js'
import { MAX_PATH_BYTES } from '../../src/core/path.js'
import { MAX_TIME_MS } from '../../src/core/record-public.js'
import { labelBytes, sign } from '../../src/core/seal.js'
import { path } from '../support/arbitraries.js'
import { patternBytes } from './piece-pattern.js'
import { plain } from './record-samples.js'

const keys = deviceKeysOf(patternBytes(32, 60))
const shareId = shareIdFromBytes(patternBytes(32, 61))
const sample: Acknowledgement = {
  device: keys.device,
  path: path('etc/motd'),
  state: patternBytes(32, 62),
  reason: 'the nightly job of www does this',
  madeMs: 1_760_000_000_000,
  untilMs: 1_762_592_000_000,
}
const make = (changes: Partial<Acknowledgement> = {}): Buffer =>
  signAcknowledgement({ ...sample, ...changes }, keys.secretKey, shareId)
const codeOf = (bytes: Buffer, share = shareId, at = sample.path): string => {
  const opened = openAcknowledgement(bytes, at, share)
  return opened.type === 'ok' ? 'ok' : opened.code
}

describe('acknowledgement', () => {
  it('is frozen', () => {
    // Only what stands before the signature is written out: it is deterministic, too, but says nothing of the layout.
    assert.equal(
      make().subarray(0, -64).toString('hex'),
      new ByteWriter()
        .raw(Buffer.from('DA\x01', 'latin1'))
        .raw(Buffer.from(keys.device, 'hex'))
        .raw(sample.state)
        .uint(sample.madeMs)
        .uint(sample.untilMs)
        .text(sample.reason)
        .finish()
        .toString('hex'),
    )
  })

  it('opens to what was signed', () => {
    const reasons = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
      .filter((text) => reasonFault(text) === undefined)
    const times = fc
      .tuple(fc.nat(MAX_TIME_MS - 1), fc.nat(MAX_TIME_MS))
      .filter(([made, until]) => made < until)
    fc.assert(
      fc.property(plain({ reason: reasons }), times, ({ reason }, [madeMs, untilMs]) => {
        const opened = openAcknowledgement(make({ reason, madeMs, untilMs }), sample.path, shareId)
        assert.deepEqual(opened, { type: 'ok', value: { ...sample, reason, madeMs, untilMs } })
      }),
    )
    const long = {
      path: path(`${'p/'.repeat(MAX_PATH_BYTES / 2 - 1)}pp`),
      reason: 'r'.repeat(MAX_REASON_BYTES),
    }
    const bytes = make({ ...long, madeMs: MAX_TIME_MS - 1, untilMs: MAX_TIME_MS })
    assert.ok(bytes.length <= MAX_ACKNOWLEDGEMENT_BYTES)
    assert.equal(codeOf(bytes, shareId, long.path), 'ok')
  })

  it('is of one device, one share, one path, and as it was signed', () => {
    const bytes = make()
    assert.equal(codeOf(bytes, shareIdFromBytes(patternBytes(32, 63))), 'bad-signature')
    assert.equal(codeOf(bytes, shareId, path('etc/mot')), 'bad-signature')
    for (let at = 0; at < bytes.length; at++) {
      const bent = Buffer.from(bytes)
      bent[at]! ^= 1
      assert.notEqual(codeOf(bent), 'ok', `a bit of byte ${at}`)
      assert.notEqual(codeOf(bytes.subarray(0, at)), 'ok', `cut at ${at}`)
    }
    assert.equal(codeOf(Buffer.concat([bytes, Buffer.of(0)])), 'trailing')
    assert.equal(codeOf(Buffer.alloc(MAX_ACKNOWLEDGEMENT_BYTES + 1)), 'too-long')
  })

  it('is refused with a time or reason that none is made with, though it is signed', () => {
    const body = (madeMs: number, untilMs: number, reason: string): Buffer => {
      const bytes = new ByteWriter()
        .raw(Buffer.from('DA\x01', 'latin1'))
        .raw(Buffer.from(keys.device, 'hex'))
        .raw(sample.state)
        .uint(madeMs)
        .uint(untilMs)
        .text(reason)
        .finish()
      const at = new ByteWriter().text(sample.path).finish()
      const label = labelBytes('shoal 2026-11 v1 drift acknowledgement')
      return Buffer.concat([bytes, sign([label, Buffer.from(shareId, 'hex'), at, bytes], keys.secretKey)])
    }
    assert.equal(codeOf(body(1, 2, 'why')), 'ok')
    assert.equal(codeOf(body(2, 2, 'why')), 'bad-time')
    assert.equal(codeOf(body(1, MAX_TIME_MS + 1, 'why')), 'too-large')
    assert.equal(codeOf(body(1, 2, '')), 'bad-reason')
    assert.equal(codeOf(body(1, 2, 'two\nlines')), 'bad-reason')
    assert.equal(codeOf(body(1, 2, 'r'.repeat(MAX_REASON_BYTES + 1))), 'too-large')
  })

  it('says of a reason what is wrong with it', () => {
    assert.equal(reasonFault('Jürgen hat es so gewollt'), undefined)
    assert.equal(reasonFault(' '), 'is empty')
    assert.equal(reasonFault(' a'), 'has spaces at its ends')
    assert.match(reasonFault('a\u202eb')!, /control characters/)
    assert.match(reasonFault('ü'.repeat(257))!, /longer than 512/)
    assert.equal(reasonFault('a\ud800b'), 'is not valid Unicode')
  })
})
