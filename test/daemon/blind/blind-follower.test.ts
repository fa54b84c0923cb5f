// A blind node's follower over a feed in memory: what fails for a while is tried again.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { deviceIdFromKey, writerIdOf } from '../../../src/core/ids.js'
import { BlindFollower, type FollowedFeed } from '../../../src/daemon/blind/blind-follower.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import { silentLog } from '../../../src/ports/log.js'
import { BlindIndex } from '../../../src/store/blind-index.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import { Blocks, KEYS } from '../share/support.js'

it('a feed that cannot be read for a while goes on when it can; an index that cannot be written ends it all', async () => {
  // The timer that is tried here keeps no process alive.
  const alive = setInterval(() => {}, 1000)
  const index = new BlindIndex(new MemoryDatabase(), 'x:')
  const key = KEYS[1]!
  const writer = writerIdOf(key)
  const device = deviceIdFromKey(Buffer.alloc(32, 10))
  const row = index.feeds.add({
    writer,
    key,
    device,
    deviceName: 'box',
    epoch: 0,
    certificate: Buffer.alloc(0),
  })
  const blocks = new Blocks(key)
  const add = (timeMs: number): void => {
    const header = { kind: 'delta', timeMs, view: [], checkpoint: undefined } as const
    blocks.add({ header, announcements: [], entries: [] })
  }
  for (let i = 0; i < 3; i++) add(i)
  const problems = new ProblemBook(() => 7)
  const failures: unknown[] = []
  let isFull = false
  const exported = async (from: number): Promise<unknown> => ({
    head: {},
    blocks: (async function* () {
      for await (const { index: at, block } of read(from, blocks.length))
        yield { writer, index: at, bytes: block }
    })(),
  })
  const read = blocks.read.bind(blocks)
  const seen: string[] = []
  let fails = 2
  const reading = async function* (from: number, to: number): ReturnType<typeof read> {
    seen.push(problems.list()[0]?.code ?? 'none')
    if (fails-- > 0) throw Object.assign(new Error('Input/output error'), { code: 'EIO' })
    yield* read(from, to)
  }
  const feed = Object.assign(blocks, { export: exported, read: reading }) as unknown as FollowedFeed
  let whole: () => void = () => {}
  const ended = new Promise<void>((resolve) => {
    whole = resolve
  })
  const follower = new BlindFollower(row, {
    ...{ index, feed, problems, log: silentLog, retryMs: 1 },
    takeOver: (of, at, part) => {
      if (isFull) throw Object.assign(new Error('No space left on device'), { code: 'ENOSPC' })
      index.takeOver(of, at, part)
    },
    fail: (thrown) => {
      failures.push(thrown)
      whole()
    },
    store: async () => undefined,
    onProgress: () => {
      if (!isFull && index.storedBlocks(row.number) === 3) whole()
    },
  })
  follower.start()
  await ended
  isFull = true
  const failed = new Promise<void>((resolve) => {
    whole = resolve
  })
  add(3)
  await failed
  await follower.stop()
  clearInterval(alive)
  assert.deepEqual(seen.slice(0, 3), ['none', 'FEED_UNREADABLE', 'FEED_UNREADABLE'])
  assert.equal(index.feeds.byWriter(writer)?.next, 3)
  assert.deepEqual(problems.list(), [])
  assert.match(String(failures), /No space left/)
})
