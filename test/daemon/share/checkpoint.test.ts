// F3 with the real publisher, follower and index over tables in memory: a feed most of which is dead is said again, and
// who starts to follow then begins at that point and misses nothing.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { NO_EXTRA } from '../../../src/core/entry.js'
import type { Fact } from '../../../src/core/fact.js'
import { deviceIdFromKey, writerIdOf } from '../../../src/core/ids.js'
import { parsePath, type RelPath } from '../../../src/core/path.js'
import { contentIdOf, type PieceInfo, SIV_BYTES } from '../../../src/core/piece.js'
import { CheckpointClock, LEAST_ENTRIES } from '../../../src/daemon/share/checkpoint.js'
import { Follower } from '../../../src/daemon/share/follower.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import { type Publication, Publisher } from '../../../src/daemon/share/publisher.js'
import { silentLog } from '../../../src/ports/log.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import { ShareIndex } from '../../../src/store/share-index.js'

const KEY = Buffer.alloc(32, 1)
const ENTRY_KEY = Buffer.alloc(32, 2)
const WRITER = writerIdOf(KEY)
const DIRECTORIES = 3000

/** A feed in memory. */
class Blocks extends EventEmitter {
  readonly key = KEY
  readonly blocks: Buffer[] = []
  /** The least block that anybody read. */
  leastRead = Number.POSITIVE_INFINITY

  get length(): number {
    return this.blocks.length
  }

  async append(blocks: readonly Buffer[]): Promise<number> {
    this.blocks.push(...blocks)
    return this.blocks.length
  }

  async *read(from: number, to: number): AsyncGenerator<{ index: number; block: Buffer }> {
    this.leastRead = Math.min(this.leastRead, from)
    for (let index = from; index < to; index++) yield { index, block: this.blocks[index]! }
  }
}

function newIndex(): ShareIndex {
  const index = new ShareIndex(new MemoryDatabase(), 's:', { overwriteDrift: false, isIgnored: () => false })
  index.feeds.add({
    writer: WRITER,
    key: KEY,
    device: deviceIdFromKey(Buffer.alloc(32, 3)),
    deviceName: 'one',
    epoch: 0,
    certificate: Buffer.alloc(0),
  })
  return index
}

function publisherOf(index: ShareIndex, feed: Blocks): Publisher {
  return new Publisher(index.feeds.byWriter(WRITER)!, {
    index,
    feed,
    entryKey: ENTRY_KEY,
    nowMs: () => 1_700_000_000_000,
    nonce: () => Buffer.alloc(24, 4),
    labelOf: () => 'one',
    onPostponed: (path) => assert.fail(`postponed ${path}`),
    onPublished: () => undefined,
  })
}

function change(
  index: ShareIndex,
  path: RelPath,
  fact: Fact,
  pieces: readonly PieceInfo[] = [],
): Publication {
  const draft = { path, base: index.applied(path).version, fact, origin: undefined, was: undefined }
  const stat = {
    type: 'directory',
    mode: 0,
    size: 0,
    mtimeMs: 0,
    ctimeMs: 0,
    ino: 1,
    dev: 1,
    nlink: 1,
    uid: 0,
    gid: 0,
  } as const
  return { draft, pieces, disk: { stat } }
}

function directories(index: ShareIndex, round: number): Publication[] {
  return Array.from({ length: DIRECTORIES }, (_, i) =>
    change(index, parsePath(`d${i}`), { type: 'directory', mode: 0o755, mtimeUs: round, extra: NO_EXTRA }),
  )
}

function file(index: ShareIndex, name: string, seed: number): Publication {
  const pieces = [seed, seed + 1].map((fill) => ({ id: Buffer.alloc(32, fill), length: 100 + SIV_BYTES }))
  const content = contentIdOf(pieces.map(({ id }) => id))
  const fact = { type: 'file', mode: 0o644, mtimeUs: 5, size: 200, content, extra: NO_EXTRA } as const
  return change(index, parsePath(name), fact, pieces)
}

test('F3: a feed that is mostly dead gets a checkpoint; a new follower starts there and misses nothing', async () => {
  const feed = new Blocks()
  const index = newIndex()
  const publisher = publisherOf(index, feed)
  await publisher.publish([file(index, 'dead', 10), file(index, 'kept', 20)])
  await publisher.publish([change(index, parsePath('dead'), { type: 'absent' })])
  for (let round = 0; round * DIRECTORIES < 2 * LEAST_ENTRIES; round++) {
    await publisher.publish(directories(index, round))
  }
  const row = index.feeds.byWriter(WRITER)!
  assert.ok(row.checkpoint > 0, 'a checkpoint was made')
  assert.equal(row.checkpointEntries, DIRECTORIES + 2)
  await publisher.publish([file(index, 'later', 30)])

  const other = newIndex()
  const problems = new ProblemBook(() => 0)
  const options = {
    index: other,
    feed,
    entryKey: ENTRY_KEY,
    problems,
    log: silentLog,
    onIngested: () => undefined,
  }
  const follower = new Follower(other.feeds.byWriter(WRITER)!, options)
  await follower.catchUp()
  assert.deepEqual(problems.list(), [])
  assert.equal(feed.leastRead, row.checkpoint, 'nothing before the checkpoint was read')
  const heads = (of: ShareIndex): unknown => [...of.allHeads()]
  assert.deepEqual(heads(other), heads(index))
  const kept = other.heads(parsePath('kept'))[0]!
  assert.deepEqual(other.piecesOf(kept), index.piecesOf(kept), 'piece numbers are kept')
  assert.equal(other.heads(parsePath('dead'))[0]?.type, 'tombstone', 'deletions are said again')
  await follower.stop()
})

