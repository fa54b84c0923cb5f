import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Entry, isLive } from '../../src/core/entry.js'
import { ABSENT, type Fact, factOf } from '../../src/core/fact.js'
import type { RelPath } from '../../src/core/path.js'
import type { Version } from '../../src/core/version.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { ShareIndex } from '../../src/store/share-index.js'
import { contentOf } from '../sim/contents.js'
import { path, writer } from '../support/arbitraries.js'
import { openIndex } from './gone-kit.js'
import { NEVER, Scene } from './scene.js'

const OPTIONS = { overwriteDrift: false, isIgnored: NEVER }

describe('what a process leaves for the next one', () => {
  it('A4, A5 what the own tail says was on the disk is applied, unless the feed said it before the index began', () => {
    const scene = new Scene(1, new MemoryDatabase())
    // Of this one's own feed, one block was there already when the index began.
    const renewed = (): ShareIndex => {
      const index = new ShareIndex(new MemoryDatabase(), 'x-', OPTIONS)
      index.feeds.add(scene.index.feeds.byWriter(writer(1))!, 1)
      return index
    }
    const content = contentOf([1])
    const entry = (counter: number, at: string, more: object): Entry =>
      ({
        path: path(at),
        version: [[writer(1), counter]],
        author: writer(1),
        origin: writer(1),
        extra: [],
        mtimeUs: 1,
        ...more,
      }) as unknown as Entry
    const fileOf = {
      type: 'file',
      mode: 0o644,
      size: content.size,
      content: content.id,
      pieces: [{ first: 0, count: 1 }],
    }
    const entries = [
      entry(1, 'mine', fileOf),
      entry(2, 'mine.conflict-20260101-000000-box', fileOf),
      entry(3, 'folder', { type: 'directory', mode: 0o755 }),
    ]
    const header = { kind: 'delta', timeMs: 0, view: [], checkpoint: undefined } as const
    const takeTail = (index: ShareIndex): void =>
      index.transaction(() => {
        const announcements = [{ first: 0, pieces: content.pieces }]
        index.ingest(index.feeds.byWriter(writer(1))!, { header, announcements, entries }, 1)
        index.recovery.noteOwnTail(1, entries)
      })
    const behind = renewed()
    takeTail(behind)
    // The disk may have been lost with the old index, so nothing is taken for granted.
    assert.deepEqual(behind.applied(path('mine')).fact, ABSENT)
    assert.deepEqual(
      [...behind.recovery.intents().keys()],
      ['mine', 'mine.conflict-20260101-000000-box', 'folder'],
    )
    behind.transaction(() => behind.recovery.useUp())
    assert.equal(behind.recovery.intents().size, 0)
    // Killed in its first look at the disk, an index that began with its feed does know what it announced.
    const known = scene.index
    takeTail(known)
    const live = entries[0]!
    assert.deepEqual(known.applied(path('mine')).fact, isLive(live) ? factOf(live) : ABSENT)
    assert.equal(known.disk(path('mine'))!.stat, undefined)
    assert.ok(known.pieces.isHeld(content.pieces[0]!))
    // What a settlement makes, this disk may never have held.
    assert.deepEqual([...known.recovery.intents().keys()], ['mine.conflict-20260101-000000-box'])
    assert.equal(known.applied(path('folder')).fact.type, 'directory')
    // Nor a directory in the place of a file, if it is as settling makes one.
    const displaced = entry(4, 'mine', { type: 'directory', mode: 0o755, mtimeUs: 0 })
    known.transaction(() => known.recovery.noteOwnTail(2, [displaced]))
    assert.deepEqual([...known.recovery.intents().keys()], ['mine.conflict-20260101-000000-box', 'mine'])
    assert.equal(known.applied(path('mine')).fact.type, 'file')
    // One with a time was found there: what is missing of it now, a user has deleted since.
    const found = entry(5, 'mine', { type: 'directory', mode: 0o755 })
    known.transaction(() => known.recovery.noteOwnTail(3, [found]))
    assert.equal(known.applied(path('mine')).fact.type, 'directory')
  })

  it('A4 a batch never takes the place of what an earlier run was about to do, whatever the clock says', () => {
    const database = new MemoryDatabase()
    const intentAt = (at: string): { path: RelPath; version: Version; fact: Fact } => {
      return { path: path(at), version: [[writer(1), 1]], fact: ABSENT }
    }
    const [one, two, three] = ['a', 'b', 'c'].map(intentAt)
    const before = openIndex(database)
    before.transaction(() => {
      before.recovery.begin([one!])
      before.recovery.begin([two!])
    })
    const index = openIndex(database)
    const batch = index.transaction(() => index.recovery.begin([three!]))
    assert.deepEqual([...index.recovery.intents().keys()], ['a', 'b', 'c'])
    index.transaction(() => index.recovery.clear(batch))
    assert.deepEqual([...index.recovery.intents().keys()], ['a', 'b'])
    index.transaction(() => index.recovery.useUp())
    assert.equal(openIndex(database).recovery.intents().size, 0)
  })
})
