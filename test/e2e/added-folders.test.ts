// Folders that are added and removed while the daemon runs: with two real daemons, one world for all of it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { FolderReport } from '../../src/control/schema-folders.js'
import { KEY_BYTES } from '../../src/core/keys.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import type { VerifyReport } from '../../src/daemon/verify/report.js'
import { converged, eventually, type TestNode, World } from '../support/daemons.js'

describe('folders that are added while the daemon runs', () => {
  const world = new World()
  const secret = writeSecretOf(randomBytes(KEY_BYTES))
  const text = formatSecret(secret)
  let anna: TestNode
  let ben: TestNode
  const more = (node: TestNode, ...rest: string[]): string =>
    path.join(world.root, node.name, 'more', ...rest)
  const add = (node: TestNode, dir = more(node), given = text): Promise<{ readonly share: number }> => {
    const other = node === anna ? ben : anna
    return node.client.addShare({
      dir,
      secret: given,
      searchLan: false,
      knownHosts: [`127.0.0.1:${other.port}`],
    })
  }
  const dirs = async (node: TestNode): Promise<string[]> => (await node.status()).shares.map(({ dir }) => dir)
  const comes = (file: string, content: string): Promise<unknown> =>
    eventually(
      `${file} says ${content}`,
      () => fs.existsSync(file) && fs.readFileSync(file, 'utf8') === content,
    )

  before(async () => {
    ;[anna, ben] = (await world.start(['anna', 'ben'])) as [TestNode, TestNode]
  })
  after(() => world.close())

  it('are synced beside the others, over the connection that is there', async () => {
    fs.mkdirSync(more(anna))
    fs.writeFileSync(more(anna, 'a.txt'), 'from anna')
    assert.deepEqual(await add(anna), { share: 1, dir: more(anna) })
    // Made, as it is not there.
    assert.deepEqual(await add(ben), { share: 1, dir: more(ben) })
    await comes(more(ben, 'a.txt'), 'from anna')
    fs.writeFileSync(more(ben, 'b.txt'), 'from ben')
    await comes(more(anna, 'b.txt'), 'from ben')
    const { shares } = await anna.status()
    assert.deepEqual(
      shares.map(({ dir, added, grade }) => [dir, added, grade]),
      [
        [anna.dir, false, 'write'],
        [more(anna), true, 'write'],
      ],
    )
    const { out } = await world.run(['status', anna.configFile])
    assert.match(out, /added by shoal add/)
    // Commands know it by its folder, too.
    assert.equal((await world.run(['approve', anna.configFile, more(anna)])).exit, 0)
  })

  it('are held to the rules of a configuration, and nothing of a secret is in what is said', async () => {
    const other = formatSecret(writeSecretOf(randomBytes(KEY_BYTES)))
    const refused = async (code: string, words: RegExp, dir: string, given: string): Promise<void> => {
      await assert.rejects(add(anna, dir, given), (thrown: { code: string; message: string }) => {
        assert.equal(thrown.code, code)
        assert.match(thrown.message, words)
        assert.ok(!thrown.message.includes(given))
        return true
      })
    }
    const free = path.join(world.root, 'anna', 'free')
    await refused('SHARE_UNUSABLE', /lies in a share/, path.join(anna.dir, 'within'), other)
    await refused('SHARE_UNUSABLE', /contains a share/, path.join(world.root, 'anna'), other)
    await refused('EXISTS', /is shared already/, more(anna), other)
    await refused('EXISTS', /is the folder of this share already/, free, text)
    await refused('SECRET_INVALID', /./, free, `${text.slice(0, -3)}qqq`)
    await refused('USAGE', /absolute/, 'more', other)
    await refused('CONFIG_INVALID', /storage_path/, anna.storage, other)
    await assert.rejects(anna.client.removeShare({ share: 0 }), { code: 'USAGE' })
    await assert.rejects(anna.client.changeShare({ share: 0, useDht: true }), { code: 'USAGE' })
    await assert.rejects(anna.client.removeShare({ dir: '/nowhere' }), { code: 'NOT_FOUND' })
    assert.deepEqual(await dirs(anna), [anna.dir, more(anna)])
    assert.equal(fs.existsSync(free), false)
    assert.equal(fs.readdirSync(path.join(anna.storage, 'folders')).length, 1)
    assert.ok(!anna.log.some((line) => line.includes(text) || line.includes(other)))
  })

  it('change their settings, and are there again after a restart, the secret in a file of its own', async () => {
    await anna.client.changeShare({ share: more(anna), useSyncTrash: false })
    await comes(more(ben, 'a.txt'), 'from anna')
    fs.writeFileSync(more(ben, 'c.txt'), 'one')
    await comes(more(anna, 'c.txt'), 'one')
    await anna.kill()
    // Who looks at the storage alone sees it, too.
    const verified = await world.run(['log', anna.configFile, '--verify', '--json'])
    assert.deepEqual(
      (JSON.parse(verified.out) as VerifyReport).shares.map(({ dir }) => dir),
      [anna.dir, more(anna)],
    )
    const examined = await world.run(['doctor', anna.configFile])
    assert.ok(examined.out.includes(`folder: ${more(anna)} can be read and written`), examined.out)
    await anna.start()
    const folder = async (): Promise<FolderReport> => (await anna.client.folders())[1]!
    assert.deepEqual((await folder()).settings?.useSyncTrash, false)
    fs.writeFileSync(more(ben, 'c.txt'), 'two')
    await comes(more(anna, 'c.txt'), 'two')
    const [name] = fs.readdirSync(path.join(anna.storage, 'folders'))
    const file = path.join(anna.storage, 'folders', name!)
    assert.equal(fs.statSync(file).mode & 0o777, 0o600)
    assert.equal(fs.readFileSync(file, 'utf8').trim(), text)
    assert.ok(!fs.readFileSync(path.join(anna.storage, 'folders.json'), 'utf8').includes(text))
    assert.ok(!fs.readFileSync(anna.configFile, 'utf8').includes(more(anna)))
  })

  it('are removed without a file being touched, and the others go on', async () => {
    const { invite, ...made } = await anna.client.invite({ share: 1, grade: 'read', lifeMs: 60_000 })
    assert.equal(made.dir, more(anna))
    assert.equal((await world.run(['remove', anna.configFile, more(anna)])).exit, 0)
    assert.deepEqual(await dirs(anna), [anna.dir])
    assert.deepEqual(await anna.client.invites(), [])
    assert.deepEqual(fs.readdirSync(path.join(anna.storage, 'folders')), [])
    assert.equal(fs.readFileSync(more(anna, 'c.txt'), 'utf8'), 'two')
    fs.writeFileSync(more(ben, 'd.txt'), 'meanwhile')
    anna.write('x.txt', 'x')
    await converged([anna, ben])
    assert.equal(fs.existsSync(more(anna, 'd.txt')), false)
  })

  it('come again, and what was deleted meanwhile is fetched, not taken for deleted', async () => {
    fs.rmSync(more(anna, 'a.txt'))
    fs.writeFileSync(more(anna, 'e.txt'), 'new')
    const secretFile = path.join(world.root, 'secret')
    fs.writeFileSync(secretFile, text, { mode: 0o600 })
    const args = ['--secret-file', secretFile, '--no-search-lan', '--known-host', `127.0.0.1:${ben.port}`]
    const { exit, out } = await world.run(['add', anna.configFile, more(anna), ...args])
    assert.equal(exit, 0)
    assert.equal(out, `added ${more(anna)}\n`)
    await comes(more(anna, 'a.txt'), 'from anna')
    await comes(more(anna, 'd.txt'), 'meanwhile')
    await comes(more(ben, 'e.txt'), 'new')
    assert.equal(fs.readFileSync(more(ben, 'a.txt'), 'utf8'), 'from anna')
    // The same in an empty folder elsewhere.
    await anna.client.removeShare({ share: 1 })
    const elsewhere = path.join(world.root, 'anna', 'elsewhere')
    await add(anna, elsewhere)
    for (const [file, content] of [
      ['a.txt', 'from anna'],
      ['e.txt', 'new'],
    ] as const)
      await comes(path.join(elsewhere, file), content)
    await anna.client.removeShare({ dir: elsewhere })
    assert.ok(fs.existsSync(more(ben, 'a.txt')))
  })

  it('that the configuration has come to hold are the configuration’s', async () => {
    await add(anna)
    await comes(more(anna, 'd.txt'), 'meanwhile')
    await anna.stop()
    // What is checked without a daemon is all that it serves.
    const verified = await world.run(['log', anna.configFile, '--verify', '--json'])
    assert.equal(verified.exit, 0, verified.out + verified.err)
    const { shares } = JSON.parse(verified.out) as VerifyReport
    assert.deepEqual(
      shares.map(({ dir }) => dir),
      [anna.dir, more(anna)],
    )
    assert.ok(shares[1]!.heads > 0)
    anna.writeConfig = () => undefined
    const config = JSON.parse(fs.readFileSync(anna.configFile, 'utf8'))
    const entry = { secret: text, dir: more(anna), search_lan: false, known_hosts: [`127.0.0.1:${ben.port}`] }
    fs.writeFileSync(
      anna.configFile,
      JSON.stringify({ ...config, shared_folders: [...config.shared_folders, entry] }),
    )
    await anna.start()
    assert.deepEqual(
      (await anna.status()).shares.map(({ dir, added }) => [dir, added]),
      [
        [anna.dir, false],
        [more(anna), false],
      ],
    )
    assert.deepEqual(fs.readdirSync(path.join(anna.storage, 'folders')), [])
    fs.writeFileSync(more(ben, 'f.txt'), 'still')
    await comes(more(anna, 'f.txt'), 'still')
  })
})
