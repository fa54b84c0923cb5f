// F3 with the real publisher, follower and index over tables in memory: a feed most of which is dead is said again, and
// who starts to follow then begins at that point and misses nothing.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { NO_EXTRA } from '../../../src/core/entry.js'
import type { Fact } from '../../../src/core/fact.js'
import { blake3 } from '../../../src/core/hash.js'
import { deviceIdFromKey, writerIdOf } from '../../../src/core/ids.js'
import { parsePath, type RelPath } from '../../../src/core/path.js'
import { contentIdOf, type PieceInfo, SIV_BYTES } from '../../../src/core/piece.js'
import {
  type Announced,
  announcedIn,
  followLife,
  lifeFrom,
  PieceSpans,
} from '../../../src/core/piece-life.js'
import { decodePublicPart, encodeRecord, type PublicPart } from '../../../src/core/record.js'
import {
  CheckpointClock,
  checkpointRecords,
  LEAST_BYTES,
  LEAST_ENTRIES,
  surveyOf,
} from '../../../src/daemon/share/checkpoint.js'
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
const MIB = 1024 * 1024

/** A feed in memory. */
class Blocks extends EventEmitter {
  readonly key = KEY
  readonly blocks: Buffer[] = []
  /** The least block that anybody read. */
  leastRead = Number.POSITIVE_INFINITY

  get length(): number {
    return this.blocks.length
  }

  /** How many checkpoint records still get through before the power fails. */
  left = Number.POSITIVE_INFINITY

  async append(blocks: readonly Buffer[]): Promise<number> {
    for (const block of blocks) {
      if (publicPartOf(block).header.kind === 'checkpoint' && this.left-- <= 0)
        throw new Error('the power failed')
      this.blocks.push(block)
    }
    return this.blocks.length
  }

  async *read(from: number, to: number): AsyncGenerator<{ index: number; block: Buffer }> {
    this.leastRead = Math.min(this.leastRead, from)
    for (let index = from; index < to; index++) yield { index, block: this.blocks[index]! }
  }
}

function newIndex(database: MemoryDatabase = new MemoryDatabase()): ShareIndex {
  const index = new ShareIndex(database, 's:', { overwriteDrift: false, isIgnored: () => false })
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
  return fileOf(index, name, [seed, seed + 1], 100)
}

