import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { blake3 } from '../../src/core/hash.js'
import { silentLog } from '../../src/ports/log.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { FolderStorage } from '../../src/vault/folder-storage.js'
import { FRAME, frameHeader, MAX_PAYLOAD_BYTES, packHeader } from '../../src/vault/frame.js'
import { Vault } from '../../src/vault/vault.js'
import { pieceOf, SHARE } from './history.js'
import { packStorageSuite, type StoragePlace } from './pack-storage.suite.js'
import { numbers, openToRead, openVault, vaultSuite } from './vault.suite.js'

/** statfs(2) */
const TMPFS = 0x01021994

interface Folder extends StoragePlace {
  readonly folder: string
}

async function makeFolder(): Promise<Folder> {
  const parent = await mkdtemp(join(tmpdir(), 'shoal-vault-'))
  const folder = join(parent, 'vault')
  return {
    folder,
    open: () => FolderStorage.open(folder),
    openReadOnly: () => FolderStorage.openReadOnly(folder),
    remove: () => rm(parent, { recursive: true }),
  }
}

packStorageSuite('a folder', makeFolder)
vaultSuite('in a folder', makeFolder)

it('a folder is written to by one at a time, and nobody else may read it', async () => {
  const place = await makeFolder()
  const storage = await place.open()
  try {
    await storage.append('00000001.pack', [Buffer.from('x')])
    await assert.rejects(place.open(), { code: 'STORAGE_LOCKED' })
    for (const name of ['', 'packs', 'packs/00000001.pack'])
      assert.equal((await stat(join(place.folder, name))).mode & 0o077, 0, name)
  } finally {
    await storage.close()
    await place.remove()
  }
})

it('what a stranger put in the place of vault.json neither blocks nor fills the memory', async () => {
  const place = await makeFolder()
  try {
    const vault = await openVault(place)
    await vault.add({ pieces: numbers(0, 3).map(pieceOf) })
    await vault.close()
    const file = join(place.folder, 'vault.json')
    await rm(file)
    await writeFile(file, '')
    await truncate(file, 2 ** 32)
    await assert.rejects(openToRead(place), { code: 'IO', message: /no file of a vault/ })
    await rm(file)
    execFileSync('mkfifo', [file])
    await assert.rejects(openToRead(place), { code: 'IO', message: /no file of a vault/ })
  } finally {
    await place.remove()
  }
})

it('a pack that is made to look endless is read in bounds, and what is whole in the others is there', async () => {
  const place = await makeFolder()
  try {
    const vault = await openVault(place)
    await vault.add({ pieces: numbers(0, 3).map(pieceOf) })
    await vault.close()
    const pack = { shareId: Buffer.from(SHARE, 'hex'), number: 2 }
    const file = join(place.folder, 'packs/00000002.pack')
    const index = Buffer.alloc(24, 0xff)
    const block = { type: FRAME.block, key: Buffer.alloc(0), digest: blake3(index), payload: index }
    await writeFile(file, Buffer.concat([packHeader(pack), frameHeader(pack, 64, block), index]))
    // A head of 8 MiB of nothing.
    const nothing = Buffer.alloc(MAX_PAYLOAD_BYTES)
    const head = { type: FRAME.head, key: Buffer.alloc(0), digest: blake3(nothing), payload: nothing }
    await appendFile(file, Buffer.concat([frameHeader(pack, 136, head), nothing]))
    // The contents are said to begin near the start.
    await truncate(file, 64 << 20)
    await appendFile(file, Buffer.from([64, 0, 0, 0, ...Buffer.from('SHVE')]))
    const read = await openToRead(place)
    assert.deepEqual(await read.read([pieceOf(1).id]), [pieceOf(1).bytes])
    assert.deepEqual(read.heads(), [])
    await read.close()
  } finally {
    await place.remove()
  }
})

it('a vault is read from a folder as it lies, without a change to it', async () => {
  const place = await makeFolder()
  try {
    const vault = await openVault(place)
    await vault.add({ pieces: numbers(0, 40).map(pieceOf) })
    await vault.close()
    const names = async (): Promise<string[]> => (await readdir(place.folder, { recursive: true })).sort()
    const state = async (): Promise<unknown> =>
      Promise.all(
        (await names()).map(async (name) => {
          const { mtimeMs, isFile } = await stat(join(place.folder, name)).then((found) => ({
            mtimeMs: found.mtimeMs,
            isFile: found.isFile(),
          }))
          return [name, mtimeMs, isFile ? await readFile(join(place.folder, name)) : undefined]
        }),
      )
    const before = await state()
    const reading = await openToRead(place)
    assert.deepEqual(await reading.read([pieceOf(39).id]), [pieceOf(39).bytes])
    await reading.close()
    assert.deepEqual(await state(), before)
    const nowhere = FolderStorage.openReadOnly(join(place.folder, 'no'))
    await assert.rejects(nowhere, { code: 'NOT_FOUND' })
    const empty = await FolderStorage.openReadOnly(join(place.folder, 'packs'))
    await assert.rejects(Vault.open({ storage: empty, shareId: SHARE, log: silentLog }), {
      code: 'SHARE_UNUSABLE',
    })
  } finally {
    await place.remove()
  }
})

