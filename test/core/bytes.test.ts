import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ByteReader, ByteWriter, decodeUtf8 } from '../../src/core/bytes.js'
import { decoding, Malformed } from '../../src/core/violation.js'

const uints = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(300),
  fc.integer({ min: 0, max: 52 }).map((n) => 2 ** n),
)
const ints = fc.integer({ min: -(2 ** 52) + 1, max: 2 ** 52 - 1 })

describe('bytes', () => {
  it('what is written reads back, and nothing is left', () => {
    const parts = fc.array(
      fc.oneof(
        uints.map((value) => ({ type: 'uint' as const, value })),
        ints.map((value) => ({ type: 'int' as const, value })),
        fc.string({ unit: 'binary' }).map((value) => ({ type: 'text' as const, value })),
        fc
          .uint8Array({ maxLength: 300 })
          .map((value) => ({ type: 'bytes' as const, value: Buffer.from(value) })),
        fc.nat(255).map((value) => ({ type: 'u8' as const, value })),
      ),
    )
    fc.assert(
      fc.property(parts, (list) => {
        const writer = new ByteWriter(1)
        for (const part of list) {
          if (part.type === 'uint') writer.uint(part.value)
          else if (part.type === 'int') writer.int(part.value)
          else if (part.type === 'text') writer.text(part.value)
          else if (part.type === 'bytes') writer.bytes(part.value)
          else writer.u8(part.value)
        }
        const bytes = writer.finish()
        assert.equal(bytes.length, writer.length)
        const reader = new ByteReader(bytes)
        for (const part of list) {
          if (part.type === 'uint') assert.equal(reader.uint(), part.value)
          else if (part.type === 'int') assert.equal(reader.int(), part.value)
          else if (part.type === 'text') assert.equal(reader.text(2000, 'text'), part.value)
          else if (part.type === 'bytes') assert.deepEqual(reader.bytes(300, 'bytes'), part.value)
          else assert.equal(reader.u8(), part.value)
        }
        reader.end()
      }),
    )
  })

  it('F7 any bytes give a value that writes back to them, or Malformed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 10 }), (input) => {
        const bytes = Buffer.from(input)
        const reader = new ByteReader(bytes)
        const decoded = decoding(() => reader.uint())
        if (decoded.type === 'violation') return
        const again = new ByteWriter().uint(decoded.value).finish()
        assert.deepEqual(again, bytes.subarray(0, bytes.length - reader.left))
      }),
      { numRuns: 500 },
    )
  })

  const hostile: {
    name: string
    bytes: readonly number[]
    read: (reader: ByteReader) => unknown
    code: string
  }[] = [
    { name: 'a varint cut off', bytes: [0x80], read: (r) => r.uint(), code: 'truncated' },
    {
      name: 'a varint with a useless byte',
      bytes: [0x80, 0x00],
      read: (r) => r.uint(),
      code: 'not-canonical',
    },
    {
      name: 'a varint above 2^53 - 1',
      bytes: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
      read: (r) => r.uint(),
      code: 'too-large',
    },
    { name: 'a varint without end', bytes: Array(12).fill(0xff), read: (r) => r.uint(), code: 'too-large' },
    { name: 'a length beyond the input', bytes: [9, 1], read: (r) => r.bytes(100, 'x'), code: 'truncated' },
    { name: 'a length beyond the limit', bytes: [9, 1], read: (r) => r.bytes(8, 'x'), code: 'too-large' },
    {
      name: 'more things than could be there',
      bytes: [9, 1, 2],
      read: (r) => r.count(1, 'x'),
      code: 'too-large',
    },
    { name: 'bad UTF-8', bytes: [2, 0xc3, 0x28], read: (r) => r.text(9, 'x'), code: 'bad-utf8' },
    {
      name: 'an encoded surrogate',
      bytes: [3, 0xed, 0xa0, 0x80],
      read: (r) => r.text(9, 'x'),
      code: 'bad-utf8',
    },
    { name: 'bytes after the end', bytes: [1], read: (r) => r.end(), code: 'trailing' },
  ]
  for (const { name, bytes, read, code } of hostile) {
    it(`F7 refuses ${name}`, () => {
      const decoded = decoding(() => read(new ByteReader(Buffer.from(bytes))))
      assert.equal(decoded.type === 'violation' && decoded.code, code)
    })
  }

  it('a byte order mark is text like any other', () => {
    assert.equal(decodeUtf8(Buffer.from('\ufeffx'), 'x'), '\ufeffx')
    assert.throws(() => decodeUtf8(Buffer.of(0xff), 'x'), Malformed)
  })

  it('what cannot be written is a bug of the caller', () => {
    for (const value of [-1, 0.5, 2 ** 53, Number.NaN])
      assert.throws(() => new ByteWriter().uint(value), RangeError)
  })
})
