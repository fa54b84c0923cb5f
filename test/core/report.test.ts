import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import sodium from 'sodium-native'
import { ByteWriter } from '../../src/core/bytes.js'
import type { DriftItem, DriftSection } from '../../src/core/drift-section.js'
import { claimedMaker } from '../../src/core/envelope.js'
import { deviceIdFromKey, shareIdFromBytes } from '../../src/core/ids.js'
import type { RelPath } from '../../src/core/path.js'
import { MAX_TIME_MS } from '../../src/core/record-public.js'
import { compareNames, type ReleasesSection } from '../../src/core/releases-section.js'
import {
  MAX_REPORT_BYTES,
  openReport,
  type Report,
  reportHeader,
  sealReport,
  sectionsBytes,
} from '../../src/core/report.js'
import { type ScrubSection, scrubBytes } from '../../src/core/scrub-section.js'
import { labelBytes, seal as sealBytes, sign } from '../../src/core/seal.js'
import { readFixture } from '../support/repository.js'
import { patternBytes } from './piece-pattern.js'
import { plain } from './record-samples.js'

const keys = keysOf(60)
const stateKey = patternBytes(32, 61)
const shareId = shareIdFromBytes(patternBytes(32, 62))
const nonce = patternBytes(24, 63)
const device = deviceIdFromKey(keys.publicKey)
const sample: Report = {
  device,
  sequence: 4711,
  timeMs: 1_760_000_000_000,
  drift: {
    total: 5000,
    open: 4999,
    items: [
      item('etc/hosts', { kinds: 3, restore: { times: 2, notBeforeMs: 1_760_000_000_500 } }),
      item('etc/motd', { kinds: 0x8020, acknowledgement: patternBytes(200, 64) }),
      item('etc/ü'),
    ],
  },
  releases: { current: '2026-11-21', complete: ['2026-11-20', '2026-11-21'] },
  other: [[7, Buffer.from('of a later version')]],
}
const bytes = seal(sample)
const NO_SCRUB = { lastMs: 0, files: 0, bytes: 0, found: 0, repaired: 0, open: 0, openBytes: 0 }
const headerBytes = 3 + 32 + 2 + 24

