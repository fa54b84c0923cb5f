import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { TreeDigest } from '../../src/core/digest.js'
import type { Entry } from '../../src/core/entry.js'
import { ABSENT, fingerprint } from '../../src/core/fact.js'
import { type Heads, NO_HEADS, viewOf } from '../../src/core/merge.js'
import { parentOf, type RelPath } from '../../src/core/path.js'
import { effective } from '../../src/core/tree.js'
import { openLmdb } from '../../src/store/lmdb.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { unpackLayout } from '../../src/store/pieces.js'
import { ShareIndex } from '../../src/store/share-index.js'
import { contentOf } from '../sim/contents.js'
import { path, writer } from '../support/arbitraries.js'
import { F, fileBy, indexOf, OTHER, openIndex, say } from './gone-kit.js'
import { NEVER, PATHS, Scene } from './scene.js'

/** Whether a path has a live child, from the heads alone. */
function hasLiveChild(heads: ReadonlyMap<RelPath, Heads>, at: RelPath): boolean {
  return PATHS.some((child) => parentOf(child) === at && isLiveHere(heads, child))
}

function isLiveHere(heads: ReadonlyMap<RelPath, Heads>, at: RelPath): boolean {
  return effective(heads.get(at) ?? NO_HEADS, hasLiveChild(heads, at)).fact.type !== 'absent'
}

/** With `isLooked`, the disk has been looked at since the index was opened. */
function check(scene: Scene, isLooked: boolean): void {
  const { index, heads } = scene
  if (isLooked) index.transaction(() => index.noteLooked())
  const wanted = new Set<RelPath>()
  const digest = new TreeDigest()
  const held = new Set<string>()
  let files = 0
  let bytes = 0
  for (const at of PATHS) {
    assert.deepEqual(index.heads(at), heads.get(at) ?? NO_HEADS)
    const live = hasLiveChild(heads, at)
    assert.deepEqual(index.effective(at), effective(heads.get(at) ?? NO_HEADS, live))
    const { type } = index.step(at)
    if (isLooked) assert.notEqual(type, 'adopt', 'what needs no disk is done on the spot')
    if (type !== 'none') wanted.add(at)
    assert.equal(index.isWanted(at), type !== 'none')
    const row = index.disk(at)
    const fact = row?.drift?.fact ?? row?.applied.fact ?? ABSENT
    for (const { id } of unpackLayout(index.layout(at) ?? Buffer.alloc(0))) held.add(id.toString('hex'))
    if (fact.type === 'absent') continue
    digest.add(fingerprint(at, fact))
    if (fact.type !== 'file') continue
    files++
    bytes += fact.size
  }
  assert.deepEqual(new Set(index.wantedAfter(undefined, 100)), wanted)
  assert.deepEqual(index.digest(), digest.value())
  const needBytes = [...wanted].reduce((sum, at) => {
    const step = index.step(at)
    return sum + (step.type === 'write' ? step.fact.size : 0)
  }, 0)
  const drift = PATHS.filter((at) => index.disk(at)?.drift !== undefined)
  assert.deepEqual(index.counts, { files, bytes, needFiles: wanted.size, needBytes, drift: drift.length })
  assert.deepEqual(new Set(index.drifted()), new Set(drift))
  const unsettled = PATHS.filter((at) => {
    const all = heads.get(at) ?? NO_HEADS
    const { winner, losers } = viewOf(all)
    return (
      losers.length > 0 || (winner !== undefined && winner.type !== 'directory' && hasLiveChild(heads, at))
    )
  })
  assert.deepEqual(new Set(index.conflicts.unsettled), new Set(unsettled))
  checkPieces(scene, held)
}

/** A piece is held exactly when a layout has it, and who goes by drain() knows the same. */
function checkPieces({ index, held: told }: Scene, held: ReadonlySet<string>): void {
  for (const feed of index.feeds.all()) {
    for (let number = 0; number < feed.pieceCount; number++) {
      const piece = index.pieces.at(feed.number, number)!
      const is = held.has(piece.id.toString('hex'))
      assert.equal(index.pieces.isHeld(piece), is)
      assert.equal(told.get(`${feed.number}/${number}`) ?? false, is)
      const place = index.placeOf(piece)
      assert.equal(place !== undefined, is)
      if (place === undefined) continue
      let offset = 0
      const at = unpackLayout(index.layout(place.path)!).find(({ id, length }) => {
        if (id.equals(piece.id)) return true
        offset += length - 24
        return false
      })
      assert.ok(at !== undefined && place.offset === offset)
    }
  }
}

