import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { conflictPath } from '../../src/core/conflict.js'
import { type Entry, isLive, type LiveEntry } from '../../src/core/entry.js'
import { ABSENT, type Fact, factOf, sameFactContent } from '../../src/core/fact.js'
import type { WriterId } from '../../src/core/ids.js'
import { type Heads, mergeEntry, mergeHeads, NO_HEADS, viewOf } from '../../src/core/merge.js'
import type { RelPath } from '../../src/core/path.js'
import { type Draft, effective, entryOf, rescue, settle, withAncestors } from '../../src/core/tree.js'
import { advance, includes, NO_VERSION } from '../../src/core/version.js'
import {
  causalEntries,
  directory,
  file,
  path,
  symlink,
  tombstone,
  vector,
  writer,
} from '../support/arbitraries.js'

const merged = (entries: readonly Entry[]): Heads => mergeHeads(NO_HEADS, entries)
const labelOf = (id: WriterId): string => `device-${Number.parseInt(id, 16)}`

/** Heads by path, and what publishing drafts makes of them: the part of an index that these rules need. */
class Share {
  readonly heads = new Map<RelPath, Heads>()
  #counter = 100

  constructor(entries: readonly Entry[] = []) {
    for (const entry of entries) this.add(entry)
  }

  at(where: RelPath): Heads {
    return this.heads.get(where) ?? NO_HEADS
  }

  add(entry: Entry): void {
    this.heads.set(entry.path, mergeEntry(this.at(entry.path), entry))
  }

  context() {
    return { headsAt: (where: RelPath) => this.at(where), labelOf }
  }

  settlement(where: RelPath, hasLiveChild: boolean): readonly Draft[] {
    return settle(where, this.at(where), hasLiveChild, this.context())
  }

