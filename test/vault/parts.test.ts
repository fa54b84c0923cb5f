// The parts of a vault on their own: frames to the byte, contents, the index in memory beside the one in tables, and what
// runs beside compaction.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { blake3 } from '../../src/core/hash.js'
import { silentLog } from '../../src/ports/log.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { Catalog } from '../../src/vault/catalog.js'
import { contentsBytes, contentsFrame, readContents } from '../../src/vault/contents.js'
import {
  FRAME,
  FRAME_HEADER_BYTES,
  frameHeader,
  keyOfPiece,
  packHeader,
  packIdentity,
  pieceFrame,
  readFrameHeader,
  readPackHeader,
} from '../../src/vault/frame.js'
import type { FrameRows } from '../../src/vault/frame-rows.js'
import { JournalRows } from '../../src/vault/journal-rows.js'
import { MemoryRows } from '../../src/vault/memory-rows.js'
import { checkBatch } from '../../src/vault/new-frames.js'
import { Vault } from '../../src/vault/vault.js'
import { VerifiedPiece } from '../../src/vault/verified-piece.js'
import { Random } from '../sim/random.js'
import { PREFIX } from './databases.js'
import { FakeStorage } from './fake-storage.js'
import { pieceOf, SHARE, storedBlockOf, WRITERS } from './history.js'
import { numbers } from './vault.suite.js'

const identity = packIdentity(SHARE, 3)

describe('frames', () => {
  it('have the bytes that docs/design.md says', () => {
    assert.equal(
      packHeader(identity).toString('hex'),
      `${Buffer.from('shoal pack v1\n\0\0', 'latin1').toString('hex')}${'07'.repeat(32)}03000000${blake3(
        packHeader(identity).subarray(0, 52),
      ).toString('hex', 0, 12)}`,
    )
    const piece = { id: blake3(Buffer.from('sealed')), bytes: Buffer.from('sealed') }
    const header = frameHeader(identity, 64, pieceFrame(piece.id, piece.bytes))
    const start = `${Buffer.from('SHVF').toString('hex')}0100000006000000${piece.id.toString('hex')}`
    assert.equal(header.toString('hex', 0, 44), start)
    const place = Buffer.from('0300000040000000', 'hex')
    const check = blake3(Buffer.concat([identity.shareId, place, header.subarray(0, 44)]))
    assert.equal(header.toString('hex', 44), check.toString('hex', 0, 4))
  })

  it('hold at their place in their pack of their share alone, and not when a bit is another', () => {
    const { id, bytes } = pieceOf(5)
    const header = frameHeader(identity, 64, pieceFrame(id, bytes))
    assert.deepEqual(readFrameHeader(identity, 64, header), {
      type: FRAME.piece,
      length: bytes.length,
      digest: id,
    })
    assert.equal(readFrameHeader(identity, 65, header), undefined)
    assert.equal(readFrameHeader(packIdentity(SHARE, 4), 64, header), undefined)
    const other = 'ab'.repeat(32) as typeof SHARE
    assert.equal(readFrameHeader(packIdentity(other, 3), 64, header), undefined)
    for (let bit = 0; bit < header.length * 8; bit++) {
      const flipped = Buffer.from(header)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      assert.equal(readFrameHeader(identity, 64, flipped), undefined, `bit ${bit}`)
    }
    assert.deepEqual(readPackHeader(packHeader(identity)), identity)
    assert.equal(readPackHeader(Buffer.alloc(64)), undefined)
  })

  it('have contents at the end of a pack, found from its end, and proved', async () => {
    for (const count of [1, 200, 9000]) {
      const rows = numbers(0, count).map((i) => ({
        key: keyOfPiece(blake3(Buffer.of(i, i >> 8))),
        offset: 64,
        length: 9,
      }))
      const start = Buffer.concat([packHeader(identity), Buffer.alloc(1000)])
      const frame = contentsFrame(rows, start.length)
      const pack = Buffer.concat([start, frameHeader(identity, start.length, frame), frame.payload])
      assert.equal(pack.length, start.length + contentsBytes(count))
      const storage = new FakeStorage(new Random(1))
      await storage.append('00000003.pack', [pack])
      const read = async (bytes: number) => {
        const contents = await readContents(storage, '00000003.pack', identity, bytes)
        return contents === undefined ? undefined : [...contents]
      }
      assert.deepEqual(await read(pack.length), rows)
      assert.equal(await read(pack.length - 1), undefined)
      storage.packs.get('00000003.pack')!.bytes[pack.length - 60]! ^= 1
      assert.equal(await read(pack.length), undefined)
    }
  })
})