function checkReopened(scene: Scene): void {
  const again = scene.open()
  assert.deepEqual(again.counts, scene.index.counts)
  assert.deepEqual(again.digest(), scene.index.digest())
  assert.deepEqual(new Set(again.conflicts.unsettled), new Set(scene.index.conflicts.unsettled))
  assert.deepEqual(new Set(again.drifted()), new Set(scene.index.drifted()))
  assert.deepEqual(again.feeds.all(), scene.index.feeds.all())
  assert.deepEqual(new Set(again.conflicts.copies), new Set(scene.index.conflicts.copies))
}

const OPTIONS = { overwriteDrift: false, isIgnored: NEVER }

describe('the index of a share', () => {
  it('keeps its invariants through anything, in memory', () => {
    for (let seed = 1; seed <= 70; seed++) {
      const scene = new Scene(seed, new MemoryDatabase())
      try {
        for (let i = 0; i < 40; i++) {
          scene.act()
          check(scene, i % 3 === 0 || i === 39)
        }
        checkReopened(scene)
      } catch (cause) {
        throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause })
      }
    }
  })

  it('keeps them in LMDB, and through being opened again', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'shoal-index-'))
    try {
      let database = openLmdb(directory)
      const scene = new Scene(4711, database)
      for (let i = 0; i < 60; i++) scene.act()
      check(scene, true)
      checkReopened(scene)
      const digest = scene.index.digest()
      await database.close()
      database = openLmdb(directory)
      assert.deepEqual(new ShareIndex(database, 'x-', OPTIONS).digest(), digest)
      await database.close()
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })

  it('F1 refuses an entry that contradicts its feed, and goes on with the others (A6)', () => {
    const index = new Scene(1, new MemoryDatabase()).index
    const feed = index.feeds.byWriter(writer(1))!
    const content = contentOf([1, 2])
    const common = { author: writer(1), origin: writer(1), extra: [], mtimeUs: 1, mode: 0o644 }
    const good = {
      ...common,
      type: 'file',
      size: content.size,
      content: content.id,
      pieces: [{ first: 0, count: 2 }],
    } as const
    const entries: Entry[] = [
      { ...good, path: path('unannounced'), version: [[writer(1), 1]], pieces: [{ first: 1, count: 2 }] },
      { ...good, path: path('size'), version: [[writer(1), 2]], size: content.size + 1 },
      { ...good, path: path('content'), version: [[writer(1), 3]], content: contentOf([3]).id },
      { ...good, path: path('counter'), version: [[writer(2), 9]] },
      { ...good, path: path('good'), version: [[writer(1), 4]] },
    ]
    const header = { kind: 'delta', timeMs: 0, view: [], checkpoint: undefined } as const
    const announcements = [{ first: 0, pieces: content.pieces }]
    const refusals = index.transaction(() => index.ingest(feed, { header, announcements, entries }, 1))
    assert.deepEqual(
      refusals.map((refusal) => refusal.path),
      ['unannounced', 'size', 'content', 'counter'],
    )
    assert.equal(index.effective(path('good')).fact.type, 'file')
    const other = [{ first: 1, pieces: contentOf([5]).pieces }]
    const again = index.transaction(() =>
      index.ingest(index.feeds.byWriter(writer(1))!, { header, announcements: other, entries: [] }, 2),
    )
    assert.match(again[0]!.detail, /announced twice/)
  })

  it('V1 a version that looks like the one applied is not taken for it before the disk was looked at', () => {
    const database = new MemoryDatabase()
    const content = contentOf([1])
    const before = indexOf(0, database)
    say(before, fileBy(OTHER, [[OTHER, 1]], content), content)
    const fact = before.effective(F).fact
    before.transaction(() => {
      before.setDisk(
        F,
        { applied: { version: [[OTHER, 1]], fact }, stat: undefined, drift: undefined },
        undefined,
      )
    })
    assert.equal(before.isWanted(F), false)
    // Deleted and put back as it was, while this device was away; and killed before it had looked at its disk.
    const index = openIndex(database)
    say(index, { ...fileBy(OTHER, [[OTHER, 3]], content), pieces: [{ first: 1, count: 1 }] }, content, 1)
    for (const unsure of [index, openIndex(database)]) {
      assert.deepEqual(unsure.applied(F).version, [[OTHER, 1]])
      assert.equal(unsure.isWanted(F), true)
    }
    const looked = openIndex(database)
    looked.transaction(() => looked.noteLooked())
    assert.deepEqual(looked.applied(F).version, [[OTHER, 3]])
    assert.equal(looked.isWanted(F), false)
    assert.equal(looked.counts.needFiles, 0)
  })
})