it('a vault is read beside the process that adds to it and compacts it', async () => {
  const place = await makeFolder()
  try {
    const vault = await openVault(place)
    await vault.add({ pieces: numbers(0, 100).map(pieceOf) })
    const reading = await openToRead(place)
    await vault.drop(numbers(0, 100).flatMap((number) => (number % 4 === 0 ? [] : [pieceOf(number).id])))
    await vault.add({ pieces: numbers(100, 105).map(pieceOf) })
    assert.ok((await vault.compact({ minDeadBytes: 1 })).packs > 1)
    const kept = numbers(0, 25).map((n) => pieceOf(n * 4))
    const read = await reading.read(kept.map(({ id }) => id))
    assert.deepEqual(
      read,
      kept.map(({ bytes }) => bytes),
    )
    assert.deepEqual(await reading.read([pieceOf(1).id, pieceOf(104).id]), [null, pieceOf(104).bytes])
    await reading.close()
    await vault.close()
  } finally {
    await place.remove()
  }
})

const PACK_BYTES = 16 * 1024

it('what is called like a pack and cannot be read costs what is in it and no more, and is told', async () => {
  const place = await makeFolder()
  const all = numbers(0, 200).map(pieceOf)
  const held = (vault: Vault): number => all.filter(({ id }) => vault.has(id)).length
  const nameOf = (number: number): string => join(place.folder, 'packs', `0000000${number}.pack`)
  try {
    const vault = await openVault(place)
    for (let at = 0; at < all.length; at += 20) await vault.add({ pieces: all.slice(at, at + 20) })
    const { packs } = vault.stats()
    await vault.close()
    assert.ok(packs >= 4 && packs < 9, `${packs} packs`)
    // The first tells whose vault it is where vault.json is lost; the newest is where writing would go on.
    await rm(join(place.folder, 'vault.json'))
    await rename(nameOf(1), join(place.folder, 'aside'))
    await symlink('../aside', nameOf(1))
    execFileSync('mkfifo', [nameOf(packs + 1)])
    await mkdir(nameOf(packs + 2))

    const reading = await openToRead(place)
    assert.equal(reading.unreadable.length, 3)
    assert.match(reading.unreadable[0]!, /^cannot read pack 00000001\.pack in .*: ELOOP/)
    assert.match(reading.unreadable[1]!, /^cannot read pack .*: ESPIPE/)
    assert.match(reading.unreadable[2]!, /^cannot read pack .*: EISDIR/)
    const inOthers = held(reading)
    assert.ok(inOthers > 100 && inOthers < all.length, `${inOthers} pieces`)
    await reading.close()

    const damaged: unknown[] = []
    const open = async (database: MemoryDatabase): Promise<Vault> =>
      Vault.open({
        ...{ storage: await place.open(), shareId: SHARE, database, log: silentLog, packBytes: PACK_BYTES },
        onDamaged: (each) => damaged.push(each),
      })
    const database = new MemoryDatabase()
    const writing = await open(database)
    assert.deepEqual([held(writing), writing.unreadable.length], [inOthers, 3])
    await writing.add({ pieces: all })
    assert.equal(held(writing), all.length)
    await writing.close()

    // Put right, both copies are known.
    await rm(nameOf(1))
    await rename(join(place.folder, 'aside'), nameOf(1))
    await rm(nameOf(packs + 1))
    await rm(nameOf(packs + 2), { recursive: true })
    const again = await open(database)
    assert.deepEqual([held(again), again.unreadable, damaged], [all.length, [], []])
    assert.ok((await again.read(all.map(({ id }) => id))).every((bytes, i) => bytes?.equals(all[i]!.bytes)))
    await again.close()
  } finally {
    await place.remove()
  }
})

it('what is written where nothing leads to any more is not acknowledged, and can be once it is back', async () => {
  const place = await makeFolder()
  const away = `${place.folder}-away`
  try {
    const vault = await openVault(place)
    await vault.add({ pieces: numbers(0, 3).map(pieceOf) })
    await rename(place.folder, away)
    await assert.rejects(vault.add({ pieces: [pieceOf(3)] }), { code: /^(IO|NOT_FOUND)$/ })
    await mkdir(join(place.folder, 'packs'), { recursive: true })
    await assert.rejects(vault.add({ pieces: [pieceOf(3)] }), { code: /^(IO|NOT_FOUND)$/ })
    assert.equal(vault.has(pieceOf(3).id), false)
    assert.deepEqual(await readdir(join(place.folder, 'packs')), [], 'nothing was made in its place')
    await assert.rejects(vault.look(), { code: 'IO', message: /not there any more/ })
    assert.equal(vault.has(pieceOf(0).id), true, 'a disk that was taken away has damaged nothing')
    await rm(place.folder, { recursive: true })
    await rename(away, place.folder)
    await vault.look()
    await vault.add({ pieces: [pieceOf(3)] })
    await vault.close()
    const read = await openToRead(place)
    assert.deepEqual(
      await read.read([0, 3].map((i) => pieceOf(i).id)),
      [0, 3].map((i) => pieceOf(i).bytes),
    )
    await read.close()
  } finally {
    await place.remove()
  }
})