function fileOf(
  index: ShareIndex,
  name: string,
  seeds: readonly (number | string)[],
  bytes: number,
): Publication {
  const pieces = seeds.map((seed) => ({ id: blake3(Buffer.from(`${seed}`)), length: bytes + SIV_BYTES }))
  const content = contentIdOf(pieces.map(({ id }) => id))
  const fact = {
    type: 'file',
    mode: 0o644,
    mtimeUs: 5,
    size: bytes * seeds.length,
    content,
    extra: NO_EXTRA,
  } as const
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
  const deadEntries = LEAST_ENTRIES / 2
  const feed = { ...newIndex().feeds.byWriter(WRITER)!, counter: LEAST_ENTRIES, deadEntries }
  const clock = new CheckpointClock(newIndex().feeds.byWriter(WRITER)!)
  const live = { entries: 100_000, liveBytes: 0, deadBytes: 0, checkpointBytes: 0 }
  assert.equal(clock.isTimeToLook({ ...feed, counter: LEAST_ENTRIES - 1 }), false)
  assert.equal(clock.isTimeToLook({ ...feed, deadEntries: deadEntries - 1 }), false)
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

/** A version of an image of 40 MiB, of which nothing is left in the next one. */
function image(index: ShareIndex, version: number): Publication {
  return fileOf(
    index,
    'image',
    Array.from({ length: 40 }, (_, i) => `${version} ${i}`),
    MIB,
  )
}

async function fillUntilCheckpoint(publisher: Publisher, index: ShareIndex): Promise<void> {
  const before = index.feeds.byWriter(WRITER)!.checkpoint
  for (let version = 0; index.feeds.byWriter(WRITER)!.checkpoint === before; version++) {
    assert.ok(version < 10, 'a checkpoint is made')
    await publisher.publish([image(index, version)])
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

test('F1: so it is over a crash in the middle of a checkpoint, and over restarts', async () => {
  const database = new MemoryDatabase()
  const feed = new Blocks()
  let index = newIndex(database)
  let publisher = publisherOf(index, feed)
  const restart = async (): Promise<void> => {
    feed.left = Number.POSITIVE_INFINITY
    index = newIndex(database)
    const problems = new ProblemBook(() => 0)
    const options = { index, feed, entryKey: ENTRY_KEY, problems, log: silentLog, isOwn: true }
    const follower = new Follower(index.feeds.byWriter(WRITER)!, { ...options, onIngested: () => undefined })
    await follower.catchUp()
    await follower.stop()
    publisher = publisherOf(index, feed)
  }
  const check = async (): Promise<void> => {
    const { index: other, problems } = await joining(feed)
    assert.deepEqual(problems.list(), [])
    for (const [mine] of index.allHeads()) {
      if (mine === undefined) continue
      const [theirs] = other.heads(mine.path)
      assert.ok(theirs !== undefined, `${mine.path} is known`)
      assert.deepEqual(other.piecesOf(theirs), index.piecesOf(mine))
    }
  }
  // Entries of many pieces, so that a checkpoint takes several records.
  const wide = (name: string, seed: number): Publication =>
    fileOf(
      index,
      name,
      Array.from({ length: 9000 }, (_, i) => seed + i),
      100,
    )
  await publisher.publish([wide('gone', 10_000), wide('a', 20_000), wide('b', 30_000), wide('c', 40_000)])
  await publisher.publish([change(index, parsePath('gone'), { type: 'absent' })])
  feed.left = 2
  for (let version = 0; feed.left >= 0; version++) {
    assert.ok(version < 10, 'a checkpoint is begun')
    await publisher
      .publish([image(index, version)])
      .catch((thrown: Error) => assert.match(thrown.message, /power/))
  }
  const kinds = feed.blocks.map((block) => publicPartOf(block).header)
  assert.equal(kinds.at(-1)!.kind, 'checkpoint', 'it was cut off in the middle of a checkpoint')
  assert.ok(
    kinds.every(({ checkpoint }) => checkpoint === undefined),
    'which nobody calls whole',
  )
  await restart()
  assert.equal(index.feeds.byWriter(WRITER)!.checkpoint, 0)
  await publisher.publish([wide('again', 10_000)])
  await check()
  const { checkpoint } = index.feeds.byWriter(WRITER)!
  assert.ok(checkpoint > 0, 'it was made again')
  await publisher.publish([change(index, parsePath('again'), { type: 'absent' })])
  await fillUntilCheckpoint(publisher, index)
  await restart()
  await publisher.publish([wide('once more', 10_000), wide('copy', 20_000)])
  await check()
})

function publicPartOf(block: Buffer): PublicPart {
  const decoded = decodePublicPart(block)
  assert.equal(decoded.type, 'ok')
  return (decoded as { value: PublicPart }).value
}

test('F3: dead pieces that outweigh the live ones make a checkpoint due, also for a single large file', async () => {
  const feed = new Blocks()
  const index = newIndex()
  const publisher = publisherOf(index, feed)
  const large = (version: number, megabytes: number): Publication =>
    fileOf(
      index,
      'image',
      Array.from({ length: megabytes }, (_, i) => version * 1000 + i),
      MIB,
    )
  let life = lifeFrom(0)
  const announced = new Map<number, Announced>()
  const observe = (): number => {
    for (const block of feed.blocks.slice(life.next)) {
      const part = publicPartOf(block)
      for (const { first, pieces } of part.announcements)
        for (let i = 0; i < pieces.length; i++)
          announced.set(first + i, announcedIn(announced.get(first + i), life.next))
      life = followLife(life, part.header)
    }
    const spans = new PieceSpans(life, () => Number.POSITIVE_INFINITY)
    return [...announced.values()].filter((one) => spans.of(one).untilMs === Number.POSITIVE_INFINITY).length
  }
  for (let version = 0; version < 20; version++) {
    await publisher.publish([large(version, 50)])
    assert.ok(observe() <= 50 + 50 + LEAST_BYTES / MIB, `version ${version}: ${observe()} MiB count`)
  }
  const { checkpoint } = index.feeds.byWriter(WRITER)!
  assert.ok(checkpoint > 0)
  await publisher.publish([large(99, 500)])
  await publisher.publish([change(index, parsePath('image'), { type: 'absent' })])
  assert.equal(observe(), 0, 'all of it may go at once, with no word after the checkpoint')
  const { index: other, problems } = await joining(feed)
  assert.deepEqual(problems.list(), [])
  assert.equal(other.heads(parsePath('image'))[0]?.type, 'tombstone')
})

test('F3: what an edit leaves in use is not dead, and is not looked for again with every edit', async () => {
  const feed = new Blocks()
  const index = newIndex()
  const publisher = publisherOf(index, feed)
  const pieces = Array.from({ length: 1000 }, (_, i) => i)
  for (let edit = 0; edit < 50; edit++) {
    pieces[edit] = 10_000 + edit
    await publisher.publish([fileOf(index, 'image', pieces, MIB)])
  }
  const { deadEntries, deadBytes, checkpoint } = index.feeds.byWriter(WRITER)!
  assert.equal(checkpoint, 0)
  assert.equal(deadEntries, 49)
  assert.equal(deadBytes, 49 * MIB)
  const survey = await surveyOf(index, WRITER)
  assert.deepEqual(
    [survey.entries, survey.liveBytes, survey.deadBytes],
    [1, 1000 * (MIB + SIV_BYTES), 49 * (MIB + SIV_BYTES)],
  )
})

test('F3: a checkpoint is made only if it is worth several times what it costs, and counted for rarely', async () => {
  const row = newIndex().feeds.byWriter(WRITER)!
  const survey = { entries: 1e6, liveBytes: 100 * MIB, deadBytes: 200 * MIB, checkpointBytes: 100 * MIB }
  assert.equal(new CheckpointClock(row).isDue(row, survey), false, 'it costs half of what it would free')
  assert.equal(new CheckpointClock(row).isDue(row, { ...survey, checkpointBytes: 20 * MIB }), true)
  assert.equal(
    new CheckpointClock(row).isDue(row, { ...survey, deadBytes: 99 * MIB, checkpointBytes: 0 }),
    false,
  )
  const clock = new CheckpointClock(row)
  assert.equal(clock.isTimeToLook({ ...row, deadBytes: LEAST_BYTES - 1 }), false)
  assert.equal(clock.isTimeToLook({ ...row, deadBytes: LEAST_BYTES }), true)
  // Much is estimated to be dead again and again, and never is: looks are as rare as the share is large.
  const large = { entries: 1000, liveBytes: 16_000 * MIB, deadBytes: 0, checkpointBytes: MIB }
  let looks = 0
  let estimated = 0
  for (let written = 0; written < 160_000 * MIB; written += MIB) {
    estimated += MIB
    const feed = { ...row, deadBytes: estimated }
    if (!clock.isTimeToLook(feed)) continue
    looks++
    assert.equal(clock.isDue(feed, large), false)
    estimated = large.deadBytes
  }
  assert.equal(looks, 20)
})

test('F3: a checkpoint takes about what it is thought to take', async () => {
  const feed = new Blocks()
  const index = newIndex()
  const publisher = publisherOf(index, feed)
  const files = Array.from({ length: 3000 }, (_, i) =>
    fileOf(index, `mail/cur/${1_700_000_000 + i}.M1P${i}.host:2,S`, [i], 14_500),
  )
  await publisher.publish(files)
  const { checkpointBytes } = await surveyOf(index, WRITER)
  let bytes = 0
  for (const { announcements, entries, header } of checkpointRecords(index, WRITER, () => 0)) {
    const place = { entryKey: ENTRY_KEY, feedKey: KEY, index: 9, nonce: Buffer.alloc(24) }
    bytes += encodeRecord({ header, announcements, entries }, place).length
  }
  assert.ok(
    bytes < 1.5 * checkpointBytes && bytes > checkpointBytes / 3,
    `${bytes}, thought to be ${checkpointBytes}`,
  )
})
