// What an added folder must be apart from besides other shares (test/e2e/added-folders.test.ts has the rest).
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { addedShare, mustBeApart } from '../../src/config/added-folder.js'
import { type Config, parseConfig } from '../../src/config/config.js'
import { KEY_BYTES } from '../../src/core/keys.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'

const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-added-')))
after(() => fs.rmSync(root, { recursive: true, force: true }))
const folder = path.join(root, 'folder')
fs.mkdirSync(path.join(folder, 'sub'), { recursive: true })
fs.writeFileSync(path.join(folder, 'sub', 'api.key'), 'k'.repeat(32), { mode: 0o600 })

function configOf(rest: object, fileName = path.join(root, 'a.conf')): Config {
  return parseConfig(JSON.stringify({ storage_path: path.join(root, 'storage'), ...rest }), fileName).config
}

async function refused(config: Config, words: RegExp): Promise<void> {
  const secret = formatSecret(writeSecretOf(randomBytes(KEY_BYTES)))
  const share = await addedShare(config, { dir: folder, secret }, path.join(root, 'folders.json'))
  await assert.rejects(mustBeApart(config, share, []), (thrown: { code: string; message: string }) => {
    assert.equal(thrown.code, 'SHARE_UNUSABLE')
    assert.match(thrown.message, words)
    return true
  })
}

const webui = (file: string): object => ({ webui: { listen: '127.0.0.1:8888', api_key: { file } } })

test('a folder that holds what lets in over TCP is not added: whoever writes there would choose who gets in', async () => {
  await refused(configOf(webui('folder/sub/api.key')), /api\.key/)
})

test('neither if a link leads there, or the file is a link that lies there', async () => {
  fs.symlinkSync(path.join(folder, 'sub', 'api.key'), path.join(root, 'to.key'))
  await refused(configOf(webui('to.key')), /to\.key/)
  fs.symlinkSync(folder, path.join(root, 'linked'))
  fs.writeFileSync(path.join(root, 'real.key'), 'k'.repeat(32), { mode: 0o600 })
  fs.symlinkSync(path.join(root, 'real.key'), path.join(folder, 'out.key'))
  await refused(configOf(webui('linked/out.key')), /out\.key/)
})

test('neither does it hold the configuration, by whatever name, or the pid file', async () => {
  fs.symlinkSync(folder, path.join(root, 'etc'))
  fs.writeFileSync(path.join(folder, 'b.conf'), '{}')
  await refused(configOf({}, path.join(root, 'etc', 'b.conf')), /configuration file/)
  await refused(configOf({ pid_file: path.join(root, 'etc', 'pid') }), /pid_file/)
})

test('a folder beside them is', async () => {
  const config = configOf({ ...webui('real.key'), pid_file: 'pid' })
  const secret = formatSecret(writeSecretOf(randomBytes(KEY_BYTES)))
  const share = await addedShare(config, { dir: folder, secret }, path.join(root, 'folders.json'))
  await mustBeApart(config, share, [])
})
