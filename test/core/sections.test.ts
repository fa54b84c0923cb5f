// The sections of a report: bounds, order, and which drift is listed when not all of it fits. Also the allowance that
// paces them.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Allowance } from '../../src/core/allowance.js'
import { ByteWriter } from '../../src/core/bytes.js'
import {
  bitsOfKinds,
  type DriftItem,
  driftBytes,
  fitDrift,
  kindsOfBits,
  MAX_DRIFT_BYTES,
  MAX_DRIFT_ITEMS,
  readDrift,
} from '../../src/core/drift-section.js'
import type { RelPath } from '../../src/core/path.js'
import { MAX_TIME_MS } from '../../src/core/record-public.js'
import { MAX_RELEASES, readReleases, releasesBytes } from '../../src/core/releases-section.js'
import { readScrub, scrubBytes } from '../../src/core/scrub-section.js'
import { decoding } from '../../src/core/violation.js'

const NAME_BYTES = 255

function item(path: string, more: Partial<DriftItem> = {}): DriftItem {
  const base = { kinds: 1, sinceMs: 5, restore: undefined, acknowledgement: undefined }
  return { path: path as RelPath, ...base, ...more }
}

describe('section of what was verified', () => {
  it('comes back as it was, and is refused with anything cut off or added', () => {
    const section = {
      lastMs: 1_795_000_000_000,
      files: 3,
      bytes: 1e12,
      found: 2,
      repaired: 1,
      open: 1,
      openBytes: 9,
    }
    const bytes = scrubBytes(section)
    assert.deepEqual(readScrub(bytes), section)
    for (let end = 0; end < bytes.length; end++)
      assert.equal(decoding(() => readScrub(bytes.subarray(0, end))).type, 'violation')
    assert.equal(decoding(() => readScrub(Buffer.concat([bytes, Buffer.of(0)]))).type, 'violation')
  })
})

describe('drift section', () => {
  it('counts all, lists what fits: open before acknowledged, then the newest, in the order of paths', () => {
    const word = Buffer.alloc(100, 1)
    const some = [
      item('c', { sinceMs: 1, acknowledgement: word }),
      item('b', { sinceMs: 2 }),
      item('a', { sinceMs: 9 }),
    ]
    assert.deepEqual(fitDrift(some), { total: 3, open: 2, items: [some[2], some[1], some[0]] })
    const old = Array.from({ length: MAX_DRIFT_ITEMS - 1 }, (_, at) => item(`old/${at}`, { sinceMs: 1 }))
    const { total, open, items } = fitDrift([...old, ...some])
    assert.deepEqual([total, open, items.length], [MAX_DRIFT_ITEMS + 2, MAX_DRIFT_ITEMS + 1, MAX_DRIFT_ITEMS])
    const paths = new Set(items.map(({ path }) => path as string))
    assert.deepEqual(
      ['a', 'b', 'c'].map((path) => paths.has(path)),
      [true, true, false],
    )
  })

  it('stays within its bytes, and reads back, whatever it is made of', () => {
    const lengths = fc.integer({ min: 1, max: 3000 })
    const specs = fc.array(fc.tuple(lengths, fc.boolean(), fc.option(fc.integer({ min: 1, max: 2048 }))), {
      maxLength: 400,
    })
    fc.assert(
      fc.property(specs, (list) => {
        const items = list.map(([length, isRestored, word], at) =>
          item(longPath(at, length), {
            kinds: 0xffff,
            sinceMs: MAX_TIME_MS,
            restore: isRestored ? { times: Number.MAX_SAFE_INTEGER, notBeforeMs: MAX_TIME_MS } : undefined,
            acknowledgement: word === null ? undefined : Buffer.alloc(word, 3),
          }),
        )
        const section = fitDrift(items)
        const bytes = driftBytes(section)
        assert.ok(bytes.length <= MAX_DRIFT_BYTES + 24, `${bytes.length}`)
        assert.deepEqual(readDrift(bytes), section)
        assert.equal(section.total, items.length)
      }),
      { numRuns: 50 },
    )
  })

  it('names its kinds, those of later versions too', () => {
    assert.equal(bitsOfKinds(['mode', 'content']), 3)
    assert.deepEqual(kindsOfBits(3), ['content', 'mode'])
    assert.deepEqual(kindsOfBits(0x8040), ['missing', 'other'])
    assert.deepEqual(kindsOfBits(bitsOfKinds(['link', 'mtime'])), ['mtime', 'link'])
  })

  it('refuses what is not canonical or out of bounds (F7)', () => {
    const start = (total: number, open: number, count: number): ByteWriter =>
      new ByteWriter().uint(total).uint(open).uint(count)
    const one = (path: string, kinds = 1, flags = 0): Buffer =>
      new ByteWriter().text(path).uint(kinds).uint(5).u8(flags).finish()
    const cases: [string, Buffer, string][] = [
      ['more open than all', start(1, 2, 0).finish(), 'too-large'],
      ['more listed than all', start(1, 1, 2).raw(one('a')).raw(one('b')).finish(), 'too-large'],
      ['more than the most', start(9999, 0, MAX_DRIFT_ITEMS + 1).finish(), 'too-large'],
      ['out of order', start(2, 0, 2).raw(one('b')).raw(one('a')).finish(), 'not-canonical'],
      ['twice', start(2, 0, 2).raw(one('a')).raw(one('a')).finish(), 'not-canonical'],
      ['no path', start(1, 0, 1).raw(one('../a')).finish(), 'bad-path'],
      ['no kind', start(1, 0, 1).raw(one('a', 0)).finish(), 'bad-drift'],
      ['17 bits of kinds', start(1, 0, 1).raw(one('a', 0x10000)).finish(), 'too-large'],
      [
        'a flag that is none',
        start(1, 0, 1)
          .raw(one('a', 1, 4))
          .finish(),
        'bad-drift',
      ],
      [
        'an empty acknowledgement',
        start(1, 0, 1)
          .raw(one('a', 1, 2))
          .u8(0)
          .finish(),
        'bad-drift',
      ],
      [
        'a long acknowledgement',
        start(1, 0, 1)
          .raw(one('a', 1, 2))
          .uint(2049)
          .finish(),
        'too-large',
      ],
      ['more after it', start(0, 0, 0).u8(0).finish(), 'trailing'],
      ['nothing', Buffer.alloc(0), 'truncated'],
    ]
    for (const [name, bytes, code] of cases)
      assert.equal(
        codeOf(() => readDrift(bytes)),
        code,
        name,
      )
  })
})

