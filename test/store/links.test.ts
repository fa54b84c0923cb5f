// Names of one inode in the index: what is said of one counts for all that were looked at alike, and for no other.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NO_EXTRA } from '../../src/core/entry.js'
import { ABSENT, type FileFact } from '../../src/core/fact.js'
import { inGroup } from '../../src/core/link-group.js'
import type { DiskStat } from '../../src/core/stat.js'
import { NO_VERSION } from '../../src/core/version.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { ShareIndex } from '../../src/store/share-index.js'
import { path } from '../support/arbitraries.js'

const STAT: DiskStat = {
  type: 'file',
  mode: 0o644,
  size: 3,
  mtimeMs: 1000,
  ctimeMs: 2000,
  ino: 77,
  dev: 1,
  nlink: 3,
  uid: 0,
  gid: 0,
}
const FILE: FileFact = {
  type: 'file',
  mode: 0o644,
  mtimeUs: 1_000_000,
  size: 3,
  content: Buffer.alloc(32, 1),
  extra: NO_EXTRA,
}
const EDITED: FileFact = { ...FILE, content: Buffer.alloc(32, 2) }
const G: Buffer = Buffer.alloc(16, 5)

class Scene {
  readonly database = new MemoryDatabase()
  index: ShareIndex = this.open()

  open(): ShareIndex {
    this.index = new ShareIndex(this.database, 'x', { overwriteDrift: false, isIgnored: () => false })
    return this.index
  }

  /** A look finds a file at a path. */
  see(name: string, stat: Partial<DiskStat>, fact: FileFact = FILE): void {
    const row = { applied: { version: NO_VERSION, fact }, stat: { ...STAT, ...stat }, drift: undefined }
    this.index.transaction(() => this.index.setDisk(path(name), row, undefined))
  }

  gone(name: string): void {
    const row = { applied: { version: NO_VERSION, fact: ABSENT }, stat: undefined, drift: undefined }
    this.index.transaction(() => this.index.setDisk(path(name), row, undefined))
  }

  ctime(name: string): number | undefined {
    return this.index.disk(path(name))?.stat?.ctimeMs
  }

  names(): string[] {
    return this.index.links.names(STAT.ino).map(({ path: name }) => name)
  }
}

test('names of a file with several are known by its inode and by their group', () => {
  const scene = new Scene()
  for (const name of ['b', 'd/a', 'c']) scene.see(name, {}, inGroup(FILE, G))
  scene.see('single', { ino: 78, nlink: 1 }, inGroup(FILE, G))
  assert.deepEqual(scene.names(), ['b', 'c', 'd/a'])
  assert.deepEqual(scene.index.links.inGroup(G), ['b', 'c', 'single', 'd/a'])
  assert.deepEqual(scene.index.links.inodes(undefined, 9), [77])
  assert.deepEqual([...scene.index.links.takeDirty()], [77])
  assert.equal(scene.index.links.hasDirty, false)
  scene.gone('c')
  assert.deepEqual(scene.names(), ['b', 'd/a'])
  scene.see('b', { nlink: 1, ino: 79 })
  scene.gone('d/a')
  assert.deepEqual(scene.names(), [])
  assert.deepEqual(scene.index.links.inodes(undefined, 9), [])
  assert.deepEqual(scene.index.links.inGroup(G), ['single'])
})

test('a link more or less by our own doing is one row, and counts for every name that was looked at alike', () => {
  const scene = new Scene()
  for (const name of ['a', 'b', 'c']) scene.see(name, {})
  const { index } = scene
  index.transaction(() => index.noteLinks({ ...STAT, ctimeMs: 3000, nlink: 4 }))
  for (const name of ['a', 'b', 'c']) assert.equal(scene.ctime(name), 3000, name)
  assert.equal(index.disk(path('a'))?.stat?.nlink, 4)
  assert.deepEqual(
    index.diskChildren('').map(({ row }) => row.stat?.ctimeMs),
    [3000, 3000, 3000],
  )
  // Also for the next process.
  scene.open()
  assert.equal(scene.ctime('b'), 3000)
  // But not if anything else has changed.
  scene.index.transaction(() => scene.index.noteLinks({ ...STAT, ctimeMs: 4000, mtimeMs: 1001 }))
  assert.equal(scene.ctime('b'), 3000)
})

test('the second name of a file: the first one is told', () => {
  const scene = new Scene()
  scene.see('a', { nlink: 1 })
  scene.index.transaction(() => scene.index.noteLinks({ ...STAT, ctimeMs: 3000, nlink: 2 }, path('a')))
  scene.see('b', { ctimeMs: 3000, nlink: 2 })
  assert.deepEqual(scene.names(), ['a', 'b'])
  // And the last but one: the last is alone.
  scene.gone('a')
  scene.index.transaction(() => scene.index.noteLinks({ ...STAT, ctimeMs: 5000, nlink: 1 }))
  assert.deepEqual(scene.names(), [])
  assert.equal(scene.ctime('b'), 5000)
})

test('a look that finds the same content tells for all names, one that finds another makes the others stale', () => {
  const scene = new Scene()
  for (const name of ['a', 'b', 'c']) scene.see(name, {})
  scene.see('b', { ctimeMs: 3000, nlink: 5 })
  assert.deepEqual(
    ['a', 'b', 'c'].map((name) => scene.ctime(name)),
    [3000, 3000, 3000],
  )
  scene.see('new', { ctimeMs: 4000, nlink: 6 })
  assert.deepEqual(
    ['a', 'b', 'c', 'new'].map((name) => scene.ctime(name)),
    [4000, 4000, 4000, 4000],
  )
  scene.see('c', { ctimeMs: 5000, mtimeMs: 1500, nlink: 6 }, EDITED)
  // What they show now is what they showed when they were last looked at for the first time; anything but 5000 will do.
  assert.deepEqual(
    ['a', 'b'].map((name) => scene.ctime(name) === 5000),
    [false, false],
  )
  assert.equal(scene.index.links.isUpToDate(scene.index.disk(path('a'))), false)
  assert.equal(scene.index.links.isUpToDate(scene.index.disk(path('c'))), true)
  assert.equal(scene.index.links.freshName(77), 'c')
  scene.see('a', { ctimeMs: 5000, mtimeMs: 1500, nlink: 6 }, EDITED)
  assert.equal(scene.ctime('a'), 5000)
  // A stale name tells nothing about the others.
  scene.index.transaction(() => scene.index.noteLinks({ ...STAT, ctimeMs: 9000 }, path('b')))
  assert.equal(scene.ctime('a'), 5000)
})

test('metadata seen to have changed by a write that left the content alone make the others stale as well', () => {
  const scene = new Scene()
  for (const name of ['a', 'b']) scene.see(name, {})
  scene.see('a', { ctimeMs: 3000, mode: 0o600 }, { ...FILE, mode: 0o600 })
  assert.notEqual(scene.ctime('b'), 3000)
})

test('files of which the index knows one name are found by their inodes', () => {
  const scene = new Scene()
  for (let n = 0; n < 20; n++) scene.see(`f${n}`, { ino: 100 + n, nlink: n === 7 ? 2 : 1 })
  const found = [...scene.index.singleNames(new Set([103, 107, 118, 999]), 6)].flat()
  assert.deepEqual(found.sort(), ['f18', 'f3'])
})