test('F1: who lost the index of its own feed reads all of it again: no number is used twice, checkpoint or not', async () => {
  const feed = new Blocks()
  const index = newIndex()
  const publisher = publisherOf(index, feed)
  await publisher.publish([file(index, 'kept', 20), file(index, 'dead', 10)])
  await publisher.publish([change(index, parsePath('dead'), { type: 'absent' })])
  for (let round = 0; round * DIRECTORIES < 2 * LEAST_ENTRIES; round++) {
    await publisher.publish(directories(index, round))
  }
  assert.ok(index.feeds.byWriter(WRITER)!.checkpoint > 0, 'a checkpoint was made')
  // Records after the checkpoint point at it.
  await publisher.publish(directories(index, -1).slice(0, 1))

  const renewed = newIndex()
  const problems = new ProblemBook(() => 0)
  const row = renewed.feeds.byWriter(WRITER)!
  const follower = new Follower(row, {
    index: renewed,
    feed,
    entryKey: ENTRY_KEY,
    problems,
    log: silentLog,
    isOwn: true,
    onIngested: () => undefined,
  })
  await follower.catchUp()
  assert.deepEqual(problems.list(), [])
  const { counter, pieceCount } = index.feeds.byWriter(WRITER)!
  assert.equal(renewed.feeds.byWriter(WRITER)!.pieceCount, pieceCount)
  assert.equal(renewed.feeds.byWriter(WRITER)!.counter, counter)
  await follower.stop()
})

test('F3: a feed that is all live gets none, and is looked at less and less often', () => {
  const feed = { ...newIndex().feeds.byWriter(WRITER)!, counter: LEAST_ENTRIES }
  const clock = new CheckpointClock(newIndex().feeds.byWriter(WRITER)!)
  const live = { entries: 100_000, liveBytes: 0, deadBytes: 0, checkpointBytes: 0 }
  assert.equal(clock.isTimeToLook({ ...feed, counter: LEAST_ENTRIES - 1 }), false)
  assert.equal(clock.isTimeToLook(feed), true)
  assert.equal(clock.isDue({ ...feed, counter: 100_000 }, live), false)
  assert.equal(clock.isTimeToLook({ ...feed, counter: 199_999 }), false)
  assert.equal(clock.isTimeToLook({ ...feed, counter: 200_000 }), true)
  assert.equal(clock.isDue({ ...feed, counter: 200_001 }, live), true)
})

/** What a device that joins now ends with. */
async function joining(feed: Blocks): Promise<{ index: ShareIndex; problems: ProblemBook }> {
  const index = newIndex()
  const problems = new ProblemBook(() => 0)
  const options = { index, feed, entryKey: ENTRY_KEY, problems, log: silentLog, onIngested: () => undefined }
  const follower = new Follower(index.feeds.byWriter(WRITER)!, options)
  await follower.catchUp()
  await follower.stop()
  return { index, problems }
}

async function fillUntilCheckpoint(publisher: Publisher, index: ShareIndex): Promise<void> {
  const before = index.feeds.byWriter(WRITER)!.checkpoint
  for (let round = 0; index.feeds.byWriter(WRITER)!.checkpoint === before; round++) {
    assert.ok(round < 20, 'a checkpoint is made')
    await publisher.publish(directories(index, round))
  }
}

test('F1: content that a checkpoint left out and that comes back is announced anew, so that who starts there knows it', async () => {
  const feed = new Blocks()
  const index = newIndex()
  const publisher = publisherOf(index, feed)
  await publisher.publish([file(index, 'gone', 10), file(index, 'kept', 20)])
  await publisher.publish([change(index, parsePath('gone'), { type: 'absent' })])
  await fillUntilCheckpoint(publisher, index)
  const { pieceCount } = index.feeds.byWriter(WRITER)!
  await publisher.publish([file(index, 'back', 10), file(index, 'copy', 20)])
  assert.equal(
    index.feeds.byWriter(WRITER)!.pieceCount,
    pieceCount + 2,
    'what was restated is not announced again',
  )
  const { index: other, problems } = await joining(feed)
  assert.deepEqual(problems.list(), [])
  for (const name of ['back', 'copy', 'kept']) {
    const [head] = other.heads(parsePath(name))
    assert.ok(head !== undefined, `${name} is known`)
    assert.deepEqual(other.piecesOf(head), index.piecesOf(head))
  }
})