describe('a verified piece', () => {
  const { id, bytes } = pieceOf(1)

  it('is one whose bytes were hashed, and nothing that only looks like it (P1)', () => {
    const verified = VerifiedPiece.of(id, bytes)!
    assert.ok(VerifiedPiece.is(verified))
    assert.equal(VerifiedPiece.of(id, Buffer.from('something else')), undefined)
    assert.equal(VerifiedPiece.is({ id, bytes }), false)
    assert.equal(
      VerifiedPiece.is(Object.assign(Object.create(VerifiedPiece.prototype), { id, bytes })),
      false,
    )
    assert.throws(() => checkBatch({ pieces: [{ ...verified, bytes: Buffer.from('something else') }] }))
    checkBatch({ pieces: [verified, { id, bytes }] })
  })
})

describe('the rows of an index', () => {
  it('are the same in memory, kept and read again, whatever is put and removed', async () => {
    const key = fc.oneof(
      fc.integer({ min: 0, max: 40 }).map((n) => keyOfPiece(blake3(Buffer.of(n)))),
      fc.integer({ min: 0, max: 10 }).map((n) => Buffer.from([FRAME.block, ...Buffer.alloc(15, 1), n])),
    )
    const step = fc.record({
      key,
      isPut: fc.boolean(),
      offset: fc.nat(2 ** 32 - 1),
      pack: fc.integer({ min: 1, max: 1e8 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
        const database = new MemoryDatabase()
        const all: FrameRows[] = [await JournalRows.open(database, PREFIX), new MemoryRows()]
        for (const rows of all)
          for (const { key: at, isPut, offset, pack } of steps) {
            const before = rows.get(at)
            if (isPut) assert.deepEqual(rows.put(at, { pack, offset, length: 7 }), before)
            else rows.remove(at)
            if (at[0] === FRAME.piece) assert.equal(rows.hasPiece(at.subarray(1)), isPut)
          }
        all.push(await JournalRows.open(database, PREFIX))
        const found = all.map((rows) =>
          ([FRAME.piece, FRAME.block] as const).map((type) =>
            [...new Catalog(rows).chunks(type, undefined, 3)].flat(),
          ),
        )
        assert.deepEqual(found[0], found[1])
        assert.deepEqual(found[2], found[1], 'read again')
        for (const { key: at } of steps) assert.deepEqual(all[0]!.get(at), all[1]!.get(at))
      }),
    )
  })

  it('are counted by their packs as they stand, also after a transaction that was undone', async () => {
    const step = fc.record({ n: fc.nat(30), isPut: fc.boolean(), pack: fc.integer({ min: 1, max: 3 }) })
    const change = fc.record({ steps: fc.array(step, { maxLength: 20 }), isUndone: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 8 }), async (changes) => {
        const database = new MemoryDatabase()
        const catalog = new Catalog(await JournalRows.open(database, PREFIX))
        const make = ({ steps, isUndone }: (typeof changes)[number]): void => {
          for (const { n, isPut, pack } of steps) {
            const key =
              n < 20 ? keyOfPiece(blake3(Buffer.of(n))) : Buffer.from([FRAME.block, ...Buffer.alloc(15), n])
            if (isPut) catalog.put(key, { pack, offset: n, length: 1 + n })
            else catalog.remove(key)
            catalog.cover(pack, n)
          }
          if (isUndone) throw new Error('undone')
        }
        for (const each of changes) {
          const before = new Map(catalog.packs())
          const undone = (): void => catalog.transaction(() => make(each))
          if (each.isUndone) assert.throws(undone, /undone/)
          else undone()
          if (each.isUndone) assert.deepEqual(catalog.packs(), before)
        }
        for (const [number, row] of catalog.packs()) {
          const rows = ([FRAME.piece, FRAME.block] as const).flatMap((type) =>
            [...catalog.chunks(type)].flat().filter(({ place }) => place.pack === number),
          )
          const pieces = rows.filter(({ key }) => key[0] === FRAME.piece)
          const sum = (some: typeof rows): number =>
            some.reduce((total, { place }) => total + place.length, 0)
          assert.deepEqual(row, {
            ...{
              covered: row.covered,
              live: sum(rows) + FRAME_HEADER_BYTES * rows.length,
              frames: rows.length,
            },
            ...{ pieces: pieces.length, pieceBytes: sum(pieces) },
          })
        }
        assert.deepEqual(new Catalog(await JournalRows.open(database, PREFIX)).packs(), catalog.packs())
      }),
    )
  })

  it('that were put and removed many times are kept in a short journal, and what a throw undid is not there', async () => {
    const database = new MemoryDatabase()
    const rows = await JournalRows.open(database, PREFIX)
    const keys = numbers(0, 3000).map((n) => keyOfPiece(blake3(Buffer.from(String(n)))))
    const putAll = (pack: number): void =>
      rows.transaction(() => {
        keys.forEach((key, n) => {
          rows.put(key, { pack, offset: n, length: 1 })
        })
      })
    for (let pack = 1; pack <= 10; pack++) putAll(pack)
    assert.throws(() =>
      rows.transaction(() => {
        rows.remove(keys[0]!)
        rows.put(keys[1]!, { pack: 99, offset: 1, length: 1 })
        throw new Error('undone')
      }),
    )
    const journal = (): number =>
      database.table<Buffer>(`${PREFIX}journal`).range(Buffer.alloc(0), Buffer.alloc(9, 0xff)).length
    const before = journal()
    // What a shortening that was interrupted leaves.
    const stale = Buffer.from([0, 0, 0, 2, 0, 0, 0, 1])
    database.table<Buffer>(`${PREFIX}journal`).put(stale, Buffer.alloc(0))
    for (const _ of [1, 2]) {
      const again = await JournalRows.open(database, PREFIX)
      keys.forEach((key, n) => {
        assert.deepEqual(again.get(key), { pack: 10, offset: n, length: 1 })
      })
      assert.ok(journal() < before / 5)
    }
    assert.deepEqual(rows.get(keys[0]!), { pack: 10, offset: 0, length: 1 })
  })

  it('in memory hold a hundred thousand pieces', () => {
    const rows = new MemoryRows()
    const ids = numbers(0, 100_000).map((n) => blake3(Buffer.from(String(n))))
    ids.forEach((id, n) => {
      rows.put(keyOfPiece(id), { pack: 1 + (n >> 12), offset: n, length: n })
    })
    ids.forEach((id, n) => {
      assert.deepEqual(rows.get(keyOfPiece(id)), { pack: 1 + (n >> 12), offset: n, length: n })
    })
    assert.equal(rows.get(keyOfPiece(blake3(Buffer.from('none')))), undefined)
  })
})

