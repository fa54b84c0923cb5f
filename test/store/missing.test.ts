// What is noted as missing is what was set and not cleared, in order, however it is grouped into transactions.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MemoryDatabase } from '../../src/store/memory.js'
import { MissingPieces } from '../../src/store/missing.js'
import type { PieceRef } from '../../src/store/pieces.js'
import { pairKey } from '../../src/store/tables.js'

const ref = fc.record({
  feed: fc.integer({ min: 1, max: 3 }),
  // Around the ends of rows, and far apart.
  index: fc.oneof(fc.integer({ min: 0, max: 1200 }), fc.integer({ min: 0, max: 2 ** 24 - 1 })),
})
const change = fc.record({ type: fc.constantFrom('set' as const, 'clear' as const), ref })

function compare(a: PieceRef, b: PieceRef): number {
  return a.feed - b.feed || a.index - b.index
}

test('as a set of places would', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(change, { maxLength: 30 }), { maxLength: 8 }),
      fc.option(ref),
      fc.nat(40),
      (groups, place, limit) => {
        const missing = new MissingPieces(new MemoryDatabase().table('missing'))
        const model = new Map<string, PieceRef>()
        for (const group of groups)
          missing.gathered(() => {
            for (const each of group) {
              const name = `${each.ref.feed}/${each.ref.index}`
              assert.equal(missing.has(each.ref), model.has(name))
              if (each.type === 'set') {
                missing.set(each.ref)
                model.set(name, each.ref)
              } else assert.equal(missing.clear(each.ref), model.delete(name))
            }
          })
        for (const group of groups)
          for (const { ref: at } of group) assert.equal(missing.has(at), model.has(`${at.feed}/${at.index}`))
        const expected = [...model.values()]
          .filter((each) => place === null || compare(each, place) > 0)
          .sort(compare)
        const found = missing.after(place ?? undefined, limit)
        assert.deepEqual(
          found.refs,
          expected.slice(0, limit).map(({ feed, index }) => ({ feed, index })),
        )
        assert.ok(expected.length > limit ? !found.isEnd : true)
        assert.ok(found.isEnd || expected.length >= limit)
      },
    ),
  )
})

test('a body that throws leaves what was noted as it was', () => {
  const missing = new MissingPieces(new MemoryDatabase().table('missing'))
  missing.gathered(() => missing.set({ feed: 1, index: 5 }))
  assert.throws(() =>
    missing.gathered(() => {
      missing.set({ feed: 1, index: 6 })
      missing.clear({ feed: 1, index: 5 })
      throw new Error('no')
    }),
  )
  assert.deepEqual(missing.after(undefined, 10), { refs: [{ feed: 1, index: 5 }], isEnd: true })
})

test('rows of which nothing is missing are gone', () => {
  const table = new MemoryDatabase().table<Buffer>('missing')
  const missing = new MissingPieces(table)
  missing.gathered(() => missing.set({ feed: 1, index: 700 }))
  missing.gathered(() => missing.clear({ feed: 1, index: 700 }))
  assert.deepEqual(table.range(Buffer.alloc(0), Buffer.alloc(16, 0xff)), [])
})

test('nothing is noted outside of a transaction, where it would be lost', () => {
  const missing = new MissingPieces(new MemoryDatabase().table('missing'))
  assert.throws(() => missing.set({ feed: 1, index: 0 }), /in a transaction/)
  assert.throws(() => missing.clear({ feed: 1, index: 0 }), /in a transaction/)
})

test('rows of the first kind are seen and forgotten', () => {
  const table = new MemoryDatabase().table<number | Buffer>('missing')
  for (const number of [0, 1, 700]) table.put(pairKey(1, number), 101)
  const missing = new MissingPieces(table)
  assert.equal(missing.isOld, true)
  missing.forgetAll()
  assert.equal(missing.isOld, false)
  assert.deepEqual(missing.after(undefined, 10), { refs: [], isEnd: true })
})
