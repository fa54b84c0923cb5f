// What a vault does over any storage (pack-storage.suite.ts): adds and gives back, drops and compacts, finds everything
// again when it is opened anew, with its index and without, and for reading alone.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLog } from '../../src/ports/log.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { type StoredBlock, Vault } from '../../src/vault/vault.js'
import { Random } from '../sim/random.js'
import { PREFIX } from './databases.js'
import {
  apply,
  check,
  Expected,
  headOf,
  nextOperation,
  pieceOf,
  SHARE,
  storedBlockOf,
  WRITERS,
} from './history.js'
import type { StoragePlace } from './pack-storage.suite.js'

const PACK_BYTES = 16 * 1024

export async function openVault(
  place: StoragePlace,
  database: MemoryDatabase = new MemoryDatabase(),
): Promise<Vault> {
  const storage = await place.open()
  return Vault.open({
    storage,
    shareId: SHARE,
    database,
    prefix: PREFIX,
    log: silentLog,
    packBytes: PACK_BYTES,
  })
}

export async function openToRead(place: StoragePlace): Promise<Vault> {
  return Vault.open({ storage: await place.openReadOnly(), shareId: SHARE, log: silentLog })
}

async function allOf(blocks: AsyncIterable<StoredBlock>): Promise<StoredBlock[]> {
  const all: StoredBlock[] = []
  for await (const block of blocks) all.push(block)
  return all
}

export function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

