// Feeds that are taken over into memory: what a feed store would take, and nothing else.
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { HeldFeed } from '../../src/feed/held.js'
import type { PortableBlock, PortableHead } from '../../src/feed/proof.js'
import { BLOCK_KEY, blocks, own, World } from './helpers.js'

const COUNT = 37
const PLENTY = 1 << 20

describe('a feed held in memory', () => {
  let world: World
  let key: Buffer
  let head: PortableHead
  let all: PortableBlock[]
  beforeEach(async () => {
    world = new World()
    const writer = await own(await world.store())
    await writer.append(blocks(...Array.from({ length: COUNT }, (_, i) => `block ${i}`)))
    const exported = await writer.export(0)
    assert.ok(exported)
    key = writer.key
    head = exported.head
    all = []
    for await (const block of exported.blocks) all.push(block)
  })
  afterEach(() => world.close())

  test('tells every block as it was written', async () => {
    const held = await HeldFeed.take({ feedKey: key, head, blocks: all }, BLOCK_KEY, PLENTY)
    assert.equal(held?.length, COUNT)
    const texts: string[] = []
    for await (const { index, block } of held!.read(0, COUNT)) texts[index] = block.toString()
    assert.deepEqual(
      texts,
      Array.from({ length: COUNT }, (_, i) => `block ${i}`),
    )
    // Twice the same: what is held was not opened in its place.
    for await (const { block } of held!.read(3, 4)) assert.equal(block.toString(), 'block 3')
    assert.equal(await held!.has(0, COUNT), true)
    assert.equal(await held!.has(0, COUNT + 1), false)
  })

  test('is refused if a block is another, is missing, or the proof is of other blocks', async () => {
    const other = Buffer.from(all[5]!.bytes)
    other[9]! ^= 1
    const changed = all.with(5, { ...all[5]!, bytes: other })
    const wrong = [changed, all.slice(0, -1), all.slice(1), all.toSpliced(7, 1), [...all].reverse()]
    for (const blocks of wrong)
      await assert.rejects(HeldFeed.take({ feedKey: key, head, blocks }, BLOCK_KEY, PLENTY), {
        code: 'FEED_CORRUPT',
      })
    const shorter = { ...head, length: COUNT - 1 }
    await assert.rejects(HeldFeed.take({ feedKey: key, head: shorter, blocks: all }, BLOCK_KEY, PLENTY), {
      code: 'FEED_CORRUPT',
    })
  })

  test('is left to a store if it is too large', async () => {
    const bytes = all.reduce((sum, block) => sum + block.bytes.length, 0)
    const adoption = { feedKey: key, head, blocks: all }
    assert.equal(await HeldFeed.take(adoption, BLOCK_KEY, bytes - 1), undefined)
    assert.equal((await HeldFeed.take(adoption, BLOCK_KEY, bytes))?.bytes, bytes)
  })
})
