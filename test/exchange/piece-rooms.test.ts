// Where pieces lie that have arrived: their bytes stay until they were left, and the memory is used again.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { type FetchedPiece, PieceRooms } from '../../src/exchange/piece-rooms.js'
import { newRoom, Rooms } from '../../src/ports/rooms.js'

type Kept = Pick<FetchedPiece, 'bytes' | 'room'>

function keep(rooms: PieceRooms, bytes: Buffer): Kept {
  // The frame it came in is another's at once.
  const frame = Buffer.from(bytes)
  const piece = rooms.keep(frame)
  frame.fill(0xee)
  return piece
}

test('what was not left stays as it came, however pieces come and go', () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant('come' as const), length: fc.integer({ min: 1, max: 130 }) }),
    fc.record({ type: fc.constant('leave' as const), at: fc.nat() }),
    fc.record({ type: fc.constant('share' as const), at: fc.nat() }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const rooms = new PieceRooms(new Rooms({ roomBytes: 100, maxKept: 2, make: newRoom }))
      const held: { readonly piece: Kept; readonly bytes: Buffer; times: number }[] = []
      for (const each of steps) {
        if (each.type === 'come') {
          const bytes = randomBytes(each.length)
          held.push({ piece: keep(rooms, bytes), bytes, times: 1 })
        } else if (held.length > 0) {
          const at = each.at % held.length
          const one = held[at]!
          if (each.type === 'share') {
            one.piece.room?.enter(1)
            one.times++
          } else {
            one.piece.room?.leave()
            if (--one.times === 0) held.splice(at, 1)
          }
        }
        for (const { piece, bytes } of held) assert.ok(piece.bytes.equals(bytes))
      }
    }),
  )
})

test('when all have left a room, the next pieces lie in it', () => {
  const rooms = new PieceRooms(new Rooms({ roomBytes: 100, maxKept: 2, make: newRoom }))
  const [a, b] = [keep(rooms, randomBytes(60)), keep(rooms, randomBytes(40))]
  const c = keep(rooms, randomBytes(1))
  assert.equal(a.bytes.buffer, b.bytes.buffer)
  assert.notEqual(c.bytes.buffer, a.bytes.buffer)
  a.room!.leave()
  b.room!.leave()
  const d = keep(rooms, randomBytes(100))
  assert.equal(d.bytes.buffer, a.bytes.buffer)
})

test('a piece that is larger than a room has memory of its own', () => {
  const rooms = new PieceRooms(new Rooms({ roomBytes: 100, maxKept: 2, make: newRoom }))
  const bytes = randomBytes(101)
  const piece = keep(rooms, bytes)
  assert.equal(piece.room, undefined)
  assert.ok(piece.bytes.equals(bytes))
})

test('nobody leaves more often than was entered', () => {
  const rooms = new PieceRooms(new Rooms({ roomBytes: 100, maxKept: 2, make: newRoom }))
  const { room } = keep(rooms, randomBytes(3))
  room!.leave()
  assert.throws(() => room!.leave(), /had entered it/)
})
