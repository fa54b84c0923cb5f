// Versions that were made here and are gone here: which of them this device may declare gone, and what it says instead.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ABSENT, factOf } from '../../src/core/fact.js'
import type { Version } from '../../src/core/version.js'
import { goneVersion } from '../../src/store/gone.js'
import { contentOf } from '../sim/contents.js'
import { path } from '../support/arbitraries.js'
import { F, fileBy, indexOf, OTHER, OWN, say } from './gone-kit.js'

describe('gone versions', () => {
  const content = contentOf([1, 2])
  const mine = fileBy(OWN, [[OWN, 1]], content)

  it('A4 what was announced here and is nowhere on this disk is gone', () => {
    const index = indexOf(0)
    say(index, mine, content)
    const gone = goneVersion(index, F, OWN)!
    assert.deepEqual(gone.draft, {
      path: F,
      base: [[OWN, 1]],
      fact: ABSENT,
      origin: undefined,
      was: undefined,
    })
    assert.deepEqual(gone.missing, content.pieces)
  })

  it('A5 what the feed had said before the index began is not: the disk may have been lost with the old index', () => {
    const index = indexOf(1)
    say(index, mine, content)
    assert.equal(goneVersion(index, F, OWN), undefined)
    const later = contentOf([3])
    const run = { ...fileBy(OWN, [[OWN, 2]], later), pieces: [{ first: 2, count: 1 }] }
    say(index, run, later, 2)
    assert.deepEqual(goneVersion(index, F, OWN)!.missing, later.pieces)
  })

  it("another device's content is not ours to declare gone, whoever published the entry", () => {
    const index = indexOf(0)
    say(index, fileBy(OTHER, [[OTHER, 1]], content), content)
    assert.equal(goneVersion(index, F, OWN), undefined)
    say(
      index,
      fileBy(
        OWN,
        [
          [OWN, 1],
          [OTHER, 1],
        ],
        content,
        OTHER,
      ),
      content,
    )
    assert.equal(goneVersion(index, F, OWN), undefined)
  })

  it('V4 ours is, also when another writer let it win', () => {
    const index = indexOf(0)
    say(index, mine, content)
    const version: Version = [
      [OWN, 1],
      [OTHER, 1],
    ]
    say(index, fileBy(OTHER, version, content, OWN), content)
    assert.deepEqual(goneVersion(index, F, OWN)!.draft.base, version)
  })

  it('P3 what lies at another path or in the archive is not gone', () => {
    for (const archives of [false, true]) {
      const index = indexOf(0)
      say(index, mine, content)
      const at = path('elsewhere')
      const applied = { version: mine.version, fact: factOf(mine) }
      index.transaction(() =>
        index.setDisk(at, { applied, stat: undefined, drift: undefined }, content.layout),
      )
      assert.equal(goneVersion(index, F, OWN), undefined)
      index.transaction(() => {
        if (archives) index.noteArchived(at, '2020-02-02/somewhere')
        index.setDisk(
          at,
          { applied: { ...applied, fact: ABSENT }, stat: undefined, drift: undefined },
          undefined,
        )
      })
      assert.equal(goneVersion(index, F, OWN) === undefined, archives)
      index.transaction(() => index.forgetArchived((day) => day === '2020-02-02'))
      assert.equal(goneVersion(index, F, OWN) === undefined, archives)
      index.transaction(() => index.forgetArchived((day) => day === '2020-02-03'))
      assert.notEqual(goneVersion(index, F, OWN), undefined, 'what the keeper removed from the archive is')
    }
  })

  it('V5 while a conflict is open, what lost is copied first', () => {
    const index = indexOf(0)
    say(index, mine, content)
    const theirs = contentOf([5])
    say(index, { ...fileBy(OTHER, [[OTHER, 1]], theirs), mtimeUs: 0 }, theirs)
    assert.ok(index.conflicts.unsettled.has(F))
    assert.equal(goneVersion(index, F, OWN), undefined)
  })

  it('what this disk holds there instead is said again, not deleted', () => {
    const index = indexOf(0)
    const before = contentOf([7])
    const old = fileBy(OTHER, [[OTHER, 1]], before)
    say(index, old, before)
    const applied = { version: old.version, fact: factOf(old) }
    index.transaction(() => index.setDisk(F, { applied, stat: undefined, drift: undefined }, before.layout))
    say(
      index,
      fileBy(
        OWN,
        [
          [OWN, 1],
          [OTHER, 1],
        ],
        content,
      ),
      content,
    )
    const gone = goneVersion(index, F, OWN)!
    assert.deepEqual(gone.draft.fact, factOf(old))
    assert.deepEqual(gone.pieces, before.pieces)
  })
})