describe('releases section', () => {
  it('reads back what was written', () => {
    for (const section of [
      { current: undefined, complete: [] },
      { current: 'b', complete: ['a', 'b', 'ü', '😀'] },
      { current: 'gone', complete: Array.from({ length: MAX_RELEASES }, (_, at) => `r${1000 + at}`) },
    ])
      assert.deepEqual(readReleases(releasesBytes(section)), section)
  })

  it('refuses what is not canonical, no name of a directory, or out of bounds (F7)', () => {
    const names = (...list: string[]): Buffer => {
      const writer = new ByteWriter().u8(0).uint(list.length)
      for (const name of list) writer.text(name)
      return writer.finish()
    }
    const cases: [string, Buffer, string][] = [
      ['out of order', names('b', 'a'), 'not-canonical'],
      ['twice', names('a', 'a'), 'not-canonical'],
      ['a path', names('a/b'), 'bad-name'],
      ['a way out', names('..'), 'bad-name'],
      ['our own folder', names('.shoal'), 'bad-name'],
      ['empty', names(''), 'bad-name'],
      ['long', names('x'.repeat(NAME_BYTES + 1)), 'too-large'],
      [
        'many',
        new ByteWriter()
          .u8(0)
          .uint(MAX_RELEASES + 1)
          .finish(),
        'too-large',
      ],
      ['flags', Buffer.of(2, 0), 'bad-releases'],
      ['more after it', Buffer.concat([names('a'), Buffer.alloc(1)]), 'trailing'],
    ]
    for (const [name, bytes, code] of cases)
      assert.equal(
        codeOf(() => readReleases(bytes)),
        code,
        name,
      )
    for (const broken of [['b', 'a'], ['a/b'], ['']])
      assert.throws(() => releasesBytes({ current: undefined, complete: broken }), { code: 'INTERNAL' })
  })
})

describe('allowance', () => {
  it('gives its burst, then one for each refill, and never more than the burst after a pause', () => {
    const allowance = new Allowance(2, 100)
    assert.deepEqual([allowance.take(0), allowance.take(0), allowance.take(0)], [true, true, false])
    assert.equal(allowance.waitMs(0), 100)
    assert.deepEqual([allowance.take(99), allowance.take(100), allowance.take(100)], [false, true, false])
    assert.deepEqual(
      [1, 2, 3].map(() => allowance.take(10_000)),
      [true, true, false],
    )
  })

  it('what is spent beyond it is waited for', () => {
    const allowance = new Allowance(2, 100)
    allowance.spend(6, 0)
    assert.equal(allowance.waitMs(0), 500)
    assert.equal(allowance.take(499), false)
    assert.equal(allowance.take(500), true)
  })
})

/** A path of about so many bytes that begins with a number, so that each is another. */
function longPath(at: number, length: number): string {
  const parts = [String(at)]
  for (let left = length; left > 0; left -= NAME_BYTES + 1) parts.push('x'.repeat(Math.min(left, NAME_BYTES)))
  return parts.join('/')
}

function codeOf(read: () => unknown): string | undefined {
  const decoded = decoding(read)
  return decoded.type === 'violation' ? decoded.code : undefined
}
