// Feeds out of one store and into another, without a connection between them.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { Feed } from '../../src/feed/feed.js'
import { leafOf, nodeOver, nodesOver, parentOf, spanOf, TreeBuilder } from '../../src/feed/merkle.js'
import type { OwnFeed } from '../../src/feed/own.js'
import type { PortableBlock, PortableHead } from '../../src/feed/portable.js'
import type { FeedStore } from '../../src/feed/store.js'
import { FeedChecker } from '../../src/feed/verify.js'
import { BLOCK_KEY, blocks, join2, keyPairOf, own, reaches, remote, texts, World } from './helpers.js'

interface Carried {
  readonly head: PortableHead
  readonly blocks: PortableBlock[]
}

async function carry(feed: Feed, from = 0): Promise<Carried> {
  const exported = await feed.export(from)
  assert.ok(exported)
  const all: PortableBlock[] = []
  for await (const block of exported.blocks) all.push(block)
  return { head: exported.head, blocks: all }
}

function content(count: number): Buffer[] {
  return blocks(...Array.from({ length: count }, (_, i) => `block ${i}`))
}

async function present(feed: Feed): Promise<number[]> {
  const here: number[] = []
  for (let i = 0; i < feed.length; i++) if (await feed.has(i, i + 1)) here.push(i)
  // One look from each block, and to each end, says the same.
  for (let from = 0; from <= feed.length; from++)
    for (const to of [from, from + 1, feed.length, feed.length + 100]) {
      const next = here.find((index) => index >= from && index < to)
      assert.equal(feed.nextHere(from, to), next ?? to, `from ${from} to ${to}`)
    }
  return here
}

