// Reading a configuration again, within this process, as whoever runs the tests.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigSource } from '../../src/cli/config-source.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'

const SECRET = formatSecret(writeSecretOf(Buffer.alloc(32, 5)))

interface Scene {
  readonly file: string
  readonly folder: string
  write(keys?: object, tags?: string): void
}

async function withConfig(body: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = fs.mkdtempSync(join(tmpdir(), 'shoal-source-'))
  const file = join(folder, 'nas.conf')
  const write = (keys: object = {}, tags = ''): void => {
    const settings = { storage_path: join(folder, 'storage'), ...keys }
    const shares = [{ secret: { file: 'one.secret' }, dir: 'share' }]
    fs.writeFileSync(file, `${tags}\n${JSON.stringify({ ...settings, shared_folders: shares })}`, {
      mode: 0o600,
    })
  }
  fs.writeFileSync(join(folder, 'one.secret'), SECRET, { mode: 0o600 })
  write()
  try {
    await body({ file, folder, write })
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

test('the first reading and the next, and all files that count', async () => {
  await withConfig(async ({ file, folder, write }) => {
    const source = await ConfigSource.enter(file)
    assert.equal((await source.first()).config.trashTtlDays, 30)
    assert.deepEqual(source.files, [file, `${file}.d`, join(folder, 'one.secret')])
    write({ sync_trash_ttl: 3 })
    const { config, warnings } = await source.again()
    assert.deepEqual([config.trashTtlDays, warnings], [3, []])
    assert.equal(formatSecret(config.shares[0]!.secret), SECRET)
  })
})

test('what is settled when the process starts is told, and the address of a tag is in the settings', async () => {
  await withConfig(async ({ file, write }) => {
    const source = await ConfigSource.enter(file)
    write({}, '// DAEMON_UMASK=027\n// DAEMON_BIND=127.0.0.1')
    const { config, warnings } = await source.again()
    assert.deepEqual(warnings, ['the tags now say another umask: needs a restart'])
    assert.equal(config.listenHost, '127.0.0.1')
    for (const [asked, served] of [
      ['0.0.0.0', '127.0.0.1'],
      ['[::]', '127.0.0.1'],
      ['192.0.2.1', '192.0.2.1'],
    ]) {
      const webui = { listen: `${asked}:8888`, api_key: 'shoal-key-of-20-characters' }
      write({ webui }, '// DAEMON_UMASK=027\n// DAEMON_BIND=127.0.0.1')
      assert.equal((await source.again()).config.web?.host, served)
    }
  })
})

test('a file that others can change by now, one that is wrong and one that is gone are refused', async () => {
  await withConfig(async ({ file, folder, write }) => {
    const source = await ConfigSource.enter(file)
    fs.chmodSync(file, 0o666)
    await assert.rejects(source.again(), { code: 'FILE_EXPOSED' })
    fs.rmSync(file)
    await assert.rejects(source.again(), { code: 'CONFIG_UNREADABLE' })
    write({ listening_port: 70_000 })
    await assert.rejects(source.again(), { code: 'CONFIG_INVALID' })
    write()
    fs.chmodSync(join(folder, 'one.secret'), 0o644)
    await assert.rejects(source.again(), { code: 'CONFIG_INVALID' })
    fs.chmodSync(join(folder, 'one.secret'), 0o600)
    assert.equal((await source.again()).config.trashTtlDays, 30)
  })
})
