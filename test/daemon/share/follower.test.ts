// The follower over a feed in memory (A6): each block once, in order; a bad entry stops nothing, a bad record its feed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Entry } from '../../../src/core/entry.js'
import type { FeedRecord } from '../../../src/core/record.js'
import { Follower } from '../../../src/daemon/share/follower.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import { silentLog } from '../../../src/ports/log.js'
import { at, Blocks, ENTRY_KEY, KEYS, newIndex, OTHER } from './support.js'

interface Bench {
  readonly index: ReturnType<typeof newIndex>
  readonly feed: Blocks
  readonly problems: ProblemBook
  readonly taken: number[]
  newFollower(): Follower
}

function newBench(): Bench {
  const index = newIndex()
  const feed = new Blocks(KEYS[1]!)
  const problems = new ProblemBook(() => 0)
  const taken: number[] = []
  const newFollower = (): Follower =>
    new Follower(index.feeds.byWriter(OTHER)!, {
      index,
      feed,
      entryKey: ENTRY_KEY,
      problems,
      log: silentLog,
      onTaken: (_entries, next) => taken.push(next),
      onIngested: () => undefined,
      fail: (thrown) => assert.fail(String(thrown)),
    })
  return { index, feed, problems, taken, newFollower }
}

function directory(name: string, counter: number): Entry {
  const version = [[OTHER, counter]] as const
  const common = { path: at(name), version, author: OTHER, origin: OTHER, extra: [], mtimeUs: 1 }
  return { ...common, type: 'directory', mode: 0o755 }
}

function record(...entries: Entry[]): FeedRecord {
  return { header: { kind: 'delta', timeMs: 0, view: [], checkpoint: undefined }, announcements: [], entries }
}

test('the blocks that are there are taken over once, also by the follower after a restart', async () => {
  const { feed, taken, newFollower, index } = newBench()
  feed.add(record(directory('a', 1)))
  feed.add(record(directory('b', 2)))
  const first = newFollower()
  await first.catchUp()
  await first.catchUp()
  assert.deepEqual(taken, [1, 2])
  await first.stop()
  feed.add(record(directory('c', 3)))
  const second = newFollower()
  await second.catchUp()
  assert.deepEqual(taken, [1, 2, 3])
  assert.equal(index.heads(at('c')).length, 1)
  await second.stop()
})

test('A6: an entry that contradicts its feed is reported, and the entries and records after it are taken over', async () => {
  const { feed, taken, newFollower, index, problems } = newBench()
  const content = Buffer.alloc(32, 7)
  const bad = {
    ...directory('bad', 1),
    type: 'file',
    mode: 0o644,
    size: 5,
    content,
    pieces: [{ first: 0, count: 1 }],
  }
  feed.add(record(bad as Entry, directory('good', 2)))
  feed.add(record(directory('later', 3)))
  const follower = newFollower()
  await follower.catchUp()
  assert.deepEqual(taken, [1, 2])
  assert.deepEqual(
    problems.list().map(({ path, code }) => [path, code]),
    [['bad', 'BAD_ENTRY']],
  )
  assert.equal(index.heads(at('bad')).length, 0)
  assert.equal(index.heads(at('good')).length, 1)
  assert.equal(index.heads(at('later')).length, 1)
  await follower.stop()
})

test('A6: a problem with an entry is cleared once its feed says something sound of the path', async () => {
  const { feed, newFollower, problems } = newBench()
  const content = Buffer.alloc(32, 7)
  const bad = {
    ...directory('f', 1),
    type: 'file',
    mode: 0o644,
    size: 5,
    content,
    pieces: [{ first: 0, count: 1 }],
  }
  feed.add(record(bad as Entry))
  const follower = newFollower()
  await follower.catchUp()
  assert.equal(problems.size, 1)
  feed.add(record(directory('f', 2)))
  await follower.catchUp()
  assert.deepEqual(problems.list(), [])
  await follower.stop()
})

test('A6: a record that cannot be read stops its feed with a problem, and nothing after it is taken over', async () => {
  const { feed, taken, newFollower, problems, index } = newBench()
  feed.add(record(directory('a', 1)))
  feed.blocks.push(Buffer.from('no record'))
  feed.add(record(directory('c', 3)))
  const follower = newFollower()
  await follower.catchUp()
  await follower.catchUp()
  assert.deepEqual(taken, [1])
  assert.deepEqual(
    problems.list().map(({ code }) => code),
    ['BAD_RECORD'],
  )
  assert.equal(index.feeds.byWriter(OTHER)!.next, 1)
  await follower.stop()
})

test('a feed that cannot be read for a while is tried again, and the problem goes', async () => {
  const { feed, index, problems, taken } = newBench()
  // The timer that is tried here keeps no process alive.
  const alive = setInterval(() => {}, 1000)
  let fails = 2
  let whole: () => void = () => {}
  const ended = new Promise<void>((resolve) => {
    whole = resolve
  })
  const seen: string[] = []
  const read = feed.read.bind(feed)
  feed.read = async function* (from, to) {
    seen.push(problems.list()[0]?.code ?? 'none')
    if (fails-- > 0) throw Object.assign(new Error('Input/output error'), { code: 'EIO' })
    yield* read(from, to)
  }
  const follower = new Follower(index.feeds.byWriter(OTHER)!, {
    ...{ index, feed, entryKey: ENTRY_KEY, problems, log: silentLog, retryMs: 1 },
    onTaken: (_entries, next) => taken.push(next),
    onIngested: () => {
      if (taken.length === 2) whole()
    },
    fail: (thrown) => assert.fail(String(thrown)),
  })
  feed.add(record(directory('a', 1)))
  feed.add(record(directory('b', 2)))
  follower.start()
  await ended
  await follower.stop()
  clearInterval(alive)
  assert.deepEqual(taken, [1, 2])
  assert.deepEqual(seen, ['none', 'FEED_UNREADABLE', 'FEED_UNREADABLE'])
  assert.deepEqual(problems.list(), [])
})

test('an index that cannot be written ends it all: what is in memory is ahead of it', async () => {
  const { feed, index, problems } = newBench()
  const full = Object.assign(new Error('No space left on device'), { code: 'ENOSPC' })
  const failures: unknown[] = []
  const follower = new Follower(index.feeds.byWriter(OTHER)!, {
    ...{ index, feed, entryKey: ENTRY_KEY, problems, log: silentLog },
    onTaken: () => {
      throw full
    },
    onIngested: () => assert.fail('it was taken over'),
    fail: (thrown) => failures.push(thrown),
  })
  feed.add(record(directory('a', 1)))
  await follower.catchUp()
  await follower.stop()
  assert.deepEqual(failures, [full])
})