describe('portable feeds', () => {
  let world: World
  beforeEach(() => {
    world = new World()
  })
  afterEach(() => world.close())

  test('a feed that was exported is adopted with no peer, sound, and served to who asks for it', async () => {
    const writer = await own(await world.store())
    await writer.append(content(37))
    const carried = await carry(writer)
    assert.equal(carried.blocks.length, 37)
    assert.ok(!carried.blocks[3]!.bytes.includes('block 3'), 'ciphertext')

    const directory = await world.directory()
    const store = await world.store({ directory })
    assert.equal(await store.adopt({ feedKey: writer.key, ...carried }), true)
    const adopted = await remote(store, writer)
    assert.equal(adopted.length, 37)
    assert.deepEqual(await texts(adopted, 0, 37), content(37).map(String))

    const reader = await remote(await world.store(), writer)
    await join2(world, adopted, reader)
    await reaches(reader, 37)
    assert.deepEqual(await texts(reader, 0, 37), content(37).map(String))

    await store.close()
    const checker = await FeedChecker.open(directory)
    const checked = await checker.check({ feedKey: writer.key, blockKey: BLOCK_KEY }, () => undefined)
    await checker.close()
    assert.deepEqual(checked, { length: 37, blocks: 37, faults: [] })
  })

  test('an adopted feed goes on where its writer went on', async () => {
    const writer = await own(await world.store())
    await writer.append(content(5))
    const store = await world.store()
    await store.adopt({ feedKey: writer.key, ...(await carry(writer)) })
    const adopted = await remote(store, writer)
    await writer.append(blocks('more'))
    await join2(world, writer, adopted)
    await reaches(adopted, 6)
    assert.deepEqual(await texts(adopted, 4, 6), ['block 4', 'more'])
  })

  for (const [length, clears] of [
    [40, [[0, 23]]],
    [64, [[0, 1]]],
    [33, [[0, 32]]],
    [
      50,
      [
        [0, 7],
        [0, 19],
        [0, 44],
      ],
    ],
  ] as const)
    test(`what was cleared stays missing and the rest is proved: ${length} blocks, ${JSON.stringify(clears)}`, async () => {
      const writer = await own(await world.store())
      await writer.append(content(length))
      for (const [from, to] of clears) await writer.clear(from, to)
      const store = await world.store()
      const carried = await carry(writer)
      assert.equal(await store.adopt({ feedKey: writer.key, ...carried }), true)
      const adopted = await remote(store, writer)
      const end = clears.at(-1)![1]
      assert.deepEqual(
        await present(adopted),
        Array.from({ length: length - end }, (_, i) => end + i),
      )
      const reader = await remote(await world.store(), writer)
      await join2(world, adopted, reader)
      await reaches(reader, length)
      assert.deepEqual(await texts(reader, end, length), content(length).slice(end).map(String))
      // And out of there once more.
      assert.deepEqual(await carry(adopted), carried)
    })

  test('a reader that began at a checkpoint exports what it has', async () => {
    const writer = await own(await world.store())
    await writer.append(content(100))
    const reader = await remote(await world.store(), writer)
    await join2(world, writer, reader)
    await reaches(reader, 100)
    await texts(reader, 61, 70)
    await texts(reader, 90, 100)
    const store = await world.store()
    await store.adopt({ feedKey: writer.key, ...(await carry(reader)) })
    const adopted = await remote(store, writer)
    assert.deepEqual(await texts(adopted, 61, 70), content(70).slice(61).map(String))
    assert.equal(await adopted.has(61, 70), true)
    assert.equal(await adopted.has(70, 71), false)
  })

  test('taken out bit by bit as it grows, the newest head covers all', async () => {
    const writer = await own(await world.store())
    const kept: PortableBlock[] = []
    let head: PortableHead | undefined
    for (let i = 0; i < 9; i++) {
      await writer.append(content(4))
      const carried = await carry(writer, kept.length)
      kept.push(...carried.blocks)
      head = carried.head
    }
    const store = await world.store()
    await store.adopt({ feedKey: writer.key, head: head!, blocks: kept })
    assert.equal((await remote(store, writer)).length, 36)
  })

  test('blocks beyond the head are passed over; a feed that is there stays; an empty one exports nothing', async () => {
    const writer = await own(await world.store())
    assert.equal(await writer.export(), undefined)
    await writer.append(content(3))
    const { head } = await carry(writer)
    await writer.append(content(2))
    const { blocks: more } = await carry(writer)
    const store = await world.store()
    assert.equal(await store.adopt({ feedKey: writer.key, head, blocks: more }), true)
    assert.equal(await store.adopt({ feedKey: writer.key, ...(await carry(writer)) }), false)
    const adopted = await remote(store, writer)
    assert.equal(adopted.length, 3)
    await assert.rejects(store.adopt({ feedKey: writer.key, head, blocks: more }), { code: 'INTERNAL' })
  })

  test('many blocks, over pages of the bitfield and several writes', async () => {
    const writer = await own(await world.store())
    const many = Array.from({ length: 33_000 }, () => Buffer.alloc(100, 7))
    await writer.append(many)
    const store = await world.store()
    await store.adopt({ feedKey: writer.key, ...(await carry(writer)) })
    const adopted = await remote(store, writer)
    assert.equal(await adopted.has(0, 33_000), true)
  })

  describe('what is beyond a feed that is here', () => {
    let writer: OwnFeed
    let store: FeedStore
    let directory: string
    beforeEach(async () => {
      writer = await own(await world.store())
      await writer.append(content(11))
      directory = await world.directory()
      store = await world.store({ directory })
      await store.adopt({ feedKey: writer.key, ...(await carry(writer)) })
    })

    async function extend({ head, blocks: list }: Carried, needed = 0): Promise<number | undefined> {
      const from = (at: number): PortableBlock[] => list.filter(({ index }) => index >= at)
      return store.extend({ feedKey: writer.key, head, blocks: from, needed })
    }

    async function isSound(length: number): Promise<void> {
      await store.close()
      const checker = await FeedChecker.open(directory)
      const checked = await checker.check({ feedKey: writer.key, blockKey: BLOCK_KEY }, () => undefined)
      await checker.close()
      assert.deepEqual(checked, { length, blocks: length, faults: [] })
    }

    test('is added as its writer signed it, and served to who asks for it', async () => {
      await writer.append(blocks(...Array.from({ length: 30 }, (_, i) => `more ${i}`)))
      const carried = await carry(writer)
      assert.equal(await extend(carried), 11)
      assert.equal(await extend(carried), undefined, 'it is here')
      const extended = await remote(store, writer)
      assert.equal(extended.length, 41)
      const reader = await remote(await world.store(), writer)
      await join2(world, extended, reader)
      await reaches(reader, 41)
      assert.deepEqual(await texts(reader, 10, 12), ['block 10', 'more 0'])
      assert.equal((await texts(reader, 0, 41)).length, 41)
      // And it goes on.
      await writer.append(blocks('last'))
      await join2(world, writer, extended)
      await reaches(extended, 42)
      assert.deepEqual(await texts(extended, 40, 42), ['more 29', 'last'])
      await isSound(42)
    })

    test('is added where the writer has cleared what is between', async () => {
      const newer = await world.store()
      await newer.adopt({ feedKey: writer.key, ...(await carry(writer)) })
      await writer.append(content(40))
      await writer.clear(0, 33)
      const source = await remote(newer, writer)
      await join2(world, writer, source)
      await reaches(source, 51)
      await texts(source, 33, 51)
      assert.equal(await extend(await carry(source)), 11)
      const extended = await remote(store, writer)
      assert.deepEqual(
        await present(extended),
        Array.from({ length: 51 }, (_, i) => i).filter((i) => i < 11 || i >= 33),
      )
    })

    test('waits for what is nowhere, and nothing of the rest is kept meanwhile', async () => {
      await writer.append(content(20))
      const carried = await carry(writer)
      const [missing] = carried.blocks.splice(25, 1)
      assert.equal(await extend(carried), undefined)
      const here = await remote(store, writer)
      assert.equal(here.length, 11)
      await here.close()
      carried.blocks.splice(25, 0, missing!)
      assert.equal(await extend(carried), 11)
      await isSound(31)
    })

    test('is not taken for damaged while its blocks are on their way, with holes between', async () => {
      await writer.append(content(89))
      const source = await remote(await world.store(), writer)
      await join2(world, writer, source)
      await reaches(source, 100)
      await texts(source, 0, 64)
      const { head, blocks: first } = await carry(source)
      await texts(source, 70, 76)
      const then = await carry(source)
      const vault = { head, blocks: [...first, ...then.blocks.filter(({ index }) => index >= 64)] }
      directory = await world.directory()
      store = await world.store({ directory })
      await store.adopt({ feedKey: writer.key, ...then })
      assert.equal(await extend(vault, 64), undefined)
      assert.equal((await present(await remote(store, writer))).length, 70)
    })

    test('never takes away: an older head changes nothing', async () => {
      const older = await carry(writer)
      await writer.append(content(3))
      await extend(await carry(writer))
      assert.equal(await extend(older), undefined)
      assert.equal((await remote(store, writer)).length, 14)
    })

    test('what was not fetched before is filled in, from where it is needed on', async () => {
      const reader = await remote(await world.store(), writer)
      await join2(world, writer, reader)
      await reaches(reader, 11)
      await texts(reader, 0, 2)
      await texts(reader, 5, 7)
      const half = await carry(reader)
      directory = await world.directory()
      store = await world.store({ directory })
      await store.adopt({ feedKey: writer.key, ...half })
      const whole = await carry(writer)
      assert.equal(await extend(whole, 5), 7)
      const some = await remote(store, writer)
      assert.deepEqual(await present(some), [0, 1, 5, 6, 7, 8, 9, 10])
      await some.close()
      assert.equal(await extend(whole), 2)
      await isSound(11)
    })

    describe('is refused, and what is here stays', () => {
      async function isRefused(carried: Carried, why: RegExp): Promise<void> {
        await assert.rejects(extend(carried), (thrown: Error & { code?: string }) => {
          assert.equal(thrown.code, 'FEED_CORRUPT')
          assert.match(thrown.message, why)
          return true
        })
        const here = await remote(store, writer)
        assert.equal(here.length, 11)
        assert.deepEqual(await texts(here, 0, 11), content(11).map(String))
        await here.close()
        assert.equal(await extend(await carry(writer)), 11, 'what is right is added after it')
        await isSound(writer.length)
      }

      test('with another bit', async () => {
        await writer.append(content(20))
        const carried = await carry(writer)
        carried.blocks[25]!.bytes[3]! ^= 1
        await isRefused(carried, /not signed/)
      })

      test('with a length that was never signed', async () => {
        await writer.append(content(20))
        const carried = await carry(writer)
        await isRefused({ ...carried, head: { ...carried.head, length: 30 } }, /not signed/)
      })

      test('as the continuation of another beginning', async () => {
        // The same key in another place: what a writer whose storage was put back would sign.
        const twin = await own(await world.store())
        await twin.append(blocks(...Array.from({ length: 31 }, (_, i) => `other ${i}`)))
        await writer.append(content(20))
        await isRefused(await carry(twin), /not signed/)
      })

      test('as another course of what is half here', async () => {
        const reader = await remote(await world.store(), writer)
        await join2(world, writer, reader)
        await reaches(reader, 11)
        await texts(reader, 0, 8)
        await texts(reader, 9, 11)
        directory = await world.directory()
        store = await world.store({ directory })
        await store.adopt({ feedKey: writer.key, ...(await carry(reader)) })
        const twin = await own(await world.store())
        await twin.append(content(8))
        await twin.append(blocks('other', 'course', 'that', 'is', 'longer'))
        await assert.rejects(extend(await carry(twin)), /another than what is here/)
        assert.deepEqual(await present(await remote(store, writer)), [0, 1, 2, 3, 4, 5, 6, 7, 9, 10])
      })
    })
  })

  describe('is refused, and nothing of it is kept', () => {
    let carried: Carried
    let feedKey: Buffer
    let store: FeedStore
    beforeEach(async () => {
      const writer = await own(await world.store())
      await writer.append(content(20))
      await writer.clear(0, 6)
      carried = await carry(writer)
      feedKey = writer.key
      store = await world.store()
    })

    async function isRefused(head: PortableHead, list: PortableBlock[], why: RegExp): Promise<void> {
      await assert.rejects(
        store.adopt({ feedKey, head, blocks: list }),
        (thrown: Error & { code?: string }) => {
          assert.equal(thrown.code, 'FEED_CORRUPT')
          assert.match(thrown.message, why)
          return true
        },
      )
      // What is right is adopted after it.
      assert.equal(await store.adopt({ feedKey, ...carried }), true)
      assert.deepEqual(
        await present(await store.openRemote({ feedKey, blockKey: BLOCK_KEY })),
        Array.from({ length: 14 }, (_, i) => 6 + i),
      )
    }

    test('a block with another bit', async () => {
      const changed = carried.blocks.map((block) => ({ ...block, bytes: Buffer.from(block.bytes) }))
      changed[4]!.bytes[0]! ^= 1
      await isRefused(carried.head, changed, /not signed/)
    })
    test('a block left out', () =>
      isRefused(
        carried.head,
        carried.blocks.filter(({ index }) => index !== 9),
        /block 9 is missing/,
      ))
    test('the last block left out', () =>
      isRefused(carried.head, carried.blocks.slice(0, -1), /block 19 is missing/))
    test('a head of another length', () =>
      isRefused({ ...carried.head, length: 19 }, carried.blocks, /not signed/))
    test('a truncated fork', () => isRefused({ ...carried.head, fork: 1 }, carried.blocks, /truncated/))
    test('another bit anywhere in the proof', async () => {
      const { signature } = carried.head
      for (let at = 0; at < signature.length; at += 3) {
        const changed = Buffer.from(signature)
        changed[at]! ^= 0x10
        await assert.rejects(
          store.adopt({ feedKey, head: { ...carried.head, signature: changed }, blocks: carried.blocks }),
          { code: 'FEED_CORRUPT' },
          `byte ${at}`,
        )
        const cut = signature.subarray(0, at)
        await assert.rejects(
          store.adopt({ feedKey, head: { ...carried.head, signature: cut }, blocks: carried.blocks }),
          { code: 'FEED_CORRUPT' },
          `cut at ${at}`,
        )
      }
      assert.equal(await store.adopt({ feedKey, ...carried }), true)
    })
    test("another writer's feed under this key", async () => {
      const other = await (await world.store()).openOwn({ keyPair: keyPairOf(2), blockKey: BLOCK_KEY })
      await other.append(content(20))
      const theirs = await carry(other)
      await isRefused(theirs.head, theirs.blocks, /another feed's/)
    })
  })
})

describe('the tree', () => {
  test('nodes over a range cover it and no more', () => {
    for (let from = 0; from < 20; from++)
      for (let to = from; to < 40; to++) {
        let at = from
        for (const index of nodesOver(from, to)) {
          const span = spanOf(index)
          assert.equal(span.from, at)
          assert.equal(nodeOver(span.from, span.count), index)
          at += span.count
        }
        assert.equal(at, to)
      }
  })

  test('of leaves alone or with subtrees in their place, the roots are the same', () => {
    const leaves = Array.from({ length: 23 }, (_, i) => leafOf(i, Buffer.from(`${i}`)))
    const whole = new TreeBuilder()
    const known = new Map(leaves.flatMap((leaf) => whole.add(leaf)).map((node) => [node.index, node]))
    assert.deepEqual(
      whole.roots().map(({ index }) => spanOf(index).count),
      [16, 4, 2, 1],
    )
    for (let to = 0; to <= 23; to++) {
      const part = new TreeBuilder()
      for (const index of nodesOver(0, to)) part.add(known.get(index)!)
      for (const leaf of leaves.slice(to)) part.add(leaf)
      assert.deepEqual(part.roots(), whole.roots())
    }
    assert.deepEqual(parentOf(leaves[0]!, leaves[1]!), known.get(1))
  })
})