describe('report', () => {
  it('is frozen', () => {
    const fixture = readFixture('report.json') as { bytes: string }
    assert.equal(bytes.toString('hex'), fixture.bytes)
  })

  it('opens to what was sealed, sections of later versions as they are; and the same bytes again', () => {
    fc.assert(
      fc.property(reports(), (report) => {
        const sealed = seal(report)
        const opened = openReport(sealed, stateKey, shareId)
        assert.deepEqual(opened, { type: 'ok', value: report })
        assert.ok(opened.type === 'ok')
        assert.deepEqual(seal(opened.value), sealed)
        assert.deepEqual(reportHeader(sealed, shareId), {
          type: 'ok',
          value: { device, sequence: report.sequence },
        })
        assert.equal(claimedMaker(sealed), device)
      }),
      { numRuns: 60 },
    )
  })

  it('cannot be read without the state key, nor passed off as of another share', () => {
    assert.equal(codeOf(openReport(bytes, Buffer.alloc(32), shareId)), 'bad-seal')
    const other = shareIdFromBytes(Buffer.alloc(32))
    assert.equal(codeOf(openReport(bytes, stateKey, other)), 'bad-signature')
    assert.equal(codeOf(reportHeader(bytes, other)), 'bad-signature')
    for (const text of ['etc', 'hosts', '2026-11', 'later']) assert.equal(bytes.includes(text), false, text)
  })

  it('cannot be moved to another device or sequence by signing it again', () => {
    const other = keysOf(65)
    const stolen = Buffer.from(bytes.subarray(0, bytes.length - 64))
    other.publicKey.copy(stolen, 3)
    const label = Buffer.from('shoal 2026-11 v1 device report\0')
    const signed = Buffer.concat([
      stolen,
      sign([label, Buffer.from(shareId, 'hex'), stolen], other.secretKey),
    ])
    assert.equal(reportHeader(signed, shareId).type, 'ok')
    assert.equal(codeOf(openReport(signed, stateKey, shareId)), 'bad-seal')
  })

  it('does not open cut, longer or with any bit changed (F7)', () => {
    for (let length = 0; length < bytes.length; length++) refused(bytes.subarray(0, length))
    refused(Buffer.concat([bytes, Buffer.alloc(1)]))
    refused(Buffer.alloc(MAX_REPORT_BYTES + 1))
    for (let bit = 0; bit < bytes.length * 8; bit += 7) {
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
        // Undefined for what is too short, never a throw.
        claimedMaker(Buffer.from(any))
      }),
    )
    assert.equal(claimedMaker(Buffer.alloc(34)), undefined)
  })

  it('gives a violation, or reads what re-encodes to the same, for any bytes that a member signs and seals (F7)', () => {
    const body = Buffer.concat([new ByteWriter().uint(sample.timeMs).finish(), sectionsBytes(sample)])
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }).map((any) => Buffer.from(any)),
          fc.tuple(fc.nat(body.length - 1), fc.nat(255), fc.nat(body.length)).map(([at, byte, length]) => {
            const changed = Buffer.from(body)
            changed[at] = byte
            return length % 4 === 0 ? changed.subarray(0, length) : changed
          }),
        ),
        (inner) => {
          const sealed = sealBody(inner)
          const opened = openReport(sealed, stateKey, shareId)
          if (opened.type === 'ok') assert.deepEqual(seal(opened.value), sealed)
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('refuses bodies that are not canonical, each for its reason', () => {
    const time = new ByteWriter().uint(1).finish()
    const sections = (...list: [number, Buffer][]): Buffer => {
      const writer = new ByteWriter().raw(time).uint(list.length)
      for (const [tag, value] of list) writer.uint(tag).bytes(value)
      return writer.finish()
    }
    const cases: [string, Buffer, string][] = [
      ['tag 0', sections([0, Buffer.alloc(0)]), 'not-canonical'],
      ['tags that descend', sections([9, Buffer.alloc(0)], [8, Buffer.alloc(0)]), 'not-canonical'],
      ['a tag twice', sections([9, Buffer.alloc(0)], [9, Buffer.alloc(0)]), 'not-canonical'],
      ['bytes after the end', Buffer.concat([sections(), Buffer.alloc(1)]), 'trailing'],
      ['65 sections', Buffer.concat([time, Buffer.of(65)]), 'too-large'],
      ['a section longer than what is there', Buffer.concat([time, Buffer.of(1, 9, 5, 1)]), 'truncated'],
      [
        'a time after the last',
        new ByteWriter()
          .uint(MAX_TIME_MS + 1)
          .u8(0)
          .finish(),
        'too-large',
      ],
      [
        'damage that was looked for after the last time',
        sections([3, scrubBytes({ ...NO_SCRUB, lastMs: MAX_TIME_MS + 1 })]),
        'too-large',
      ],
    ]
    for (const [name, body, code] of cases)
      assert.equal(codeOf(openReport(sealBody(body), stateKey, shareId)), code, name)
  })

  it('refuses to seal what breaks a rule', () => {
    const broken: Partial<Report>[] = [
      { timeMs: MAX_TIME_MS + 1 },
      { other: [[2, Buffer.alloc(0)]] },
      { other: [[9, Buffer.alloc(MAX_REPORT_BYTES)]] },
      { drift: { total: 0, open: 0, items: [item('a')] } },
      { drift: { total: 0, open: 1, items: [] } },
    ]
    for (const change of broken) assert.throws(() => seal({ ...sample, ...change }), { code: 'INTERNAL' })
    assert.throws(() => sealReport(sample, keys.secretKey, stateKey, shareId, Buffer.alloc(23)), {
      code: 'INTERNAL',
    })
  })
})

function item(path: string, more: Partial<DriftItem> = {}): DriftItem {
  const base = { kinds: 1, sinceMs: 1_759_000_000_000, restore: undefined, acknowledgement: undefined }
  return { path: path as RelPath, ...base, ...more }
}

