// Feeds of which blocks are lost: what is left is proved by the hashes that are kept beside the blocks.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { type KeptFeed, takeBest } from '../../src/feed/best.js'
import type { Feed } from '../../src/feed/feed.js'
import { HeldFeed } from '../../src/feed/held.js'
import {
  decodeRun,
  encodeRun,
  type KeptRun,
  type LeafRun,
  MAX_RUN_BYTES,
  NEWEST_RUN,
  numbersOfRun,
  RUN_BLOCKS,
} from '../../src/feed/leaves.js'
import { leafOf } from '../../src/feed/merkle.js'
import type { OwnFeed } from '../../src/feed/own.js'
import { MAX_PROOF_BYTES, type PortableBlock, type PortableHead } from '../../src/feed/proof.js'
import { Random } from '../sim/random.js'
import { BLOCK_KEY, blocks, join2, own, reaches, remote, texts, World } from './helpers.js'

const NONE = Buffer.alloc(0)

/** A feed as a vault may keep it. */
class Kept implements KeptFeed {
  readonly feedKey: Buffer
  readonly runs = new Map<number, KeptRun>()
  head: PortableHead | undefined
  list: PortableBlock[] = []

  constructor(feedKey: Buffer) {
    this.feedKey = feedKey
  }

  /** Everything there is by now. */
  async keep(feed: Feed): Promise<void> {
    const exported = await feed.export()
    assert.ok(exported)
    const { head } = exported
    this.list = []
    for await (const block of exported.blocks) this.list.push(block)
    this.head = head
    const put = async (index: number, first: number, to: number): Promise<void> => {
      const leaves = await feed.leaves(first, to)
      assert.ok(leaves)
      this.runs.set(index, { index, bytes: encodeRun({ first, leaves, head, certificate: NONE }) })
    }
    const newest = Math.floor((head.length - 1) / RUN_BLOCKS) * RUN_BLOCKS
    await put(NEWEST_RUN, newest, head.length)
    for (let run = 0; (run + 1) * RUN_BLOCKS <= head.length; run++)
      for (const index of numbersOfRun(run))
        if (!this.runs.has(index)) await put(index, run * RUN_BLOCKS, (run + 1) * RUN_BLOCKS)
  }

  without(...lost: number[]): this {
    this.list = this.list.filter(({ index }) => !lost.includes(index))
    return this
  }

  async *blocks(from = 0): AsyncGenerator<PortableBlock> {
    for (const block of this.list) if (block.index >= from) yield block
  }

  async *leaves(): AsyncGenerator<KeptRun> {
    yield* [...this.runs.values()].sort((a, b) => a.index - b.index)
  }

  held(): ReturnType<typeof takeBest<HeldFeed | undefined>> {
    return takeBest<HeldFeed | undefined>(this, (adoption) => HeldFeed.take(adoption, BLOCK_KEY, 1 << 20))
  }
}

function content(count: number, from = 0): Buffer[] {
  return blocks(...Array.from({ length: count }, (_, i) => `block ${from + i}`))
}