it('packs that went, or are shorter than they were, are known by a look, and the vault goes on', async () => {
  const place = await makeFolder()
  try {
    const told = new Set<string>()
    const vault = await Vault.open({
      ...{ storage: await place.open(), shareId: SHARE, database: new MemoryDatabase(), log: silentLog },
      packBytes: 16 * 1024,
      onDamaged: (damaged) => {
        if (damaged.type === 'piece') told.add(damaged.id.toString('hex'))
      },
    })
    const pieces = numbers(0, 120).map(pieceOf)
    await vault.add({ pieces })
    const packs = (await readdir(join(place.folder, 'packs'))).sort()
    assert.ok(packs.length >= 4)
    await rm(join(place.folder, 'packs', packs[0]!))
    await truncate(join(place.folder, 'packs', packs[1]!), 100)
    await rm(join(place.folder, 'packs', packs.at(-1)!))
    await vault.look()
    const gone = pieces.filter(({ id }) => !vault.has(id))
    assert.deepEqual(new Set(gone.map(({ id }) => id.toString('hex'))), told)
    assert.ok(gone.length > 0 && gone.length < pieces.length)
    await vault.add({ pieces: gone })
    await vault.look()
    assert.deepEqual(
      await vault.read(pieces.map(({ id }) => id)),
      pieces.map(({ bytes }) => bytes),
    )
    await vault.close()
    const again = await openVault(place)
    assert.equal(again.stats().pieces, pieces.length)
    await again.close()
  } finally {
    await place.remove()
  }
})

it('the newest pack is gone: one write is refused, and the next goes on without anybody having looked', async () => {
  const place = await makeFolder()
  try {
    const vault = await openVault(place)
    await vault.add({ pieces: [pieceOf(0)] })
    const packs = await readdir(join(place.folder, 'packs'))
    for (const name of packs) await rm(join(place.folder, 'packs', name))
    await assert.rejects(vault.add({ pieces: [pieceOf(1)] }), { code: /^(IO|NOT_FOUND)$/ })
    assert.equal(vault.has(pieceOf(0).id), false, 'what went with it is known')
    await vault.add({ pieces: [pieceOf(0), pieceOf(1)] })
    await vault.close()
    const read = await openToRead(place)
    assert.deepEqual(
      await read.read([0, 1].map((i) => pieceOf(i).id)),
      [0, 1].map((i) => pieceOf(i).bytes),
    )
    await read.close()
  } finally {
    await place.remove()
  }
})

it('S1: pieces far apart in a pack do not hold what lies between them in memory', async () => {
  const place = await makeFolder()
  const vault = await Vault.open({
    ...{ storage: await place.open(), shareId: SHARE, database: new MemoryDatabase(), log: silentLog },
  })
  try {
    const piece = (number: number, bytes: number) => {
      const content = Buffer.alloc(bytes, number)
      return { id: blake3(content), bytes: content }
    }
    const small = numbers(0, 64).map((number) => piece(number, 100))
    await vault.add({ pieces: small.flatMap((each, number) => [each, piece(number, 100_000)]) })
    const read = await vault.read(small.map(({ id }) => id))
    assert.deepEqual(
      read,
      small.map(({ bytes }) => bytes),
    )
    const memory = new Set(read.map((each) => each!.buffer))
    const held = [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0)
    assert.ok(held < 100_000, `6,400 bytes hold ${held}`)
  } finally {
    await vault.close()
    await place.remove()
  }
})

it('what was stored does not stay in the page cache', async (t) => {
  const place = await makeFolder()
  const storage = await place.open()
  try {
    const file = join(place.folder, 'packs', '00000001.pack')
    await writeFile(join(place.folder, 'known'), Buffer.alloc(1 << 20, 1), { flush: true })
    const known = residentBytes(join(place.folder, 'known'))
    if ((await statfs(place.folder)).type === TMPFS) {
      t.skip('a file in memory has no other place than that')
      return
    }
    if (known !== 1 << 20) {
      t.skip(`what the page cache holds cannot be seen here (fincore of util-linux): ${known}`)
      return
    }
    for (let i = 0; i < 4; i++) await storage.append('00000001.pack', [Buffer.alloc(1_000_001, i)])
    assert.equal((await stat(file)).size, 4_000_004)
    const cached = residentBytes(file)
    // Those that two batches share stay, as each holds a part of them; some systems keep 64 KiB and more in one piece.
    assert.ok(cached !== undefined && cached < 1_000_000, `${cached} bytes`)
  } finally {
    await storage.close()
    await place.remove()
  }
})

/** Of a file, those in the page cache; undefined if nobody can tell. */
function residentBytes(file: string): number | undefined {
  try {
    return Number(execFileSync('fincore', ['--bytes', '--noheadings', '--output', 'RES', file]))
  } catch {
    return undefined
  }
}