describe('beside compaction', () => {
  const PACK_BYTES = 8 * 1024

  async function filled(): Promise<{ vault: Vault; storage: FakeStorage; database: MemoryDatabase }> {
    const storage = new FakeStorage(new Random(1))
    const database = new MemoryDatabase()
    const options = {
      storage,
      shareId: SHARE,
      database,
      prefix: PREFIX,
      log: silentLog,
      packBytes: PACK_BYTES,
    }
    const vault = await Vault.open({ ...options, onDamaged: () => assert.fail('nothing is damaged') })
    await vault.add({ pieces: numbers(0, 100).map(pieceOf) })
    return { vault, storage, database }
  }
  const ids = (some: readonly number[]): Buffer[] => some.map((number) => pieceOf(number).id)

  it('pieces are read, added and dropped, and those that were dropped do not come back', async () => {
    const { vault } = await filled()
    await vault.drop(ids(numbers(0, 100).filter((number) => number % 3 === 0)))
    const kept = numbers(0, 100).filter((number) => number % 3 !== 0)
    let isOver = false
    const compacting = vault.compact({ minDeadBytes: 1, minDeadShare: 0.05 }).finally(() => {
      isOver = true
    })
    const dropped: number[] = []
    const added: number[] = []
    for (let i = 0; !isOver || i < 10; i++) {
      await new Promise((resolve) => setImmediate(resolve))
      const read = await vault.read(ids(kept))
      assert.deepEqual(
        read,
        kept.map((number) => pieceOf(number).bytes),
      )
      if (i < 10) {
        added.push(200 + i)
        await Promise.all([vault.add({ pieces: [pieceOf(200 + i)] }), vault.drop(ids([kept[0]!]))])
        dropped.push(kept.shift()!)
      }
    }
    assert.ok((await compacting).packs > 0)
    for (const id of ids(dropped)) assert.equal(vault.has(id), false)
    assert.deepEqual(
      await vault.read(ids(added)),
      added.map((number) => pieceOf(number).bytes),
    )
    assert.equal(vault.stats().pieces, kept.length + added.length)
    assert.deepEqual((await vault.verify()).damaged, [])
  })

  it('numbers of packs are never used twice (T3), also when all of a vault goes', async () => {
    const { vault, storage, database } = await filled()
    const last = [...storage.packs.keys()].sort().at(-1)!
    await vault.drop(ids(numbers(0, 100)))
    await vault.compact({ minDeadBytes: 1 })
    assert.equal(storage.packs.size, 1)
    assert.ok([...storage.packs.keys()][0]! > last)
    assert.ok(storage.usedBytes < 200, 'what is left is a header')
    await vault.close()
    const again = await Vault.open({ storage, shareId: SHARE, database, prefix: PREFIX, log: silentLog })
    await again.add({ pieces: [pieceOf(1)] })
    assert.equal(storage.packs.size, 1)
    assert.equal(again.stats().pieces, 1)
  })

  it('a piece that is dropped while it is moved stays dropped', async () => {
    const { vault, storage, database } = await filled()
    await vault.drop(ids(numbers(0, 50).filter((number) => number % 2 === 0)))
    const append = storage.append.bind(storage)
    storage.append = async (name, bytes) => {
      await append(name, bytes)
      await vault.drop(ids(numbers(0, 90)))
    }
    await vault.compact({ minDeadBytes: 1, minDeadShare: 0.1 })
    assert.equal(vault.stats().pieces, 10)
    await vault.close()
    const again = await Vault.open({ storage, shareId: SHARE, database, prefix: PREFIX, log: silentLog })
    assert.equal(again.stats().pieces, 10)
    assert.deepEqual(await again.read(ids([95])), [pieceOf(95).bytes])
  })

  it('pieces that lie together are read together', async () => {
    const { vault, storage } = await filled()
    const before = storage.reads
    await vault.read(ids(numbers(0, 100)))
    assert.equal(storage.reads - before, storage.packs.size)
    await vault.add({ blocks: numbers(0, 60).map((index) => storedBlockOf(0, index)) })
    const packs = storage.packs.size
    const start = storage.reads
    for await (const block of vault.blocks(WRITERS[0]!)) assert.ok(block.bytes.length > 0)
    assert.ok(storage.reads - start <= packs)
  })

  it('two compactions do the work of one, and what waits when it is closed is told so', async () => {
    const { vault, storage } = await filled()
    await vault.drop(ids(numbers(0, 90)))
    const reports = await Promise.all([
      vault.compact({ minDeadBytes: 1 }),
      vault.compact({ minDeadBytes: 1 }),
    ])
    assert.ok(reports[0].packs > 0)
    assert.equal(reports[1].packs, 0)
    const first = vault.add({ pieces: [pieceOf(500)] })
    await new Promise((resolve) => setImmediate(resolve))
    const second = vault.add({ pieces: [pieceOf(501)] })
    const closed = vault.close()
    await first
    await assert.rejects(second, { message: /closed/ })
    await closed
    const written = storage.usedBytes
    await assert.rejects(vault.add({ pieces: [pieceOf(502)] }), { message: /closed/ })
    assert.equal(storage.usedBytes, written)
  })
})
