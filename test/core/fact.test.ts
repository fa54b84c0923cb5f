import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { TreeDigest } from '../../src/core/digest.js'
import { type LiveEntry, NO_EXTRA, sameContent, sameMetadata } from '../../src/core/entry.js'
import { ABSENT, type Fact, factOf, fingerprint, sameFact, sameFactContent } from '../../src/core/fact.js'
import { entryFrom, file, path, sayings, vector, writer } from '../support/arbitraries.js'

const live = sayings
  .filter(({ kind }) => kind !== 'tombstone')
  .map((said) => entryFrom(said, vector({ 1: 1 }), writer(1), writer(1)) as LiveEntry)

describe('facts', () => {
  it('are the same exactly when the entries have the same content and metadata', () => {
    fc.assert(
      fc.property(live, live, (a, b) => {
        assert.equal(sameFactContent(factOf(a), factOf(b)), sameContent(a, b))
        assert.equal(sameFact(factOf(a), factOf(b)), sameContent(a, b) && sameMetadata(a, b))
        assert.equal(sameFact(factOf(a), factOf(b)), sameFact(factOf(b), factOf(a)))
        assert.ok(!sameFact(factOf(a), ABSENT) && sameFact(ABSENT, ABSENT))
      }),
    )
  })

  it('have one fingerprint exactly when they are the same, at one path', () => {
    fc.assert(
      fc.property(live, live, (a, b) => {
        const equal = fingerprint(path('f'), factOf(a)).equals(fingerprint(path('f'), factOf(b)))
        assert.equal(equal, sameFact(factOf(a), factOf(b)))
        assert.ok(!fingerprint(path('f'), factOf(a)).equals(fingerprint(path('g'), factOf(a))))
      }),
    )
  })

  it('the fingerprint does not run fields together', () => {
    const one: Fact = { ...factOf(file({ 1: 1 }, 'x')), extra: [[1, Buffer.from('ab')]] }
    const two: Fact = { ...factOf(file({ 1: 1 }, 'x')), extra: [[1, Buffer.from('a')]] }
    assert.notDeepEqual(fingerprint(path('f'), one), fingerprint(path('f'), two))
    assert.notDeepEqual(fingerprint(path('f'), { ...one, extra: NO_EXTRA }), fingerprint(path('f'), one))
  })
})

describe('the digest of a tree (section 10)', () => {
  const prints = fc.array(
    fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes)),
    { maxLength: 12 },
  )

  it('does not depend on order, and taking away undoes adding', () => {
    fc.assert(
      fc.property(
        prints.chain((all) =>
          fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }), fc.nat(12)),
        ),
        ([all, shuffled, kept]) => {
          const one = new TreeDigest()
          for (const print of all) one.add(print)
          const two = new TreeDigest()
          for (const print of shuffled) two.add(print)
          assert.deepEqual(one.value(), two.value())
          const less = new TreeDigest()
          for (const print of all.slice(0, kept)) less.add(print)
          for (const print of all.slice(kept)) one.remove(print)
          assert.deepEqual(one.value(), less.value())
        },
      ),
    )
  })

  it('carries and borrows across all words', () => {
    const digest = new TreeDigest()
    const ones = Buffer.alloc(32, 0xff)
    const least = Buffer.alloc(32)
    least[0] = 1
    digest.add(ones)
    digest.add(least)
    assert.deepEqual(digest.value(), Buffer.alloc(32))
    digest.remove(least)
    assert.deepEqual(digest.value(), ones)
  })

  it('is zero for the empty tree', () => {
    assert.deepEqual(new TreeDigest().value(), Buffer.alloc(32))
  })
})