describe('hashes of blocks, kept beside them', () => {
  let world: World
  let writer: OwnFeed
  let kept: Kept
  beforeEach(async () => {
    world = new World()
    writer = await own(await world.store())
    kept = new Kept(writer.key)
    // As it grows: heads of several lengths are signed.
    for (const count of [3, 20, 1, 13]) {
      await writer.append(content(count, writer.length))
      await kept.keep(writer)
    }
  })
  afterEach(() => world.close())

  test('are those of the blocks as they are stored, on the writer and on who has fetched them', async () => {
    const reader = await remote(await world.store(), writer)
    await join2(world, writer, reader)
    await reaches(reader, 37)
    await texts(reader, 0, 37)
    for (const feed of [writer, reader]) {
      const leaves = await feed.leaves(0, 37)
      assert.deepEqual(
        leaves,
        kept.list.map(({ index, bytes }) => {
          const { size, hash } = leafOf(index, bytes)
          return { size, hash }
        }),
      )
      assert.equal(await feed.leaves(30, 38), undefined, 'one that nobody knows')
    }
  })

  test('one block lost, whichever: all others are proved', async () => {
    const all = kept.list
    for (let lost = 0; lost < 37; lost++) {
      kept.list = all
      const best = await kept.without(lost).held()
      assert.deepEqual(best?.lost, [[lost, lost + 1]])
      assert.equal(best.isOlder, false)
      assert.equal(best.taken?.length, 37)
      assert.equal(await best.taken.has(lost, lost + 1), false)
      assert.equal((await read(best.taken)).size, 36)
    }
  })

  test('any blocks lost: those that are left are proved', async () => {
    const all = kept.list
    for (let seed = 0; seed < 40; seed++) {
      const random = new Random(seed)
      const share = random.next()
      const lost = all.map(({ index }) => index).filter(() => random.chance(share))
      kept.list = all
      const best = await kept.without(...lost).held()
      const read_ = await read(best!.taken!)
      assert.deepEqual(
        [...read_].map(([index]) => index),
        kept.list.map(({ index }) => index),
        `seed ${seed}`,
      )
      assert.equal(
        best!.lost.reduce((sum, [from, to]) => sum + to - from, 0),
        lost.length,
      )
    }
  })

  test('a feed store takes it over, serves what is left, and fetches the rest', async () => {
    const store = await world.store()
    const best = await takeBest(kept.without(5, 20, 21), (adoption) => store.adopt(adoption))
    assert.equal(best?.taken, true)
    assert.deepEqual(best.lost, [
      [5, 6],
      [20, 22],
    ])
    const adopted = await remote(store, writer)
    assert.equal(adopted.length, 37)
    // Somebody who meets it alone gets all but those, and waits for them.
    const reader = await remote(await world.store(), writer)
    await join2(world, adopted, reader)
    await reaches(reader, 37)
    assert.deepEqual(await texts(reader, 0, 5), content(37).slice(0, 5).map(String))
    assert.deepEqual(await texts(reader, 22, 37), content(37).slice(22).map(String))
    const waits = texts(reader, 5, 6)
    // What it lacks comes to it, and through it to whoever waits.
    await join2(world, writer, adopted)
    assert.deepEqual(await texts(adopted, 0, 37), content(37).map(String))
    assert.deepEqual(await waits, ['block 5'])
    // And out of there as it was.
    const again = new Kept(writer.key)
    await again.keep(adopted)
    assert.equal(again.list.length, 37)
  })

  test('the newest head lost: that beside the newest blocks proves all', async () => {
    kept.head = undefined
    const best = await kept.held()
    assert.equal(best?.head.length, 37)
    assert.equal(best.isOlder, false)
    assert.equal((await read(best.taken!)).size, 37)
  })

  test('an older head than there are blocks: the one beside them counts', async () => {
    const { head } = kept
    await writer.append(content(2, 37))
    await kept.keep(writer)
    kept.head = head
    const best = await kept.held()
    assert.equal(best?.head.length, 39)
    assert.equal(best.isOlder, false)
  })

  test('the hashes of a lost block lost as well: what came before it counts, by an older head, and it is said', async () => {
    for (const index of [...numbersOfRun(1), NEWEST_RUN]) kept.runs.delete(index)
    const best = await kept.without(30).held()
    assert.equal(best?.head.length, 23)
    assert.equal(best.isOlder, true)
    assert.deepEqual(best.lost, [])
    // Nothing older holds: as without any of it.
    kept.runs.clear()
    await assert.rejects(kept.without(2).held(), { code: 'FEED_CORRUPT' })
  })

  test('one copy of a run is enough, and none is needed where its blocks are there', async () => {
    kept.runs.delete(numbersOfRun(0)[0])
    assert.equal((await kept.without(9).held())?.taken?.length, 37)
    kept.runs.clear()
    await kept.keep(writer)
    kept.runs.clear()
    assert.equal((await kept.held())?.taken?.length, 37)
  })

  test('nothing of it is believed: a hash of another block, or in another place, proves nothing', async () => {
    const [near, far] = numbersOfRun(0)
    const run = decodeRun(writer.writer, kept.runs.get(near)!.bytes)!
    const swapped = [run.leaves[1]!, run.leaves[0]!, ...run.leaves.slice(2)]
    const forged = leafOf(4, Buffer.from('what was never said'))
    for (const leaves of [
      swapped,
      run.leaves.with(4, forged),
      run.leaves.with(4, { ...run.leaves[4]!, size: 1 }),
    ]) {
      for (const index of [near, far]) kept.runs.set(index, { index, bytes: encodeRun({ ...run, leaves }) })
      await kept.keep(writer)
      await assert.rejects(kept.without(0, 4).held(), { code: 'FEED_CORRUPT' })
    }
    // A head of another length, or another's.
    kept.runs.clear()
    await kept.keep(writer)
    kept.head = { ...kept.head!, length: 36 }
    assert.equal((await kept.held())?.head.length, 37, 'there is another that holds')
  })

  test('sizes that no block has, of however many, are as if they were not there', async () => {
    kept.head = { ...kept.head!, length: 2 ** 12 }
    kept.list = []
    kept.runs.clear()
    const leaf = { size: Number.MAX_SAFE_INTEGER, hash: Buffer.alloc(32) }
    const leaves = Array.from({ length: RUN_BLOCKS }, () => leaf)
    for (let first = 0; first < 2 ** 12; first += RUN_BLOCKS) {
      const [index] = numbersOfRun(first / RUN_BLOCKS)
      const bytes = encodeRun({ first, leaves, head: kept.head, certificate: NONE })
      kept.runs.set(index, { index, bytes })
    }
    await assert.rejects(kept.held(), { code: 'FEED_CORRUPT' })
  })

  test('what is kept of runs holds nothing of the memory that they were read into', () => {
    const read = encodeRun({
      ...{ first: 0, head: kept.head!, certificate: NONE },
      leaves: [{ size: 7, hash: Buffer.alloc(32, 7) }],
    })
    // As a vault reads them: far ones and much else may lie in the same memory.
    const memory = Buffer.allocUnsafeSlow(1 << 20)
    const bytes = memory.subarray(5000, 5000 + read.copy(memory, 5000))
    const { leaves, head } = decodeRun(writer.writer, bytes)!
    for (const { buffer } of [leaves[0]!.hash, head.signature]) assert.notEqual(buffer, memory.buffer)
  })

  test('what is damaged on its way is as if it was not there, whatever the bytes', async () => {
    const run: LeafRun = {
      first: 32,
      leaves: (await writer.leaves(32, 37))!,
      head: kept.head!,
      certificate: Buffer.from('certificate'),
    }
    const bytes = encodeRun(run)
    assert.deepEqual(decodeRun(writer.writer, bytes), run)
    assert.deepEqual(encodeRun(decodeRun(writer.writer, bytes)!), bytes)
    for (let cut = 0; cut < bytes.length; cut++)
      assert.equal(decodeRun(writer.writer, bytes.subarray(0, cut)), undefined)
    const random = new Random(5)
    for (let i = 0; i < 2000; i++) {
      const changed = Buffer.from(bytes)
      for (let bits = random.below(4); bits >= 0; bits--)
        changed[random.below(changed.length)]! ^= 1 << random.below(8)
      const decoded = decodeRun(writer.writer, changed)
      assert.ok(decoded === undefined || decoded.leaves.length <= RUN_BLOCKS)
    }
  })

  test('a run stays within what a vault takes', () => {
    const leaves = Array.from({ length: RUN_BLOCKS }, () => ({ size: 2 ** 21, hash: Buffer.alloc(32) }))
    const head = { writer: writer.writer, length: 2 ** 25, fork: 0, signature: Buffer.alloc(MAX_PROOF_BYTES) }
    const bytes = encodeRun({ first: 2 ** 25 - 16, leaves, head, certificate: Buffer.alloc(4096) })
    assert.ok(bytes.length <= MAX_RUN_BYTES, `${bytes.length}`)
  })
})

async function read(feed: HeldFeed): Promise<Map<number, string>> {
  const found = new Map<number, string>()
  for (let i = 0; i < feed.length; i++) {
    if (!(await feed.has(i, i + 1))) continue
    for await (const { index, block } of feed.read(i, i + 1)) found.set(index, block.toString())
  }
  for (const [index, text] of found) assert.equal(text, `block ${index}`)
  return found
}
