// Which pieces are live, against a model of an index with random feeds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bitfield } from '../../../src/core/bitfield.js'
import type { WriterId } from '../../../src/core/ids.js'
import { sealedBytesOf } from '../../../src/core/piece.js'
import { type IndexedHeads, walkLivePieces } from '../../../src/daemon/copies/live-walk.js'
import { inSlices } from '../../../src/daemon/copies/slices.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import { PieceTables } from '../../../src/store/pieces.js'
import { Scene } from '../../store/scene.js'

test('live are the pieces of the heads of all paths, each content once, whoever announced it', async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const scene = new Scene(seed, new MemoryDatabase())
    for (let step = 0; step < 40; step++) scene.act()
    const { index } = scene
    const refs = new Set<string>()
    const lengths = new Map<string, number>()
    for (const entry of [...scene.heads.values()].flat()) {
      if (entry.type !== 'file') continue
      const { number } = index.feeds.byWriter(entry.author)!
      for (const { first, count } of entry.pieces)
        for (let at = first; at < first + count; at++) {
          const { id, length } = index.pieces.at(number, at)!
          refs.add(`${entry.author} ${at}`)
          lengths.set(id.toString('hex'), length)
        }
    }
    const walked = await inSlices(walkLivePieces(index), () => false)
    const { feeds, pieces, bytes } = walked!.value
    assert.equal(pieces, lengths.size, `seed ${seed}`)
    assert.equal(
      bytes,
      [...lengths.values()].reduce((sum, length) => sum + length, 0),
    )
    const ids = new Set<string>()
    for (const [writer, { bits, lengths: told }] of feeds) {
      const field = Bitfield.fromWire(bits)
      assert.ok(field.type === 'ok')
      for (const at of field.value) {
        assert.ok(refs.has(`${writer} ${at}`), `seed ${seed}: ${writer} ${at} is not live`)
        const { id, length } = index.pieces.at(index.feeds.byWriter(writer)!.number, at)!
        assert.equal(told[at], length)
        ids.add(id.toString('hex'))
      }
    }
    assert.deepEqual(ids, new Set(lengths.keys()))
  }
})

test('a padded piece counts with the bytes that it has sealed', async () => {
  const pieces = new PieceTables(
    new MemoryDatabase(),
    'a:',
    () => undefined,
    () => undefined,
  )
  const length = sealedBytesOf(1000, true)
  pieces.announce(1, 0, { id: Buffer.alloc(32, 7), length, plain: 1000 }, true, 0)
  const writer = 'f0' as WriterId
  const entry = { type: 'file', author: writer, pieces: [{ first: 0, count: 1 }] }
  const index = {
    allHeads: () => [[entry]],
    feeds: { byWriter: () => ({ number: 1 }) },
    pieces,
  } as unknown as IndexedHeads
  const walked = await inSlices(walkLivePieces(index), () => false)
  assert.deepEqual([walked?.value.pieces, walked?.value.bytes], [1, length])
  assert.deepEqual([...(walked?.value.feeds.get(writer)?.lengths ?? [])], [length])
})

test('work in slices ends early when it is told to', async () => {
  function* forever(): Generator<undefined, never> {
    for (;;) yield
  }
  let asked = 0
  assert.equal(await inSlices(forever(), () => ++asked === 3), undefined)
})
