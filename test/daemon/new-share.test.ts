// makeShare looks at the other configurations of the machine, whose daemons may never have run. What it writes and
// refuses besides is in test/cli/share.test.ts.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { formatSecret, keysOf, writeSecretOf } from '../../src/core/secret.js'
import { makeShare } from '../../src/daemon/new-share.js'
import type { NewShare } from '../../src/daemon/new-share-types.js'
import { findMarker } from '../../src/folder/marker.js'

const secret = writeSecretOf(Buffer.alloc(32, 5))

let folder: string
beforeEach(() => {
  folder = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'shoal-new-')))
  for (const name of ['conf', 'a', 'a/below', 'b', 'state']) fs.mkdirSync(join(folder, name))
})
afterEach(() => fs.rmSync(folder, { recursive: true }))

function make(dir: string, isJoining = false, name = 'it', own = secret): Promise<NewShare> {
  return makeShare({
    config: {
      name,
      madeBy: 'share',
      secret: own,
      dir: join(folder, dir),
      storagePath: join(folder, 'state', name),
      port: 0,
      knownHosts: [],
      bootstrap: [],
      searchLan: true,
    },
    configFile: join(folder, 'conf', `${name}.conf`),
    configFolders: [join(folder, 'none'), join(folder, 'conf')],
    isJoining,
    nowMs: () => 0,
  })
}

/** A configuration that is there already. */
function other(dir: string, storage = join(folder, 'state', 'other')): void {
  const shared = { secret: formatSecret(writeSecretOf(Buffer.alloc(32, 6))), dir: join(folder, dir) }
  const text = JSON.stringify({ storage_path: storage, shared_folders: [shared] })
  fs.writeFileSync(join(folder, 'conf', 'other.conf'), text, { mode: 0o600 })
}

for (const [name, theirs, ours] of [
  ['the very folder', 'a', 'a'],
  ['a folder below theirs', 'a', 'a/below'],
  ['a folder above theirs', 'a/below', 'a'],
  ['a folder to be made below theirs', 'a', 'a/to/be/made'],
] as const)
  test(`${name} of another configuration is refused`, async () => {
    other(theirs)
    await assert.rejects(make(ours, true), {
      code: 'SHARE_UNUSABLE',
      message: /lies in the folder .*other\.conf$/,
    })
    assert.deepEqual(fs.readdirSync(join(folder, 'conf')), ['other.conf'])
    assert.deepEqual(fs.readdirSync(join(folder, 'state')), [])
  })

test('a link to the folder of another configuration is refused', async () => {
  other('a')
  fs.symlinkSync('a/below', join(folder, 'link'))
  await assert.rejects(make('link'), { code: 'SHARE_UNUSABLE' })
})

test('the storage of another configuration is refused, as place and as content', async () => {
  other('a', join(folder, 'state', 'it'))
  await assert.rejects(make('b'), { code: 'EXISTS', message: /is the storage of .*other\.conf/ })
  other('a', join(folder, 'b', 'below'))
  await assert.rejects(make('b'), {
    code: 'SHARE_UNUSABLE',
    message: /contains the storage of .*other\.conf/,
  })
})

test('a configuration in parts counts as one, and is not joined by a file of its name', async () => {
  other('a')
  const parts = join(folder, 'conf', 'it.conf.d')
  fs.mkdirSync(parts)
  fs.renameSync(join(folder, 'conf', 'other.conf'), join(parts, '10-all.part'))
  await assert.rejects(make('b'), { code: 'EXISTS', message: /it\.conf\.d is there already/ })
  await assert.rejects(make('a', false, 'new'), {
    code: 'SHARE_UNUSABLE',
    message: /lies in the folder .*it\.conf$/,
  })
  assert.deepEqual(fs.readdirSync(join(folder, 'conf')), ['it.conf.d'])
})

test('a configuration that cannot be read stops nobody', async () => {
  other('a')
  fs.writeFileSync(join(folder, 'conf', 'broken.conf'), '{')
  fs.writeFileSync(join(folder, 'conf', 'notes.txt'), 'a')
  const { dir, hadContent } = await make('b')
  assert.deepEqual([dir, hadContent], [join(folder, 'b'), false])
})

test('of two that are made at once, only one is written', async () => {
  const results = await Promise.allSettled([make('a'), make('b')])
  assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
})

test('a folder that becomes two shares at once is only the one whose marker it has', async () => {
  const secrets = { one: secret, two: writeSecretOf(Buffer.alloc(32, 7)) }
  const results = await Promise.allSettled([
    make('a', false, 'one', secrets.one),
    make('a', false, 'two', secrets.two),
  ])
  assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  const [left] = fs.readdirSync(join(folder, 'conf'))
  assert.deepEqual(fs.readdirSync(join(folder, 'conf')), [left])
  const marker = findMarker(join(folder, 'a'))
  assert.ok(marker.type === 'present')
  const name = left === 'one.conf' ? 'one' : 'two'
  assert.equal(marker.shareId, keysOf(secrets[name]).shareId)
})

test('a folder to be made in a share is refused', async () => {
  await make('a')
  fs.rmSync(join(folder, 'conf'), { recursive: true })
  fs.mkdirSync(join(folder, 'conf'))
  fs.rmSync(join(folder, 'state'), { recursive: true })
  await assert.rejects(make('a/new', true), { code: 'SHARE_UNUSABLE', message: /lies in a share, .*a$/ })
  assert.equal(fs.existsSync(join(folder, 'a/new')), false)
})
