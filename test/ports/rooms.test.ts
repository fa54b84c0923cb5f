// Memory that is used again: nobody gets a room that somebody else has.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { newRoom, Rooms } from '../../src/ports/rooms.js'

test('no room is taken twice at a time, and no more than some lie idle', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -3, max: 200 }), { maxLength: 60 }), (steps) => {
      const rooms = new Rooms({ roomBytes: 100, maxKept: 3, make: newRoom })
      const taken: ArrayBuffer[] = []
      for (const step of steps) {
        if (step < 0) {
          const room = taken.shift()
          if (room !== undefined) rooms.give(room)
          continue
        }
        const room = rooms.take(step)
        assert.ok(room.byteLength >= step)
        assert.ok(!taken.includes(room))
        taken.push(room)
      }
    }),
  )
})

test('a room that was given back is taken again, those above the number kept are not, nor after clear()', () => {
  const rooms = new Rooms({ roomBytes: 100, maxKept: 2, make: newRoom })
  const three = [rooms.take(1), rooms.take(1), rooms.take(1)] as const
  for (const room of three) rooms.give(room)
  assert.deepEqual(new Set([rooms.take(100), rooms.take(100)]), new Set(three.slice(0, 2)))
  rooms.give(three[0])
  rooms.clear()
  assert.notEqual(rooms.take(1), three[0])
})

test('larger ones are made and not kept', () => {
  const rooms = new Rooms({ roomBytes: 100, maxKept: 2, make: newRoom })
  const large = rooms.take(101)
  assert.equal(large.byteLength, 101)
  rooms.give(large)
  assert.notEqual(rooms.take(101), large)
})

test('giving the same room back twice is a fault, as two would write to it', () => {
  const rooms = new Rooms({ roomBytes: 100, maxKept: 2, make: newRoom })
  const room = rooms.take(1)
  rooms.give(room)
  assert.throws(() => rooms.give(room), /a room is given back once/)
})
