// Taking a feed over of which records are lost: what is read of it, what is told, and where the next try goes on.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { type Entry, NO_EXTRA } from '../../../src/core/entry.js'
import type { RelPath } from '../../../src/core/path.js'
import { contentIdOf, type PieceInfo, SIV_BYTES } from '../../../src/core/piece.js'
import type { FeedRecord } from '../../../src/core/record.js'
import { keysOf } from '../../../src/core/secret.js'
import { spanAt } from '../../../src/daemon/restore/moment.js'
import { PastFeed } from '../../../src/daemon/restore/past-feed.js'
import { addWriter, type RestoreKeys, takeOver } from '../../../src/daemon/restore/past-share.js'
import { PastTree } from '../../../src/daemon/restore/past-tree.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import { join2, reaches, World } from '../../feed/helpers.js'
import { PastWorld } from '../../support/past-world.js'
import { Blocks, ENTRY_KEY, KEYS, ME, newIndex } from '../share/support.js'

const keys = { read: { entryKey: ENTRY_KEY } } as unknown as RestoreKeys
const { signal } = new AbortController()
const pieces: PieceInfo[] = [1, 2, 3].map((n) => ({ id: Buffer.alloc(32, n), length: SIV_BYTES + 10 * n }))

/** A file of one piece, by its number, under the writer's next counter. */
function file(name: string, piece: number, counter: number): Entry {
  const { id, length } = pieces[piece]!
  return {
    ...{ type: 'file', path: name as RelPath, mode: 0o644, mtimeUs: 1, extra: NO_EXTRA },
    ...{ size: length - SIV_BYTES, content: contentIdOf([id]), pieces: [{ first: piece, count: 1 }] },
    ...{ version: [[ME, counter]], author: ME, origin: ME },
  } as Entry
}

function record(
  entries: readonly Entry[],
  announced: readonly number[],
  checkpoint?: number,
  timeMs = 1000,
): FeedRecord {
  return {
    header: { kind: 'delta', timeMs, view: [], checkpoint },
    announcements: announced.map((first) => ({ first, pieces: [pieces[first]!] })),
    entries,
  }
}

/** A feed of these records, of which some are lost. */
function feedOf(records: readonly FeedRecord[], lost: readonly number[]): PastFeed {
  const blocks = new Blocks(KEYS[0]!)
  for (const each of records) blocks.add(each)
  const has = async (from: number, to: number): Promise<boolean> => !lost.some((at) => at >= from && at < to)
  const feed = { length: records.length, has, read: (from: number, to: number) => blocks.read(from, to) }
  const row = newIndex().feeds.byWriter(ME)!
  return new PastFeed(row, feed as unknown as PastFeed['feed'], { patienceMs: 0 })
}

async function taken(records: readonly FeedRecord[], lost: readonly number[]) {
  const tree = new PastTree(new MemoryDatabase())
  const row = newIndex().feeds.byWriter(ME)!
  tree.feeds.add(row)
  const refused: string[] = []
  const onRefused = (path: RelPath, detail: string): void => void refused.push(`${path}: ${detail}`)
  const take = async (feed: PastFeed) =>
    takeOver(tree, feed, await spanAt(feed, undefined), { keys, atMs: undefined, signal, onRefused })
  const result = await take(feedOf(records, lost))
  const names = (): string[] => [...tree.allEffective()].map(({ path }) => path).sort()
  return { result, refused, names, tree, take }
}

test('an entry whose piece only a lost record announced is named', async () => {
  const records = [
    record([file('a', 0, 1)], [0]),
    record([file('b', 1, 2)], [1]),
    record([file('c', 1, 3), file('d', 2, 4)], [2]),
  ]
  const { result, refused, names } = await taken(records, [1])
  assert.deepEqual(result.lost, [[1, 2]])
  assert.deepEqual(names(), ['a', 'd'])
  assert.deepEqual(refused.length, 1)
  assert.match(
    refused[0]!,
    /^c: it refers to a piece that its feed never announced, which may have stood in a record/,
  )
})

test('it is not, if its writer said something of the path again, or a whole checkpoint left it out', async () => {
  const again = [
    record([file('b', 1, 1)], [1]),
    record([file('c', 1, 2)], []),
    record([file('c', 2, 3)], [2]),
  ]
  const said = await taken(again, [0])
  assert.deepEqual([said.refused, said.names()], [[], ['c']])
  // A checkpoint from record 2 on: it says b again, and not c, which somebody had replaced.
  const checkpoint = [
    record([file('b', 1, 1)], [1]),
    record([file('c', 1, 2)], []),
    record([file('b', 1, 1)], [1]),
    record([], [], 2),
  ]
  const whole = await taken(checkpoint, [0])
  assert.deepEqual([whole.refused, whole.names()], [[], ['b']])
  assert.deepEqual(whole.result.lost, [[0, 1]], 'and the record is lost all the same')
})

