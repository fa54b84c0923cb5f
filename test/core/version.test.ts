import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  advance,
  compareVersions,
  counterOf,
  includes,
  joinVersions,
  NO_VERSION,
  type Order,
} from '../../src/core/version.js'
import { vector, versions, writer } from '../support/arbitraries.js'

const cases: { name: string; a: Record<number, number>; b: Record<number, number>; expect: Order }[] = [
  { name: 'nothing and nothing', a: {}, b: {}, expect: 'equal' },
  { name: 'nothing and something', a: {}, b: { 1: 1 }, expect: 'before' },
  { name: 'a higher counter', a: { 1: 2 }, b: { 1: 1 }, expect: 'after' },
  { name: 'one more writer', a: { 1: 1 }, b: { 1: 1, 2: 1 }, expect: 'before' },
  { name: 'different writers', a: { 1: 1 }, b: { 2: 1 }, expect: 'concurrent' },
  { name: 'each is ahead in one', a: { 1: 2, 2: 1 }, b: { 1: 1, 2: 2 }, expect: 'concurrent' },
  { name: 'a gap in the middle', a: { 1: 1, 3: 1 }, b: { 1: 1, 2: 1, 3: 1 }, expect: 'before' },
]

const OPPOSITE: Record<Order, Order> = {
  equal: 'equal',
  before: 'after',
  after: 'before',
  concurrent: 'concurrent',
}

describe('versions (V1)', () => {
  for (const { name, a, b, expect } of cases) {
    it(`compare: ${name}`, () => {
      assert.equal(compareVersions(vector(a), vector(b)), expect)
      assert.equal(compareVersions(vector(b), vector(a)), OPPOSITE[expect])
    })
  }

  it('comparing is a partial order', () => {
    fc.assert(
      fc.property(versions, versions, versions, (a, b, c) => {
        assert.equal(compareVersions(a, a), 'equal')
        assert.equal(compareVersions(b, a), OPPOSITE[compareVersions(a, b)])
        if (compareVersions(a, b) === 'equal') assert.deepEqual(a, b)
        if (includes(a, b) && includes(b, c)) assert.ok(includes(a, c))
      }),
    )
  })

  it('joining gives the least upper bound', () => {
    fc.assert(
      fc.property(versions, versions, versions, (a, b, c) => {
        const joined = joinVersions(a, b)
        assert.ok(includes(joined, a) && includes(joined, b))
        if (includes(c, a) && includes(c, b)) assert.ok(includes(c, joined))
        assert.deepEqual(joined, joinVersions(b, a))
        assert.deepEqual(joinVersions(joined, c), joinVersions(a, joinVersions(b, c)))
        assert.deepEqual(joinVersions(a, a), a)
        assert.deepEqual(joinVersions(a, NO_VERSION), a)
      }),
    )
  })

  it('advancing goes beyond everything that the base includes, and never backwards', () => {
    fc.assert(
      fc.property(
        versions,
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 9 }),
        (a, by, counter) => {
          if (counter <= counterOf(a, writer(by))) {
            assert.throws(() => advance(a, writer(by), counter), RangeError)
            return
          }
          const next = advance(a, writer(by), counter)
          assert.equal(compareVersions(next, a), 'after')
          assert.equal(counterOf(next, writer(by)), counter)
        },
      ),
    )
  })
})
