// Shared folders must be apart in truth, not only as their paths are written: a folder in two shares at once would carry
// the one's changes, and its .shoal, into the other.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { parseConfig } from '../../src/config/config.js'
import { loadSecrets } from '../../src/config/secrets.js'
import { ShoalError } from '../../src/core/error.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'shoal-folders-'))
  for (const name of ['a', 'a/inner', 'b', 'store']) mkdirSync(join(folder, name))
  writeFileSync(join(folder, 'file'), '')
  symlinkSync('a', join(folder, 'to-a'))
  symlinkSync(join(folder, 'a/inner'), join(folder, 'to-inner'))
  symlinkSync('store', join(folder, 'to-store'))
  symlinkSync('nowhere', join(folder, 'to-nowhere'))
  symlinkSync('loop', join(folder, 'loop'))
  mkdirSync(join(folder, 'store/below'))
  symlinkSync('../store', join(folder, 'b/to-store'))
})
after(() => rmSync(folder, { recursive: true }))

/** What is wrong with shares of these folders, a line each, without its position. */
async function faults(dirs: readonly string[], storage = 'store'): Promise<string[]> {
  const shared_folders = dirs.map((dir, i) => ({
    secret: formatSecret(writeSecretOf(Buffer.alloc(32, i + 1))),
    dir,
  }))
  const text = JSON.stringify({ storage_path: storage, shared_folders })
  const { config } = parseConfig(text, join(folder, 'shoal.conf'))
  try {
    await loadSecrets(config)
    return []
  } catch (error) {
    assert.ok(error instanceof ShoalError, String(error))
    assert.equal(error.code, 'CONFIG_INVALID')
    return error.message.split('\n').map((line) => line.replace(/^.*?:\d+:\d+: shared_folders/, ''))
  }
}

const lies = (at: number, other: number): string =>
  `[${at}].dir: lies, with links followed, in the folder of shared_folders[${other}], expected folders apart`

test('one folder by two names is refused, at the second', async () => {
  const same = `[1].dir: is, with links followed, also the folder of shared_folders[0], expected one share each`
  assert.deepEqual(await faults(['a', 'to-a']), [same])
  assert.deepEqual(await faults(['to-a', 'a']), [same])
  assert.deepEqual(await faults(['a/new', 'to-a/new']), [same])
})

test('a folder that lies in another by way of a link is refused, wherever it stands and if it is not there yet', async () => {
  assert.deepEqual(await faults(['a', 'to-inner']), [lies(1, 0)])
  assert.deepEqual(await faults(['to-inner', 'to-a']), [lies(0, 1)])
  assert.deepEqual(await faults(['a', 'b', 'to-inner/not/yet']), [lies(2, 0)])
  assert.deepEqual(await faults(['to-a/not', 'a/not/yet']), [lies(1, 0)])
})

test('a folder that holds the storage path by way of a link is refused', async () => {
  const holds = '[0].dir: contains storage_path, with links followed; expected a folder apart from it'
  assert.deepEqual(await faults(['to-store'], 'store'), [holds])
  assert.deepEqual(await faults(['a'], 'to-inner/storage'), [holds])
  assert.deepEqual(await faults(['store'], 'b/to-store/below'), [holds])
})

test('folders apart are fine, whatever links lie in them or lead nowhere', async () => {
  assert.deepEqual(await faults(['a', 'b']), [])
  assert.deepEqual(await faults(['a/inner', 'b', 'new', 'new-er', 'to-nowhere', 'loop', 'file/x']), [])
  assert.deepEqual(await faults(['to-a', 'b', '..two']), [])
})
