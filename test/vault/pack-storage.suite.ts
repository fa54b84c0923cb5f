// The contract of pack-storage.ts, run over every storage: what a vault relies on when it says that something is safe.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import type { PackStorage } from '../../src/vault/pack-storage.js'
import { isNotThere } from '../../src/vault/storage-error.js'

/** An empty place for a vault. */
export interface StoragePlace {
  /** Opens the storage for writing; at most one is open so. What one has written and closed, the next finds. */
  open(): Promise<PackStorage>
  openReadOnly(): Promise<PackStorage>
  /** Removes all of it. */
  remove(): Promise<void>
}

const [A, B] = ['00000001.pack', '00000002.pack']
const PART = 1000

export function packStorageSuite(name: string, makePlace: () => Promise<StoragePlace>): void {
  const using = async (body: (place: StoragePlace, storage: PackStorage) => Promise<void>): Promise<void> => {
    const place = await makePlace()
    const storage = await place.open()
    try {
      await body(place, storage)
    } finally {
      await storage.close()
      await place.remove()
    }
  }
  const sizes = async (storage: PackStorage): Promise<Record<string, number>> =>
    Object.fromEntries((await storage.list()).map(({ name: pack, bytes }) => [pack, bytes]))

  describe(`pack storage: ${name}`, () => {
    it('adds to the end of packs and reads any part of them', () =>
      using(async (_, storage) => {
        assert.deepEqual(await sizes(storage), {})
        const [one, two, three] = [randomBytes(PART), randomBytes(PART), randomBytes(PART)]
        await storage.append(A, [one!, Buffer.alloc(0), two!])
        await storage.append(A, [three!])
        assert.deepEqual(await sizes(storage), { [A]: 3 * PART })
        const all = Buffer.concat([one!, two!, three!])
        assert.deepEqual(await storage.read(A, 0, all.length), all)
        assert.deepEqual(await storage.read(A, PART - 1, PART + 2), all.subarray(PART - 1, 2 * PART + 1))
        assert.deepEqual(await storage.read(A, 3 * PART - 1, 1), all.subarray(-1))
      }))

    it('writes more parts at once than one system call takes', () =>
      using(async (_, storage) => {
        const parts = Array.from({ length: 3000 }, (_, i) => Buffer.from(`part ${i}\n`))
        await storage.append(A, parts)
        const all = Buffer.concat(parts)
        assert.deepEqual(await storage.read(A, 0, all.length), all)
      }))

    it('says that a pack is not there, or holds less', () =>
      using(async (_, storage) => {
        await storage.append(A, [randomBytes(PART)])
        await assert.rejects(storage.read(B, 0, 1), isNotThere)
        await assert.rejects(storage.read(A, 1, PART), isNotThere)
        await assert.rejects(storage.read(A, 2 * PART, 1), isNotThere)
      }))

    it('cuts a pack, and goes on at its new end', () =>
      using(async (_, storage) => {
        await storage.append(A, [Buffer.from('keep'), Buffer.from('torn')])
        await storage.truncate(A, 4)
        assert.deepEqual(await sizes(storage), { [A]: 4 })
        await storage.append(A, [Buffer.from('more')])
        assert.equal((await storage.read(A, 0, 8)).toString(), 'keepmore')
      }))

    it('keeps what is sealed, also when it is sealed again, and begins another pack', () =>
      using(async (place, storage) => {
        await storage.append(A, [Buffer.from('sealed')])
        await storage.seal(A)
        await storage.seal(A)
        await storage.append(B, [Buffer.from('tail')])
        assert.equal((await storage.read(A, 0, 6)).toString(), 'sealed')
        await storage.close()
        const again = await place.open()
        try {
          await again.seal(A)
          assert.deepEqual(await sizes(again), { [A]: 6, [B]: 4 })
          await again.append(B, [Buffer.from('more')])
          assert.equal((await again.read(A, 0, 6)).toString(), 'sealed')
          assert.equal((await again.read(B, 0, 8)).toString(), 'tailmore')
        } finally {
          await again.close()
        }
      }))

    it('cuts a tail that another process has left', () =>
      using(async (place, storage) => {
        await storage.append(A, [Buffer.from('keeptorn')])
        await storage.close()
        const again = await place.open()
        try {
          await again.truncate(A, 4)
          await again.append(A, [Buffer.from('more')])
          assert.equal((await again.read(A, 0, 8)).toString(), 'keepmore')
        } finally {
          await again.close()
        }
      }))

    it('removes packs, the sealed and the tail, and those that are not there', () =>
      using(async (_, storage) => {
        await storage.append(A, [Buffer.from('sealed')])
        await storage.seal(A)
        await storage.append(B, [Buffer.from('tail')])
        await storage.remove(A)
        await storage.remove(A)
        assert.deepEqual(await sizes(storage), { [B]: 4 })
        await storage.remove(B)
        assert.deepEqual(await sizes(storage), {})
        await assert.rejects(storage.read(A, 0, 1), isNotThere)
        await storage.append(B, [Buffer.from('again')])
        assert.deepEqual(await sizes(storage), { [B]: 5 })
      }))

    it('replaces small files, which are no packs', () =>
      using(async (place, storage) => {
        assert.equal(await storage.getMeta('vault.json'), undefined)
        await storage.putMeta('vault.json', Buffer.from('one'))
        await storage.putMeta('vault.json', Buffer.from('two'))
        assert.equal((await storage.getMeta('vault.json'))?.toString(), 'two')
        assert.deepEqual(await sizes(storage), {})
        await storage.close()
        const again = await place.openReadOnly()
        assert.equal((await again.getMeta('vault.json'))?.toString(), 'two')
        await again.close()
      }))

    it('for reading alone shows the same and changes nothing', () =>
      using(async (place, storage) => {
        await storage.append(A, [Buffer.from('sealed')])
        await storage.seal(A)
        await storage.close()
        const reading = await place.openReadOnly()
        try {
          assert.equal(reading.isReadOnly, true)
          assert.deepEqual(await sizes(reading), { [A]: 6 })
          assert.equal((await reading.read(A, 0, 6)).toString(), 'sealed')
          const refused = { code: 'STORAGE_UNUSABLE' }
          await assert.rejects(reading.append(B, [Buffer.from('x')]), refused)
          await assert.rejects(reading.truncate(A, 1), refused)
          await assert.rejects(reading.seal(A), refused)
          await assert.rejects(reading.remove(A), refused)
          await assert.rejects(reading.putMeta('vault.json', Buffer.from('x')), refused)
        } finally {
          await reading.close()
        }
      }))

    it('knows how much room there is, or that it does not know', () =>
      using(async (_, storage) => {
        const free = await storage.freeBytes()
        assert.ok(free === undefined || free > 0)
      }))
  })
}