  publish(drafts: readonly Draft[], author: WriterId): Entry[] {
    return drafts.map((draft) => {
      const version = advance(draft.base, author, ++this.#counter)
      return entryOf(draft, { author, version, pieces: [], nowUs: 0 })
    })
  }

  /** Every live content of the share. */
  contents(): Fact[] {
    return [...this.heads.values()].flatMap((heads) => {
      const { winner } = viewOf(heads)
      return winner !== undefined && isLive(winner) ? [factOf(winner)] : []
    })
  }
}

describe('what the share says of a path', () => {
  const was = { mode: 0o700, mtimeUs: 77 }
  const cases: { name: string; heads: readonly Entry[]; hasLiveChild: boolean; expect: Partial<Fact> }[] = [
    { name: 'nothing known is nothing there', heads: [], hasLiveChild: false, expect: { type: 'absent' } },
    {
      name: 'V4 a child holds up a directory nobody named',
      heads: [],
      hasLiveChild: true,
      expect: { type: 'directory', mode: 0o755, mtimeUs: 0 },
    },
    {
      name: 'V4 a child holds up a deleted directory, as it was',
      heads: [tombstone({ 1: 2 }, { was })],
      hasLiveChild: true,
      expect: { type: 'directory', ...was },
    },
    {
      name: 'V4 without it, the deletion stands',
      heads: [tombstone({ 1: 2 }, { was })],
      hasLiveChild: false,
      expect: { type: 'absent' },
    },
    {
      name: 'V6 a child makes a directory of a file',
      heads: [file({ 1: 1 }, 'x')],
      hasLiveChild: true,
      expect: { type: 'directory' },
    },
    {
      name: 'V6 a directory that is written down counts',
      heads: [file({ 1: 1 }, 'x'), directory({ 2: 1 }, { mode: 0o711 })],
      hasLiveChild: true,
      expect: { type: 'directory', mode: 0o711 },
    },
    { name: 'a file is a file', heads: [file({ 1: 1 }, 'x')], hasLiveChild: false, expect: { type: 'file' } },
  ]
  for (const { name, heads, hasLiveChild, expect } of cases) {
    it(name, () => {
      const { fact, version } = effective(merged(heads), hasLiveChild)
      assert.deepEqual({ ...fact, ...expect }, fact)
      for (const head of heads) assert.ok(includes(version, head.version))
    })
  }

  it('paths above a path', () => {
    assert.deepEqual(withAncestors(path('a/b/c')), ['a/b/c', 'a/b', 'a'])
    assert.deepEqual(withAncestors(path('a')), ['a'])
  })
})

describe('settling', () => {
  const first = file({ 1: 1 }, 'first', { mtimeUs: 3_000_000 })
  const second = file({ 2: 1 }, 'second', { mtimeUs: 2_000_000 })

  it('V3 equal contents, V4 deletions and single heads need nothing', () => {
    for (const heads of [
      [],
      [first],
      [first, file({ 2: 1 }, 'first')],
      [first, tombstone({ 2: 1 })],
      [directory({ 1: 1 }), directory({ 2: 1 }, { mode: 0o700 })],
    ]) {
      assert.deepEqual(new Share(heads).settlement(path('f'), false), [])
    }
  })

  it('V5 the loser goes beside the winner, named after who made it', () => {
    const drafts = new Share([first, second]).settlement(path('f'), false)
    const copy = 'f.conflict-19700101-000002-device-2'
    assert.deepEqual(
      drafts.map(({ path: at, fact }) => ({ at, fact })),
      [
        { at: copy, fact: factOf(second) },
        { at: 'f', fact: factOf(first) },
      ],
    )
    assert.deepEqual(drafts[1]!.base, vector({ 1: 1, 2: 1 }))
    assert.equal(drafts[0]!.origin, writer(2))
  })

  it('V6 a file gives way to a directory', () => {
    const drafts = new Share([first, directory({ 2: 1 })]).settlement(path('f'), false)
    assert.deepEqual(
      drafts.map(({ fact }) => fact.type),
      ['file', 'directory'],
    )
  })

  it('V6 a file gives way to what was made inside the directory it replaced', () => {
    const drafts = new Share([first]).settlement(path('f'), true)
    assert.deepEqual(
      drafts.map(({ path: at, fact }) => ({ at, type: fact.type })),
      [
        { at: 'f.conflict-19700101-000003-device-1', type: 'file' },
        { at: 'f', type: 'directory' },
      ],
    )
  })

  it('V4 a deleted directory that an addition brings back is written down', () => {
    const was = { mode: 0o750, mtimeUs: 5 }
    const drafts = new Share([tombstone({ 1: 2 }, { was })]).settlement(path('f'), true)
    assert.deepEqual(drafts, [
      {
        path: 'f',
        base: vector({ 1: 2 }),
        fact: { type: 'directory', ...was, extra: [] },
        origin: undefined,
        was: undefined,
      },
    ])
  })

  it('V5 two losers of one device and one second get two names', () => {
    const losers = [
      file({ 2: 1, 3: 1 }, 'second', { mtimeUs: 2_000_001, by: 3, origin: 2 }),
      file({ 2: 2 }, 'other', { mtimeUs: 2_000_002, by: 2 }),
    ]
    const drafts = new Share([first, ...losers]).settlement(path('f'), false)
    assert.equal(new Set(drafts.map((draft) => draft.path)).size, 3)
    for (const loser of losers) assert.ok(drafts.some(({ fact }) => sameFactContent(fact, factOf(loser))))
  })

  it('V5 a name that holds something else is passed over, however often', () => {
    const share = new Share([first, second])
    const seen = new Set<string>()
    for (let i = 0; i < 4; i++) {
      const drafts = share.settlement(path('f'), false)
      assert.equal(drafts.length, 2)
      const [copy] = drafts
      assert.ok(!seen.has(copy!.path))
      seen.add(copy!.path)
      // The user puts something else under the name of the copy.
      share.add(file({ 7: i + 1 }, `mine ${i}`, { at: copy!.path }))
    }
    for (let i = 0; i < 4; i++)
      assert.ok(share.contents().some((fact) => sameFactContent(fact, factOf(file({ 1: 1 }, `mine ${i}`)))))
  })

  it('V5 when no name is left, the conflict stays open rather than bury anything', () => {
    const share = new Share([first, second])
    for (let drafts = share.settlement(path('f'), false), i = 1; drafts.length > 0; i++) {
      share.add(file({ 7: i }, `mine ${i}`, { at: drafts[0]!.path }))
      drafts = share.settlement(path('f'), false)
    }
    assert.equal(share.heads.size, 10)
    assert.equal(share.at(path('f')).length, 2)
  })

  it('V5 a copy that is there already is not published again; a deleted one is', () => {
    const copy = conflictPath(path('f'), second, 'device-2', false)
    const there = new Share([first, second, file({ 9: 1 }, 'second', { at: copy })])
    assert.deepEqual(
      there.settlement(path('f'), false).map((draft) => draft.path),
      ['f'],
    )
    const deleted = new Share([first, second, tombstone({ 9: 2 }, { at: copy })])
    assert.deepEqual(
      deleted.settlement(path('f'), false).map((draft) => draft.path),
      [copy, 'f'],
    )
    assert.deepEqual(deleted.settlement(path('f'), false)[0]!.base, vector({ 9: 2 }))
  })

  it('afterwards nothing is unsettled, every content lives, and two writers agree', () => {
    fc.assert(
      fc.property(causalEntries, fc.boolean(), (entries, hasLiveChild) => {
        const share = new Share(entries)
        const before = share.at(path('f'))
        const drafts = share.settlement(path('f'), hasLiveChild)
        const one = share.publish(drafts, writer(8))
        const two = share.publish(share.settlement(path('f'), hasLiveChild), writer(9))
        for (const entry of [...one, ...two]) share.add(entry)
        assert.deepEqual(
          one.map((entry) => entry.path),
          two.map((entry) => entry.path),
        )
        for (const where of share.heads.keys()) {
          const holds = where === path('f') && hasLiveChild
          assert.deepEqual(settle(where, share.at(where), holds, share.context()), [])
        }
        const live = before.filter((head): head is LiveEntry => isLive(head) && head.type !== 'directory')
        for (const head of live)
          assert.ok(share.contents().some((fact) => sameFactContent(fact, factOf(head))))
      }),
      { numRuns: 400 },
    )
  })
})

describe('rescuing what a new version would bury (V1, V5)', () => {
  const draft = (base: Record<number, number>, fact: Fact): Draft => {
    return { path: path('f'), base: vector(base), fact, origin: undefined, was: undefined }
  }
  const mine = factOf(file({ 1: 9 }, 'mine'))
  const shown = factOf(file({ 1: 1 }, 'shown'))
  const cases: { name: string; heads: readonly Entry[]; draft: Draft; replaced: Fact; copies: number }[] = [
    {
      name: 'an edit of what was shown',
      heads: [file({ 2: 1 }, 'shown')],
      draft: draft({ 2: 1 }, mine),
      replaced: shown,
      copies: 0,
    },
    {
      name: 'an edit beside a version not seen',
      heads: [file({ 2: 1 }, 'unseen')],
      draft: draft({}, mine),
      replaced: ABSENT,
      copies: 0,
    },
    {
      name: 'an edit of the winner of a conflict that nobody settled',
      heads: [file({ 2: 1 }, 'shown'), file({ 3: 1 }, 'lost')],
      draft: draft({ 2: 1, 3: 1 }, mine),
      replaced: shown,
      copies: 1,
    },
    {
      name: 'the same as a deletion',
      heads: [file({ 2: 1 }, 'shown'), file({ 3: 1 }, 'lost')],
      draft: draft({ 2: 1, 3: 1 }, ABSENT),
      replaced: shown,
      copies: 1,
    },
    {
      name: 'own words that the own disk never held',
      heads: [file({ 1: 7 }, 'settled')],
      draft: draft({}, mine),
      replaced: ABSENT,
      copies: 1,
    },
    {
      name: 'own words that the disk held',
      heads: [file({ 1: 7 }, 'shown')],
      draft: draft({ 1: 7 }, mine),
      replaced: shown,
      copies: 0,
    },
    {
      name: 'content that is published again',
      heads: [file({ 1: 7 }, 'mine')],
      draft: draft({}, mine),
      replaced: ABSENT,
      copies: 0,
    },
    {
      name: 'a link is content, too',
      heads: [symlink({ 1: 7 }, 'there')],
      draft: draft({}, mine),
      replaced: ABSENT,
      copies: 1,
    },
    {
      name: 'directories and deletions are not',
      heads: [directory({ 1: 7 }), tombstone({ 1: 6, 2: 1 })],
      draft: draft({ 2: 1 }, mine),
      replaced: ABSENT,
      copies: 0,
    },
  ]
  for (const { name, heads, draft: given, replaced, copies } of cases) {
    it(name, () => {
      const share = new Share(heads)
      assert.equal(rescue(given, writer(1), replaced, share.at(path('f')), share.context())?.length, copies)
    })
  }

  it('no content is lost to any edit, whatever it is based on', () => {
    fc.assert(
      fc.property(causalEntries, fc.nat(3), fc.nat(3), (entries, by, shownAt) => {
        const share = new Share(entries)
        const heads = share.at(path('f'))
        const author = writer(by + 1)
        const applied = heads[shownAt]
        const replaced = applied !== undefined && isLive(applied) ? factOf(applied) : ABSENT
        const base = applied === undefined ? NO_VERSION : viewOf(heads).version
        const edit: Draft = { path: path('f'), base, fact: mine, origin: undefined, was: undefined }
        const copies = rescue(edit, author, replaced, heads, share.context())!
        for (const entry of share.publish([...copies, edit], author)) share.add(entry)
        // What is still in conflict counts: settling is for that.
        const kept = [...share.heads.values()].flat().flatMap((head) => (isLive(head) ? [factOf(head)] : []))
        for (const head of heads) {
          if (!isLive(head) || head.type === 'directory' || sameFactContent(factOf(head), replaced)) continue
          assert.ok(kept.some((fact) => sameFactContent(fact, factOf(head))))
        }
      }),
      { numRuns: 400 },
    )
  })
})