export function vaultSuite(name: string, makePlace: () => Promise<StoragePlace>): void {
  const using = async (body: (place: StoragePlace) => Promise<void>): Promise<void> => {
    const place = await makePlace()
    try {
      await body(place)
    } finally {
      await place.remove()
    }
  }
  const ids = (some: readonly number[]): Buffer[] => some.map((number) => pieceOf(number).id)

  describe(`vault: ${name}`, () => {
    it('gives back what was added, in the order asked, and null for what is not here', () =>
      using(async (place) => {
        const vault = await openVault(place)
        await vault.add({ pieces: numbers(0, 60).map(pieceOf) })
        assert.ok(vault.stats().packs > 1, 'several packs')
        const asked = [59, 3, 1000, 4, 3, 30]
        const read = await vault.read(ids(asked))
        const bytes = asked.map((number) => (number === 1000 ? null : pieceOf(number).bytes))
        assert.deepEqual(read, bytes)
        assert.equal(vault.has(pieceOf(5).id), true)
        assert.equal(vault.has(pieceOf(1000).id), false)
        assert.equal(vault.has(Buffer.alloc(3)), false)
        assert.equal(vault.lengthOf(pieceOf(7).id), pieceOf(7).bytes.length)
        const { pieces, bytes: total } = vault.stats()
        assert.equal(pieces, 60)
        assert.equal(
          total,
          numbers(0, 60).reduce((sum, number) => sum + pieceOf(number).bytes.length, 0),
        )
        const all = [...vault.pieces()].map(({ id }) => id)
        assert.deepEqual(all, ids(numbers(0, 60)).sort(Buffer.compare))
        await vault.close()
      }))

    it('refuses a piece that is not what its id says (P1), and nothing of that batch is here', () =>
      using(async (place) => {
        const vault = await openVault(place)
        const wrong = { id: pieceOf(1).id, bytes: pieceOf(2).bytes }
        await assert.rejects(vault.add({ pieces: [pieceOf(0), wrong] }), { code: 'INTERNAL' })
        assert.equal(vault.stats().pieces, 0)
        await vault.close()
      }))

    it('writes what is here already only once', () =>
      using(async (place) => {
        const vault = await openVault(place)
        const batch = {
          pieces: numbers(0, 5).map(pieceOf),
          blocks: [storedBlockOf(0, 0), storedBlockOf(0, 1)],
          heads: [headOf(0, 2)],
          certificates: [Buffer.from('certificate')],
        }
        await vault.add(batch)
        const before = vault.stats()
        await vault.add({ ...batch, heads: [headOf(0, 2), headOf(0, 1)] })
        await Promise.all([vault.add(batch), vault.add(batch)])
        assert.deepEqual(vault.stats(), before)
        assert.deepEqual(vault.heads(), [headOf(0, 2)])
        await vault.close()
      }))

    it('lets others note in its own transaction what it knows, once for each batch, and only then', () =>
      using(async (place) => {
        const database = new MemoryDatabase()
        const vault = await openVault(place, database)
        const noted = database.table<number>('noted')
        const note = (number: number, some: readonly number[]): void => {
          assert.ok(
            ids(some).every((id) => vault.has(id)),
            'all of the batch is known by then',
          )
          noted.put(Buffer.of(number), (noted.get(Buffer.of(number)) ?? 0) + 1)
        }
        const first = numbers(0, 60)
        await vault.add({ pieces: first.map(pieceOf) }, () => note(1, first))
        assert.ok(vault.stats().packs > 1, 'several packs')
        await Promise.all(
          [2, 3, 4].map((number) => {
            const some = numbers(50 + 10 * number, 60 + 10 * number)
            return vault.add({ pieces: some.map(pieceOf) }, () => note(number, some))
          }),
        )
        // All of it is here already.
        await vault.add({ pieces: first.map(pieceOf) }, () => note(5, first))
        assert.deepEqual(
          [1, 2, 3, 4, 5].map((number) => noted.get(Buffer.of(number))),
          [1, 1, 1, 1, 1],
        )
        // What stands in the last pack is not known to be here if it cannot be noted, and can be added again.
        const last = numbers(200, 210)
        const failing = vault.add({ pieces: last.map(pieceOf) }, () => {
          noted.put(Buffer.of(6), 1)
          throw new Error('cannot note')
        })
        await assert.rejects(failing, /cannot note/)
        assert.equal(noted.get(Buffer.of(6)), undefined)
        assert.ok(ids(last).some((id) => !vault.has(id)))
        await vault.add({ pieces: last.map(pieceOf) }, () => note(6, last))
        assert.equal(noted.get(Buffer.of(6)), 1)
        await vault.close()
        const again = await openVault(place, database)
        assert.deepEqual(
          (await again.read(ids([...first, ...last]))).map((bytes) => bytes !== null),
          [...first, ...last].map(() => true),
        )
        await again.close()
      }))

    it('keeps of feeds the newest head, and every block in order', () =>
      using(async (place) => {
        const database = new MemoryDatabase()
        const vault = await openVault(place, database)
        const blocks = (writer: number, some: readonly number[]): StoredBlock[] =>
          some.map((index) => storedBlockOf(writer, index))
        await vault.add({ blocks: [...blocks(1, [3, 2, 300]), ...blocks(0, [0])], heads: [headOf(1, 2)] })
        await vault.add({ blocks: blocks(1, [0, 1]), heads: [headOf(1, 301), headOf(0, 1)] })
        const other = { ...storedBlockOf(1, 1), bytes: Buffer.from('after a fork') }
        await vault.add({ blocks: [other] })
        await vault.close()
        for (const index of [database, new MemoryDatabase()]) {
          const again = await openVault(place, index)
          const found = await allOf(again.blocks(WRITERS[1]!))
          const [zero, , two, three, last] = blocks(1, [0, 1, 2, 3, 300])
          assert.deepEqual(found, [zero, other, two, three, last])
          assert.deepEqual(await allOf(again.blocks(WRITERS[1]!, 3)), [three, last])
          assert.deepEqual(await allOf(again.blocks(WRITERS[2]!)), [])
          assert.deepEqual(again.heads(), [headOf(0, 1), headOf(1, 301)])
          await again.close()
        }
      }))

    it('brings the space of what was dropped back, and loses nothing else', () =>
      using(async (place) => {
        const database = new MemoryDatabase()
        const vault = await openVault(place, database)
        const expected = new Expected()
        const add = { type: 'add', pieces: numbers(0, 100), certificates: [0], lengths: [[0, 0, 9]] } as const
        expected.begun(add)
        await apply(vault, add)
        expected.done(add)
        const full = vault.stats()
        const drop = { type: 'drop', pieces: numbers(0, 100).filter((number) => number % 10 !== 0) } as const
        expected.begun(drop)
        await apply(vault, drop)
        assert.equal(vault.stats().pieces, 10)
        assert.ok(vault.stats().deadBytes > 0.8 * full.bytes)
        const report = await vault.compact({ minDeadBytes: 1 })
        assert.deepEqual(report.damaged, [])
        assert.ok(report.freedBytes > 0.8 * full.bytes && report.packs > 1)
        assert.ok(vault.stats().deadBytes < 0.3 * PACK_BYTES)
        await check(vault, expected)
        assert.deepEqual(await vault.compact({ minDeadBytes: 1 }), {
          ...{ packs: 0, movedBytes: 0, freedBytes: 0 },
          damaged: [],
        })
        await vault.close()
        const again = await openVault(place, database)
        await check(again, expected)
        assert.equal(again.stats().pieces, 10)
        await again.close()
      }))

    it('is the same when it is opened with its index, without, and for reading alone', () =>
      using(async (place) => {
        const random = new Random(11)
        const expected = new Expected()
        const database = new MemoryDatabase()
        for (let times = 0; times < 3; times++) {
          const vault = await openVault(place, database)
          for (let i = 0; i < 8; i++) {
            const operation = nextOperation(random, expected)
            expected.begun(operation)
            await apply(vault, operation)
            expected.done(operation)
          }
          const stats = vault.stats()
          await vault.close()
          const reading = await openToRead(place)
          await check(reading, expected)
          const report = await reading.verify()
          assert.deepEqual(report.damaged, [])
          assert.equal(report.isComplete, true)
          await assert.rejects(reading.add({ pieces: [pieceOf(0)] }), { code: 'STORAGE_UNUSABLE' })
          await reading.close()
          const again = await openVault(place, database)
          assert.deepEqual(again.stats(), stats)
          await check(again, expected)
          await again.close()
        }
        const lost = await openVault(place)
        await check(lost, expected)
        await lost.close()
      }))

    it("is one share's alone", () =>
      using(async (place) => {
        await (await openVault(place)).close()
        const storage = await place.open()
        const options = { storage, database: new MemoryDatabase(), log: silentLog }
        const shareId = 'ab'.repeat(32) as typeof SHARE
        await assert.rejects(Vault.open({ ...options, shareId }), { code: 'SHARE_UNUSABLE' })
        await storage.close()
      }))
  })
}
