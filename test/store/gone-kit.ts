// An index with the feeds of two writers that say what a test wants about one path.
import assert from 'node:assert/strict'
import type { Entry, FileEntry } from '../../src/core/entry.js'
import type { DeviceId, WriterId } from '../../src/core/ids.js'
import type { RelPath } from '../../src/core/path.js'
import type { Version } from '../../src/core/version.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { ShareIndex } from '../../src/store/share-index.js'
import type { Content } from '../sim/contents.js'
import { path, writer } from '../support/arbitraries.js'

export const OWN: WriterId = writer(1)
export const OTHER: WriterId = writer(2)
export const F: RelPath = path('f')

/** An index with two feeds, of which the own one was `ownLength` blocks long when the index began. */
export function indexOf(ownLength: number, database: MemoryDatabase = new MemoryDatabase()): ShareIndex {
  const index = openIndex(database)
  for (const [n, id] of [OWN, OTHER].entries()) {
    const row = {
      writer: id,
      key: Buffer.alloc(32, n),
      device: 'device' as DeviceId,
      deviceName: `box ${n}`,
      epoch: 0,
      certificate: Buffer.alloc(0),
    }
    index.feeds.add(row, id === OWN ? ownLength : 0)
  }
  return index
}

export function openIndex(database: MemoryDatabase): ShareIndex {
  return new ShareIndex(database, '', { overwriteDrift: false, isIgnored: () => false })
}

export function fileBy(
  author: WriterId,
  version: Version,
  content: Content,
  origin: WriterId = author,
): FileEntry {
  const base = { path: F, version, author, origin, extra: [], mtimeUs: 1, mode: 0o644 }
  const { size, id } = content
  return { ...base, type: 'file', size, content: id, pieces: [{ first: 0, count: content.pieces.length }] }
}

export function say(index: ShareIndex, entry: Entry, content: Content, first = 0): void {
  const feed = index.feeds.byWriter(entry.author)!
  const header = { kind: 'delta', timeMs: 0, view: [], checkpoint: undefined } as const
  const announcements = [{ first, pieces: content.pieces }]
  const record = { header, announcements, entries: [entry] }
  assert.deepEqual(
    index.transaction(() => index.ingest(feed, record, feed.next + 1)),
    [],
  )
}
