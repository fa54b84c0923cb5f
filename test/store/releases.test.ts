// What the index keeps of releases, and paths that stay as they are while a release is shown.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TreeDigest } from '../../src/core/digest.js'
import { fingerprint, type LiveFact } from '../../src/core/fact.js'
import type { RelPath } from '../../src/core/path.js'
import { isInReleases, pathInRelease, releaseFingerprint } from '../../src/core/release.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { HeldReleases } from '../../src/store/releases.js'
import { ShareIndex } from '../../src/store/share-index.js'
import { Random } from '../sim/random.js'
import { contentOf, directory, path, tombstone, vector, writer } from '../support/arbitraries.js'

const PATHS = [
  'a',
  'releases',
  'releases/v1',
  'releases/v1.json',
  'releases/v1/a',
  'releases/v1/d/a',
  'releases/v2/a',
  'releasesx',
].map(path)

describe('HeldReleases', () => {
  it('is what was noted and not taken back, in any order', () => {
    const random = new Random(1)
    const held = new HeldReleases()
    const rows = new Map<RelPath, LiveFact>()
    for (let step = 0; step < 500; step++) {
      const at = random.pick(PATHS)!
      const before = rows.get(at)
      if (before !== undefined) held.note(at, before, fingerprint(at, before), -1)
      rows.delete(at)
      if (random.chance(0.6)) {
        const fact = factOf(random.below(4))
        rows.set(at, fact)
        held.note(at, fact, fingerprint(at, fact), 1)
      }
      const all = new TreeDigest()
      for (const [where, fact] of rows) if (isInReleases(where)) all.add(fingerprint(where, fact))
      assert.deepEqual(held.digest(), all.value())
      for (const name of ['v1', 'v2', 'v3']) assert.deepEqual(held.of(name), expected(rows, name))
    }
  })

  function factOf(n: number): LiveFact {
    const base = { mode: 0o644, mtimeUs: n, extra: [] }
    if (n === 0) return { ...base, type: 'directory' }
    return { ...base, type: 'file', size: n, content: contentOf(`${n}`) }
  }

  function expected(rows: ReadonlyMap<RelPath, LiveFact>, name: string): ReturnType<HeldReleases['of']> {
    const digest = new TreeDigest()
    const inside = [...rows].filter(([at]) => at === `releases/${name}` || at.startsWith(`releases/${name}/`))
    for (const [at, fact] of inside) digest.add(releaseFingerprint(pathInRelease(at, name), fact))
    const files = inside.flatMap(([, fact]) => (fact.type === 'file' ? [fact] : []))
    const bytes = files.reduce((sum, { size }) => sum + size, 0)
    return inside.length === 0 ? undefined : { digest: digest.value(), files: files.length, bytes }
  }
})

describe('a release that is shown', () => {
  const V1 = path('releases/v1')
  const A = path('releases/v1/a')
  const B = path('releases/v1/b')

  /** An index whose disk holds releases/v1 with one file. */
  function shown(): { index: ShareIndex; pinned: Set<string> } {
    const pinned = new Set<string>(['releases/v1'])
    const isPinned = (at: RelPath): boolean =>
      [...pinned].some((name) => at === name || at.startsWith(`${name}/`))
    const options = { overwriteDrift: false, isIgnored: () => false, isPinned }
    const index = new ShareIndex(new MemoryDatabase(), '', options)
    index.feeds.add({
      writer: writer(1),
      key: Buffer.alloc(32, 1),
      device: 'device' as never,
      deviceName: 'box',
      epoch: 0,
      certificate: Buffer.alloc(0),
    })
    for (const [i, entry] of [
      { ...directory({ 1: 1 }), path: path('releases') },
      { ...directory({ 1: 2 }), path: V1 },
      { ...directory({ 1: 3 }), path: A },
    ].entries())
      take(index, { ...entry, version: vector({ 1: i + 1 }), author: writer(1), origin: writer(1) })
    for (const at of [path('releases'), V1, A]) {
      const { fact, version } = index.effective(at)
      index.transaction(() =>
        index.setDisk(at, { applied: { version, fact }, stat: undefined, drift: undefined }, undefined),
      )
    }
    return { index, pinned }
  }

  let next = 10
  function take(index: ShareIndex, entry: Parameters<typeof record>[0]): void {
    const feed = index.feeds.byWriter(writer(1))!
    assert.deepEqual(
      index.transaction(() => index.ingest(feed, record(entry), ++next)),
      [],
    )
  }

  function record(entry: ReturnType<typeof directory> | ReturnType<typeof tombstone>) {
    const header = { kind: 'delta', timeMs: 0, view: [], checkpoint: undefined } as const
    return { header, announcements: [], entries: [entry] }
  }

  const by = { author: writer(1), origin: writer(1) }

  it('stays as it is: nothing is changed, added or removed', () => {
    const { index } = shown()
    take(index, { ...directory({ 1: 20 }), ...by, path: A, mode: 0o700, version: vector({ 1: 20 }) })
    take(index, { ...directory({ 1: 21 }), ...by, path: B, version: vector({ 1: 21 }) })
    assert.equal(index.step(A).type, 'none')
    assert.equal(index.step(B).type, 'none')
    assert.equal(index.counts.needFiles, 0)
    assert.equal(index.heldBack, 2)
    take(index, { ...tombstone({ 1: 22 }), ...by, path: A, version: vector({ 1: 22 }) })
    assert.equal(index.step(A).type, 'none')
    assert.equal(index.isWantedBelow(V1), false)
  })

  it('takes owners and the like, which may be stated later', () => {
    const { index } = shown()
    const { mode, mtimeUs } = index.effective(A).fact as { mode: number; mtimeUs: number }
    const extra = [[1, Buffer.from('root')]] as const
    take(index, { ...directory({ 1: 20 }), ...by, path: A, mode, mtimeUs, extra, version: vector({ 1: 20 }) })
    assert.equal(index.step(A).type, 'metadata')
    assert.equal(index.isWantedBelow(V1), true)
  })

  it('takes all of it once another one is shown', () => {
    const { index, pinned } = shown()
    take(index, { ...directory({ 1: 20 }), ...by, path: B, version: vector({ 1: 20 }) })
    take(index, { ...tombstone({ 1: 21 }), ...by, path: A, version: vector({ 1: 21 }) })
    pinned.clear()
    let at: RelPath | undefined
    do {
      at = index.transaction(() => index.refreshBelow(V1, at, 1))
    } while (at !== undefined)
    assert.equal(index.step(A).type, 'remove')
    assert.equal(index.step(B).type, 'mkdir')
    assert.equal(index.heldBack, 0)
    assert.equal(index.isWantedBelow(V1), true)
    assert.equal(index.isWantedBelow(path('releases/v')), false)
  })
})
