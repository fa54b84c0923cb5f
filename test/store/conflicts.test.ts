import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Entry, isLive } from '../../src/core/entry.js'
import { ABSENT, factOf } from '../../src/core/fact.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { contentOf } from '../sim/contents.js'
import { path, writer } from '../support/arbitraries.js'
import { Scene } from './scene.js'

describe('conflicts as the index knows them', () => {
  it('V5 a version that lost an open conflict is held where it lies', () => {
    const index = new Scene(1, new MemoryDatabase()).index
    const [mine, theirs] = [contentOf([1]), contentOf([2])]
    const said = (by: number, content: typeof mine, mtimeUs: number): Entry => ({
      type: 'file',
      path: path('f'),
      version: [[writer(by), 1]],
      author: writer(by),
      origin: writer(by),
      extra: [],
      mode: 0o644,
      mtimeUs,
      size: content.size,
      content: content.id,
      pieces: [{ first: 0, count: 1 }],
    })
    const header = { kind: 'delta', timeMs: 0, view: [], checkpoint: undefined } as const
    const take = (by: number, content: typeof mine, mtimeUs: number): Entry => {
      const entry = said(by, content, mtimeUs)
      const announcements = [{ first: 0, pieces: content.pieces }]
      index.transaction(() =>
        index.ingest(index.feeds.byWriter(writer(by))!, { header, announcements, entries: [entry] }, 1),
      )
      return entry
    }
    const own = take(1, mine, 1)
    assert.ok(isLive(own))
    index.transaction(() =>
      index.setDisk(
        path('f'),
        { applied: { version: own.version, fact: factOf(own) }, stat: undefined, drift: undefined },
        mine.layout,
      ),
    )
    assert.equal(index.conflicts.holdsLoser(path('f')), false)
    take(2, theirs, 2)
    assert.equal(index.step(path('f')).type, 'write')
    assert.equal(index.conflicts.holdsLoser(path('f')), true)
    const drafts = index.conflicts.settlement(path('f'), () => 'box')
    assert.equal(drafts.length, 2)
    const held = index.applied(path('f')).fact
    const rescued = index.conflicts.rescued({ ...drafts[1]!, fact: ABSENT }, held, writer(1), () => 'box')
    assert.equal(
      rescued?.length,
      1,
      "the unseen version is kept, the one on the disk is the user's to delete",
    )
  })
})