test('the next try goes on at the lost record, and takes over what has it', async () => {
  const records = [
    record([file('a', 0, 1)], [0]),
    record([file('b', 1, 2)], [1]),
    record([file('c', 1, 3)], []),
  ]
  const { tree, names, take } = await taken(records, [1])
  assert.equal(tree.feeds.byWriter(ME)!.next, 1)
  const result = await take(feedOf(records, []))
  assert.deepEqual(result.lost, [])
  assert.deepEqual(names(), ['a', 'b', 'c'])
  assert.equal(tree.feeds.byWriter(ME)!.next, 3)
  assert.deepEqual((await take(feedOf(records, []))).lost, [])
})

test('from members: a record that nobody gives, while they give what comes after it, is lost; the others count', async () => {
  // The timer of its patience keeps no process alive.
  const alive = setInterval(() => undefined, 1000)
  const home = fs.mkdtempSync(path.join(tmpdir(), 'shoal-past-'))
  const world = new World()
  const past = await PastWorld.make(43, home, 1)
  try {
    for (let i = 0; i < 30; i++) {
      fs.writeFileSync(path.join(past.dir, `f${i}`), `${i}`)
      await past.publish(0)
    }
    const { feed: own, certificate } = past.writers[0]!
    const carried = (await own.export())!
    const blocks = []
    for await (const block of carried.blocks) if (![5, 16, 17].includes(block.index)) blocks.push(block)
    const known = (await own.leaves(0, 30))!
    const node = await world.store()
    await node.adopt({
      feedKey: own.key,
      head: carried.head,
      blocks,
      leaves: { get: (index) => known[index] },
    })
    const blockKey = keysOf(past.secret).feedBlockKey
    const held = await node.openRemote({ feedKey: own.key, blockKey })
    const feed = await (await world.store()).openRemote({ feedKey: own.key, blockKey })
    await join2(world, held, feed)
    await reaches(feed, 30)
    const tree = new PastTree(new MemoryDatabase())
    const restoreKeys = keysOf(past.secret) as RestoreKeys
    const row = addWriter(tree, restoreKeys, certificate)
    const asked = new PastFeed(row, feed, { patienceMs: 300 })
    const options = { keys: restoreKeys, atMs: undefined, signal, onRefused: (): void => undefined }
    const { lost } = await takeOver(tree, asked, await spanAt(asked, undefined), options)
    assert.deepEqual(lost, [
      [5, 6],
      [16, 18],
    ])
    assert.equal([...tree.allEffective()].length, 27)
    assert.equal(tree.feeds.byWriter(own.writer)!.next, 5)
    // R2: the next restore has what it was given, and goes on after each as well.
    const again = await takeOver(tree, asked, await spanAt(asked, undefined), options)
    assert.deepEqual(again.lost, lost)
    assert.deepEqual(
      [
        feed.isOffered(4, 5),
        feed.isOffered(5, 6),
        feed.isOffered(5, 7),
        feed.isOffered(16, 18),
        feed.isOffered(29, 40),
      ],
      [true, false, true, false, true],
    )
    // Nobody there at all: nothing is taken for lost.
    await held.close()
    while (feed.isOffered(0, 30)) await new Promise((resolve) => setImmediate(resolve))
    await assert.rejects(
      (async () => {
        for await (const _ of asked.blocks(5, 6, signal));
      })(),
      { code: 'NOT_FOUND' },
    )
  } finally {
    clearInterval(alive)
    await world.close()
    await past.close()
    fs.rmSync(home, { recursive: true, force: true })
  }
})

test('a moment: what is lost counts from the record before it on', async () => {
  const records = Array.from({ length: 20 }, (_, i) => record([], [], undefined, 1000 + 10 * i))
  for (const lost of [[7], [7, 8, 9], [0], [19], [3, 7, 12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], []]) {
    const feed = feedOf(records, lost)
    for (let i = -1; i < 20; i++) {
      const { to } = await spanAt(feed, 1005 + 10 * i)
      // A lost one counts where one after it does, and where it may have been of that time.
      let before = i
      while (lost.includes(before)) before--
      let end = before + 1
      while (lost.includes(end)) end++
      assert.equal(to, end, `${lost} at ${i}`)
    }
  }
})
