import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Entry, isLive, sameContent } from '../../src/core/entry.js'
import { memoryOf, mergeEntry, mergeHeads, NO_HEADS, rank, viewOf } from '../../src/core/merge.js'
import { compareVersions, includes } from '../../src/core/version.js'
import {
  arbitraryEntries,
  causalEntries,
  directory,
  file,
  symlink,
  tombstone,
} from '../support/arbitraries.js'

const anyEntries = fc.oneof(arbitraryEntries, causalEntries)
const heads = (entries: readonly Entry[]) => mergeHeads(NO_HEADS, entries)

describe('merge (V2)', () => {
  it('does not depend on the order in which entries come', () => {
    fc.assert(
      fc.property(
        anyEntries.chain((entries) =>
          fc.tuple(fc.constant(entries), fc.shuffledSubarray(entries, { minLength: entries.length })),
        ),
        ([entries, shuffled]) => {
          assert.deepEqual(heads(shuffled), heads(entries))
          assert.deepEqual(viewOf(heads(shuffled)), viewOf(heads(entries)))
        },
      ),
      { numRuns: 400 },
    )
  })

  it('is commutative, associative and idempotent over sets of heads', () => {
    fc.assert(
      fc.property(anyEntries, anyEntries, anyEntries, (a, b, c) => {
        const [x, y, z] = [heads(a), heads(b), heads(c)]
        assert.deepEqual(mergeHeads(x, y), mergeHeads(y, x))
        assert.deepEqual(mergeHeads(mergeHeads(x, y), z), mergeHeads(x, mergeHeads(y, z)))
        assert.deepEqual(mergeHeads(x, x), x)
      }),
      { numRuns: 400 },
    )
  })

  it('keeps exactly the maximal entries, pairwise concurrent, best first', () => {
    fc.assert(
      fc.property(anyEntries, (entries) => {
        const kept = heads(entries)
        kept.forEach((head, i) => {
          for (const other of kept.slice(i + 1)) {
            assert.equal(compareVersions(head.version, other.version), 'concurrent')
            assert.ok(rank(head, other) < 0)
          }
        })
        for (const entry of entries) assert.ok(kept.some((head) => includes(head.version, entry.version)))
      }),
      { numRuns: 400 },
    )
  })

  it('says that nothing is new by returning the same heads', () => {
    fc.assert(
      fc.property(anyEntries, (entries) => {
        const kept = heads(entries)
        for (const entry of entries) assert.equal(mergeEntry(kept, entry), kept)
      }),
    )
  })
})

describe('rank (V5, V6, V7)', () => {
  it('is a total order over recorded fields', () => {
    fc.assert(
      fc.property(arbitraryEntries, (entries) => {
        for (const a of entries) {
          assert.equal(rank(a, a), 0)
          for (const b of entries) {
            assert.equal(Math.sign(rank(a, b)), -Math.sign(rank(b, a)) || 0)
            for (const c of entries) if (rank(a, b) <= 0 && rank(b, c) <= 0) assert.ok(rank(a, c) <= 0)
          }
        }
      }),
      { numRuns: 400 },
    )
  })

  it('is never undecided between entries that differ', () => {
    fc.assert(
      fc.property(arbitraryEntries, (entries) => {
        for (const a of entries) {
          for (const b of entries) {
            if (rank(a, b) !== 0) continue
            assert.deepEqual({ ...a }, { ...b })
          }
        }
      }),
    )
  })
})

interface Case {
  readonly name: string
  readonly heads: readonly Entry[]
  readonly winner: Entry
  readonly losers: readonly Entry[]
}

const newer = file({ 1: 2 }, 'new', { mtimeUs: 2000 })
const older = file({ 2: 2 }, 'old', { mtimeUs: 1000 })
const gone = tombstone({ 3: 2 }, { mtimeUs: 9000 })
const folder = directory({ 4: 2 }, { mtimeUs: 1 })
const link = symlink({ 5: 2 }, 'elsewhere', { mtimeUs: 1500 })
const sameAsNewer = file({ 6: 2 }, 'new', { mtimeUs: 1500 })

const cases: Case[] = [
  { name: 'V3 equal content is no conflict', heads: [newer, sameAsNewer], winner: newer, losers: [] },
  { name: 'V3 nor are two deletions', heads: [gone, tombstone({ 1: 1 })], winner: gone, losers: [] },
  {
    name: 'V3 nor are two directories',
    heads: [folder, directory({ 1: 1 }, { mtimeUs: 0 })],
    winner: folder,
    losers: [],
  },
  { name: 'V4 the edit lives, however late the deletion', heads: [gone, older], winner: older, losers: [] },
  { name: 'V4 also a symlink lives', heads: [gone, link], winner: link, losers: [] },
  { name: 'V4 also a directory lives', heads: [gone, folder], winner: folder, losers: [] },
  { name: 'V5 the newer mtime wins', heads: [older, newer], winner: newer, losers: [older] },
  { name: 'V5 a newer symlink wins over a file', heads: [older, link], winner: link, losers: [older] },
  {
    name: 'V5 each losing content once',
    heads: [older, newer, file({ 7: 1 }, 'old', { mtimeUs: 1 })],
    winner: newer,
    losers: [older],
  },
  { name: 'V5 three contents', heads: [older, newer, link], winner: newer, losers: [link, older] },
  {
    name: 'V6 the directory keeps the name, however old',
    heads: [newer, folder],
    winner: folder,
    losers: [newer],
  },
  { name: 'V6 with a deletion beside it', heads: [newer, folder, gone], winner: folder, losers: [newer] },
]

describe('views of one path', () => {
  for (const { name, heads: given, winner, losers } of cases) {
    it(name, () => {
      const view = viewOf(heads(given))
      assert.equal(view.winner, winner)
      assert.deepEqual(view.losers, losers)
      for (const head of given) assert.ok(includes(view.version, head.version))
    })
  }

  it('V5 no content vanishes from a view: the winner or a loser has it', () => {
    fc.assert(
      fc.property(anyEntries, (entries) => {
        const all = heads(entries)
        const { winner, losers } = viewOf(all)
        for (const head of all) {
          if (!isLive(head) || head.type === 'directory') continue
          assert.ok([winner!, ...losers].some((kept) => sameContent(kept, head)))
        }
        losers.forEach((loser, i) => {
          for (const other of losers.slice(i + 1)) assert.ok(!sameContent(loser, other))
        })
      }),
    )
  })

  it('V7 a clock decides nothing: the tie of equal times is broken by content', () => {
    const a = file({ 1: 1 }, 'a')
    const b = file({ 2: 1 }, 'b')
    const winner = Buffer.compare(a.content, b.content) < 0 ? a : b
    assert.equal(viewOf(heads([a, b])).winner, winner)
    assert.equal(viewOf(heads([b, a])).winner, winner)
  })

  it('V4 the memory of a directory is that of the first tombstone that has one', () => {
    const was = { mode: 0o700, mtimeUs: 7 }
    const all = heads([tombstone({ 1: 1 }, { mtimeUs: 5000 }), tombstone({ 2: 1 }, { was, mtimeUs: 1 })])
    assert.deepEqual(memoryOf(all), { ...was, extra: [] })
    assert.equal(memoryOf(heads([older])), undefined)
  })
})
