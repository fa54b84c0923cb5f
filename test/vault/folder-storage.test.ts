import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { silentLog } from '../../src/ports/log.js'
import { FolderStorage } from '../../src/vault/folder-storage.js'
import { Vault } from '../../src/vault/vault.js'
import { pieceOf, SHARE } from './history.js'
import { packStorageSuite, type StoragePlace } from './pack-storage.suite.js'
import { numbers, openToRead, openVault, vaultSuite } from './vault.suite.js'

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
