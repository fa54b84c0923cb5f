// What is kept of a folder that is added while the daemon runs: the bucket of a blind one as well.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { loadSecrets, readConfig } from '../../src/config/secrets.js'
import { deriveSecret, formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { AddedFolders } from '../../src/daemon/added-folders.js'
import { silentLog } from '../../src/ports/log.js'

const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-added-')))
after(() => fs.rmSync(root, { recursive: true, force: true }))

test('the bucket of a blind share is there again after a restart, and refused for a readable one', async () => {
  const file = path.join(root, 'shoal.conf')
  fs.writeFileSync(file, JSON.stringify({ storage_path: path.join(root, 'state'), shared_folders: [] }))
  fs.mkdirSync(path.join(root, 'state'))
  const { config } = await loadSecrets((await readConfig(file)).config)
  const write = writeSecretOf(Buffer.alloc(32, 9))
  const vault = 's3://my-backups/office'
  const open = (): Promise<AddedFolders> => AddedFolders.open(config, silentLog)
  const secretOf = (grade: 'read' | 'blind'): string => formatSecret(deriveSecret(write, grade))
  const folders = await open()
  const [kept, other] = ['kept', 'other'].map((name) => path.join(root, name)) as [string, string]
  await folders.add(config, { dir: kept, secret: secretOf('blind'), vault }, () => undefined)
  await assert.rejects(
    folders.add(config, { dir: other, secret: secretOf('read'), vault }, () => undefined),
    { code: 'CONFIG_INVALID', message: /vault/ },
  )
  const [again] = (await open()).shares
  assert.deepEqual([again?.dir, again?.vault], [kept, vault])
})