function reports(): fc.Arbitrary<Report> {
  const times = fc.integer({ min: 0, max: MAX_TIME_MS })
  const bytesUpTo = (min: number, max: number): fc.Arbitrary<Buffer> =>
    fc.uint8Array({ minLength: min, maxLength: max }).map((array) => Buffer.from(array))
  const names = fc.stringMatching(/^[a-zü😀][a-z0-9ü😀-]{0,20}$/u)
  const paths = fc.array(names, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/') as RelPath)
  const byBytes = (a: { path: string }, b: { path: string }): number => compareNames(a.path, b.path)
  const items: fc.Arbitrary<DriftItem[]> = fc
    .uniqueArray(
      plain<DriftItem>({
        path: paths,
        kinds: fc.integer({ min: 1, max: 0xffff }),
        sinceMs: times,
        restore: fc.option(plain({ times: fc.maxSafeNat(), notBeforeMs: times }), { nil: undefined }),
        acknowledgement: fc.option(bytesUpTo(1, 2048), { nil: undefined }),
      }),
      { maxLength: 8, selector: ({ path }) => path },
    )
    .map((list) => list.sort(byBytes))
  const drift: fc.Arbitrary<DriftSection> = fc
    .tuple(items, fc.nat(100_000), fc.double({ min: 0, max: 1, noNaN: true }))
    .map(([list, more, share]) => {
      const total = list.length + more
      return { total, open: Math.floor(total * share), items: list }
    })
  const releases: fc.Arbitrary<ReleasesSection> = plain({
    current: fc.option(names, { nil: undefined }),
    complete: fc.uniqueArray(names, { maxLength: 8 }).map((list) => list.sort(compareNames)),
  })
  const other = fc
    .uniqueArray(fc.tuple(fc.integer({ min: 4, max: 1_000_000 }), bytesUpTo(0, 100)), {
      maxLength: 4,
      selector: ([tag]) => tag,
    })
    .map((list) => list.sort(([a], [b]) => a - b))
  const counts = fc.maxSafeNat()
  const scrub: fc.Arbitrary<ScrubSection> = plain({
    ...{ lastMs: times, files: counts, bytes: counts, found: counts, repaired: counts },
    ...{ open: counts, openBytes: counts },
  })
  const has = { isDrift: fc.boolean(), isReleases: fc.boolean(), isScrub: fc.boolean() }
  return fc
    .record({ drift, releases, scrub, ...has, other, times })
    .chain((parts) => fc.maxSafeNat().map((sequence) => ({ ...parts, sequence })))
    .map(({ isDrift, isReleases, isScrub, sequence, times: timeMs, ...parts }) => ({
      device,
      sequence,
      timeMs,
      ...(isDrift ? { drift: parts.drift } : {}),
      ...(isReleases ? { releases: parts.releases } : {}),
      ...(isScrub ? { scrub: parts.scrub } : {}),
      other: parts.other,
    }))
}

function keysOf(seed: number): { publicKey: Buffer; secretKey: Buffer } {
  const made = { publicKey: Buffer.alloc(32), secretKey: Buffer.alloc(64) }
  sodium.crypto_sign_seed_keypair(made.publicKey, made.secretKey, patternBytes(32, seed))
  return made
}

function seal(report: Report): Buffer {
  return sealReport(report, keys.secretKey, stateKey, shareId, nonce)
}

/** A report with any body, sealed and signed as it should be, of the sample's sequence. */
function sealBody(body: Buffer): Buffer {
  const share = Buffer.from(shareId, 'hex')
  const before = bytes.subarray(0, headerBytes)
  const associated = Buffer.concat([labelBytes('shoal 2026-11 v1 device report seal'), share, before])
  const sealed = Buffer.concat([before, sealBytes(stateKey, nonce, body, associated)])
  const parts = [labelBytes('shoal 2026-11 v1 device report'), share, sealed]
  return Buffer.concat([sealed, sign(parts, keys.secretKey)])
}

function refused(blob: Buffer): void {
  assert.equal(openReport(blob, stateKey, shareId).type, 'violation')
  assert.equal(reportHeader(blob, shareId).type, 'violation')
}

function codeOf(decoded: { type: 'ok' } | { type: 'violation'; code: string }): string | undefined {
  return decoded.type === 'violation' ? decoded.code : undefined
}
