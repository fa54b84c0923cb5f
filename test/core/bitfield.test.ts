import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Bitfield, MAX_PIECES } from '../../src/core/bitfield.js'

const indices = fc.uniqueArray(fc.nat(5000), { maxLength: 200 })

test('bitfield: behaves like a set of numbers', () => {
  const step = fc.record({ index: fc.nat(3000), on: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const field = new Bitfield()
      const model = new Set<number>()
      for (const { index, on } of steps) {
        const changes = on !== model.has(index)
        assert.equal(on ? field.set(index) : field.clear(index), changes)
        if (on) model.add(index)
        else model.delete(index)
      }
      assert.equal(field.count, model.size)
      assert.deepEqual(
        [...field],
        [...model].sort((a, b) => a - b),
      )
      for (const index of [0, 1, 7, 8, 2999, 3000, 1e9]) assert.equal(field.get(index), model.has(index))
    }),
  )
})

test('bitfield: a stretch is all there if each of its bits is', () => {
  const stretch = fc.record({ first: fc.nat(100), count: fc.nat(60) })
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(100), { maxLength: 5 }), stretch, (holes, { first, count }) => {
      const field = Bitfield.of(Array.from({ length: 101 }, (_, i) => i).filter((i) => !holes.includes(i)))
      const isWhole = Array.from({ length: count }, (_, i) => first + i).every((i) => field.get(i))
      assert.equal(field.hasAll(first, count), isWhole)
    }),
  )
})

test('bitfield: what is written for the wire reads back the same', () => {
  fc.assert(
    fc.property(indices, fc.nat(200), (set, extra) => {
      const field = Bitfield.of(set)
      const pieceCount = Math.max(0, ...set.map((index) => index + 1)) + extra
      const wire = field.toWire(pieceCount)
      assert.equal(wire.length, Math.ceil(pieceCount / 8))
      const decoded = Bitfield.fromWire(wire)
      assert.ok(decoded.type === 'ok')
      assert.deepEqual([...decoded.value], [...field])
      assert.equal(decoded.value.count, field.count)
    }),
  )
})

test('bitfield: the wire form is BEP 3: high bit first, spare bits zero', () => {
  assert.deepEqual(Bitfield.of([0, 9]).toWire(10), Buffer.from([0x80, 0x40]))
  assert.deepEqual(Bitfield.of([0, 3, 9]).toWire(3), Buffer.from([0x80]))
  assert.deepEqual(new Bitfield(64).toWire(0), Buffer.alloc(0))
})

test('bitfield: union is what either holds', () => {
  fc.assert(
    fc.property(indices, indices, (a, b) => {
      const union = Bitfield.of(a).union(Bitfield.of(b))
      assert.deepEqual(
        [...union],
        [...new Set([...a, ...b])].sort((x, y) => x - y),
      )
      assert.equal(union.count, new Set([...a, ...b]).size)
    }),
  )
})

test('bitfield: F7, more pieces than allowed are refused and none is set beyond', () => {
  assert.equal(Bitfield.fromWire(Buffer.alloc(3), 16).type, 'violation')
  assert.equal(Bitfield.fromWire(Buffer.alloc(2), 16).type, 'ok')
  assert.equal(Bitfield.fromWire(Buffer.alloc(MAX_PIECES / 8 + 1)).type, 'violation')
  assert.throws(() => new Bitfield().set(MAX_PIECES), RangeError)
  assert.throws(() => new Bitfield().set(-1), RangeError)
})

test('bitfield: a copy and what was read from the wire are independent', () => {
  const field = Bitfield.of([1])
  field.copy().set(2)
  assert.deepEqual([...field], [1])
  const wire = Buffer.from([0xff])
  const decoded = Bitfield.fromWire(wire)
  wire[0] = 0
  assert.ok(decoded.type === 'ok' && decoded.value.count === 8 && decoded.value.get(0))
})
