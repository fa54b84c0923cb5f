// The publisher over a feed in memory: nothing is told before it is durable, and no change goes out that no longer starts
// from what is on the disk.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Fact } from '../../../src/core/fact.js'
import type { Publication } from '../../../src/daemon/share/publisher.js'
import { Publisher } from '../../../src/daemon/share/publisher.js'
import { contentOf } from '../../sim/contents.js'
import { at, Blocks, ENTRY_KEY, FakeDisk, fileFact, KEYS, ME, newIndex } from './support.js'

interface Bench {
  readonly index: ReturnType<typeof newIndex>
  readonly feed: Blocks
  readonly publisher: Publisher
  readonly postponed: string[]
  readonly told: number[]
  readonly disk: FakeDisk
  change(path: string, chunks: readonly number[]): Publication
}

function newBench(): Bench {
  const index = newIndex()
  const feed = new Blocks(KEYS[0]!)
  const postponed: string[] = []
  const told: number[] = []
  const disk = new FakeDisk()
  const publisher = new Publisher(index.feeds.byWriter(ME)!, {
    index,
    feed,
    entryKey: ENTRY_KEY,
    nowMs: () => 1,
    nonce: () => Buffer.alloc(24, 4),
    labelOf: () => 'box',
    onPostponed: (path) => postponed.push(path),
    onPublished: (count) => told.push(count),
  })
  const change = (path: string, chunks: readonly number[]): Publication => {
    disk.file(path, chunks)
    const fact: Fact = fileFact(chunks)
    const base = index.applied(at(path)).version
    const draft = { path: at(path), base, fact, origin: undefined, was: undefined }
    return { draft, pieces: contentOf(chunks).pieces, disk: { stat: disk.stat(path) } }
  }
  return { index, feed, publisher, postponed, told, disk, change }
}

test('F5: nothing is in the index, and nobody is told, before the append is durable', async () => {
  const { publisher, feed, index, told, change } = newBench()
  let calls = 0
  feed.beforeAppend = () => {
    calls++
    assert.deepEqual(index.heads(at('f')), [])
    assert.equal(index.feeds.byWriter(ME)!.next, 0)
    assert.deepEqual(told, [])
  }
  await publisher.publish([change('f', [1])])
  assert.equal(calls, 1)
  assert.deepEqual(told, [1])
  assert.equal(index.heads(at('f')).length, 1)
})

test('F5: a feed that failed to append takes no more, and what failed is not in the index', async () => {
  const { publisher, feed, index, told, change } = newBench()
  feed.beforeAppend = () => Promise.reject(new Error('the disk is full'))
  await assert.rejects(publisher.publish([change('f', [1])]), /disk is full/)
  feed.beforeAppend = () => undefined
  await assert.rejects(publisher.publish([change('g', [2])]), /disk is full/)
  assert.equal(feed.length, 0)
  assert.deepEqual(index.heads(at('f')), [])
  assert.equal(index.disk(at('f')), undefined)
  assert.deepEqual(told, [])
})

test('F1: equal pieces are announced once, in one batch and across batches', async () => {
  const { publisher, index, change } = newBench()
  await publisher.publish([change('a', [1, 2]), change('b', [2, 1])])
  await publisher.publish([change('c', [1, 3])])
  assert.equal(index.feeds.byWriter(ME)!.pieceCount, 3)
})

test('V1: a change whose path has another version by now than it was judged from is looked at again', async () => {
  const { publisher, feed, postponed, change } = newBench()
  await publisher.publish([change('f', [1])])
  const stale = change('f', [2])
  await publisher.publish([change('f', [3])])
  await publisher.publish([stale])
  assert.equal(feed.length, 2)
  assert.deepEqual(postponed, ['f'])
})

test('A9: what was committed at a path while its change was appended stays in the index, and is looked at again', async () => {
  const { publisher, index, feed, postponed, change, disk } = newBench()
  await publisher.publish([change('f', [1])])
  const edit = change('f', [2])
  disk.file('f', [3])
  const committed = {
    applied: { version: index.applied(at('f')).version, fact: fileFact([3]) },
    stat: disk.stat('f'),
    drift: undefined,
  }
  feed.beforeAppend = () => {
    index.transaction(() => index.setDisk(at('f'), committed, contentOf([3]).layout))
  }
  await publisher.publish([edit])
  assert.equal(feed.length, 2)
  assert.deepEqual(index.disk(at('f')), committed)
  assert.deepEqual(postponed, ['f'])
})
